"""Between which pressures the lung was moved, and which closed form of power fits how.

The elastic pressure of a breath runs from total PEEP to the plateau. Each is taken from a hold where this breath has
one, else from the estimate, and the two make one pair for everything that is derived of it, so that parts of power add
up. PEEP stands for total PEEP only beside a plateau from a hold, after an expiration that was complete, and where total
PEEP is not estimated, or not above it: up to a tenth of peak expiratory flow may still run then, so it is graded B.
"""

from __future__ import annotations

from typing import NamedTuple

from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.measurement_context import OnsetState
from streamer.core.metrics.power_formulas import pcv_full, vcv_simple
from streamer.core.metrics.registry import Graded, Maybe, NotMeasurable
from streamer.model.reasons import Reason

MEASURED, ESTIMATED = "measured", "estimated"
METHODS = (MEASURED, ESTIMATED)
VCV_SIMPLE, PCV_FULL = "vcv_simple", "pcv_full"
MIN_ELASTIC_CMH2O = 0.5
MAX_DRIFT_CMH2O, MAX_DRIFT_SHARE = 0.5, 0.05
"""Pressure is level when it moves by less between the last quarters of the flow time, or by less of its height."""

MAX_TRAPPED_CMH2O, TRAPPED_NOTED = 1.0, 0.04
"""Total PEEP above PEEP that may hide in a driving pressure, cmH2O, and as a share of it."""
NOTHING_TRAPPED = 0.01
"""The same where PEEP stands for total PEEP though the latter is estimated: it counts in full in a part of power."""
PEAKS = 3.0
"""An overshoot may stand so many times as high above the level; more is a plateau after a peak, not a level."""


class Elastic(NamedTuple):
    """Total PEEP and plateau of one breath, cmH2O; the worse quality of the two; how they were found."""

    rest: float
    plateau: float
    quality: str
    method: str

    @property
    def above(self) -> float:
        """Elastic (driving) pressure, cmH2O."""
        return self.plateau - self.rest


def elastic(start: OnsetState, pplat: Maybe, pplat_est: Maybe, peep_total_est: Maybe) -> Elastic:
    """The pair of a breath.

    Raises:
        NotMeasurable: The estimate's reason where there is no plateau of either kind, ``exhalation_incomplete`` where
            only total PEEP is unknown, ``implausible`` where the plateau is not above it.
    """
    plateau = pplat if isinstance(pplat, Graded) else pplat_est
    if not isinstance(plateau, Graded):
        raise NotMeasurable(plateau)
    rest = Graded(start.paw, "A" if start.is_total else "B")
    if start.is_total:
        pass
    elif isinstance(peep_total_est, Graded):
        trapped, is_held = peep_total_est.value - start.paw, plateau is pplat and not start.is_incomplete
        if not (is_held and trapped <= NOTHING_TRAPPED * (plateau.value - start.paw)):
            rest = peep_total_est
    elif start.is_incomplete:
        raise NotMeasurable(Reason.EXHALATION_INCOMPLETE)
    if plateau.value - rest.value < MIN_ELASTIC_CMH2O:
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    method = MEASURED if plateau is pplat and rest is not peep_total_est else ESTIMATED
    return Elastic(rest.value, plateau.value, max(plateau.quality or "A", rest.quality or "A"), method)


def is_hidden(trapped: float, above: float) -> bool:
    """Whether total PEEP above PEEP is too little to be told beside the plateau above PEEP (cmH2O)."""
    return trapped <= min(MAX_TRAPPED_CMH2O, TRAPPED_NOTED * above)


def closed_form(features: BreathFeatures, vt: float, rr: float, lung: Elastic, resistance: Maybe) -> Graded:
    """Power by the closed form of this breath's shape, J/min; in pressure control resistance shapes the rise.

    Args:
        features: What the breath's arrays come to.
        vt: What reached the lung, L.
        rr: Breaths per minute.
        lung: Between which pressures it was moved.
        resistance: Of inspiration, cmH2O·s/L.

    Raises:
        NotMeasurable: ``no_closed_form`` where flow is not square and pressure not level.
    """
    if features.is_square:
        power = vcv_simple(vt=vt, rr=rr, ppeak=features.square_stop_paw, driving_pressure=lung.above)
        return Graded(power, lung.quality, VCV_SIMPLE)
    above = features.level_paw - lung.rest
    if not is_level(features, above):
        raise NotMeasurable(Reason.NO_CLOSED_FORM)
    if not isinstance(resistance, Graded):
        raise NotMeasurable(resistance)
    power = pcv_full(
        vt=vt,
        rr=rr,
        above=above,
        peep=lung.rest,
        compliance=vt / lung.above,
        resistance=resistance.value,
        rise_s=max(2.0 * features.rise_area / above, 0.0),
    )
    return Graded(power, max(lung.quality, resistance.quality or "A"), PCV_FULL)


def is_level(features: BreathFeatures, above: float) -> bool:
    """Pressure control: pressure no longer moves late in inspiration, near its peak, while flow decelerates."""
    limit = max(MAX_DRIFT_CMH2O, MAX_DRIFT_SHARE * above)
    stays = abs(features.level_drift) <= limit and features.peak_paw - features.level_paw <= PEAKS * limit
    return above > 0.0 and stays and features.level_slowing < 1.0
