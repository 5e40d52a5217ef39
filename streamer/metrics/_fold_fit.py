"""The equation of motion fitted to one passive breath: ``P = E·V + Ri·F⁺ + Re·F⁻ + P0``. Floor 1; compiled.

``lsf4`` of algorithms §4.4. Both sides are smoothed by the same 40 ms mean, so the linear model stays exact, and every
sum is kept by part of the breath: the strips that are skipped because valves and circuit dominate there, two halves of
inspiration, two of expiration. The fit over all halves is the published one; fits that leave one out say whether the
answer hangs on a part of the breath, which it does not in a passive lung. The skipped strips are then predicted.

Regressors are measured, too: noise of flow makes plain least squares read resistance too low, and compliance with
it. Noise is told from the second differences of neighbouring samples and its expected square taken off the sums (bias-
corrected least squares); what is left has no bias up to 1 L/min of noise. A column without more signal than noise is
left out.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from streamer.chunk import FloatArray

NAN = math.nan
SMOOTH_S = 0.02
"""Half the width of the mean: five samples at 100 Hz."""
INSP_SKIPS_S, EXP_SKIPS_S, END_SKIP_S = (0.1, 0.2), (0.2, 0.3), 0.3
"""Left out of the first and of the published fit at either onset, and before the next (algorithms §4.4)."""
EDGE = 2
"""Samples dropped on either side of a change of phase, besides the reach of the mean."""
MIN_ROWS = 12.0
SINGULAR, CONVERGED, SWEEPS = 1e6, 1e-13, 12
ROUNDING = 1e-9
SPLIT_LIMIT, SPLIT_DEVIATIONS = 0.10, 2.5
"""Elastance may differ between parts by a tenth, or by so many standard errors where noise is large."""
WIDE, FIRST, SECOND, TURN, EARLY, LATE = range(6)
"""Parts: strip after the onset, halves of inspiration, strip after expiratory onset, halves of expiration."""
VV, VI, VE, V1, II, I1, EE, E1, NI, NE, VP, IP, EP, P1, PP = range(15)
"""Sums of products of volume, inspiratory and expiratory flow, one, and pressure; rows of either direction."""
ZERO = 15
PLACE = np.array([[VV, VI, VE, V1], [VI, II, ZERO, I1], [VE, ZERO, EE, E1], [V1, I1, E1, ZERO]])


@njit(cache=True, error_model="numpy")
def fit(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, paw: FloatArray, rate_hz: float, insp_end: int, leak: float, stop: int
) -> tuple[tuple[float, ...], FloatArray, FloatArray]:
    """Fields ``fit_elastance`` to ``fit_blind`` of a Fold in order; leak-corrected flow and its closed volume.

    Args:
        flow: (n,) L/s.
        paw: (n,) cmH2O.
        rate_hz: Samples per second.
        insp_end: First sample of expiration.
        leak: Conductance, (L/s)/sqrt(cmH2O).
        stop: First sample of inspiration without flow; ``insp_end`` where there is no pause.
    """
    half = int(SMOOTH_S * rate_hz + ROUNDING)
    tidal, volume = _closed(flow, paw, leak, rate_hz)
    sums = (_running(paw), _running(tidal), _running(volume))
    edges = _edges(volume, rate_hz, insp_end, stop, half)
    moments = np.zeros((6, 16))
    for part in range(6):
        span, inspires = (edges[2 * part], edges[2 * part + 1]), part < TURN
        if inspires and stop < insp_end:  # flow changes abruptly within inspiration, too
            gap = (stop - EDGE - half, stop + EDGE + half + 1)
            _collect(moments[part], sums, (span[0], min(gap[0], span[1])), half, inspires)
            _collect(moments[part], sums, (max(gap[1], span[0]), span[1]), half, inspires)
        else:
            _collect(moments[part], sums, span, half, inspires)
    width = 2 * half + 1
    noise = (_noise(tidal, edges[2], edges[5]) / width, _noise(tidal, edges[8], edges[11]) / width)
    whole = moments[FIRST] + moments[SECOND] + moments[EARLY] + moments[LATE]
    theta, errors, condition, r2, rmse = _solve(whole, noise, width)
    wide = _solve(whole + moments[WIDE] + moments[TURN], noise, width)[0][0]
    worst, blind = 0.0, 0.0
    for part in (FIRST, SECOND, EARLY, LATE):
        other, spread, _, _, _ = _solve(whole - moments[part], noise, width)
        error = spread[0] / abs(other[0])
        apart = abs(theta[0] / other[0] - 1.0) / max(SPLIT_LIMIT, SPLIT_DEVIATIONS * error)
        worst = apart if apart > worst or math.isnan(apart) else worst
        blind = error if error > blind or math.isnan(error) else blind
    elastance, ri, re, p0 = theta
    shares = (errors[0] / abs(elastance), errors[2] / abs(re))
    quality = (condition, r2, rmse, abs(elastance / wide - 1.0), worst, blind)
    return (elastance, ri, re, p0, *shares, *quality), tidal, volume


@njit(cache=True, error_model="numpy")
def _closed(flow: FloatArray, paw: FloatArray, leak: float, rate_hz: float) -> tuple[FloatArray, FloatArray]:
    """Leak-corrected flow and its volume, less the constant flow that leaves it open at the end (algorithms §2.3)."""
    n = flow.size
    tidal, volume = np.empty(n), np.empty(n)
    for i in range(n):
        tidal[i] = flow[i] - leak * math.sqrt(max(paw[i], 0.0)) if leak > 0.0 else flow[i]
    volume[0] = 0.0
    for i in range(1, n):
        volume[i] = volume[i - 1] + 0.5 * (tidal[i - 1] + tidal[i]) / rate_hz
    left = volume[n - 1]
    for i in range(n):
        volume[i] -= left * i / (n - 1)
    return tidal, volume


@njit(cache=True, error_model="numpy")
def _running(samples: FloatArray) -> FloatArray:
    total = np.empty(samples.size + 1)
    total[0] = 0.0
    for i in range(samples.size):
        total[i + 1] = total[i] + samples[i]
    return total


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
def _noise(samples: FloatArray, first: int, last: int) -> float:
    """Variance of white noise from second differences: those of a smooth signal are far smaller."""
    square, count = 0.0, 0
    for i in range(max(first, 1), min(last, samples.size - 1)):
        square += (samples[i - 1] - 2.0 * samples[i] + samples[i + 1]) ** 2
        count += 1
    return square / (6.0 * count) if count > 0 else 0.0


@njit(cache=True, error_model="numpy")
def _solve(
    moments: FloatArray, noise: tuple[float, float], width: int
) -> tuple[FloatArray, FloatArray, float, float, float]:
    """E, Ri, Re, P0; their standard errors; scaled condition number; R²; RMSE. NaN where it cannot be solved.

    A flow with less signal than noise is left out: its resistance stays NaN and counts as 0.
    """
    theta, errors = np.full(4, NAN), np.full(4, NAN)
    n = moments[NI] + moments[NE]
    excess = np.array([0.0, moments[NI] * noise[0], moments[NE] * noise[1], 0.0])
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


@njit(cache=True, error_model="numpy")
def _lengths(moments: FloatArray, excess: FloatArray, n: float) -> FloatArray:
    """Length of each column without its noise; 0 leaves a column out."""
    scale = np.zeros(4)
    scale[3] = math.sqrt(n)
    for i in range(3):
        square = moments[PLACE[i, i]] - excess[i]
        if square > excess[i]:
            scale[i] = math.sqrt(square)
    return scale


@njit(cache=True, error_model="numpy")
def _condition(values: FloatArray, scale: FloatArray) -> float:
    """Square root of the largest over the smallest eigenvalue of the columns that take part."""
    low, high = math.inf, 0.0
    for k in range(4):
        if scale[k] > 0.0:
            low, high = min(low, values[k]), max(high, values[k])
    return math.sqrt(high / low) if low > 0.0 else math.inf


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
def _eigen(moments: FloatArray, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues and -vectors (columns) of the products of columns of length 1, by Jacobi's rotations.

    A column that is left out stays a unit vector of its own.
    """
    matrix, vectors = np.eye(4), np.eye(4)
    for i in range(4):
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
    return np.diag(matrix), vectors


@njit(cache=True, error_model="numpy")
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
