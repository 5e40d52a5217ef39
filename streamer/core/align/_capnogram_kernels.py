"""The loops over raw samples of PCO2, compiled. Plain scalar code that runs uncompiled too.

A capnogram alone tells where expirations end: PCO2 rises with expired gas and falls steeply when fresh gas flushes the
sensor. The scan is causal and looks back only, so it does not depend on how a stream is cut.

```
low   follows the lowest PCO2 (3-point medians) until it has risen by 6 mmHg        → high
high  follows the highest until PCO2 has fallen by 80 % of what it rose             → low, and a fall is told
```
"""

from __future__ import annotations

import math

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

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
SHORTEST_S = 0.15
"""No expiration is shorter, a newborn's or not: what flushes past the sensor as flow turns is none."""
HELD = 0.8
"""Of the highest PCO2 of an expiration: an end far below it is no end-tidal gas, but diluted."""
MEDIAN_OF = 3.0
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
    if i - state[ROSE_AT] < SHORTEST_S * rate_hz:
        return 0
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
