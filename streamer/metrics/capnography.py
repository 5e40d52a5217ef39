"""PCO2 at the end of expiration and of inspiration (algorithms §6). Floor 1.

Only an aligned capnogram counts: a declared sidestream sensor or delay is withheld, and where nothing is declared the
breath must show it, by PCO2 falling within 0.3 s of the onset of inspiration.
"""

from __future__ import annotations

import math

from streamer.context import Context
from streamer.metrics._folded import Fold
from streamer.metrics._given import Given
from streamer.metrics._registry import CO2, Graded, NotMeasurable, metric
from streamer.reasons import Reason
from streamer.units import PH2O_BODY_MMHG, S_PER_MIN, STANDARD_MMHG

MAX_DELAY_S = 0.02
MAX_FALL_S = 0.3
MIN_SAMPLES = 3
MIN_STEP_MMHG = 5.0
PLATEAU_SHARE = 1.0 / 1.5
"""Expired volume must exceed 1.5 times the airway dead space, here the volume at half of end-tidal PCO2."""
REBREATHING_MMHG, REBREATHING_REFUSED_MMHG = 3.0, 8.0
ABOVE_ARTERIAL_MMHG = 10.0
STALE_S = 60.0 * S_PER_MIN


@metric(
    unit="mmHg",
    ucum="mm[Hg]",
    about="End-tidal PCO2: mean over the last 5 % of expired volume",
    bounds=(1.0, 150.0),
    mdc=151708,
    absent=Reason.NO_PHASE3,
    withheld=CO2,
)
def petco2(folded: Fold, given: Given, pico2: float) -> Graded:
    """End-tidal PCO2 in mmHg, at body conditions where the sensor's scale is declared."""
    if pico2 > REBREATHING_REFUSED_MMHG:
        raise NotMeasurable(Reason.REBREATHING)
    value = folded.co2_end_tidal * _scale(given.context)
    reaches = folded.co2_half_share <= PLATEAU_SHARE and folded.co2_end_samples >= MIN_SAMPLES
    if not (reaches and value - pico2 >= MIN_STEP_MMHG):
        raise NotMeasurable(Reason.NO_PHASE3)
    gas = given.blood_gas
    arterial = gas.pco2_art_mmhg if gas and given.blood_gas_age_s <= STALE_S else None
    if arterial is not None and value > arterial + ABOVE_ARTERIAL_MMHG:
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    return Graded(value, "B" if pico2 > REBREATHING_MMHG else "A")


@metric(
    unit="mmHg",
    ucum="mm[Hg]",
    about="Inspired PCO2: lowest in the second half of inspiration",
    bounds=(-5.0, 100.0),
    withheld=CO2,
)
def pico2(folded: Fold, given: Given) -> Graded:
    """Inspired PCO2 in mmHg; above 3 gas is rebreathed, or the sensor has drifted."""
    context = given.context
    if math.isnan(folded.co2_holes):
        raise NotMeasurable(Reason.CO2_MISSING)
    if folded.co2_holes > 0.0:
        raise NotMeasurable(Reason.GAP)
    if context.co2_kind == "sidestream" or abs(context.co2_delay_s or 0.0) > MAX_DELAY_S:
        raise NotMeasurable(Reason.CO2_UNALIGNED)
    if context.co2_kind is None and not folded.co2_fall_s <= MAX_FALL_S:
        raise NotMeasurable(Reason.CO2_UNALIGNED)
    known = context.co2_kind is not None and context.co2_scale is not None
    return Graded(folded.co2_inspired * _scale(context), "A" if known else "C")


def _scale(context: Context) -> float:
    """A dried sample reads PB/(PB - 47) too high (algorithms §1.1)."""
    if context.co2_scale != "dry":
        return 1.0
    barometric = context.barometric_mmhg or STANDARD_MMHG
    return (barometric - PH2O_BODY_MMHG) / barometric
