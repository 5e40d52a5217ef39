"""The loop over raw samples that finds what a recorder or a link wrote twice, compiled.

Plain scalar code that runs uncompiled too. State moves per sample, so the result does not depend on how a stream is
cut.
"""

from __future__ import annotations

import math
from typing import Any

from streamer.core.align._repeat_past import (
    FINE,
    LEAST_FLOW,
    LEAST_PAW,
    LONGEST_S,
    PAST_S,
    STUCK_S,
    WAIT,
    copy_so_far,
    limit_of,
    packet,
)
from streamer.core.align._spike import AFTER_N, HIGHER, MIN_RATE_HZ, SPIKE_SHARE, is_spike
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

__all__ = ["PAST_S", "SAME", "SPIKE", "STATE_SIZE", "repeats"]

(
    SEEN, RUN, LAG, PEAK_FLOW, PEAK_PAW, JUMP_FLOW, JUMP_PAW, TOP_FLOW, TOP_PAW, SUM_FLOW, SUM_PAW, COPIED, STATE_SIZE
) = range(13)  # fmt: skip
"""Places of the state. Samples so far; what the repeats of the last sample are; how many samples ago a packet came that
comes again; largest flow and pressure of the last minute; what is a jump; of this second so far, the largest magnitudes
and the sums of steps; how many samples of the packet came again."""
NO_RUN, STUCK, AT_REST = 0.0, 1.0, 2.0
SAME, SPIKE = 2, -1
"""Of a sample: missing in all channels; by itself, while PCO2 goes on, as for 1."""
LOOKS_PER_S = 10
"""So often is looked for a packet that began without a jump."""
PEAK_S = 60.0
JUMP_SHARE, JUMP_STEPS = 0.05, 4.0
"""Of the peak, and of the mean step of the last second: where a packet follows another that does not belong before it,
the signal jumps."""


