"""Airway dead space, phase III, and dead space after Bohr (algorithms §6.3-6.5).

Every number rests on an expirogram in time with flow. ``vd_aw`` is the gate of all others: found by areas (Fowler's
integral equation) and by shape (a curve of four parameters), and given where both agree. It holds everything on the
patient's side of the sensor. Bohr's fraction never takes end-tidal or arterial PCO2 for alveolar; see ``gases``.
"""

from __future__ import annotations

import math

from streamer.core.metrics.capnogram_gates import Capnogram, methods, unexplained_s, within, zero_grade
from streamer.core.metrics.capnography import PLATEAU_SHARE, REBREATHING_MMHG, REBREATHING_REFUSED_MMHG
from streamer.core.metrics.expired_co2 import require_expirogram, swift
from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.measurement_context import MeasurementContext
from streamer.core.metrics.phase_uncertainty import (
    DEVIATIONS,
    MAX_RISE_S,
    bends,
    blur,
    fit_dead,
    lag_slope,
    level_of,
    lever,
    phase_2_end,
    rise_s,
    slope_doubt,
    slope_grade,
    sunk_mmhg,
    tilted,
)
from streamer.core.metrics.registry import Graded, NotMeasurable, Volume, metric
from streamer.model.flags import Asks
from streamer.model.reasons import Reason
from streamer.model.units import ML_PER_L

FOWLER, PARAM4, MIDPOINT, PHASE_2, PHASE_3, TIMING = "fowler", "param4", "phase3_midpoint", "param4", "phase3", "timing"
VOLUME_ML = (1.0, 2000.0)
SLOPES = (-20.0, 2000.0)
SAME_MMHG = 1e-6
"""A line that rises by less shows one value over and over: a converter's step, which hides the slope."""
MIN_SAMPLES, SLOPE_SAMPLES = 6.0, 12.0
"""Of the line of phase III: for a level, and for a slope, whose error has to be known, too."""
RETURNS_S = 0.05
"""CO2 that lasts so much longer into inspiration than a declared delay explains comes back from apparatus."""
LEAST_SHARE = 0.10
"""Of the expired volume: no airway is smaller."""
AGREE_VOLUME, AGREE_SHARE = 0.02, 0.10
"""Of the expired volume, or of the dead space: how far two ways to find it may lie apart."""
DEAD_ML, DEAD_SHARE, BOHR, ALVEOLAR_MMHG = 8.0, (0.08, 0.12), (0.018, 0.030), (0.8, 1.8)
"""Up to which error quality is A and B; a dead space has to meet both for A."""
MAX_BLUR = 0.5
"""Volume that passes in one time constant, over the width of phase II (as a standard deviation) that it is part of."""
PHASE_2_ENDS = (0.40, 0.55)
"""Of the alveolar volume: where phase II ends later, too little is left of phase III for quality A, and for B."""
MOVED = (0.08, 0.16)
"""Of the alveolar volume: doubt about its beginning, which moves the line, up to which quality is A, and B."""


@metric(
    unit="mL",
    about="Airway dead space after Fowler: everything on the patient's side of the CO2 sensor",
    bounds=VOLUME_ML,
    mdc=151984,
    absent=Reason.NO_PHASE3,
    methods=methods(FOWLER),
    asks=Asks.SAMPLES,
    source="Fowler 1948, as an integral equation",
    volume=Volume.CLOSED,
)
def vd_aw(features: BreathFeatures, given: MeasurementContext, capnogram: Capnogram) -> Graded:
    """Volume from which on the line of phase III holds as much CO2 as was expired, mL; bias below 2 mL at 1 mmHg."""
    require_phases(features, given, capnogram)
    dead, (close, fair) = features.co2_dead, DEAD_SHARE
    limits = min(DEAD_ML / ML_PER_L, close * dead), fair * dead
    grade = capnogram.placed(math.hypot(capnogram.doubt, tilted(features)), capnogram.apparatus, *limits)
    sunk = sunk_mmhg(features, capnogram.tau_s) * (features.co2_volume - dead) / level_of(features)
    return capnogram.graded(dead * ML_PER_L, FOWLER, max(grade, swift(sunk, *limits)))


