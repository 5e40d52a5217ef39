"""Zero-flow holds of one breath: was flow stopped, and what did pressure do. Floor 1; compiled, plain scalar code.

A hold is an occlusion: flow at zero because a valve closed. Pressure control in which flow decays to zero by itself
looks the same once it is zero, so the *stop* is judged: 60 to 20 ms before zero, flow must exceed four times the zero
threshold and three standard deviations of its noise, and eight times what is left of it in the 60 ms after (an
exponential decay with a time constant of 50 ms or more leaves a quarter). Zero flow is judged on 80 ms means, so that
sensor noise does not break a hold.
Rules and readings: algorithms §4.1, §4.2.
"""

from __future__ import annotations

import math

from streamer.chunk import FloatArray
from streamer.jit import kernel
from streamer.metrics._sums import running_sum

NAN = math.nan
ZERO_FLOW_L_S = 1.0 / 60.0
ZERO_SHARE = 0.02
"""Zero flow: at most 1 L/min, or 2 % of peak inspiratory flow."""
MIN_RUN_S = 0.2
STOP_FACTOR, NOISE_FACTOR, DECAY_FACTOR = 4.0, 3.0, 8.0
OPENING_CMH2O = 0.5
LEVEL_SLOPE_CMH2O_S = 1.0


@kernel
def holds(flow: FloatArray, paw: FloatArray, rate_hz: float, insp_end: int) -> tuple[float, ...]:
    """The fields ``hold_*`` and ``exp_hold_*`` of a Fold, in order, and the hold's first and last sample (or -1)."""
    peak = 0.0
    for i in range(insp_end):
        peak = max(peak, flow[i])
    zero = max(ZERO_FLOW_L_S, ZERO_SHARE * peak)
    flow_sum = running_sum(flow)
    paw_sum = running_sum(paw)
    first, last, stop = _longest_zero(flow, flow_sum, 1.0, (0, insp_end), rate_hz, zero)
    insp = _insp_readings(flow, paw_sum, paw, (first, last), insp_end, rate_hz)
    late = min(flow.size, insp_end + int(0.3 * rate_hz))
    e_first, e_last, e_stop = _longest_zero(flow, flow_sum, -1.0, (late, flow.size - 1), rate_hz, zero)
    exp = _exp_readings(paw_sum, paw, (e_first, e_last), rate_hz)
    hold = (insp[0], stop, insp[1], insp[2], insp[3], insp[4], insp[5], insp[6], insp[7], first / rate_hz)
    exp_hold = (exp[0], e_stop, exp[1], exp[2], exp[3], exp[4], e_first / rate_hz)
    return hold + exp_hold + (float(first), float(last), float(e_first))


@kernel
def _mean(total: FloatArray, first: int, last: int) -> float:
    """Mean of samples first to last (exclusive) from their running sum; NaN when there are none."""
    if last <= first:
        return NAN
    return float((total[last] - total[first]) / (last - first))


@kernel
def _is_zero(flow: FloatArray, total: FloatArray, first: int, width: int, zero: float) -> bool:
    if abs(total[first + width] - total[first]) > zero * width:
        return False
    return _highest(flow, first, first + width) <= STOP_FACTOR * zero


@kernel
def _highest(flow: FloatArray, first: int, last: int) -> float:
    """Largest magnitude; 0 where there are no samples."""
    highest = 0.0
    for i in range(max(0, first), last):
        highest = max(highest, abs(flow[i]))
    return highest


@kernel
def _highest_pair(flow: FloatArray, first: int, last: int) -> float:
    """Largest magnitude that two neighbours reach: one sample alone may be noise."""
    highest = 0.0
    for i in range(max(0, first) + 1, last):
        highest = max(highest, min(abs(flow[i - 1]), abs(flow[i])))
    return highest


@kernel
def _longest_zero(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, total: FloatArray, sign: float, span: tuple[int, int], rate_hz: float, zero: float
) -> tuple[int, int, float]:
    """The longest stretch of zero flow within ``span``, and how abruptly flow (of this sign) stopped before it.

    Noise may carry the mean out between two stretches, or at the start, for no longer than the mean's window.
    """
    width = max(3, int(0.08 * rate_hz))
    best_first, best_last, first, last = -1, -1, -1, -1
    for i in range(span[0], span[1] - width + 1):
        if not _is_zero(flow, total, i, width, zero):
            continue
        if i > last + width or _highest_pair(flow, last, i) > STOP_FACTOR * zero:
            first = i
        last = i + width
        if last - first > best_last - best_first:
            best_first, best_last = first, last
    if best_last - best_first < MIN_RUN_S * rate_hz:
        return -1, -1, NAN
    allowed = zero + NOISE_FACTOR * _noise(flow, total, best_first, best_last)
    earliest = max(span[0], best_first - width)
    while best_first > earliest and abs(flow[best_first - 1]) <= min(allowed, STOP_FACTOR * zero):
        best_first -= 1
    return best_first, best_last, _abruptness(flow, total, sign, (best_first, best_last), rate_hz, zero)


