"""Whether a breath's capnogram may be used, for what, and in which units.  One decision for all of its metrics.

Two kinds of numbers come from a capnogram. Those over *volume* need it on the time of flow, from a sensor that does not
distort time: ``unfit`` says why not. Those over *time* (end-tidal, inspired) need neither, and are of quality B then.
The sensor's kind is part of every method: values of different sensors are never compared unawares (algorithms §6.1).

A sensor that is slow against the expiration bends phase II into phase III. What has passed of its response between the
dead space and the beginning of phase III's line decides: 1.5 time constants for volumes, 3 for slopes. On random lungs
with sensors of 15-150 ms that left 95 % of dead spaces within 6 mL; below it, errors were 14-80 mL.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.measurement_context import MeasurementContext
from streamer.core.metrics.registry import Graded, NotMeasurable
from streamer.model.breath import Breath, Late
from streamer.model.context import Context
from streamer.model.reasons import Reason
from streamer.model.units import PH2O_BODY_MMHG, STANDARD_MMHG

KINDS = ("mainstream", "sidestream")
UNDECLARED = "undeclared"
NEAR_ZERO_MMHG, FAR_BELOW_MMHG = 0.5, 1.8
JUDGED = frozenset({Late.BY_DEVICE, Late.BY_APPARATUS})
"""What makes a capnogram late was found in the signal: that is worth B."""
SETTLED_VOLUME, SETTLED_SLOPE = 1.5, 4.0
"""Time constants of the sensor."""
LOOSE, HOPELESS = 2.0, 2.5
"""Times what B allows: beyond the first no doubt leaves a number, beyond the second not even an unlikely one."""
EMPTYING_S = 0.5
"""Time constant with which lungs empty, about; a sensor that is slow against it smears what comes early over late flow,
of which there is less: areas lose a share of (tau / 2T)²."""


class Capnogram(NamedTuple):
    """What a breath's capnogram is good for.

    ``unfit``: why it gives nothing over volume, None where it does. ``quality``: the best that any of its numbers can
    be. ``scale``: mmHg as the sensor gives it → mmHg at body conditions. ``kind``: of the sensor, as methods name it.
    ``doubt``: how far phase II may lie from where it seems to, L, since nothing tells how much gas the sensor holds;
    ``apparatus``: how much farther if apparatus makes the delay. ``tau_s``: time constant of the sensor. ``unplaced``:
    why nothing may rest on the place of phase II.
    """

    unfit: Reason | None
    quality: str
    scale: float
    kind: str
    doubt: float = 0.0
    apparatus: float = 0.0
    tau_s: float = 0.0
    unplaced: Reason | None = None

    def method(self, name: str) -> str:
        """How a number was found, with the kind of sensor."""
        return f"{name}_{self.kind}"

    def require(self) -> None:
        """Raises ``NotMeasurable`` where the capnogram gives nothing over volume."""
        if self.unfit is not None:
            raise NotMeasurable(self.unfit)

    def placed(self, doubt: float, unlikely: float, close: float, fair: float) -> str:
        """Quality of a number whose ``doubt`` is so large, and ``unlikely`` larger if apparatus makes the delay.

        Raises:
            NotMeasurable: The place of phase II is not known, or too badly.
        """
        if self.unplaced is not None or doubt > LOOSE * fair or doubt + unlikely > HOPELESS * fair:
            raise NotMeasurable(self.unplaced or Reason.CO2_UNALIGNED)
        return within(doubt + unlikely, close, fair)

    def graded(self, value: float, name: str, grade: str = "A") -> Graded:
        """A number of this capnogram's quality or of ``grade``, if that is worse."""
        return Graded(value, max(self.quality, grade), self.method(name))


NONE = Capnogram(Reason.CO2_MISSING, "C", 1.0, UNDECLARED)


def methods(*names: str, kinds: tuple[str, ...] = KINDS) -> tuple[str, ...]:
    """Every method that ``Capnogram.method`` may make of these names."""
    return tuple(f"{name}_{kind}" for name in names for kind in kinds)


