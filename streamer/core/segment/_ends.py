"""Flow at the ends of a phase over many breaths, and where it would come to rest.

What a lung still gives or takes there dies away; what leaks, or what a sensor adds, does not (docs/algorithms.md §2.3).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

BREATHS, ENOUGH = 20, 3
"""Ends that are remembered, and that are needed at each of two pressures."""
DEVIATIONS = 2.0
FLOOR_L_S = 0.1 / 60.0
"""Flow of an adult's sensor that is nothing."""
LONGEST, BENT = 0.75, 0.25
"""Ratio of two rises of flow above which it dies away too slowly to say how far; share of what is still to come that is
in doubt, for no lung has one time constant."""
APART = 0.4
"""Roots of pressure at which flow is compared, sqrt(cmH2O): 5 and 7 cmH2O, or 10 and 12.7."""


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


class Line(NamedTuple):
    """Flow at no pressure, and its doubt, L/s; conductance."""

    zero: float
    doubt: float
    conductance: float


class Ends:
    """Of one phase, in recent breaths."""

    def __init__(self, levels: Iterable[Level] = (), scale: float = 1.0) -> None:
        self.levels = deque(levels, maxlen=BREATHS)
        self._scale, self._is_known = scale, False
        self._rest: Rest | None = None

    @property
    def rest(self) -> Rest | None:
        """What is still to come; None where nothing says how far flow would go on."""
        if not self._is_known:
            self._rest = rest_of(self.levels, self._scale) if self.levels else Rest(0.0, math.inf)
            self._is_known = True
        return self._rest

    def add(self, flow: float, paw: float, rises: tuple[float, float], scale: float) -> None:
        """One more, unless there is none (NaN)."""
        if math.isfinite(flow):
            self.levels.append(Level(math.sqrt(max(paw, 0.0)), flow, *rises))
            self._scale, self._is_known = scale, False


def rest_of(levels: Sequence[Level], scale: float = 1.0) -> Rest | None:
    """What is still to come of a flow that dies away: the rises of an exponential over equal times are in one ratio.

    None where that ratio is near to 1, and nothing tells how long it goes on.
    """
    first, first_error = mean_and_error([one.earlier for one in levels])
    second, error = mean_and_error([one.later for one in levels])
    if not abs(first) >= DEVIATIONS * first_error + FLOOR_L_S * scale:
        return Rest(0.0, 0.5 * LONGEST * LONGEST / (1.0 - LONGEST) * (abs(first) + DEVIATIONS * first_error))
    ratio = second / first
    if ratio > LONGEST:
        return None
    ratio = max(ratio, 0.0)
    by_second, by_first = ratio * (2.0 - ratio) / (1.0 - ratio) ** 2, (ratio / (1.0 - ratio)) ** 2
    rise = ratio * ratio / (1.0 - ratio) * first
    return Rest(rise, math.hypot(by_second * error, by_first * first_error, BENT * rise))


def line_of(ends: Ends, fulls: Ends | None = None, scale: float = 1.0) -> Line | None:
    """Flow against the root of pressure, back to none; no line if pressures are alike, or a leak is < 0."""
    points = [*ends.levels, *(fulls.levels if fulls else ())]
    roots = [one[0] for one in points]
    low, high, n = min(roots), max(roots), len(points)
    if high - low < APART:
        return None
    above = sum(one > 0.5 * (low + high) for one in roots)
    at_end, at_full = ends.rest, fulls.rest if fulls else Rest(0.0, 0.0)
    if min(above, n - above) < ENOUGH or at_end is None or at_full is None:
        return None
    flows = [one.flow + at_end.rise for one in ends.levels]
    flows += [one.flow + at_full.rise for one in points[len(flows) :]]
    root, flow = sum(roots) / n, sum(flows) / n
    squares = sum([(one - root) ** 2 for one in roots])
    products = sum([(one - root) * (there - flow) for one, there in zip(roots, flows, strict=True)])
    g, total = products / squares, sum([(there - flow) ** 2 for there in flows])
    zero = flow - g * root
    spread = math.sqrt(max(total - g * products, 0.0) / (n - 2) / squares)
    lever = high / (high - low) if fulls else 1.0
    error = spread * math.hypot(root, math.sqrt(squares / n))
    error = math.hypot(error, lever * at_end.error, (lever - 1.0) * at_full.error)
    if g * low < -DEVIATIONS * math.hypot(spread * low, error) - FLOOR_L_S * scale:
        return None
    laminar = max(g, 0.0) * low * high / (low + high)
    return Line(zero, FLOOR_L_S * scale + laminar + DEVIATIONS * error, g)


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error; of one value it is unknown: inf."""
    n = len(values)
    mean = sum(values) / n
    if n == 1:
        return mean, math.inf
    return mean, math.sqrt(sum([(value - mean) ** 2 for value in values]) / (n - 1) / n)


def median(values: Iterable[float]) -> float:
    """The middle one in order of size, or the mean of the two."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])
