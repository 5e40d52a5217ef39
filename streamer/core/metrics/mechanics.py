"""Compliance and resistance from holds (algorithms §4.3).  Volumes here are leak-corrected."""

from __future__ import annotations

from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.measurement_context import MeasurementContext, OnsetState
from streamer.core.metrics.registry import Graded, NotMeasurable, Volume, metric
from streamer.core.metrics.volume_balance import LEAK_NOTED, MAX_LEAK
from streamer.core.metrics.volumes import SENSOR_RATIO
from streamer.model.breath import Breath
from streamer.model.flags import Asks
from streamer.model.reasons import Reason

COMPLIANCE = (0.2, 250.0)
"""mL/cmH2O that are physically plausible, from the smallest newborn to emphysema (algorithms §12)."""
RESISTANCES = (0.0, 300.0)
"""cmH2O·s/L, a newborn's narrow tube included."""
MAX_UNSETTLED = 1
"""One breath of eight may leave the lung fuller or emptier, as a sigh does: from which volume the next ones begin is
known again. More, and something besides the ventilator moves gas."""


@metric(
    unit="mL/cmH2O",
    ucum="mL/cm[H2O]",
    about="Respiratory system compliance: inspired volume over driving pressure, from a hold",
    bounds=COMPLIANCE,
    mdc=151688,
    held=True,
    methods=("quasi_static",),
    asks=Asks.MECHANICS,
    volume=Volume.TIGHT,
)
def crs(driving_pressure: float, vt: float, given: MeasurementContext) -> Graded:
    """VT over driving pressure, mL/cmH2O; quasi-static: the plateau is always read at 0.5 s or before.

    That is its method in all breaths; what the driving pressure counts from, and why it may be B, that one says.
    """
    if given.past.unsettled > MAX_UNSETTLED:
        raise NotMeasurable(Reason.VOLUME_NOT_CLOSED)
    return Graded(vt / driving_pressure, None, "quasi_static")


@metric(
    unit="mL/cmH2O",
    ucum="mL/cm[H2O]",
    about="Dynamic characteristic: inspired volume over peak pressure less PEEP; includes resistance",
    bounds=COMPLIANCE,
    absent=Reason.EXHALATION_INCOMPLETE,
    asks=Asks.MECHANICS,
    volume=Volume.TIGHT,
)
def cdyn(ppeak: float, vt: float, start: OnsetState) -> Graded:
    """VT / (Ppeak - PEEP at the breath's onset), mL/cmH2O."""
    if ppeak <= start.peep:
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    return Graded(vt / (ppeak - start.peep), "B" if start.is_own else None)


@metric(
    unit="cmH2O·s/L",
    ucum="cm[H2O].s/L",
    about="Inspiratory resistance: pressure lost when constant flow stops for a hold, over that flow",
    bounds=RESISTANCES,
    held=True,
    methods=("r_max",),
    absent=Reason.FLOW_NOT_CONSTANT,
    asks=Asks.FLOW_STOP,
)
def rrs(pplat: float, features: BreathFeatures) -> Graded:
    """(Pressure when constant flow stops - plateau) / that flow, cmH2O·s/L; ``r_max``: tissue resistance included.

    Constant flow assumed, and checked over 20-80 % of its time and against the volume.
    """
    if not features.is_square:
        raise NotMeasurable(Reason.FLOW_NOT_CONSTANT)
    return Graded((features.square_stop_paw - pplat) / features.square_flow, None, "r_max")


def leak_grade(breath: Breath) -> str:
    """Quality of a volume after the balance of the last 20 breaths; B while that is not known."""
    if breath.leak_frac > MAX_LEAK:
        raise NotMeasurable(Reason.LEAK_HIGH)
    return "A" if -SENSOR_RATIO <= breath.leak_frac <= LEAK_NOTED else "B"
