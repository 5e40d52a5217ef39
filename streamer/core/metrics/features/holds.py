"""Zero-flow holds of one breath: was flow stopped, and what did pressure do. Compiled, plain scalar code.

A hold is an occlusion: flow at zero because a valve closed. Pressure control in which flow decays to zero by itself
looks the same once it is zero, so the *stop* is judged: 60 to 20 ms before zero, flow must exceed four times the zero
threshold and what noise does to that mean, and eight times what is left of it in the 60 ms after (an exponential decay
with a time constant of 50 ms or more leaves a quarter). Four times are enough where pressure falls with the flow, by
what the flow had cost: a valve takes some 20 ms to close, while pressure that is controlled stays as flow dies away.

What counts as zero follows the signal. Flow need not be at the sensor's zero, only level: a zero that is off by 2 L/min
leaves a hold a hold. It need not be quiet either: the spread of flow at the end of expiration, where no gas is driven,
is what noise, heart and water in the tube do to it. Zero flow is judged on means of 80 ms, or of 200 ms where flow
swings: one period of water in a tube. Rules and readings: algorithms §4.1, §4.2.
"""

from __future__ import annotations

import math

from streamer.core.metrics.features.hold_readings import exp_readings, insp_readings
from streamer.core.metrics.features.prefix_sums import TRIGGER_S, mean, running_sum, unrest, white_noise
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

NAN = math.nan
ZERO_FLOW_L_S, ZERO_SMALL = 1.0 / 60.0, 0.05
ZERO_SHARE = 0.02
"""Zero flow: at most 1 L/min (5 % of the peak in a small breath), or 2 % of peak inspiratory flow."""
MAX_OFFSET_L_S, MAX_OFFSET_SHARE = 2.5 / 60.0, 0.12
"""How far the level of flow in a hold may lie from zero, also as a share of the peak."""
LEVEL_S, GUARD_S = 0.2, 0.05
"""Where that level is read: before the end of the phase, less what a valve needs to open."""
QUIET_S, SWING_S = 0.08, 0.2
MIN_RUN_S = 0.2
STOP_FACTOR, NOISE_FACTOR, DECAY_FACTOR = 4.0, 3.0, 8.0
FALL_FACTOR, MIN_FALL_CMH2O = 4.0, 0.5
"""In place of ``DECAY_FACTOR`` where pressure falls by so much as flow stops, and by three times its noise."""
LEFT_ERRORS = 1.5
"""Standard errors by which what is left may be more than it seems: three samples at 50 Hz are soon below it by one."""
SWING_FACTOR, SWING_LEFT, CHOSEN = 1.5, 0.35, 2.0
"""Peak of a swing over its standard deviation; what a mean over about one period leaves of it; by how much more noise
may come to at the end of an expiration, where every breath has a stretch near zero and hardly any a hold."""


@kernel
def holds(flow: FloatArray, paw: FloatArray, rate_hz: float, insp_end: int) -> tuple[float, ...]:
    """The fields ``hold_*`` and ``exp_hold_*`` of a Fold, in order, and the first sample of either hold (or -1).

    Args:
        flow: (n,) L/s, as the sensor saw it: a closed valve lets nothing through to a leak, and a zero is a level.
        paw: (n,) cmH2O.
        rate_hz: Samples per second.
        insp_end: First sample of expiration.
    """
    peak = _highest(flow, 0, insp_end)
    zero = max(ZERO_SHARE * peak, min(ZERO_FLOW_L_S, ZERO_SMALL * peak))
    spread = unrest(flow, insp_end, rate_hz)
    paw_sum = running_sum(paw)
    level = _level(flow, 0, insp_end, peak, zero, spread, rate_hz)
    first, last, stop = _longest_zero(flow - level, 1.0, (0, insp_end), rate_hz, zero, spread, paw)
    hold = insp_readings(flow, paw_sum, paw, (first, last), insp_end, rate_hz)
    late, end = min(flow.size, insp_end + int(0.3 * rate_hz)), flow.size - 1
    level = _level(flow, late, end - int(TRIGGER_S * rate_hz), peak, zero, spread, rate_hz)
    e_first, e_last, e_stop = _longest_zero(flow - level, -1.0, (late, end), rate_hz, zero, spread, paw)
    exp_hold = exp_readings(paw_sum, paw, (e_first, e_last), rate_hz)
    insp = (hold[0], stop, *hold[1:], first / rate_hz)
    exp = (exp_hold[0], e_stop, *exp_hold[1:], e_first / rate_hz)
    return (*insp, *exp, float(first), float(e_first))


