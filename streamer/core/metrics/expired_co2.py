"""How much CO2 leaves with a breath, and in how much gas (algorithms §6.3). Over volume, so in time with flow.

Amounts are net: what is inspired again, from apparatus or sensor, is taken off. They are dry gas at 0 °C and 760 mmHg:
the sensor's pressure over barometric pressure less vapour, times volume at body conditions; the barometric pressure
cancels, but for a sensor that dries its sample.
"""

from __future__ import annotations

import math

from streamer.core.metrics.capnogram_gates import (
    SETTLED_VOLUME,
    Capnogram,
    is_slow,
    methods,
    smeared,
    unexplained_s,
    within,
    zero_grade,
)
from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.measurement_context import MeasurementContext
from streamer.core.metrics.registry import Graded, NotMeasurable, Volume, metric
from streamer.model.breath import Breath
from streamer.model.flags import Asks
from streamer.model.reasons import Reason
from streamer.model.units import BODY_K, ICE_POINT_K, ML_PER_L, S_PER_MIN, STANDARD_MMHG

INTEGRAL = "integral"
DEVIATIONS = 2.5
MAX_UNCLOSED = 0.10
"""Of the inspired volume: an amount of gas needs that all of it is seen, and is off by as much as is not."""
ONE_SIDED = 0.05
"""Of the inspired volume: which of two sensors is off is not known, so that half of what B allows is spent: C."""
MAX_RETURNED = 0.05
"""Of the expired volume: more gas drawn in on the way, by an effort that triggers nothing, passes the sensor twice."""
MIXED_MMHG, AMOUNT_SHARE = (0.8, 1.8), (0.04, 0.09)
"""Up to which error, by the doubt about the place of phase II, quality is A and B."""
STPD_PER_MMHG = ICE_POINT_K / BODY_K / STANDARD_MMHG
"""Share of a volume at body conditions that each mmHg of PCO2 makes at standard conditions."""


@metric(
    unit="mmHg",
    ucum="mm[Hg]",
    about="Mixed expired PCO2: mean over the expired volume; over a window weighted by it",
    bounds=(0.5, 150.0),
    weighted_by="vt_exp",
    methods=methods(INTEGRAL),
    asks=Asks.SAMPLES,
    volume=Volume.CLOSED,
)
def pco2_mixed_exp(features: BreathFeatures, capnogram: Capnogram) -> Graded:
    """Integral of PCO2 over expired volume, divided by it, mmHg. What is over volume is withheld with it."""
    require_expirogram(features, capnogram)
    value = (features.co2_area / features.co2_volume + features.co2_inspired) * capnogram.scale
    height = features.co2_end_tidal / features.co2_volume
    grade = capnogram.placed(capnogram.doubt * height, capnogram.apparatus * height, *MIXED_MMHG)
    grade = max(grade, swift(smeared(capnogram.tau_s) * value, *MIXED_MMHG), zero_grade(features.co2_inspired))
    return capnogram.graded(value, INTEGRAL, grade)


def require_expirogram(features: BreathFeatures, capnogram: Capnogram) -> None:
    """Raises ``NotMeasurable`` where expired PCO2 over expired volume is not that of one breath's gas."""
    capnogram.require()
    if features.co2_returned > MAX_RETURNED * features.co2_volume:
        raise NotMeasurable(Reason.PATIENT_EFFORT)
    if is_slow(features, capnogram.tau_s, SETTLED_VOLUME):
        raise NotMeasurable(Reason.CO2_TOO_SLOW)


@metric(
    unit="mL",
    about="CO2 eliminated in this breath, expired less inspired, STPD",
    bounds=(0.05, 150.0),
    methods=methods(INTEGRAL),
    asks=Asks.SAMPLES,
    also=("pco2_mixed_exp",),
)
def vtco2(features: BreathFeatures, given: MeasurementContext, breath: Breath, capnogram: Capnogram) -> Graded:
    """Net CO2 of one breath, mL STPD. A scale that nobody declared may be 7 % off: then withheld."""
    if given.context.co2_scale is None:
        raise NotMeasurable(Reason.CO2_SCALE_UNKNOWN)
    if abs(features.tidal_exp - features.tidal_insp) > MAX_UNCLOSED * features.tidal_insp:
        raise NotMeasurable(Reason.VOLUME_NOT_CLOSED)
    expired = features.co2_area + features.co2_inspired * features.co2_volume
    washed = breath.co2_edge.volume * features.co2_end_tidal
    amount = (expired - features.co2_inhaled - washed) * capnogram.scale * STPD_PER_MMHG * ML_PER_L
    hidden = unexplained_s(given) * features.tidal_insp / features.flow_s
    height = features.co2_end_tidal / features.co2_area
    doubt, unlikely = capnogram.doubt + breath.co2_edge.chamber, capnogram.apparatus + hidden
    grade = capnogram.placed(doubt * height, unlikely * height, *AMOUNT_SHARE)
    hidden_by_noise = within(_noise(breath) / features.co2_volume, *AMOUNT_SHARE)
    unclosed = abs(features.tidal_exp - features.tidal_insp) - _noise(breath)
    sided = "C" if unclosed > ONE_SIDED * features.tidal_insp else "A"
    return capnogram.graded(
        amount, INTEGRAL, max(grade, sided, hidden_by_noise, swift(smeared(capnogram.tau_s), *AMOUNT_SHARE))
    )


def _noise(breath: Breath) -> float:
    """What noise of flow adds to the expired volume, or takes from it, but in one of a hundred breaths, L."""
    samples = breath.flow.size - breath.insp_end
    return DEVIATIONS * breath.flow_noise * math.sqrt(samples) / breath.rate_hz


def swift(off: float, close: float, fair: float) -> str:
    """Quality of a number that the sensor's response may change by so much.

    Raises:
        NotMeasurable: ``co2_too_slow``, where that is more than B allows.
    """
    if off > fair:
        raise NotMeasurable(Reason.CO2_TOO_SLOW)
    return within(off, close, fair)


@metric(
    unit="mL/min",
    about="CO2 elimination, STPD; over a window CO2 over time. What the body makes only in a steady state",
    bounds=(1.0, 3000.0),
    weighted_by="ttot",
    methods=methods(INTEGRAL),
    asks=Asks.SAMPLES,
)
def vco2(vtco2: float, ttot: float, capnogram: Capnogram) -> Graded:
    """``vtco2`` · 60 / Ttot, mL/min STPD."""
    return capnogram.graded(vtco2 * S_PER_MIN / ttot, INTEGRAL)
