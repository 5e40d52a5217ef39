"""LabChart (PowerLab, ADInstruments) exported as text: blocks of settings, then rows `time, channel …`, tab-separated.

A block begins with lines `Interval=`, `ExcelDateTime=`, `TimeFormat=`, `ChannelTitle=`, `Range=`, `UnitName=` and
others; all channels have one rate. Channels are known by title and unit, or by ``columns`` (`_signals.py`); a unit is
that of `UnitName=`, or, where it is `*` or missing, that of `Range=`. Volts are no signal until ``columns`` says what
they stand for. An export without its Time column is known by its first rows, which are counted by `Interval=`. Time is
a block's own (`StartOfBlock`): blocks are placed by their `ExcelDateTime=`, in days, so that the pause between two is a
gap of its length; one that cannot lie behind those before follows a pause of unknown length. Text behind `#` is a
comment, which may hold anything, and is not read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.signal_names import Signal, Use, choose
from adapters.decoding.stamped_grid import Clock
from adapters.decoding.text_rows import BOM, MAX_LINE, Line, Rows, Scanner, shown
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Channel, Chunk, FloatArray
from streamer.model.context import Context, RecordingInfo, Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice, NoticeKind
from streamer.model.zones import plausible

MAX_FIELDS = 512
FIRST_ROWS = 8
"""Of a block, which show whether it has a time."""
NEAR = 0.2
"""Of a sample: steps of time are rounded."""
S_PER_DAY = 86_400.0
EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 (of an unknown zone)
"""Day 0 of Excel."""
MAX_DAY = 1e5
_LINE_END = re.compile(rb"[\r\n]+")
_KEY = re.compile(r"(\w{1,40})=(?:\t|$)")
_INTERVAL = re.compile(r"(\d{1,12}(?:[.,]\d{1,12})?(?:[eE][-+]?\d{1,2})?) ?(hr|min|s|ms|µs|us)")
_SECONDS = {"hr": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6}
_NUMBER = re.compile(r"[-+]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][-+]?\d{1,3})?")
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2}(?:\.\d{1,12})?)")
_REMEDY = "export it again with the header"


def recognise(head: bytes, name: str) -> bool:
    """Whether a block of settings begins the file."""
    del name
    lines = _LINE_END.split(head.removeprefix(BOM), 3)
    return lines[0].startswith(b"Interval=\t") and any(line.startswith(b"ExcelDateTime=") for line in lines[1:])


def told(head: bytes, options: ReadOptions) -> Sidecar:
    """When it began, by the recorder's clock, and what the unit of flow says of the gas."""
    header: dict[str, list[str]] = {}
    for line in head.decode("utf-8", "replace").removeprefix("\ufeff").splitlines()[:MAX_FIELDS]:
        if not (key := _KEY.match(line)):
            break
        header[key[1]] = line.split("\t")[1 : MAX_FIELDS + 1]
    day = _number((header.get("ExcelDateTime") or [""])[0])
    start = EPOCH + timedelta(days=day) if day is not None and 0.0 < day < MAX_DAY else None
    try:
        context = choose(_signals(header, _rate_hz(header)), options, co2_alone=True).context
    except (DecodeError, ConfigError):  # told when its samples are read
        context = Context()
    return Sidecar(recording=RecordingInfo(start_local=plausible(start)), context=context)


