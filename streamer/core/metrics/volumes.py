"""Volumes and leak (algorithms §2.3, §3).

``vt_insp``, ``vt_exp`` and ``minute_volume`` are what the sensor saw, leak and zero offset included. ``vt`` is what
reached the lung, and what mechanics and energy are made of.
"""

from __future__ import annotations

import math

from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.measurement_context import (
    AS_MEASURED,
    ASSUMED,
    CORRECTED,
    PREDICTED,
    STATED,
    MeasurementContext,
    OnsetState,
    circuit_of,
    filled_share,
    weight_kg,
)
from streamer.core.metrics.registry import Graded, NotMeasurable, Volume, metric
from streamer.core.metrics.volume_balance import DEVIATIONS, LEAK_NOTED, NOTED, REFUSED, persistent
from streamer.model.breath import Breath
from streamer.model.reasons import Reason
from streamer.model.units import ML_PER_L, S_PER_MIN

ZERO_SURE, ZERO_LIKELY = 0.3, 0.7
"""Doubt of the sensor's zero up to which it is A, and B, L/min."""
VOLUME_ML = (1.0, 6000.0)
SENSOR_RATIO = 0.02
"""More gas back than in by more than this is a matter of sensors or of gas conditions, not a negative leak."""


@metric(unit="mL", about="Inspired tidal volume as the sensor saw it", bounds=VOLUME_ML)
def vt_insp(insp_volume: float) -> float:
    """Inspired volume, mL."""
    return insp_volume * ML_PER_L


@metric(unit="mL", about="Expired tidal volume as the sensor saw it", bounds=VOLUME_ML, also=("te",))
def vt_exp(exp_volume: float) -> float:
    """Expired volume, mL; missing where there is no expiration at all."""
    return exp_volume * ML_PER_L


@metric(
    unit="mL",
    about="Tidal volume that reached the lung: inspired, less the sensor's zero, the leak and what fills the circuit",
    bounds=VOLUME_ML,
    mdc=151980,
    methods=(CORRECTED, ASSUMED, AS_MEASURED),
    volume=Volume.MOVED,
)
def vt(tidal_insp: float, closing_paw: float, given: MeasurementContext, start: OnsetState) -> Graded:
    """Corrected inspired volume, mL; at the ventilator less circuit compliance times the rise of pressure."""
    circuit = circuit_of(given.context, tidal_insp, filled_share(tidal_insp, closing_paw - start.peep))
    filled = circuit.value * (closing_paw - start.peep)
    return Graded(tidal_insp * ML_PER_L - filled, "B" if filled and start.is_own else circuit.quality, circuit.method)


@metric(
    unit="mL/kg",
    about="Tidal volume by body weight: predicted for adults, as stated for children and newborns",
    bounds=(0.1, 100.0),
    mdc=153208,
    methods=(PREDICTED, STATED),
)
def vt_pbw(vt: float, given: MeasurementContext) -> Graded:
    """``vt`` over weight, mL/kg."""
    weight, method = weight_kg(given.context)
    return Graded(vt / weight, None, method)


@metric(
    unit="1",
    about="Leak: 1 - sum(VTe)/sum(VTi) over up to 20 breaths",
    bounds=(-SENSOR_RATIO, 1.0),
    ucum="{ratio}",
    absent=Reason.LOW_COVERAGE,
)
def leak_frac(breath: Breath) -> float | Graded:
    """Share of inspired volume that does not come back; ``sensor_ratio`` when more comes back than went in."""
    if breath.leak_frac < -SENSOR_RATIO:
        raise NotMeasurable(Reason.SENSOR_RATIO)
    return Graded(breath.leak_frac, "B" if breath.leak_frac > LEAK_NOTED else "A")


@metric(
    unit="L/min",
    about="Zero of the flow sensor, where something shows it; taken off what rests on corrected volumes",
    bounds=(-5.0, 5.0),
    absent=Reason.ZERO_NOT_SHOWN,
)
def flow_zero(breath: Breath) -> Graded:
    """What was taken off this breath, L/min; 0 where it is too small, or too doubtful, for that."""
    doubt = breath.flow_zero_doubt * S_PER_MIN
    return Graded(breath.flow_zero * S_PER_MIN if doubt >= 0.0 else math.nan, _grade(doubt))


def _grade(doubt_l_min: float) -> str:
    return "A" if doubt_l_min <= ZERO_SURE else "B" if doubt_l_min <= ZERO_LIKELY else "C"


@metric(
    unit="L/min",
    about="Expired minute volume as the sensor saw it; over a window: volume over time",
    bounds=(0.0, 200.0),
    mdc=152000,
    weighted_by="ttot",
    also=("vt_exp",),
    volume=Volume.MOVED,
)
def minute_volume(  # noqa: PLR0917 (names are what it needs)
    te: float, ttot: float, rr: float, breath: Breath, features: BreathFeatures, given: MeasurementContext
) -> Graded:
    """Minute volume, L/min; less the sensor's zero where that is known.

    What is lost for good, and counts as a leak, may as well be a zero that no hold has shown: a leak takes hardly any
    of what is measured of an expiration, a zero as much as of an inspiration. Withheld where that is more than a tenth.
    """
    vt_l = features.exp_volume_seen
    taken = features.insp_volume - features.tidal_insp + features.tidal_exp - features.exp_volume
    lost = taken - breath.flow_zero * ttot
    if abs(lost) > NOTED * vt_l and given.past.volumes:
        lost += (1.0 - persistent(given.past.volumes)) * features.tidal_insp
    doubt = abs(lost) * te / ttot / max(vt_l, features.insp_volume - lost)
    if not math.isnan(breath.flow_zero_doubt):
        doubt = min(doubt, breath.flow_zero_doubt * te / vt_l)
    noise = DEVIATIONS * breath.flow_noise * math.sqrt(te / breath.rate_hz) / vt_l
    if doubt > REFUSED:
        raise NotMeasurable(Reason.VOLUME_NOT_CLOSED)
    if noise > REFUSED:
        raise NotMeasurable(Reason.SIGNAL_NOISY)
    return Graded(vt_l * rr, "B" if max(doubt, noise) > NOTED else None)
