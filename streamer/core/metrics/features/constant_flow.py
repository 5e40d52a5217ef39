"""Square inspiratory flow: compliance from the slope of pressure, and the stress index. Compiled.

With constant flow the resistive pressure is constant, so the slope of pressure is flow over compliance, whatever the
resistance, trapped gas or tube (``slope_vcv``, algorithms §4.4). The slopes of the two halves tell a lung from an
effort. With the elastance known, expiration gives total PEEP and expiratory resistance by a line of two parameters,
which is far better conditioned than the four of the whole breath.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

NAN = math.nan
FROM, TO = 0.2, 0.8
"""Stretch of the flow time that is fitted."""
MIN_HALF = 6
BEND_LIMIT, BEND_DEVIATIONS = 0.15, 2.5
"""The halves' slopes may differ by so much of the whole, or by so many standard errors where noise is large."""
SKIP_EXP_S, SKIP_END_S = 0.3, 0.3
BLOCK_S = 0.08
SLOW_S = 0.12
"""A line that begins earlier may still bend with a slow valve or sensor: nothing is concluded from it."""
EDGE = 2
"""Samples left out before flow stops, which takes its cost with it."""
STRESS_SKIP_S, STRESS_END_S = 0.10, 0.05
STRESS_STEPS, STRESS_DONE = 12, 1e-6
STRESS_LOW, STRESS_HIGH = 0.2, 4.0


@kernel
def square(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, volume: FloatArray, paw: FloatArray, rate_hz: float, insp_end: int, flow_s: float, late_s: float
) -> tuple[float, ...]:
    """Fields ``square_elastance`` to ``below_at_s`` of a Fold, in order.

    Args:
        flow: (n,) L/s, leak-corrected.
        volume: (n,) L, closed.
        paw: (n,) cmH2O.
        rate_hz: Samples per second.
        insp_end: First sample of expiration.
        flow_s: Inspiratory flow time, s.
        late_s: Onset of inspiration after sample 0, s.
    """
    first, last = int(FROM * flow_s * rate_hz) + 1, min(int(TO * flow_s * rate_hz) + 1, insp_end)
    middle = (first + last) // 2
    if middle - first < MIN_HALF:
        return NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN
    level, slope, error = _line(paw, first, last)
    half_level, early, early_error = _line(paw, first, middle)
    _, late, late_error = _line(paw, middle, last)
    blind = math.hypot(early_error, late_error) / abs(slope)
    bend = abs((late - early) / slope) / max(BEND_LIMIT, BEND_DEVIATIONS * blind)
    mean, inflated = 0.0, 0.0
    for i in range(first, last):
        mean += flow[i] / (last - first)
        inflated += volume[i] / (last - first)
    elastance = slope * rate_hz / mean
    p0, r_exp, r_exp_error = _expiration(flow, volume, paw, elastance, rate_hz, insp_end)
    r_insp = (level - elastance * inflated - p0) / mean
    stress, rmse = _stress(paw, rate_hz, flow_s, late_s, slope * rate_hz, insp_end)
    start = half_level - 0.5 * (middle - first - 1) * early
    stop = min(int((late_s + flow_s) * rate_hz) - EDGE, insp_end)
    below, below_at = 0.0, NAN
    if first >= SLOW_S * rate_hz:
        below, below_at = _below(paw, (first, middle, stop), start, early, rate_hz)
    seen = elastance, r_insp, r_exp, p0, error / abs(slope), r_exp_error, bend, blind
    return (*seen, stress, rmse, below, below_at / rate_hz)


@kernel
def _line(samples: FloatArray, first: int, last: int) -> tuple[float, float, float]:
    """Mean, slope per sample, standard error of the slope."""
    n = last - first
    mid = (n - 1) / 2.0
    mean, product, spread, square = 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        mean += samples[first + i] / n
    for i in range(n):
        y = samples[first + i] - mean
        product += (i - mid) * y
        spread += (i - mid) ** 2
        square += y * y
    slope = product / spread
    left = max(square - slope * product, 0.0)
    return mean, slope, math.sqrt(left / (n - 2) / spread)


