"""What the last 20 s of raw samples say of a repeat: whether gas moved before it, and how silent noise can be.

Compiled; plain scalar code that runs uncompiled too. Both functions run only where a repeat is suspected, so that the
samples of a sound signal cost next to nothing.
"""

from __future__ import annotations

import math

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

PAST_S = 20.0
"""So much is kept: a whole breath at four a minute."""
STUCK_S = 0.5
"""So long flow and pressure must repeat before they count as stuck. The longest seen in recordings while gas moved:
0.06 s."""
LONGEST_S = 2.0
"""Samples are held back no longer than this; nor is a packet longer."""
QUIET_SHARE = 0.05
"""Of peak flow: less than this is a hold or the end of an expiration, where a quantised signal may stand still."""
LEAST_FLOW, LEAST_PAW = 0.01, 1.0
"""L/s, cmH2O: a peak below it is none; nothing breathes, not even a newborn."""
STILL_SHARE, STILL_S = 0.02, 0.2
"""Of the peaks: what changed by less in so long may stand still by itself, as the end of a quantised decay does."""
BITS = 3.0
"""Changes of so many of a converter's steps are none."""
TURNS_S, MIN_TURNS_S, MIN_TURNS = 5.0, 0.5, 0.15
UNEVEN, FINE, FINE_PCO2 = 0.25, 1e-6, 1e-4
"""Steps to and fro that differ by less, as a share, may be one bit; smaller ones, as a share of the peak, or in mmHg,
rounding."""
LOG_CHANCE = math.log(1e-6)
"""Of the chance that noise, as it was in samples of the kind, is silent for so long."""
ENOUGH = 16
"""Changes from sample to sample, of all channels together, that come again to the last bit: one that may be one step
up, one down or none does so by chance once in 3 times, 16 once in 4·10⁷."""
NET_SHARE = 0.05
"""Of the gas that moved either way: a stretch that leaves less in the lung, or takes it out, may be a whole breath."""
NO, WAIT, YES = 0, 1, 2


@kernel
def limit_of(past: FloatArray, at: int, seen: int, rate_hz: float, has_paw: bool) -> float:  # noqa: FBT001
    """After how many repeats of the last sample something must be stuck; inf where it may stand still.

    Args:
        past: (3, size) flow, pressure and PCO2 of the last samples, in a circle.
        at: Column of the next sample.
        seen: Samples so far.
        rate_hz: Samples per second.
        has_paw: Whether there is pressure.
    """
    size = past.shape[1]
    count = min(seen, size)
    last = (at - 1) % size
    x = past[0, last]
    peak_x, peak_y = _peak(past[0], count), _peak(past[1], count)
    if peak_x < LEAST_FLOW:
        return math.inf
    bit_x, bit_y = _bit(past[0], at, count, FINE * peak_x), _bit(past[1], at, count, FINE * peak_y)
    n_still = STILL_S * rate_hz
    quiet = max(QUIET_SHARE * peak_x, BITS * bit_x)
    if has_paw and seen > 3.0 * n_still and abs(x) > quiet:
        half = max(int(0.5 * n_still), 1)
        moved_x = 2.0 * _moved(past[0], at, half) > max(STILL_SHARE * peak_x, BITS * bit_x)
        moved_y = 2.0 * _moved(past[1], at, half) > max(STILL_SHARE * peak_y, BITS * bit_y)
        if moved_x or moved_y:
            return STUCK_S * rate_hz
    turns = _turns(past, at, count, rate_hz, quiet, FINE * peak_x, FINE * peak_y)
    if turns < MIN_TURNS:
        return math.inf
    silent = LOG_CHANCE / math.log(max(1.0 - turns, 1e-6))
    return max(silent, STUCK_S * rate_hz) if silent <= LONGEST_S * rate_hz else math.inf


@kernel
def _peak(samples: FloatArray, count: int) -> float:
    """Largest magnitude; samples that are not finite are none."""
    peak = 0.0
    for k in range(count):
        if peak < abs(samples[k]) < math.inf:
            peak = abs(samples[k])
    return peak


