"""Volumes and leak (algorithms §2.3, §3). Floor 1. Published volumes are raw; mechanics use leak-corrected ones."""

from __future__ import annotations

from streamer.breath import Breath
from streamer.metrics._registry import Graded, NotMeasurable, metric
from streamer.reasons import Reason
from streamer.units import ML_PER_L

VOLUME_ML = (1.0, 6000.0)
SENSOR_RATIO = 0.02
"""More gas back than in by more than this is a matter of sensors or of gas conditions, not a negative leak."""
LEAK_NOTED = 0.10


@metric(unit="mL", about="Inspired tidal volume as the sensor saw it", bounds=VOLUME_ML)
def vt_insp(insp_volume: float) -> float:
    """Inspired volume, mL."""
    return insp_volume * ML_PER_L


@metric(unit="mL", about="Expired tidal volume as the sensor saw it", bounds=VOLUME_ML, also=("te",))
def vt_exp(exp_volume: float) -> float:
    """Expired volume, mL; missing where there is no expiration at all."""
    return exp_volume * ML_PER_L


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
    about="Expired minute volume of this breath; over a window: volume over time",
    bounds=(0.0, 200.0),
    mdc=152000,
    weighted_by="ttot",
)
def minute_volume(vt_exp: float, rr: float) -> float:
    """Minute volume, L/min."""
    return vt_exp / ML_PER_L * rr
