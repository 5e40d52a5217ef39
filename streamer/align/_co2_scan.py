"""The loops over raw samples of PCO2, compiled. Floor 1, inside ``align``; plain scalar code that runs uncompiled too.

A capnogram alone tells where expirations end: PCO2 rises with expired gas and falls steeply when fresh gas flushes the
sensor. The scan is causal and looks back only, so it does not depend on how a stream is cut.

```
low   follows the lowest PCO2 (3-point medians) until it has risen by 6 mmHg        → high
high  follows the highest until PCO2 has fallen by 80 % of what it rose             → low, and a fall is told
```
"""

from __future__ import annotations

import math

from streamer.chunk import FloatArray
from streamer.jit import kernel

NEXT, IS_HIGH, LOW, TOP, ROSE_AT, FELL_AT, INSPIRED_LEVEL, FELL, OVER, KNOWN, STATE_SIZE = range(11)
"""Places of the state. ``NEXT``: sample to look at next; ``ROSE_AT``: where the expiration began; ``FELL_AT``: where
the inspiration before it did; ``INSPIRED_LEVEL``: its level, to which PCO2 ``FELL`` within ``OVER`` samples;
``KNOWN``: samples since the last hole. Indices are those of the buffer."""
FALL_AT, END_TIDAL, INSPIRED, TAU, TO_RISE, TO_FALL, TOLD_AT, FALL_SIZE = range(8)
"""Places of a fall: sample at which PCO2 fell through half of its height (interpolated); level just before the fall;
level of the inspiration before; time constant of a sensor that would fall so, in samples; by how much such a sensor was
still below the end of that expiration, and above that inspiration; sample at which it was known."""
RISE_MMHG = 6.0
MIN_HEIGHT_MMHG = 5.0
FALLEN = 0.2
LEVEL_S, LEVEL_SHARE = 0.8, 0.5
"""The end of expiration is read from a line through so much before the fall, or such a share of the expiration."""
BASE_SHARE, BASE_S = 0.25, 15.0
"""What is inspired is the lowest mean over such a share of inspiration, of which so much is looked back at."""
HELD = 0.8
"""Of the highest PCO2 of an expiration: an end far below it is no end-tidal gas, but diluted."""
MEDIAN_OF = 3.0
BEGIN_S, BEGUN = 0.06, 0.1
"""Inspiration begins where flow comes to a tenth of what it is soon after."""
RISE_S, EVEN, LONGEST_S = 0.03, 0.5, 0.15
"""Flow rises evenly where a third mean of such a time lies half as far above the second as that above the first; it has
done so for no longer than this."""
ON_SAMPLE = 1e-6
"""Of a sample: nearer than this, a place is the sample's own."""


@kernel
def scan(  # noqa: PLR0917 (compiled: positions only)
    pco2: FloatArray, filled: int, rate_hz: float, fill_n: int, state: FloatArray, falls: FloatArray
) -> int:
    """Look at samples up to ``filled``; missing ones are filled in if they are few.

    Args:
        pco2: (capacity,) mmHg; holes of up to ``fill_n`` samples are bridged in place.
        filled: How many there are.
        rate_hz: Samples per second.
        fill_n: Longest hole to bridge.
        state: (STATE_SIZE,), continued.
        falls: (k, FALL_SIZE) for the falls found; the scan pauses when it is full.

    Returns:
        How many falls were found.
    """
    i, count = int(state[NEXT]), 0
    while i < filled and count < falls.shape[0]:
        if math.isnan(pco2[i]):
            end = i
            while end < filled and math.isnan(pco2[end]):
                end += 1
            if end - i <= fill_n and end == filled:
                break  # the next sample will tell whether it can be bridged
            if end - i <= fill_n and state[KNOWN] > 0.0:
                for k in range(i, end):
                    pco2[k] = pco2[i - 1] + (pco2[end] - pco2[i - 1]) * (k - i + 1) / (end - i + 1)
            else:
                state[IS_HIGH], state[LOW], state[KNOWN], state[FELL_AT] = 0.0, math.inf, 0.0, end
                i = end
            continue
        state[KNOWN] += 1.0
        if state[KNOWN] >= MEDIAN_OF:
            a, b, c = pco2[i - 2], pco2[i - 1], pco2[i]
            count += _look(max(min(a, b), min(max(a, b), c)), i, pco2, rate_hz, state, falls[count])
        i += 1
    state[NEXT] = i
    return count


