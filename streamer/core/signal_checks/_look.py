"""One look at a source, compiled: what each channel shows, and what is seen between them.

Plain scalar code that runs uncompiled too. What is rare (noise, counters) is counted only where something asks for it.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.core.signal_checks._levels import (
    BOTTOM,
    CHANGE_SHARE,
    CHANNEL_SIZE,
    CLIPPED_HIGH,
    CLIPPED_LOW,
    FROZEN_S,
    HIGH,
    IS_FROZEN,
    LOW,
    MARKED,
    MEAN,
    PAIRS_SIZE,
    TOP,
    WRAPPED,
    between,
    levels,
)
from streamer.core.signal_checks._limits import EVEN_STEP, corners, finest, steady
from streamer.core.signal_checks._runs import FINE, JUMP_SHARE, is_counter, repeated, share_of_turns
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

__all__ = ["CHANNEL_SIZE", "LOG_CHANCE", "MEMORY_SIZE", "NOISY_TURNS", "changes", "look"]

HELD, HELD_N, MOVED, NOISE, TOP_HELD, TOP_CUT, LOW_HELD, LOW_CUT, MEMORY_SIZE = range(9)
"""Places of what a channel leaves to the next look: the value at its end, for how many samples it was held, and whether
another moved meanwhile; the share of samples at which noise turns it; its highest and lowest value, and at how many
visits to them it was cut off. NaN before the first."""
LASTS_S = 0.5
"""A value at the end that is held for so long may be held on."""
ENOUGH = 100
"""Samples for a quantile."""
LOG_CHANCE = math.log(1e-6)
"""Of the chance that noise, as it is elsewhere in the look, repeats a value so often."""
CLIPPED_VISITS = 2
"""Of a noisy channel, in one look; of one without noise, in looks in a row."""
CUT_SHARE = 0.3
"""Of a range that no idle sensor shows: less is left of a channel that is cut off."""
FROZEN_LONG_S, NOISY_TURNS, NOISY_FROZEN_S = 10.0, 0.15, 3.0
"""A channel that repeats one value for so long while another moves is frozen; the shorter time where it has noise."""


@kernel
def look(  # noqa: PLR0917 (compiled: positions only)
    kept: FloatArray, n: int, rate_hz: float, breathes: FloatArray, memory: FloatArray, seen: FloatArray
) -> FloatArray:
    """Describe samples.

    Args:
        kept: (3, n or more) flow in L/s, pressure in cmH2O, PCO2 in mmHg; NaN for what is missing.
        n: Samples kept.
        rate_hz: Samples per second.
        breathes: (3,) a range that no idle sensor shows.
        memory: (3, MEMORY_SIZE), continued; NaN at the beginning.
        seen: (3, CHANNEL_SIZE) is filled.

    Returns:
        (PAIRS_SIZE,) what is seen between channels.
    """
    step = max(n // ENOUGH, 1)
    outward, inward = levels(kept[0][:n], step, seen[0])
    for channel in range(1, 3):
        levels(kept[channel][:n], step, seen[channel])
    for channel in range(3):
        _shape(kept, n, channel, rate_hz, breathes, memory, seen)
    pairs: FloatArray = np.full(PAIRS_SIZE, math.nan)
    between(kept[0][:n:step], kept[1][:n:step], kept[2][:n:step], outward, inward, pairs)
    pairs[MARKED] = seen[:, MEAN + 1 :].sum()
    return pairs


@kernel
def changes(flow: FloatArray, n: int) -> int:
    """How often flow changes its direction in the first ``n`` samples."""
    step = max(n // ENOUGH, 1)
    most, side, count = 0.0, 0.0, -1
    for i in range(0, n, step):
        most = max(most, abs(flow[i])) if abs(flow[i]) < math.inf else most
    for i in range(0, n, step):
        if abs(flow[i]) > CHANGE_SHARE * most and flow[i] * side <= 0.0:
            side = flow[i]
            count += 1
    return count


@kernel
def _shape(  # noqa: PLR0917 (compiled: positions only)
    kept: FloatArray, n: int, channel: int, rate_hz: float, breathes: FloatArray, memory: FloatArray, seen: FloatArray
) -> None:
    """Whether one channel is clipped, wraps or stands still."""
    samples, found, past = kept[channel][:n], seen[channel], memory[channel]
    if math.isnan(found[MEAN]):
        past[HELD] = math.nan
        return
    bottom, top, tops, top_n, lows, low_n, leap, run, first, last_run = repeated(samples, past[HELD], past[HELD_N])
    found[BOTTOM], found[TOP] = bottom, top
    had_moved = first < 0 and past[MOVED] > 0.0
    past[HELD], past[HELD_N], past[MOVED] = samples[n - 1], last_run, 0.0
    if last_run > LASTS_S * rate_hz:
        has_moved = _others_move(kept, channel, max(n - last_run, 0), n, breathes, seen)
        past[MOVED] = has_moved or (last_run > n and had_moved)
    is_held = run >= NOISY_FROZEN_S * rate_hz
    if max(tops, lows) >= CLIPPED_VISITS or is_held or math.isnan(past[NOISE]):
        turns = share_of_turns(samples, FINE * (top - bottom), max(top_n + low_n, run))
        if not 2 * run > n:  # else too little is left that could turn
            past[NOISE] = turns
    if found[HIGH] - found[LOW] >= breathes[channel]:
        found[CLIPPED_HIGH] = _is_clipped(past[NOISE], tops, top_n)
        found[CLIPPED_LOW] = _is_clipped(past[NOISE], lows, low_n)
        found[WRAPPED] = leap > JUMP_SHARE * (top - bottom) and is_counter(samples, bottom, top)
    has_cut = past[NOISE] < NOISY_TURNS and (tops or lows)
    if has_cut and found[HIGH] - found[LOW] >= CUT_SHARE * breathes[channel]:
        _cut(kept, n, channel, rate_hz, past, found, seen[0, HIGH])
    if is_held:
        value = samples[first + run - 1]
        may_stand = (channel == 0 and value == 0.0) or (channel == 2 and value == bottom)  # noqa: PLR2004 (PCO2)
        is_noisy = past[NOISE] >= NOISY_TURNS and not may_stand
        is_long = run >= FROZEN_LONG_S * rate_hz
        has_moved = had_moved or _others_move(kept, channel, max(first, 0), first + run, breathes, seen)
        if (is_long or is_noisy) and has_moved:
            found[FROZEN_S] = run / rate_hz
            found[IS_FROZEN] = is_long or first + run == n


@kernel
def _cut(  # noqa: PLR0917 (compiled: positions only)
    kept: FloatArray, n: int, channel: int, rate_hz: float, past: FloatArray, found: FloatArray, most: float
) -> None:
    """Whether a channel without noise is cut off at the ends of its range; counted from look to look."""
    samples, bottom, top = kept[channel][:n], found[BOTTOM], found[TOP]
    bit, cut = finest(samples, 0.5 * top), 0
    if channel == 1:
        cut = steady(samples, kept[0][:n], top, most, rate_hz)
    elif channel == 0 or finest(samples, -math.inf) <= EVEN_STEP * top:
        cut = corners(samples, top, rate_hz, bit, channel == 0)
    past[TOP_CUT] = max(past[TOP_CUT], 0.0) + cut if past[TOP_HELD] == top else cut
    past[TOP_HELD] = top
    found[CLIPPED_HIGH] = past[TOP_CUT] >= CLIPPED_VISITS
    if channel == 0:
        cut = corners(samples, bottom, rate_hz, bit, True)  # noqa: FBT003 (compiled)
        past[LOW_CUT] = max(past[LOW_CUT], 0.0) + cut if past[LOW_HELD] == bottom else cut
        past[LOW_HELD] = bottom
        found[CLIPPED_LOW] = past[LOW_CUT] >= CLIPPED_VISITS


@kernel
def _is_clipped(turns: float, visits: int, repeats: int) -> bool:
    """Whether a value at the end of the range is held where noise would move it, in several breaths."""
    is_enough = visits >= CLIPPED_VISITS and turns >= NOISY_TURNS
    return is_enough and repeats * math.log(1.0 - min(turns, 0.99)) < LOG_CHANCE


@kernel
def _others_move(  # noqa: PLR0917 (compiled: positions only)
    kept: FloatArray, channel: int, first: int, last: int, breathes: FloatArray, seen: FloatArray
) -> bool:
    """Whether another channel goes through half of its range in these samples."""
    for other in range(3):
        bottom, top = math.inf, -math.inf
        for i in range(first, last):
            bottom, top = min(bottom, kept[other, i]), max(top, kept[other, i])
        if other != channel and top - bottom > max(0.5 * (seen[other, HIGH] - seen[other, LOW]), breathes[other]):
            return True
    return False
