"""Where samples were filled in, and whether the times of a breath hold in spite of it. Floor 1, after ``align``."""

from __future__ import annotations

import numpy as np

from streamer.model.breath import Breath
from streamer.model.chunk import Block, Mark

MAX_SHARE = 0.3
"""Of a breath: a longer hole may hide another one."""
DEEPER = 0.05
"""Of the largest flow: outflow only dies away, so where it is stronger after a hole, gas has gone in within it."""


class Holes:
    """Filled-in blocks of more than 40 ms and breaths in; which breaths have an onset that no sample shows, out."""

    def __init__(self) -> None:
        self._holes: list[tuple[float, float]] = []

    def push(self, block: Block) -> None:
        """Keep from when to when samples are missing: from the last good one to the next."""
        if block.mark >= Mark.GAP_SHORT:
            first_s = block.origin_s + (block.first - 1) / block.rate_hz
            self._holes.append((first_s, first_s + (block.flow.size + 1) / block.rate_hz))

    def hide_onset(self, breath: Breath) -> bool:
        """Whether a hole lies at either end of a breath, or may hide another one within it; breaths come in order."""
        self._holes = [hole for hole in self._holes if hole[1] >= breath.start_s]
        return any(_hides(hole, breath) for hole in self._holes if hole[0] <= breath.end_s)


def _hides(hole: tuple[float, float], breath: Breath) -> bool:
    first_s, last_s = hole
    is_long = last_s - first_s > MAX_SHARE * (breath.end_s - breath.start_s)
    if first_s <= breath.start_s or last_s >= breath.end_s or is_long:
        return True
    ends = [round((at_s - breath.onset_s) * breath.rate_hz) for at_s in hole]
    before, after = (float(breath.flow[min(max(i, 0), breath.flow.size - 1)]) for i in ends)
    return before <= 0.0 and after < before - DEEPER * float(np.abs(breath.flow).max())
