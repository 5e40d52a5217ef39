"""Which end-tidal PCO2 a capnogram by itself shows of a breath."""

from __future__ import annotations

import math

from streamer.core.align.capnogram import Capnogram, Fall
from streamer.model.breath import NO_CAPNOGRAPH, Breath, Capnograph

MAX_AGE_S = 15.0
"""An end-tidal PCO2 older than this at the end of a breath is not of this breath."""
LOOK_BACK_S, ALIKE_MMHG = 6.0, 1.5
"""While the delay is not known, an end-tidal PCO2 is this breath's if that of no other breath so near differs more."""
EARLY_S, LATE_S = 0.15, 0.6
"""A fall so much after the beginning of expiration, and before its end, is none of inspiration, which gas that is drawn
begins half a second before the valve at most: other gas passes the sensor, and the end of expiration was not seen."""
EMPTYING_S, UNSEEN_MMHG = 0.6, 1.5
"""Time constant with which lungs empty, about: as flow dies away so, PCO2 that rises at some speed rises by so many
times that speed yet, unseen. How much of that is allowed; where it falls so fast, other gas comes in."""
SLOWEST_S = 0.5
"""Time constant of the slowest fall that a sensor makes, by far: slower ones are gas that is diluted bit by bit."""
TOLD_SOON_S = 0.1
"""Time constant of falls that are known before a breath leaves: where none came after its inspiration, the last one is
another breath's, as after a double trigger. Slower ones may be still to come."""
DILUTED = 0.8
"""Of the highest of the same breath: an end so far below it is diluted."""


def shown_of(breath: Breath, capnogram: Capnogram, until_s: float, delay_s: float, *, is_prompt: bool) -> Capnograph:
    """What the last fall that was known by ``until_s`` tells of a breath; without its end-tidal if that is not its own.

    Args:
        breath: Whose.
        capnogram: Where to look.
        until_s: On its clock.
        delay_s: Of the capnogram; NaN while it is not known.
        is_prompt: It hardly has one.
    """
    seen = capnogram.last_fall(until_s)
    if seen is None or seen.told_s < breath.end_s - MAX_AGE_S:
        return NO_CAPNOGRAPH
    falls = capnogram.falls(breath.start_s - LOOK_BACK_S, until_s)
    unseen = seen.to_rise / seen.tau_s * EMPTYING_S
    is_its_own = unseen > -UNSEEN_MMHG and seen.tau_s < SLOWEST_S and (not math.isnan(delay_s) or _are_alike(falls))
    shown = seen.shown()
    if is_prompt or not math.isnan(delay_s):
        due_s = breath.insp_end_s + (0.0 if math.isnan(delay_s) else delay_s)
        own = [fall for fall in falls if fall.at_s > due_s]
        is_its_own = is_its_own and _ends(breath, seen, own, due_s)
        lowest = min(own, key=_inspired, default=seen)
        shown = shown._replace(inspired=lowest.inspired, to_fall=lowest.to_fall)
    return shown if is_its_own else shown._replace(end_tidal=math.nan)


def _inspired(fall: Fall) -> float:
    """Hearts draw fresh gas past the sensor for a moment: its level is none of inspiration, which is lower."""
    return fall.inspired


def _are_alike(falls: list[Fall]) -> bool:
    ends = [fall.end_tidal for fall in falls]
    return max(ends, default=0.0) - min(ends, default=0.0) <= ALIKE_MMHG


def _ends(breath: Breath, seen: Fall, own: list[Fall], due_s: float) -> bool:
    """Whether a fall is that of the inspiration after a breath, and of gas that was not diluted before it.

    ``own``: falls of this breath's expiration, which began at ``due_s`` on the capnogram's clock.
    """
    after_s, before_s = seen.at_s - due_s, breath.end_s - breath.insp_end_s + due_s - seen.at_s
    highest = max((fall.end_tidal for fall in own), default=seen.end_tidal)
    is_early = after_s > EARLY_S and before_s > LATE_S
    is_of_another = after_s < 0.0 and seen.tau_s < TOLD_SOON_S
    unseen = seen.to_rise / seen.tau_s * EMPTYING_S
    return not is_of_another and not (is_early and unseen > UNSEEN_MMHG) and seen.end_tidal >= DILUTED * highest