@kernel
def repeats(  # noqa: C901, PLR0912, PLR0915, PLR0917 (one state machine; compiled: positions only)
    flow: FloatArray, paw: FloatArray, pco2: FloatArray, has_paw: bool, has_pco2: bool, rate_hz: float,  # noqa: FBT001
    state: FloatArray, past: FloatArray, stuck: Any,
) -> tuple[int, int]:  # fmt: skip
    """Find samples that are copies to the last bit while gas should move: of the sample before, or of a packet.

    Args:
        flow: (n,) L/s.
        paw: (n,) cmH2O; flow again where there is none.
        pco2: (n,) mmHg; flow again where there is none.
        has_paw: Whether there is pressure.
        has_pco2: Whether there is PCO2.
        rate_hz: Samples per second.
        state: (STATE_SIZE,), continued; zeros at the beginning.
        past: (3, ``PAST_S`` of samples), continued; zeros at the beginning.
        stuck: (n,) of int8, zeros; gets 1 where a sample is missing, ``SAME`` where its PCO2 is too, ``SPIKE``.

    Returns:
        How many samples are settled; those behind may be copies, only what follows will tell. How many are missing.
    """
    n, size, second = flow.size, past.shape[1], max(int(rate_hz), 1)
    longest, shortest = int(LONGEST_S * rate_hz), STUCK_S * rate_hz
    seen, run, lag = int(state[0]), state[1], int(state[2])
    peak_x, peak_y, least_x, least_y = state[3], state[4], state[5], state[6]
    top_x, top_y, sum_x, sum_y, copied = state[7], state[8], state[9], state[10], int(state[11])
    every = max(second // LOOKS_PER_S, 2)
    due = every - seen % every
    is_fast = rate_hz >= MIN_RATE_HZ
    at, until = seen % size, second - seen % second
    x, y, z = past[0, at - 1], past[1, at - 1], past[2, at - 1]
    i = kept = missing = 0
    settled = n
    while i < n:
        a, b = flow[i], paw[i]
        dx, dy = abs(a - x), abs(b - y)
        is_jump, is_run = dx > least_x or dy > least_y, dx == 0.0 and dy == 0.0
        if due == every or is_jump or is_run or lag or run != NO_RUN:
            for k in range(kept, i):
                past[0, at], past[1, at], past[2, at] = flow[k], paw[k], pco2[k]
                at = at + 1 if at + 1 < size else 0
            kept, z = i, past[2, at - 1]
            if lag and (copied >= lag or not _comes_again(a, b, pco2[i], past, at - lag)):
                lag = 0
            if due == every and not lag and seen > second:
                lag, copied = copy_so_far(past, at, seen, longest, FINE * peak_x, FINE * peak_y, has_paw, has_pco2)
                if lag and not _comes_again(a, b, pco2[i], past, at - lag):
                    lag = 0
            if is_jump and is_fast and not lag and seen > second:
                if i + AFTER_N >= n:
                    settled = i
                    break
                high_x = max(SPIKE_SHARE * max(peak_x, LEAST_FLOW), HIGHER * least_x)
                high_y = max(SPIKE_SHARE * max(peak_y, LEAST_PAW), HIGHER * least_y)
                if is_spike(past[0], at, flow, i, high_x) or is_spike(past[1], at, paw, i, high_y):
                    stuck[i] = SPIKE
                    missing += 1
                    past[0, at], past[1, at], past[2, at] = x, y, pco2[i]
                    at = at + 1 if at + 1 < size else 0
                    kept, a, b, dx, dy, is_jump, is_run = i + 1, x, y, 0.0, 0.0, False, False
            if not is_run:
                run = NO_RUN
            if lag:
                stuck[i] = SAME
                copied += 1
            elif is_run and seen:
                if run == NO_RUN:
                    run, end = AT_REST, i
                    if a != 0.0 or b != 0.0:  # else a device in standby, or without a signal
                        limit = shortest
                        end = _end(flow, paw, i, shortest)
                        if end - i > shortest:
                            limit = limit_of(past, at, seen, rate_hz, has_paw)
                            end = _end(flow, paw, i, limit) if limit < math.inf else i
                        if end - i > limit:
                            run = STUCK
                        elif end == n:
                            run, settled = NO_RUN, i
                            break
                if run == STUCK:
                    stuck[i] = SAME if _same(pco2[i], z) else 1
            elif is_jump and seen > second:
                answer, lag = packet(
                    flow[i:],
                    paw[i:],
                    pco2[i:],
                    has_paw,
                    has_pco2,
                    past,
                    at,
                    seen,
                    longest,
                    least_x,
                    least_y,
                    FINE * peak_x,
                    FINE * peak_y,
                )
                if answer == WAIT:
                    lag, settled = 0, i
                    break
                copied = 0
                if lag:
                    stuck[i] = SAME
                    copied = 1
            missing += 1 if stuck[i] > 0 else 0
        sum_x, sum_y = (sum_x + dx if dx < math.inf else sum_x), (sum_y + dy if dy < math.inf else sum_y)
        top_x, top_y = abs(a) if top_x < abs(a) < math.inf else top_x, abs(b) if top_y < abs(b) < math.inf else top_y
        x, y = a, b
        seen += 1
        i += 1
        until -= 1
        due = due - 1 if due > 1 else every
        if until == 0:
            fade = 1.0 - 1.0 / PEAK_S
            peak_x, peak_y, until = max(fade * peak_x, top_x), max(fade * peak_y, top_y), second
            least_x = max(JUMP_SHARE * max(peak_x, LEAST_FLOW), JUMP_STEPS * sum_x / second)
            least_y = max(JUMP_SHARE * max(peak_y, LEAST_PAW), JUMP_STEPS * sum_y / second)
            top_x = top_y = sum_x = sum_y = 0.0
    for k in range(kept, settled):
        past[0, at], past[1, at], past[2, at] = flow[k], paw[k], pco2[k]
        at = at + 1 if at + 1 < size else 0
    state[0], state[1], state[2] = seen, run, lag
    state[3], state[4], state[5], state[6] = peak_x, peak_y, least_x, least_y
    state[7], state[8], state[9], state[10], state[11] = top_x, top_y, sum_x, sum_y, copied
    return settled, missing


@kernel
def _comes_again(a: float, b: float, c: float, past: FloatArray, place: int) -> bool:
    """Whether a sample is the one at a place of the circle."""
    return _same(a, past[0, place]) and _same(b, past[1, place]) and _same(c, past[2, place])


@kernel
def _same(one: float, other: float) -> bool:
    """Equal to the last bit, or both missing."""
    return one == other or (math.isnan(one) and math.isnan(other))


@kernel
def _end(flow: FloatArray, paw: FloatArray, first: int, limit: float) -> int:
    """Where flow and pressure leave the values that they have at ``first``; not beyond ``limit`` samples."""
    end = first
    while end < flow.size and end - first <= limit and flow[end] == flow[first] and paw[end] == paw[first]:
        end += 1
    return end
