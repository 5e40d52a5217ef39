"""RespiraWorks ventilator, trace saved as a table (`.dat`): `#` comments, a line of names, rows between blanks, 100 Hz.

A trace holds whatever variables were chosen, in any order: columns are known by name (``respiraworks_signals.py``) or
by the sidecar. ``net_flow`` is the patient's, positive into the patient; ``pressure`` is measured in the ventilator;
what is not needed (set point, valves) is not used. A unit may stand in parentheses behind a name, but the device writes
one for the time only: for the others its own units are taken, and a notice says so. It writes three decimals, so a
number with fewer or more was cut short or has run into its neighbour: its row is damaged. Time is the table's own, from
its first stamp.
"""

from __future__ import annotations

import re

import numpy as np

from adapters.decoding.contract import ReadOptions
from adapters.decoding.flow_from_volume import FlowFromVolume
from adapters.decoding.sample_assembler import UNKNOWN_GAP_S, Samples
from adapters.decoding.stamped_grid import Clock
from adapters.decoding.text_rows import BOM, MAX_LINE, Line, Rows, Scanner, shown
from adapters.formats.respiraworks_signals import KNOWN, TIME, Layout, layout_of
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.errors import DecodeError
from streamer.model.records import Notice

NOMINAL_HZ = 100.0

_LINE_END = re.compile(rb"\r\n|\r|\n")
_NAME = re.compile(r"(\w+)(?:\(([^()]*)\))?")
_NUMBER = re.compile(rb"[-+]?(?:\d{1,9}\.\d{3}|nan)")
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
        self._options = options
        self._volume: FlowFromVolume | None = None
        self._scanner = Scanner(0, " ")
        self._samples = Samples("respiraworks", NOMINAL_HZ, self._channels)
        self._clock = Clock(self._samples, options.rate_hz, _REMEDY)
        self._layout: Layout | None = None
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
        return self._given(self._samples.take())

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when there was no header or no usable row."""
        with self._samples.good_first():
            for part in self._scanner.close():
                self._take(part)
            if self._layout is None:
                raise DecodeError("there is no header line with the names of the columns")
            self._clock.settle(final=True)
        last = self._given(self._samples.close())
        return last if self._volume is None else [*last, *self._volume.close()]

    def _given(self, items: list[Chunk | Notice]) -> list[Chunk | Notice]:
        """With flow, where there was volume alone."""
        return items if self._volume is None else list(self._volume.push(items))

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
            known = layout_of(_names(text), self._options.columns, self._options.barometric_mmhg)
        except DecodeError as error:
            raise DecodeError(f"line {line}: {error}") from None
        self._layout = known
        self._options.units.update({channel: wave.name for channel, wave in known.waves.items()})
        self._volume = FlowFromVolume() if known.is_volume else None
        self._header = text

    def _again(self, line: int, text: bytes, layout: Layout) -> None:
        """A second table in the file. Its time starts at 0 again, so the length of the pause is unknown."""
        same = text.split() == self._header.split()
        if not same:
            self._lost = "stands below another header than the first; split the file there"
        shown_as = f"; the pause between is unknown and shown as {UNKNOWN_GAP_S:g} s" if same else ""
        what = f"{'the header again' if same else 'another header'}, so another recording begins{shown_as}"
        self._clock.damaged(line, what, len(layout.at) - 1)
        self._shift_s = None

    def _row(self, line: int, text: bytes, layout: Layout) -> None:
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

    def _seconds(self, stamp: float, layout: Layout) -> float:
        """A stamp in seconds, behind the recordings before this one. The first of all brings the notice on units."""
        now_s = stamp / layout.time_divisor
        if self._shift_s is None:
            self._shift_s = 0.0 if self._last_s is None else self._last_s + UNKNOWN_GAP_S - now_s
        now_s += self._shift_s
        if self._last_s is None and layout.notes:
            self._samples.restart(now_s)
            self._samples.told(layout.notes)
        self._last_s = now_s
        return now_s

    def _channels(self, values: FloatArray) -> dict[Channel, FloatArray]:
        assert self._layout is not None
        return {
            channel: wave.of(values) * wave.multiplier / wave.divisor for channel, wave in self._layout.waves.items()
        }


def _names(header: bytes) -> list[tuple[str, str | None]]:
    """Names of a header, each with its unit; None where it has none. A blank may stand before the parenthesis."""
    words = re.sub(r"(?<!\s)\s+\(", "(", header.decode("utf-8", "replace")).split()
    return [(match[1], match[2]) if (match := _NAME.fullmatch(word)) else (word, None) for word in words]


def _is_header(line: bytes) -> bool:
    names = dict(_names(line[:MAX_LINE]))
    return names.get(TIME) is not None and not names.keys().isdisjoint(KNOWN)