def require_phases(features: BreathFeatures, given: MeasurementContext, capnogram: Capnogram) -> None:
    """Raises ``NotMeasurable`` where the expirogram has no phases that areas and shape place alike."""
    require_expirogram(features, capnogram)
    whole, dead, other = features.co2_volume, features.co2_dead, fit_dead(features, capnogram.tau_s)
    if features.co2_samples < MIN_SAMPLES or math.isnan(dead):
        raise NotMeasurable(Reason.NO_PHASE3)
    if dead < LEAST_SHARE * whole:
        returns = given.context.co2_delay_s is not None and unexplained_s(given) > RETURNS_S
        raise NotMeasurable(Reason.REBREATHING if returns else Reason.IMPLAUSIBLE)
    if dead > PLATEAU_SHARE * whole:
        raise NotMeasurable(Reason.VT_BELOW_DEADSPACE)
    if not abs(dead - other) <= max(AGREE_VOLUME * whole, AGREE_SHARE * dead):
        is_blurred = blur(features, capnogram.tau_s) > MAX_BLUR
        raise NotMeasurable(Reason.CO2_TOO_SLOW if is_blurred else Reason.VDAW_METHODS_DISAGREE)


@metric(
    unit="mL",
    about="Airway dead space as the middle of phase II, from a curve fitted to the whole expirogram: a cross-check",
    bounds=VOLUME_ML,
    methods=methods(PARAM4),
    asks=Asks.SAMPLES,
    also=("vd_aw",),
    source="own form: a line with a logistic edge, by least squares",
)
def vd_aw_fit(features: BreathFeatures, capnogram: Capnogram) -> Graded:
    """Place of the logistic edge, mL."""
    return capnogram.graded(fit_dead(features, capnogram.tau_s) * ML_PER_L, PARAM4)


@metric(
    unit="mL",
    about="Standard deviation of the airway dead space that the delay of the capnogram causes",
    bounds=(0.0, 500.0),
    absent=Reason.CO2_UNALIGNED,
    methods=methods(TIMING),
    asks=Asks.SAMPLES,
    also=("vd_aw",),
)
def vd_aw_sd(features: BreathFeatures, given: MeasurementContext, capnogram: Capnogram) -> Graded:
    """Flow in phase II times the standard deviation of the delay, mL; missing where the delay was only declared."""
    return capnogram.graded(features.co2_flow * given.capnograph.delay_sd_s * ML_PER_L, TIMING)


@metric(
    unit="mL",
    about="Alveolar part of the expired tidal volume: without the airway dead space",
    bounds=VOLUME_ML,
    mdc=152436,
    methods=methods(FOWLER),
    asks=Asks.SAMPLES,
)
def vt_alv(vt_exp: float, vd_aw: float, capnogram: Capnogram) -> Graded:
    """VTe - VDaw, mL."""
    return capnogram.graded(vt_exp - vd_aw, FOWLER)


@metric(
    unit="mmHg",
    ucum="mm[Hg]",
    about="Mean alveolar PCO2: phase III in the middle of the alveolar volume; never arterial PCO2",
    bounds=(1.0, 150.0),
    methods=methods(MIDPOINT),
    asks=Asks.SAMPLES,
    source="Tusman et al. 2011",
    volume=Volume.CLOSED,
)
def pco2_alv(features: BreathFeatures, given: MeasurementContext, capnogram: Capnogram) -> Graded:
    """The line of phase III at VDaw + VTalv/2, mmHg; more than the mixed expired pressure, or it is no such thing."""
    require_phases(features, given, capnogram)
    if features.co2_middle <= features.co2_area / features.co2_volume:
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    value = (features.co2_middle + features.co2_inspired) * capnogram.scale
    off = sunk_mmhg(features, capnogram.tau_s) + DEVIATIONS * features.co2_slope_error * lever(features)
    grade = max(within(phase_2_end(features), *PHASE_2_ENDS), swift(off * capnogram.scale, *ALVEOLAR_MMHG))
    grade = max(grade, zero_grade(features.co2_inspired))
    return capnogram.graded(value, MIDPOINT, grade)


