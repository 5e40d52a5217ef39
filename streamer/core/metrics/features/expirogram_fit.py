"""The expirogram as one curve of four parameters, fitted by least squares. Compiled.

(p0 + s·x) / (1 + exp(-x/w)) with x = V - VD (algorithms §6.4): phase III as a line, phase II as its logistic edge. It
rests on the shape of phase II where Fowler's dead space rests on areas: that they agree is what both are worth.
Levenberg-Marquardt with the analytic Jacobian; one evaluation passes over the grid once and gives the normal equations.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

NAN = math.nan
MAX_EVALUATIONS = 30
DONE_SHARE = 1e-4
"""A step of the dead space below this share of the expired volume, and of the width below ten times it, is the last."""
MIN_WIDTH_POINTS = 0.5
"""A phase II narrower than a point of the grid cannot be told from a step."""
FAR = 30.0
"""Widths from the middle beyond which the edge is 0 or 1 to the last digit."""
NOTHING = (NAN, NAN, NAN, NAN)


@kernel
def param4(
    grid: FloatArray, volume: float, dead: float, slope: float, start: float
) -> tuple[float, float, float, float]:
    """Fields ``co2_fit_dead`` to ``co2_fit_width`` of a Fold; NaN where the fit does not settle within the breath.

    Args:
        grid: (n,) mmHg above what is inspired: means of equal parts of ``volume``.
        volume: Expired, L.
        dead: Fowler's dead space in L, to start from.
        slope: Of phase III, mmHg/L, likewise.
        start: That line at no volume, mmHg.
    """
    step = volume / grid.size
    p0 = start + slope * dead
    if not (0.0 < dead < volume and p0 > 0.0):
        return NOTHING
    least = MIN_WIDTH_POINTS * step
    now = np.empty(4)
    now[0], now[1], now[2], now[3] = p0, slope, dead, max(_width(grid, p0) * step, least)
    normal, right, trial = np.empty((4, 4)), np.empty(4), np.empty((4, 4))
    cost = _evaluate(grid, step, now, normal, right)
    damping = 1e-3
    then, normal_then, right_then = np.empty(4), np.empty((4, 4)), np.empty(4)
    for _ in range(MAX_EVALUATIONS):
        _damped(normal, damping, trial)
        move = _solved(trial, right)
        for k in range(4):
            then[k] = now[k] + move[k]
        then[3] = max(then[3], least)
        done = abs(then[2] - now[2]) < DONE_SHARE * volume and abs(then[3] - now[3]) < 10.0 * DONE_SHARE * now[3]
        if not 0.0 < then[2] < volume:
            damping *= 10.0
            continue
        cost_then = _evaluate(grid, step, then, normal_then, right_then)
        if cost_then <= cost:
            now, then, cost = then, now, cost_then
            normal, normal_then, right, right_then = normal_then, normal, right_then, right
            damping *= 0.1
        else:
            damping *= 10.0
        if done:
            return now[2], now[0], now[1], now[3]
    return NOTHING


@kernel
def _width(grid: FloatArray, p0: float) -> float:
    """Points from a quarter to three quarters of ``p0``, as the width of a logistic edge."""
    low, high = 0, 0
    for i in range(grid.size):
        if grid[i] < 0.75 * p0:
            high = i + 1
            if grid[i] < 0.25 * p0:
                low = i + 1
        else:
            break
    return (high - low) / math.log(9.0)


@kernel
def _evaluate(grid: FloatArray, step: float, at: FloatArray, normal: FloatArray, right: FloatArray) -> float:
    """Sum of squares; ``normal`` becomes JᵀJ (lower half) and ``right`` Jᵀ(measured - curve)."""
    p0, slope, dead, width = at
    aa, ab, bb, ac, bc, cc, ad, bd, cd, dd = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    ra, rb, rc, rd, cost = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(grid.size):
        x = (i + 0.5) * step - dead
        z = x / width
        if z < -FAR:
            cost += grid[i] * grid[i]
            continue
        edge = 1.0 / (1.0 + math.exp(-z)) if z < FAR else 1.0
        line = p0 + slope * x
        off = grid[i] - line * edge
        turn = line * edge * (1.0 - edge) / width
        b = x * edge
        c = -slope * edge - turn
        d = -turn * z
        aa += edge * edge
        ab += edge * b
        bb += b * b
        ac += edge * c
        bc += b * c
        cc += c * c
        ad += edge * d
        bd += b * d
        cd += c * d
        dd += d * d
        ra += edge * off
        rb += b * off
        rc += c * off
        rd += d * off
        cost += off * off
    normal[0, 0], normal[1, 0], normal[1, 1], normal[2, 0], normal[2, 1] = aa, ab, bb, ac, bc
    normal[2, 2], normal[3, 0], normal[3, 1], normal[3, 2], normal[3, 3] = cc, ad, bd, cd, dd
    right[0], right[1], right[2], right[3] = ra, rb, rc, rd
    return cost


@kernel
def _damped(normal: FloatArray, damping: float, damped: FloatArray) -> None:
    for i in range(4):
        for k in range(i):
            damped[i, k] = normal[i, k]
        damped[i, i] = normal[i, i] * (1.0 + damping) + 1e-300


@kernel
def _solved(normal: FloatArray, right: FloatArray) -> FloatArray:
    """Root of ``normal`` · x = ``right``, by Cholesky in place; ``normal`` is positive definite once damped."""
    x = np.empty(4)
    for i in range(4):
        for k in range(i + 1):
            total = normal[i, k]
            for j in range(k):
                total -= normal[i, j] * normal[k, j]
            normal[i, k] = math.sqrt(max(total, 1e-300)) if i == k else total / normal[k, k]
    for i in range(4):
        total = right[i]
        for j in range(i):
            total -= normal[i, j] * x[j]
        x[i] = total / normal[i, i]
    for i in range(3, -1, -1):
        total = x[i]
        for j in range(i + 1, 4):
            total -= normal[j, i] * x[j]
        x[i] = total / normal[i, i]
    return x
