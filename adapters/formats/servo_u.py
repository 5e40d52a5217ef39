"""Getinge Servo-U, recording saved to USB (`[REC]`): tab-separated text in the language of the device, 100 Hz nominal.

Words are localised, so columns are known by the unit in parentheses: the first pressure is airway pressure, the
first flow the patient's, positive into the patient; volume, phase and trigger are the device's own and not used. CO2,
which has units of pressure too, has its name in every language.
The header names the decimal separator. Stamps ``HH:MM:SS:mmm`` step by 8-12 ms around the true 10; ``stamped_grid.py``
puts them on a grid. Time is counted from the first row, 0 s, through midnight. The zone is unknown, so it is no UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

import numpy as np

from adapters.decoding.columns import scale
from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.stamped_grid import Clock
from adapters.decoding.text_rows import BOM, MAX_LINE, Line, Rows, Scanner, printable, shown
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.context import RecordingInfo, Sidecar
from streamer.model.errors import DecodeError
from streamer.model.records import Notice
from streamer.model.units import SHOWN, unit_of
from streamer.model.zones import plausible

NOMINAL_HZ = 100.0
MAX_HEADER_LINES = 500

_TAG = re.compile(r"\[[A-Z]{2,20}\]")
_STAMP = re.compile(r"(\d\d):(\d\d):(\d\d):(\d{3})")
_DATE = re.compile(r"(\d{1,4})[-/. ](\d{1,2})[-/. ](\d{1,4}) (\d\d):(\d\d):(\d\d)")
_UNIT = re.compile(r"\(([^()]*)\)\s*$")
_NUMBER = re.compile(r"[-+]?\d{1,9}(\.\d{1,6})?")
_CO2 = re.compile(r"C\s?O\s?[2₂]", re.IGNORECASE)
_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000
_POINTS = {"POINT": ".", "COMMA": ","}
_TRENDS = "a trend export without waveforms; save a recording ([REC]) on the ventilator instead"


def recognise(head: bytes, name: str) -> bool:
    """Whether it begins with a tag of this device and says its date format: recordings and trend exports alike."""
    del name
    first = head[:200].removeprefix(BOM).decode("utf-8", "replace").splitlines()[:1]
    return bool(first and _TAG.fullmatch(first[0].strip())) and (first[0].strip() == "[REC]" or b"Date format" in head)


def told(head: bytes, options: ReadOptions) -> Sidecar:
    """When it began: the time of its first row, on the day that its header names."""
    del options
    lines = [line.partition("\t") for line in head.removeprefix(BOM).decode("utf-8", "replace").splitlines()]
    form = next((value.strip() for name, _, value in lines if name == "Date format"), "")
    parted = next((at for at, (name, *_) in enumerate(lines) if name.startswith("===")), 0)
    dates = [_DATE.fullmatch(value.strip()) for _, _, value in [*lines[parted:], *lines]]
    saved = next((date for found in dates if found and (date := _date(found, form))), None)
    first = next((found for name, *_ in lines if (found := _STAMP.fullmatch(name.strip()))), None)
    if plausible(saved) is None or saved is None or first is None:
        return Sidecar()
    hours, minutes, seconds, millis = map(int, first.groups())
    passed = timedelta(hours=hours, minutes=minutes, seconds=seconds, milliseconds=millis)
    start = saved.replace(hour=0, minute=0, second=0) + passed
    start += timedelta(days=round((saved - start) / timedelta(days=1)))  # saved just after midnight
    return Sidecar(recording=RecordingInfo(start_local=start))


def _date(found: re.Match[str], form: str) -> datetime | None:
    """A date-time in the form that the header says, such as ``dd/MM/yy``; None where it is none."""
    order = [letter for letter, _ in groupby(form) if letter in "dMy"]
    if sorted(order) != sorted("dMy"):
        return None
    parts = dict(zip(order, map(int, found.groups()[:3]), strict=True))
    year = parts["y"] + (2000 if parts["y"] < 100 else 0)  # noqa: PLR2004 (two digits)
    hour, minute, second = map(int, found.groups()[3:])
    try:
        return datetime(year, parts["M"], parts["d"], hour, minute, second)  # noqa: DTZ001 (the device's own)
    except ValueError:
        return None


class Decoder:
    """Bytes of a recording → chunks and notices."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
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
            is_other = _TAG.fullmatch(tag)
            kind = _TRENDS if is_other else "not a Servo-U recording; see ventstream formats"
            raise DecodeError(f"line {line}: {repr(tag[:40]) if is_other else shown(tag.encode())}: this is {kind}")
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
            self._layout = _layout(text.split("\t"), self._options.barometric_mmhg)
        except DecodeError as error:
            raise DecodeError(f"line {line}: {error}") from None
        self._options.units.update({channel: wave.name for channel, wave in self._layout.waves.items()})
        self._read = self._row

    def _row(self, line: int, text: str) -> None:
        assert self._layout is not None
        fields = text.split("\t")
        stamp = _STAMP.fullmatch(fields[0].strip())
        numbers = [_number(fields, wave.at, self._point) for wave in self._layout.waves.values()]
        width = len(numbers)
        if len(text) > MAX_LINE:
            self._clock.damaged(line, f"longer than {MAX_LINE} bytes", width)
        elif len(fields) < self._layout.fields or stamp is None or None in numbers[:2]:
            what = f"{shown(text.encode())} is not a row of time, phase, pressure and flow"
            self._clock.damaged(line, what, width)
        elif text:
            values = np.array([numbers], dtype=np.float64)  # CO2 that is not shown is missing
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
        waves = self._layout.waves.items()
        return {name: values[:, n] * wave.multiplier / wave.divisor for n, (name, wave) in enumerate(waves)}


class _Wave(NamedTuple):
    """A column: where it is, the name that says its unit, and multiplier and divisor to the canonical one."""

    at: int
    name: str
    multiplier: float
    divisor: float


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the columns are, pressure and flow first, and how many fields a row has at least."""

    waves: Mapping[Channel, _Wave]
    fields: int


def _layout(names: list[str], barometric_mmhg: float) -> _Layout:
    """Find pressure, flow and CO2 by their units. Raises ``DecodeError``."""
    units = [match.group(1).strip() if (match := _UNIT.search(name)) else "" for name in names]
    waves: dict[Channel, _Wave] = {}
    for channel in (Channel.PAW, Channel.FLOW, Channel.PCO2):
        for at, unit in enumerate(units):
            known = unit_of(channel.value, unit) if at and unit else None
            if known is not None and (channel is Channel.PCO2) == bool(_CO2.search(names[at])):
                name = f"{channel.value}_{known.name}"
                waves[channel] = _Wave(at, name, *scale(name, barometric_mmhg))
                break
    for channel in (Channel.PAW, Channel.FLOW):
        if channel not in waves:
            lacking = {Channel.FLOW: "flow", Channel.PAW: "pressure"}[channel]
            seen = printable(", ".join(unit for unit in units if unit)[:60]) or "none"
            raise DecodeError(f"no column with a unit of {lacking} ({SHOWN[channel.value]}); units seen: {seen}")
    return _Layout(waves, max(at for at, unit in enumerate(units) if unit) + 1)


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
