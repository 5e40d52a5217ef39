"""RespiraWorks ventilator, trace saved as a table (`.dat`): `#` comments, a line of names, rows between blanks, 100 Hz.

A trace holds whatever variables were chosen, in any order: columns are known by name. ``net_flow`` is the patient's,
positive into the patient; ``pressure`` is measured in the ventilator; the rest (set point, volume, valves) is not used.
A unit may stand in parentheses behind a name, but the device writes one for the time only: for the others its own
units, cmH2O and mL/s, are taken, and a notice says so. It writes three decimals, so a number with fewer or more was
cut short or has run into its neighbour: its row is damaged. Time is the table's own, from its first stamp.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from adapters._clock import Clock
from adapters._samples import UNKNOWN_GAP_S, Samples
from adapters._text import BOM, MAX_LINE, Line, Rows, Scanner, shown
from adapters.formats import ReadOptions
from streamer.chunk import Channel, Chunk, FloatArray
from streamer.errors import DecodeError
from streamer.records import Notice, NoticeKind
from streamer.units import CMH2O_PER_KPA, CMH2O_PER_MBAR, ML_PER_L, S_PER_MIN

NOMINAL_HZ = 100.0
TIME, PRESSURE, FLOW = "time", "pressure", "net_flow"

_LINE_END = re.compile(rb"\r\n|\r|\n")
_NAME = re.compile(r"(\w+)(?:\(([^()]*)\))?")
_NUMBER = re.compile(rb"[-+]?(?:\d{1,9}\.\d{3}|nan)")
_OWN = {TIME: "sec", PRESSURE: "cmH2O", FLOW: "mL/s"}
"""The unit of a column whose name has none."""
_SCALES = {
    TIME: {"sec": (1.0, 1.0), "s": (1.0, 1.0), "ms": (1.0, 1000.0)},
    PRESSURE: {
        "cmH2O": (1.0, 1.0),
        "mbar": (CMH2O_PER_MBAR, 1.0),
        "hPa": (CMH2O_PER_MBAR, 1.0),
        "kPa": (CMH2O_PER_KPA, 1.0),
    },
    FLOW: {"mL/s": (1.0, ML_PER_L), "L/s": (1.0, 1.0), "L/min": (1.0, S_PER_MIN)},
}
"""Column → unit → multiplier and divisor to s, cmH2O, L/s (a division keeps decimals exact)."""
_REMEDY = "give --rate HZ, or rate_hz under [recording] in the sidecar"


def recognise(head: bytes, name: str) -> bool:
    """Whether the first line that is no comment names a time with its unit and a variable of this device."""
    del name
    for raw in _LINE_END.split(head.removeprefix(BOM)):
        line = raw.strip()
        if line and not line.startswith(b"#"):
            return _is_header(line)
    return False


class Decoder:
    """Bytes of a table → chunks and notices."""

    def __init__(self, options: ReadOptions) -> None:
        self._scanner = Scanner(0, " ")
        self._samples = Samples("respiraworks", NOMINAL_HZ, self._channels)
        self._clock = Clock(self._samples, options.rate_hz, _REMEDY)
        self._layout: _Layout | None = None
        self._header = b""
        self._lost = ""
        self._last_s: float | None = None
        self._shift_s: float | None = 0.0

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete. Raises ``DecodeError`` for a header that cannot be used."""
        with self._samples.good_first():
            for part in self._scanner.feed(piece):
                self._take(part)
            self._clock.settle()
        return self._samples.take()

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when there was no header or no usable row."""
        with self._samples.good_first():
            for part in self._scanner.close():
                self._take(part)
            if self._layout is None:
                raise DecodeError("there is no header line with the names of the columns")
            self._clock.settle(final=True)
        return self._samples.close()

    def _take(self, part: Rows | Line) -> None:
        assert isinstance(part, Line)
        plain = part.text.strip()
        if not plain or plain.startswith(b"#"):
            return
        if self._layout is None:
            self._open(part.line, plain)
        else:
            self._row(part.line, plain, self._layout)

    def _open(self, line: int, text: bytes) -> None:
        try:
            self._layout = _layout(_names(text))
        except DecodeError as error:
            raise DecodeError(f"line {line}: {error}") from None
        self._header = text

    def _again(self, line: int, text: bytes, layout: _Layout) -> None:
        """Tables strung together. The time of each begins anew, so nobody knows how long the pause between was."""
        same = text.split() == self._header.split()
        if not same:
            self._lost = "stands below another header than the first; split the file there"
        shown_as = f"; the pause between is unknown and shown as {UNKNOWN_GAP_S:g} s" if same else ""
        what = f"{'the header again' if same else 'another header'}, so another recording begins{shown_as}"
        self._clock.damaged(line, what, len(layout.at) - 1)
        self._shift_s = None

    def _row(self, line: int, text: bytes, layout: _Layout) -> None:
        fields = text.split()
        used = [fields[at] for at in layout.at] if len(fields) == layout.fields else []
        if used and all(map(_NUMBER.fullmatch, used)) and not used[0].endswith(b"nan") and not self._lost:
            stamp, *values = map(float, used)
            self._clock.rows(np.array([self._seconds(stamp, layout)]), np.array([values]))
        elif len(text) > MAX_LINE:
            self._clock.damaged(line, f"longer than {MAX_LINE} bytes", len(layout.at) - 1)
        elif _is_header(text):
            self._again(line, text, layout)
        else:
            wrong = f"has {len(fields)} fields, the header {layout.fields}"
            wrong = "is not a row of numbers with three decimals each" if used else wrong
            self._clock.damaged(line, f"{shown(text)} {self._lost or wrong}", len(layout.at) - 1)

    def _seconds(self, stamp: float, layout: _Layout) -> float:
        """A stamp in seconds, behind the recordings before this one. The first of all brings the notice on units."""
        multiplier, divisor = layout.scales[0]
        now_s = stamp * multiplier / divisor
        if self._shift_s is None:
            self._shift_s = 0.0 if self._last_s is None else self._last_s + UNKNOWN_GAP_S - now_s
        now_s += self._shift_s
        if self._last_s is None and layout.assumed:
            self._samples.restart(now_s)
            self._samples.note(NoticeKind.NOTE, layout.assumed)
        self._last_s = now_s
        return now_s

    def _channels(self, values: FloatArray) -> dict[Channel, FloatArray]:
        assert self._layout is not None
        names = (Channel.FLOW, Channel.PAW)
        scales = self._layout.scales[1:]
        return {
            name: values[:, at] * scale[0] / scale[1]
            for at, (name, scale) in enumerate(zip(names, scales, strict=False))
        }


@dataclass(frozen=True, slots=True)
class _Layout:
    """Of time, flow and, where there is one, pressure: positions, scales; fields of a row; units nobody named."""

    at: tuple[int, ...]
    scales: tuple[tuple[float, float], ...]
    fields: int
    assumed: str


def _names(header: bytes) -> list[tuple[str, str | None]]:
    """Names of a header, each with its unit; None where it has none. A blank may stand before the parenthesis."""
    words = re.sub(r"(?<!\s)\s+\(", "(", header.decode("utf-8", "replace")).split()
    return [(match[1], match[2]) if (match := _NAME.fullmatch(word)) else (word, None) for word in words]


def _is_header(line: bytes) -> bool:
    names = dict(_names(line[:MAX_LINE]))
    return names.get(TIME) is not None and not names.keys().isdisjoint({FLOW, "pc_setpoint"})


def _layout(names: list[tuple[str, str | None]]) -> _Layout:
    """Find time, flow and pressure by name. Raises ``DecodeError``."""
    plain = [name for name, _ in names]
    for name in (TIME, FLOW):
        if name not in plain:
            seen = ascii(", ".join(plain))[1:-1][:80]
            raise DecodeError(f"no column {name}({_OWN[name]}) in this RespiraWorks table; columns seen: {seen}")
    used = [name for name in (TIME, FLOW, PRESSURE) if name in plain]
    scales = []
    for name in used:
        if plain.count(name) > 1:
            raise DecodeError(f"column {name} appears twice; leave one")
        unit = names[plain.index(name)][1]
        known = {word.lower(): scale for word, scale in _SCALES[name].items()}
        scale = known.get((_OWN[name] if unit is None else unit).strip().lower())
        if scale is None:
            wrong = f"column {name} has the unknown unit {ascii(unit)[:20]}"
            raise DecodeError(f"{wrong}; known are {', '.join(_SCALES[name])}")
        scales.append(scale)
    unnamed = [name for name in used if names[plain.index(name)][1] is None]
    assumed = f"the header names no unit for {' and '.join(unnamed)}: taken as {' and '.join(_OWN[n] for n in unnamed)}"
    at = tuple(plain.index(name) for name in used)
    return _Layout(at, tuple(scales), len(names), assumed if unnamed else "")
