"""What holds a fit to account: strips it was not made from, pressure where flow has died away, the time constant.

Floor 1; compiled. A strip's excess is mean pressure less what the fitted lung predicts: inspiratory muscles pull it
down. The strips are the first and last part of inspiration's neighbourhood that ``least_squares`` skips; valves and
circuit leave some tenths of a cmH2O there, an effort as much as it is strong.
"""

from __future__ import annotations

import math

from streamer.core.metrics.features.prefix_sums import mean
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

NAN = math.nan
STRIPS_S = (0.1, 0.2, 0.3)
EDGE = 2
ZERO_S = 0.1
MIN_SAMPLES = 4
TAU_FROM_S, TAU_TO_SHARE = 0.1, 0.2
TAU_LIMIT, TAU_DEVIATIONS = 0.25, 2.5


@kernel
def checks(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray,
    volume: FloatArray,
    paw: FloatArray,
    rate_hz: float,
    insp_end: int,
    lung: tuple[float, float, float, float],
) -> tuple[float, ...]:
    """Fields ``start_excess`` to ``tau_fall`` of a Fold, in order.

    Args:
        flow: (n,) L/s, leak-corrected.
        volume: (n,) L, closed.
        paw: (n,) cmH2O.
        rate_hz: Samples per second.
        insp_end: First sample of expiration.
        lung: Elastance cmH2O/L, resistances cmH2O·s/L (NaN: not known), total PEEP cmH2O.
    """
    first, second = math.ceil(STRIPS_S[0] * rate_hz - 1e-9), math.ceil(STRIPS_S[1] * rate_hz - 1e-9)
    third = math.ceil(STRIPS_S[2] * rate_hz - 1e-9)
    start = (first, min(second, insp_end - EDGE))
    elastance, r_insp, r_exp, p0 = lung
    at_rest = (
        elastance,
        r_insp,
        0.0 if math.isnan(r_exp) else r_exp,
        p0,
    )  # where it is not known, gas has left by then
    end = (max(flow.size - 1 - third, insp_end + first), flow.size - 1)
    strips = (
        _excess(flow, volume, paw, start, insp_end, lung),
        _excess(flow, volume, paw, (insp_end + first, insp_end + second), insp_end, lung),
        _excess(flow, volume, paw, (insp_end + second, insp_end + third), insp_end, lung),
        _excess(flow, volume, paw, end, insp_end, at_rest),
    )
    return (*strips, *_zero(flow, volume, paw, rate_hz, insp_end), *_tau(flow, volume, paw, rate_hz, insp_end))


@kernel
def _excess(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray,
    volume: FloatArray,
    paw: FloatArray,
    span: tuple[int, int],
    insp_end: int,
    lung: tuple[float, float, float, float],
) -> float:
    """Mean of pressure less E·V + R·F + P0 over a span, cmH2O; NaN where it is too short or R is not known."""
    elastance, r_insp, r_exp, p0 = lung
    last = min(span[1], flow.size)
    n = last - span[0]
    if n < MIN_SAMPLES:
        return NAN
    total = 0.0
    for i in range(span[0], last):
        total += paw[i] - elastance * volume[i] - (r_insp if i < insp_end else r_exp) * flow[i] - p0
    return total / n


@kernel
def _zero(
    flow: FloatArray, volume: FloatArray, paw: FloatArray, rate_hz: float, insp_end: int
) -> tuple[float, float, float, float]:
    """Pressure, flow and volume over the last 100 ms of inspiration, and the drift of pressure.

    The drift is the last quarter of inspiration less the quarter before: none in pressure control.
    """
    width, last = max(int(ZERO_S * rate_hz), 2), insp_end - EDGE
    first, quarter = last - width, last // 4
    if first < 1 or quarter < 2:  # noqa: PLR2004
        return NAN, NAN, NAN, NAN
    drift = mean(paw, last - quarter, last) - mean(paw, last - 2 * quarter, last - quarter)
    return mean(paw, first, last), mean(flow, first, last), mean(volume, first, last), drift


@kernel
def _tau(
    flow: FloatArray, volume: FloatArray, paw: FloatArray, rate_hz: float, insp_end: int
) -> tuple[float, float, float, float]:
    """Expiratory time constant: slope of volume over flow from 0.1 s until a fifth of the volume is left.

    With its relative standard error, how far apart the halves are (1: at the limit), and by how much pressure fell
    between them: a slow valve lengthens the slope without any change of the lung.
    """
    first = insp_end + math.ceil(TAU_FROM_S * rate_hz - 1e-9)
    last, volume_left = first, TAU_TO_SHARE * volume[min(insp_end, volume.size - 1)]
    while last < flow.size - 1 and volume[last] > volume_left:
        last += 1
    middle = first
    if first < last:
        half = 0.5 * (volume[first] + volume[last - 1])
        while middle < last and volume[middle] > half:
            middle += 1
    if middle - first < 2 * MIN_SAMPLES or last - middle < 2 * MIN_SAMPLES:
        return NAN, NAN, NAN, NAN
    fall = mean(paw, first, middle) - mean(paw, middle, last)
    tau, error = _slope(flow, volume, first, last)
    early, early_error = _slope(flow, volume, first, middle)
    late, late_error = _slope(flow, volume, middle, last)
    allowed = max(TAU_LIMIT * tau, TAU_DEVIATIONS * math.hypot(early_error, late_error))
    return tau, error / abs(tau), abs(late - early) / allowed, fall


@kernel
def _slope(flow: FloatArray, volume: FloatArray, first: int, last: int) -> tuple[float, float]:
    """Least-squares -dV/dF less the noise of flow, s, and its standard error."""
    n = last - first
    x_mean, y_mean, noise = 0.0, 0.0, 0.0
    for i in range(first, last):
        x_mean += flow[i] / n
        y_mean += volume[i] / n
        noise += (flow[i - 1] - 2.0 * flow[i] + flow[i + 1]) ** 2 / (6.0 * n)
    xx, xy, yy = -noise * n, 0.0, 0.0
    for i in range(first, last):
        x, y = flow[i] - x_mean, volume[i] - y_mean
        xx += x * x
        xy += x * y
        yy += y * y
    if not xx > noise * n:
        return NAN, NAN
    slope = xy / xx
    left = max(yy - slope * xy + slope**2 * noise * n, 0.0)
    return -slope, math.sqrt(left / max(n - 2, 1) / xx)
