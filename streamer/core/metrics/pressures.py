"""Airway pressures (algorithms §3, §4.1, §4.2).  Plateau and total PEEP come from real holds only."""

from __future__ import annotations

import math
from collections.abc import Collection

from streamer.core.metrics.elastic_pressure import is_hidden
from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.measurement_context import MeasurementContext, OnsetState, is_incomplete, total_peep
from streamer.core.metrics.registry import Graded, Maybe, NotMeasurable, metric
from streamer.model.flags import NOT_PASSIVE, Asks, Flag
from streamer.model.reasons import Reason

CMH2O = "cm[H2O]"
AIRWAY_CMH2O = (-30.0, 120.0)
STANDARD_HOLD_S = 0.5
MAX_RISE_CMH2O, MAX_SWING_CMH2O = 0.5, 1.0
"""A rise in a hold up to the first is a plateau; up to the second, too, in a hold of 0.5 s, or where flow swings at the
end of expiration as well: it may be the heart's, and the reading is then B."""
MAX_ERROR_CMH2O, MAX_ERROR_A_CMH2O = 1.0, 0.5
"""Standard error of a reading."""
MAX_FALL_CMH2O_S, SETTLING_S = 3.0, 0.15
"""A faster fall is not yet a plateau: with a time constant of 0.5 s, as of uneven lungs, 1.5 cmH2O are still to come.
Judged over so long in a standard hold, from 0.1 s on in a shorter one."""
ABOVE_PEAK_CMH2O = 1.0
MAX_TRAPPED = 0.10
"""Share of a driving pressure against PEEP that total PEEP above PEEP may be; more is taken off, where it is known."""
MAX_APART = 0.06
"""Share by which a driving pressure above an estimated total PEEP may differ from the one that is estimated itself."""
TRAPPED, TOTAL_EST = "vs_set_peep_trapped", "vs_total_peep_est"


@metric(
    unit="cmH2O",
    ucum=CMH2O,
    about="Highest airway pressure in inspiration",
    bounds=AIRWAY_CMH2O,
    mdc=151973,
    absent=Reason.PAW_MISSING,
)
def ppeak(peak_paw: float) -> float:
    """Peak pressure, highest median of three samples, cmH2O."""
    return peak_paw


@metric(
    unit="cmH2O",
    ucum=CMH2O,
    about="Mean airway pressure over the whole breath",
    bounds=AIRWAY_CMH2O,
    absent=Reason.PAW_MISSING,
)
def pmean(mean_paw: float) -> float:
    """Mean pressure, cmH2O; without an IEEE code, since the one of this name means inspiration only."""
    return mean_paw


@metric(
    unit="cmH2O",
    ucum=CMH2O,
    about="End-expiratory airway pressure, before any trigger effort or hold",
    bounds=(-30.0, 60.0),
    mdc=151976,
    absent=Reason.EXHALATION_INCOMPLETE,
    also=("pmean",),
)
def peep(end_paw: float, features: BreathFeatures) -> float | Graded:
    """Median pressure 0.5 to 0.2 s before the next onset, cmH2O; quality B while it, or gas, still moves.

    Raises:
        NotMeasurable: ``hold_unclear``, where pressure stepped up by 0.3 cmH2O or more as outflow ceased, yet not so as
            to call it a hold: it is then either PEEP or total PEEP.
    """
    if features.is_unclear:
        raise NotMeasurable(Reason.HOLD_UNCLEAR)
    return Graded(end_paw, "B") if is_incomplete(features) else end_paw


@metric(
    unit="cmH2O",
    ucum=CMH2O,
    about="Plateau pressure, measured in an end-inspiratory hold",
    bounds=AIRWAY_CMH2O,
    mdc=152424,
    held=True,
    methods=("standard", "pause_short"),
    absent=Reason.NO_HOLD,
    asks=Asks.MECHANICS,
)
def pplat(
    features: BreathFeatures, given: MeasurementContext, start: OnsetState, ppeak: float, flags: Collection[Flag]
) -> Graded:
    """Mean of the 100 ms ending 0.5 s after flow was stopped; of the last 100 ms of a shorter hold (0.3 s or more).

    An effort elsewhere in the breath does not withhold it: the hold shows whether it was passive itself. Quality is
    then B, whatever is asserted of the patient.
    """
    if not features.is_hold:
        raise NotMeasurable(Reason.NO_HOLD)
    is_standard = not math.isnan(features.hold_p05)
    if not _is_passive(features, is_standard=is_standard):
        raise NotMeasurable(Reason.HOLD_NOT_PASSIVE)
    value = _reading(features, is_standard=is_standard)
    if not start.peep <= value <= ppeak + ABOVE_PEAK_CMH2O:
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    if not is_standard:
        return Graded(value, "B", "pause_short")
    is_level = _rise(features, is_standard=is_standard) <= MAX_RISE_CMH2O
    return Graded(value, _grade(given, flags, features.hold_error) if is_level else "B", "standard")


