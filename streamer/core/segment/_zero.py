"""The zero of a flow sensor, and how far it may be off.

Three things show it (docs/algorithms.md §2.3): an occlusion, past which nothing flows; a standby at ambient pressure,
which drives nothing through a leak; and flow that is level at two pressures, since a leak grows with pressure and a
zero does not. What a lung may still give or take there is part of the doubt. The last two must agree with what breaths
gain and lose; a zero that nothing has shown is taken for none, and its doubt is unknown.
"""

from __future__ import annotations

import math
from collections import deque

from streamer.core.segment._ends import BREATHS, DEVIATIONS, ENOUGH, FLOOR_L_S, Ends, Levels, line_of, median
from streamer.core.segment._state import Sums

MIN_L_S, MAX_L_S, MAX_SEEN_L_S = 0.25 / 60.0, 5.0 / 60.0, 3.0 / 60.0
"""Offsets that are worth a correction, that a sensor may have, and that are believed without an occlusion: more is a
nebuliser, whose gas looks the same but for an occlusion."""
SAME_L_S = 0.4 / 60.0
"""Two levels that are the same."""
ENOUGH_HOLDS, NEWEST_HOLDS, ENOUGH_BREATHS = 3, 5, 3
STANDS_OUT = 1.5
"""Times its doubt that a zero must be, to be taken off."""
COMPARED_EVERY = 4
"""Breaths from one comparison of pressures to the next, once there are many."""
HELD_CMH2O = 2.0
"""An occlusion holds pressure above that of the end of expiration; an open circuit, through which base flow runs, holds
none."""
MIN_PAW = 1.0
"""Pressure of a hold against which a leak is reckoned, cmH2O."""
MOST_DOUBT_L_S = 0.8 / 60.0
DRIFT = 0.1 / 60.0 / 60.0
"""What a zero may drift, L/s in a second: 0.1 L/min in a minute."""
RATIO = 0.05
"""What two sensors may differ by without a word."""
BELOW_L_S = 0.5 / 60.0
"""Flow at the end of expiration so far below a zero denies it: no leak goes the other way."""