@metric(
    unit="1",
    ucum="{ratio}",
    about="Dead space after Bohr, with mean alveolar PCO2, over expired tidal volume; needs no blood gas",
    bounds=(0.05, 0.95),
    mdc=151988,
    weighted_by="vt_exp",
    methods=methods("bohr"),
    asks=Asks.SAMPLES,
    source="Bohr 1891; alveolar PCO2 after Tusman et al. 2011",
)
def vd_vt_bohr(
    features: BreathFeatures, pco2_alv: float, pco2_mixed_exp: float, pico2: float, capnogram: Capnogram
) -> Graded:
    """(PACO2 - PĒCO2)/(PACO2 - PICO2). Blind to gas that leaves unperfused alveoli beside the rest, and to shunt."""
    if pico2 > REBREATHING_REFUSED_MMHG:
        raise NotMeasurable(Reason.REBREATHING)
    value = (pco2_alv - pco2_mixed_exp) / (pco2_alv - pico2)
    doubt, unlikely = capnogram.doubt / features.co2_volume, capnogram.apparatus / features.co2_volume
    grade = max("B" if pico2 > REBREATHING_MMHG else "A", capnogram.placed(doubt, unlikely, *BOHR))
    off = (1.0 - value) * sunk_mmhg(features, capnogram.tau_s) / features.co2_middle
    return capnogram.graded(value, "bohr", max(grade, swift(off, *BOHR)))


@metric(
    unit="mmHg/L",
    ucum="mm[Hg]/L",
    about="Slope of phase II: the steepest of the fitted curve",
    bounds=(0.0, 50_000.0),
    methods=methods(PHASE_2),
    asks=Asks.SAMPLES,
    also=("vd_aw",),
)
def slope_2(features: BreathFeatures, capnogram: Capnogram) -> Graded:
    """p0/(4w) + SIII/2, mmHg/L; only where the sensor is fast enough not to show its own edge in place of the gas's."""
    if blur(features, capnogram.tau_s) > MAX_BLUR or bends(features, capnogram.tau_s):
        raise NotMeasurable(Reason.CO2_TOO_SLOW)
    value = features.co2_fit_p0 / (4.0 * features.co2_fit_width) + features.co2_fit_slope / 2.0
    return capnogram.graded(value * capnogram.scale, PHASE_2)


@metric(
    unit="mmHg/L",
    ucum="mm[Hg]/L",
    about="Slope of phase III: line over most of the alveolar volume, after the end of phase II",
    bounds=SLOPES,
    methods=methods(PHASE_3),
    asks=Asks.SAMPLES,
    volume=Volume.CLOSED,
)
def slope_3(features: BreathFeatures, given: MeasurementContext, capnogram: Capnogram) -> Graded:
    """SIII, mmHg/L; given where enough of phase III is left after phase II, and it is as straight as noise lets see."""
    require_phases(features, given, capnogram)
    if rise_s(capnogram.tau_s) > MAX_RISE_S:
        raise NotMeasurable(Reason.CO2_TOO_SLOW)
    if features.co2_samples < SLOPE_SAMPLES:
        raise NotMeasurable(Reason.NO_PHASE3)
    slope, doubt, lag = features.co2_slope, slope_doubt(features), lag_slope(features, capnogram.tau_s)
    if abs(slope) * (features.co2_line_to - features.co2_line_from) < SAME_MMHG:
        raise NotMeasurable(Reason.NO_PHASE3)
    grade = max(slope_grade(features, doubt + lag), within(phase_2_end(features), *PHASE_2_ENDS))
    if grade == "C":
        is_behind = slope_grade(features, doubt) != "C"
        raise NotMeasurable(Reason.CO2_TOO_SLOW if is_behind and lag > 0.0 else Reason.NO_PHASE3)
    doubt = capnogram.doubt + capnogram.apparatus
    moved = within(doubt / (features.co2_volume - features.co2_dead), *MOVED)
    return capnogram.graded(slope * capnogram.scale, PHASE_3, max(grade, moved))


@metric(
    unit="1/L",
    ucum="/L",
    about="Slope of phase III over mean alveolar PCO2, whose share of airway dead space it is free of",
    bounds=SLOPES,
    methods=methods("phase3_by_alveolar"),
    asks=Asks.SAMPLES,
)
def sn_3(slope_3: float, pco2_alv: float, capnogram: Capnogram) -> Graded:
    """SnIII = SIII/PACO2, 1/L. Papers also divide by PĒCO2, which changes with dead space and tidal volume."""
    return capnogram.graded(slope_3 / pco2_alv, "phase3_by_alveolar")
