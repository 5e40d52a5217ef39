"""Rows of a text table whose dialect is known → chunks and notices. Behind ``csv_table``."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from adapters.decoding.column_names import TIME_LABELS, plain_of
from adapters.decoding.columns import MAPPING, TIMES, Columns
from adapters.decoding.contract import ReadOptions
from adapters.decoding.flow_from_volume import FLOW_FROM_VOLUME, FlowFromVolume
from adapters.decoding.serial_days import date_of
from adapters.decoding.stamps import Stamps
from adapters.decoding.text_rows import FAMILIAR, MAX_LINE, NONE, Line, Rows, Scanner, printable, shown
from adapters.formats.text_table.column_roles import days_of, meaning
from adapters.formats.text_table.dialect import ROWS, Dialect
from adapters.formats.text_table.fields import BLANK, COMMENTS, is_grouped, is_missing, is_number, split, value_of
from adapters.formats.text_table.fill_values import FillValues
from adapters.formats.text_table.first_lines import text_of
from adapters.formats.text_table.rate_groups import Lanes, find_lanes
from adapters.formats.text_table.sources import Sources
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.context import RecordingInfo, Sidecar
from streamer.model.errors import DecodeError
from streamer.model.records import Notice, NoticeKind

_COMMENTS = tuple(sign.encode() for sign in COMMENTS)
LEAST_L = 1e-9
"""Smaller steps of a volume are of arithmetic."""
REMEDY = "give --rate HZ, or rate_hz under [recording] in the sidecar"


class RowReader:
    """Bytes of the rows below a header, or from the first line on."""

    def __init__(self, dialect: Dialect, options: ReadOptions, first: bytes) -> None:
        """``first``: the first rows, complete. Raises ``DecodeError`` or ``ConfigError`` for an unusable header."""
        self._dialect, self._width = dialect, len(dialect.names)
        self._meaning = known = meaning(dialect, options.columns, options.barometric_mmhg)
        options.units.update(known.columns.names)
        table = known.columns
        if table.time is None and options.rate_hz is None:
            raise DecodeError(f"{self._no_time()} and no rate; {REMEDY}")
        self._time = -1 if table.time is None else table.time
        self._words = [*FAMILIAR, *(word.upper() for word in options.table.missing)]
        self._missing = np.array([float(word) for word in options.table.missing if is_number(word, ".")])
        self._stamps = self._learn_stamps(options) if known.is_stamped else None
        self._fill = FillValues(table.waveforms, from_volume=known.from_volume)
        sniffed = FillValues(table.waveforms, from_volume=known.from_volume).remove(self._sniffed(first))
        self._began, self._first_s = self._first_day(table, sniffed)
        lanes = self._lanes(sniffed, options)
        slope = FlowFromVolume(_quantum_l(table.channels(sniffed)[Channel.FLOW])) if known.from_volume else None
        self._sources = Sources(table, lanes, label="csv", rate_hz=options.rate_hz, remedy=REMEDY, slope=slope)
        self._scanner = self._new_scanner()
        self._tell(lanes)

    @property
    def told(self) -> Sidecar:
        """What the file says of itself: gas conditions, and its start, in UTC where it has an offset."""
        known = self._stamps.told if self._stamps else RecordingInfo(start_local=self._began)
        return Sidecar(recording=known, context=self._meaning.columns.context)

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete."""
        with self._sources.good_first():
            for part in self._scanner.feed(piece):
                self._take(part)
            self._sources.settle(self._width)
        return self._sources.take()

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when there was no usable row."""
        with self._sources.good_first():
            for part in self._scanner.close():
                self._take(part)
            self._sources.settle(self._width, final=True)
            for note in self._fill.notes({at: self._name(at) for at in self._meaning.columns.used}):
                self._sources.samples.note(NoticeKind.NOTE, note, {"assumes": "missing_values"})
        return self._sources.close()

    def _learn_stamps(self, options: ReadOptions) -> Stamps:
        fields = [plain_of(row[self._time]) for row in self._dialect.rows if len(row) > self._time]
        return Stamps(fields, options.table.dates, days_of(self._dialect))

    def _first_day(self, table: Columns, values: FloatArray) -> tuple[datetime | None, float]:
        """Where the time is a date in days: that of the first row, and its s."""
        if self._time < 0 or self._stamps or table.time_divisor != TIMES["time_d"]:
            return None, 0.0
        days = values[np.isfinite(values[:, self._time]), self._time]
        began = date_of(float(days[0])) if days.size else None
        return began, float(days[0]) / TIMES["time_d"] if began else 0.0

    def _no_time(self) -> str:
        """Why there is no time, as an error says it."""
        for at, name in enumerate(map(plain_of, self._dialect.names)):
            if name.lower() in TIME_LABELS or name.lower().startswith(("time", "zeit")):
                seen = next((one[at] for one in self._dialect.rows if len(one) > at), "")
                what = f"the times in column {name[:40]!r}, such as {shown(seen.encode())}, are not read"
                say = f"say its unit in its name or as {MAPPING} ({', '.join(TIMES)})"
                write = "write them as seconds, h:mm:ss or date-times"
                return (
                    f"{what}: {say if is_number(plain_of(seen), self._dialect.point) else write}; else there is no time"
                )
        return "no time_s or time_ms column"

    def _new_scanner(self) -> Scanner:
        """Of the lines below the header."""
        return Scanner(
            self._width,
            self._dialect.delimiter,
            filled=NONE if self._time < 0 else self._time,
            line=self._dialect.line,
            used=self._meaning.columns.used,
            point=self._dialect.point,
            words=self._words,
            trailing=self._dialect.trailing,
            stamp=(self._time, self._stamps.order) if self._stamps else None,
        )

    def _sniffed(self, first: bytes) -> FloatArray:
        """The first rows as numbers ``(n, columns)``, those that are none left out."""
        scanner = self._new_scanner()
        found = [np.empty((0, self._width))]
        for part in (*scanner.feed(first), *scanner.close()):
            if isinstance(part, Rows):
                found.append(part.values)
            elif sum(map(len, found)) < ROWS:
                numbers = self._numbers(split(text_of(part.text), self._dialect.delimiter))[0]
                found.append(np.empty((0, self._width)) if numbers is None else numbers[None, :])
        return np.concatenate(found)[:ROWS]

    def _lanes(self, values: FloatArray, options: ReadOptions) -> Lanes:
        table = self._meaning.columns
        if self._time < 0:
            stamps = np.arange(len(values)) / (options.rate_hz or 1.0)
        else:
            stamps = values[:, self._time] / (1e6 if self._stamps else table.time_divisor)
        return find_lanes(stamps, {c: np.isfinite(values[:, at]) for c, (at, *_) in table.waveforms.items()})

    def _tell(self, lanes: Lanes) -> None:
        notes = [("table", note) for note in self._dialect.notes]
        notes += [*self._meaning.notes, *(self._stamps.notes() if self._stamps else [])]
        if self._began:
            notes.append(("local_time", f"the recording begins at {self._began:%Y-%m-%d %H:%M:%S} local time"))
        notes += [("rates", note) for note in lanes.notes()]
        for assumes, detail in notes:
            grade: dict[str, float | str] = {"grade": "B"} if assumes == FLOW_FROM_VOLUME else {}
            self._sources.samples.note(NoticeKind.NOTE, printable(detail), {"assumes": assumes, **grade})

    def _take(self, part: Rows | Line) -> None:
        if isinstance(part, Rows):
            self._rows(part.values)
            return
        text = part.text.strip(b"\0 \t" if self._dialect.delimiter != "\t" else b"\0 ")
        if not text.strip() or (text.startswith(_COMMENTS) and not text.startswith(b"#N")):
            if b"\0" in part.text:
                self._damaged(part, "NUL bytes")
            return
        if self._is_header(part.line, text_of(text).strip()):
            return
        values, wrong = self._careful(part.text)
        if values is None:
            self._damaged(part, wrong)
        else:
            self._rows(values)

    def _is_header(self, line: int, text: str) -> bool:
        """Whether a line is the header again, which begins another recording, or stands with it."""
        header, units = self._dialect.header, self._dialect.units
        if header is not None and text == header.text.strip():
            self._sources.begin_again(line, self._width)
            return True
        if units and [plain_of(one).strip("[]() ") for one in split(text, self._dialect.delimiter)] == units:
            return True
        return text in self._dialect.above

    def _rows(self, values: FloatArray) -> None:
        if self._missing.size:
            values[np.isin(values, self._missing)] = np.nan
        values = self._fill.remove(values)
        if self._time < 0:
            self._sources.rows(None, values)
            return
        times = values[:, self._time]
        stamps = self._stamps.seconds(times) if self._stamps else self._meaning.columns.seconds(values) - self._first_s
        self._sources.rows(stamps, values)

    def _damaged(self, part: Line, what: str) -> None:
        """NUL bytes stand where a disk lost that many bytes of rows, here of some six bytes a field."""
        lost = part.text.count(b"\0") // (6 * self._width) if self._sources.samples.good_rows else 0
        self._sources.damaged(part.line, what, self._width, max(lost, 1))

    def _careful(self, raw: bytes) -> tuple[FloatArray | None, str]:
        """One line with Python's own means: exponents, odd quotes, many digits. Values, or what is wrong."""
        if len(raw) > MAX_LINE:
            return None, f"longer than {MAX_LINE} bytes"
        text = text_of(raw).removeprefix("\ufeff")
        if self._dialect.delimiter == BLANK:
            text = text.partition("#")[0]
        fields = split(text, self._dialect.delimiter)
        while self._dialect.trailing and len(fields) > self._width and not fields[-1].strip():
            fields.pop()
        if len(fields) != self._width:
            return None, f"{shown(raw)} has {len(fields)} fields, the header {self._width}{self._hint(fields)}"
        numbers, wrong = self._numbers(fields)
        if numbers is None:
            return None, wrong
        if self._time >= 0 and np.isnan(numbers[self._time]):
            return None, f"{shown(raw)} has no time"
        if np.isinf(numbers).any():
            return None, f"{shown(raw)} has a number too large"
        return numbers[None, :], ""

    def _name(self, at: int) -> str:
        return printable(plain_of(self._dialect.names[at]))[:40]

    def _hint(self, fields: list[str]) -> str:
        if self._dialect.delimiter == "," and len(fields) > self._width and not self._sources.samples.good_rows:
            return "; with decimal commas, fields need semicolons or tabs between them"
        return ""

    def _numbers(self, fields: list[str]) -> tuple[FloatArray | None, str]:
        """The fields as numbers ``(columns,)``; NaN for those that are missing or not read."""
        if len(fields) < self._width:
            return None, ""
        numbers = np.full(self._width, np.nan)
        for at in sorted(self._meaning.columns.used):
            plain = plain_of(fields[at])
            if is_missing(plain, self._words):
                continue
            if self._stamps is not None and at == self._time:
                micros = self._stamps.read(fields[at].strip())
                if micros is None:
                    return None, f"{shown(plain.encode())} in column {self._name(at)} is no time"
                numbers[at] = micros
            elif is_number(plain, point := self._dialect.point) or (self._dialect.grouped and is_grouped(plain, point)):
                numbers[at] = value_of(plain, point)
            else:
                other = "," if self._dialect.point == "." else "."
                hint = f"; decimals need a {'point' if other == ',' else 'comma'}" if is_number(plain, other) else ""
                return (
                    None,
                    f"{shown(plain.encode())} in column {self._name(at)} is not a number{hint}",
                )
        return numbers, ""


def _quantum_l(volume: FloatArray) -> float:
    """The smallest step of a volume in the first rows, L."""
    steps = np.abs(np.diff(volume))
    steps = steps[steps > LEAST_L]
    return float(steps.min()) if steps.size else 0.0
