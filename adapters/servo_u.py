"""Getinge Servo-U, recording saved to USB (`[REC]`): tab-separated text in the language of the device, 100 Hz nominal.

Words are localised, so columns are known by the unit in parentheses: the first pressure is airway pressure, the
first flow the patient's, positive into the patient; volume, phase and trigger are the device's own and not used.
The header names the decimal separator. Stamps ``HH:MM:SS:mmm`` step by 8-12 ms around the true 10; ``_clock.py``
puts them on a grid. Time is counted from the first row, 0 s, through midnight. The zone is unknown, so it is no UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from adapters._clock import Clock
from adapters._samples import Samples
from adapters._text import BOM, MAX_LINE, Line, Rows, Scanner, printable, shown
from adapters.formats import ReadOptions
from streamer.chunk import Channel, Chunk, FloatArray
from streamer.errors import DecodeError
from streamer.records import Notice
from streamer.units import CMH2O_PER_KPA, CMH2O_PER_MBAR, ML_PER_L, S_PER_MIN

NOMINAL_HZ = 100.0
MAX_HEADER_LINES = 500

_TAG = re.compile(r"\[[A-Z]{2,20}\]")
_STAMP = re.compile(r"(\d\d):(\d\d):(\d\d):(\d{3})")
_UNIT = re.compile(r"\(([^()]*)\)\s*$")
_NUMBER = re.compile(r"[-+]?\d{1,9}(\.\d{1,6})?")
_PRESSURES = {"cmh2o": 1.0, "mbar": CMH2O_PER_MBAR, "hpa": CMH2O_PER_MBAR, "kpa": CMH2O_PER_KPA}
_FLOWS = {"l/m": S_PER_MIN, "l/min": S_PER_MIN, "l/s": 1.0, "ml/s": ML_PER_L}
_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000
_POINTS = {"POINT": ".", "COMMA": ","}
_TRENDS = "a trend export without waveforms; save a recording ([REC]) on the ventilator instead"


def recognise(head: bytes, name: str) -> bool:
    """Whether it begins with a tag of this device and says its date format: recordings and trend exports alike."""
    del name
    first = head[:200].removeprefix(BOM).decode("utf-8", "replace").splitlines()[:1]
    return bool(first and _TAG.fullmatch(first[0].strip())) and (first[0].strip() == "[REC]" or b"Date format" in head)


class Decoder:
    """Bytes of a recording → chunks and notices."""

    def __init__(self, options: ReadOptions) -> None:
        self._scanner = Scanner(0, "\t")
        self._samples = Samples("servo_u", NOMINAL_HZ, self._channels)
        self._clock = Clock(self._samples, options.rate_hz, "save it again on the ventilator")
        self._point = "."
        self._read = self._tag
        self._layout: _Layout | None = None
        self._first_ms: int | None = None
        self._last_ms = 0
        self._days = 0

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete. Raises ``DecodeError`` for an export without waveforms."""
        with self._samples.good_first():
            for part in self._scanner.feed(piece):
                self._take(part)
            self._clock.settle()
        return self._samples.take()

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when there was no usable row."""
        with self._samples.good_first():
            for part in self._scanner.close():
                self._take(part)
            if self._layout is None:
                raise DecodeError("the header of this Servo-U recording ends without [DATA] and its columns")
            self._clock.settle(final=True)
        return self._samples.close()

    def _take(self, part: Rows | Line) -> None:
        if isinstance(part, Line):
            self._read(part.line, part.text.decode("utf-8", "replace").strip("\0 \r"))

    def _tag(self, line: int, text: str) -> None:
        """First line: what kind of export this is."""
        tag = text.strip()
        if tag != "[REC]":
            kind = _TRENDS if _TAG.fullmatch(tag) else "not a Servo-U recording; see ventstream formats"
            raise DecodeError(f"line {line}: {tag[:40]!r}: this is {kind}")
        self._read = self._header

    def _header(self, line: int, text: str) -> None:
        """Settings in the words of the device, until ``[DATA]``. Only the decimal separator matters here."""
        name, _, value = text.partition("\t")
        if text.strip() == "[DATA]":
            self._read = self._names
        elif name.strip().lower() == "decimal separator":
            if value.strip() not in _POINTS:
                raise DecodeError(f"line {line}: decimal separator {value.strip()[:20]!r} is neither POINT nor COMMA")
            self._point = _POINTS[value.strip()]
        elif line > MAX_HEADER_LINES:
            raise DecodeError(f"line {line}: no [DATA] in the first {MAX_HEADER_LINES} lines of this Servo-U recording")

    def _names(self, line: int, text: str) -> None:
        """The names of the columns, each with its unit in parentheses."""
        try:
            self._layout = _layout(text.split("\t"))
        except DecodeError as error:
            raise DecodeError(f"line {line}: {error}") from None
        self._read = self._row

    def _row(self, line: int, text: str) -> None:
        assert self._layout is not None
        fields = text.split("\t")
        stamp = _STAMP.fullmatch(fields[0].strip())
        numbers = [_number(fields, at, self._point) for at in (self._layout.paw, self._layout.flow)]
        if len(text) > MAX_LINE:
            self._clock.damaged(line, f"longer than {MAX_LINE} bytes", 2)
        elif len(fields) < self._layout.fields or stamp is None or None in numbers:
            what = f"{shown(text.encode())} is not a row of time, phase, pressure and flow"
            self._clock.damaged(line, what, 2)
        elif text:
            values = np.array([numbers], dtype=np.float64)
            self._clock.rows(np.array([self._seconds(stamp)]), values)

    def _seconds(self, stamp: re.Match[str]) -> float:
        """Seconds since the first row. After a stamp of the last hour, one of the first hour is of the next day."""
        hours, minutes, seconds, millis = (int(part) for part in stamp.groups())
        now_ms = ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis + self._days * _DAY_MS
        if self._first_ms is None:
            self._first_ms = self._last_ms = now_ms
        if now_ms % _DAY_MS < _HOUR_MS and self._last_ms % _DAY_MS >= _DAY_MS - _HOUR_MS:
            self._days += 1
            now_ms += _DAY_MS
        self._last_ms = now_ms
        return (now_ms - self._first_ms) / 1000.0

    def _channels(self, values: FloatArray) -> dict[Channel, FloatArray]:
        assert self._layout is not None
        paw, flow = values[:, 0] * self._layout.paw_scale, values[:, 1] / self._layout.flow_divisor
        return {Channel.PAW: paw, Channel.FLOW: flow}


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the columns are: positions, factors to cmH2O and from L/s, and how many fields a row has at least."""

    paw: int
    flow: int
    fields: int
    paw_scale: float
    flow_divisor: float


def _layout(names: list[str]) -> _Layout:
    """Find pressure and flow by their units. Raises ``DecodeError``."""
    units = [match.group(1).strip().lower() if (match := _UNIT.search(name)) else "" for name in names]
    paw = next((at for at, unit in enumerate(units) if at > 0 and unit in _PRESSURES), None)
    flow = next((at for at, unit in enumerate(units) if at > 0 and unit in _FLOWS), None)
    if paw is None or flow is None:
        lacking = "flow (l/min)" if flow is None else "pressure (cmH2O)"
        seen = printable(", ".join(unit for unit in units if unit)[:60]) or "none"
        raise DecodeError(f"no column with the unit of {lacking}; units seen: {seen}")
    fields = max(at for at, unit in enumerate(units) if unit) + 1
    return _Layout(paw, flow, fields, _PRESSURES[units[paw]], _FLOWS[units[flow]])


def _number(fields: list[str], at: int, point: str) -> float | None:
    """The number in a field, or None."""
    if at >= len(fields):
        return None
    text = fields[at].strip()
    if point != ".":
        if "." in text:
            return None
        text = text.replace(point, ".")
    return float(text) if _NUMBER.fullmatch(text) else None
