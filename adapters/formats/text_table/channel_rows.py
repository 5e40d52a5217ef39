"""Tables with a channel a row: time, channel, value, and perhaps a unit. Behind ``csv_table``.

Programs write such a table by time or channel after channel. So all of it is held, up to ``MAX_VALUES``, and joined on
its times at the end; a channel whose clock returns to its beginning begins another run.
"""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.decoding.column_names import TIME_LABELS, named, plain_of
from adapters.decoding.columns import CANONICAL, MAPPING, TIMES, VOLUMES, WAVEFORMS
from adapters.decoding.contract import ReadOptions
from adapters.decoding.flow_from_volume import FLOW_FROM_VOLUME, FlowFromVolume
from adapters.decoding.sample_assembler import MAX_NOTICES
from adapters.decoding.stamp_verdicts import BEGINNING_S, RESET_S
from adapters.decoding.stamps import Stamps
from adapters.decoding.text_rows import FAMILIAR, MAX_LINE, Line, Scanner, printable, shown
from adapters.formats.text_table.column_roles import is_wanted, placed
from adapters.formats.text_table.dialect import Dialect
from adapters.formats.text_table.fields import is_missing, is_number, split
from adapters.formats.text_table.fill_values import FillValues
from adapters.formats.text_table.first_lines import text_of
from adapters.formats.text_table.rate_groups import find_lanes
from adapters.formats.text_table.rows import REMEDY
from adapters.formats.text_table.sources import Sources
from streamer.model.chunk import Chunk, FloatArray
from streamer.model.context import RecordingInfo, Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice, NoticeKind

MAX_VALUES = 20_000_000
"""Of a table: 16 bytes each are held."""
MAX_CHANNELS = 256
HUGE = 1e15
"""Neither a time nor a measurement."""
_CHANNELS = frozenset({
    "channel", "signal", "variable", "parameter", "param", "name", "label", "measurement", "series", "metric", "key",
    "waveform", "sensor", "field", "type", "kanal", "channel_name", "signal_name",
})  # fmt: skip
_VALUES = frozenset({"value", "val", "values", "reading", "data", "y", "sample", "amplitude", "wert", "measure"})
_UNITS = frozenset({"unit", "units", "uom", "einheit"})


@dataclass(frozen=True, slots=True)
class Places:
    """Positions of the columns; ``unit`` is -1 where there is none."""

    time: int
    channel: int
    value: int
    unit: int


def is_long(names: Sequence[str]) -> bool:
    """Whether a line names time, channel and value."""
    found = _places(names)
    return min(found.time, found.channel, found.value) >= 0


def _places(names: Sequence[str]) -> Places:
    plain = [plain_of(name).lower().lstrip("_") for name in names]

    def first(known: frozenset[str]) -> int:
        return next((at for at, name in enumerate(plain) if name in known), -1)

    time = next((at for at, name in enumerate(plain) if name in TIMES or name in TIME_LABELS), -1)
    time = time if time >= 0 else next((at for at, name in enumerate(plain) if named(name, "") in TIMES), -1)
    return Places(time, first(_CHANNELS), first(_VALUES), first(_UNITS))


def long_form(dialect: Dialect) -> Places | None:
    """Where time, channel and value stand, if that is how the table is made."""
    found = _places(dialect.names)
    if not is_long(dialect.names):
        return None
    said = [plain_of(row[found.channel]) for row in dialect.rows if len(row) > found.channel]
    are_words = sum(not is_number(one, dialect.point) for one in said)
    return found if 2 * are_words > len(said) else None