def capnogram_of(breath: Breath, features: BreathFeatures, given: MeasurementContext) -> Capnogram:
    """Judge the capnogram of a breath."""
    context = given.context
    if breath.pco2 is None and math.isnan(given.capnograph.end_tidal):
        return NONE
    kind = context.co2_kind or UNDECLARED
    flow = features.peak_exp_flow if math.isnan(features.co2_flow) else features.co2_flow
    tau_s = given.capnograph.response_s(context)
    doubt, apparatus = given.capnograph.doubt_s * flow, unexplained_s(given) * flow
    unplaced = Reason.CO2_UNALIGNED if given.capnograph.late is Late.UNDECIDED else None
    quality = max(_quality(given), "B" if features.swings else "A")  # gas that moves to and fro is shown twice
    return Capnogram(
        _unfit(breath, features, given), quality, scale_of(context), kind, doubt, apparatus, tau_s, unplaced
    )


def zero_grade(inspired: float) -> str:
    """Quality of a pressure beside what is inspired, mmHg: fresh gas has no CO2, so that a zero may be as far off.

    Raises:
        NotMeasurable: ``implausible``, where it reads less than nothing by more than B allows.
    """
    if inspired < -FAR_BELOW_MMHG:
        raise NotMeasurable(Reason.IMPLAUSIBLE)
    return "A" if abs(inspired) <= NEAR_ZERO_MMHG else "B"


def within(off: float, close: float, fair: float) -> str:
    """Quality of a number that may be ``off`` by so much: A where that is close, B where it is fair, else C."""
    if off <= close:
        return "A"
    return "B" if off <= fair else "C"


def _unfit(breath: Breath, features: BreathFeatures, given: MeasurementContext) -> Reason | None:
    """Why nothing over volume can be given, the plainest reason first."""
    context = given.context
    if breath.pco2 is None:
        return Reason.FLOW_MISSING
    if features.co2_holes >= breath.flow.size:
        return Reason.CO2_MISSING
    if features.co2_holes > 0.0:
        return Reason.GAP
    if context.co2_kind is None:
        return Reason.CO2_KIND_UNKNOWN
    if context.co2_kind == "sidestream" and not context.allow_sidestream_vcap:
        return Reason.SIDESTREAM_UNSUITABLE
    return given.capnograph.withheld


def _quality(given: MeasurementContext) -> str:
    context = given.context
    if context.co2_kind is None or context.co2_scale is None:
        return "C"
    if context.co2_kind == "sidestream" and context.allow_sidestream_vcap:
        return "C"
    is_guess = context.co2_scale == "dry" and context.barometric_mmhg is None
    return "B" if is_guess or given.capnograph.late in JUDGED else "A"


def unexplained_s(given: MeasurementContext) -> float:
    """How much later than declared the capnogram comes, s, where no apparatus was declared, nor found in the signal.

    30 mL between wye and sensor, of which the context says nothing, look like a delay of 60 ms, and take 30 mL from the
    dead space.
    """
    if given.capnograph.late in JUDGED:
        return 0.0
    later_s = given.capnograph.later_s(given.context) - given.capnograph.doubt_s
    return max(later_s, 0.0)  # NaN comes to 0


def smeared(tau_s: float) -> float:
    """Share of the expired CO2 that a slow sensor loses."""
    return (tau_s / (2.0 * EMPTYING_S)) ** 2


def scale_of(context: Context) -> float:
    """A dried sample reads PB/(PB - 47) too high (algorithms §1.1)."""
    if context.co2_scale != "dry":
        return 1.0
    barometric = context.barometric_mmhg or STANDARD_MMHG
    return (barometric - PH2O_BODY_MMHG) / barometric


def is_slow(features: BreathFeatures, tau_s: float, settled: float) -> bool:
    """Whether fewer than ``settled`` time constants pass between the dead space and the beginning of the line."""
    return features.co2_transit_s < settled * tau_s
