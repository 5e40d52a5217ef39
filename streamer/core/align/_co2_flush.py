"""When fresh gas flushes the CO2 sensor of a breath, and where in it PCO2 shows that."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamer.core.align._quantile import quantile
from streamer.core.align._settings import AlignSettings
from streamer.core.align.capnogram import Capnogram
from streamer.model.breath import Breath, Edge
from streamer.model.chunk import FloatArray
from streamer.model.context import Context
from streamer.model.flags import ONSET_UNSEEN
from streamer.model.units import ML_PER_L

BEGINS, ENDS = 1.5, 4.0
"""Time constants before and after its half way between which a fall of PCO2 is more than a hundredth of it."""
MEAN_LATER, EMPTYING_S = 1.0 - math.log(2.0), 0.5
"""Time constants from half of a response to its mean, which is what moves areas, and with them a dead space. A little
less, since gas that is shown late is shown at lower flow; lungs empty with about this time constant."""
MOST_OF_BREATH = 0.03
"""Of the inspired volume: a sensor that holds more is not used on a patient."""
PLACED = 0.25
"""Of the interval between samples: how well an onset is placed between them, and the width of a fall known."""
SAMPLED = 0.53
"""Of the interval between samples: time constant of the fall that a step shows, since each sample is a mean."""
RECENT_S = 30.0
"""Falls of which the time constant is a median; no longer, so that all of them are still kept."""


class Flush(NamedTuple):
    """When PCO2 would be half way down if gas took no time.

    On the device's clock, for the middle chamber; by how much sooner without one, or later with the largest; the volume
    of that one, L, and the fall that it makes, as a time constant, s; how well the onset is placed, s; when the volume
    of the middle one has passed, s after sample 0. ``chambers``: from none to the largest, how much later than the
    middle one each has passed, and the fall that it makes, s.
    """

    at_s: float
    doubt_s: float
    chamber: float
    tau_s: float
    placed_s: float
    after_s: float
    chambers: tuple[tuple[float, float], ...]


NO_FLUSH = Flush(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, ())


class Flushing:
    """What is known of the sensor and of what stands before it.

    Args:
        context: Declared apparatus.
        settings: Volume of the sensor.
    """

    def __init__(self, context: Context, settings: AlignSettings) -> None:
        from streamer.core.align import _co2_inflow  # noqa: PLC0415 (loads the compiler: settings alone should not)

        self._kernels: Any = _co2_inflow
        self._before = (context.apparatus_volume_ml or 0.0) / ML_PER_L
        self._most = settings.co2_sensor_ml / ML_PER_L
        self._tried: FloatArray = np.empty((_co2_inflow.CHAMBERS, 3))

    def of(self, breath: Breath, fall_tau_s: float, co2_rate_hz: float) -> Flush:
        """When the middle of a fall would come without delay; NaN where no onset was seen, or no fall.

        Gas goes in from where the patient began to draw it, be the valve still shut. The mean instant of a fall is that
        at which the chamber's own volume has passed; its middle comes before that.
        """
        if not ONSET_UNSEEN.isdisjoint(breath.flags) or math.isnan(fall_tau_s):
            return NO_FLUSH
        onset = max((breath.start_s - breath.draw_s - breath.onset_s) * breath.rate_hz, 0.0)
        flow = to_lung(breath)
        inspired = float(flow[: breath.insp_end].sum()) / breath.rate_hz
        most = min(self._most, MOST_OF_BREATH * max(inspired, 0.0))
        widest_s = max(fall_tau_s, PLACED / co2_rate_hz)
        self._kernels.flush(flow, onset, breath.rate_hz, self._before, most, widest_s, self._tried)
        volumes, passed_s, falls_s = self._tried.T.tolist()
        after_s, doubt_s = 0.5 * (passed_s[0] + passed_s[-1]), 0.5 * (passed_s[-1] - passed_s[0])
        chambers = tuple((one - after_s, tau_s) for one, tau_s in zip(passed_s, falls_s, strict=True))
        at_s = breath.onset_s + after_s - fall_tau_s * (MEAN_LATER - fall_tau_s / (2.0 * EMPTYING_S))
        placed_s = PLACED / min(breath.rate_hz, co2_rate_hz)
        return Flush(at_s, doubt_s, volumes[-1], falls_s[-1], placed_s, after_s, chambers)

    def edge(self, breath: Breath, flush: Flush, fall_tau_s: float) -> Edge:
        """Where the fall lies once the capnogram is moved."""
        half_s = flush.at_s - breath.start_s
        chamber = 0.5 * flush.chamber
        return Edge(max(BEGINS * fall_tau_s - half_s, 0.0), half_s + ENDS * fall_tau_s, self._before + chamber, chamber)


def to_lung(breath: Breath) -> FloatArray:
    """(n,) L/s: flow without leak and offset, which move gas past the sensor when the patient does not."""
    flow = breath.flow
    if breath.flow_zero:
        flow = flow - breath.flow_zero
    if breath.leak_conductance:
        flow = flow - breath.leak_conductance * np.sqrt(np.maximum(np.nan_to_num(breath.paw), 0.0))
    return flow


def inspired_by(flow: FloatArray, rate_hz: float, until_s: float) -> float:
    """Volume that goes in by an instant after sample 0, L."""
    inward = np.maximum(flow, 0.0)
    whole = min(int(until_s * rate_hz + 0.5), inward.size - 1)
    part = (until_s * rate_hz + 0.5 - whole) * float(inward[whole])
    return (float(inward[:whole].sum()) + part) / rate_hz


def recent_fall_tau_s(capnogram: Capnogram, until_s: float) -> float:
    """Time constant of recent falls, s; NaN where there are none."""
    taus = sorted(fall.tau_s for fall in capnogram.falls(until_s - RECENT_S, until_s))
    return less(quantile(taus, 0.5), SAMPLED / capnogram.rate_hz) if taus else math.nan


def less(tau_s: float, *others_s: float) -> float:
    """A time constant without what others add to it: variances of responses in a row add up."""
    return math.sqrt(max(tau_s * tau_s - sum(other * other for other in others_s), 0.0))