class LongReader:
    """Bytes of the rows below a header; chunks come at the end."""

    def __init__(self, dialect: Dialect, options: ReadOptions, places: Places) -> None:
        """Raises ``DecodeError`` or ``ConfigError`` for a table that cannot be used."""
        self._dialect, self._options, self._places = dialect, options, places
        self._scanner = Scanner(0, dialect.delimiter, line=dialect.line)
        self._words = [*FAMILIAR, *(word.upper() for word in options.table.missing)]
        self._damage: list[tuple[int, str]] = []
        self._more_damage = 0
        self._names: dict[tuple[str, str], str] = {}
        self._left_out: dict[str, None] = {}
        self._held: dict[str, tuple[array[float], array[float]]] = {}
        self._count = 0
        fields = [plain_of(row[places.time]) for row in dialect.rows if len(row) > places.time]
        self._stamps = (
            None if any(is_number(one, dialect.point) for one in fields) else Stamps(fields, options.table.dates)
        )
        self._check_mapping()

    @property
    def told(self) -> Sidecar:
        """What the file says of itself."""
        return Sidecar(recording=self._stamps.told if self._stamps else RecordingInfo())

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """Take rows in."""
        for part in self._scanner.feed(piece):
            assert isinstance(part, Line)
            self._take(part)
        return []

    def close(self) -> list[Chunk | Notice]:
        """All of it. Raises ``DecodeError`` when there was no usable row."""
        for part in self._scanner.close():
            assert isinstance(part, Line)
            self._take(part)
        channels = list(self._held)
        if not any(name in WAVEFORMS or name in VOLUMES for name in channels):
            seen = ", ".join(repr(name[:24]) for name in list(self._left_out)[:8]) or "none"
            raise DecodeError(f"no channel that is known among {seen}; give {MAPPING}")
        for name in () if self._options.columns else self._left_out:
            if is_wanted(name, dict(enumerate(channels))):
                raise DecodeError(f"channel {name[:40]!r} has no unit that is known; give {MAPPING}")
        from_volume = not any(name.startswith("flow") for name in channels) and any(n in VOLUMES for n in channels)
        stamps, values = self._joined(channels)
        return self._given(channels, stamps, values, from_volume=from_volume)

    def _check_mapping(self) -> None:
        for name, canonical in self._options.columns.items():
            if canonical not in CANONICAL:
                raise ConfigError(f"columns maps {name!r} to the unknown {canonical[:40]!r}")

    def _take(self, part: Line) -> None:
        text = text_of(part.text).strip("\0 \r")
        header = self._dialect.header
        if not text or text.startswith("#") or (header and text == header.text.strip()) or text in self._dialect.above:
            return
        fields = split(text, self._dialect.delimiter) if len(text) <= MAX_LINE else []
        if len(fields) < len(self._dialect.names):
            self._damaged(part.line, f"{shown(part.text)} has {len(fields)} fields")
            return
        name = self._named(fields)
        if name is None:
            return
        time, value = (plain_of(fields[at]) for at in (self._places.time, self._places.value))
        stamp_s = self._seconds(time)
        if stamp_s is None or not (is_missing(value, self._words) or is_number(value, self._dialect.point)):
            self._damaged(part.line, f"{shown(part.text)} is not a row of time, channel, value")
        elif not is_missing(value, self._words) and (number := _finite(value)) is not None:
            self._hold(name, stamp_s, number)

    def _damaged(self, line: int, what: str) -> None:
        if len(self._damage) < MAX_NOTICES:
            self._damage.append((line, what))
        else:
            self._more_damage += 1

    def _hold(self, name: str, stamp_s: float, value: float) -> None:
        self._count += 1
        if self._count > MAX_VALUES:
            raise DecodeError(f"more than {MAX_VALUES} values, a channel a row: write a column for each channel")
        stamps, values = self._held.setdefault(name, (array("d"), array("d")))
        stamps.append(stamp_s)
        values.append(value)

    def _seconds(self, text: str) -> float | None:
        if self._stamps is not None:
            micros = self._stamps.read(text)
            return None if micros is None else float(self._stamps.seconds(np.array([micros]))[0])
        return _finite(text) if is_number(text, self._dialect.point) else None

    def _named(self, fields: list[str]) -> str | None:
        """The canonical name of a row's channel, or None for one that is not read."""
        channel = plain_of(fields[self._places.channel])
        unit = plain_of(fields[self._places.unit]).strip("[]()") if self._places.unit >= 0 else ""
        if (channel, unit) not in self._names:
            if len(self._names) >= MAX_CHANNELS:
                raise DecodeError(f"more than {MAX_CHANNELS} channels: is {shown(channel.encode())} one?")
            known = {name.strip().lower(): canonical for name, canonical in self._options.columns.items()}
            canonical = known.get(channel.lower()) or ("" if known else named(channel, unit)) or ""
            self._names[channel, unit] = canonical
            if canonical in {"", *TIMES}:
                self._left_out[channel] = None
                self._names[channel, unit] = ""
        return self._names[channel, unit] or None

    def _joined(self, channels: list[str]) -> tuple[FloatArray, FloatArray]:
        """Stamps ``(n,)`` and values ``(n, channels)``: a row for each time of any of them, run after run."""
        keys, at = [], []
        for column, name in enumerate(channels):
            stamps = np.array(self._held[name][0])
            keys.append(np.column_stack([_runs(stamps), stamps]))
            at.append(np.full(stamps.size, column))
        every, columns = np.concatenate(keys), np.concatenate(at)
        value = np.concatenate([np.array(self._held[name][1]) for name in channels])
        repeat = _repeats(every, columns)
        order = np.lexsort((repeat, every[:, 1], every[:, 0]))
        every, repeat = every[order], repeat[order]
        fresh = np.ones(order.size, np.bool_)
        fresh[1:] = (np.diff(every, axis=0) != 0).any(axis=1) | (np.diff(repeat) != 0)
        row = np.cumsum(fresh) - 1
        values = np.full((int(row[-1]) + 1, len(channels)), np.nan)
        values[row, columns[order]] = value[order]
        return every[fresh, 1], values

    def _given(
        self, channels: list[str], stamps: FloatArray, values: FloatArray, *, from_volume: bool
    ) -> list[Chunk | Notice]:
        read = {"volume_ml": "flow_ml_s", "volume_l": "flow_l_s"} if from_volume else {}
        meant = {at: read.get(name, name) for at, name in enumerate(channels) if name in WAVEFORMS or name in read}
        table = dataclasses.replace(placed(meant, self._options.barometric_mmhg), time=len(channels))
        self._options.units.update(table.names)
        stamps = stamps / self._divisor(stamps)
        fill = FillValues(table.waveforms, from_volume=from_volume)
        values = fill.remove(values)
        first = slice(0, 5000)
        lanes = find_lanes(
            stamps[first], {c: np.isfinite(values[first, at]) for c, (at, *_) in table.waveforms.items()}
        )
        slope = FlowFromVolume() if from_volume else None
        sources = Sources(table, lanes, label="csv", rate_hz=self._options.rate_hz, remedy=REMEDY, slope=slope)
        for line, what in self._damage:
            sources.samples.damaged(line, what, slots=0)
        sources.samples.damaged_rows += self._more_damage
        for assumes, detail in self._notes(from_volume=from_volume):
            grade: dict[str, float | str] = {"grade": "B"} if assumes == FLOW_FROM_VOLUME else {}
            sources.samples.note(NoticeKind.NOTE, printable(detail), {"assumes": assumes, **grade})
        for note in fill.notes(dict(enumerate(channels))):
            sources.samples.note(NoticeKind.NOTE, note, {"assumes": "missing_values"})
        with sources.good_first():
            sources.rows(stamps, values)
            sources.settle(values.shape[1], final=True)
        return sources.close()

    def _divisor(self, stamps: FloatArray) -> float:
        """Of the time to seconds."""
        if self._stamps is not None:
            return 1.0
        name = named(self._dialect.names[self._places.time], "")
        if name in TIMES:
            return TIMES[name]
        steps = np.diff(stamps)
        steps = steps[steps > 0]
        return 1000.0 if steps.size and np.median(steps) >= 0.5 else 1.0  # noqa: PLR2004 (no rate allows both)

    def _notes(self, *, from_volume: bool) -> list[tuple[str, str]]:
        found = [("table", note) for note in ("a channel a row", *self._dialect.notes)]
        found += self._stamps.notes() if self._stamps else []
        if self._left_out:
            found.append(
                ("columns_left_out", f"channels that are not read: {', '.join(map(repr, list(self._left_out)[:8]))}")
            )
        if from_volume:
            found.append((FLOW_FROM_VOLUME, "there is no flow: it is the slope of volume (quality B)"))
        return found


