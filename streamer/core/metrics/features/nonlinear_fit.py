"""The equation of motion with what one compartment and a straight tube leave out. Compiled.

    P = E·V + Ri·F⁺ + Re·F⁻ + P0 + K2·F·|F|              turbulence, as in a tube (Rohrer)
    P = E·V + Ri·F⁺ + Re·F⁻ + P0 + K2·F·|F| + s·Z        and a Kelvin body: stress relaxation, uneven lungs

Z is flow through a decay of 0.8 s, as it is in breaths that repeat. Its coefficient says little by itself, for neither
the decay is known nor that there is only one. But an elastance that moves as soon as the fit may bend so was not that
of the lung at rest: so the second fit judges the others, and publishes nothing.

Rows are means over 40 to 100 ms, which share no sample: so their noise is independent, and they are few. A mean of each
product leaves the equation exact however long it is. What is left out at
the onsets is what ``normal_equations`` leaves out; the noise of flow is taken off likewise.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.core.metrics.features.normal_equations import EDGE, spans
from streamer.core.metrics.features.prefix_sums import white_noise
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

NAN = math.nan
BLOCKS, BLOCK_S = 40.0, (0.04, 0.1)
"""Means are a fortieth of a breath long, within these limits: the longer, the less is noise."""
RELAXING_S = 0.8
V, INTO, OUT, ONE, TURBULENT, RELAXED, P = range(7)
COLUMNS = 7
MIN_SPARE = 6
SINGULAR = 1e-9


@kernel
def wider(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, volume: FloatArray, paw: FloatArray, rate_hz: float, insp_end: int, stop: int
) -> tuple[float, ...]:
    """Fields ``turb_elastance`` to ``free_elastance`` of a Fold, in order.

    Args:
        flow: (n,) L/s, corrected.
        volume: (n,) L, closed.
        paw: (n,) cmH2O.
        rate_hz: Samples per second.
        insp_end: First sample of expiration.
        stop: First sample of inspiration without flow; ``insp_end`` where there is no pause.
    """
    size = max(1, int(min(max(flow.size / BLOCKS, BLOCK_S[0] * rate_hz), BLOCK_S[1] * rate_hz) + 0.5))
    insp, exp = spans(volume, rate_hz, insp_end, stop)
    signals = flow, volume, paw, _relaxed(flow, rate_hz)
    sums, loss = np.zeros((COLUMNS, COLUMNS)), np.zeros((COLUMNS, COLUMNS))
    before, after = insp[1], insp[1]
    if stop < insp_end:  # flow changes abruptly within inspiration, too
        before, after = min(stop - EDGE, insp[1]), stop + EDGE
    count = _collect(sums, loss, signals, (insp[0], before), size, INTO)
    count += _collect(sums, loss, signals, (max(after, insp[0]), insp[1]), size, INTO)
    count += _collect(sums, loss, signals, exp, size, OUT)
    tube, error = _solve(sums, loss, TURBULENT + 1, count)
    free, _ = _solve(sums, loss, RELAXED + 1, count)
    share = tube[V], _at_flow(tube, sums, INTO), _at_flow(tube, sums, OUT), tube[ONE], error / abs(tube[V])
    return (*share, free[V])


@kernel
def _at_flow(theta: FloatArray, sums: FloatArray, way: int) -> float:
    """Resistance of one direction: a linear one that would cost as much energy at this flow."""
    square = sums[way, way]
    return theta[way] + theta[TURBULENT] * abs(sums[TURBULENT, way]) / square if square > 0.0 else NAN


@kernel
def _relaxed(flow: FloatArray, rate_hz: float) -> FloatArray:
    """Flow through the decay, (n,) L, from the state that such breaths in a row come to."""
    n = flow.size
    keep = math.exp(-1.0 / (RELAXING_S * rate_hz))
    gain = 0.5 * RELAXING_S * (1.0 - keep)
    relaxed = np.empty(n)
    relaxed[0] = 0.0
    for i in range(1, n):
        relaxed[i] = keep * relaxed[i - 1] + gain * (flow[i - 1] + flow[i])
    start = relaxed[n - 1] / (1.0 - keep ** (n - 1))
    for i in range(n):
        relaxed[i] += start
        start *= keep
    return relaxed


@kernel
def _collect(  # noqa: PLR0917 (compiled: positions only)
    sums: FloatArray,
    loss: FloatArray,
    signals: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    span: tuple[int, int],
    size: int,
    way: int,
) -> int:
    """Add the products of the block means of a span, and what noise of flow adds to them; returns their number."""
    flow, volume, paw, relaxed = signals
    row, count = np.zeros(COLUMNS), 0
    noise = white_noise(flow, span[0], span[1]) / size
    row[ONE] = 1.0
    for first in range(span[0], span[1] - size + 1, size):
        row[V] = row[way] = row[TURBULENT] = row[RELAXED] = row[P] = 0.0
        for i in range(first, first + size):
            row[V] += volume[i] / size
            row[way] += flow[i] / size
            row[TURBULENT] += flow[i] * abs(flow[i]) / size
            row[RELAXED] += relaxed[i] / size
            row[P] += paw[i] / size
        for a in range(COLUMNS):
            for b in range(a + 1):
                sums[a, b] += row[a] * row[b]
        loss[way, way] += noise
        loss[TURBULENT, way] += 2.0 * abs(row[way]) * noise
        loss[TURBULENT, TURBULENT] += 4.0 * row[way] ** 2 * noise
        count += 1
    return count


@kernel
def _solve(sums: FloatArray, loss: FloatArray, size: int, count: int) -> tuple[FloatArray, float]:
    """Least squares over the first ``size`` columns, and the standard error of elastance; NaN where it cannot be.

    A direction in which there is more noise than signal leaves its resistance out.
    """
    theta, used = np.empty(size), np.empty(size)
    for i in range(size):
        theta[i], used[i] = NAN, 1.0
    for way in (INTO, OUT):
        if sums[way, way] <= 2.0 * loss[way, way]:
            used[way] = 0.0
    lower = _factor(sums, loss, used)
    if count < size + MIN_SPARE or not lower[size - 1, size - 1] > 0.0:
        return theta, NAN
    right, unit = np.zeros(size), np.zeros(size)
    unit[V] = 1.0
    for i in range(size):
        right[i] = sums[P, i] * used[i]
    found, inverse = _substituted(lower, right), _substituted(lower, unit)
    left = sums[P, P]
    for i in range(size):
        left -= found[i] * right[i]
        for j in range(i + 1):
            left += found[i] * found[j] * loss[i, j] * (1.0 if i == j else 2.0)
        if used[i] > 0.0:
            theta[i] = found[i]
    return theta, math.sqrt(max(left, 0.0) / (count - size) * inverse[V])


@kernel
def _factor(sums: FloatArray, loss: FloatArray, used: FloatArray) -> FloatArray:
    """Cholesky's factor of the products less what noise adds; zero from the first column on that the others explain."""
    size = used.size
    lower = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1):
            rest = (sums[i, j] - loss[i, j]) * used[i] * used[j]
            for k in range(j):
                rest -= lower[i, k] * lower[j, k]
            if i > j:
                lower[i, j] = rest / lower[j, j]
            elif used[i] == 0.0:
                lower[i, i] = 1.0
            elif rest > SINGULAR * sums[i, i]:
                lower[i, i] = math.sqrt(rest)
            else:
                return lower
    return lower


@kernel
def _substituted(lower: FloatArray, right: FloatArray) -> FloatArray:
    """Solution of L·Lᵀ·x = right."""
    x = right.copy()
    for i in range(x.size):
        for k in range(i):
            x[i] -= lower[i, k] * x[k]
        x[i] /= lower[i, i]
    for i in range(x.size - 1, -1, -1):
        for k in range(i + 1, x.size):
            x[i] -= lower[k, i] * x[k]
        x[i] /= lower[i, i]
    return x
