"""Sums of one breath for the equation of motion, kept by parts of the breath. Compiled; before ``least_squares``.

Both sides of the equation are smoothed by the same 40 ms mean, so the linear model stays exact (algorithms §1). Parts
are two halves of inspiration, two of expiration, and the strips before them that are dominated by valves and circuit.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.core.metrics.features.normal_equation_layout import (
    E1,
    EE,
    EP,
    I1,
    II,
    IP,
    NE,
    NI,
    P1,
    PP,
    SUMS,
    TURN,
    V1,
    VE,
    VI,
    VP,
    VV,
)  # fmt: skip
from streamer.core.metrics.features.prefix_sums import running_sum, white_noise
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

SMOOTH_S = 0.02
"""Half the width of the mean: five samples at 100 Hz."""
INSP_SKIPS_S, EXP_SKIPS_S, END_SKIP_S = (0.1, 0.2), (0.2, 0.3), 0.3
"""Left out of the first and of the published fit at either onset, and before the next (algorithms §4.4)."""
EDGE = 2
"""Samples dropped on either side of a change of phase, besides the reach of the mean."""
ROUNDING = 1e-9


@kernel
def moments(
    tidal: FloatArray, paw: FloatArray, rate_hz: float, insp_end: int, stop: int
) -> tuple[FloatArray, FloatArray, int, FloatArray]:
    """Sums by part, noise of flow, width of the mean, closed volume.

    Args:
        tidal: (n,) L/s, corrected.
        paw: (n,) cmH2O.
        rate_hz: Samples per second.
        insp_end: First sample of expiration.
        stop: First sample of inspiration without flow; ``insp_end`` where there is no pause.

    Returns:
        (6, 16) sums, in the places of ``normal_equation_layout``; (2,) variance of the smoothed flow's noise in and
        out; samples of the mean; (n,) L.
    """
    half = int(SMOOTH_S * rate_hz + ROUNDING)
    volume = _closed(tidal, rate_hz)
    running = (running_sum(paw), running_sum(tidal), running_sum(volume))
    edges = _edges(volume, rate_hz, insp_end, stop, half)
    sums = np.zeros((6, SUMS))
    for part in range(6):
        span, inspires = (edges[2 * part], edges[2 * part + 1]), part < TURN
        if inspires and stop < insp_end:  # flow changes abruptly within inspiration, too
            gap = (stop - EDGE - half, stop + EDGE + half + 1)
            _collect(sums[part], running, (span[0], min(gap[0], span[1])), half, inspires)
            _collect(sums[part], running, (max(gap[1], span[0]), span[1]), half, inspires)
        else:
            _collect(sums[part], running, span, half, inspires)
    width = 2 * half + 1
    noise = np.empty(2)
    noise[0] = white_noise(tidal, edges[2], edges[5]) / width
    noise[1] = white_noise(tidal, edges[8], edges[11]) / width
    return sums, noise, width, volume


@kernel
def _closed(tidal: FloatArray, rate_hz: float) -> FloatArray:
    """Volume, less the constant flow that leaves it open at the end (algorithms §2.3)."""
    n = tidal.size
    volume = np.empty(n)
    volume[0] = 0.0
    for i in range(1, n):
        volume[i] = volume[i - 1] + 0.5 * (tidal[i - 1] + tidal[i]) / rate_hz
    left = volume[n - 1]
    for i in range(n):
        volume[i] -= left * i / (n - 1)
    return volume


@kernel
def spans(volume: FloatArray, rate_hz: float, insp_end: int, stop: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last (exclusive) sample of what is fitted of inspiration, pause included, and of expiration."""
    edges = _edges(volume, rate_hz, insp_end, stop, 0)
    return (edges[2], edges[5]), (edges[8], edges[11])


@kernel
def _edges(volume: FloatArray, rate_hz: float, insp_end: int, stop: int, half: int) -> tuple[int, ...]:
    """First and last (exclusive) sample of each part; an empty part ends before it begins."""
    reach = EDGE + half
    first = max(math.ceil(INSP_SKIPS_S[0] * rate_hz - ROUNDING), half)
    second = max(math.ceil(INSP_SKIPS_S[1] * rate_hz - ROUNDING), half)
    last = insp_end - reach
    middle = max((second + min(last, stop)) // 2, second)
    turn = insp_end + max(math.ceil(EXP_SKIPS_S[0] * rate_hz - ROUNDING), reach)
    late = insp_end + max(math.ceil(EXP_SKIPS_S[1] * rate_hz - ROUNDING), reach)
    end = min(volume.size - 1 - math.ceil(END_SKIP_S * rate_hz - ROUNDING), volume.size - half - 1)
    split = late
    if late < end:
        level = 0.5 * (volume[late] + volume[end - 1])
        while split < end and volume[split] > level:
            split += 1
    return (
        first,
        min(second, last),
        second,
        min(middle, last),
        middle,
        last,
        turn,
        min(late, end),
        late,
        split,
        split,
        end,
    )


@kernel
def _collect(
    into: FloatArray,
    sums: tuple[FloatArray, FloatArray, FloatArray],
    span: tuple[int, int],
    half: int,
    inspires: bool,  # noqa: FBT001
) -> None:
    """Add the products of the smoothed samples of a span, in which flow has one direction."""
    if span[1] <= span[0]:
        return
    paw, flow, volume = sums
    width = 2 * half + 1
    vv, vf, v1, ff, f1, vp, fp, p1, pp = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(span[0], span[1]):
        p = (paw[i + half + 1] - paw[i - half]) / width
        f = (flow[i + half + 1] - flow[i - half]) / width
        v = (volume[i + half + 1] - volume[i - half]) / width
        vv += v * v
        vf += v * f
        v1 += v
        ff += f * f
        f1 += f
        vp += v * p
        fp += f * p
        p1 += p
        pp += p * p
    into[VV] += vv
    into[V1] += v1
    into[VP] += vp
    into[P1] += p1
    into[PP] += pp
    into[NI if inspires else NE] += span[1] - span[0]
    into[VI if inspires else VE] += vf
    into[II if inspires else EE] += ff
    into[I1 if inspires else E1] += f1
    into[IP if inspires else EP] += fp
