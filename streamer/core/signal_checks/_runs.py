"""What one channel repeats, how it turns, where it jumps. Compiled, and runs uncompiled too."""

from __future__ import annotations

import math

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

UNEVEN = 0.25
"""Steps to and fro that differ by less, as a share, may be one bit of a converter and tell no noise."""
FINE = 1e-6
"""Of the range: smaller steps are rounding."""
VISIT_N = 3
JUMP_SHARE, EDGE_SHARE, MIDDLE_SHARE = 0.8, 0.1, 0.2
"""A counter jumps through nearly all of its range, passes the middle slowly and its ends at once; a valve that switches
within a sample does the opposite."""
AGAINST = 0.5
"""Of the jumps of a counter go against the course of the signal before and after them; of a valve's, those that noise
turns round."""
COUNTER, NEAR_COUNTER = 65536.0, 0.02
"""Steps in the range of a 16-bit counter. One such jump against the course is enough; the signal moves in it, too."""


@kernel
def repeated(
    samples: FloatArray, held: float, held_n: float
) -> tuple[float, float, int, int, int, int, float, int, int, int]:
    """The ends of the range and visits to them, the largest jump, and runs of one value.

    Args:
        samples: (n,), NaN among them.
        held: The value before them, and for how many samples it was held.
        held_n: Likewise.

    Returns:
        The lowest and the highest value that is finite; visits of 3 samples or more to the highest and repeats in them,
        the same of the lowest; the largest step; the longest run, where it begins (below 0: before these samples), and
        the last one.
    """
    bottom, top, leap = math.inf, -math.inf, 0.0
    tops = top_n = lows = low_n = longest = first = 0
    before, run = held, 0 if math.isnan(held) else int(held_n)
    for i in range(samples.size):
        x = samples[i]
        move = x - before
        run = run + 1 if move == 0.0 else 1
        if run > longest:
            longest, first = run, i + 1 - run
        if top <= x < math.inf:
            if x > top:
                top, tops, top_n = x, 0, 0
            if run >= VISIT_N:
                tops, top_n = (tops + 1, top_n + VISIT_N - 1) if run == VISIT_N else (tops, top_n + 1)
        if -math.inf < x <= bottom:
            if x < bottom:
                bottom, lows, low_n = x, 0, 0
            if run >= VISIT_N:
                lows, low_n = (lows + 1, low_n + VISIT_N - 1) if run == VISIT_N else (lows, low_n + 1)
        leap = abs(move) if leap < abs(move) < math.inf else leap
        before = x
    return bottom, top, tops, top_n, lows, low_n, leap, longest, first, run


@kernel
def share_of_turns(samples: FloatArray, fine: float, standing: int) -> float:
    """Share of the samples at which noise turns the channel; ``standing`` repeat a value and cannot turn."""
    turns, known, before, step = 0, 0, math.nan, 0.0
    for i in range(samples.size):
        move = samples[i] - before
        larger = max(abs(step), abs(move))
        turns += 1 if step * move < 0.0 and abs(step + move) > max(UNEVEN * larger, fine) else 0
        known += 0 if math.isnan(samples[i]) else 1
        before, step = samples[i], 0.0 if math.isnan(move) else move
    return turns / max(known - standing, 1)


@kernel
def is_counter(samples: FloatArray, bottom: float, top: float) -> bool:
    """Whether a channel overflows: it jumps through its range against its own course."""
    span = top - bottom
    jump, edge, fine = JUMP_SHARE * span, EDGE_SHARE * span, FINE * span
    ups = downs = leaps = middle = known = 0
    before, leapt, trend, bit, largest = math.nan, 0.0, 0.0, math.inf, 0.0
    for i in range(samples.size):
        x = samples[i]
        move = x - before
        before = x
        known += 0 if math.isnan(x) else 1
        middle += 1 if bottom + edge < x < top - edge else 0
        if move == 0.0 or math.isnan(move):
            continue
        if leapt * move < 0.0:
            ups, downs = (ups + 1, downs) if leapt > 0.0 else (ups, downs + 1)
            largest = max(largest, abs(leapt))
        is_leap = abs(move) > jump
        leaps += 1 if is_leap else 0
        leapt = move if is_leap and trend * move < 0.0 else 0.0
        trend = move
        bit = min(bit, abs(move)) if abs(move) > fine else bit
    if middle < MIDDLE_SHARE * known or ups + downs < AGAINST * leaps or ups + downs < 1:
        return False
    return (ups >= 1 and downs >= 1) or abs(largest / bit - COUNTER) < NEAR_COUNTER * COUNTER


@kernel
def stands(samples: FloatArray, length: int) -> bool:
    """Whether a value may be held for ``length`` samples: such a run holds two neighbours at every half of it."""
    for i in range(0, samples.size - 1, max(length // 2 - 1, 1)):  # noqa: SIM110 (compiled)
        if samples[i] == samples[i + 1]:
            return True
    return False


@kernel
def longest(samples: FloatArray) -> tuple[int, int, float]:
    """The longest run of one value: first sample, how many; and the share of the others at which the channel turned."""
    first = count = run = 0
    turns = step = 0.0
    for i in range(1, samples.size):
        move = samples[i] - samples[i - 1]
        run = run + 1 if move == 0.0 else 0
        if run > count:
            first, count = i - run, run
        if step * move < 0.0 and abs(step + move) > UNEVEN * max(abs(step), abs(move)):
            turns += 1.0
        step = move
    return first, count + 1, turns / max(samples.size - count, 1)
