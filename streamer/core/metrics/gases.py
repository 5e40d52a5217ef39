"""What arterial blood gases make possible: dead space after Enghoff, oxygenation (algorithms §6.5, §6.6, §7).

Arterial PCO2 is not alveolar PCO2: Enghoff's fraction includes shunt and perfusion without ventilation, Bohr's does
not. They share no key, no method and no series, and nothing here falls back on the other.

A gas holds for 60 minutes, and only while ventilation, PEEP, settings and position stay what they were at its draw
(``blood_gas_validity``). Where too few breaths are known to notice that they changed, quality is B.

Of FiO2 no more is known than what came with the gas. Settings changed less than 15 minutes before a draw may have been
FiO2, to which PaO2 had then not settled: ``pf_ratio`` and ``oxygenation_index`` are withheld (``settings_changed``).
"""

from __future__ import annotations

import math

from streamer.core.metrics.blood_gas_validity import STALE_S
from streamer.core.metrics.measurement_context import MeasurementContext, body_kg
from streamer.core.metrics.registry import Graded, Maybe, NotMeasurable, metric
from streamer.model.context import BloodGas, doubts
from streamer.model.reasons import Reason
from streamer.model.units import ML_PER_L

RATIO = "{ratio}"
NO_GAS = BloodGas()
NORMAL_VENTILATION, NORMAL_PACO2 = 100.0, 37.5
"""mL/min per kg of predicted body weight, mmHg."""
ENGHOFF = {kind: f"enghoff_{kind}" for kind in ("mainstream", "sidestream")}
"""Kind of CO2 sensor, with which the method of ``pco2_mixed_exp`` ends → method."""
NOISE_SHARE = 0.05
"""Of the expired volume: a blood gas within 1 mmHg, a CO2 delay within 20 ms and 0.5 L/s make 2 % each. A lung without
alveolar dead space must come out at zero in the middle, not above it, so this much less than zero is let through."""


@metric(
    unit="1",
    ucum=RATIO,
    about="Physiological dead space after Enghoff, with arterial PCO2, over expired tidal volume; as at the blood gas",
    bounds=(0.05, 0.95),
    weighted_by="vt_exp",
    methods=tuple(ENGHOFF.values()),
    maybe=("pco2_mixed_exp",),
    source="Enghoff 1938",
)
def vd_vt_enghoff(given: MeasurementContext, pco2_mixed_exp: Maybe) -> Graded:
    """(PaCO2 - PĒCO2)/PaCO2, PĒCO2 being the median around the draw and never this breath's.

    Quality is that of the worst PĒCO2 among them, and B where the breaths before the draw are too few to show whether
    ventilation and CO2 were steady.

    Raises:
        NotMeasurable: The blood gas does not hold; the reason why this breath has no PĒCO2 where none around the draw
            had one; ``low_coverage``, where they are fewer than five or too few of late to notice a change;
            ``nonsteady_state``.
    """
    arterial, around = arterial_pco2(given), given.around
    if around.co2_breaths == 0 and isinstance(pco2_mixed_exp, Reason):
        raise NotMeasurable(pco2_mixed_exp)
    if math.isnan(around.pco2_mixed_exp) or not around.is_watched:
        raise NotMeasurable(Reason.LOW_COVERAGE)
    if around.is_unsteady:
        raise NotMeasurable(Reason.NONSTEADY_STATE)
    grade = max(around.grade, "B" if around.is_unsteady is None else "A")
    return Graded((arterial - around.pco2_mixed_exp) / arterial, grade, _enghoff(given))


@metric(
    unit="mL",
    about="Alveolar dead space: physiological after Enghoff less airway dead space",
    bounds=(-300.0, 6000.0),
    methods=tuple(ENGHOFF.values()),
    source="physiological less airway dead space",
)
def vd_alv(vd_vt_enghoff: float, vt_exp: float, vd_aw: float, given: MeasurementContext) -> Graded:
    """Enghoff's fraction of this breath's expired volume less its airway dead space, mL; below zero by noise only."""
    value = vd_vt_enghoff * vt_exp - vd_aw
    if value < -NOISE_SHARE * vt_exp:
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    return Graded(value, None, _enghoff(given))


def _enghoff(given: MeasurementContext) -> str:
    """The method, by the sensor that gave the PĒCO2 around the draw."""
    kind = given.around.method.rpartition("_")[2]
    if kind not in ENGHOFF:
        raise NotMeasurable(Reason.CO2_KIND_UNKNOWN)
    return ENGHOFF[kind]


@metric(
    unit="1",
    ucum=RATIO,
    about="Ventilatory ratio: minute volume x PaCO2 over what a healthy person of this size would need",
    bounds=(0.05, 15.0),
    weighted_by="ttot",
    source="Sinha; predicted body weight after ARDSNet",
)
def vent_ratio(minute_volume: float, given: MeasurementContext) -> Graded:
    """V'E (mL/min) · PaCO2 / (PBW · 100 · 37.5). Not a dead-space fraction: it depends on CO2 production."""
    arterial = arterial_pco2(given)
    usual = body_kg(given.context) * NORMAL_VENTILATION * NORMAL_PACO2
    return Graded(ML_PER_L * minute_volume * arterial / usual, _grade(given))


@metric(
    unit="mmHg",
    ucum="mm[Hg]",
    about="PaO2 over FiO2, both of the blood gas",
    bounds=(20.0, 760.0),
)
def pf_ratio(given: MeasurementContext) -> Graded:
    """PaO2/FiO2 in mmHg; more than barometric pressure cannot be: one of the two is wrong."""
    gas = given.blood_gas or NO_GAS
    arterial, inspired = _held(given, gas.po2_art_mmhg), _held(given, gas.fio2)
    if given.around.has_new_fio2:
        raise NotMeasurable(Reason.SETTINGS_CHANGED)
    return Graded(arterial / inspired, _grade(given))


@metric(
    unit="1",
    ucum=RATIO,
    about="Oxygenation index: 100 x FiO2 x mean airway pressure (cmH2O) over PaO2 (mmHg)",
    bounds=(0.1, 300.0),
)
def oxygenation_index(pmean: float, pf_ratio: float) -> float:
    """100 · FiO2 · Pmean / PaO2, with the mean pressure of this breath."""
    return 100.0 * pmean / pf_ratio


def arterial_pco2(given: MeasurementContext) -> float:
    """PaCO2 in mmHg.

    Raises:
        NotMeasurable: ``abg_missing``, ``abg_stale`` or ``settings_changed``.
    """
    return _held(given, (given.blood_gas or NO_GAS).pco2_art_mmhg)


def _held(given: MeasurementContext, value: float | None) -> float:
    """A number of the blood gas, while it holds for this breath; none of a gas that is hardly in mmHg."""
    if value is None:
        raise NotMeasurable(Reason.ABG_MISSING)
    if doubts(given.blood_gas or NO_GAS):
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    if not 0.0 <= given.blood_gas_age_s <= STALE_S:
        raise NotMeasurable(Reason.ABG_STALE)
    if given.around.has_changed:
        raise NotMeasurable(Reason.SETTINGS_CHANGED)
    return value


def _grade(given: MeasurementContext) -> str | None:
    return None if given.around.is_watched else "B"
