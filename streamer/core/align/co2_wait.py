"""Breaths wait here for their capnogram, and leave with it on the time of flow. Floor 1, after ``segment``.

A breath's capnogram is complete when the capnograph has told what passed it until the breath's end, and ``SETTLE_S``
more: seconds later than flow, where gas is drawn through a line. Breaths leave in order.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import fields
from operator import attrgetter

from streamer.core.align._settings import AlignSettings
from streamer.core.align.capnogram import Capnogram, Fall
from streamer.core.align.co2_delay import Co2Timing
from streamer.model.breath import NO_CAPNOGRAPH, Breath, Capnograph, Edge
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.context import Context
from streamer.model.records import Notice

FIELDS = tuple(field.name for field in fields(Breath))
of_a_breath = attrgetter(*FIELDS)


class Co2Aligner:
    """Chunks with PCO2 and breaths in; breaths with PCO2 out. One per bed.

    Args:
        context: Kind of sensor and declared delay.
        settings: Limits.
    """

    def __init__(self, context: Context, settings: AlignSettings | None = None) -> None:
        self._settings = settings or AlignSettings()
        self._capnogram = Capnogram(self._settings)
        self._timing = Co2Timing(context, self._settings)
        self._waiting: deque[Breath] = deque()
        self._is_own_clock = False
        self._told_s = -math.inf

    def breaks(self, chunk: Chunk) -> bool:
        """Whether what waits must leave before ``chunk``, which has PCO2, is heard."""
        return self._capnogram.breaks(chunk)

    def push(self, chunk: Chunk) -> list[Notice]:
        """Hear the capnograph."""
        self._is_own_clock = Channel.FLOW not in chunk.channels
        return self._capnogram.push(chunk)

    def take(self, breath: Breath) -> None:
        """Let a breath wait."""
        self._waiting.append(breath)

    def ready(self, flow_s: float) -> Iterator[tuple[Breath, Capnograph]]:
        """Breaths whose capnogram is complete, or will not come any more; flow is known until ``flow_s``."""
        while self._waiting and self._is_complete(self._waiting[0], flow_s):
            yield self._aligned(self._waiting.popleft())

    def watermark_s(self, segmented_s: float) -> float:
        """Every breath still to leave ends at or after this instant, if those still to be found end after its own."""
        return min(segmented_s, self._waiting[0].end_s) if self._waiting else segmented_s

    def new_falls(self) -> list[Fall]:
        """Ends of expirations, each given once: what breaths are made of where there is no flow."""
        falls = [fall for fall in self._capnogram.falls(-math.inf, math.inf) if fall.told_s > self._told_s]
        if falls:
            self._told_s = falls[-1].told_s
        return falls

    def close(self) -> list[Notice]:
        """Notices of what is still uncounted."""
        return self._capnogram.close()

    def _is_complete(self, breath: Breath, flow_s: float) -> bool:
        if not self._capnogram.is_connected:
            return True
        needed_s = breath.end_s + self._timing.wait_s
        return self._capnogram.settled_s >= needed_s or flow_s >= needed_s + self._settings.max_co2_wait_s

    def _aligned(self, breath: Breath) -> tuple[Breath, Capnograph]:
        if not self._capnogram.is_connected:
            return breath, NO_CAPNOGRAPH
        capnograph = self._timing.add(breath, self._capnogram, is_own_clock=self._is_own_clock)
        pco2 = self._capnogram.read(breath.onset_s + self._timing.moved_s, breath.rate_hz, breath.flow.size)
        return _with_co2(breath, pco2, self._timing.edge), capnograph


def _with_co2(breath: Breath, pco2: FloatArray, edge: Edge) -> Breath:
    """The breath with its capnogram; ``dataclasses.replace`` takes three times as long."""
    return Breath(**dict(zip(FIELDS, of_a_breath(breath), strict=True), pco2=pco2, co2_edge=edge))
