"""PIRDS text log of VentMon monitors: `time:M:type:place:number:ms:value`, `time:E:kind:ms:"text"`; about 16 Hz.

Two signals of the airway (place A, number 0), or those that ``columns`` name as ``F:B:1``, are used. ``D`` is pressure
against ambient, cmH2O times 10; ``F`` is flow in slm times 1000. Absolute pressure, temperature, oxygen, clock and all
other places are passed over. A measurement is also accepted as JSON: flat objects, one a line, or in an array, or over
several lines each. Signals of one instant follow one another with the same stamp: they make one row, in any order; a
signal that its row lacks is NaN.

slm, the standard litre per minute, is a litre of dry gas at 1013 hPa and a standard temperature: 0 °C in the data
standard, 20 °C in the papers of flow sensors. At body conditions it is 21 or 13 % more. Which one is meant stands
nowhere in a log, so the data standard's is taken, ``flow_conditions = "STPD"``, until a sidecar says another.

Stamps are milliseconds of the device in 32 bits, and true: its loop takes longer while it has more to do, so rows are
interpolated onto an even grid (``uneven_grid.py``). The stamps roll over after 49.7 days, which is followed; where
they go back elsewhere, the clock was reset. Events (messages are of kind M) are counted by kind; their texts may name
a person and are not shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

import msgspec
import numpy as np

from adapters.decoding.contract import ReadOptions
from adapters.decoding.json_objects import Objects
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.text_rows import BOM, MAX_LINE, Line, Rows, Scanner, shown
from adapters.decoding.uneven_grid import Uneven
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.context import Context, Sidecar
from streamer.model.errors import ConfigError
from streamer.model.records import Notice, NoticeKind
from streamer.model.units import S_PER_MIN

NOMINAL_HZ = 15.7
ROLL_OVER_MS, ROLL_WITHIN_MS = 2**32, 60_000
NEAR_MS = 5
"""Members of a row are stamped no further apart."""

_SIGNALS = {b"D": (Channel.PAW, 10.0), b"F": (Channel.FLOW, 1000.0 * S_PER_MIN)}
"""Type → channel and divisor to its canonical unit."""
_ORDER = tuple(_SIGNALS)
_AIRWAY = (b"A", b"0")
_MEASUREMENT = re.compile(rb"\d{1,12}:M:([A-Za-z]):([A-Za-z]):(\d{1,3}):(\d{1,10}):(-?\d{1,10})")
_EVENT = re.compile(rb'\d{1,12}:E:([A-Za-z]):(\d{1,10}):"([^"]*)"')
_OTHER = re.compile(rb"\d{1,12}:[A-DF-LN-Z!]:[\x20-\x7e]*")
_FLAT = re.compile(rb"\{[^{}\[\]]*\}")
_NAMED = re.compile(r"([DF]):([A-Za-z]):(\d{1,3})")
_COLUMNS = {"paw_cmh2o": "D", "flow_slm": "F"}
_WRITE = 'a log says what its numbers are; name one by type, place and number, as { "D:B:1" = "paw_cmh2o" } or '
_WRITE += '{ "F:A:1" = "flow_slm" }'
_KIND = re.compile(r"[A-Za-z]")
_MESSAGE = "M"
MAX_TIMES = 5
"""Of events of one type, the first that are given with their time."""
_REMEDY = "give --rate HZ, or rate_hz under [recording] in the sidecar"
_GRID = "the device does not measure evenly: rows are interpolated between their own stamps"


class _Json(msgspec.Struct):
    """A measurement or an event as JSON; other keys are passed over."""

    event: str
    type: str = ""
    loc: str = ""
    num: int = 0
    ms: int = -1
    val: int | None = None
    buff: str = ""


def recognise(head: bytes, name: str) -> bool:
    """Whether a measurement stands among the first lines, or objects."""
    del name
    head = head.removeprefix(BOM)[:MAX_LINE]
    lines = [line.strip() for line in head.splitlines()[:20]]
    if any(_MEASUREMENT.fullmatch(line) or _is_json(line) for line in lines):
        return True
    return bool(_has_objects(head)) and any(_is_json(found.text) for found in islice(Objects(flat=True).feed(head), 20))


def told(head: bytes, options: ReadOptions) -> Sidecar:
    """Beside its samples: slm are of standard gas."""
    del head, options
    return Sidecar(context=Context(flow_conditions="STPD"))


def _has_objects(head: bytes) -> bool | None:
    """Whether it is an array of objects, or of objects that do not end where their line does; None: not known yet."""
    plain = b"" if BOM.startswith(head) else head.removeprefix(BOM).lstrip()
    if not plain.startswith(b"{"):
        return plain.startswith(b"[") if plain else None
    first, *more = plain.splitlines()
    return not _FLAT.fullmatch(first.strip()) if more or len(plain) > MAX_LINE else None


def _is_json(line: bytes) -> bool:
    found = _json(line)
    return found is not None and found.event == "M" and len(found.type) == 1 and found.val is not None


@dataclass(slots=True)
class _Told:
    """Events of one type: how many, and when the first and the last of them were."""

    number: int = 0
    first_s: list[float] = field(default_factory=list)
    last_s: float = 0.0

    def count(self, at_s: float | None) -> None:
        self.number += 1
        if at_s is not None:
            self.last_s = at_s
            if len(self.first_s) < MAX_TIMES:
                self.first_s.append(at_s)

    def text(self, kind: str) -> str:
        what = "message" if kind == _MESSAGE else "event"
        times = ", ".join(f"{at_s:.1f}" for at_s in self.first_s)
        last = f" … {self.last_s:.1f}" if self.number > len(self.first_s) and self.first_s else ""
        when = f" at {times}{last} s" if times else ""
        return (
            f"{self.number} {what}{'' if self.number == 1 else 's'} of the device, type {kind}{when}; text is not shown"
        )


class Decoder:
    """Bytes of a log → chunks and notices."""

    def __init__(self, options: ReadOptions) -> None:
        self._wanted = _wanted(options.columns)
        options.units[Channel.FLOW] = "flow_slm"
        self._scanner: Scanner | Objects | None = None
        self._head = b""
        self._samples = Samples("pirds", NOMINAL_HZ, self._channels)
        self._grid = Uneven(self._samples, options.rate_hz, _REMEDY)
        self._set: dict[bytes, float] = {}
        self._set_ms, self._last_ms, self._turns = 0, 0, 0
        self._seen: set[bytes] = set()
        self._used: tuple[bytes, ...] = ()
        self._events: dict[str, _Told] = {}

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete. Raises ``DecodeError`` when stamps give no rate."""
        self._head += piece
        if self._scanner is not None or _has_objects(self._head) is not None:
            self._scan()
        return self._samples.take()

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when there was no usable row."""
        scanner = self._scan()
        is_whole = not scanner.is_within_line
        for part in scanner.close():
            self._take(part, is_whole=is_whole)
        self._end_set()
        self._grid.close()
        self._tell()
        for kind, told in self._events.items():
            self._samples.note(NoticeKind.NOTE, told.text(kind))
        return self._samples.close()

    def _scan(self) -> Scanner | Objects:
        """Take what has come: lines or objects, as the first bytes show."""
        if self._scanner is None:
            is_objects = bool(_has_objects(self._head))
            self._scanner = Objects(flat=True) if is_objects else Scanner(0, ":")
            self._samples.counted = "object" if is_objects else "line"
        piece, self._head = self._head, b""
        for part in self._scanner.feed(piece):
            self._take(part)
        return self._scanner

    def _take(self, part: Rows | Line, *, is_whole: bool = True) -> None:
        assert isinstance(part, Line)
        text = part.text.strip(b" \t\0")
        if not text:
            return
        found = _MEASUREMENT.fullmatch(text)
        if found and is_whole:
            kind, place, number, ms, value = found.groups()
            self._measured(part.line, kind, (place, number.lstrip(b"0") or b"0"), int(ms), int(value))
        elif found:
            self._damaged(part.line, f"{shown(text)} has no end and may have been cut short")
        elif event := _EVENT.fullmatch(text):
            self._event(event[1].decode(), int(event[2]))
        elif len(text) > MAX_LINE:
            self._damaged(part.line, f"longer than {MAX_LINE} bytes")
        elif text.startswith((b"{", b"[")):
            self._object(part.line, text)
        elif not _OTHER.fullmatch(text):
            self._damaged(part.line, f"{shown(text)} is neither a measurement nor an event")

    def _object(self, line: int, text: bytes) -> None:
        found = _json(text)
        if found is None:
            self._damaged(line, f"{shown(text)} is not a measurement in JSON")
        elif found.event == "M" and found.val is not None:
            kind, place = found.type.encode(), (found.loc.encode(), str(found.num).encode())
            self._measured(line, kind, place, found.ms, found.val)
        elif found.event == "E":
            self._event(found.type, found.ms)

    def _measured(self, line: int, kind: bytes, place: tuple[bytes, bytes], ms: int, value: int) -> None:
        """A member of a row. One that is there already, or is stamped elsewhere, begins the next row."""
        meant = self._wanted.get((kind, *place))
        if meant is None:
            return
        kind = meant
        if not (0 <= ms < ROLL_OVER_MS and -(2**31) <= value < 2**31):
            self._damaged(line, f"{ms} ms, {value} do not fit into 32 bits")
            return
        top_ms = ROLL_OVER_MS - ROLL_WITHIN_MS
        if ms < ROLL_WITHIN_MS and self._last_ms >= top_ms:
            self._turns += 1
        elif ms >= top_ms and self._last_ms < ROLL_WITHIN_MS and self._turns:  # one bad stamp had looked like it
            self._turns -= 1
        self._last_ms = ms
        now_ms = ms + self._turns * ROLL_OVER_MS
        if kind in self._set or abs(now_ms - self._set_ms) > NEAR_MS:
            self._end_set()
        if not self._set:
            self._set_ms = now_ms
        self._set[kind] = float(value)
        self._seen.add(kind)

    def _end_set(self) -> None:
        if self._set:
            values = np.array([self._set.get(kind, math.nan) for kind in _ORDER])
            self._set = {}
            self._grid.row(self._set_ms / 1e3, values)
            self._tell()

    def _tell(self) -> None:
        """What the first rows showed."""
        if not self._samples.good_rows:
            return
        if not self._used:
            self._used = tuple(kind for kind in _ORDER if kind in self._seen)
            lacks = [f"{_SIGNALS[kind][0].value} ({kind.decode()})" for kind in _ORDER if kind not in self._seen]
            notes = [f"the log gives no {lacks[0]}"] if lacks else []
            for what in [_GRID, *notes]:
                self._samples.note(NoticeKind.NOTE, what)

    def _damaged(self, line: int, what: str) -> None:
        """A line that might have been anything: it takes no slot; what its row lacks is NaN there."""
        self._samples.damaged(line, what, slots=0)

    def _event(self, kind: str, ms: int) -> None:
        """A message or another event; its text may name somebody and goes no further."""
        if _KIND.fullmatch(kind):
            self._events.setdefault(kind, _Told()).count((ms + self._turns * ROLL_OVER_MS) / 1e3 if ms >= 0 else None)

    def _channels(self, values: FloatArray) -> dict[Channel, FloatArray]:
        used = self._used or tuple(kind for kind in _ORDER if kind in self._seen)
        return {_SIGNALS[kind][0]: values[:, _ORDER.index(kind)] / _SIGNALS[kind][1] for kind in used}


def _wanted(columns: Mapping[str, str]) -> dict[tuple[bytes, bytes, bytes], bytes]:
    """Type, place and number → the type that it is used as. Raises ``ConfigError``."""
    if not columns:
        return {(kind, *_AIRWAY): kind for kind in _SIGNALS}
    found: dict[tuple[bytes, bytes, bytes], bytes] = {}
    for key, name in columns.items():
        named = _NAMED.fullmatch(key.strip())
        if named is None or _COLUMNS.get(name) != named[1]:
            raise ConfigError(f"columns: {key[:40]!r} = {name[:40]!r}: {_WRITE}")
        found[named[1].encode(), named[2].encode(), str(int(named[3])).encode()] = named[1].encode()
    return found


def _json(text: bytes) -> _Json | None:
    """A flat object with the keys of a measurement or an event; None for anything else."""
    if len(text) > MAX_LINE or not _FLAT.fullmatch(text):
        return None
    try:
        return msgspec.json.decode(text, type=_Json)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
