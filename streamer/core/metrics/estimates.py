"""Pressures, compliance and resistances without a hold (algorithms §4.4-4.6).  Never merged with measured ones.

Which estimator, and whether it can be trusted, is decided once a breath in ``passive_estimate``; here are the numbers.
"""

from __future__ import annotations

import math

from streamer.core.metrics.elastic_pressure import MAX_TRAPPED_CMH2O
from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.measurement_context import (
    MeasurementContext,
    OnsetState,
    beside_lung,
    circuit_of,
    filled_share,
)
from streamer.core.metrics.mechanics import COMPLIANCE, RESISTANCES
from streamer.core.metrics.passive_estimate import EXP_LINE, HALFWAY, MAX_BLIND, SLOPE, TUBE, WHOLE, ZERO_FLOW, Estimate
from streamer.core.metrics.pressures import ABOVE_PEAK_CMH2O, AIRWAY_CMH2O, CMH2O
from streamer.core.metrics.registry import Graded, Maybe, NotMeasurable, Volume, metric
from streamer.model.breath import Breath
from streamer.model.flags import Asks
from streamer.model.reasons import Reason
from streamer.model.units import ML_PER_L

METHODS = (SLOPE, ZERO_FLOW, WHOLE, TUBE, HALFWAY)
"""Withholds how well a fit describes the breath: efforts do not, for that is what it is there to show."""
RESISTANCE = "cmH2O·s/L"
RESISTANCE_UCUM = "cm[H2O].s/L"
RE_ERRORS, MAX_P0_ERROR_CMH2O = 3.0, 1.5
"""Standard errors of expiratory resistance; what B allows a pressure."""
MAX_TAU_ERROR, MAX_TAU_FALL_CMH2O = 0.10, 0.4
"""Pressure that still falls by more, as behind a slow valve, makes the time constant read long."""
STRESS = (0.5, 1.7)
"""What lungs show; an effort bends pressure further."""
MAX_STRESS_RMSE, MIN_STRESS_SAMPLES, STRESS_LEFT_OUT_S = 0.3, 25, 0.15


def trusted(estimate: Estimate) -> Estimate:
    """The estimate. Raises ``NotMeasurable`` where it was refused."""
    if estimate.refused is not None:
        raise NotMeasurable(estimate.refused)
    return estimate


@metric(
    unit="mL/cmH2O",
    ucum="mL/cm[H2O]",
    about="Respiratory system compliance estimated without a hold, passive breaths only",
    bounds=COMPLIANCE,
    mdc=152600,
    methods=METHODS,
    asks=Asks.FITTED,
    volume=Volume.CLOSED,
)
def crs_est(estimate: Estimate, features: BreathFeatures, given: MeasurementContext) -> Graded:
    """1 / elastance, mL/cmH2O; at the ventilator less the circuit's, which is filled beside the lung."""
    found = trusted(estimate)
    circuit = circuit_of(given.context, features.tidal_insp, filled_share(1.0, found.elastance))
    return Graded(ML_PER_L / found.elastance - circuit.value, max(found.quality, circuit.quality or "A"), found.method)


@metric(
    unit="cmH2O",
    ucum=CMH2O,
    about="Total PEEP estimated without a hold: pressure at which the fitted lung is at rest",
    bounds=(-10.0, 60.0),
    methods=(WHOLE, EXP_LINE, TUBE),
    asks=Asks.FITTED,
    volume=Volume.CLOSED,
    maybe=("pplat",),
)
def peep_total_est(features: BreathFeatures, estimate: Estimate, pplat: Maybe) -> Graded:
    """P0 of the fitted lung, cmH2O; quality B at best (algorithms §4.2). No circuit moves it.

    Where gas is trapped it lies above the airway by what expiratory resistance costs, and is known as well as that. A
    plateau measured in the same breath has to lie where P0 and elastance put it.
    """
    found = trusted(estimate)
    if (
        isinstance(pplat, Graded)
        and _off_plateau(pplat.value - found.p0, features.tidal_insp, found) > MAX_P0_ERROR_CMH2O
    ):
        raise NotMeasurable(Reason.ESTIMATES_DISAGREE)
    above = found.p0 - features.end_paw
    if above > MAX_TRAPPED_CMH2O and not RE_ERRORS * found.re_error * above <= MAX_P0_ERROR_CMH2O:
        raise NotMeasurable(Reason.FIT_ILLCOND)
    return Graded(found.p0, "B", found.p0_method)


def _off_plateau(above: float, inspired: float, found: Estimate) -> float:
    """How far a plateau (cmH2O above P0) lies from what was inspired (L), by the breath or at rest."""
    ends = inspired * found.plain, inspired * found.elastance
    return max(min(ends) - above, above - max(ends))


