"""Energy and mechanical power from the pressure-volume integral (algorithms §5.1).

``K`` = 0.0980665 J per litre and cmH2O. Work on leak-corrected volume; power = energy per breath times rate; over a
window: energy over time. No plateau, model or passivity is needed for the energy that the ventilator delivers.
Its parts, and the closed form that it is checked against, are in ``power_parts``.
"""

from __future__ import annotations

from collections.abc import Collection

from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.measurement_context import MeasurementContext, OnsetState, circuit_of
from streamer.core.metrics.passive_estimate import Estimate
from streamer.core.metrics.power_cross_check import is_apart
from streamer.core.metrics.registry import Graded, Maybe, NotMeasurable, Volume, metric
from streamer.core.metrics.volume_balance import MAX_UNCLOSED
from streamer.model.flags import DOUBLED, NOT_PASSIVE, Asks, Flag
from streamer.model.reasons import Reason
from streamer.model.units import JOULE_PER_L_CMH2O, ML_PER_L

POWER = (-60.0, 600.0)
MAX_POWER = 120.0
"""J/min that are plausible (algorithms §12), except in the short first half of a double trigger."""
EFFORTS = DOUBLED | NOT_PASSIVE


def is_unclosed(features: BreathFeatures) -> bool:
    """Inspired and expired volume differ by more than 15 % (algorithms §2.3)."""
    return abs(features.tidal_insp - features.tidal_exp) > MAX_UNCLOSED * features.tidal_insp


@metric(
    unit="J",
    about="Energy delivered in inspiration, PEEP included",
    bounds=(-2.0, 20.0),
    absent=Reason.PAW_MISSING,
    volume=Volume.MOVED,
)
def energy(  # noqa: PLR0917 (names are what it needs)
    features: BreathFeatures,
    flags: Collection[Flag],
    estimate: Estimate,
    given: MeasurementContext,
    start: OnsetState,
    closing_paw: float,
) -> float | Graded:
    """K · integral of pressure over inspired volume, J; at the ventilator less what only fills the circuit.

    Quality B where an effort shares the work, by label or by what the estimates saw, and where this breath does not
    close: a leak that has just opened still counts as volume until its conductance is learnt.
    """
    fills = 0.5 / ML_PER_L * (features.peak_paw**2 - start.peep**2)
    circuit = circuit_of(given.context, features.tidal_insp, fills / features.work)
    filling = 0.5 * circuit.value / ML_PER_L * (closing_paw**2 - start.peep**2) if circuit.value else 0.0
    delivered = JOULE_PER_L_CMH2O * (features.work - filling)
    shared = estimate.effort is not None or not EFFORTS.isdisjoint(flags)
    return Graded(delivered, "B" if shared or is_unclosed(features) else circuit.quality)


@metric(
    unit="J/min",
    about="Mechanical power: airway pressure-volume integral of inspiration, PEEP included",
    bounds=POWER,
    weighted_by="ttot",
    source="geometric method",
    maybe=("mp_surrogate",),
)
def mp(energy: float, rr: float, flags: Collection[Flag], mp_surrogate: Maybe) -> float | Graded:
    """Energy times rate, J/min; negative where the patient does the work. B where the closed form disagrees."""
    power = energy * rr
    if power > MAX_POWER and DOUBLED.isdisjoint(flags):
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    doubted = isinstance(mp_surrogate, Graded) and is_apart(power, mp_surrogate.value)
    return Graded(power, "B") if doubted else power


@metric(
    unit="J/min",
    about="Mechanical power of the pressure above PEEP",
    bounds=POWER,
    weighted_by="ttot",
    absent=Reason.EXHALATION_INCOMPLETE,
    also=("mp",),
)
def mp_dyn(energy: float, vt: float, start: OnsetState, rr: float) -> float | Graded:
    """(Energy - K · PEEP · VT) times rate, J/min; PEEP at the onset of this breath."""
    power = (energy - JOULE_PER_L_CMH2O * start.peep * vt / ML_PER_L) * rr
    return Graded(power, "B") if start.is_own else power


@metric(
    unit="J/min",
    about="Power dissipated: area of the whole pressure-volume loop; does not depend on PEEP",
    bounds=POWER,
    weighted_by="ttot",
    asks=Asks.MECHANICS,
    volume=Volume.CLOSED,
)
def mp_loop(features: BreathFeatures, peep: float, rr: float) -> float:
    """K · loop integral of (pressure - PEEP) over volume times rate, J/min.

    PEEP is taken off so that the volume by which a loop stays open does not weigh in with PEEP.
    """
    unclosed = features.tidal_insp - features.tidal_exp
    return JOULE_PER_L_CMH2O * (features.work - features.work_exp - peep * unclosed) * rr


@metric(
    unit="J/L",
    about="Energy per litre of gas that reached the lung",
    bounds=(-5.0, 15.0),
    weighted_by="vt",
)
def energy_per_litre(energy: float, vt: float) -> float:
    """Energy over the volume it moved, J/L."""
    return energy / vt * ML_PER_L
