"""Pressures of one breath: peak, mean, end-expiratory; marks of effort and of an open circuit. Compiled.

End-expiratory pressure is not the last samples: in recorded triggered breaths the effort pulled the last 150 ms from
8.5 down to 6.9 cmH2O (algorithms §3). The window is 0.5 to 0.2 s before the next onset, the same shares of the last
quarter of a short expiration, and ends before an expiratory hold.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

NAN = math.nan
BLOCK_S = 0.04
MIN_WINDOW = 3
DIP_CMH2O = 0.5
DIP_FLOW_L_S = 5.0 / 60.0
"""Recorded efforts slowed the outflow by 10 L/min and more; heartbeats move it by 2 to 4."""
NEAR_BLOCKS = 10
"""An effort lasts at most 0.4 s from its onset to its trough, and again to its end."""


@kernel
def pressures(paw: FloatArray, flow: FloatArray, rate_hz: float, insp_end: int, exp_hold: int) -> tuple[float, ...]:
    """Fields ``peak_paw`` to ``efforts`` of a Fold, in order; ``exp_hold`` is the first sample of such a hold or -1."""
    end = exp_hold if exp_hold >= 0 else paw.size - 1
    window = _end_window(insp_end, end, rate_hz)
    level, slope, outflow = _end(paw, flow, window, rate_hz)
    return (
        _peak(paw, insp_end),
        _time_mean(paw),
        level,
        slope,
        outflow,
        _lowest(paw, 0, min(paw.size, int(0.1 * rate_hz) + 1)),
        _lowest(paw, max(0, paw.size - int(0.2 * rate_hz) - 1), paw.size),
        _low_second(paw, rate_hz),
        _efforts(paw, flow, insp_end + int(0.3 * rate_hz), end - int(0.2 * rate_hz), rate_hz),
    )


@kernel
def _peak(paw: FloatArray, insp_end: int) -> float:
    """Highest median of three neighbours during inspiration."""
    peak = -math.inf
    for i in range(max(1, insp_end)):
        a, b, c = paw[max(0, i - 1)], paw[i], paw[min(paw.size - 1, i + 1)]
        peak = max(peak, min(a, b), min(max(a, b), c))
    return float(peak) if math.isfinite(peak) else NAN


@kernel
def _time_mean(paw: FloatArray) -> float:
    if paw.size <= 1:
        return NAN
    total = -0.5 * (paw[0] + paw[-1])
    for i in range(paw.size):
        total += paw[i]
    return float(total / (paw.size - 1))


@kernel
def _end_window(insp_end: int, end: int, rate_hz: float) -> tuple[int, int]:
    te_s = (end - insp_end) / rate_hz
    lead = min(0.5, 0.25 * te_s)
    trail = min(0.2, 0.4 * lead)
    return end - int(lead * rate_hz + 0.5), end - int(trail * rate_hz + 0.5)


@kernel
def _end(paw: FloatArray, flow: FloatArray, window: tuple[int, int], rate_hz: float) -> tuple[float, float, float]:
    """Median pressure and its slope in the window, mean flow of the window's last 100 ms."""
    first, last = window
    n = last - first
    if n < MIN_WINDOW or first < 0:
        return NAN, NAN, NAN
    level = _median(paw, first, last)
    mid, product, square = (n - 1) / 2.0, 0.0, 0.0
    for i in range(n):
        product += (i - mid) * paw[first + i]
        square += (i - mid) * (i - mid)
    outflow, late = 0.0, max(first, last - max(1, int(0.1 * rate_hz)))
    for i in range(late, last):
        outflow += flow[i]
    return level, product / square * rate_hz, outflow / (last - late)


@kernel
def _median(samples: FloatArray, first: int, last: int) -> float:
    """Median by insertion: windows are short, and a library sort takes seconds to compile."""
    n = last - first
    ordered = np.empty(n)
    for k in range(n):
        at = k
        while at > 0 and ordered[at - 1] > samples[first + k]:
            ordered[at] = ordered[at - 1]
            at -= 1
        ordered[at] = samples[first + k]
    return float(0.5 * (ordered[(n - 1) // 2] + ordered[n // 2]))


@kernel
def _lowest(paw: FloatArray, first: int, last: int) -> float:
    """Lowest mean of three neighbours."""
    lowest = math.inf
    for i in range(first + 1, last - 1):
        lowest = min(lowest, (paw[i - 1] + paw[i] + paw[i + 1]) / 3.0)
    return float(lowest) if lowest < math.inf else NAN


@kernel
def _low_second(paw: FloatArray, rate_hz: float) -> float:
    """The smallest of the maxima over one second, in steps of 40 ms."""
    step = max(1, int(BLOCK_S * rate_hz))
    count = int(rate_hz / step)
    tops = np.empty(paw.size // step)
    lowest = math.inf
    for block in range(tops.size):
        tops[block] = paw[block * step]
        for i in range(block * step, (block + 1) * step):
            tops[block] = max(tops[block], paw[i])
        if block + 1 >= count:
            level = tops[block]
            for i in range(block + 1 - count, block):
                level = max(level, tops[i])
            lowest = min(lowest, level)
    return float(lowest) if lowest < math.inf else NAN


@kernel
def _efforts(paw: FloatArray, flow: FloatArray, first: int, last: int, rate_hz: float) -> float:
    """Count troughs of pressure at which expiratory flow slows and then speeds up again, on 40 ms means."""
    step = max(1, int(BLOCK_S * rate_hz))
    blocks = max(0, (last - first) // step)
    level, speed = np.zeros(blocks), np.zeros(blocks)
    for b in range(blocks):
        for i in range(first + b * step, first + (b + 1) * step):
            level[b] += paw[i] / step
            speed[b] += flow[i] / step
    count, free = 0, 0
    for b in range(1, blocks - 1):
        if b < free or level[b] > level[b - 1] or level[b] > level[b + 1]:
            continue
        if _is_effort(level, speed, b):
            count += 1
            free = b + NEAR_BLOCKS
    return float(count)


@kernel
def _is_effort(level: FloatArray, speed: FloatArray, at: int) -> bool:
    """Pressure is 0.5 cmH2O lower than on both sides; outflow slows towards the trough and speeds up after it.

    A patient who lets go lets gas out as pressure comes back; a valve that fell below PEEP blows gas in to get back.
    """
    first, last = max(0, at - NEAR_BLOCKS), min(level.size, at + NEAR_BLOCKS + 1)
    before, after = level[at], level[at]
    crest = speed[at]
    for i in range(max(0, at - 1), min(level.size, at + 3)):
        crest = max(crest, speed[i])
    slow_before, slow_after = crest, crest
    for i in range(first, at):
        before = max(before, level[i])
        slow_before = min(slow_before, speed[i])
    for i in range(at + 1, last):
        after = max(after, level[i])
        slow_after = min(slow_after, speed[i])
    dips = before - level[at] >= DIP_CMH2O and after - level[at] >= DIP_CMH2O
    back = at
    while back < last - 1 and level[back] < 0.5 * (level[at] + after):
        back += 1
    pushed = speed[back] - speed[at] >= DIP_FLOW_L_S  # gas comes with the pressure: a valve finds back to PEEP
    return bool(dips and not pushed and min(crest - slow_before, crest - slow_after) >= DIP_FLOW_L_S)