@kernel
def _bit(samples: FloatArray, at: int, count: int, fine: float) -> float:
    """The smallest change between neighbours that is more than rounding; 0 where there is none."""
    size, bit = samples.size, math.inf
    for k in range(1, count):
        move = abs(samples[(at - k) % size] - samples[(at - k - 1) % size])
        if fine < move < bit:
            bit = move
    return bit if bit < math.inf else 0.0


@kernel
def _moved(samples: FloatArray, at: int, count: int) -> float:
    """By how much the mean of the last ``count`` differs from that of as many before."""
    newer = older = 0.0
    for k in range(1, count + 1):
        newer += samples[(at - k) % samples.size]
        older += samples[(at - k - count) % samples.size]
    return abs(newer - older) / count


@kernel
def _turns(  # noqa: PLR0917 (compiled: positions only)
    past: FloatArray, at: int, count: int, rate_hz: float, quiet: float, fine_x: float, fine_y: float
) -> float:
    """Share of samples at which flow or pressure turned, less two standard errors; 0 where there are too few.

    Of the newest at which flow is quiet if the last one is, else of those at which it is not: a sensor may be silent at
    no flow only.
    """
    size, known, turned = past.shape[1], 0, 0
    is_quiet = abs(past[0, (at - 1) % size]) <= quiet
    for k in range(1, count - 1):
        i, before, first = (at - k) % size, (at - k - 1) % size, (at - k - 2) % size
        if not abs(past[0, i]) < math.inf or (abs(past[0, i]) <= quiet) != is_quiet:
            continue
        known += 1
        x, y = past[0, i] - past[0, before], past[1, i] - past[1, before]
        if _turned(x, past[0, before] - past[0, first], fine_x) or _turned(y, past[1, before] - past[1, first], fine_y):
            turned += 1
        if known >= TURNS_S * rate_hz:
            break
    if known < MIN_TURNS_S * rate_hz:
        return 0.0
    share = turned / known
    return share - 2.0 * math.sqrt(share * (1.0 - share) / known)


@kernel
def _turned(step: float, before: float, fine: float) -> bool:
    """Whether noise moved a channel to and fro. The last bit alone may do so while most of the signal stands still."""
    larger = max(abs(step), abs(before))
    return step * before < 0.0 and larger > fine and abs(step + before) > UNEVEN * larger


