"""By how much the capnogram comes later than flow: the largest error of volumetric capnography. Floor 1, in ``align``.

Late by 50 ms, a capnogram turns a dead space of 150 mL into 176 (algorithms §6.2). Fresh gas flushes the sensor at the
onset of inspiration, almost at once: so a breath's own delay is the instant at which PCO2 falls through half of its
height less the instant at which ln 2 of the sensor's volume has been inspired, after what stood between wye and sensor
(declared: undeclared, it looks like a delay). The *rise* in expiration must not be used: there, delay and dead space
cannot be told apart. The delay is the median of 20 breaths; halves of both edges of a
slow sensor are late alike, so this takes most of its lag away too.

At first the falls are matched to the onsets: the delay is where most onsets have a fall. Breathing as regular as a
clock fits as well one period later; then the delay stays unknown unless it was declared (or bound to be small, as
in a mainstream sensor in the ventilator's own stream). Matching instants is the cross-correlation of §6.2 with
everything but the edges left out.

A breath whose own falls, before and after it, do not come when the median says, is withheld: its delay has jumped.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any, NamedTuple

import numpy as np

from streamer.align._co2_declared import Declared
from streamer.align._co2_search import ENOUGH, Search, first_delays, search_of
from streamer.align._quantile import quantile
from streamer.align._range import Range
from streamer.align._settings import AlignSettings
from streamer.align.capnogram import Capnogram, Fall
from streamer.breath import NO_CAPNOGRAPH, NO_EDGE, Breath, Capnograph, Edge
from streamer.chunk import FloatArray
from streamer.context import Context
from streamer.reasons import Reason
from streamer.records import Flag
from streamer.units import ML_PER_L

MEMORY = 20
SETTLE_S = 0.4
"""After a breath's end, how long to look out for the fall that ends its expirogram, and for all of that fall."""
SEARCH_S = 0.25
"""A fall farther than this from where it is due belongs to nothing."""
MAX_SPREAD_S, MAX_STRAY_S = 0.020, 0.020
"""Or as much as the onsets leave in doubt: where flow rises slowly, noise moves them, and no breath's gas with them."""
MAX_DRIFT_S, DRIFT_S = 0.050, 300.0
BEGINS, ENDS = 1.5, 4.0
"""Time constants before and after its half way between which a fall of PCO2 is more than a hundredth of it."""
MEAN_LATER, EMPTYING_S = 1.0 - math.log(2.0), 0.5
"""Time constants from half of a response to its mean, which is what moves areas, and with them a dead space. A little
less, since gas that is shown late is shown at lower flow; lungs empty with about this time constant."""
MOST_OF_BREATH = 0.03
"""Of the inspired volume: nobody lets a patient breathe through a sensor that holds more."""
PLACED = 0.25
"""Of the interval between samples: how well an onset is placed between them, and the width of a fall known."""
SAMPLED = 0.53
"""Of the interval between samples: time constant of the fall that a step shows, since each sample is a mean."""
RECENT_S = 30.0
"""Falls of which the time constant is a median; no longer, so that all of them are still kept."""
MAX_AGE_S = 15.0
"""An end-tidal PCO2 older than this at the end of a breath is not of this breath."""
UNTIMED = frozenset({Flag.TRUNCATED, Flag.AFTER_GAP, Flag.GAP, Flag.GAP_SHORT, Flag.APNOEA})
"""Labels of a breath whose onset was not seen."""


class Flush(NamedTuple):
    """When PCO2 would be half way down if gas took no time.

    On the device's clock; by how much sooner without a chamber; the volume of the sensor's chamber, L, and the fall
    that this makes, as a time constant, s; how well the onset is placed, s.
    """

    at_s: float
    doubt_s: float
    chamber: float
    tau_s: float
    placed_s: float


NO_FLUSH = Flush(*[math.nan] * 5)


