"""Shapes of one breath that tell events: starvation, reverse triggering, cough, suction. Compiled.

What a passive lung cannot do is measured, and ``labels`` judges it against recent breaths:

- While the ventilator sets flow (constant, or falling in a straight line), the pressure of a linear passive lung is a
  straight line or bulges upwards. It is below its own chord where the patient pulls, or where the lung stiffens as it
  fills; *where* the sag lies tells one from the other: an effort is early, a stiffening lung sags in the middle.
- Under constant flow pressure rises, under constant pressure flow falls, and outflow only slows: a fall of pressure,
  a rise of inspiratory flow, or outflow that speeds up again is a muscle at work.

Everything is judged on means over 40 or 80 ms, which sensor noise hardly moves.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.core.metrics.features.prefix_sums import mean
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

NAN = math.nan
CHORD_FROM, CHORD_TO, CHORD_END = 0.1, 0.9, 0.02
"""The chord's ends, and the half width of what is averaged there, as shares of the flow time (algorithms §2.4)."""
FULL = 0.9
"""The chord begins later where flow has not reached this share of its middle: some valves open slowly."""
MIN_CHORD = 12
"""Samples under the chord: at 25 Hz an inspiration of 0.6 s."""
MAX_UNEVEN = 0.05
"""Flow counts as set by the ventilator up to this distance (rms, over its mean) from a straight line."""
MAX_TILT = 0.10
"""Flow counts as constant while that line changes by no more than this share of the mean."""
SWING_L_S, NOISES = 10.0 / 60.0, 4.0
"""A reversal of flow goes from 10 L/min one way to 10 L/min the other way (algorithms §2.4)."""
REVERSALS_IN_S = 1.0
SUCKED_CMH2O = -3.0
FED_L_S = 10.0 / 60.0
"""A patient who pulls this hard is given gas; while pressure is as low with less, gas is taken away."""
L_S_PER_CMH2O = 0.1
"""What stands out more: 6 L/min count as much as 1 cmH2O (algorithms §2.4)."""
BLOCK_S = 0.08
PUSHED_S, PUSHED_CMH2O, PUSHED_SHARE, MIN_PUSHED = 0.2, 0.15, 0.3, 8
"""Window to either side; RMS of pressure and correlation beyond which flow goes with pressure; fewest samples."""
VALVE_S = 0.2
"""Expiration's first moments belong to the valve: recorded flow and pressure swing."""
EARLY_S = 1.0


@kernel
def events(  # noqa: PLR0917 (compiled: positions only)
    paw: FloatArray, flow: FloatArray, rate_hz: float, insp_end: int, flow_s: float, noise: float
) -> tuple[float, ...]:
    """Fields ``sag`` to ``sucked_s`` of a Fold, in order; ``flow_s`` is one; ``noise`` of flow, L/s."""
    flow_n = min(insp_end, int(flow_s * rate_hz + 0.5)) if flow_s > 0.0 else 0
    first, last = _chord(flow, flow_n)
    tilt = _tilt(flow, first, last)
    sag, sag_at, sag_fall = NAN, NAN, NAN
    if not math.isnan(tilt):
        sag, sag_at, sag_fall = _sag(paw, first, last, _half(flow_n))
        if abs(tilt) > MAX_TILT:
            sag_fall = 0.0
    late = _deflection(paw, flow, insp_end, flow_n, tilt, rate_hz)
    sagging = sag, sag_at, sag_fall
    shaken = _top(paw), _reversals(flow, rate_hz, SWING_L_S + NOISES * noise), _sucked(paw, flow, rate_hz)
    return sagging + late + shaken


@kernel
def _chord(flow: FloatArray, flow_n: int) -> tuple[int, int]:
    """First and last sample under the chord; both 0 where there are too few."""
    first, last = int(CHORD_FROM * flow_n + 0.5), int(CHORD_TO * flow_n + 0.5)
    while first < flow_n // 4 and flow[first] < FULL * flow[flow_n // 2]:
        first += 1
    half = _half(flow_n)
    fits = last - first >= MIN_CHORD and first >= half and last + half < flow.size
    return (first, last) if fits else (0, 0)


