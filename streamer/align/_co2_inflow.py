"""When fresh gas has passed the CO2 sensor: plain scalar code, compiled. Floor 1, inside ``align``."""

from __future__ import annotations

import math

from streamer.chunk import FloatArray
from streamer.jit import kernel

BEGIN_S, BEGUN = 0.06, 0.1
"""Inspiration begins where flow comes to a tenth of what it is soon after."""
RISE_S, EVEN, LONGEST_S = 0.03, 0.5, 0.15
"""Flow rises evenly where a third mean of such a time lies half as far above the second as that above the first; it has
done so for no longer than this."""


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