@kernel
def _look(middle: float, i: int, pco2: FloatArray, rate_hz: float, state: FloatArray, fall: FloatArray) -> int:  # noqa: PLR0917 (compiled: positions only)
    """One sample, as the median of itself and two before; 1 if a fall has ended there."""
    if state[IS_HIGH] == 0.0:
        if middle < state[LOW]:
            state[LOW] = middle
        elif middle >= state[LOW] + RISE_MMHG:
            state[IS_HIGH], state[TOP], state[ROSE_AT] = 1.0, middle, i
            known = max(i + 1 - int(state[KNOWN]), 0)
            first = max(int(state[FELL_AT]), int(i - BASE_S * rate_hz), known)
            state[INSPIRED_LEVEL], state[FELL], state[OVER] = _base(pco2, known, first, i)
        return 0
    low = state[LOW]
    if middle > low + FALLEN * (state[TOP] - low):
        state[TOP] = max(state[TOP], middle)
        return 0
    state[IS_HIGH], state[LOW], state[FELL_AT] = 0.0, middle, i
    first, low = max(int(state[ROSE_AT]), 0), state[INSPIRED_LEVEL]
    end_tidal, rising = state[TOP], 0.0
    for _ in range(2):  # the level places the fall, and the fall ends the level
        height = end_tidal - low
        high, deep = _crossing(pco2, i, first, low + 0.75 * height), _crossing(pco2, i, first, low + 0.25 * height)
        last = max(math.floor(high - (deep - high)), first)
        span = min(LEVEL_S * rate_hz, LEVEL_SHARE * (last - first))
        end_tidal, rising = _line_end(pco2, max(last - int(max(span, MEDIAN_OF)), first - 1), last)
    height = end_tidal - low
    if height < MIN_HEIGHT_MMHG:
        return 0
    missing = state[TOP] - end_tidal
    fall[FALL_AT] = _crossing(pco2, i, first, low + 0.5 * height)
    deep, high = _crossing(pco2, i, first, low + 0.25 * height), _crossing(pco2, i, first, low + 0.75 * height)
    tau = max(deep - high, ON_SAMPLE) / math.log(3.0)
    fall[END_TIDAL], fall[INSPIRED], fall[TOLD_AT] = end_tidal, low, i
    fall[TAU], fall[TO_FALL] = tau, state[FELL] / math.expm1(state[OVER] / tau)
    fall[TO_RISE] = missing if height < HELD * (state[TOP] - low) else rising * tau
    return 1


@kernel
def _line_end(pco2: FloatArray, first: int, last: int) -> tuple[float, float]:
    """Of a least-squares line through samples first to last (inclusive): its value at the last, and its slope.

    A mean would come from earlier, where PCO2 still rises; the highest sample, from noise.
    """
    first = max(first, 0)
    count = last - first + 1
    middle, total, product = (count - 1) / 2.0, 0.0, 0.0
    for k in range(count):
        total += pco2[first + k]
        product += (k - middle) * pco2[first + k]
    slope = product / (count * (count * count - 1.0) / 12.0) if count > 1 else 0.0
    return total / count + slope * middle, slope


@kernel
def _base(pco2: FloatArray, known: int, first: int, last: int) -> tuple[float, float, float]:
    """Lowest mean of a quarter of the samples first to last (exclusive); by how much, within how many, they fell to it.

    Samples are there from ``known`` on.

    The lowest sample, be it a median of three, lies below the level by more than the noise.
    """
    width = max(int(BASE_SHARE * (last - first)), int(MEDIAN_OF))
    first = max(min(first, last - width), known)
    total = 0.0
    for k in range(first, min(first + width, last)):
        total += pco2[k]
    lowest, at = total, first
    for k in range(first + width, last):
        total += pco2[k] - pco2[k - width]
        if total < lowest:
            lowest, at = total, k - width + 1
    before, count = 0.0, min(width, at - known)
    for k in range(at - count, at):
        before += pco2[k]
    level = lowest / min(width, last - first)
    return level, max(before / count - level, 0.0) if count > 0 else 0.0, 0.5 * (width + count)


@kernel
def _crossing(pco2: FloatArray, i: int, first: int, level: float) -> float:
    """Where PCO2 last fell through ``level`` before sample ``i`` and after ``first``, between samples."""
    below = i
    while below > first + 1 and pco2[below - 1] <= level:
        below -= 1
    above, under = pco2[below - 1], pco2[below]
    return below - (level - under) / (above - under) if above > level >= under else float(below)


@kernel
def is_outside(pco2: FloatArray, low: float, high: float) -> bool:
    """Whether a sample lies beyond the limits; NaN is missing, not implausible."""
    count = 0
    for value in pco2:
        if value < low or value > high:
            count += 1
    return count > 0


@kernel
def moved(pco2: FloatArray, known: int, place: float, step: float, out: FloatArray) -> None:
    """Fill ``out`` with PCO2 at places ``place``, ``place + step`` … of the buffer, interpolated; NaN where unknown."""
    for k in range(out.size):
        at = place + k * step
        i = math.floor(at + ON_SAMPLE)
        share = max(at - i, 0.0)
        out[k] = math.nan
        if 0 <= i < known and share < ON_SAMPLE:
            out[k] = pco2[i]
        elif 0 <= i < known - 1:
            out[k] = pco2[i] + share * (pco2[i + 1] - pco2[i])


