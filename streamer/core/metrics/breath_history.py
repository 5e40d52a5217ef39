"""What recent breaths of a bed say about the next one. Between two calls of ``measure``.

A passive lung on a ventilator repeats itself: one elastance, one period. Efforts do not. A breath alone can hide an
effort that bends nothing (a ramp under square flow, a plateau under constant pressure); its neighbours seldom do.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.running_median import middle
from streamer.model.breath import Breath

MEMORY, VOLUMES, RATIOS = 8, 20, 16
MOST = 2.0 / 3.0
"""Share of the fits that have to be there: noise that leaves some without a solution bends the others, too."""
ENOUGH = 3
ENOUGH_PERIODS = 5
MIN_SIZE = 0.25
"""A breath of less than a quarter of the largest recent one is none: some ventilators blow in gas to keep PEEP."""
UNSETTLED = 0.10
DOUBT = (3.0, 1.33, 0.89, 2.03, 1.26, 0.9, 0.74, 0.61, 0.54, 0.72, 0.63, 0.54, 0.5, 0.45)
"""How far the median of three, four, … values is off in one of a hundred cases, over the width of their range without
the outermost sixth at either end, where they differ as normal noise does [N]."""
NORMAL = 1.4826
"""Median absolute deviation → standard deviation of normal noise."""


class Ratio(NamedTuple):
    """Median of one elastance over another in recent breaths, and how far it may be off; NaN: not known."""

    middle: float = math.nan
    doubt: float = math.nan


class RecentBreaths(NamedTuple):
    """Medians over up to eight breaths before this one, and their spread (as a share; from absolute deviations).

    ``breaths`` counts them. ``elastance`` is each breath's own estimate, trusted or not (a breath without one is far
    off); ``error`` its median standard error as a share. ``unclosed``: share of the inspired volume that did not come
    back; ``period_spread``: how much shorter than their median periods are, but for one; ``efforts``: share of the
    breaths in which the patient was seen to breathe. ``hold_crs``: the last compliance from a hold, mL/cmH2O, measured
    in the breath that ended at ``hold_at_s``. ``volumes``: inspired and expired volume of up to twenty breaths, L.
    ``unsettled``: breaths whose volumes differ by a tenth more, or less, than the others'.
    ``tube``, ``free``: elastance of the fits with turbulence, and with relaxation too, over each breath's own, from up
    to sixteen breaths.
    """

    breaths: int = 0
    elastance: float = math.nan
    spread: float = math.nan
    error: float = math.nan
    period_spread: float = math.nan
    ti_spread: float = math.nan
    vt_spread: float = math.nan
    unclosed: float = math.nan
    efforts: float = 0.0
    hold_crs: float = math.nan
    hold_at_s: float = -math.inf
    volumes: tuple[tuple[float, float], ...] = ()
    unsettled: int = 0
    tube: Ratio = Ratio()
    free: Ratio = Ratio()


NO_RECENT_BREATHS = RecentBreaths()


class Estimate(Protocol):
    """What is remembered of an estimate."""

    @property
    def plain(self) -> float:
        """Elastance, cmH2O/L, without what a tube adds."""
        ...

    @property
    def error(self) -> float:
        """Its relative standard error."""
        ...

    @property
    def strained(self) -> bool:
        """Whether the breath itself shows that the patient breathes."""
        ...


class BreathHistory:
    """Collects ``RecentBreaths`` breath by breath. ``forget`` where a run of breaths is broken.

    Holds and volumes outlive it.
    """

    def __init__(self) -> None:
        self.hold: tuple[float, float] = (math.nan, -math.inf)
        self._volumes: deque[tuple[float, float]] = deque(maxlen=VOLUMES)
        self.forget()

    def forget(self) -> None:
        """A new run of breaths."""
        self._inspired: deque[float] = deque(maxlen=MEMORY)
        self._rows: deque[tuple[float, ...]] = deque(maxlen=MEMORY)
        self._ratios: deque[tuple[float, float]] = deque(maxlen=RATIOS)

    def add(self, breath: Breath, features: BreathFeatures, estimate: Estimate, *, labelled: bool = False) -> None:
        """Add a complete breath; ``labelled``: an effort was seen in it.

        Holds, the operator's, count neither in its period nor in its inspiratory time; a pause that passes for one in
        some breaths only counts in all.
        """
        inspired = features.tidal_insp
        self._inspired.append(inspired)
        if inspired > 0.0:
            self._volumes.append((inspired, features.tidal_exp))
        if not inspired > MIN_SIZE * max(self._inspired):
            return
        hold_s = features.hold_s if features.is_hold else 0.0
        plain = estimate.plain if estimate.plain > 0.0 else math.inf
        exp_hold_s = features.exp_hold_s if features.is_exp_hold else 0.0
        period_s = breath.end_s - breath.start_s
        ti_s = breath.insp_end_s - breath.start_s - hold_s
        unclosed = 1.0 - features.tidal_exp / inspired
        efforts = float(labelled or estimate.strained)
        unheld_s = period_s - hold_s - exp_hold_s
        self._rows.append((plain, estimate.error, period_s, unheld_s, ti_s, inspired, unclosed, efforts))
        self._ratios.append((features.turb_elastance / plain, features.free_elastance / plain))

    def past(self) -> RecentBreaths:
        """What is known before the next breath."""
        volumes = tuple(self._volumes)
        if not self._rows:
            return NO_RECENT_BREATHS._replace(hold_crs=self.hold[0], hold_at_s=self.hold[1], volumes=volumes)
        elastances, errors, periods, unheld, inspirations, inspired, unclosed, efforts = zip(*self._rows, strict=True)
        middle, typical = _median(elastances), _median(unclosed)
        return RecentBreaths(
            len(self._rows),
            middle,
            _spread(elastances, middle),
            _median([error for error in errors if error > 0.0] or [math.nan]),
            min(_unevenness(periods), _unevenness(unheld)),
            _spread(inspirations, _median(inspirations)),
            _spread(inspired, _median(inspired)),
            typical,
            sum(efforts) / len(efforts),
            *self.hold,
            volumes,
            sum(abs(one - typical) > UNSETTLED for one in unclosed),
            *map(_ratio, zip(*self._ratios, strict=True)),
        )


def _median(values: Sequence[float]) -> float:
    return middle(sorted(values))


def _spread(values: Sequence[float], middle: float) -> float:
    if not 0.0 < middle < math.inf:
        return math.inf
    return NORMAL * _median([abs(value - middle) for value in values]) / middle


def _unevenness(periods: Sequence[float]) -> float:
    """By how much the shortest period but one is shorter than the median, as a share.

    A ventilator's clock is exact. What lengthens a breath, a hold or one that was missed, is no patient.
    """
    ordered = sorted(periods)
    typical = middle(ordered)
    return 1.0 - ordered[len(ordered) // ENOUGH_PERIODS] / typical


def _ratio(values: Sequence[float]) -> Ratio:
    """The median, and its doubt from how far the values lie apart; not known where a third of the fits gave none."""
    known = sorted([value for value in values if not math.isnan(value)])
    if len(known) < ENOUGH or len(known) < MOST * len(values):
        return Ratio()
    outer = len(known) // 6
    return Ratio(middle(known), DOUBT[len(known) - ENOUGH] * (known[-1 - outer] - known[outer]))