class Co2Timing:
    """The delay of one bed's capnogram, breath by breath.

    Args:
        context: Kind of sensor and declared delay.
        settings: Volume of the sensor; whether to estimate at all.
    """

    def __init__(self, context: Context, settings: AlignSettings) -> None:
        from streamer.align import _co2_scan  # noqa: PLC0415 (loads the compiler: settings alone should not)

        self._kernels: Any = _co2_scan
        self._context, self._settings = context, settings
        self._delays: deque[float] = deque(maxlen=MEMORY)
        self._onsets: deque[float] = deque(maxlen=MEMORY)
        self._doubts: deque[float] = deque(maxlen=MEMORY)
        self._taus: deque[float] = deque(maxlen=MEMORY)
        self._drift = Range(DRIFT_S)
        self._missed = 0
        self._ordered: list[float] = []
        self.delay_s = context.co2_delay_s or 0.0
        """The delay now; what was declared, or none, while it is unknown."""
        self.moved_s = self.delay_s
        """By how much the breath that was pushed last is moved."""
        self.edge = NO_EDGE
        """Of that breath."""
        self._declared = Declared(context)
        self._span: tuple[float, float] | None = None

    @property
    def wait_s(self) -> float:
        """How long after a breath's end its capnogram is complete, on the capnogram's clock."""
        return self.delay_s + SETTLE_S

    def push(self, breath: Breath, capnogram: Capnogram, *, is_own_clock: bool) -> Capnograph:
        """Learn from a breath, whose capnogram is complete; how it is aligned."""
        until_s = breath.end_s + self.wait_s
        self.edge, self.moved_s, self._span = NO_EDGE, self.delay_s, None
        seen = capnogram.last_fall(until_s)
        by_time = NO_CAPNOGRAPH
        if seen is not None and seen.told_s >= breath.end_s - MAX_AGE_S:
            by_time = seen.shown()
        if self._taus:
            doubt_s, tau_s = quantile(sorted(self._doubts), 0.5), quantile(sorted(self._taus), 0.5)
            by_time = by_time._replace(tau_s=tau_s, doubt_s=doubt_s)
        if not self._settings.estimate_co2_delay:
            is_known = self._context.co2_kind == "mainstream" or self._context.co2_delay_s is not None
            withheld = None if is_known else Reason.CO2_UNALIGNED
            return by_time._replace(delay_s=self.delay_s if is_known else math.nan, withheld=withheld)
        delay_s, sd_s, unstable = self._known(breath.end_s)
        learnt = self._learn(breath, capnogram, until_s, search_of(self._context, is_own_clock=is_own_clock))
        withheld = unstable or learnt
        span = self._stand_in() if withheld else None
        if span is not None:
            self.moved_s = 0.5 * (span[0] + span[1])
            return by_time._replace(delay_s=self.moved_s, doubt_s=0.5 * (span[1] - span[0]), withheld=None)
        return by_time._replace(delay_s=delay_s, delay_sd_s=sd_s, withheld=withheld)

    def _stand_in(self) -> tuple[float, float] | None:
        """Between which delays the declared one puts this breath, where falls agree with it."""
        return self._span if self._declared.agrees() else None

    def _known(self, now_s: float) -> tuple[float, float, Reason | None]:
        """Delay, its standard deviation, and why not to use it, from the breaths before this one.

        Those alone: the breath has waited for its capnogram by this delay, and not by one that it changes itself.
        """
        if len(self._ordered) < ENOUGH:
            return math.nan, math.nan, Reason.CO2_UNALIGNED
        ordered, delay_s = self._ordered, self.delay_s
        drift_s = self._drift.push(now_s, delay_s)
        spread_s = quantile(ordered, 0.75) - quantile(ordered, 0.25)
        mean_s = sum(ordered) / len(ordered)
        sd_s = math.sqrt(sum((one - mean_s) ** 2 for one in ordered) / (len(ordered) - 1))
        doubt_s = quantile(sorted(self._doubts), 0.5) if self._doubts else 0.0
        is_unstable = spread_s > max(MAX_SPREAD_S, doubt_s) or drift_s > MAX_DRIFT_S
        return delay_s, sd_s, Reason.ALIGNMENT_UNSTABLE if is_unstable else None

    def _learn(self, breath: Breath, capnogram: Capnogram, until_s: float, search: Search) -> Reason | None:
        """Take the breath's own delay in; why this breath may not be aligned by the others'."""
        fall_tau_s = _fall_tau_s(capnogram, until_s)
        flush = self._flush(breath, fall_tau_s, capnogram.rate_hz)
        if math.isnan(flush.at_s):
            return Reason.CO2_UNALIGNED
        self._edge(breath, flush, fall_tau_s)
        self._compare(breath, flush, capnogram, until_s, fall_tau_s)
        if not self._ordered:
            self._onsets.append(flush.at_s)
            self._delays.extend(first_delays(self._onsets, capnogram, until_s, search))
            self._order()
            return None
        flush_s, due_s = flush.at_s, self.delay_s
        before = _nearest(capnogram, flush_s + due_s, until_s)
        after = _nearest(capnogram, breath.end_s + (flush_s - breath.start_s) + due_s, until_s)
        if before is None:
            self._missed += 1
            if self._missed >= ENOUGH:
                self._forget()
            return Reason.ALIGNMENT_UNSTABLE
        self._missed = 0
        delay_s, doubt_s = self._declared.narrowed(before.at_s - flush_s, flush.doubt_s, flush.placed_s, fall_tau_s)
        self._delays.append(delay_s)
        self._doubts.append(doubt_s)
        self._order()
        self._taus.append(_less(before.tau_s, flush.tau_s, SAMPLED / capnogram.rate_hz))
        late_s = abs(before.at_s - flush_s - due_s)
        next_s = math.inf if after is None else abs(after.at_s - breath.end_s - (flush_s - breath.start_s) - due_s)
        return Reason.ALIGNMENT_UNSTABLE if max(late_s, next_s) > max(MAX_STRAY_S, flush.doubt_s) else None

    def _flush(self, breath: Breath, fall_tau_s: float, co2_rate_hz: float) -> Flush:
        """When the middle of a fall would come without delay; NaN where no onset was seen, or no fall.

        The mean instant of a fall is that at which the chamber's own volume has passed; its middle comes before that.
        """
        if not UNTIMED.isdisjoint(breath.flags) or math.isnan(fall_tau_s):
            return NO_FLUSH
        onset = max((breath.start_s - breath.onset_s) * breath.rate_hz, 0.0)
        flow, before = _to_lung(breath), (self._context.apparatus_volume_ml or 0.0) / ML_PER_L
        inspired = float(flow[: breath.insp_end].sum()) / breath.rate_hz
        most = min(self._settings.co2_sensor_ml / ML_PER_L, MOST_OF_BREATH * max(inspired, 0.0))
        widest_s = max(fall_tau_s, PLACED / co2_rate_hz)
        found = self._kernels.flush(flow, onset, breath.rate_hz, before, most, widest_s)
        after_s, doubt_s, chamber, tau_s = found
        at_s = breath.onset_s + after_s - fall_tau_s * (MEAN_LATER - fall_tau_s / (2.0 * EMPTYING_S))
        return Flush(at_s, doubt_s, chamber, tau_s, PLACED / min(breath.rate_hz, co2_rate_hz))

    def _compare(self, breath: Breath, flush: Flush, capnogram: Capnogram, until_s: float, fall_tau_s: float) -> None:
        """Falls of this breath against the delay that was declared; it may stand in where both are there."""
        span = self._declared.between(fall_tau_s)
        if span is None:
            return
        due_s = flush.at_s + 0.5 * (span[0] + span[1])
        before = _nearest(capnogram, due_s, until_s)
        after = _nearest(capnogram, due_s + breath.end_s - breath.start_s, until_s)
        self._declared.push(math.nan if before is None else before.at_s - due_s, flush.doubt_s)
        self._span = None if before is None or after is None else span

    def _edge(self, breath: Breath, flush: Flush, fall_tau_s: float) -> None:
        """Where the fall lies once the capnogram is moved."""
        half_s = flush.at_s - breath.start_s
        volume = (self._context.apparatus_volume_ml or 0.0) / ML_PER_L + flush.chamber
        self.edge = Edge(max(BEGINS * fall_tau_s - half_s, 0.0), half_s + ENDS * fall_tau_s, volume)

    def _order(self) -> None:
        """The delays have changed."""
        self._ordered = sorted(self._delays)
        self.delay_s = quantile(self._ordered, 0.5) if self._ordered else self._context.co2_delay_s or 0.0

    def _forget(self) -> None:
        self._delays.clear()
        self._doubts.clear()
        self._taus.clear()
        self._order()
        self._onsets.clear()
        self._missed = 0


