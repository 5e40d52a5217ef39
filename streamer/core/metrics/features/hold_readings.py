"""What pressure did in a hold: its readings, how much it rose, their standard error. Compiled.

Pressure is read from means: of 50 and 100 ms, or of 200 ms where it swings fast about its own course (three crossings
and more than six a second of a straight line: noise, steps of the converter, water in the tube). An effort does not
cross so often. A swing that such a mean leaves, as the heart's, is part of the error, and so are the converter's steps.
"""

from __future__ import annotations

import math

from streamer.core.metrics.features.prefix_sums import white_noise
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

NAN = math.nan
OPENING_CMH2O = 0.5
LEVEL_SLOPE_CMH2O_S = 1.0
BLOCK_S, SWING_S = 0.05, 0.2
SETTLE_S = 0.025
FAST_CMH2O, FAST_CROSSINGS, FAST_HZ = 0.1, 3, 6.0
DEVIATIONS = 2.0
MIN_STEPS = 8
"""Changes of pressure in a breath of which the least is taken for a step of the converter."""


@kernel
def _mean(total: FloatArray, first: int, last: int) -> float:
    """Mean of samples first to last (exclusive) from their running sum; NaN when there are none."""
    if last <= first:
        return NAN
    return float((total[last] - total[first]) / (last - first))


@kernel
def _trimmed(paw: FloatArray, total: FloatArray, run: tuple[int, int], rate_hz: float) -> int:
    """End of the run before the valve opened: pressure leaves its level before a lagging flow sensor shows it."""
    tenth = int(0.1 * rate_hz)
    level = _mean(total, run[1] - 2 * tenth, run[1] - tenth)
    last = run[1]
    while last > run[1] - tenth and abs(paw[last - 1] - level) > OPENING_CMH2O:
        last -= 1
    return last


@kernel
def _line(samples: FloatArray, first: int, last: int) -> tuple[float, float, float]:
    """Least squares over samples first to last: value at ``first``, slope per sample, standard error of the slope."""
    n = last - first
    if n <= 2:  # noqa: PLR2004 (a line leaves nothing)
        return NAN, NAN, NAN
    mid = (n - 1) / 2.0
    mean, product, square, spread = 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        mean += samples[first + i] / n
    for i in range(n):
        y = samples[first + i] - mean
        product += (i - mid) * y
        square += (i - mid) * (i - mid)
        spread += y * y
    slope = product / square
    return mean - slope * mid, slope, math.sqrt(max(spread - slope * product, 0.0) / (n - 2) / square)


@kernel
def _swing(paw: FloatArray, total: FloatArray, first: int, last: int, block: int) -> tuple[float, int]:
    """Standard deviation of means over ``block`` samples about the line through the run; how often they cross it."""
    start, slope, _ = _line(paw, first, last)
    square, count, crossings, side = 0.0, 0, 0, 0
    for i in range(first, last - block + 1):
        above = _mean(total, i, i + block) - start - slope * (i - first + 0.5 * (block - 1))
        square += above * above
        count += 1
        if side != 0 and side * above < 0.0:
            crossings += 1
        side = 1 if above > 0.0 else -1
    return math.sqrt(square / max(count, 1)), crossings


@kernel
def _width(paw: FloatArray, total: FloatArray, first: int, last: int, rate_hz: float) -> int:
    """Samples of the mean that pressure is read from: 50 ms, or 200 ms where it swings fast."""
    block = max(1, int(BLOCK_S * rate_hz))
    spread, crossings = _swing(paw, total, first, last, block)
    often = max(float(FAST_CROSSINGS), FAST_HZ * (last - first) / rate_hz)
    return max(1, int(SWING_S * rate_hz)) if spread > FAST_CMH2O and crossings >= often else block


@kernel
def _error(  # noqa: PLR0917 (compiled: positions only)
    paw: FloatArray, total: FloatArray, first: int, last: int, width: int, rate_hz: float
) -> float:
    """Standard error of a mean over ``width`` samples: white noise, slower swings, steps of the converter; cmH2O."""
    slow, _ = _swing(paw, total, first, last, min(max(1, int(SWING_S * rate_hz)), last - first))
    step, steps = math.inf, 0
    for i in range(1, paw.size):
        if paw[i] != paw[i - 1]:
            step = min(step, abs(paw[i] - paw[i - 1]))
            steps += 1
    rounded = step * step / 12.0 if steps >= MIN_STEPS else 0.0
    return math.sqrt(white_noise(paw, first, last) / width + slow * slow + rounded)


