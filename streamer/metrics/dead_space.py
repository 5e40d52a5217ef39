"""Airway dead space, phase III, and dead space after Bohr (algorithms §6.3-6.5). Floor 1.

Every number rests on an expirogram in time with flow. ``vd_aw`` is the gate of all others: found by areas (Fowler's
integral equation) and by shape (a curve of four parameters), and given where both agree. It holds everything on the
patient's side of the sensor. Bohr's fraction never takes end-tidal or arterial PCO2 for alveolar; see ``gases``.
"""

from __future__ import annotations

import math

from streamer.metrics._capnogram import (
    SETTLED_LEVEL,
    SETTLED_SLOPE,
    Capnogram,
    is_slow,
    methods,
    sensor_tau_s,
    unexplained_s,
    within,
)
from streamer.metrics._folded import PHASE_2_WIDTHS, Fold
from streamer.metrics._given import Given
from streamer.metrics._registry import EXPIROGRAM, Graded, NotMeasurable, Volume, metric
from streamer.metrics.capnography import PLATEAU_SHARE, REBREATHING_MMHG, REBREATHING_REFUSED_MMHG
from streamer.metrics.expired_co2 import require_expirogram
from streamer.reasons import Reason
from streamer.units import ML_PER_L

FOWLER, PARAM4, MIDPOINT, PHASE_2, PHASE_3, TIMING = "fowler", "param4", "phase3_midpoint", "param4", "phase3", "timing"
VOLUME_ML = (1.0, 2000.0)
SLOPES = (-20.0, 2000.0)
MIN_SAMPLES, SLOPE_SAMPLES = 6.0, 12.0
"""Of the line of phase III: for a level, and for a slope, whose error has to be known, too."""
RETURNS_S = 0.05
"""CO2 that lasts so much longer into inspiration than a declared delay explains comes back from apparatus."""
LEAST_SHARE = 0.10
"""Of the expired volume: no airway is smaller."""
AGREE_VOLUME, AGREE_SHARE = 0.02, 0.10
"""Of the expired volume, or of the dead space: how far two ways to find it may lie apart."""
DEAD_ML, DEAD_SHARE, BOHR = 8.0, (0.08, 0.10), (0.018, 0.030)
"""Up to which error quality is A and B; a dead space has to meet both for A."""
MAX_RISE_S = 0.2
"""From 10 to 90 %, declared or seen: slower sensors give no slopes (algorithms §6.2)."""
MAX_BLUR = 0.5
"""Volume that passes in one time constant, over the width of phase II (as a standard deviation) that it is part of."""
MEAN_LATER = 1.0 - math.log(2.0)
"""Time constants from half of a response to its mean (algorithms §6.2)."""
LOGISTIC_SD = math.pi / math.sqrt(3.0)
PHASE_2_ENDS = (0.40, 0.55)
"""Of the alveolar volume: where phase II ends later, too little is left of phase III for quality A, and for B."""
SLOPE_OFF, LEVEL = (0.20, 0.35), 0.02
"""Doubt about the slope up to which quality is A, and B: as a share of the least that it may be; or, for a plateau that
is level, of such a share of alveolar PCO2 over expired volume."""
MOVED = (0.08, 0.16)
"""Of the alveolar volume: doubt about its beginning, which moves the line, up to which quality is A, and B."""
DEVIATIONS, BENDS = 2.5, 2.0
"""Standard errors that a slope is in doubt by, and by which its second half has to differ before phase III bends."""
AT_EDGE = 6.0
"""What is missing at the very beginning of a line tilts it by so many times itself over the square of its length."""


@metric(
    unit="mL",
    about="Airway dead space after Fowler: everything on the patient's side of the CO2 sensor",
    bounds=VOLUME_ML,
    mdc=151984,
    absent=Reason.NO_PHASE3,
    methods=methods(FOWLER),
    withheld=EXPIROGRAM,
    source="Fowler 1948, as an integral equation",
    volume=Volume.CLOSED,
)
def vd_aw(folded: Fold, given: Given, capnogram: Capnogram) -> Graded:
    """Volume from which on the line of phase III holds as much CO2 as was expired, mL; bias below 2 mL at 1 mmHg."""
    require_phases(folded, given, capnogram)
    dead = folded.co2_dead
    close, fair = DEAD_SHARE
    grade = within(capnogram.doubt + _tilted(folded), min(DEAD_ML / ML_PER_L, close * dead), fair * dead)
    return capnogram.graded(dead * ML_PER_L, FOWLER, grade)


