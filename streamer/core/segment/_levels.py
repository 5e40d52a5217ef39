"""Flow where it should be level: in an occlusion, and at the end of either phase. Compiled.

In an occlusion a valve lets nothing past: what flows there is the zero of the sensor. Level flow at the end of an
expiration is the zero and the leak; while a lung still empties, it is less. So it is at the end of an inspiration
under level pressure, once the lung is full; while it still fills, it is more. In standby, at ambient pressure, it is
the zero.
"""

from __future__ import annotations

import math
from typing import Any

from streamer.model.jit import kernel

HOLD_S, END_S, EDGE_S = 0.3, 0.5, 0.1
STOP_S, STOP_SHARE = 0.08, 0.3
"""A valve stops flow: within this time it falls from this share of its peak."""
LEVEL_L_S, LEVEL_CMH2O, DEVIATIONS = 0.3 / 60.0, 0.3, 4.0
"""Halves of a level differ by no more, or by what noise explains, ..."""
MOST_L_S = 2.0 / 60.0
"""... which must not be so much that any flow would pass."""
THIRDS, TAIL_S, MIN_SAMPLES, FADES_L_S = 3, 0.12, 4, 3.0 / 60.0
"""The end of a phase is its last half, in thirds of this length at least; the last two differ by no more flow."""
STOPPED, TRAPPED_CMH2O, BEFORE_S = 2.0, 1.0, 0.25
"""Of an end-expiratory occlusion: flow stops from so many times what counts as level, and pressure rises by so much
above its mean of so long before: water and hearts swing."""
AMBIENT_CMH2O, SWINGS = 0.5, 3.0
"""Mean pressure in standby; and how far single samples lie apart."""


@kernel
def levels(flow: Any, paw: Any, insp_end: int, rate_hz: float, noise: float, scale: float) -> tuple[float, ...]:  # noqa: PLR0917 (compiled: positions only)
    """Flow (L/s) and pressure (cmH2O) of an occlusion; then of the end of expiration and of inspiration, as ``tail``.

    NaN where there is no occlusion, or where an end is none at which pressure is level.
    """
    nan = math.nan
    held, held_paw = nan, nan
    last = flow.size - 1 - int(EDGE_S * rate_hz)
    end = tail(flow, paw, insp_end, last, rate_hz, noise)
    first = last - int((END_S - EDGE_S) * rate_hz)
    if (
        first > insp_end + int(STOP_S * rate_hz)
        and is_level(flow, paw, first, last, noise, scale)
        and is_occluded(flow, paw, insp_end, first, last, rate_hz, noise, scale)
    ):
        held, held_paw = mean(flow, first, last), mean(paw, first, last)
        end = (nan, nan, nan, nan)
    last = insp_end - 2
    first = last - int(HOLD_S * rate_hz)
    full = tail(flow, paw, 0, last, rate_hz, noise)
    if first > int(STOP_S * rate_hz) and is_level(flow, paw, first, last, noise, scale):
        level = mean(flow, first, last)
        if is_stopped(flow, first, level, rate_hz, noise, scale):
            held, held_paw = level, mean(paw, first, last)
            full = (nan, nan, nan, nan)
    return held, held_paw, end[0], end[1], end[2], end[3], full[0], full[1], full[2], full[3]


@kernel
def tail(flow: Any, paw: Any, first: int, last: int, rate_hz: float, noise: float) -> tuple[float, float, float, float]:  # noqa: PLR0917 (compiled: positions only)
    """Of the last half of a phase, in thirds: flow and pressure of the last, and the two rises of flow before it."""
    nan = math.nan
    width = (last - first) // (2 * THIRDS)
    if width < TAIL_S * rate_hz or width < MIN_SAMPLES:
        return nan, nan, nan, nan
    early, late = mean(flow, last - 3 * width, last - 2 * width), mean(flow, last - 2 * width, last - width)
    end, end_paw = mean(flow, last - width, last), mean(paw, last - width, last)
    pressed = abs(end_paw - mean(paw, last - 2 * width, last - width))
    unsure = DEVIATIONS * noise * math.sqrt(2.0 / width)
    if not (pressed <= LEVEL_CMH2O and unsure <= MOST_L_S and abs(end - late) <= FADES_L_S):
        return nan, nan, nan, nan
    return end, end_paw, late - early, end - late


@kernel
def is_stopped(flow: Any, first: int, held: float, rate_hz: float, noise: float, scale: float) -> bool:  # noqa: PLR0917 (compiled: positions only)
    """A valve stopped inspiratory flow before sample ``first``, at which it is level."""
    peak = 0.0
    for i in range(first):
        peak = max(peak, flow[i])
    allowed = max(2.0 * LEVEL_L_S * scale, DEVIATIONS * noise, 0.05 * peak)
    while first > 0 and abs(flow[first - 1] - held) <= allowed:
        first -= 1
    before = max(first - int(STOP_S * rate_hz) - 1, 0)
    return bool(flow[before] - held >= STOP_SHARE * peak)


@kernel
def is_occluded(  # noqa: PLR0917 (compiled: positions only)
    flow: Any, paw: Any, insp_end: int, first: int, last: int, rate_hz: float, noise: float, scale: float
) -> bool:
    """A valve stopped expiratory flow, and pressure rose to that of the lung: a level from ``first`` to ``last``."""
    held, held_paw = mean(flow, first, last), mean(paw, first, last)
    allowed = max(2.0 * LEVEL_L_S * scale, DEVIATIONS * noise)
    while first > insp_end and abs(flow[first - 1] - held) <= allowed:
        first -= 1
    before = first - int(STOP_S * rate_hz) - 1
    long_before = before - int(BEFORE_S * rate_hz)
    if long_before <= insp_end:
        return False
    return bool(
        mean(flow, before - 2, before + 1) < held - STOPPED * allowed
        and mean(flow, long_before, before) < held - STOPPED * allowed
        and mean(paw, long_before, before) < held_paw - TRAPPED_CMH2O
    )


@kernel
def standby(flow: Any, paw: Any, width: int, noise: float, scale: float) -> float:
    """Flow of the newest ``width`` samples that are quiet, at ambient pressure, L/s; NaN where there are none."""
    last = flow.size
    while last >= width:
        if is_standby(flow, paw, last - width, last, noise, scale):
            return mean(flow, last - width, last)
        last -= width // 4
    return math.nan


@kernel
def is_standby(flow: Any, paw: Any, first: int, last: int, noise: float, scale: float) -> bool:  # noqa: PLR0917 (compiled: positions only)
    """Flow and pressure are level and swing with noise only, about ambient pressure; and flow is measured."""
    if not is_level(flow, paw, first, last, noise, scale) or not abs(mean(paw, first, last)) <= AMBIENT_CMH2O:
        return False
    level, squares, most, is_measured = mean(flow, first, last), 0.0, 0.0, False
    for i in range(first, last):
        squares += (flow[i] - level) ** 2
        most = max(most, abs(paw[i]))
        is_measured |= flow[i] != 0.0
    swings = math.sqrt(squares / (last - first))
    return is_measured and swings <= max(LEVEL_L_S * scale, SWINGS * noise) and most <= SWINGS * AMBIENT_CMH2O


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
