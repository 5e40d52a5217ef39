"""One look at a source, compiled: what each channel shows, and what is seen between them. Floor 1.

Plain scalar code that runs uncompiled too. What is rare (noise, counters) is counted only where something asks for it.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.chunk import FloatArray
from streamer.jit import kernel
from streamer.suspicions._limits import EVEN_STEP, corners, finest, steady
from streamer.suspicions._runs import FINE, JUMP_SHARE, is_counter, repeated, share_of_turns

(
    LOW, HIGH, USUAL, BOTTOM, TOP, MEAN, CLIPPED_HIGH, CLIPPED_LOW, WRAPPED, FROZEN_S, IS_FROZEN, CHANNEL_SIZE,
) = range(12)  # fmt: skip
"""Places of what is found in a channel: the fields of ``Spread``, in this order."""
PAW_STEP, PCO2_STEP, PAW_ABOVE, FLOW_IN, FLOW_OUT, MARKED, PAIRS_SIZE = range(7)
"""Places of what is found between them: fields of ``Signals``; ``MARKED``: not 0 if any channel has a mark."""
HELD, HELD_N, MOVED, NOISE, TOP_HELD, TOP_CUT, LOW_HELD, LOW_CUT, MEMORY_SIZE = range(9)
"""Places of what a channel leaves to the next look: the value at its end, for how many samples it was held, and whether
another moved meanwhile; the share of samples at which noise turns it; its highest and lowest value, and at how many
visits to them it was cut off. NaN before the first."""
LASTS_S = 0.5
"""A value at the end that is held for so long may be held on."""
ENOUGH = 100
"""Samples for a quantile."""
MANY = 20
"""One in so many samples is 5 %. Of the spread, one sample of those is left out on either side."""
LOG_CHANCE = math.log(1e-6)
"""Of the chance that noise, as it is elsewhere in the look, repeats a value so often."""
CLIPPED_VISITS = 2
"""Of a noisy channel, in one look; of one without noise, in looks in a row."""
CUT_SHARE = 0.3
"""Of a range that no idle sensor shows: less is left of a channel that is cut off."""
FROZEN_LONG_S, NOISY_TURNS, NOISY_FROZEN_S = 10.0, 0.15, 3.0
"""A channel that repeats one value for so long while another moves is frozen; the shorter time where it has noise."""
IN_SHARE, REST_SHARE = 0.2, 0.1
"""Of the flow that 5 % of the samples exceed: gas flows above the first, hardly below the second."""
CHANGE_SHARE = 0.1
"""Of the largest flow: beyond it gas flows, one way or the other."""


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
    outward, inward = _levels(kept[0][:n], step, seen[0])
    for channel in range(1, 3):
        _levels(kept[channel][:n], step, seen[channel])
    for channel in range(3):
        _shape(kept, n, channel, rate_hz, breathes, memory, seen)
    pairs: FloatArray = np.full(PAIRS_SIZE, math.nan)
    _between(kept[0][:n:step], kept[1][:n:step], kept[2][:n:step], outward, inward, pairs)
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
def _levels(samples: FloatArray, step: int, seen: FloatArray) -> tuple[float, float]:
    """Quantiles and mean of one channel, NaN where it is absent; returns those of 5 and 95 %."""
    seen[: MEAN + 1] = math.nan
    seen[MEAN + 1 :] = 0.0
    size = samples.size // step // MANY + 1
    lows, highs = np.full(size, math.inf), np.full(size, -math.inf)
    count, total = 0, 0.0
    for i in range(0, samples.size, step):
        x = samples[i]
        if abs(x) < math.inf:
            count += 1
            total += x
            if x < lows[-1]:
                _insert(lows, x)
            if x > highs[-1]:
                _insert(highs, x)
    if count == 0:
        return math.nan, math.nan
    tail, part = min(1, count - 1), min(count // MANY, size - 1)
    seen[LOW], seen[HIGH], seen[MEAN] = lows[min(tail, part)], highs[min(tail, part)], total / count
    seen[USUAL] = max(abs(lows[part]), abs(highs[part]))
    return lows[part], highs[part]


@kernel
def _insert(ordered: FloatArray, x: float) -> None:
    """Put a number into its place among the most extreme so far, outermost first; the last one drops out."""
    k, is_low = ordered.size - 1, x < ordered[-1]
    while k > 0 and (x < ordered[k - 1]) == is_low and x != ordered[k - 1]:
        ordered[k] = ordered[k - 1]
        k -= 1
    ordered[k] = x


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


@kernel
def _between(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, paw: FloatArray, pco2: FloatArray, outward: float, inward: float, pairs: FloatArray
) -> None:
    """Mean flows each way; how pressure and PCO2 differ between them; NaN where a side is missing."""
    if math.isnan(outward):
        return
    gas_in = gas_out = 0.0
    for x in flow:
        if abs(x) < math.inf:
            gas_in, gas_out = gas_in + max(x, 0.0), gas_out - min(x, 0.0)
    pairs[FLOW_IN], pairs[FLOW_OUT] = gas_in / flow.size, gas_out / flow.size
    if not (outward < 0.0 < inward):
        return
    paw_in, paw_out = _middle(paw, flow, IN_SHARE * inward), _middle(paw, -flow, -IN_SHARE * outward)
    pairs[PAW_STEP] = paw_in - paw_out
    if pairs[PAW_STEP] < 0.0:  # nothing asks else
        is_rest = np.abs(flow) < REST_SHARE * max(inward, -outward)
        rest = np.sort(paw[is_rest & np.isfinite(paw)])
        pairs[PAW_ABOVE] = paw_out - rest[rest.size // 4] if rest.size else math.nan
        pco2_in, pco2_out = _middle(pco2, flow, IN_SHARE * inward), _middle(pco2, -flow, -IN_SHARE * outward)
        pairs[PCO2_STEP] = pco2_in - pco2_out


@kernel
def _middle(samples: FloatArray, flow: FloatArray, least: float) -> float:
    """Median of the samples at which flow exceeds ``least``; NaN where there are none."""
    chosen = np.sort(samples[(flow > least) & np.isfinite(samples)])
    return chosen[chosen.size // 2] if chosen.size else math.nan
