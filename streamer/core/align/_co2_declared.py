"""A declared delay of the capnogram: what it says of one that was found, and when it stands in.

What is declared is how long gas takes; the sensor's own response comes on top, and is no longer than its falls, or
what was declared of its rise. Where inspiration begins slowly, onsets scatter by tens of milliseconds and a declared
delay is the better one: it is believed where falls come as it says, within what the onsets leave in doubt.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from streamer.core.align._quantile import quantile
from streamer.model.context import Context

MEMORY, ENOUGH = 20, 5
MIN_MATCHED = 0.8
AGREES_S = 0.020
RISE_KNOWN = 0.15
"""Of a declared time constant: how well it is known."""
WIDTH_KNOWN = 0.1
"""Of the width of a fall: how well it is known."""
SEEN_LATE_S = 0.010
"""Flow that begins gently is seen to begin so much too late, never too early."""
MAINSTREAM_S = 0.09
"""A mainstream sensor's rise from 10 to 90 % is no longer (algorithms §6.1), or it is declared."""


class Found(NamedTuple):
    """Of one breath: the delay by its fall for the middle chamber, and what it may be for others. Seconds.

    ``placed_s``: how well the onset is placed; ``fall_tau_s``: the fall, as the time constant of a sensor that would
    fall so; ``chambers``: from none to the largest, how much later than the middle one each has passed, and the fall
    that it makes.
    """

    delay_s: float
    placed_s: float
    fall_tau_s: float
    chambers: tuple[tuple[float, float], ...]


class Declared:
    """What the context says of one bed's delay, and whether falls agree.

    A mainstream sensor in the ventilator's own stream is declared by that: its delay is what it responds by.
    """

    def __init__(self, context: Context) -> None:
        self._delay_s = context.co2_delay_s
        self._most_s = MAINSTREAM_S / math.log(9.0) if context.co2_kind == "mainstream" else math.inf
        self._tau_s = None if context.co2_rise_s is None else context.co2_rise_s / math.log(9.0)
        self._apart: deque[tuple[float, float]] = deque(maxlen=MEMORY)

    def between(self, fall_tau_s: float, known_s: float | None) -> tuple[float, float] | None:
        """From when to when gas can be shown on average, s after it came; None where no delay is known."""
        if known_s is None:
            return None
        if self._tau_s is not None and self._shows_rise(fall_tau_s):
            return known_s + self._tau_s * (1.0 - RISE_KNOWN), known_s + self._tau_s * (1.0 + RISE_KNOWN)
        return known_s, known_s + min(fall_tau_s, self._most_s)

    def _shows_rise(self, fall_tau_s: float) -> bool:
        """Whether a rise was declared that falls are no faster than."""
        return self._tau_s is not None and self._tau_s * (1.0 - RISE_KNOWN) <= fall_tau_s

    def _unknown(self, found: Found, delays: list[float], left: list[float]) -> tuple[float, float, float]:
        """What the fall alone tells: any chamber, or that which leaves the response that was declared."""
        low_s, high_s, tau_s = delays[-1], delays[0], left[-1]
        if self._tau_s is not None:
            told = _between(delays, left, self._tau_s * (1.0 - RISE_KNOWN), self._tau_s * (1.0 + RISE_KNOWN))
            if told[0] <= told[1]:
                (low_s, high_s), tau_s = told, self._tau_s
        return 0.5 * (low_s + high_s), 0.5 * (high_s - low_s) + found.placed_s, tau_s

    def settled(self, found: Found, *, is_prompt: bool) -> tuple[float, float, float]:
        """A delay that was found, its doubt, and the sensor's time constant, s, with what is known of the sensor.

        Any chamber may have made the fall, and what it leaves of that is the sensor's response. Where the delay is
        known, both together have to explain how late the fall comes, too. Where none does since it comes too late,
        nothing is known of the delay. Where it comes too early, gas went in before flow was seen to begin, or flow
        itself is late; which, nothing tells.

        Args:
            found: Of one breath.
            is_prompt: The sensor is a mainstream one in the ventilator's own stream.
        """
        known_s = 0.0 if self._delay_s is None and is_prompt else self._delay_s
        delays = [found.delay_s - later_s for later_s, _ in found.chambers]
        last_s, first_s = delays[0], delays[-1]
        square = found.fall_tau_s**2
        left = [math.sqrt(max(square - tau_s * tau_s, 0.0)) for _, tau_s in found.chambers]
        plain = self._unknown(found, delays, left)
        if known_s is None:
            return plain
        both = self.between(found.fall_tau_s, known_s)
        if both is not None and self._shows_rise(found.fall_tau_s):
            is_other = first_s > both[1] or (both[0] - last_s > AGREES_S and not is_prompt)
            return plain if is_other else (0.5 * (both[0] + both[1]), 0.5 * (both[1] - both[0]), left[-1])
        offs = [one - known_s - response_s for one, response_s in zip(delays, left, strict=True)]
        slack_s = found.placed_s + WIDTH_KNOWN * found.fall_tau_s
        if max(offs) < -slack_s - SEEN_LATE_S:
            high_s = known_s + left[0]
            is_other = known_s - last_s > AGREES_S and not is_prompt
            if is_other:
                return plain
            return 0.5 * (first_s + high_s), 0.5 * (high_s - first_s) + found.placed_s, 0.5 * left[0]
        prompt = [k for k, one in enumerate(left) if self._delay_s is not None or one <= self._most_s]
        tried = slice(prompt[0], None) if prompt else slice(0)
        low_s, high_s = _between(left[tried], offs[tried], -slack_s - SEEN_LATE_S, slack_s)
        if low_s > high_s:
            return plain
        low_s = math.sqrt(max(low_s**2 - 2.0 * WIDTH_KNOWN * found.fall_tau_s**2, 0.0))
        middle_s = 0.5 * (low_s + high_s)
        return known_s + middle_s, 0.5 * (high_s - low_s) + found.placed_s, middle_s

    def add(self, apart_s: float, doubt_s: float) -> None:
        """Add by how much a breath's fall was late, counted from the declared delay; NaN where there was none."""
        self._apart.append((apart_s, doubt_s))

    def agrees(self) -> bool:
        """Whether most recent falls come when they should, and their median does within what is in doubt."""
        known = [one for one in self._apart if not math.isnan(one[0])]
        if len(self._apart) < ENOUGH or len(known) < MIN_MATCHED * len(self._apart):
            return False
        apart_s, doubt_s = (quantile(sorted(column), 0.5) for column in zip(*known, strict=True))
        return abs(apart_s) <= max(AGREES_S, doubt_s)


def _between(values: list[float], offs: list[float], least: float, most: float) -> tuple[float, float]:
    """The smallest and the largest value of a curve where it is off by ``least`` to ``most``; inf, -inf if nowhere."""
    found: list[float] = []
    one, off = next(zip(values, offs, strict=True), (math.nan, math.nan))
    for other, next_off in zip(values[1:], offs[1:], strict=True):
        if not ((off < least and next_off < least) or (off > most and next_off > most)):
            for at, level in ((one, off), (other, next_off)):
                if least <= level <= most:
                    found.append(at)
                else:
                    inside = least if level < least else most
                    found.append(one + (inside - off) / (next_off - off) * (other - one))
        one, off = other, next_off
    return (min(found), max(found)) if found else (math.inf, -math.inf)
