"""One look at one channel: what is repeated, what turns, what jumps. Floor 1; compiled, and runs uncompiled too."""

from __future__ import annotations

import math
from typing import Any

from streamer.chunk import FloatArray
from streamer.jit import kernel

FROZEN_N, FROZEN_AT, TURNS, TOP_VISITS, TOP_N, LOW_VISITS, LOW_N, JUMPS_UP, JUMPS_DOWN, MIDDLE, SEEN_SIZE = range(11)
"""Places of what is found. Longest run of one value, in samples, and where it begins; share of samples at which the
channel turned unevenly, those at its ends left out; visits of 3 samples or more to its highest value, and repeats in
them; the same of the lowest; jumps over nearly the whole range against the course of the signal, each way; share of
samples away from both ends."""
UNEVEN = 0.25
"""Steps to and fro that differ by less, as a share, may be one bit of a converter and tell no noise."""
FINE = 1e-6
"""Of the range: smaller steps are rounding."""
VISIT_N = 3
JUMP_SHARE, EDGE_SHARE = 0.8, 0.1
MOST = 0.5
"""Of the jumps of a counter go against the course of the signal before and after them; of a valve's, those that noise
turns round."""


@kernel
def look(samples: FloatArray, low: float, high: float, seen: Any) -> None:  # noqa: C901 (one pass)
    """Describe samples (n,), NaN among them, whose lowest and highest are given; ``seen`` (SEEN_SIZE,) is filled."""
    span = high - low
    fine, jump, edge = FINE * span, JUMP_SHARE * span, EDGE_SHARE * span
    seen[:] = 0.0
    known = turns = run = leapt = leaps = 0.0
    before, step, trend = math.nan, 0.0, 0.0
    for i in range(samples.size):
        x = samples[i]
        if math.isnan(x):
            run, step, before = 0.0, 0.0, x
            continue
        known += 1.0
        move = x - before
        run = run + 1.0 if x == before else 1.0
        if run > seen[FROZEN_N]:
            seen[FROZEN_N], seen[FROZEN_AT] = run, i + 1.0 - run
        if x in (high, low):
            visits, count = (TOP_VISITS, TOP_N) if x == high else (LOW_VISITS, LOW_N)
            if run == VISIT_N:
                seen[visits] += 1.0
                seen[count] += VISIT_N - 1.0
            elif run > VISIT_N:
                seen[count] += 1.0
        if step * move < 0.0 and abs(step + move) > max(UNEVEN * max(abs(step), abs(move)), fine):
            turns += 1.0
        if move != 0.0:
            if leapt * move < 0.0:
                seen[JUMPS_UP if leapt > 0.0 else JUMPS_DOWN] += 1.0
            leapt = move if abs(move) > jump and trend * move < 0.0 else 0.0
            leaps += 1.0 if abs(move) > jump else 0.0
            trend = move
        if low + edge < x < high - edge:
            seen[MIDDLE] += 1.0
        before = x
        step = 0.0 if math.isnan(move) else move
    if seen[JUMPS_UP] + seen[JUMPS_DOWN] < MOST * leaps:
        seen[JUMPS_UP] = seen[JUMPS_DOWN] = 0.0
    away = known - seen[TOP_N] - seen[LOW_N]
    seen[TURNS] = turns / away if away > 0.0 else 0.0
    seen[MIDDLE] = seen[MIDDLE] / known if known > 0.0 else 0.0


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