def require_phases(folded: Fold, given: Given, capnogram: Capnogram) -> None:
    """Raises ``NotMeasurable`` where the expirogram has no phases that areas and shape place alike."""
    require_expirogram(folded, given, capnogram)
    whole, dead, other = folded.co2_volume, folded.co2_dead, _fit_dead(folded, given)
    if folded.co2_samples < MIN_SAMPLES or math.isnan(dead):
        raise NotMeasurable(Reason.NO_PHASE3)
    if dead < LEAST_SHARE * whole:
        returns = given.context.co2_delay_s is not None and unexplained_s(given) > RETURNS_S
        raise NotMeasurable(Reason.REBREATHING if returns else Reason.IMPLAUSIBLE)
    if dead > PLATEAU_SHARE * whole:
        raise NotMeasurable(Reason.VT_BELOW_DEADSPACE)
    if not abs(dead - other) <= max(AGREE_VOLUME * whole, AGREE_SHARE * dead):
        is_blurred = _blur(folded, given) > MAX_BLUR
        raise NotMeasurable(Reason.CO2_TOO_SLOW if is_blurred else Reason.VDAW_METHODS_DISAGREE)


@metric(
    unit="mL",
    about="Airway dead space as the middle of phase II, from a curve fitted to the whole expirogram: a cross-check",
    bounds=VOLUME_ML,
    methods=methods(PARAM4),
    withheld=EXPIROGRAM,
    also=("vd_aw",),
    source="own form: a line with a logistic edge, by least squares",
)
def vd_aw_fit(folded: Fold, given: Given, capnogram: Capnogram) -> Graded:
    """Place of the logistic edge, mL."""
    return capnogram.graded(_fit_dead(folded, given) * ML_PER_L, PARAM4)


@metric(
    unit="mL",
    about="Standard deviation of the airway dead space that the delay of the capnogram causes",
    bounds=(0.0, 500.0),
    absent=Reason.CO2_UNALIGNED,
    methods=methods(TIMING),
    withheld=EXPIROGRAM,
    also=("vd_aw",),
)
def vd_aw_sd(folded: Fold, given: Given, capnogram: Capnogram) -> Graded:
    """Flow in phase II times the standard deviation of the delay, mL; missing where the delay was only declared."""
    return capnogram.graded(folded.co2_flow * given.capnograph.delay_sd_s * ML_PER_L, TIMING)


@metric(
    unit="mL",
    about="Alveolar part of the expired tidal volume: without the airway dead space",
    bounds=VOLUME_ML,
    mdc=152436,
    methods=methods(FOWLER),
    withheld=EXPIROGRAM,
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
    withheld=EXPIROGRAM,
    source="Tusman et al. 2011",
    volume=Volume.CLOSED,
)
def pco2_alv(folded: Fold, given: Given, capnogram: Capnogram) -> Graded:
    """The line of phase III at VDaw + VTalv/2, mmHg; more than the mixed expired pressure, or it is no such thing."""
    require_phases(folded, given, capnogram)
    if folded.co2_middle <= folded.co2_area / folded.co2_volume:
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    value = (folded.co2_middle + folded.co2_inspired) * capnogram.scale
    grade = within(_phase_2_end(folded), *PHASE_2_ENDS)
    return capnogram.graded(value, MIDPOINT, "C" if is_slow(folded, given, SETTLED_LEVEL) else grade)


@metric(
    unit="1",
    ucum="{ratio}",
    about="Dead space after Bohr, with mean alveolar PCO2, over expired tidal volume; needs no blood gas",
    bounds=(0.05, 0.95),
    mdc=151988,
    weighted_by="vt_exp",
    methods=methods("bohr"),
    withheld=EXPIROGRAM,
    source="Bohr 1891; alveolar PCO2 after Tusman et al. 2011",
)
def vd_vt_bohr(folded: Fold, pco2_alv: float, pco2_mixed_exp: float, pico2: float, capnogram: Capnogram) -> Graded:
    """(PACO2 - PĒCO2)/(PACO2 - PICO2). Blind to gas that leaves unperfused alveoli beside the rest, and to shunt."""
    if pico2 > REBREATHING_REFUSED_MMHG:
        raise NotMeasurable(Reason.REBREATHING)
    grade = max("B" if pico2 > REBREATHING_MMHG else "A", within(capnogram.doubt / folded.co2_volume, *BOHR))
    return capnogram.graded((pco2_alv - pco2_mixed_exp) / (pco2_alv - pico2), "bohr", grade)


@metric(
    unit="mmHg/L",
    ucum="mm[Hg]/L",
    about="Slope of phase II: the steepest of the fitted curve",
    bounds=(0.0, 50_000.0),
    methods=methods(PHASE_2),
    withheld=EXPIROGRAM,
    also=("vd_aw",),
)
def slope_2(folded: Fold, given: Given, capnogram: Capnogram) -> Graded:
    """p0/(4w) + SIII/2, mmHg/L; only where the sensor is fast enough not to show its own edge in place of the gas's."""
    if _blur(folded, given) > MAX_BLUR or _bends(folded, given):
        raise NotMeasurable(Reason.CO2_TOO_SLOW)
    value = folded.co2_fit_p0 / (4.0 * folded.co2_fit_width) + folded.co2_fit_slope / 2.0
    return capnogram.graded(value * capnogram.scale, PHASE_2)


