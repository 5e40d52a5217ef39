"""The ventilator's side of MEDIBUS, for tests and demonstrations: answers, and samples as realtime records.

Ranges are those of a real device (see ``medibus``); what lies outside is the nearest value inside. It has no clock, but
counts its own samples: after 3 s of them without a command it gives the connection up, as a ventilator does.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from adapters.decoding.resample import Regrid
from adapters.devices.medibus_frames import (
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
from adapters.devices.medibus_streams import CODES, Signal
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.errors import ConfigError

GIVEN_UP_S = 3.0
LONGEST_GAP_S = 10.0
RANGES = {Channel.PAW: (-80.0, 120.0), Channel.FLOW: (-180.0, 180.0), Channel.PCO2: (0.0, 150.0)}
"""In the device's units: L/min, mbar, mmHg."""
TOP = 0xF9F
_STREAM = re.compile(rb"([0-9A-F]{2})([0-9A-F]{2})")
_ID = b"0000'EMULATOR'01.00:06.00"


class Emulator:
    """A ventilator on the other end of the line."""

    def __init__(self, rate_hz: float, channels: frozenset[Channel]) -> None:
        """``rate_hz`` and ``channels`` of the chunks that ``send`` will get."""
        missing = {Channel.FLOW, Channel.PAW} - channels
        if missing:
            lacking = f"the recording has no {' and no '.join(sorted(missing))}"
            raise ConfigError(f"a Dräger ventilator sends flow and pressure; {lacking}")
        self._interval_us = round(1e6 / rate_hz)
        self._offer = {name: self._signal(name) for name in RANGES if name in channels}
        self._rows = Regrid(1e6 / self._interval_us, tuple(self._offer))
        self._splitter = Splitter()
        self._is_connected = False
        self._streams: list[int] = []
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
        rows = self._rows.push(chunk)
        if not len(rows):
            return b""
        rate_hz = self._rows.rate_hz
        missing = 0 if self._next_s is None else round((self._rows.start_s - self._next_s) * rate_hz)
        self._next_s = self._rows.start_s + len(rows) / rate_hz
        out = [self._record([-1] * len(self._offer)) for _ in range(missing) if missing <= LONGEST_GAP_S * rate_hz]
        raw = np.stack([self._raw(rows[:, at], name) for at, name in enumerate(self._offer)], axis=1)
        return b"".join(out) + b"".join(self._record(values) for values in raw.tolist())

    def _raw(self, samples: FloatArray, name: Channel) -> NDArray[np.int64]:
        """Binary values; -1 for a missing one."""
        signal = self._offer[name]
        multiplier, divisor = CODES[name][signal.code]
        raw = np.round((samples * divisor / multiplier - signal.low) / (signal.high - signal.low) * signal.top)
        return np.where(np.isfinite(raw), np.clip(raw, 0, signal.top), -1).astype(np.int64)

    def _record(self, values: list[int]) -> bytes:
        self._count += 1
        self._unheard += 1
        if self._unheard > GIVEN_UP_S * self._rows.rate_hz:
            self._is_connected, self._enabled = False, 0
        if not self._enabled or self._count % self._every:
            return b""
        sent = [at for at, of in enumerate(self._streams) if self._enabled >> at & 1 and values[of] >= 0]
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
        known = {b"%02X" % signal.code: at for at, signal in enumerate(self._offer.values())}
        pairs = [(match[1], int(match[2], 16)) for match in _STREAM.finditer(data)]
        self._streams = [known[code] for code, _ in pairs if code in known]
        self._every = max([1, *(multiplier for _, multiplier in pairs)])
        self._enabled = self._count = 0

    def _enable(self, record: Record) -> None:
        for code, argument in record.commands:
            if code == STREAMS_1_4 and self._is_connected:
                self._enabled = argument & ~SYNC_COMMAND & (1 << len(self._streams)) - 1
                self._next_s = None