@kernel
def _below(
    paw: FloatArray, span: tuple[int, int, int], start: float, slope: float, rate_hz: float
) -> tuple[float, float]:
    """How far pressure comes below the line of the first half, continued; and where it is half of that.

    Means over 80 ms. ``start``: the line at the first of ``span``; the half ends at its second, flow at its last.
    """
    first, middle, stop = span
    width = max(int(BLOCK_S * rate_hz), 2)
    deepest, at = 0.0, NAN
    for k in range(2):  # once for the depth, once for where half of it is reached
        for i in range(middle, stop - width + 1):
            depth = start + slope * (i - first + 0.5 * (width - 1))
            for j in range(i, i + width):
                depth -= paw[j] / width
            if k == 0:
                deepest = max(deepest, depth)
            elif depth >= 0.5 * deepest and math.isnan(at):
                at = i + 0.5 * (width - 1)
    return deepest, at


@kernel
def _expiration(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, volume: FloatArray, paw: FloatArray, elastance: float, rate_hz: float, insp_end: int
) -> tuple[float, float, float]:
    """Total PEEP, expiratory resistance and its relative error, from P - E·V = P0 + Re·F less the noise of flow.

    Where gas has stopped before the window begins there is nothing to learn about resistance (NaN).
    """
    first = insp_end + math.ceil(SKIP_EXP_S * rate_hz - 1e-9)
    last = flow.size - 1 - math.ceil(SKIP_END_S * rate_hz - 1e-9)
    n = last - first
    if n < 2 * MIN_HALF:
        return NAN, NAN, NAN
    x_mean, y_mean, noise = 0.0, 0.0, 0.0
    for i in range(first, last):
        x_mean += flow[i] / n
        y_mean += (paw[i] - elastance * volume[i]) / n
        noise += (flow[i - 1] - 2.0 * flow[i] + flow[i + 1]) ** 2 / (6.0 * n)
    xx, xy, yy = -noise * n, 0.0, 0.0
    for i in range(first, last):
        x, y = flow[i] - x_mean, paw[i] - elastance * volume[i] - y_mean
        xx += x * x
        xy += x * y
        yy += y * y
    if not xx > noise * n:
        return y_mean, NAN, NAN
    resistance = xy / xx
    left = max(yy - resistance * xy + resistance**2 * noise * n, 0.0)
    return y_mean - resistance * x_mean, resistance, math.sqrt(left / (n - 2) / xx) / abs(resistance)


@kernel
def _stress(  # noqa: PLR0917 (compiled: positions only)
    paw: FloatArray, rate_hz: float, flow_s: float, late_s: float, slope: float, insp_end: int
) -> tuple[float, float]:
    """Exponent b of P = a·t^b + c and the RMSE (cmH2O), by Gauss-Newton from the straight line (algorithms §4.6)."""
    first = math.ceil((late_s + STRESS_SKIP_S) * rate_hz)
    last = min(int((late_s + flow_s - STRESS_END_S) * rate_hz), insp_end)
    n = last - first
    if n < 2 * MIN_HALF:
        return NAN, NAN
    logs, end_s = np.empty(n), last / rate_hz - late_s
    for i in range(n):
        logs[i] = math.log(((first + i) / rate_hz - late_s) / end_s)
    a, b, square = slope * end_s, 1.0, 0.0
    for _ in range(STRESS_STEPS):
        s1, s2, s11, s12, s22, y0, y1, y2, yy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(n):
            power = math.exp(b * logs[i])
            along = power * logs[i]
            y = paw[first + i]
            s1 += power
            s2 += along
            s11 += power * power
            s12 += power * along
            s22 += along * along
            y0 += y
            y1 += power * y
            y2 += along * y
            yy += y * y
        m11, m12, m22 = s11 - s1 * s1 / n, s12 - s1 * s2 / n, s22 - s2 * s2 / n
        v1, v2 = y1 - s1 * y0 / n, y2 - s2 * y0 / n
        a = v1 / m11
        square = max(yy - y0 * y0 / n - a * v1, 0.0)
        step = (m11 * v2 - m12 * v1) / (m11 * m22 - m12 * m12)
        b += max(-0.5, min(0.5, step / a))
        if not STRESS_LOW < b < STRESS_HIGH:
            return NAN, NAN
        if abs(step) < STRESS_DONE * abs(a):
            break
    return b, math.sqrt(square / n)
