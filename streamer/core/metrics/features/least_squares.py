"""The equation of motion fitted to one passive breath: ``P = E·V + Ri·F⁺ + Re·F⁻ + P0``. Compiled.

``lsf4`` of algorithms §4.4, from the sums of ``normal_equations``. The fit over both halves of both phases is the
published one; fits that leave one half out say whether the answer hangs on a part of the breath, which it does not in a
passive lung. What is skipped is predicted afterwards, in ``residual_checks``.

Regressors are measured, too: noise of flow makes plain least squares read resistance too low, and compliance with
it. Noise is told from the second differences of neighbouring samples and its expected square taken off the sums (bias-
corrected least squares); what is left has no bias up to 1 L/min of noise. A column without more signal than noise is
left out.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.core.metrics.features.normal_equation_layout import (
    E1,
    EARLY,
    EE,
    FIRST,
    I1,
    II,
    LATE,
    NE,
    NI,
    P1,
    PP,
    SECOND,
    TURN,
    V1,
    VE,
    VI,
    VP,
    VV,
    WIDE,
    ZERO,
)  # fmt: skip
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

NAN = math.nan
MIN_ROWS = 12.0
SINGULAR, CONVERGED, SWEEPS = 1e6, 1e-13, 12
SPLIT_LIMIT, SPLIT_DEVIATIONS = 0.07, 2.5
"""Elastance may differ between parts by 7 %, or by so many standard errors where noise is large."""
PLACE = np.array([[VV, VI, VE, V1], [VI, II, ZERO, I1], [VE, ZERO, EE, E1], [V1, I1, E1, ZERO]])


@kernel
def fit(sums: FloatArray, noise: FloatArray, width: int) -> tuple[float, ...]:
    """Fields ``fit_elastance`` to ``fit_blind`` of a Fold in order, from what ``_fold_moments.moments`` returns."""
    whole = sums[FIRST] + sums[SECOND] + sums[EARLY] + sums[LATE]
    theta, errors, condition, r2, rmse = _solve(whole, noise, width)
    wide = _solve(whole + sums[WIDE] + sums[TURN], noise, width)[0][0]
    worst, blind = 0.0, 0.0
    for part in (FIRST, SECOND, EARLY, LATE):
        other, spread, _, _, _ = _solve(whole - sums[part], noise, width)
        error = spread[0] / abs(other[0])
        apart = abs(theta[0] / other[0] - 1.0) / max(SPLIT_LIMIT, SPLIT_DEVIATIONS * error)
        worst = apart if apart > worst or math.isnan(apart) else worst
        blind = error if error > blind or math.isnan(error) else blind
    elastance, ri, re, p0 = theta
    shares = (errors[0] / abs(elastance), errors[2] / abs(re))
    return (elastance, ri, re, p0, *shares, condition, r2, rmse, abs(elastance / wide - 1.0), worst, blind)


@kernel
def _solve(moments: FloatArray, noise: FloatArray, width: int) -> tuple[FloatArray, FloatArray, float, float, float]:
    """E, Ri, Re, P0; their standard errors; scaled condition number; R²; RMSE. NaN where it cannot be solved.

    A flow with less signal than noise is left out: its resistance stays NaN and counts as 0.
    """
    theta, errors, excess = np.empty(4), np.empty(4), np.zeros(4)
    for i in range(4):
        theta[i], errors[i] = NAN, NAN
    n = moments[NI] + moments[NE]
    excess[1], excess[2] = moments[NI] * noise[0], moments[NE] * noise[1]
    if n < MIN_ROWS:
        return theta, errors, NAN, NAN, NAN
    scale = _lengths(moments, excess, n)
    values, vectors = _eigen(moments, scale)
    condition = _condition(values, scale)
    if not condition < SINGULAR:
        return theta, errors, NAN, NAN, NAN
    inverse, explained, lost = np.zeros(4), 0.0, 0.0
    for i in range(4):
        if scale[i] > 0.0:
            theta[i], inverse[i] = _parameter(i, moments, scale, values, vectors)
            explained += theta[i] * moments[VP + i]
            lost += theta[i] ** 2 * excess[i]
    left = max(moments[PP] - explained + lost, 0.0)
    spread = moments[PP] - moments[P1] ** 2 / n
    free = max(n - 4.0 * width, 1.0)
    for i in range(4):
        if scale[i] > 0.0:
            errors[i] = math.sqrt(left / free * inverse[i] * width) / scale[i]
    return theta, errors, condition, 1.0 - left / spread, math.sqrt(left / n)


@kernel
def _lengths(moments: FloatArray, excess: FloatArray, n: float) -> FloatArray:
    """Length of each column without its noise; 0 leaves a column out."""
    scale = np.zeros(4)
    scale[3] = math.sqrt(n)
    for i in range(3):
        square = moments[PLACE[i, i]] - excess[i]
        if square > excess[i]:
            scale[i] = math.sqrt(square)
    return scale


@kernel
def _condition(values: FloatArray, scale: FloatArray) -> float:
    """Square root of the largest over the smallest eigenvalue of the columns that take part."""
    low, high = math.inf, 0.0
    for k in range(4):
        if scale[k] > 0.0:
            low, high = min(low, values[k]), max(high, values[k])
    return math.sqrt(high / low) if low > 0.0 else math.inf


@kernel
def _parameter(
    i: int, moments: FloatArray, scale: FloatArray, values: FloatArray, vectors: FloatArray
) -> tuple[float, float]:
    """One parameter, and its place on the diagonal of the scaled inverse."""
    total, inverse = 0.0, 0.0
    for k in range(4):
        product = 0.0
        for j in range(4):
            if scale[j] > 0.0:
                product += vectors[j, k] * moments[VP + j] / scale[j]
        total += vectors[i, k] * product / values[k]
        inverse += vectors[i, k] ** 2 / values[k]
    return total / scale[i], inverse


@kernel
def _eigen(moments: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues and -vectors (columns) of the products of columns of length 1, by Jacobi's rotations.

    A column that is left out stays a unit vector of its own.
    """
    matrix, vectors, values = np.zeros((4, 4)), np.zeros((4, 4)), np.empty(4)
    for i in range(4):
        matrix[i, i], vectors[i, i] = 1.0, 1.0
        for j in range(4):
            if i != j and scale[i] > 0.0 and scale[j] > 0.0:
                matrix[i, j] = moments[PLACE[i, j]] / (scale[i] * scale[j])
    for _ in range(SWEEPS):
        beside = 0.0
        for p in range(3):
            for q in range(p + 1, 4):
                beside += abs(matrix[p, q])
                if matrix[p, q] != 0.0:
                    _rotate(matrix, vectors, p, q)
        if beside < CONVERGED:
            break
    for i in range(4):
        values[i] = matrix[i, i]
    return values, vectors


@kernel
def _rotate(matrix: FloatArray, vectors: FloatArray, p: int, q: int) -> None:
    """Turn the plane of two axes until their product vanishes."""
    ratio = (matrix[q, q] - matrix[p, p]) / (2.0 * matrix[p, q])
    tangent = math.copysign(1.0, ratio) / (abs(ratio) + math.sqrt(ratio * ratio + 1.0))
    cosine = 1.0 / math.sqrt(tangent * tangent + 1.0)
    sine = tangent * cosine
    for k in range(4):
        a, b = matrix[k, p], matrix[k, q]
        matrix[k, p], matrix[k, q] = cosine * a - sine * b, sine * a + cosine * b
    for k in range(4):
        a, b = matrix[p, k], matrix[q, k]
        matrix[p, k], matrix[q, k] = cosine * a - sine * b, sine * a + cosine * b
        a, b = vectors[k, p], vectors[k, q]
        vectors[k, p], vectors[k, q] = cosine * a - sine * b, sine * a + cosine * b
