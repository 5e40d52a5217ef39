"""The ventilator's side of MEDIBUS, for tests and demonstrations: answers, and samples as realtime records.

Ranges are those of a real device (see ``medibus``); what lies outside is the nearest value inside. It has no clock, but
counts its own samples: after 3 s of them without a command it gives the connection up, as a ventilator does.
"""

from __future__ import annotations

import numpy as np

from adapters._medibus_streams import CODES, Signal
from adapters._medibus_wire import (
    CONFIGURE,
    CORRUPT_DATA,
    IDENTIFY,
    INITIALISE,
    NOT_UNDERSTOOD,
    REALTIME_CONFIG,
    STOP,
    STREAMS_1_4,
    SYNC_COMMAND,
    BadFrame,
    Frame,
    Record,
    Splitter,
    realtime,
    response,
)
from streamer.chunk import Channel, Chunk

GIVEN_UP_S = 3.0
LONGEST_GAP_S = 10.0
RANGES = {Channel.PAW: (-80.0, 120.0), Channel.FLOW: (-180.0, 180.0), Channel.PCO2: (0.0, 150.0)}
"""In the device's units: L/min, mbar, mmHg."""
TOP = 0xF9F
_ID = b"0000'EMULATOR'01.00:06.00"


class Emulator:
    """A ventilator on the other end of the line."""

    def __init__(self, rate_hz: float, channels: frozenset[Channel]) -> None:
        """``rate_hz`` and ``channels`` of the chunks that ``send`` will get."""
        self.rate_hz = rate_hz
        self._interval_us = round(1e6 / rate_hz)
        self._offer = {
            name: self._signal(name) for name in (Channel.PAW, Channel.FLOW, Channel.PCO2) if name in channels
        }
        self._splitter = Splitter()
        self._is_connected = False
        self._streams: list[Channel] = []
        self._every = 1
        self._enabled = 0
        self._count = self._unheard = 0
        self._next_s: float | None = None

    def _signal(self, name: Channel) -> Signal:
        low, high = RANGES[name]
        return Signal(next(iter(CODES[name])), self._interval_us, low, high, TOP)

    def hear(self, piece: bytes) -> bytes:
        """What the ventilator answers."""
        answers = b""
        for item in self._splitter.feed(piece):
            if isinstance(item, Record):
                self._enable(item)
            elif isinstance(item, BadFrame) and item.is_command:
                answers += response(NOT_UNDERSTOOD)
            elif isinstance(item, Frame) and item.is_command:
                answers += self._answer(item)
        return answers

    def send(self, chunk: Chunk) -> bytes:
        """Samples as realtime records; ``b""`` while the host has not enabled any stream."""
        out = bytearray()
        missing = 0 if self._next_s is None else round((chunk.start_s - self._next_s) * self.rate_hz)
        for _ in range(missing if 0 < missing <= LONGEST_GAP_S * self.rate_hz else 0):
            out += self._record({})
        self._next_s = chunk.start_s + len(chunk) / self.rate_hz
        raw = {name: self._raw(chunk, name) for name in self._offer if name in chunk.channels}
        for at in range(len(chunk)):
            out += self._record({name: values[at] for name, values in raw.items() if values[at] >= 0})
        return bytes(out)

    def _raw(self, chunk: Chunk, name: Channel) -> list[int]:
        """Binary values; -1 for a missing one."""
        signal = self._offer[name]
        multiplier, divisor = CODES[name][signal.code]
        own = chunk.channels[name] * divisor / multiplier
        raw = np.round((own - signal.low) / (signal.high - signal.low) * signal.top)
        return np.where(np.isfinite(raw), np.clip(raw, 0, signal.top), -1).astype(int).tolist()  # type: ignore[no-any-return]

    def _record(self, values: dict[Channel, int]) -> bytes:
        self._count += 1
        self._unheard += 1
        if self._unheard > GIVEN_UP_S * self.rate_hz:
            self._is_connected, self._enabled = False, 0
        if not self._enabled or self._count % self._every:
            return b""
        sent = [at for at, name in enumerate(self._streams) if self._enabled >> at & 1 and name in values]
        if not sent:
            return realtime(0, commands=((CORRUPT_DATA, 0),))
        return realtime(sum(1 << at for at in sent), tuple(values[self._streams[at]] for at in sent))

    def _answer(self, frame: Frame) -> bytes:
        self._unheard = 0
        if frame.code in {INITIALISE, STOP}:
            self._is_connected, self._enabled = frame.code == INITIALISE, 0
            return response(frame.code)
        if not self._is_connected:
            return b""
        if frame.code == IDENTIFY:
            return response(IDENTIFY, _ID)
        if frame.code == REALTIME_CONFIG:
            return response(REALTIME_CONFIG, b"".join(signal.entry() for signal in self._offer.values()))
        if frame.code == CONFIGURE:
            self._configure(frame.data)
        return response(frame.code)

    def _configure(self, data: bytes) -> None:
        names = {b"%02X" % signal.code: name for name, signal in self._offer.items()}
        pairs = [(data[at : at + 2], int(data[at + 2 : at + 4], 16)) for at in range(0, len(data) - 3, 4)]
        self._streams = [names[code] for code, _ in pairs if code in names]
        self._every = max((multiplier for _, multiplier in pairs), default=1)
        self._enabled = self._count = 0

    def _enable(self, record: Record) -> None:
        for code, argument in record.commands:
            if code == STREAMS_1_4 and self._is_connected:
                self._enabled = argument & ~SYNC_COMMAND & (1 << len(self._streams)) - 1
                self._next_s = None
