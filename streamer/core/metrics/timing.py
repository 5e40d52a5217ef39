"""Times of a breath (algorithms §3).  Inspiration includes the pause; onsets lie between samples."""

from __future__ import annotations

from streamer.core.metrics.registry import Graded, NotMeasurable, metric
from streamer.model.breath import Breath
from streamer.model.flags import Asks
from streamer.model.reasons import Reason
from streamer.model.units import S_PER_MIN

BREATH_S = (0.0, 60.0)
SURE, FAIRLY_SURE = 0.02, 0.06
"""Of the duration, by which the valve may have opened later before one end of the breath than before the other."""


@metric(
    unit="s", about="Inspiratory time: onset to expiratory onset, pause included", bounds=(0.02, 60.0), asks=Asks.TIMES
)
def ti(breath: Breath) -> float:
    """Inspiratory time, s."""
    return breath.insp_end_s - breath.start_s


@metric(unit="s", about="Time in inspiration with flow above 2 L/min", bounds=BREATH_S)
def ti_flow(flow_s: float) -> float:
    """Inspiratory flow time, s."""
    return flow_s


@metric(unit="s", about="Pause: time without flow at the end of inspiration; 0 below 50 ms", bounds=BREATH_S)
def t_pause(pause_s: float) -> float:
    """End-inspiratory time without flow, s. A pause is not a hold: see ``pplat``."""
    return pause_s


@metric(
    unit="s", about="Expiratory time: expiratory onset to the next inspiration", bounds=(0.0, 60.0), asks=Asks.TIMES
)
def te(breath: Breath) -> float:
    """Expiratory time, s; missing when the next breath stacked on this one."""
    expired_s = breath.end_s - breath.insp_end_s
    if expired_s <= 0.0:
        raise NotMeasurable(Reason.DOUBLE_TRIGGER)
    return expired_s


@metric(unit="s", about="Duration of the breath: onset to onset", bounds=(0.05, 60.0), asks=Asks.ANY)
def ttot(breath: Breath) -> float:
    """Breath duration, s."""
    return breath.end_s - breath.start_s


@metric(unit="1", about="Inspiratory over expiratory time", bounds=(0.0, 100.0), ucum="{ratio}", mdc=151832)
def ie_ratio(ti: float, te: float) -> float:
    """I:E as a number; 1:2 is 0.5."""
    return ti / te


@metric(
    unit="/min",
    about="Respiratory rate of this breath; over a window: breaths over time",
    bounds=(1.0, 200.0),
    mdc=152490,
    weighted_by="ttot",
    asks=Asks.RATE,
)
def rr(ttot: float, breath: Breath) -> Graded:
    """60 / Ttot, per minute; B or C where a draw leaves open when the valve opened."""
    doubt = breath.doubt_s / ttot
    return Graded(S_PER_MIN / ttot, None if doubt <= SURE else "B" if doubt <= FAIRLY_SURE else "C")