@kernel
def insp_readings(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, total: FloatArray, paw: FloatArray, run: tuple[int, int], insp_end: int, rate_hz: float
) -> tuple[float, float, float, float, float, float, float, float, float]:
    """Duration, share of volume before, P1, P at 0.1, 0.3 and 0.5 s, at the end, the rise, the standard error."""
    first = run[0]
    if first < 0:
        return NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN
    last = _trimmed(paw, total, run, rate_hz)
    before, whole = 0.0, 0.0
    for i in range(insp_end):
        whole += max(flow[i], 0.0)
        if i < first:
            before += max(flow[i], 0.0)
    share = before / whole if whole > 0.0 else NAN
    guarded = last - max(1, int(0.01 * rate_hz))
    settled = first + int(SETTLE_S * rate_hz)
    width = _width(paw, total, settled, guarded, rate_hz)
    double = max(width, int(0.1 * rate_hz))
    p1 = _line(paw, first, min(last, first + max(3, int(0.05 * rate_hz) + 1)))[0]
    p01 = _centred(total, first + int(0.1 * rate_hz), width, settled, last)
    p03 = _centred(total, first + int(0.3 * rate_hz), width, settled, last)
    half = first + int(0.5 * rate_hz + 0.5)
    p05 = _mean(total, min(half, guarded) - double, min(half, guarded)) if half <= last else NAN
    end = _mean(total, guarded - max(1, double), guarded)
    rise = _rise(total, settled, guarded, width)
    error = _error(paw, total, settled, guarded, double, rate_hz)
    return (last - first) / rate_hz, share, p1, p01, p03, p05, end, rise, error


@kernel
def _centred(total: FloatArray, at: int, width: int, first: int, last: int) -> float:
    """Mean of ``width`` samples about ``at``, moved behind ``first`` where it would begin before it."""
    start = max(at - (width + 1) // 2, first)
    return _mean(total, start, start + width) if start + width <= last else NAN


@kernel
def _rise(total: FloatArray, first: int, last: int, width: int) -> float:
    """Largest rise of means above their running minimum."""
    lowest, rise = math.inf, 0.0
    for i in range(first, last - width + 1):
        level = (total[i + width] - total[i]) / width
        lowest = min(lowest, level)
        rise = max(rise, level - lowest)
    return rise


@kernel
def exp_readings(
    total: FloatArray, paw: FloatArray, run: tuple[int, int], rate_hz: float
) -> tuple[float, float, float, float, float, float]:
    """Duration, jump at the stop, pressure at the end, its slope less what noise does, its late rise, the error."""
    first = run[0]
    if first < 0:
        return NAN, NAN, NAN, NAN, NAN, NAN
    last = _trimmed(paw, total, run, rate_hz)
    guarded = last - max(1, int(0.01 * rate_hz))
    half = int(0.5 * rate_hz)
    late = max(first, guarded - half)
    double = max(_width(paw, total, late, guarded, rate_hz), 1, int(0.1 * rate_hz))
    end = _mean(total, guarded - double, guarded)
    _, drift, blur = _line(paw, late, guarded)
    slope = math.copysign(max(abs(drift) - DEVIATIONS * blur, 0.0), drift) * rate_hz
    before = first + half - int(0.05 * rate_hz)
    rise = end - _mean(total, before, max(before + double // 2, first + half + 1)) if first + half < last else NAN
    level_first, level_last = first - int(0.4 * rate_hz), first - int(0.05 * rate_hz)
    jump = NAN
    if level_first > 0:
        _, drift, blur = _line(paw, level_first, level_last)
        if (abs(drift) - DEVIATIONS * blur) * rate_hz < LEVEL_SLOPE_CMH2O_S:
            jump = end - _mean(total, level_first, level_last)
    return (last - first) / rate_hz, jump, end, slope, rise, _error(paw, total, late, guarded, double, rate_hz)