def _finite(text: str) -> float | None:
    """A number that may be one of a table."""
    number = float(text.replace(",", "."))
    return number if abs(number) < HUGE else None


def _runs(stamps: FloatArray) -> FloatArray:
    """Number of the run of each stamp of a channel: its clock has returned to its beginning, or far back."""
    runs, first, number = np.zeros(stamps.size), 0, 0.0
    for at in (np.flatnonzero(np.diff(stamps) < 0) + 1).tolist():
        back_s = stamps[at - 1] - stamps[at]
        if back_s > RESET_S or (back_s >= BEGINNING_S and stamps[at] <= stamps[first] + BEGINNING_S):
            first, number = at, number + 1
            runs[at:] = number
    return runs


def _repeats(keys: FloatArray, column: NDArray[np.intp]) -> FloatArray:
    """For each value, how many of its channel have its run and stamp before it: packets share their stamps."""
    order = np.lexsort((np.arange(len(keys)), keys[:, 1], keys[:, 0], column))
    fresh = np.ones(order.size, np.bool_)
    fresh[1:] = (np.diff(keys[order], axis=0) != 0).any(axis=1) | (np.diff(column[order]) != 0)
    start = np.flatnonzero(fresh)[np.cumsum(fresh) - 1]
    found = np.empty(order.size)
    found[order] = np.arange(order.size) - start
    return found
