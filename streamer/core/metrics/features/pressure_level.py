"""The level that inspiratory pressure settles at, and how long it takes to get there. Compiled.

In pressure control the last two quarters of the flow time are at one level, and the area between that level and
pressure, from the onset of flow, is half the rise time times the height of the rise (a linear ramp; exact). The area
is taken, not two crossings, since noise averages out of it and any other shape of rise counts with what it spares.
"""

from __future__ import annotations

import math

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

EDGE = 2
"""Samples left out before flow ends: the valve may already move in them."""
PARTS = 4


@kernel
def rise(
    flow: FloatArray, paw: FloatArray, rate_hz: float, stop: int, late_s: float
) -> tuple[float, float, float, float]:
    """Fields ``level_paw`` to ``rise_area`` of a Fold, in order; NaN where inspiration is too short to tell.

    Args:
        flow: (n,) L/s, leak-corrected.
        paw: (n,) cmH2O.
        rate_hz: Samples per second.
        stop: First sample without inspiratory flow.
        late_s: How long after sample 0 flow began.
    """
    last = stop - EDGE
    quarter = last // PARTS
    if quarter < 1:
        return math.nan, math.nan, math.nan, math.nan
    level, before = 0.0, 0.0
    late_flow, early_flow = 0.0, 0.0
    for i in range(last - quarter, last):
        level += paw[i] / quarter
        late_flow += flow[i]
    for i in range(last - 2 * quarter, last - quarter):
        before += paw[i] / quarter
        early_flow += flow[i]
    area = 0.5 * (level - paw[0])
    for i in range(1, last - quarter):
        area += level - paw[i]
    return level, level - before, late_flow / early_flow, area / rate_hz - late_s * (level - paw[0])
