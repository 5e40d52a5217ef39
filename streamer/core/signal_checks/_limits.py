"""A sensor's limit in a channel without noise: a top at which the channel is cut off at full speed. Compiled.

Without noise a flat top proves nothing by itself: set pressure and square flow are flat to the last bit, and so are
coarse steps. What levels off by itself slows down: compared are the times that a channel takes for two equal heights.
Flow: on the way from its top, for a valve opens at once. A valve closes at once, too; flow that is cut off goes on to
fall slowly. PCO2: on the way to its top; a plateau is never even to the last bit, unless its steps are coarse or it was
reached ever more slowly. Pressure may rise to what is set along a straight line; yet where it stands, flow must fall,
for the lung fills.
"""

from __future__ import annotations

import math

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

HELD_S, HELD_N = 0.05, 3
"""A value is held for so long, and for so many samples."""
HEIGHTS = (0.25, 0.1, 0.05, 0.02, 0.01)
"""Of the way to 0: what is compared, at whichever scale the samples resolve it."""
SLOWER = 1.5
"""The last height takes so many times as long as the one before at most, less the sample in which the value is met. An
exponential takes 5 times as long or more, to the last of 200 steps; a Gaussian's integral 2.6 times, of 100."""
LAST_STEPS, LAST_SHARE = 8.0, 1e-4
"""What levels off ends in the smallest steps: not in more than so many of them, and so much of the value."""
RESOLVED_N, RESOLVED = 2.5, 0.5
"""Samples in both heights; the share of one that the first sample off the value may skip: a coarse step is no way."""
SLOW_S = 0.1
"""Flow that is cut off takes longer to fall by half; a valve closes sooner."""
EVEN_S, EVEN_STEP = 0.3, 0.0025
"""A plateau of CO2 that is even to the last bit for so long, in steps that are no larger than this share of it."""
STEADY, STEADY_S = 0.03, 0.2
"""Of its peak: flow that stays within it for so long does not fall."""


@kernel
def corners(samples: FloatArray, value: float, rate_hz: float, bit: float, is_flow: bool) -> int:  # noqa: FBT001 (compiled)
    """Visits to ``value``, the highest or lowest sample, at which a limit cuts off the channel, less the others."""
    count, first, n = 0, -1, samples.size
    for i in range(n + 1):
        is_held = i < n and samples[i] == value
        if is_held and first < 0:
            first = i
        elif not is_held and first >= 0:
            held = i - first
            if first > 0 and i < n and held >= max(HELD_N, (HELD_S if is_flow else EVEN_S) * rate_hz):
                is_cut = (
                    _is_corner(samples, i, value, held, rate_hz)
                    if is_flow
                    else _is_abrupt(samples, first - 1, value, held, bit)
                )
                count += 1 if is_cut else -1
            first = -1
    return count


@kernel
def _is_corner(samples: FloatArray, start: int, value: float, held: int, rate_hz: float) -> bool:
    """Whether flow falls as fast right after the value as later, at one scale, and not as fast as behind a valve."""
    skipped = abs(value - samples[start])
    if _steps(samples, start, 1, value, 0.5) < SLOW_S * rate_hz:
        return False
    for height in HEIGHTS:
        near, both = _steps(samples, start, 1, value, height), _steps(samples, start, 1, value, 2.0 * height)
        is_resolved = both >= RESOLVED_N and skipped <= RESOLVED * height * abs(value)
        if is_resolved and both <= held and near - 1.0 <= SLOWER * (both - near):  # in a staircase all last as long
            return True
    return False


@kernel
def _is_abrupt(samples: FloatArray, start: int, value: float, held: int, bit: float) -> bool:
    """Whether PCO2 does not slow down before the value. ``bit``: its smallest step."""
    near, both = _steps(samples, start, -1, value, HEIGHTS[-1]), _steps(samples, start, -1, value, 2.0 * HEIGHTS[-1])
    is_last = value - samples[start] <= max(LAST_STEPS * bit, LAST_SHARE * value)
    return not is_last or (both <= held and near - 1.0 <= SLOWER * (both - near))


@kernel
def _steps(samples: FloatArray, start: int, step: int, value: float, height: float) -> float:
    """How many samples lie between ``value`` and a share of it less, interpolated; inf where it never is as low."""
    i, count, before, least = start, 0.0, 0.0, height * abs(value)
    while 0 <= i < samples.size:
        away = abs(value - samples[i])
        if away > least:
            return float(count + (least - before) / (away - before))
        i, count, before = i + step, count + 1.0, away
    return math.inf


@kernel
def steady(paw: FloatArray, flow: FloatArray, value: float, most: float, rate_hz: float) -> int:
    """Visits of pressure to ``value``, its highest, through which flow does not fall, less the others."""
    count, first, n = 0, -1, paw.size
    low, high, inward = math.inf, -math.inf, 0
    for i in range(n + 1):
        if i < n and paw[i] == value:
            first = i if first < 0 else first
            if i > first + 1 and flow[i] > 0.5 * most:  # the sample before is neither of a valve that opens nor closes
                low, high, inward = min(low, flow[i - 1]), max(high, flow[i - 1]), inward + 1
        elif first >= 0:
            if inward >= STEADY_S * rate_hz:
                count += 1 if high - low < STEADY * most else -1
            first, low, high, inward = -1, math.inf, -math.inf, 0
    return count


@kernel
def finest(samples: FloatArray, least: float) -> float:
    """The smallest step between neighbours above ``least`` that is not 0."""
    step = math.inf
    for i in range(1, samples.size):
        move = abs(samples[i] - samples[i - 1])
        step = move if 0.0 < move < step and samples[i] > least else step
    return step
