"""Chunks of one source onto one grid of samples. The first operator; ``segment`` reads what it gives.

Sample ``i`` lies at ``origin + i / rate``. A chunk continues the grid when it starts within half a sample of the next
index; the device's clock is otherwise believed, and slots nobody filled are *missing*. So are samples that are NaN or
that no airway can have. What missing slots become depends on how many follow one another (algorithms.md §1.4):

```
<= 40 ms         interpolated, unflagged                    Mark.FILLED
<= 200 ms        interpolated, the breath is flagged        Mark.GAP_SHORT
<= 1 s           interpolated, the breath keeps its timing  Mark.GAP
longer           the run ends; a notice; the next usable sample begins another run
```

A slot is missing when its flow, or a pressure its source should give, is missing; both are then interpolated. PCO2 has
a grid of its own (``capnogram``). State moves per sample, so the result does not depend on how a stream is cut into
chunks.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from streamer.core.align._gas_conditions import assumed, btps_factor, inward
from streamer.core.align._settings import AlignSettings, channel_limits
from streamer.core.align.co2_wait import Co2Aligner
from streamer.core.align.holes import Holes
from streamer.core.align.repeats import Repeats
from streamer.model.chunk import Block, Channel, Chunk, FloatArray, Mark
from streamer.model.records import Notice, NoticeKind

__all__ = ["AlignSettings", "Aligner", "Co2Aligner", "Holes", "Repeats", "assumed", "btps_factor", "inward"]

HALF_SAMPLE = 0.5 + 1e-3
"""A little more than half, so that rounding in a chunk that was cut cannot turn a tie into a gap."""
NO_SAMPLES: FloatArray = np.zeros(0)
NO_SAMPLES.flags.writeable = False

Placed: TypeAlias = Block | Notice
Sample: TypeAlias = tuple[float, float]
"""Flow (L/s BTPS) and paw (cmH2O) of one sample; NaN where there is no pressure."""


class Aligner:
    """Chunks in, blocks and notices out; one per bed.

    Args:
        settings: Limits.
        flow_factor: Flow as the source gives it → L/s BTPS (``units.atps_to_btps`` and its like); 1 for BTPS.
    """

    def __init__(self, settings: AlignSettings | None = None, *, flow_factor: float = 1.0) -> None:
        from streamer.core.align import _usable_runs as _kernels  # noqa: PLC0415 (loads the compiler: settings alone should not)

        self._kernels: Any = _kernels
        self._settings = settings or AlignSettings()
        self._factor = flow_factor
        self._source: str | None = None
        self._refused: set[NoticeKind] = set()
        self._origin_s = 0.0
        self._rate_hz = 0.0
        self._next = 0
        self._missing = 0
        self._run = -1
        self._before: Sample | None = None
        self._dropped = 0
        self._flow, self._paw, _ = channel_limits(self._settings)

    def push(self, chunk: Chunk) -> list[Placed]:
        """Blocks of the samples that ``chunk`` adds to the grid, and notices of what was wrong with it."""
        placed: list[Placed] = []
        size = len(chunk)
        if size == 0 or not self._accepts(chunk, placed):
            return placed
        first = self._place(chunk, size, placed)
        if first < size:
            self._take(chunk, first, placed)
        return placed

    def close(self) -> list[Notice]:
        """Notices of what is still uncounted at the end of the stream."""
        notices: list[Notice] = []
        if self._dropped:
            notices.append(self._overlap())
        for channel in (self._flow, self._paw):
            notices += channel.report(self._time_s(self._next) if self._rate_hz else 0.0)
        if self._before is not None and self._is_gap(self._missing):
            notices.append(self._gap(self._time_s(self._next)))
        return notices

    def _time_s(self, index: int) -> float:
        return self._origin_s + index / self._rate_hz

    def _is_gap(self, samples: float) -> bool:
        return samples > self._settings.gap_s * self._rate_hz + 1e-6

    def _accepts(self, chunk: Chunk, placed: list[Placed]) -> bool:
        """One source with flow makes the breaths of a bed; of what is refused, one notice is given."""
        if Channel.FLOW not in chunk.channels:
            kind, detail = NoticeKind.DAMAGED, f"source {chunk.source!r} gives no flow: no breaths can be found in it"
        elif self._source not in {None, chunk.source}:
            kind, detail = NoticeKind.DROPPED, f"source {chunk.source!r} left out: breaths come from {self._source!r}"
        else:
            self._source = chunk.source
            return True
        if kind not in self._refused:
            self._refused.add(kind)
            placed.append(Notice(bed="", at_s=chunk.start_s, kind=kind, detail=detail))
        return False

    def _place(self, chunk: Chunk, size: int, placed: list[Placed]) -> int:
        """Find the chunk's place on the grid; returns how many of its samples are there already."""
        if self._rate_hz == 0.0:
            self._anchor(chunk.start_s, chunk.rate_hz)
            return 0
        expected_s = self._time_s(self._next)
        late = (chunk.start_s - expected_s) * chunk.rate_hz
        known = 0
        if late < -HALF_SAMPLE:
            known = size if -late > size + 1 else min(math.ceil(-late - HALF_SAMPLE), size)
            self._drop(known, chunk.rate_hz, placed)
            if known == size:
                return known
        if self._dropped:
            placed.append(self._overlap())
        if chunk.rate_hz != self._rate_hz:
            detail = f"{self._rate_hz:g} Hz before, {chunk.rate_hz:g} Hz from here"
            placed.append(Notice(bed="", at_s=expected_s, kind=NoticeKind.RATE_CHANGE, detail=detail))
            self._anchor(expected_s if late + known <= HALF_SAMPLE else chunk.start_s, chunk.rate_hz)
        elif late > HALF_SAMPLE:
            self._leave_out(late, chunk.start_s, placed)
        return known

    def _anchor(self, origin_s: float, rate_hz: float) -> None:
        self._origin_s, self._rate_hz = origin_s, rate_hz
        self._next = self._missing = 0
        self._before = None

    def _leave_out(self, late: float, start_s: float, placed: list[Placed]) -> None:
        if not self._is_gap(self._missing + late):
            slots = math.ceil(late - HALF_SAMPLE)
            self._missing += slots
            self._next += slots
            return
        if self._before is not None:
            placed.append(self._gap(start_s))
        self._anchor(start_s, self._rate_hz)

    def _drop(self, samples: int, rate_hz: float, placed: list[Placed]) -> None:
        """Count samples whose time has passed already. After a second of them the clock must have been put back."""
        before_s, self._dropped = self._dropped / rate_hz, self._dropped + samples
        if before_s < 1.0 <= self._dropped / rate_hz:
            at_s = self._time_s(self._next)
            detail = f"the clock went back: samples are dropped until it passes {at_s:.2f} s again"
            placed.append(Notice(bed="", at_s=at_s, kind=NoticeKind.OVERLAP, detail=detail))

    def _overlap(self) -> Notice:
        count, self._dropped = self._dropped, 0
        came = "1 sample came twice or late and was" if count == 1 else f"{count} samples came twice or late and were"
        detail = f"{came} dropped"
        at_s = self._time_s(self._next)
        return Notice(bed="", at_s=at_s, kind=NoticeKind.OVERLAP, detail=detail, values={"samples": float(count)})

    def _gap(self, end_s: float) -> Notice:
        start_s = self._time_s(self._next - self._missing)
        missing_s = end_s - start_s
        detail = f"no usable samples for {missing_s:.2f} s"
        return Notice(bed="", at_s=start_s, kind=NoticeKind.GAP, detail=detail, values={"duration_s": missing_s})

    def _take(self, chunk: Chunk, first: int, placed: list[Placed]) -> None:
        """Cut the samples from ``first`` on into usable stretches and missing ones."""
        flow = chunk.channels[Channel.FLOW]
        paw = chunk.channels.get(Channel.PAW)
        bounds = (self._flow.high, self._paw.low, self._paw.high)
        pressure = paw if paw is not None else NO_SAMPLES
        stretch, size = self._kernels.stretch, flow.size
        while True:
            last = stretch(flow, pressure, first, True, *bounds)  # noqa: FBT003 (compiled code takes no keywords)
            if last > first:
                view = slice(first, last)
                self._emit(flow[view], None if paw is None else paw[view], placed)
            if last == size:
                return
            first, last = last, stretch(flow, pressure, last, False, *bounds)  # noqa: FBT003
            placed += self._flow.count(flow[first:last], self._next, self._time_s)
            placed += self._paw.count(pressure[first:last], self._next, self._time_s)
            self._missing += last - first
            self._next += last - first
            if last == size:
                return
            first = last

    def _emit(self, flow: FloatArray, paw: FloatArray | None, placed: list[Placed]) -> None:
        """Put a stretch of usable samples on the grid, and before it what bridges the missing ones."""
        if self._factor != 1.0:
            flow = flow * self._factor
        if self._before is not None and self._missing:
            if self._is_gap(self._missing):
                placed.append(self._gap(self._time_s(self._next)))
                self._before = None
            else:
                placed.append(self._bridge(self._before, _sample(flow, paw, 0)))
        if self._before is None:
            self._run += 1
        placed.append(self._block(self._next, flow, paw, Mark.MEASURED))
        self._next += flow.size
        self._missing = 0
        self._before = _sample(flow, paw, -1)

    def _block(self, first: int, flow: FloatArray, paw: FloatArray | None, mark: Mark) -> Block:
        return Block(
            run=self._run,
            origin_s=self._origin_s,
            rate_hz=self._rate_hz,
            first=first,
            flow=flow,
            paw=paw,
            mark=mark,
        )

    def _bridge(self, before: Sample, after: Sample) -> Block:
        """The missing slots, interpolated between the usable samples on either side."""
        missing_s = self._missing / self._rate_hz - 1e-9
        limits = self._settings
        mark = Mark.FILLED if missing_s <= limits.fill_s else Mark.GAP_SHORT
        if missing_s > limits.gap_short_s:
            mark = Mark.GAP
        part = np.arange(1, self._missing + 1) / (self._missing + 1)
        flow, paw = (a + (b - a) * part for a, b in zip(before, after, strict=True))
        return self._block(self._next - self._missing, flow, paw, mark)


def _sample(flow: FloatArray, paw: FloatArray | None, index: int) -> Sample:
    return float(flow[index]), math.nan if paw is None else float(paw[index])
