"""What a breath is measured against: context, blood gas, and the breath before it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from streamer.core.metrics.blood_gas_validity import NOTHING_AROUND, BloodGasValidity
from streamer.core.metrics.breath_history import NO_RECENT_BREATHS, RecentBreaths
from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.registry import Graded, NotMeasurable
from streamer.model.breath import NO_CAPNOGRAPH, Capnograph
from streamer.model.context import BloodGas, Context
from streamer.model.reasons import Reason
from streamer.model.units import ML_PER_L, predicted_body_weight_kg

MAX_END_SLOPE = 2.0
"""cmH2O/s in the end-expiratory window beyond which expiration counts as incomplete."""
MAX_END_FLOW_SHARE = 0.10
"""End-expiratory over peak expiratory flow beyond which set PEEP is not total PEEP (algorithms §12)."""
MAX_HOLD_SLOPE = 0.5
MAX_HOLD_RISE = 0.5
SMALL = frozenset({"paediatric", "neonate"})
"""Classes whose predicted weight no formula gives."""
PREDICTED, STATED = "predicted_weight", "stated_weight"
CORRECTED, ASSUMED, AS_MEASURED = "circuit_corrected", "circuit_assumed", "as_measured"
"""Whether the gas that only fills the circuit is taken off, and of which circuit; at the wye there is none."""
CIRCUIT_ML_CMH2O, SMALL_CIRCUIT_ML_CMH2O = 1.5, 0.75
"""Middle of what a circuit that is not stated takes, an adult's and a child's: from nothing, where the ventilator has
taken it off, to twice as much, with a humidifier."""
FILLED_NOTED, MAX_FILLED = 0.05, 0.08
"""What of a number may be the circuit's: for B where the sensor's site is not stated; before one measured at the
ventilator is withheld, and for C where the site is not stated. 8 % of what was measured are 9 % of what is true, and
noise comes on top."""
NEWBORN_L = 0.05
"""A smaller breath is measured at the lung: in a circuit it would be lost."""
MIN_BODY_KG = 20.0
"""Predicted body weight below which the formula, made for adults, gives nonsense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementContext:
    """Everything but the breath itself.

    Attributes:
        context: What the operator knows.
        blood_gas: The newest arterial sample drawn before the breath's end.
        blood_gas_age_s: The breath's end less the time of the draw.
        around: What the breaths and events around the draw say of it.
        before: The fold of the breath that ended where this one begins; None after a gap or at a start.
        past: What the breaths before it have in common.
        capnograph: How the breath's capnogram was aligned.
        worst: The best quality of any number of this source: ``B`` where flow is the slope of volume.
    """

    context: Context = field(default_factory=Context)
    blood_gas: BloodGas | None = None
    blood_gas_age_s: float = 0.0
    around: BloodGasValidity = NOTHING_AROUND
    before: BreathFeatures | None = None
    past: RecentBreaths = NO_RECENT_BREATHS
    capnograph: Capnograph = NO_CAPNOGRAPH
    worst: str = ""


class OnsetState(NamedTuple):
    """The state in which a breath began: the end of the expiration before it.

    ``paw`` is total PEEP when ``is_total``, else airway pressure; ``peep`` is always airway pressure. ``is_own``: the
    breath before is not known, and this breath's own end stands in.
    """

    paw: float
    peep: float
    is_total: bool
    is_incomplete: bool
    is_own: bool


def start_of(features: BreathFeatures, before: BreathFeatures | None) -> OnsetState:
    """How the breath began, from the breath before it or, failing that, from its own end."""
    source = features if before is None or math.isnan(before.end_paw) else before
    incomplete = is_incomplete(source)
    if source is not features:
        try:
            return OnsetState(total_peep(source), source.end_paw, True, incomplete, False)  # noqa: FBT003 (a row)
        except NotMeasurable:
            pass
    return OnsetState(source.end_paw, source.end_paw, False, incomplete, source is features)  # noqa: FBT003 (a row)


