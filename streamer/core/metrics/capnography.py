"""PCO2 at the end of expiration and of inspiration, and its delay (algorithms §6).

End-tidal and inspired PCO2 are read over volume where the capnogram lies on the time of flow, else from the capnogram
alone; their method says which.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from streamer.core.metrics.blood_gas_validity import STALE_S
from streamer.core.metrics.capnogram_gates import (
    KINDS,
    SETTLED_SLOPE,
    UNDECLARED,
    Capnogram,
    is_slow,
    methods,
    zero_grade,
)
from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.measurement_context import MeasurementContext
from streamer.core.metrics.registry import Graded, Maybe, NotMeasurable, metric
from streamer.model.context import doubts
from streamer.model.flags import DOUBLED, Asks, Flag
from streamer.model.reasons import Reason

MIN_SAMPLES = 3
END_SHARE = 0.95
LEAST_OF_ALVEOLAR = 0.9
"""End-tidal is no less than alveolar PCO2, unless other gas comes in before the sensor."""
MIN_STEP_MMHG = 5.0
PLATEAU_SHARE = 1.0 / 1.5
"""Expired volume must exceed 1.5 times the airway dead space for PCO2 to reach its plateau."""
APART_MMHG = 0.7
"""How far the end of expiration by volume may lie from that by time for quality A, as a slow sensor parts them."""
MAX_BEHIND_MMHG = 1.0
"""What the sensor may have still to show when PCO2 turns: speed there times time constant."""
REBREATHING_MMHG, REBREATHING_REFUSED_MMHG = 3.0, 8.0
ABOVE_ARTERIAL_MMHG = 10.0
OVER_VOLUME, OVER_TIME = "volume", "time"
READ = methods(OVER_VOLUME, OVER_TIME, kinds=(*KINDS, UNDECLARED))


@metric(
    unit="mmHg",
    ucum="mm[Hg]",
    about="End-tidal PCO2: at the end of the expired volume, or by time where the capnogram is not aligned",
    bounds=(1.0, 150.0),
    mdc=151708,
    absent=Reason.NO_PHASE3,
    methods=READ,
    asks=Asks.CO2,
    maybe=("pico2",),
)
def petco2(
    features: BreathFeatures, given: MeasurementContext, capnogram: Capnogram, flags: Collection[Flag], pico2: Maybe
) -> Graded:
    """End-tidal PCO2 in mmHg, at body conditions where the sensor's scale is declared.

    Over volume: the mean of the last 5 %, carried on to its end by the slope of phase III.
    """
    grade: str | None = None
    if isinstance(pico2, Graded):
        inspired, grade = pico2.value, pico2.quality
    elif pico2 is Reason.CO2_TOO_SLOW:
        inspired = given.capnograph.inspired * capnogram.scale  # no less was inspired
    else:
        raise NotMeasurable(pico2)
    end_tidal, behind = given.capnograph.end_tidal, given.capnograph.to_rise
    rest = features.co2_slope * (1.0 - END_SHARE) / 2.0 * features.co2_volume
    over_volume = features.co2_end_tidal + rest + features.co2_inspired
    value, quality, method = _read(capnogram, flags, over_volume, end_tidal, behind)
    if inspired > REBREATHING_REFUSED_MMHG:
        raise NotMeasurable(Reason.REBREATHING)
    if is_slow(features, capnogram.tau_s, SETTLED_SLOPE) and abs(over_volume - end_tidal) > APART_MMHG:
        grade = max(grade or "", "B")
    over_time = method is not None and method.startswith(OVER_TIME)
    reaches = over_time or (
        features.co2_dead <= PLATEAU_SHARE * features.co2_volume
        and features.co2_end_samples >= MIN_SAMPLES
        and features.co2_end_tidal >= LEAST_OF_ALVEOLAR * features.co2_middle
    )
    if not (reaches and value - inspired >= MIN_STEP_MMHG):
        raise NotMeasurable(Reason.NO_PHASE3)
    gas = given.blood_gas
    is_held = gas is not None and given.blood_gas_age_s <= STALE_S and not doubts(gas)
    arterial = gas.pco2_art_mmhg if gas is not None and is_held else None
    if arterial is not None and value > arterial + ABOVE_ARTERIAL_MMHG:
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    return Graded(value, max(quality or "", grade or "", zero_grade(inspired)), method)


@metric(
    unit="mmHg",
    ucum="mm[Hg]",
    about="Inspired PCO2: lowest level in the second half of inspiration",
    bounds=(-5.0, 100.0),
    methods=READ,
    asks=Asks.CO2,
)
def pico2(features: BreathFeatures, given: MeasurementContext, capnogram: Capnogram, flags: Collection[Flag]) -> Graded:
    """Inspired PCO2 in mmHg; above 3, and then B, gas is rebreathed, or the sensor has drifted."""
    inspired, behind = given.capnograph.inspired, given.capnograph.to_fall
    value, quality, method = _read(capnogram, flags, features.co2_inspired, inspired, behind)
    return Graded(value, max(quality or "", "B" if value > REBREATHING_MMHG else "A"), method)


def _read(capnogram: Capnogram, flags: Collection[Flag], over_volume: float, over_time: float, behind: float) -> Graded:
    """One of two readings, mmHg as the sensor gives it, at body conditions; ``behind``: by how much the second lags.

    Half an expiration is none to weight by volume: a double-triggered breath keeps what its capnogram shows by itself.

    Raises:
        NotMeasurable: There is no capnogram, or neither reading.
    """
    unfit = capnogram.unfit
    if unfit in {Reason.CO2_MISSING, Reason.GAP}:
        raise NotMeasurable(unfit)
    doubled = not DOUBLED.isdisjoint(flags)
    if unfit is None and not doubled:
        return Graded(over_volume * capnogram.scale, capnogram.quality, capnogram.method(OVER_VOLUME))
    if math.isnan(over_time):
        raise NotMeasurable(unfit or Reason.DOUBLE_TRIGGER)
    if abs(behind) > MAX_BEHIND_MMHG:
        raise NotMeasurable(Reason.CO2_TOO_SLOW)
    return Graded(over_time * capnogram.scale, max(capnogram.quality, "B"), capnogram.method(OVER_TIME))


@metric(
    unit="s",
    about="Delay of the capnogram against flow by which it was moved",
    bounds=(-2.0, 12.0),
    absent=Reason.CO2_UNALIGNED,
    methods=(*KINDS, UNDECLARED),
    asks=Asks.CO2,
)
def co2_delay(given: MeasurementContext, capnogram: Capnogram) -> Graded:
    """How much later than flow the capnogram comes, s; negative where it is early."""
    if capnogram.unfit in {Reason.CO2_MISSING, Reason.FLOW_MISSING}:
        raise NotMeasurable(capnogram.unfit)
    return Graded(given.capnograph.delay_s, None, capnogram.kind)
