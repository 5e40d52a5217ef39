"""RapidVent and RapidAlarm recordings: `#samplerate,N`, a header `pressure,flow,…`, rows of numbers; no time column.

The rate is the first line's and the row count is the clock. The header names no units. Pressure is cmH2O. Flow is taken
as L/min, as in the recordings of a Puritan Bennett 840 that the project converts to this form; ``columns`` in the
sidecar says otherwise, by name or number. Labels (``true_pip``, ``true_peep``, ``true_rr``) are not used.

The bench recordings have a flow column and nothing in it. Whether a column is a signal is settled by the first
``SETTLE`` lines below the header, or all of them: one without a number there is none, and a notice says so.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from adapters.decoding.columns import WAVEFORMS
from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.text_rows import BOM, MAX_LINE, Line, Rows, Scanner, shown
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Channel, Chunk, FloatArray
from streamer.model.errors import DecodeError
from streamer.model.records import Notice, NoticeKind

SETTLE = 1000
SAME_RATE = 0.005

_RATE = re.compile(rb"#\s*samplerate\s*,\s*(\d{1,5}(?:\.\d{1,6})?)[\s,]*", re.IGNORECASE)
_NUMBER = re.compile(rb"(?:[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d{1,3})?|nan)?")
_TAKEN_AS = {"pressure": "paw_cmh2o", "flow": "flow_l_min"}
"""What columns are, where nobody says: canonical names (contract.md §2)."""
_UNIT = {"paw_cmh2o": "cmH2O", "flow_l_min": "L/min"}
_PAUSE = "another recording begins"
_LOST = "stands below another rate or header than the first; split the file there"

_Found = list[float] | str
"""The numbers of a row, one a signal; or what is wrong with it."""


@dataclass(frozen=True, slots=True)
class _Signal:
    """A column that is a waveform, unless it turns out empty: where it is and what it is taken as."""

    at: int
    name: str
    taken_as: str
    is_declared: bool


def recognise(head: bytes, name: str) -> bool:
    """Whether the first line that is not empty gives the rate in this form."""
    del name
    lines = (line.strip() for line in head.removeprefix(BOM)[:MAX_LINE].splitlines())
    return _RATE.fullmatch(next((line for line in lines if line), b"")) is not None


class Decoder:
    """Bytes of a recording → chunks and notices."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._scanner = Scanner(0, ",")
        self._samples = Samples("rapidvent", 1.0, self._channels)
        self._rate_line = self._header = b""
        self._fields = 0
        self._signals: list[_Signal] = []
        self._absent: list[int] = []
        self._late: set[int] = set()
        self._held: list[tuple[int, _Found]] | None = []
        self._rows: list[list[float]] = []
        self._is_lost = False

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete. Raises ``DecodeError`` for a beginning that cannot be used."""
        for part in self._scanner.feed(piece):
            self._take(part)
        self._hand_on()
        return self._samples.take()

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when there was no header or no usable row."""
        for part in self._scanner.close():
            self._take(part)
        if not self._signals:
            raise DecodeError("there is no header line with the names of the columns")
        self._settle()
        self._hand_on()
        return self._samples.close()

    def _take(self, part: Rows | Line) -> None:
        assert isinstance(part, Line)
        text = part.text.strip(b" \t")
        if not text:
            return
        if not self._rate_line:
            self._samples.rate_hz = self._rate(part.line, text)
            self._rate_line = text
        elif not self._signals:
            self._signals = self._columns(part.line, text)
            self._header, self._fields = text, text.count(b",") + 1
        elif text == self._rate_line:
            self._place(part.line, _LOST if self._is_lost else _PAUSE)
        elif text != self._header:
            self._place(part.line, self._numbers(text))

    def _rate(self, line: int, text: bytes) -> float:
        found, given_hz = _RATE.fullmatch(text), self._options.rate_hz
        if not found:
            raise DecodeError(f"line {line}: {shown(text)} is not '#samplerate,N'")
        rate_hz = float(found[1])
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            raise DecodeError(f"line {line}: a rate of {rate_hz:g} Hz is outside {MIN_RATE_HZ:g}-{MAX_RATE_HZ:g} Hz")
        if given_hz is not None and abs(rate_hz / given_hz - 1.0) > SAME_RATE:
            given = f"the rate is given as {given_hz:g} Hz (option, context or sidecar)"
            raise DecodeError(f"line {line}: {given}, but the file says {rate_hz:g} Hz; mend one")
        return given_hz or rate_hz

    def _columns(self, line: int, text: bytes) -> list[_Signal]:
        """The header. What the user says of a column goes before what its name says."""
        names = [name.strip(' "').lower() for name in text.decode("utf-8", "replace").split(",")]
        wanted = {str(key).strip().lower(): known for key, known in self._options.columns.items()}
        positions = {str(at): at for at in range(len(names))} | {name: names.index(name) for name in names}
        found: dict[Channel, _Signal] = {}
        for said, is_declared in ((wanted, True), (_TAKEN_AS, False)):
            for key, taken_as in said.items():
                at = positions.get(key)
                if at is None or taken_as not in WAVEFORMS or at in {signal.at for signal in found.values()}:
                    continue
                found.setdefault(WAVEFORMS[taken_as][0], _Signal(at, names[at], taken_as, is_declared))
        self._options.units.update({channel: signal.taken_as for channel, signal in found.items()})
        if not found:
            raise DecodeError(f"line {line}: no column pressure or flow; columns seen: {shown(text)}")
        return list(found.values())

    def _numbers(self, text: bytes) -> _Found:
        """One row."""
        if len(text) > MAX_LINE:
            return f"longer than {MAX_LINE} bytes"
        self._is_lost = self._is_lost or bool(_RATE.fullmatch(text))
        fields = text.split(b",")
        if self._is_lost:
            return f"{shown(text)} {_LOST}"
        if len(fields) != self._fields:
            return f"{shown(text)} has {len(fields)} fields, the header {self._fields}"
        plain = [fields[signal.at].strip(b' "').lower() for signal in self._signals]
        if not all(map(_NUMBER.fullmatch, plain)):
            return f"{shown(text)} is not a row of numbers"
        numbers = [float(field or b"nan") for field in plain]
        return f"{shown(text)} has a number too large" if any(map(math.isinf, numbers)) else numbers

    def _place(self, line: int, found: _Found) -> None:
        """Put a line into the next slot; until it is settled which columns are signals, it is held."""
        if self._held is not None:
            self._held.append((line, found))
            if len(self._held) == SETTLE:
                self._settle()
            return
        if isinstance(found, list):
            if self._absent:
                self._say_late(line, found)
            self._rows.append(found)
            return
        self._hand_on()
        if found == _PAUSE:
            self._samples.pause(f"line {line}: {_PAUSE}")
        else:
            self._samples.damaged(line, found)

    def _settle(self) -> None:
        """Leave out signals without a number so far, say what is taken as what, and go on with what was held."""
        if self._held is None:
            return
        held, self._held = self._held, None
        rows = [found for _, found in held if isinstance(found, list)]
        empty = [at for at in range(len(self._signals)) if all(math.isnan(row[at]) for row in rows)]
        self._absent = [] if len(empty) == len(self._signals) else empty
        used = [signal for at, signal in enumerate(self._signals) if at not in self._absent]
        taken = [f"{signal.name} as {_UNIT[signal.taken_as]}" for signal in used if not signal.is_declared]
        notes = [f"the header names no units: {', '.join(taken)}"] if taken else []
        notes += [f"column {self._signals[at].name} has no number and is left out" for at in self._absent]
        if not any(WAVEFORMS[signal.taken_as][0] is Channel.FLOW for signal in used):
            notes.append("this recording gives no flow")
        for note in notes:
            self._samples.note(NoticeKind.NOTE, note)
        for line, found in held:
            self._place(line, found)

    def _say_late(self, line: int, found: list[float]) -> None:
        """Numbers in a column that had none for so long: too late to be a signal, but told."""
        late = {at for at in self._absent if not math.isnan(found[at])} - self._late
        if not late:
            return
        self._late |= late
        self._hand_on()
        for at in sorted(late):
            what = f"line {line}: column {self._signals[at].name} has numbers from here on and stays left out"
            self._samples.note(NoticeKind.NOTE, f"{what}; cut the file before this line to read them")

    def _hand_on(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            self._samples.rows(np.array(rows))

    def _channels(self, values: FloatArray) -> dict[Channel, FloatArray]:
        channels = {}
        for at, signal in enumerate(self._signals):
            if at not in self._absent:
                channel, multiplier, divisor = WAVEFORMS[signal.taken_as]
                channels[channel] = values[:, at] * multiplier / divisor
        return channels
