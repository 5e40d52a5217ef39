"""The loop over raw samples that tells a stuck recorder from a signal at rest, compiled. Floor 1, inside ``align``.

Plain scalar code that runs uncompiled too. State moves per sample, so the result does not depend on how a stream is
cut.
"""

from __future__ import annotations

import math
from typing import Any

from streamer.chunk import FloatArray
from streamer.jit import kernel

(
    SEEN, FLOW, PAW, PCO2, FLOW_STEP, PAW_STEP, RUN, PEAK_FLOW, PEAK_PAW, MEAN_FLOW, MEAN_PAW, TURNS, TURNS_N,
    FLOW_BIT, PAW_BIT, STATE_SIZE,
) = range(16)  # fmt: skip
"""Places of the state. ``SEEN``: samples so far; the last sample, and how it differs from the one before; ``RUN``: what
the repeats of the last sample are; largest flow and pressure of the last minute; means over the last 0.1 s, behind
which a slope is by half of what it does in 0.2 s; ``TURNS``: share of the last ``TURNS_N`` quiet samples at which flow
or pressure turned; ``FLOW_BIT``, ``PAW_BIT``: smallest change of the last minutes, 0 before the first."""
NO_RUN, STUCK, AT_REST = 0.0, 1.0, 2.0
STUCK_S = 0.5
"""So long flow and pressure must repeat before they count as stuck. The longest seen in recordings while gas moved:
0.06 s."""
LONGEST_S = 2.0
"""Samples are held back no longer than this."""
QUIET_SHARE = 0.05
"""Of peak flow: less than this is a hold or the end of an expiration, where a quantised signal may stand still."""
STILL_SHARE, STILL_S = 0.02, 0.2
"""Of the peaks: what changed by less in so long may stand still by itself, as the end of a quantised decay does."""
BITS = 3.0
"""Changes of so many of a converter's steps are none."""
PEAK_S, TURNS_S, MIN_TURNS_S, MIN_TURNS = 60.0, 5.0, 2.0, 0.15
UNEVEN, FINE = 0.25, 1e-6
"""Steps to and fro that differ by less, as a share, may be one bit; smaller ones, as a share of the peak, rounding."""
LOG_CHANCE = math.log(1e-6)
"""Of the chance that noise, as it was in quiet samples, is silent for so long."""


@kernel
def repeats(  # noqa: C901, PLR0912, PLR0915, PLR0917 (one state machine; compiled: positions only)
    flow: FloatArray, paw: FloatArray, pco2: FloatArray, rate_hz: float, state: FloatArray, stuck: Any
) -> int:
    """Find samples at which flow and pressure repeat the sample before, to the last bit, while gas should move.

    Args:
        flow: (n,) L/s.
        paw: (n,) cmH2O; empty where there is none.
        pco2: (n,) mmHg; empty where there is none.
        rate_hz: Samples per second.
        state: (STATE_SIZE,), continued; zeros at the beginning.
        stuck: (n,) of int8, zeros; gets 1 where a sample is missing, 2 where its PCO2 is too.

    Returns:
        How many samples are settled. Those behind repeat the last one of them; only what follows will tell.
    """
    n, has_paw, has_pco2 = flow.size, paw.size > 0, pco2.size > 0
    fade, follow = 1.0 - 1.0 / (PEAK_S * rate_hz), min(2.0 / (STILL_S * rate_hz), 1.0)
    most_turns, n_still = TURNS_S * rate_hz, STILL_S * rate_hz
    seen, x, y, z, dx, dy, run = state[0], state[1], state[2], state[3], state[4], state[5], state[6]
    peak_x, peak_y, mean_x, mean_y, turns, turns_n = state[7], state[8], state[9], state[10], state[11], state[12]
    bit_x, bit_y = state[13], state[14]
    i, settled = 0, -1
    while i < n:
        a = flow[i]
        b = paw[i] if has_paw else y
        if a == x and b == y and seen > 0.0:
            if run == NO_RUN:
                near_x = max(STILL_SHARE * peak_x, BITS * bit_x)
                near_y = max(STILL_SHARE * peak_y, BITS * bit_y)
                still = seen <= 3.0 * n_still or (2.0 * abs(x - mean_x) <= near_x and 2.0 * abs(y - mean_y) <= near_y)
                is_off = x == 0.0 and y == 0.0
                is_moving = has_paw and not still and abs(x) > max(QUIET_SHARE * peak_x, BITS * bit_x)
                limit = _limit(rate_hz, is_moving, is_off, turns, turns_n)
                end = i
                if limit < math.inf:
                    while end < n and end - i <= limit and flow[end] == x and (not has_paw or paw[end] == y):
                        end += 1
                if end - i > limit:
                    run = STUCK
                elif end == n:
                    settled = i
                    break
                else:
                    run = AT_REST
        else:
            run = NO_RUN
        if run == STUCK:
            stuck[i] = 1
            if has_pco2:
                stuck[i] = 2 if pco2[i] == z or math.isnan(pco2[i]) else 1
                z = pco2[i]
            i += 1
            continue
        da, db = a - x, b - y
        bit_x, bit_y = _bit(bit_x, abs(da), FINE * peak_x, fade), _bit(bit_y, abs(db), FINE * peak_y, fade)
        if abs(a) <= max(QUIET_SHARE * peak_x, BITS * bit_x):
            turns_n = min(turns_n + 1.0, most_turns)
            turned = _turned(da, dx, FINE * peak_x) or _turned(db, dy, FINE * peak_y)
            turns += ((1.0 if turned else 0.0) - turns) / turns_n
        if abs(a) + abs(b) < math.inf:
            mean_x += follow * (a - mean_x)
            mean_y += follow * (b - mean_y)
        peak_x *= fade
        peak_y *= fade
        if peak_x < abs(a) < math.inf:
            peak_x = abs(a)
        if peak_y < abs(b) < math.inf:
            peak_y = abs(b)
        if has_pco2:
            z = pco2[i]
        x, y, dx, dy = a, b, da, db
        seen += 1.0
        i += 1
    state[0], state[1], state[2], state[3], state[4], state[5], state[6] = seen, x, y, z, dx, dy, run
    state[7], state[8], state[9], state[10], state[11], state[12] = peak_x, peak_y, mean_x, mean_y, turns, turns_n
    state[13], state[14] = bit_x, bit_y
    return n if settled < 0 else settled


@kernel
def _bit(bit: float, move: float, fine: float, fade: float) -> float:
    """The smallest change so far, which is forgotten within some minutes."""
    if not fine < move < math.inf:
        return bit / fade
    return move if bit == 0.0 else min(bit / fade, move)


@kernel
def _turned(step: float, before: float, fine: float) -> bool:
    """Whether noise moved a channel to and fro. The last bit alone may do so while most of the signal stands still."""
    larger = max(abs(step), abs(before))
    return step * before < 0.0 and larger > fine and abs(step + before) > UNEVEN * larger


@kernel
def _limit(
    rate_hz: float,
    is_moving: bool,  # noqa: FBT001
    is_off: bool,  # noqa: FBT001
    turns: float,
    turns_n: float,
) -> float:
    """After how many repeats of the last sample something must be stuck; inf where it may stand still."""
    if is_off:
        return math.inf  # a device in standby, or without a signal
    if is_moving:
        return STUCK_S * rate_hz
    if turns_n < MIN_TURNS_S * rate_hz or turns < MIN_TURNS:
        return math.inf
    silent = LOG_CHANCE / math.log(max(1.0 - turns, 1e-6))
    return max(silent, STUCK_S * rate_hz) if silent <= LONGEST_S * rate_hz else math.inf
