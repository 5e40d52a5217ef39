"""A declared delay of the capnogram: what it says of one that was found, and when it stands in. Floor 1, in ``align``.

What is declared is how long gas takes; the sensor's own response comes on top, and is no longer than its falls, or
what was declared of its rise. Where inspiration begins slowly, onsets scatter by tens of milliseconds and a declared
delay is the better one: it is believed where falls come as it says, within what the onsets leave in doubt.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from streamer.align._quantile import quantile
from streamer.context import Context

MEMORY, ENOUGH = 20, 5
MIN_MATCHED = 0.8
AGREES_S = 0.020
RISE_KNOWN = 0.15
"""Of a declared time constant: how well it is known."""
BOTH = math.sqrt(2.0)
"""Of the width of a fall, as a time constant: chamber and response make it later by no more than that, together."""
MAINSTREAM_S = 0.09
"""A mainstream sensor's rise from 10 to 90 % is no longer (algorithms §6.1), or it is declared."""


class Found(NamedTuple):
    """Of one breath: the delay by its fall for the middle chamber, how far it is from that for the largest, or none.

    ``placed_s``: how well the onset is placed. ``fall_tau_s``: the fall, as the time constant of a sensor that would
    fall so; ``response_s``: what the largest chamber leaves of it to the sensor. Seconds.
    """

    delay_s: float
    half_s: float
    placed_s: float
    fall_tau_s: float
    response_s: float


class Declared:
    """What the context says of one bed's delay, and whether falls agree.

    A mainstream sensor in the ventilator's own stream is declared by that: its delay is what it responds by.
    """

    def __init__(self, context: Context) -> None:
        self._delay_s = context.co2_delay_s
        self._most_s = MAINSTREAM_S / math.log(9.0) if context.co2_kind == "mainstream" else math.inf
        self._tau_s = None if context.co2_rise_s is None else context.co2_rise_s / math.log(9.0)
        self._apart: deque[tuple[float, float]] = deque(maxlen=MEMORY)

    def between(self, fall_tau_s: float) -> tuple[float, float] | None:
        """From when to when gas can be shown on average, s after it came; None where no delay was declared."""
        if self._delay_s is None:
            return None
        if self._tau_s is not None and self._tau_s * (1.0 - RISE_KNOWN) <= fall_tau_s:
            return self._delay_s + self._tau_s * (1.0 - RISE_KNOWN), self._delay_s + self._tau_s * (1.0 + RISE_KNOWN)
        return self._delay_s, self._delay_s + min(fall_tau_s, self._most_s)

    def settled(self, found: Found, *, is_prompt: bool) -> tuple[float, float]:
        """A delay that was found, and its doubt, s, with what is known of the sensor.

        The delay may be that of any chamber: the middle, and half of the difference is in doubt. A known one bounds it.
        Falls cannot come before the sensor responds: where they seem to, gas went in before flow was seen to begin, or
        flow itself is late; which, nothing tells.

        Args:
            found: Of one breath.
            is_prompt: The sensor is a mainstream one in the ventilator's own stream.
        """
        plain = found.delay_s, found.half_s + found.placed_s
        span = self.between(found.fall_tau_s)
        first_s, last_s = found.delay_s - plain[1], found.delay_s + plain[1]
        if span is None and is_prompt:
            high_s = min(found.fall_tau_s, self._most_s)
            span = min(found.response_s, high_s), high_s
            if last_s > BOTH * high_s + found.placed_s:
                return plain
        if span is None or first_s > span[1]:
            return plain
        low_s, high_s = span
        is_early = low_s - last_s > (0.0 if self._delay_s is None else AGREES_S)
        if is_early and not is_prompt:
            return plain
        is_known = self._delay_s is not None and self._tau_s is not None
        if is_early or not is_known:
            low_s = first_s if is_early else max(low_s, first_s)
        placed_s = 0.0 if is_known else found.placed_s
        return 0.5 * (low_s + high_s), 0.5 * (high_s - low_s) + placed_s

    def push(self, apart_s: float, doubt_s: float) -> None:
        """Add by how much a breath's fall was late, counted from the declared delay; NaN where there was none."""
        self._apart.append((apart_s, doubt_s))

    def agrees(self) -> bool:
        """Whether most recent falls come when they should, and their median does within what is in doubt."""
        known = [one for one in self._apart if not math.isnan(one[0])]
        if len(self._apart) < ENOUGH or len(known) < MIN_MATCHED * len(self._apart):
            return False
        apart_s, doubt_s = (quantile(sorted(column), 0.5) for column in zip(*known, strict=True))
        return abs(apart_s) <= max(AGREES_S, doubt_s)
