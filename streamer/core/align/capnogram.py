"""The stream of PCO2 on a grid of its own, and where its expirations end. Floor 1, beside the ``Aligner`` of flow.

A capnograph may be another device: with its own rate, its own clock, and gas that reaches it seconds late. So its
samples are kept as they come, for a minute, and each breath reads its own piece once the delay is known
(``co2_timing``). A capnograph in the ventilator's own stream takes the same way.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any, NamedTuple

import numpy as np

from streamer.core.align._settings import AlignSettings, channel_limits
from streamer.model.breath import NO_CAPNOGRAPH, Capnograph
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.records import Notice, NoticeKind

KEEP_S = 60.0
"""Samples and falls older than this are forgotten: the longest breath (30 s), the longest delay, and what was late."""
FALLS_AT_ONCE = 16
HALF_SAMPLE = 0.5 + 1e-3


class Fall(NamedTuple):
    """The end of an expiration: when PCO2 fell through half of its height, and what it was before, by time.

    ``end_tidal``: just before the fall; ``inspired``: lowest in the inspiration before; mmHg. ``tau_s``: time constant
    of a sensor that would fall so. ``told_s``: when it was known. ``to_rise``, ``to_fall``: what such a sensor had
    still to show of the gas when those were read, mmHg.
    """

    at_s: float
    end_tidal: float
    inspired: float
    tau_s: float
    told_s: float
    to_rise: float
    to_fall: float

    def shown(self) -> Capnograph:
        """What it tells of a breath by itself."""
        return NO_CAPNOGRAPH._replace(
            end_tidal=self.end_tidal,
            inspired=self.inspired,
            tau_s=self.tau_s,
            to_rise=self.to_rise,
            to_fall=self.to_fall,
        )


class Capnogram:
    """Chunks with PCO2 in; samples at any instant, and falls, out. One per bed."""

    def __init__(self, settings: AlignSettings | None = None) -> None:
        from streamer.core.align import _capnogram_kernels as _co2_scan  # noqa: PLC0415 (loads the compiler: settings alone should not)

        self._kernels: Any = _co2_scan
        self._settings = settings or AlignSettings()
        *_, self._limits = channel_limits(self._settings)
        self._source: str | None = None
        self._other: set[str] = set()
        self._falls: deque[Fall] = deque()
        self._found = np.empty((FALLS_AT_ONCE, _co2_scan.FALL_SIZE))
        self._rate_hz = 0.0
        self._origin_s = 0.0
        self._base = self._filled = 0

    @property
    def is_connected(self) -> bool:
        """Whether a capnograph has given a sample."""
        return self._rate_hz > 0.0

    @property
    def rate_hz(self) -> float:
        """Of its samples; 0 before the first."""
        return self._rate_hz

    @property
    def settled_s(self) -> float:
        """Up to which instant of its clock samples are final; -inf before the first."""
        return self._time_s(self._state[self._kernels.NEXT] - 1.0) if self._rate_hz else -math.inf

    def push(self, chunk: Chunk) -> list[Notice]:
        """Keep the samples of ``chunk``, which has PCO2; notices of what was wrong with them."""
        if self._source is None:
            self._source = chunk.source
        if chunk.source != self._source:
            return self._left_out(chunk)
        pco2 = chunk.channels[Channel.PCO2]
        if not pco2.size:
            return []
        notices, known = self._place(chunk)
        pco2 = pco2[known:]
        low, high = self._limits.low, self._limits.high
        if self._kernels.is_outside(pco2, low, high):
            notices += self._limits.count(pco2, self._base + self._filled, self._time_of)
            pco2 = np.where((pco2 >= low) & (pco2 <= high), pco2, np.nan)
        self._store(pco2)
        return notices

    def breaks(self, chunk: Chunk) -> bool:
        """Whether ``chunk``, which has PCO2, begins a new grid, so that nothing before can be read after it."""
        is_next = chunk.rate_hz == self._rate_hz and self._late(chunk) <= self._settings.gap_s * chunk.rate_hz
        return self.is_connected and chunk.source == self._source and not is_next

    def close(self) -> list[Notice]:
        """Notices of what is still uncounted."""
        return self._limits.report(max(self.settled_s, 0.0))

    def falls(self, since_s: float, until_s: float) -> list[Fall]:
        """Those known by ``until_s`` that lie at or after ``since_s``, of the last minute."""
        return [fall for fall in self._falls if fall.at_s >= since_s and fall.told_s <= until_s]

    def last_fall(self, until_s: float) -> Fall | None:
        """The newest that was known by ``until_s``."""
        return next((fall for fall in reversed(self._falls) if fall.told_s <= until_s), None)

    def read(self, start_s: float, rate_hz: float, size: int) -> FloatArray:
        """(size,) mmHg at ``start_s``, ``start_s + 1 / rate_hz`` … of its clock; NaN where none is known."""
        out = np.empty(size)
        known = int(self._state[self._kernels.NEXT])
        place = (start_s - self._origin_s) * self._rate_hz - self._base
        self._kernels.moved(self._samples, known, place, self._rate_hz / rate_hz, out)
        out.flags.writeable = False
        return out

    def _time_s(self, index: float) -> float:
        """Of a place in the buffer."""
        return float(self._origin_s + (self._base + index) / self._rate_hz)

    def _time_of(self, index: int) -> float:
        return self._origin_s + index / self._rate_hz

    def _left_out(self, chunk: Chunk) -> list[Notice]:
        if chunk.source in self._other:
            return []
        self._other.add(chunk.source)
        detail = f"PCO2 of source {chunk.source!r} left out: it comes from {self._source!r}"
        return [Notice(bed="", at_s=chunk.start_s, kind=NoticeKind.DROPPED, detail=detail)]

    def _place(self, chunk: Chunk) -> tuple[list[Notice], int]:
        """Find the chunk's place on the grid: notices, and how many of its samples are there already."""
        size, rate_hz = len(chunk), chunk.rate_hz
        if rate_hz != self._rate_hz:
            self._anchor(chunk.start_s, rate_hz)
            return [], 0
        late, at_s = self._late(chunk), self._time_s(self._filled)
        if late <= HALF_SAMPLE:
            return [], min(max(math.ceil(-late - HALF_SAMPLE), 0), size)
        if late <= self._settings.gap_s * rate_hz:
            self._store(np.full(math.ceil(late - HALF_SAMPLE), math.nan))
            return [], 0
        self._anchor(chunk.start_s, rate_hz)
        if Channel.FLOW in chunk.channels:
            return [], 0  # told already: flow has the same gap
        detail = f"capnograph {chunk.source!r}: no samples for {late / rate_hz:.2f} s"
        values: dict[str, float | str] = {"channel": Channel.PCO2.value, "duration_s": late / rate_hz}
        return [Notice(bed="", at_s=at_s, kind=NoticeKind.GAP, detail=detail, values=values)], 0

    def _late(self, chunk: Chunk) -> float:
        """Samples between the end of what there is and the chunk; negative where they overlap."""
        return (chunk.start_s - self._time_s(self._filled)) * chunk.rate_hz

    def _anchor(self, origin_s: float, rate_hz: float) -> None:
        """Begin anew: what was kept lies on another grid."""
        self._origin_s, self._rate_hz = origin_s, rate_hz
        self._base = self._filled = 0
        self._samples: FloatArray = np.empty(math.ceil(2.0 * KEEP_S * rate_hz))
        self._state: FloatArray = np.zeros(self._kernels.STATE_SIZE)
        self._state[self._kernels.LOW] = math.inf

    def _store(self, pco2: FloatArray) -> None:
        first = 0
        while first < pco2.size:
            taken = min(pco2.size - first, self._samples.size - self._filled)
            self._samples[self._filled : self._filled + taken] = pco2[first : first + taken]
            self._filled += taken
            first += taken
            self._scan()
            if self._filled == self._samples.size:
                self._move_up()

    def _scan(self) -> None:
        kernels, rate_hz = self._kernels, self._rate_hz
        fill_n = int(self._settings.fill_s * rate_hz + 1e-6)
        while True:
            count = kernels.scan(self._samples, self._filled, rate_hz, fill_n, self._state, self._found)
            for at, end_tidal, inspired, tau, to_rise, to_fall, told in self._found[:count].tolist():
                self._falls.append(
                    Fall(
                        at_s=self._time_s(at),
                        end_tidal=end_tidal,
                        inspired=inspired,
                        tau_s=tau / rate_hz,
                        told_s=self._time_s(told),
                        to_rise=to_rise,
                        to_fall=to_fall,
                    )
                )
            if count < FALLS_AT_ONCE:
                break
        while self._falls and self._falls[0].told_s < self.settled_s - KEEP_S:
            self._falls.popleft()

    def _move_up(self) -> None:
        """Make room: half of the buffer is older than anyone needs."""
        shift = self._filled // 2
        self._samples[: self._filled - shift] = self._samples[shift : self._filled].copy()
        self._filled -= shift
        self._base += shift
        self._state[self._kernels.NEXT] -= shift
        self._state[self._kernels.ROSE_AT] -= shift
        self._state[self._kernels.FELL_AT] -= shift