class Decoder:
    """Bytes of an export → chunks and notices."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._scanner = Scanner(0, "\t")
        self._samples = Samples("labchart", MIN_RATE_HZ, self._channels)
        self._clock: Clock | None = None
        self._header: dict[str, list[str]] = {}
        self._uses: dict[Channel, Use] = {}
        self._first_day: float | None = None
        self._shift_s = 0.0
        self._is_placed = False
        self._titles = 0
        self._first_rows: list[tuple[Line, str]] | None = None
        self._count: int | None = None

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete."""
        with self._samples.good_first():
            for part in self._scanner.feed(piece):
                self._take(part)
            if self._clock is not None:
                self._clock.settle()
        return self._samples.take()

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when there was no usable row."""
        with self._samples.good_first():
            for part in self._scanner.close():
                self._take(part)
            self._look()
            if self._clock is not None:
                self._clock.settle(final=True)
        return self._samples.close()

    def _take(self, part: Rows | Line) -> None:
        assert isinstance(part, Line)
        text = part.text.decode("utf-8", "replace").strip("\0\r\ufeff ")
        key = _KEY.match(text)
        if key and len(text) <= MAX_LINE:
            self._header[key[1]] = text.split("\t")[1 : MAX_FIELDS + 1]
        elif text.strip():
            if self._header:
                self._open(part.line)
            if self._first_rows is None:
                self._row(part, text)
                return
            self._first_rows.append((part, text[: MAX_LINE + 1]))
            if len(self._first_rows) == FIRST_ROWS:
                self._look()

    def _look(self) -> None:
        """Whether the first rows of a block have a time: one field more than titles, or one that advances."""
        rows, self._first_rows = self._first_rows or [], None
        self._count = None
        if self._clock is not None and rows:
            fields = [_fields(text) for _, text in rows]
            width = Counter(map(len, fields)).most_common(1)[0][0]
            if width == self._titles and not _advances([_stamp_s(row[0]) for row in fields], self._samples.rate_hz):
                self._count = 0
                what = f"there is no Time column: rows are taken as even at {self._samples.rate_hz:g} Hz, by Interval="
                self._samples.note(NoticeKind.NOTE, what, {"assumes": "rate"})
        for part, text in rows:
            self._row(part, text)

    def _open(self, line: int) -> None:
        """A block: its rate, its channels, and where it lies in time. One that cannot be used is damage."""
        self._look()
        header, self._header = self._header, {}
        self._first_rows, self._titles = [], len(header.get("ChannelTitle", []))
        if self._clock is not None:
            self._clock.settle(final=True)
            self._samples.restart(self._samples.now_s)  # what was collected goes out as it was
        try:
            rate_hz = _rate_hz(header)
            chosen = choose(_signals(header, rate_hz), self._options, co2_alone=True)
        except DecodeError as error:
            self._clock = None
            self._samples.damaged(line, str(error), slots=0)
            return
        self._samples.rate_hz = rate_hz
        if chosen.uses != self._uses:
            self._samples.told(chosen.notes)
        self._uses = chosen.uses
        self._clock = Clock(self._samples, rate_hz, _REMEDY)
        self._is_placed, self._shift_s = False, self._days_s(header)

    def _days_s(self, header: Mapping[str, list[str]]) -> float:
        """Seconds from the first block to this one; 0 where it has no date, or its rows count on."""
        day = _number((header.get("ExcelDateTime") or [""])[0])
        if day is None or "StartOfBlock" not in header.get("TimeFormat", []):
            return 0.0
        self._first_day = day if self._first_day is None else self._first_day
        return (day - self._first_day) * S_PER_DAY

    def _row(self, part: Line, text: str) -> None:
        if self._clock is None:
            self._samples.damaged(part.line, "stands below no settings that can be used", slots=0)
            return
        if len(part.text) > MAX_LINE:
            self._clock.damaged(part.line, f"longer than {MAX_LINE} bytes", len(self._uses))
            return
        fields = _fields(text)
        if self._count is None:
            stamp_s, first = _stamp_s(fields[0]), 1
        else:
            stamp_s, first = self._count / self._samples.rate_hz, 0
            self._count += 1
        values = [_value(fields, use.at + first) for use in self._uses.values()]
        if stamp_s is None or None in values:
            what = f"{shown(part.text)} is not a row of {'a time and ' if first else ''}the channels"
            self._clock.damaged(part.line, what, len(self._uses))
            return
        if not self._is_placed:
            self._begin(part.line, stamp_s)
        self._clock.rows(np.array([stamp_s + self._shift_s]), np.array([values], dtype=np.float64))

    def _begin(self, line: int, stamp_s: float) -> None:
        """The first row of a block: device time never runs backwards."""
        self._is_placed = True
        if self._samples.good_rows and stamp_s + self._shift_s < self._samples.now_s:
            what = f"line {line}: a block that does not begin behind the one before"
            self._shift_s = self._samples.pause(what, stamp_s) - stamp_s

    def _channels(self, values: FloatArray) -> dict[Channel, FloatArray]:
        return {
            channel: values[:, at] * use.multiplier / use.divisor
            for at, (channel, use) in enumerate(self._uses.items())
        }


def _fields(text: str) -> list[str]:
    """Of a row, without its comment and the tab before it."""
    plain, sign, _ = text.partition("#")
    return (plain.rstrip(" ").removesuffix("\t") if sign else plain.rstrip(" ")).split("\t")


def _advances(stamps: Sequence[float | None], rate_hz: float) -> bool:
    """Whether most of them go on by a sample."""
    steps = [after - before for before, after in pairwise(stamps) if before is not None and after is not None]
    even = sum(abs(step * rate_hz - 1.0) <= NEAR for step in steps)
    return 2 * even >= max(len(stamps) - 1, 1)


def _rate_hz(header: Mapping[str, list[str]]) -> float:
    """Samples per second. Raises ``DecodeError``."""
    said = (header.get("Interval") or [""])[0].strip()
    found = _INTERVAL.fullmatch(said)
    interval_s = float(found[1].replace(",", ".")) * _SECONDS[found[2]] if found else 0.0
    if not 1.0 / MAX_RATE_HZ <= interval_s <= 1.0 / MIN_RATE_HZ:
        limits = f"{MIN_RATE_HZ:g}-{MAX_RATE_HZ:g} samples a second"
        raise DecodeError(f"Interval={ascii(said)[:40]} is no interval of {limits}; export the waveforms at their rate")
    rate_hz = 1.0 / interval_s
    return float(round(rate_hz)) if abs(rate_hz - round(rate_hz)) < 1e-6 * rate_hz else rate_hz


def _signals(header: Mapping[str, list[str]], rate_hz: float) -> list[Signal]:
    """Titles with their units."""
    titles = [title.strip() for title in header.get("ChannelTitle", [])]
    units, ranges = header.get("UnitName", []), header.get("Range", [])

    def unit(at: int) -> str:
        own = units[at].strip() if at < len(units) else ""
        ranged = ranges[at].strip().rpartition(" ")[2] if at < len(ranges) else ""
        return ranged if own in {"", "*"} else own

    return [Signal(title, unit(at), rate_hz) for at, title in enumerate(titles)]


def _number(text: str) -> float | None:
    """A number, its decimals behind a point or a comma; None for anything else or one too large."""
    plain = text.strip().replace(",", ".")
    value = float(plain) if _NUMBER.fullmatch(plain) else np.inf
    return value if np.isfinite(value) else None


def _value(fields: list[str], at: int) -> float | None:
    """Of a channel: an empty field, one that is not there, and NaN are a missing sample."""
    text = fields[at].strip() if at < len(fields) else ""
    return np.nan if text in {"", "NaN"} else _number(text)


def _stamp_s(text: str) -> float | None:
    """Seconds, as a number or as hours, minutes and seconds."""
    found = _CLOCK.fullmatch(text.strip().replace(",", "."))
    if found is None:
        return _number(text)
    hours, minutes, seconds = found.groups()
    return float(hours or 0) * 3600.0 + float(minutes) * 60.0 + float(seconds)