@metric(
    unit="cmH2O",
    ucum=CMH2O,
    about="Standard error of the plateau: noise, swings as of the heart, and steps of the sensor in the hold",
    bounds=(0.0, MAX_ERROR_CMH2O),
    held=True,
    asks=Asks.MECHANICS,
    also=("pplat",),
)
def pplat_se(hold_error: float) -> float:
    """Standard error of the reading, cmH2O."""
    return hold_error


def _grade(given: MeasurementContext, flags: Collection[Flag], error: float) -> str:
    """Of a pressure read in a hold: A only where the patient is known to be passive and no label says otherwise."""
    is_sure = given.context.passive == "asserted" and NOT_PASSIVE.isdisjoint(flags) and error <= MAX_ERROR_A_CMH2O
    return "A" if is_sure else "B"


def _reading(features: BreathFeatures, *, is_standard: bool) -> float:
    return features.hold_p05 if is_standard else features.hold_end_paw


def _early(features: BreathFeatures, *, is_standard: bool) -> float:
    return features.hold_p03 if is_standard else features.hold_p01


def _rise(features: BreathFeatures, *, is_standard: bool) -> float:
    """Largest rise in the hold, cmH2O."""
    return max(features.hold_rise, features.hold_end_paw - _early(features, is_standard=is_standard))


def _is_passive(features: BreathFeatures, *, is_standard: bool) -> bool:
    """Pressure falls to a plateau or stays: no irregular rise, dip or steady fall (algorithms §4.1.3)."""
    fall = _early(features, is_standard=is_standard) - _reading(features, is_standard=is_standard)
    over_s = SETTLING_S if is_standard else max(features.hold_s - SETTLING_S, 0.0)
    settles = fall <= MAX_FALL_CMH2O_S * over_s + 2.0 * features.hold_error
    swings = is_standard or features.swings
    rises = _rise(features, is_standard=is_standard) > (MAX_SWING_CMH2O if swings else MAX_RISE_CMH2O)
    return settles and not rises and features.hold_error <= MAX_ERROR_CMH2O


@metric(
    unit="cmH2O",
    ucum=CMH2O,
    about="Total PEEP, measured in an end-expiratory hold",
    bounds=(-10.0, 60.0),
    mdc=152788,
    held=True,
    asks=Asks.MECHANICS,
    also=("pmean",),
)
def peep_total(features: BreathFeatures, given: MeasurementContext, flags: Collection[Flag]) -> Graded:
    """Mean of the last 100 ms of a settled end-expiratory hold of 1 s or more, cmH2O."""
    return Graded(total_peep(features), _grade(given, flags, features.exp_hold_error))


@metric(
    unit="cmH2O",
    ucum=CMH2O,
    about="Auto-PEEP: total PEEP less PEEP",
    bounds=(-2.0, 60.0),
    mdc=151808,
    held=True,
    asks=Asks.MECHANICS,
)
def auto_peep(peep_total: float, peep: float) -> float:
    """Intrinsic PEEP, cmH2O."""
    return peep_total - peep


@metric(
    unit="cmH2O",
    ucum=CMH2O,
    about="Driving pressure: plateau less the pressure the breath began from",
    bounds=(0.5, 100.0),
    mdc=183316,
    held=True,
    methods=("vs_total_peep", "vs_set_peep", TRAPPED, TOTAL_EST),
    absent=Reason.EXHALATION_INCOMPLETE,
    asks=Asks.MECHANICS,
    maybe=("peep_total_est", "driving_pressure_est"),
)
def driving_pressure(pplat: float, start: OnsetState, peep_total_est: Maybe, driving_pressure_est: Maybe) -> Graded:
    """Plateau less total PEEP where the expiration before this breath measured it, else less PEEP, cmH2O.

    The method says so where the fitted lung rests 1 cmH2O or more above PEEP, or 4 % of it: then B, and too large. From
    a tenth on, or where gas still flows as the breath begins, it counts from where the fitted lung rests, if elastance,
    which does not rest on that, says the same.
    """
    if start.is_total:
        return Graded(pplat - start.paw, "A", "vs_total_peep")
    found = pplat - start.paw
    hidden = peep_total_est.value - start.peep if isinstance(peep_total_est, Graded) else 0.0
    if start.is_incomplete or hidden > MAX_TRAPPED * found:
        return _above_trapped(pplat, peep_total_est, driving_pressure_est)
    if not is_hidden(hidden, found):
        return Graded(found, "B", TRAPPED)
    return Graded(found, "B" if start.is_own else "A", "vs_set_peep")


def _above_trapped(pplat: float, rest: Maybe, est: Maybe) -> Graded:
    """Driving pressure above an estimated total PEEP, where the estimated one is alike."""
    if not (isinstance(rest, Graded) and isinstance(est, Graded)):
        raise NotMeasurable(Reason.EXHALATION_INCOMPLETE)
    found = pplat - rest.value
    if not abs(found / est.value - 1.0) <= MAX_APART:
        raise NotMeasurable(Reason.ESTIMATES_DISAGREE)
    return Graded(found, "B", TOTAL_EST)