@kernel
def flush(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, onset: float, rate_hz: float, before: float, most: float, tau_s: float
) -> tuple[float, float, float, float]:
    """When fresh gas has passed the sensor's chamber, whose volume the fall of PCO2 bounds.

    A chamber of v litres that is mixed falls from three quarters to one as v·ln 3 pass; the fall that was seen may be
    the sensor's own response as well, so the chamber holds anything from nothing to what would explain all of it.

    Args:
        flow: (n,) L/s, of which inspiration begins at ``onset``, in samples.
        onset: See above.
        rate_hz: Samples per second.
        before: What has to pass before the chamber, L.
        most: The largest chamber there is, L.
        tau_s: The fall, as the time constant of a sensor that would fall so.

    Returns:
        Seconds after sample 0 for the largest such volume; how much sooner for none; that volume, L; the fall that it
        makes, as a time constant, s. NaN where so much is not inspired.
    """
    low, high = 0.0, most
    if not _fall_s(flow, onset, rate_hz, before, most) <= tau_s * math.log(3.0):
        for _ in range(20):
            half = 0.5 * (low + high)
            if _fall_s(flow, onset, rate_hz, before, half) <= tau_s * math.log(3.0):
                low = half
            else:
                high = half
        high = low
    first = flushed(flow, onset, rate_hz, before)
    last = flushed(flow, onset, rate_hz, before + high)
    return last, last - first, high, _fall_s(flow, onset, rate_hz, before, high) / math.log(3.0)


@kernel
def _fall_s(flow: FloatArray, onset: float, rate_hz: float, before: float, chamber: float) -> float:
    """From three quarters to one of what a mixed chamber of so many litres holds, s; NaN if it is not flushed."""
    first = flushed(flow, onset, rate_hz, before + math.log(4.0 / 3.0) * chamber)
    last = flushed(flow, onset, rate_hz, before + math.log(4.0) * chamber)
    return last - first


@kernel
def flushed(flow: FloatArray, onset: float, rate_hz: float, volume: float) -> float:
    """When ``volume`` (L) has been inspired, s after sample 0; NaN if it never is.

    ``flow`` (n,) L/s, each the mean of its interval, of which inspiration begins near ``onset``, in samples.
    """
    start, i, now = _begin(flow, onset, rate_hz)
    passed, at = 0.0, start
    while i < flow.size:
        end = i + 0.5
        added = max(now, 0.0) * (end - at) / rate_hz
        if passed + added >= volume:
            share = (volume - passed) / added if added > 0.0 else 0.0
            return (at + share * (end - at)) / rate_hz
        passed, at, i = passed + added, end, i + 1
        if i < flow.size:
            now = flow[i]
    return math.nan


@kernel
def _begin(flow: FloatArray, onset: float, rate_hz: float) -> tuple[float, int, float]:
    """Where between samples inspiration begins, in which sample's interval, and the flow there, L/s.

    A sample that flow begins in lies between the levels before and after it; how far, tells when. The crossing of a
    threshold lies up to a sample before: nothing where volumes are large, and all where a sensor holds 1 mL. Flow that
    rises slowly began where its rise leads back to, before it crossed any threshold.
    """
    first, size = max(math.ceil(onset), 1), flow.size
    width = max(int(RISE_S * rate_hz), 1)
    if first + 3 * width <= size:
        one, two = _mean(flow, first, first + width), _mean(flow, first + width, first + 2 * width)
        three = _mean(flow, first + 2 * width, first + 3 * width)
        speed = (three - one) / (2.0 * width)
        level = one - speed * (width - 1) / 2.0
        if three - two > EVEN * (two - one) and 0.0 < level < EVEN * three:
            back = min(level / speed, LONGEST_S * rate_hz)
            return first - back, first, 0.5 * level * (back + 1.0) / (back + 0.5)
    most = 0.0
    for k in range(first, min(first + int(BEGIN_S * rate_hz) + 2, size)):
        most = max(most, flow[k])
    i = first
    while i < size - 1 and flow[i] < BEGUN * most:
        i += 1
    level = flow[i]
    if i + 2 < size:
        level = max(level, min(2.0 * flow[i + 1] - flow[i + 2], flow[i + 1]))
    for k in (i - 1, i):
        before = min(2.0 * flow[k - 1] - flow[k - 2], 0.0) if k > 1 else 0.0
        share = (flow[k] - before) / (level - before)
        if k == i or (before < 0.0 and share > 0.0):
            return k + 0.5 - min(share, 1.0), k, level
    return onset, first, level


@kernel
def _mean(samples: FloatArray, first: int, last: int) -> float:
    """Mean of samples first to last (exclusive), of which there is at least one."""
    total = 0.0
    for i in range(first, last):
        total += samples[i]
    return total / (last - first)