@kernel
def _half(flow_n: int) -> int:
    return max(1, int(CHORD_END * flow_n + 0.5))


@kernel
def _tilt(flow: FloatArray, first: int, last: int) -> float:
    """Change of flow along its straight line over its mean; NaN where flow is not set by the ventilator."""
    n = last - first
    if n < MIN_CHORD:
        return NAN
    level, mid = mean(flow, first, last), (n - 1) / 2.0
    product, square = 0.0, 0.0
    for i in range(n):
        product += (i - mid) * flow[first + i]
        square += (flow[first + i] - level) ** 2
    run = n * (n * n - 1) / 12.0
    left = max(0.0, square - product * product / run)
    tilt = product / run * n / level
    is_set = level > 0.0 and math.sqrt(left / n) <= MAX_UNEVEN * level and tilt <= MAX_TILT
    return tilt if is_set else NAN


@kernel
def _sag(paw: FloatArray, first: int, last: int, half: int) -> tuple[float, float, float]:
    """Depth of pressure below its chord, where, and how far pressure falls in that time."""
    n = last - first
    start = mean(paw, first - half, first + half + 1)
    slope = (mean(paw, last - half, last + half + 1) - start) / n
    width = max(1, n // 10)
    deepest, area, moment, crest, fall = 0.0, 0.0, 0.0, start, 0.0
    for i in range(first, last - width + 1):
        level = mean(paw, i, i + width)
        at = i - first + (width - 1) / 2.0
        below = start + slope * at - level
        deepest = max(deepest, below)
        crest = max(crest, level)
        fall = max(fall, crest - level)
        if below > 0.0:
            area += below
            moment += below * at
    return deepest, moment / (area * n) if area > 0.0 else NAN, fall


@kernel
def _deflection(  # noqa: PLR0917 (compiled: positions only)
    paw: FloatArray, flow: FloatArray, insp_end: int, flow_n: int, tilt: float, rate_hz: float
) -> tuple[float, float, float]:
    """Fall of pressure under flow that is set, swing of flow elsewhere, and the instant of what stands out more.

    From the middle of inspiration to its end, and in the first half of expiration, one second at most.
    """
    width = max(2, int(BLOCK_S * rate_hz))
    fall, fall_at = _fall(paw, flow, flow_n, tilt, width)
    swing, swing_at = _trough(flow, 1.0, (0, insp_end // 2, insp_end), width, -math.inf)
    late = insp_end + max(width, int(VALVE_S * rate_hz))
    until = min(insp_end + (flow.size - insp_end) // 2, insp_end + int(EARLY_S * rate_hz))
    slowed, slowed_at = _trough(flow, -1.0, (insp_end, late, until), width, -math.inf)
    if slowed > swing:
        swing, swing_at = slowed, slowed_at
    if swing > 0.0 and _is_pushed(paw, flow, int(swing_at), int(PUSHED_S * rate_hz)):
        swing, swing_at = 0.0, NAN
    return fall, swing, (fall_at if fall * L_S_PER_CMH2O > swing else swing_at) / rate_hz


@kernel
def _is_pushed(paw: FloatArray, flow: FloatArray, at: int, half: int) -> bool:
    """Flow goes with pressure about a sample: a valve that rings moves both alike, a patient who draws does not.

    The correlation of what straight lines leave of the two.
    """
    first, last = max(at - half, 0), min(at + half + 1, flow.size)
    n = last - first
    if n < MIN_PUSHED:
        return False
    mid, p_mean, f_mean = 0.5 * (first + last - 1), mean(paw, first, last), mean(flow, first, last)
    p_slope, f_slope, spread = 0.0, 0.0, 0.0
    for i in range(first, last):
        p_slope += (i - mid) * paw[i]
        f_slope += (i - mid) * flow[i]
        spread += (i - mid) ** 2
    pp, ff, pf = 0.0, 0.0, 0.0
    for i in range(first, last):
        p = paw[i] - p_mean - p_slope / spread * (i - mid)
        f = flow[i] - f_mean - f_slope / spread * (i - mid)
        pp += p * p
        ff += f * f
        pf += p * f
    return bool(pp > n * PUSHED_CMH2O**2 and pf > PUSHED_SHARE * math.sqrt(pp * ff))


@kernel
def _fall(paw: FloatArray, flow: FloatArray, flow_n: int, tilt: float, width: int) -> tuple[float, float]:
    """How far pressure falls while set flow lasts, and when; both end before flow stops and takes its cost with it.

    Under falling flow a passive pressure may fall as well, but not below where the breath began.
    """
    if math.isnan(tilt):
        return 0.0, NAN
    middle = flow_n // 2
    if abs(tilt) > MAX_TILT:
        fall, at = _trough(paw, 1.0, (middle, middle, flow_n), width, math.inf)
        if fall > 0.0:
            first = int(at - 0.5 * (width - 1) + 0.5)
            fall = max(0.0, min(fall, paw[0] - mean(paw, first, first + width)))
        return fall, at
    last = flow_n
    while last > middle and flow[last - 1] < FULL * flow[middle]:
        last -= 1
    return _trough(paw, 1.0, (middle, middle, last - width // 2), width, math.inf)


@kernel
def _trough(
    samples: FloatArray, sign: float, span: tuple[int, int, int], width: int, after: float
) -> tuple[float, float]:
    """Deepest trough of ``sign * samples``, on means over ``width``, and its instant.

    Depth counts from the lower one of the crests before and after; ``after`` is where the latter starts from: infinite
    means that nothing need follow. ``span``: the first sample of the crest, the first of the trough, and the end.
    """
    start, first, last = span
    n = last - start - width + 1
    deepest, at = 0.0, NAN
    if n < 2:  # noqa: PLR2004
        return deepest, at
    level, before = np.empty(n), np.empty(n)
    total, crest = 0.0, -math.inf
    for i in range(start, start + width):
        total += sign * samples[i]
    for k in range(n):
        level[k] = total / width
        crest = max(crest, level[k])
        before[k] = crest
        if start + k + width < last:
            total += sign * (samples[start + k + width] - samples[start + k])
    for k in range(n - 1, max(0, first - start) - 1, -1):
        after = max(after, level[k])
        depth = min(before[k], after) - level[k]
        if depth > deepest:
            deepest, at = depth, start + k + (width - 1) / 2.0
    return deepest, at


@kernel
def _top(paw: FloatArray) -> float:
    """Highest median of three neighbours in the whole breath."""
    top = -math.inf
    for i in range(1, paw.size - 1):
        a, b, c = paw[i - 1], paw[i], paw[i + 1]
        top = max(top, min(a, b), min(max(a, b), c))
    return float(top) if math.isfinite(top) else NAN


@kernel
def _reversals(flow: FloatArray, rate_hz: float, swing: float) -> float:
    """Most reversals of flow within one second, each from beyond ``swing`` one way to beyond it the other."""
    at = np.empty(flow.size)
    count, most, way, oldest = 0, 0, 0, 0
    for i in range(flow.size):
        now = 1 if flow[i] >= swing else -1 if flow[i] <= -swing else 0
        if now == 0 or now == way:  # noqa: PLR1714 (a set is slow when compiled)
            continue
        if way != 0:
            at[count] = i
            count += 1
            while i - at[oldest] > REVERSALS_IN_S * rate_hz:
                oldest += 1
            most = max(most, count - oldest)
        way = now
    return float(most)


@kernel
def _sucked(paw: FloatArray, flow: FloatArray, rate_hz: float) -> float:
    """Longest time at less than -3 cmH2O in which gas left, or its inflow fell to little."""
    longest, first = 0, -1
    for i in range(paw.size):
        if paw[i] < SUCKED_CMH2O and flow[i] < FED_L_S:
            if first < 0:
                first = i
            longest = max(longest, i - first)
        else:
            first = -1
    return longest / rate_hz