@kernel
def _noise(flow: FloatArray, total: FloatArray, first: int, last: int) -> float:
    """Standard deviation."""
    mean = _mean(total, first, last)
    spread = 0.0
    for i in range(first, last):
        spread += (flow[i] - mean) ** 2
    return math.sqrt(spread / (last - first))


@kernel
def _abruptness(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, total: FloatArray, sign: float, run: tuple[int, int], rate_hz: float, zero: float
) -> float:
    """Flow 60 to 20 ms before zero, over what must be exceeded to call it stopped: see the top of this file."""
    before_first = run[0] - math.ceil(0.06 * rate_hz)
    before_last = min(run[0] - 1, run[0] - int(0.02 * rate_hz))
    if before_first < 0:
        return 0.0
    width = max(2, int(0.06 * rate_hz))
    before = sign * _mean(total, before_first, before_last)
    after = max(0.0, sign * _mean(total, run[0], run[0] + width))
    noise = _noise(flow, total, run[0] + width, run[1])
    decayed = DECAY_FACTOR * (after + noise / math.sqrt(width))
    return before / max(STOP_FACTOR * zero + NOISE_FACTOR * noise, decayed)


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
def _line(samples: FloatArray, first: int, last: int) -> tuple[float, float]:
    """Least squares over samples first to last: value at ``first``, slope per sample."""
    n = last - first
    if n <= 1:
        return NAN, NAN
    mid = (n - 1) / 2.0
    mean, product, square = 0.0, 0.0, 0.0
    for i in range(n):
        mean += samples[first + i] / n
        product += (i - mid) * samples[first + i]
        square += (i - mid) * (i - mid)
    slope = product / square
    return mean - slope * mid, slope


@kernel
def _insp_readings(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, total: FloatArray, paw: FloatArray, run: tuple[int, int], insp_end: int, rate_hz: float
) -> tuple[float, float, float, float, float, float, float, float]:
    """Duration, share of volume before, P1, P at 0.1, 0.3 and 0.5 s, at the end, and the rise."""
    first = run[0]
    if first < 0:
        return NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN
    last = _trimmed(paw, total, run, rate_hz)
    before, whole = 0.0, 0.0
    for i in range(insp_end):
        whole += max(flow[i], 0.0)
        if i < first:
            before += max(flow[i], 0.0)
    share = before / whole if whole > 0.0 else NAN
    p1 = _line(paw, first, min(last, first + max(2, int(0.05 * rate_hz) + 1)))[0]
    p01 = _reading(total, first + int(0.075 * rate_hz), first + int(0.125 * rate_hz), last)
    p03 = _reading(total, first + int(0.275 * rate_hz), first + int(0.325 * rate_hz), last)
    p05 = _reading(total, first + int(0.4 * rate_hz + 0.5), first + int(0.5 * rate_hz + 0.5), last)
    guarded = last - max(1, int(0.01 * rate_hz))
    end = _mean(total, guarded - max(1, int(0.1 * rate_hz)), guarded)
    rise = _rise(total, first + int(0.025 * rate_hz), guarded, rate_hz)
    return (last - first) / rate_hz, share, p1, p01, p03, p05, end, rise


@kernel
def _reading(total: FloatArray, first: int, last: int, end: int) -> float:
    return _mean(total, first, max(last, first + 1)) if last <= end else NAN


@kernel
def _rise(total: FloatArray, first: int, last: int, rate_hz: float) -> float:
    """Largest rise of 50 ms means above their running minimum."""
    width = max(1, int(0.05 * rate_hz))
    lowest, rise = math.inf, 0.0
    for i in range(first, last - width + 1):
        level = (total[i + width] - total[i]) / width
        lowest = min(lowest, level)
        rise = max(rise, level - lowest)
    return rise


@kernel
def _exp_readings(
    total: FloatArray, paw: FloatArray, run: tuple[int, int], rate_hz: float
) -> tuple[float, float, float, float, float]:
    """Duration, jump at the stop, pressure at the end, its slope, its late rise."""
    first = run[0]
    if first < 0:
        return NAN, NAN, NAN, NAN, NAN
    last = _trimmed(paw, total, run, rate_hz)
    guarded = last - max(1, int(0.01 * rate_hz))
    end = _mean(total, guarded - max(1, int(0.1 * rate_hz)), guarded)
    half = int(0.5 * rate_hz)
    slope = _line(paw, max(first, guarded - half), guarded)[1] * rate_hz
    rise = end - _mean(total, first + half - int(0.05 * rate_hz), first + half + 1) if first + half < last else NAN
    level_first, level_last = first - int(0.4 * rate_hz), first - int(0.05 * rate_hz)
    jump = NAN
    if level_first > 0 and abs(_line(paw, level_first, level_last)[1] * rate_hz) < LEVEL_SLOPE_CMH2O_S:
        jump = end - _mean(total, level_first, level_last)
    return (last - first) / rate_hz, jump, end, slope, rise
