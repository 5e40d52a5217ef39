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

NEXT, IS_HIGH, LOW, TOP, ROSE_AT, KNOWN, STATE_SIZE = range(7)
"""Places of the state. ``NEXT``: sample to look at next; ``ROSE_AT``: where the expiration began; ``KNOWN``: samples
since the last hole. Indices are those of the buffer."""
FALL_AT, END_TIDAL, INSPIRED, WIDTH, TOLD_AT, FALL_SIZE = range(6)
"""Places of a fall: sample at which PCO2 fell through half of its height (interpolated); mean before the fall; lowest
of the inspiration before; samples from three quarters of the height to one; sample at which it was known."""
RISE_MMHG = 6.0
MIN_HEIGHT_MMHG = 5.0
FALLEN = 0.2
PLATEAU_S = (0.4, 0.2)
"""Before the fall is known: from, to. The slowest sensors that are of use take 0.15 s to fall that far."""
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
                state[IS_HIGH], state[LOW], state[KNOWN] = 0.0, math.inf, 0.0
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
        return 0
    low = state[LOW]
    if middle > low + FALLEN * (state[TOP] - low):
        state[TOP] = max(state[TOP], middle)
        return 0
    state[IS_HIGH], state[LOW] = 0.0, middle
    first = max(int(i - PLATEAU_S[0] * rate_hz), int(state[ROSE_AT]))
    last = max(int(i - PLATEAU_S[1] * rate_hz), first + 1)
    total = 0.0
    for k in range(first, last):
        total += pco2[k]
    end_tidal = total / (last - first)
    if end_tidal - low < MIN_HEIGHT_MMHG:
        return 0
    height = end_tidal - low
    fall[FALL_AT] = _crossing(pco2, i, first, low + 0.5 * height)
    fall[WIDTH] = _crossing(pco2, i, first, low + 0.25 * height) - _crossing(pco2, i, first, low + 0.75 * height)
    fall[END_TIDAL], fall[INSPIRED], fall[TOLD_AT] = end_tidal, low, i
    return 1


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
def flushed(flow: FloatArray, onset: float, rate_hz: float, volume: float) -> tuple[float, float]:
    """When ``volume`` (L) has been inspired: seconds after sample 0, and the flow (L/s) then; NaN if it never is.

    ``flow`` (n,) L/s, of which inspiration begins at ``onset``, in samples.
    """
    i = int(onset)
    passed, share = 0.0, onset - i
    before = flow[i] + share * (flow[min(i + 1, flow.size - 1)] - flow[i])
    while i + 1 < flow.size:
        now, width = flow[i + 1], (1.0 - share) / rate_hz
        added = 0.5 * (max(before, 0.0) + max(now, 0.0)) * width
        if passed + added >= volume:
            part = (volume - passed) / added
            return (i + share) / rate_hz + part * width, before + part * (now - before)
        passed, share, before = passed + added, 0.0, now
        i += 1
    return math.nan, math.nan