@kernel
def _level(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, first: int, end: int, peak: float, zero: float, spread: float, rate_hz: float
) -> float:
    """Level of flow at the end of a phase where it is no zero, but small and constant; else 0; L/s."""
    last = end - int(GUARD_S * rate_hz)
    half = int(0.5 * LEVEL_S * rate_hz)
    if half < 1 or last - 2 * half < first:
        return 0.0
    early, late = 0.0, 0.0
    for i in range(half):
        early += flow[last - 2 * half + i] / half
        late += flow[last - half + i] / half
    level = 0.5 * (early + late)
    is_small = zero < abs(level) <= min(MAX_OFFSET_L_S, MAX_OFFSET_SHARE * peak)
    return level if is_small and abs(late - early) <= 0.5 * zero + 2.0 * spread else 0.0


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
    flow: FloatArray,
    sign: float,
    span: tuple[int, int],
    rate_hz: float,
    zero: float,
    spread: float,
    paw: FloatArray,
) -> tuple[int, int, float]:
    """The longest stretch of zero flow within ``span``, and how abruptly flow (of this sign) stopped before it.

    Noise may carry the mean out between two stretches, or at the start, for no longer than the mean's window.
    """
    total = running_sum(flow)
    width = max(3, int((QUIET_S if spread <= zero else SWING_S) * rate_hz))
    limit = zero if spread <= zero else zero + max(NOISE_FACTOR / math.sqrt(width), SWING_LEFT) * spread
    most = max(STOP_FACTOR * zero, zero + STOP_FACTOR * spread)
    best_first, best_last, first, last = -1, -1, -1, -1
    for i in range(span[0], span[1] - width + 1):
        if abs(total[i + width] - total[i]) > limit * width or _highest(flow, i, i + width) > most:
            continue
        if i > last + width or _highest_pair(flow, last, i) > most:
            first = i
        last = i + width
        if last - first > best_last - best_first:
            best_first, best_last = first, last
    if best_last - best_first < MIN_RUN_S * rate_hz:
        return -1, -1, NAN
    allowed = zero + NOISE_FACTOR * _noise(flow, total, best_first, best_last)
    earliest = max(span[0], best_first - width)
    while best_first > earliest and abs(flow[best_first - 1]) <= min(allowed, most):
        best_first -= 1
    factor = DECAY_FACTOR
    if sign > 0.0 and spread <= zero and _falls(paw, best_first, best_last, rate_hz):
        factor = FALL_FACTOR
    run = (best_first, best_last)
    return best_first, best_last, _abruptness(flow, total, sign, run, rate_hz, zero, spread, factor)


@kernel
def _falls(paw: FloatArray, first: int, last: int, rate_hz: float) -> bool:
    """Pressure 60 to 20 ms before flow is zero lies above that 60 to 100 ms after, by more than noise can."""
    width, late = max(1, int(0.04 * rate_hz)), first + math.ceil(0.06 * rate_hz)
    early = first - int(0.02 * rate_hz) - width
    if early < 0 or late + width > last:
        return False
    fall = mean(paw, early, early + width) - mean(paw, late, late + width)
    return fall > max(MIN_FALL_CMH2O, NOISE_FACTOR * math.sqrt(2.0 * white_noise(paw, first, last) / width))


@kernel
def _noise(flow: FloatArray, total: FloatArray, first: int, last: int) -> float:
    """Standard deviation."""
    middle = (total[last] - total[first]) / (last - first)
    square = 0.0
    for i in range(first, last):
        square += (flow[i] - middle) ** 2
    return math.sqrt(square / (last - first))


@kernel
def _abruptness(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray,
    total: FloatArray,
    sign: float,
    run: tuple[int, int],
    rate_hz: float,
    zero: float,
    spread: float,
    factor: float,
) -> float:
    """Flow 60 to 20 ms before zero, over what must be exceeded to call it stopped: see the top of this file."""
    before_first = run[0] - math.ceil(0.06 * rate_hz)
    before_last = min(run[0] - 1, run[0] - int(0.02 * rate_hz))
    if before_first < 0:
        return 0.0
    width = max(2, int(0.06 * rate_hz))
    n = before_last - before_first
    before = sign * (total[before_last] - total[before_first]) / n
    after = max(0.0, sign * (total[run[0] + width] - total[run[0]]) / width)
    noise = _noise(flow, total, run[0] + width, run[1])
    swing = spread if spread > zero else 0.0
    if sign < 0.0:  # an emptied lung ends in noise, which is no swing that may hide a stop
        swing = math.sqrt(max(swing * swing - white_noise(flow, run[0] + width, run[1]), 0.0))
    left = max(0.0, after + LEFT_ERRORS * noise / math.sqrt(width) - SWING_FACTOR * swing)
    shaken = noise * (NOISE_FACTOR if spread <= zero else max(SWING_FACTOR, NOISE_FACTOR / math.sqrt(n)))
    if sign < 0.0 and spread > zero:
        shaken *= CHOSEN
    return float(before / max(STOP_FACTOR * zero + shaken, factor * left))