@metric(
    unit="cmH2O",
    ucum=CMH2O,
    about="Plateau pressure estimated without a hold",
    bounds=AIRWAY_CMH2O,
    methods=METHODS,
    asks=Asks.FITTED,
)
def pplat_est(  # noqa: PLR0917 (names are what it needs)
    peep_total_est: float,
    ppeak: float,
    tidal_insp: float,
    closing_paw: float,
    estimate: Estimate,
    given: MeasurementContext,
    start: OnsetState,
) -> Graded:
    """P0 + VT / compliance, cmH2O: both of the lung alone, or the circuit's gas would count as the lung's.

    Where the circuit is not known both hold some of it, and their ratio hardly any.
    """
    circuit = beside_lung(given.context)[0] / ML_PER_L
    compliance = 1.0 / estimate.elastance - circuit
    value = peep_total_est + (tidal_insp - circuit * (closing_paw - start.peep)) / compliance
    if not compliance > 0.0 or value > ppeak + ABOVE_PEAK_CMH2O:
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    return Graded(value, max("B" if circuit and start.is_own else "A", estimate.quality), estimate.method)


@metric(
    unit="cmH2O",
    ucum=CMH2O,
    about="Driving pressure estimated without a hold: estimated plateau less estimated total PEEP",
    bounds=(0.5, 100.0),
    methods=METHODS,
    asks=Asks.FITTED,
)
def driving_pressure_est(pplat_est: float, peep_total_est: float, estimate: Estimate) -> Graded:
    """Elastic pressure of the breath, cmH2O."""
    return Graded(pplat_est - peep_total_est, None, estimate.method)


@metric(
    unit=RESISTANCE,
    ucum=RESISTANCE_UCUM,
    about="Inspiratory resistance of the fitted lung",
    bounds=RESISTANCES,
    absent=Reason.FIT_ILLCOND,
    asks=Asks.FITTED,
    also=("crs_est",),
)
def rrs_insp_est(estimate: Estimate) -> float:
    """Ri, cmH2O·s/L; tube and circuit are part of it."""
    return estimate.ri


@metric(
    unit=RESISTANCE,
    ucum=RESISTANCE_UCUM,
    about="Expiratory resistance of the fitted lung",
    bounds=RESISTANCES,
    absent=Reason.FIT_ILLCOND,
    asks=Asks.FITTED,
    also=("crs_est",),
)
def rrs_exp_est(estimate: Estimate) -> float:
    """Re, cmH2O·s/L; missing where gas had left before the fitted part of expiration."""
    return estimate.re if estimate.re_error <= MAX_BLIND else math.nan


@metric(
    unit="s",
    about="Expiratory time constant: volume over flow in passive expiration",
    bounds=(0.02, 20.0),
    mdc=153316,
    absent=Reason.FIT_ILLCOND,
    asks=Asks.FITTED,
    also=("te",),
    volume=Volume.TIGHT,
)
def tau_exp(features: BreathFeatures, estimate: Estimate) -> float:
    """Slope of expired volume over flow from 0.1 s until a fifth is left, s; only where both halves give the same."""
    if estimate.strained:
        raise NotMeasurable(Reason.PATIENT_EFFORT)
    if not features.tau_error <= MAX_TAU_ERROR:
        raise NotMeasurable(Reason.FIT_ILLCOND)
    if not (features.tau_apart <= 1.0 and abs(features.tau_fall) <= MAX_TAU_FALL_CMH2O):
        raise NotMeasurable(Reason.FIT_WINDOW_DISAGREE)
    return features.tau


@metric(
    unit="1",
    about="Stress index: exponent of pressure over time under constant flow; above 1 the lung stiffens as it fills",
    bounds=STRESS,
    absent=Reason.FIT_ILLCOND,
    asks=Asks.FITTED,
    source="Terragni 2013",
)
def stress_index(features: BreathFeatures, breath: Breath, estimate: Estimate) -> Graded:
    """Exponent b of P = a·t^b + c over constant flow, less its first 100 and last 50 ms."""
    if not features.is_square:
        raise NotMeasurable(Reason.FLOW_NOT_CONSTANT)
    if Reason.PATIENT_EFFORT in {estimate.effort, estimate.refused}:
        raise NotMeasurable(Reason.PATIENT_EFFORT)
    if not features.stress_rmse <= MAX_STRESS_RMSE:
        raise NotMeasurable(Reason.FIT_POOR)
    if (features.flow_s - STRESS_LEFT_OUT_S) * breath.rate_hz < MIN_STRESS_SAMPLES:
        raise NotMeasurable(Reason.RATE_TOO_LOW)
    return Graded(features.stress, "B")


@metric(
    unit="1",
    about="Share of the variance of pressure that the fitted lung explains; does not prove that a patient is passive",
    bounds=(-10.0, 1.0),
    ucum="{ratio}",
    absent=Reason.FIT_ILLCOND,
    asks=Asks.SAMPLES,
)
def fit_r2(features: BreathFeatures) -> float:
    """R² of the whole-breath fit, whether or not its numbers can be trusted."""
    return features.fit_explained


@metric(
    unit="cmH2O",
    ucum=CMH2O,
    about="Root mean square of what the fitted lung leaves unexplained",
    bounds=(0.0, 100.0),
    absent=Reason.FIT_ILLCOND,
    asks=Asks.SAMPLES,
)
def fit_rmse(features: BreathFeatures) -> float:
    """RMSE of the whole-breath fit, cmH2O."""
    return features.fit_left