def is_incomplete(features: BreathFeatures) -> bool:
    """Expiration ended with flow above 10 % of its peak, with pressure still moving, or in what may be a hold."""
    late = -features.end_flow > MAX_END_FLOW_SHARE * features.peak_exp_flow
    return late or abs(features.end_slope) > MAX_END_SLOPE or features.is_unclear


def total_peep(features: BreathFeatures) -> float:
    """Total PEEP in cmH2O from an end-expiratory hold (algorithms §4.2).

    Raises:
        NotMeasurable: ``no_hold``, or ``hold_not_passive`` when pressure had not settled.
    """
    if not features.is_exp_hold:
        raise NotMeasurable(Reason.NO_HOLD)
    if abs(features.exp_hold_slope) >= MAX_HOLD_SLOPE or features.exp_hold_rise > MAX_HOLD_RISE:
        raise NotMeasurable(Reason.HOLD_NOT_PASSIVE)
    return features.exp_hold_paw


def weight_kg(context: Context) -> tuple[float, str]:
    """Weight that volumes and power are given by, kg, and which: predicted for adults, stated for children.

    Raises:
        NotMeasurable: ``context_missing`` without what it needs, ``implausible`` where the formula does not hold.
    """
    if context.patient_class not in SMALL:
        return body_kg(context), PREDICTED
    if context.weight_kg is None:
        raise NotMeasurable(Reason.CONTEXT_MISSING)
    return context.weight_kg, STATED


def circuit_of(context: Context, inspired: float, share: float) -> Graded:
    """Circuit compliance between sensor and lung, mL/cmH2O, with the quality it leaves.

    Args:
        context: Where the sensor sits, and what the circuit takes.
        inspired: L.
        share: What 1 mL/cmH2O takes of the number that is asked for, over what was measured.

    Raises:
        NotMeasurable: ``context_missing`` where an unknown circuit leaves a twelfth of the number in doubt, or more.
    """
    circuit, is_stated = beside_lung(context)
    site, doubt = context.sensor_site, share * _usual(context)
    if site == "ventilator":
        if not is_stated and doubt > MAX_FILLED:
            raise NotMeasurable(Reason.CONTEXT_MISSING)
        return Graded(circuit, None if is_stated else "B", CORRECTED if is_stated else ASSUMED)
    if site == "wye" or not 2.0 * doubt > FILLED_NOTED:
        return Graded(0.0, None, AS_MEASURED)
    is_newborn = context.patient_class == "neonate" or inspired < NEWBORN_L
    return Graded(0.0, "B" if is_newborn or not 2.0 * doubt > MAX_FILLED else "C", AS_MEASURED)


def beside_lung(context: Context) -> tuple[float, bool]:
    """Circuit compliance that the flow sensor sees beside the lung's, mL/cmH2O, and whether it is known."""
    if context.sensor_site != "ventilator":
        return 0.0, context.sensor_site == "wye"
    stated = context.circuit_compliance_ml_cmh2o
    return (_usual(context), False) if stated is None else (stated, True)


def _usual(context: Context) -> float:
    """Of a circuit that is not stated, mL/cmH2O."""
    return SMALL_CIRCUIT_ML_CMH2O if context.patient_class in SMALL else CIRCUIT_ML_CMH2O


def filled_share(inspired: float, rise: float) -> float:
    """Share of the inspired volume (L) that 1 mL/cmH2O of circuit takes as pressure rises (cmH2O)."""
    return rise / (inspired * ML_PER_L)


def body_kg(context: Context) -> float:
    """Predicted body weight, kg.

    Raises:
        NotMeasurable: ``context_missing`` without sex and height, ``implausible`` where the formula does not hold.
    """
    if context.sex is None or context.height_cm is None:
        raise NotMeasurable(Reason.CONTEXT_MISSING)
    weight = predicted_body_weight_kg(context.sex, context.height_cm)
    if weight < MIN_BODY_KG:
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    return weight
