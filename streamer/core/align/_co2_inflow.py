"""When fresh gas has passed the CO2 sensor: plain scalar code, compiled."""

from __future__ import annotations

import math

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

BEGIN_S, BEGUN = 0.06, 0.1
"""Inspiration begins where flow comes to a tenth of what it is soon after."""
RISE_S, QUICK_S, EVEN, LONGEST_S = 0.03, 0.01, 0.5, 0.15
"""Flow rises where, of three means of such a time, the first is below half of the third, which lies half as far above
the second as that above the first; it has done so for no longer than this."""


CHAMBERS = 9
"""How many chambers, from none to the largest, are tried."""
HALVINGS = 12


@kernel
def flush(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, onset: float, rate_hz: float, before: float, most: float, tau_s: float, out: FloatArray
) -> None:
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
        out: (CHAMBERS, 3), filled from no chamber to the largest: volume, L; when it has passed, seconds after sample
            0; the fall that it makes, as a time constant, s. NaN where so much is not inspired.
    """
    low, high = 0.0, most
    if not _fall_s(flow, onset, rate_hz, before, most) <= tau_s * math.log(3.0):
        for _ in range(HALVINGS):
            half = 0.5 * (low + high)
            if _fall_s(flow, onset, rate_hz, before, half) <= tau_s * math.log(3.0):
                low = half
            else:
                high = half
        high = low
    for k in range(CHAMBERS):
        out[k, 0] = high * k / (CHAMBERS - 1)
        out[k, 1] = flushed(flow, onset, rate_hz, before + out[k, 0])
        out[k, 2] = _fall_s(flow, onset, rate_hz, before, out[k, 0]) / math.log(3.0)


@kernel
def _fall_s(flow: FloatArray, onset: float, rate_hz: float, before: float, chamber: float) -> float:
    """From three quarters to one of what a mixed chamber of so many litres holds, s; NaN if it is not flushed."""
    first = flushed(flow, onset, rate_hz, before + math.log(4.0 / 3.0) * chamber)
    last = flushed(flow, onset, rate_hz, before + math.log(4.0) * chamber)
    return last - first


@kernel
def flushed(flow: FloatArray, onset: float, rate_hz: float, volume: float) -> float:
    """When ``volume`` (L) has been inspired, s after sample 0; NaN if it never is.

    ``flow`` (n,) L/s, each the mean of its interval, of which inspiration begins near ``onset``, in samples. Between
    samples it is taken for a straight line.
    """
    at, i, now = _begin(flow, onset, rate_hz)
    left = volume * rate_hz
    while i < flow.size:
        following, apart = max(flow[i], 0.0), i - at
        added = 0.5 * (now + following) * apart
        if added >= left:
            speed = (following - now) / apart if apart > 0.0 else 0.0
            whole = now + math.sqrt(max(now * now + 2.0 * speed * left, 0.0))
            return (at + (2.0 * left / whole if left > 0.0 else 0.0)) / rate_hz
        left, at, now, i = left - added, float(i), following, i + 1
    return math.nan


@kernel
def _begin(flow: FloatArray, onset: float, rate_hz: float) -> tuple[float, int, float]:
    """Where between samples inspiration begins, the next sample, and the flow at its beginning, L/s.

    A sample that flow begins in lies between the levels before and after it; how far, tells when. The crossing of a
    threshold lies up to a sample before: nothing where volumes are large, and all where a sensor holds 1 mL. Flow that
    rises slowly began where its rise leads back to, before it crossed any threshold.
    """
    first, size = max(math.ceil(onset), 1), flow.size
    if first + 1 < size and flow[first] < EVEN * flow[first + 1]:
        first += 1
    for rise_s in (RISE_S, QUICK_S):
        start = _led_back(flow, first, max(int(rise_s * rate_hz + 0.5), 1), LONGEST_S * rate_hz)
        if not math.isnan(start):
            return start, math.floor(start) + 1, 0.0
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
            return k + 0.5 - min(share, 1.0), k + 1, level
    return onset, first, level


@kernel
def _led_back(flow: FloatArray, first: int, width: int, longest: float) -> float:
    """Where between samples flow began that rises from ``first`` on, by a parabola through three means; NaN if not."""
    if first + 3 * width > flow.size:
        return math.nan
    one, two = _mean(flow, first, first + width), _mean(flow, first + width, first + 2 * width)
    three = _mean(flow, first + 2 * width, first + 3 * width)
    if not (three - two > EVEN * (two - one) and 0.0 < one < EVEN * three):
        return math.nan
    speed, bend = 0.5 * (three - one), 0.5 * (one - 2.0 * two + three)
    level = two - bend / 12.0
    root = math.sqrt(max(speed * speed - 4.0 * level * bend, 0.25 * speed * speed))
    back = 2.0 * level / (speed + root) * width - (1.5 * width - 0.5)
    return first - back if -1.0 < back < longest else math.nan


@kernel
def _mean(samples: FloatArray, first: int, last: int) -> float:
    """Mean of samples first to last (exclusive), of which there is at least one."""
    total = 0.0
    for i in range(first, last):
        total += samples[i]
    return total / (last - first)
