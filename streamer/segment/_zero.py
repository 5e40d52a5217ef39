"""The zero of a flow sensor, and how far it may be off. Floor 1, inside ``segment``.

Three things show it (docs/algorithms.md §2.3): an occlusion, past which nothing flows; a standby at ambient pressure,
which drives nothing through a leak; and flow that is level at two pressures, since a leak grows with pressure and a
zero does not. What a lung may still give or take there is part of the doubt. The last two must agree with what breaths
gain and lose; a zero that nothing has shown is taken for none, and its doubt is unknown.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from streamer.segment._records import Sums

MIN_L_S, MAX_L_S, MAX_SEEN_L_S = 0.25 / 60.0, 5.0 / 60.0, 3.0 / 60.0
"""Offsets that are worth a correction, that a sensor may have, and that are believed without an occlusion: more is a
nebuliser, whose gas looks the same but for an occlusion."""
SAME_L_S = 0.4 / 60.0
"""Two levels that are the same."""
ENOUGH_HOLDS, NEWEST_HOLDS, ENOUGH_ENDS, ENOUGH_BREATHS = 3, 5, 3, 3
HELD_CMH2O = 2.0
"""An occlusion holds pressure above that of the end of expiration; an open circuit, through which base flow runs, holds
none."""
MIN_PAW = 1.0
"""Pressure of a hold against which a leak is reckoned, cmH2O."""
BREATHS = 20
"""Breaths whose levels are compared."""
APART = 0.4
"""Roots of pressure at which flow is compared, sqrt(cmH2O): 5 and 7 cmH2O, or 10 and 12.7."""
FLOOR_L_S, DEVIATIONS = 0.1 / 60.0, 2.0
MOST_DOUBT_L_S = 0.8 / 60.0
DRIFT = 0.1 / 60.0 / 60.0
"""What a zero may drift, L/s in a second: 0.1 L/min in a minute."""
RATIO = 0.05
"""What two sensors may differ by without a word."""
LONGEST, BENT = 0.75, 0.25
"""Ratio of two rises of flow above which it dies away too slowly to say how far; share of what is still to come that is
in doubt, for no lung has one time constant."""
BELOW_L_S = 0.5 / 60.0
"""Flow at the end of expiration so far below a zero denies it: no leak goes the other way."""


class Levels(NamedTuple):
    """What ``_levels.levels`` gives: L/s and cmH2O, NaN where there is none."""

    held: float
    held_paw: float
    end: float
    end_paw: float
    end_rises: tuple[float, float] = (0.0, 0.0)
    full: float = math.nan
    full_paw: float = math.nan
    full_rises: tuple[float, float] = (0.0, 0.0)


def levels_of(values: Sequence[float]) -> Levels:
    """From what the compiled ``levels`` gives."""
    held, held_paw, end, end_paw, *end_rises, full, full_paw, full_first, full_second = values
    return Levels(held, held_paw, end, end_paw, (end_rises[0], end_rises[1]), full, full_paw, (full_first, full_second))


class Level(NamedTuple):
    """At the end of a phase: root of pressure, flow, and how it rose over two thirds of its last half, L/s."""

    root: float
    flow: float
    earlier: float
    later: float


class Rest(NamedTuple):
    """What flow would still rise by until it is level, and the standard error of that, L/s."""

    rise: float
    error: float


class _Line(NamedTuple):
    """Flow at no pressure, and its doubt, L/s; conductance."""

    zero: float
    doubt: float
    conductance: float


class Zero:
    """What is taken off flow, L/s, and how far that may be off: NaN while nothing has shown it."""

    def __init__(self, breaths: int) -> None:
        self._held: deque[float] = deque(maxlen=breaths)
        self._ends: deque[Level] = deque(maxlen=BREATHS)
        self._fulls: deque[Level] = deque(maxlen=BREATHS)
        self._nets: deque[tuple[float, float, float, float]] = deque(maxlen=BREATHS)
        self._standby: tuple[float, float] | None = None
        self._found, self._doubt, self._age_s = 0.0, math.nan, 0.0
        self._scale = 1.0

    @property
    def value(self) -> float:
        """L/s."""
        return self._found if abs(self._found) >= MIN_L_S * self._scale and not abs(self._found) < self._doubt else 0.0

    @property
    def doubt(self) -> float:
        """L/s."""
        return self._doubt + DRIFT * self._scale * self._age_s + (0.0 if self.value else abs(self._found))

    def stood_by(self, flow: float, doubt: float) -> None:
        """A stretch without breaths at ambient pressure; believed once breaths agree."""
        if math.isfinite(flow):
            self._standby = flow, doubt

    def push(self, sums: Sums, levels: Levels, duration_s: float, scale: float = 1.0) -> None:
        """A complete breath; all flows shrink with the ``scale`` of the signal against an adult's."""
        self._scale = scale
        self._age_s += duration_s
        self._nets.append((sums.net, sums.root, duration_s, sums.vti))
        _add(self._ends, levels.end, levels.end_paw, levels.end_rises)
        _add(self._fulls, levels.full, levels.full_paw, levels.full_rises)
        if self._is_occlusion(levels):
            self._held.append(levels.held)
            if len(self._held) >= ENOUGH_HOLDS:
                self._hold()
        elif self._standby is not None and len(self._nets) >= ENOUGH_BREATHS:
            self._stand_by(self._standby[0], max(self._standby[1], FLOOR_L_S * scale))
        if math.isfinite(levels.end) and len(self._ends) >= ENOUGH_ENDS:
            self._compare()
        if not self._held and self._is_denied():
            self._found, self._doubt, self._standby = 0.0, math.nan, None

    def _is_occlusion(self, levels: Levels) -> bool:
        """What flows in an occlusion is the zero: gas that leaks then comes out of the lung, past a closed valve.

        Unless a ventilator goes on feeding the leak: then flow grows with the root of pressure, here and at the end.
        """
        rest = rest_of(self._ends, self._scale) if len(self._ends) >= ENOUGH_ENDS else Rest(0.0, 0.0)
        held, end = levels.held, levels.end + (math.nan if rest is None else rest.rise)
        floor = 0.0 if math.isnan(levels.end_paw) else levels.end_paw
        if math.isnan(held) or levels.held_paw - floor < HELD_CMH2O:
            return False
        fed = held * math.sqrt(max(levels.end_paw, 0.0) / max(levels.held_paw, MIN_PAW))
        same = min(SAME_L_S * self._scale, 0.5 * (held - fed))
        if abs(end - fed) <= same < abs(end - held):
            _add(self._fulls, held, levels.held_paw, (0.0, 0.0))
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
        nothing: deque[Level] = deque()
        for fulls in (nothing, self._fulls):
            line = line_of(self._ends, fulls, self._scale)
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
        error = math.sqrt(sum((net - mean) ** 2 for net in nets) / (len(nets) - 1) * len(nets))
        allowed = RATIO * sum(row[3] for row in self._nets) + DEVIATIONS * error + doubt * duration
        left = sum(nets) - (conductance or 0.0) * sum(row[1] for row in self._nets)
        return left >= -allowed and (conductance is None or left <= allowed)

    def _is_denied(self) -> bool:
        """Expirations end level, and below it."""
        ends = [*self._ends][-ENOUGH_ENDS:]
        if len(ends) < ENOUGH_ENDS or not self._found:
            return False
        rest = rest_of(self._ends, self._scale)
        level = median(one.flow for one in ends)
        return rest is not None and level + rest.rise + DEVIATIONS * rest.error < self._found - BELOW_L_S * self._scale