def _to_lung(breath: Breath) -> FloatArray:
    """(n,) L/s: flow without leak and offset, which move gas past the sensor when the patient does not."""
    flow = breath.flow
    if breath.flow_zero:
        flow = flow - breath.flow_zero
    if breath.leak_conductance:
        flow = flow - breath.leak_conductance * np.sqrt(np.maximum(np.nan_to_num(breath.paw), 0.0))
    return flow


def _fall_tau_s(capnogram: Capnogram, until_s: float) -> float:
    """Time constant of recent falls, s; NaN where there are none."""
    taus = sorted(fall.tau_s for fall in capnogram.falls(until_s - RECENT_S, until_s))
    return _less(quantile(taus, 0.5), SAMPLED / capnogram.rate_hz) if taus else math.nan


def _less(tau_s: float, *others_s: float) -> float:
    """A time constant without what others add to it: variances of responses in a row add up."""
    return math.sqrt(max(tau_s * tau_s - sum(other * other for other in others_s), 0.0))


def _nearest(capnogram: Capnogram, due_s: float, until_s: float) -> Fall | None:
    """The fall nearest to ``due_s``, if one is near."""
    near = [fall for fall in capnogram.falls(due_s - SEARCH_S, until_s) if fall.at_s <= due_s + SEARCH_S]
    return min(near, key=lambda fall: abs(fall.at_s - due_s), default=None)