@metric(
    unit="mmHg/L",
    ucum="mm[Hg]/L",
    about="Slope of phase III: line over most of the alveolar volume, after the end of phase II",
    bounds=SLOPES,
    methods=methods(PHASE_3),
    withheld=EXPIROGRAM,
    volume=Volume.CLOSED,
)
def slope_3(folded: Fold, given: Given, capnogram: Capnogram) -> Graded:
    """SIII, mmHg/L; given where enough of phase III is left after phase II, and it is as straight as noise lets see."""
    require_phases(folded, given, capnogram)
    if _rise_s(given) > MAX_RISE_S:
        raise NotMeasurable(Reason.CO2_TOO_SLOW)
    if folded.co2_samples < SLOPE_SAMPLES:
        raise NotMeasurable(Reason.NO_PHASE3)
    slope, doubt, lag = folded.co2_slope, _slope_doubt(folded), _lag(folded, given)
    grade = max(_slope_grade(folded, doubt + lag), within(_phase_2_end(folded), *PHASE_2_ENDS))
    if grade == "C":
        is_behind = _slope_grade(folded, doubt) != "C"
        raise NotMeasurable(Reason.CO2_TOO_SLOW if is_behind and lag > 0.0 else Reason.NO_PHASE3)
    moved = within(capnogram.doubt / (folded.co2_volume - folded.co2_dead), *MOVED)
    return capnogram.graded(slope * capnogram.scale, PHASE_3, max(grade, moved))


@metric(
    unit="1/L",
    ucum="/L",
    about="Slope of phase III over mean alveolar PCO2, whose share of airway dead space it is free of",
    bounds=SLOPES,
    methods=methods("phase3_by_alveolar"),
    withheld=EXPIROGRAM,
)
def sn_3(slope_3: float, pco2_alv: float, capnogram: Capnogram) -> Graded:
    """SnIII = SIII/PACO2, 1/L. Papers also divide by PĒCO2, which changes with dead space and tidal volume."""
    return capnogram.graded(slope_3 / pco2_alv, "phase3_by_alveolar")


def _fit_dead(folded: Fold, given: Given) -> float:
    """Middle of phase II, L: of the gas, whose mean moved the capnogram, not of the sensor, whose half is sooner."""
    return folded.co2_fit_dead + MEAN_LATER * sensor_tau_s(given) * folded.co2_flow


def _slope_grade(folded: Fold, doubt: float) -> str:
    """Quality of a slope that is in doubt by so many mmHg/L: what the doubt is of the least that it may be."""
    level = LEVEL * folded.co2_middle / folded.co2_volume
    least = max(abs(folded.co2_slope) - doubt, level)
    return within(doubt / least, *SLOPE_OFF)


def _slope_doubt(folded: Fold) -> float:
    """By how much the slope of phase III may be off, mmHg/L: noise, and what its second half alone would change."""
    bend = max(abs(folded.co2_slope - folded.co2_late_slope) - BENDS * folded.co2_late_error, 0.0)
    return bend + DEVIATIONS * folded.co2_slope_error


def _lag(folded: Fold, given: Given) -> float:
    """By how much the sensor's own response tilts the line of phase III, mmHg/L: what it lags by as the line begins.

    A capnogram that was moved by the mean of its response begins to rise a time constant before the gas does.
    """
    tau_s = sensor_tau_s(given)
    if not tau_s > 0.0:
        return 0.0
    behind = _level(folded) * math.exp(-1.0 - folded.co2_transit_s / tau_s)
    passed = (folded.co2_line_from - folded.co2_dead) / folded.co2_transit_s * tau_s
    return AT_EDGE * behind * passed / (folded.co2_line_to - folded.co2_line_from) ** 2


def _level(folded: Fold) -> float:
    """Where phase III begins, mmHg above what is inspired."""
    return folded.co2_start + folded.co2_slope * folded.co2_dead


def _phase_2_end(folded: Fold) -> float:
    """Share of the alveolar volume that has passed when the fitted curve of phase II has come to 99 %."""
    end = folded.co2_fit_dead + PHASE_2_WIDTHS * folded.co2_fit_width
    return (end - folded.co2_dead) / (folded.co2_volume - folded.co2_dead)


def _tilted(folded: Fold) -> float:
    """What that doubt makes of the dead space, L: a line that turns about its middle changes areas unevenly."""
    turn = 0.5 * abs(folded.co2_line_from + folded.co2_line_to - folded.co2_dead - folded.co2_volume)
    return _slope_doubt(folded) * (folded.co2_volume - folded.co2_dead) * turn / _level(folded)


def _blur(folded: Fold, given: Given) -> float:
    """Share of the width of phase II that is the sensor's."""
    return sensor_tau_s(given) * folded.co2_flow / (LOGISTIC_SD * folded.co2_fit_width)


def _bends(folded: Fold, given: Given) -> bool:
    """Whether the sensor is so slow that slopes would be its own."""
    return _rise_s(given) > MAX_RISE_S or is_slow(folded, given, SETTLED_SLOPE)


def _rise_s(given: Given) -> float:
    """Of the sensor, from 10 to 90 %."""
    return sensor_tau_s(given) * math.log(9.0)