@kernel
def packet(  # noqa: C901, PLR0912, PLR0917 (compiled: positions only)
    flow: FloatArray, paw: FloatArray, pco2: FloatArray, has_paw: bool, has_pco2: bool,  # noqa: FBT001
    past: FloatArray, at: int, seen: int, longest: int, least_x: float, least_y: float, fine_x: float, fine_y: float,
) -> tuple[int, int]:  # fmt: skip
    """Whether these samples are those of a moment ago, to the last bit, and from how many samples ago.

    They come again where flow or pressure has moved by more than ``least_x``, ``least_y`` in between: a signal that
    only comes back, breath after breath, has not. Noise that comes again is a copy. Without noise, breaths may be the
    same: a copy then ends where its packet did, and is no whole breath, after which the lung holds what it held.

    Args:
        flow: (n,) L/s; the first sample may be a copy.
        paw: (n,) cmH2O.
        pco2: (n,) mmHg.
        has_paw: Whether there is pressure.
        has_pco2: Whether there is PCO2.
        past: (3, size) samples before, in a circle.
        at: Column of the next sample.
        seen: Samples so far.
        longest: Samples in the longest packet.
        least_x: L/s.
        least_y: cmH2O.
        fine_x: L/s; smaller steps are rounding.
        fine_y: cmH2O.

    Returns:
        ``NO``, ``YES``, or ``WAIT`` for what follows; and how many samples lie between copies, 0 for none.
    """
    last, size = (at - 1) % past.shape[1], past.shape[1]
    x, y, first, circle = past[0, last], past[1, last], flow[0], past[0]
    for lag in range(2, min(longest, seen - 1) + 1):
        if circle[at - lag] != first:  # a negative place counts from the end
            continue
        j = (at - lag) % size
        if past[1, j] != paw[0]:
            continue
        if not (abs(x - past[0, j - 1]) > least_x or abs(y - past[1, j - 1]) > least_y):
            continue
        k = changes = turned = 0
        net = gross = 0.0
        while k < flow.size and k < lag + ENOUGH and turned < ENOUGH:
            a, b, c = flow[k - lag], paw[k - lag], pco2[k - lag]
            if k < lag:
                a, b, c = past[0, (j + k) % size], past[1, (j + k) % size], past[2, (j + k) % size]
                net, gross = net + a, gross + abs(a)
            if flow[k] != a or paw[k] != b or (pco2[k] != c and not (math.isnan(pco2[k]) and math.isnan(c))):
                break
            if 0 < k < lag:
                changes += 1 if flow[k] != flow[k - 1] else 0
                changes += 1 if has_paw and paw[k] != paw[k - 1] else 0
                changes += 1 if has_pco2 and pco2[k] != pco2[k - 1] and not math.isnan(c) else 0
            if k > 1:
                turned += 1 if _turned(flow[k] - flow[k - 1], flow[k - 1] - flow[k - 2], fine_x) else 0
                turned += 1 if has_paw and _turned(paw[k] - paw[k - 1], paw[k - 1] - paw[k - 2], fine_y) else 0
            k += 1
        if turned >= ENOUGH:
            return YES, lag
        if k == lag + ENOUGH:
            continue
        if k == flow.size:
            return WAIT, 0
        if k >= lag and changes >= ENOUGH and abs(net) > NET_SHARE * gross:
            return YES, lag
    return NO, 0


@kernel
def copy_so_far(  # noqa: PLR0917 (compiled: positions only)
    past: FloatArray, at: int, seen: int, longest: int, fine_x: float, fine_y: float,
    has_paw: bool, has_pco2: bool,  # noqa: FBT001
) -> tuple[int, int]:  # fmt: skip
    """Whether the last samples are noise of a moment ago, to the last bit: of how many samples ago, and how many.

    No jump shows where a packet begins at rest. What is seen instead is noise: ``ENOUGH`` uneven turns that come again.
    Breaths that are the same go on for longer than they lie apart; they are no copy.
    """
    size, end = past.shape[1], at - 1
    circle, x, y = past[0], past[0, end], past[1, end]
    is_noisy = False
    for i in range(end - 2, end + 1):
        is_noisy = is_noisy or _turns_at(circle, i, fine_x) or (has_paw and _turns_at(past[1], i, fine_y))
    if not is_noisy:
        return 0, 0  # of no noise nothing can be said, and of a quiet signal much is the same
    for lag in range(2, min(longest, seen // 2) + 1):
        if circle[end - lag] != x or past[1, end - lag] != y:  # a negative place counts from the end
            continue
        k = turned = 0
        while k < lag:
            i, j = (end - k) % size, (end - k - lag) % size
            if past[0, i] != past[0, j] or past[1, i] != past[1, j]:
                break
            if has_pco2 and past[2, i] != past[2, j] and not (math.isnan(past[2, i]) and math.isnan(past[2, j])):
                break
            turned += 1 if _turns_at(past[0], i, fine_x) else 0
            turned += 1 if has_paw and _turns_at(past[1], i, fine_y) else 0
            turned += 1 if has_pco2 and _turns_at(past[2], i, FINE_PCO2) else 0
            k += 1
        if k == lag:
            break
        if turned >= ENOUGH:
            return lag, k
    return 0, 0


@kernel
def _turns_at(samples: FloatArray, last: int, fine: float) -> bool:
    """Whether noise turned a channel in the three samples of a circle that end here."""
    step, before = samples[last] - samples[last - 1], samples[last - 1] - samples[last - 2]
    return _turned(step, before, fine)
