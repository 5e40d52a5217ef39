"""A declared delay of the capnogram: what it says of one that was found, and when it stands in. Floor 1, in ``align``.

What is declared is how long gas takes; the sensor's own response comes on top, and is no longer than its falls, or
what was declared of its rise. Where inspiration begins slowly, onsets scatter by tens of milliseconds and a declared
delay is the better one: it is believed where falls come as it says, within what the onsets leave in doubt.
"""

from __future__ import annotations

import math
from collections import deque

from streamer.align._quantile import quantile
from streamer.context import Context

MEMORY, ENOUGH = 20, 5
MIN_MATCHED = 0.8
AGREES_S = 0.020
CHAMBER_S = 0.010
RISE_KNOWN = 0.15
"""Of a declared time constant: how well it is known."""
MAINSTREAM_S = 0.09
"""A mainstream sensor's rise from 10 to 90 % is no longer (algorithms §6.1), or it is declared."""


class Declared:
    """What the context says of one bed's delay, and whether falls agree."""

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

    def narrowed(self, delay_s: float, later_s: float, placed_s: float, fall_tau_s: float) -> tuple[float, float]:
        """A delay that was found and its doubt, s, narrowed by a declared one that agrees with it.

        It may be more by ``later_s`` if the sensor has no chamber. Most have, so that half of it is the doubt; all but
        10 ms of it where inspiration begins so slowly that no experience with sensors helps.
        """
        found = delay_s, max(later_s / 2.0, later_s - CHAMBER_S) + placed_s
        span = self.between(fall_tau_s)
        if span is None:
            return found
        low, high = max(span[0], delay_s - placed_s), min(span[1], delay_s + later_s + placed_s)
        return (0.5 * (low + high), 0.5 * (high - low)) if low <= high else found

    def doubt_s(self, delay_s: float, doubt_s: float, placed_s: float, response_s: float) -> float:
        """That of a sensor in the ventilator's own stream, whose delay is none if none was declared.

        It cannot be chance that what was found is no more than the sensor's own response takes.
        """
        return doubt_s if self._delay_s is not None else min(doubt_s, math.hypot(delay_s - response_s, placed_s))

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