class Zero:
    """What is taken off flow, L/s, and how far that may be off: NaN while nothing has shown it."""

    def __init__(self, breaths: int) -> None:
        self._held: deque[float] = deque(maxlen=breaths)
        self.ends, self._fulls = Ends(), Ends()
        self._number = 0
        self._nets: deque[tuple[float, float, float, float]] = deque(maxlen=BREATHS)
        self._standby: tuple[float, float] | None = None
        self._found, self._doubt, self._age_s = 0.0, math.nan, 0.0
        self._scale = 1.0

    @property
    def value(self) -> float:
        """L/s."""
        return (
            self._found
            if abs(self._found) >= MIN_L_S * self._scale and not abs(self._found) < STANDS_OUT * self._doubt
            else 0.0
        )

    @property
    def doubt(self) -> float:
        """L/s."""
        return self._doubt + DRIFT * self._scale * self._age_s + (0.0 if self.value else abs(self._found))

    def stood_by(self, flow: float, doubt: float) -> None:
        """Flow of a stretch at ambient pressure, or a zero of before a gap; believed once breaths agree."""
        if math.isfinite(flow + doubt):
            self._standby = flow, doubt

    def add(self, sums: Sums, levels: Levels, duration_s: float, scale: float = 1.0) -> None:
        """A complete breath; all flows shrink with the ``scale`` of the signal against an adult's."""
        self._scale = scale
        self._age_s += duration_s
        self._nets.append((sums.net, sums.root, duration_s, sums.vti))
        self._number += 1
        self.ends.add(levels.end, levels.end_paw, levels.end_rises, scale)
        self._fulls.add(levels.full, levels.full_paw, levels.full_rises, scale)
        if self._is_occlusion(levels):
            self._held.append(levels.held)
            if len(self._held) >= ENOUGH_HOLDS:
                self._hold()
        elif self._standby is not None and len(self._nets) >= ENOUGH_BREATHS:
            self._stand_by(self._standby[0], max(self._standby[1], FLOOR_L_S * scale))
        is_due = self._number <= BREATHS or self._number % COMPARED_EVERY == 0
        if is_due and len(self.ends.levels) >= ENOUGH:
            self._compare()
        if not self._held and self._is_denied():
            self._found, self._doubt, self._standby = 0.0, math.nan, None

    def _is_occlusion(self, levels: Levels) -> bool:
        """What flows in an occlusion is the zero: gas that leaks then comes out of the lung, past a closed valve.

        Unless a ventilator goes on feeding the leak: then flow grows with the root of pressure, here and at the end.
        """
        floor = 0.0 if math.isnan(levels.end_paw) else levels.end_paw
        if math.isnan(levels.held) or levels.held_paw - floor < HELD_CMH2O:
            return False
        rest = self.ends.rest
        held, end = levels.held, levels.end + (math.nan if rest is None else rest.rise)
        fed = held * math.sqrt(max(levels.end_paw, 0.0) / max(levels.held_paw, MIN_PAW))
        same = min(SAME_L_S * self._scale, 0.5 * (held - fed))
        if abs(end - fed) <= same < abs(end - held):
            self._fulls.add(held, levels.held_paw, (0.0, 0.0), self._scale)
            return False
        return True

    def _hold(self) -> None:
        newest = [*self._held][-NEWEST_HOLDS:]
        found = median(newest)
        if abs(found) > MAX_L_S * self._scale:
            self._found, self._doubt = 0.0, math.nan
            return
        apart = max(abs(one - found) for one in newest)
        self._found, self._doubt, self._age_s = found, FLOOR_L_S * self._scale + apart, 0.0

    def _stand_by(self, flow: float, doubt: float) -> None:
        if abs(flow) <= MAX_SEEN_L_S * self._scale and self._agrees(flow, doubt, None):
            self._found, self._doubt, self._age_s = flow, doubt, 0.0
        self._standby = None if len(self._nets) >= 2 * ENOUGH_BREATHS else self._standby

    def _compare(self) -> None:
        """Level flow at two pressures: at the ends of expiration, or of inspirations too."""
        for fulls in (None, self._fulls):
            line = line_of(self.ends, fulls, self._scale)
            known = math.inf if math.isnan(self._doubt) else self.doubt
            if (
                line is None
                or line.doubt > min(MOST_DOUBT_L_S * self._scale, known)
                or abs(line.zero) > MAX_SEEN_L_S * self._scale
            ):
                continue
            if self._agrees(line.zero, line.doubt, line.conductance):
                self._found, self._doubt, self._age_s = line.zero, line.doubt, 0.0

    def _agrees(self, zero: float, doubt: float, conductance: float | None) -> bool:
        """What breaths gain and lose is this zero and a leak, as far as sensors agree; None: any leak."""
        nets = [net - zero * duration for net, _, duration, _ in self._nets]
        duration = sum(row[2] for row in self._nets)
        mean = sum(nets) / len(nets)
        error = math.sqrt(sum([(net - mean) ** 2 for net in nets]) / (len(nets) - 1) * len(nets))
        allowed = RATIO * sum(row[3] for row in self._nets) + DEVIATIONS * error + doubt * duration
        left = sum(nets) - (conductance or 0.0) * sum(row[1] for row in self._nets)
        return left >= -allowed and (conductance is None or left <= allowed)

    def _is_denied(self) -> bool:
        """Expirations end level, and below it."""
        if len(self.ends.levels) < ENOUGH or not self._found or (rest := self.ends.rest) is None:
            return False
        newest = [*self.ends.levels][-ENOUGH:]
        level = median(one.flow for one in newest) + rest.rise
        return level + DEVIATIONS * rest.error < self._found - BELOW_L_S * self._scale