def _add(levels: deque[Level], flow: float, paw: float, rises: tuple[float, float]) -> None:
    if math.isfinite(flow):
        levels.append(Level(math.sqrt(max(paw, 0.0)), flow, *rises))


def rest_of(ends: Sequence[Level], scale: float = 1.0) -> Rest | None:
    """What is still to come of a flow that dies away: the rises of an exponential over equal times are in one ratio.

    None where that ratio is near to 1, and nothing tells how long it goes on.
    """
    first, first_error = mean_and_error([one.earlier for one in ends])
    second, error = mean_and_error([one.later for one in ends])
    if abs(first) < DEVIATIONS * first_error + FLOOR_L_S * scale:
        return Rest(0.0, 0.5 * LONGEST * LONGEST / (1.0 - LONGEST) * (abs(first) + DEVIATIONS * first_error))
    ratio = second / first
    if ratio > LONGEST:
        return None
    ratio = max(ratio, 0.0)
    by_second, by_first = ratio * (2.0 - ratio) / (1.0 - ratio) ** 2, (ratio / (1.0 - ratio)) ** 2
    rise = ratio * ratio / (1.0 - ratio) * first
    return Rest(rise, math.hypot(by_second * error, by_first * first_error, BENT * rise))


def line_of(ends: Sequence[Level], fulls: Sequence[Level], scale: float = 1.0) -> _Line | None:
    """Flow against the root of pressure, back to none; no line if pressures are alike, or a leak is < 0."""
    points = [*ends, *fulls]
    roots = [one.root for one in points]
    low, high, n = min(roots), max(roots), len(points)
    above = sum(one > 0.5 * (low + high) for one in roots)
    if high - low < APART or min(above, n - above) < ENOUGH_ENDS:
        return None
    at_end, at_full = rest_of(ends, scale), rest_of(fulls, scale) if fulls else Rest(0.0, 0.0)
    if at_end is None or at_full is None:
        return None
    flows = [one.flow + at_end.rise for one in ends] + [one.flow + at_full.rise for one in fulls]
    root, flow = sum(roots) / n, sum(flows) / n
    squares = sum((one - root) ** 2 for one in roots)
    g = sum((one - root) * (there - flow) for one, there in zip(roots, flows, strict=True)) / squares
    zero = flow - g * root
    left = sum((there - zero - g * one) ** 2 for one, there in zip(roots, flows, strict=True))
    spread = math.sqrt(left / (n - 2) / squares)
    lever = high / (high - low) if fulls else 1.0
    error = spread * math.hypot(root, math.sqrt(squares / n))
    error = math.hypot(error, lever * at_end.error, (lever - 1.0) * at_full.error)
    if g * low < -DEVIATIONS * math.hypot(spread * low, error) - FLOOR_L_S * scale:
        return None
    laminar = max(g, 0.0) * low * high / (low + high)
    return _Line(zero, FLOOR_L_S * scale + laminar + DEVIATIONS * error, g)


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error; of one value it is unknown: inf."""
    n = len(values)
    mean = sum(values) / n
    if n == 1:
        return mean, math.inf
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)


def median(values: Iterable[float]) -> float:
    """The middle one in order of size, or the mean of the two."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])
