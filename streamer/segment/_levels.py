"""Flow where it should be level: in an occlusion, and at the end of an expiration. Floor 1, in ``segment``; compiled.

In an occlusion a valve lets nothing past: what flows there is the zero of the sensor. Level flow at the end of an
expiration is the zero and the leak; while a lung still empties, it is less.
"""

from __future__ import annotations

import math
from typing import Any

from streamer.jit import kernel

HOLD_S, END_S, EDGE_S = 0.3, 0.5, 0.1
STOP_S, STOP_SHARE = 0.08, 0.3
"""A valve stops flow: within this time it falls from this share of its peak."""
LEVEL_L_S, LEVEL_CMH2O, DEVIATIONS = 0.3 / 60.0, 0.3, 4.0
"""Halves of a level differ by no more, or by what noise explains, ..."""
MOST_L_S = 2.0 / 60.0
"""... which must not be so much that any flow would pass."""


@kernel
def levels(flow: Any, paw: Any, insp_end: int, rate_hz: float, noise: float, scale: float) -> tuple[float, ...]:  # noqa: PLR0917 (compiled: positions only)
    """Flow (L/s) and pressure (cmH2O) in an end-inspiratory hold, and at the end of expiration; NaN without."""
    nan = math.nan
    last = flow.size - 1 - int(EDGE_S * rate_hz)
    first = last - int((END_S - EDGE_S) * rate_hz)
    end, end_paw = nan, nan
    if first >= insp_end + int(END_S * rate_hz) and is_level(flow, paw, first, last, noise, scale):
        end, end_paw = mean(flow, first, last), mean(paw, first, last)
    last = insp_end - 2
    first = last - int(HOLD_S * rate_hz)
    if first < int(STOP_S * rate_hz) + 1 or not is_level(flow, paw, first, last, noise, scale):
        return nan, nan, end, end_paw
    held = mean(flow, first, last)
    peak = 0.0
    for i in range(first):
        peak = max(peak, flow[i])
    allowed = max(2.0 * LEVEL_L_S * scale, DEVIATIONS * noise, 0.05 * peak)
    while first > 0 and abs(flow[first - 1] - held) <= allowed:
        first -= 1
    before = max(first - int(STOP_S * rate_hz) - 1, 0)
    if flow[before] - held < STOP_SHARE * peak:
        return nan, nan, end, end_paw
    return held, mean(paw, last - int(HOLD_S * rate_hz), last), end, end_paw


@kernel
def is_level(flow: Any, paw: Any, first: int, last: int, noise: float, scale: float) -> bool:  # noqa: PLR0917 (compiled: positions only)
    """Neither flow nor pressure moves between the halves of a stretch."""
    middle = (first + last) // 2
    if middle - first < 2:  # noqa: PLR2004
        return False
    moved = abs(mean(flow, first, middle) - mean(flow, middle, last))
    pressed = abs(mean(paw, first, middle) - mean(paw, middle, last))
    allowed = max(LEVEL_L_S * scale, DEVIATIONS * noise * math.sqrt(2.0 / (middle - first)))
    return bool(moved <= allowed <= MOST_L_S and pressed <= LEVEL_CMH2O)


@kernel
def mean(samples: Any, first: int, last: int) -> float:
    """Mean of samples ``first`` to ``last`` (exclusive), of which there is at least one."""
    total = 0.0
    for i in range(first, last):
        total += samples[i]
    return float(total / (last - first))
