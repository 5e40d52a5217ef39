"""By how much the capnogram comes later than flow: the largest error of volumetric capnography.

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

from streamer.core.align._co2_apparatus import Apparatus, Shares, share_of
from streamer.core.align._co2_declared import Declared, Found
from streamer.core.align._co2_end import shown_of
from streamer.core.align._co2_flush import NO_FLUSH, Flush, Flushing, inspired_by, recent_fall_tau_s, to_lung
from streamer.core.align._co2_search import ENOUGH, first_delays, search_of
from streamer.core.align._quantile import quantile
from streamer.core.align._range import Range
from streamer.core.align._settings import AlignSettings
from streamer.core.align.capnogram import Capnogram, Fall
from streamer.model.breath import NO_EDGE, Breath, Capnograph, Edge, Late
from streamer.model.context import Context
from streamer.model.reasons import Reason

MEMORY = 20
SETTLE_S = 0.4
"""After a breath's end, how long to look out for the fall that ends its expirogram, and for all of that fall."""
SEARCH_S = 0.25
"""A fall farther than this from where it is due belongs to nothing."""
MAX_SPREAD_S, MAX_STRAY_S = 0.020, 0.020
"""Or as much as the onsets leave in doubt: where flow rises slowly, noise moves them, and no breath's gas with them."""
MAX_DRIFT_S, DRIFT_S = 0.050, 300.0


class Co2Timing:
    """The delay of one bed's capnogram, breath by breath.

    Args:
        context: Kind of sensor and declared delay.
        settings: Volume of the sensor; whether to estimate at all.
    """

    def __init__(self, context: Context, settings: AlignSettings) -> None:
        self._context, self._settings = context, settings
        self._found: deque[float] = deque(maxlen=MEMORY)
        self._delays: deque[float] = deque(maxlen=MEMORY)
        self._flushes: deque[Flush] = deque(maxlen=MEMORY)
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
        self._apparatus = Apparatus()
        self._flushing = Flushing(context, settings)
        self._flushed = NO_FLUSH
        self._span: tuple[float, float] | None = None

    @property
    def wait_s(self) -> float:
        """How long after a breath's end its capnogram is complete, on the capnogram's clock."""
        return self.delay_s + SETTLE_S

    def add(self, breath: Breath, capnogram: Capnogram, *, is_own_clock: bool) -> Capnograph:
        """Learn from a breath, whose capnogram is complete; how it is aligned."""
        until_s = breath.end_s + self.wait_s
        self.edge, self.moved_s, self._span, self._flushed = NO_EDGE, self.delay_s, None, NO_FLUSH
        is_known = bool(self._ordered) or self._context.co2_delay_s is not None
        is_prompt = self._context.co2_kind == "mainstream" and not is_own_clock
        delay_s = self.delay_s if is_known else math.nan
        by_time = shown_of(breath, capnogram, until_s, delay_s, is_prompt=is_prompt)
        if self._taus:
            doubt_s, tau_s = quantile(sorted(self._doubts), 0.5), quantile(sorted(self._taus), 0.5)
            by_time = by_time._replace(tau_s=tau_s, doubt_s=doubt_s)
        if not self._settings.estimate_co2_delay:
            is_known = self._context.co2_kind == "mainstream" or self._context.co2_delay_s is not None
            withheld = None if is_known else Reason.CO2_UNALIGNED
            return by_time._replace(delay_s=self.delay_s if is_known else math.nan, withheld=withheld)
        delay_s, sd_s, unstable = self._known(breath.end_s)
        learnt = self._learn(breath, capnogram, until_s, is_own_clock=is_own_clock)
        withheld = unstable or learnt
        span = self._stand_in() if withheld else None
        if span is not None:
            self.moved_s = 0.5 * (span[0] + span[1])
            return by_time._replace(delay_s=self.moved_s, doubt_s=0.5 * (span[1] - span[0]), withheld=None)
        aligned = by_time._replace(delay_s=delay_s, delay_sd_s=sd_s, withheld=withheld)
        return aligned if withheld else self._explained(breath, capnogram, aligned)

    def _explained(self, breath: Breath, capnogram: Capnogram, aligned: Capnograph) -> Capnograph:
        """What becomes of an undeclared delay: gas that comes back is no delay, and the breath moves less."""
        later_s = aligned.later_s(self._context)
        if not later_s > aligned.doubt_s:
            return aligned
        flow, after_s = to_lung(breath), self._flushed.after_s
        gas = inspired_by(flow, breath.rate_hz, after_s + later_s) - inspired_by(flow, breath.rate_hz, after_s)
        half_mmhg = 0.5 * (aligned.end_tidal + aligned.inspired)
        shares = [
            share_of(breath, flow, capnogram.read(breath.onset_s + moved_s, breath.rate_hz, flow.size), half_mmhg)
            for moved_s in (self.moved_s, self.moved_s - later_s)
        ]
        if math.isnan(shares[0]):
            return aligned
        whole = max(float(flow[: breath.insp_end].sum()) / breath.rate_hz, gas)
        late = self._apparatus.add(Shares(shares[0], shares[1], gas / whole))
        if late is not Late.BY_APPARATUS:
            return aligned._replace(late=late)
        self.moved_s -= later_s
        edge = self.edge
        self.edge = Edge(max(edge.before_s - later_s, 0.0), edge.after_s + later_s, edge.volume + gas, edge.chamber)
        return aligned._replace(late=late, delay_s=self.moved_s)

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
        drift_s = self._drift.add(now_s, delay_s)
        spread_s = quantile(ordered, 0.75) - quantile(ordered, 0.25)
        mean_s = sum(self._found) / len(self._found)
        sd_s = math.sqrt(sum([(one - mean_s) ** 2 for one in self._found]) / (len(self._found) - 1))
        doubt_s = quantile(sorted(self._doubts), 0.5) if self._doubts else 0.0
        is_unstable = spread_s > max(MAX_SPREAD_S, doubt_s) or drift_s > MAX_DRIFT_S
        return delay_s, sd_s, Reason.ALIGNMENT_UNSTABLE if is_unstable else None

    def _learn(self, breath: Breath, capnogram: Capnogram, until_s: float, *, is_own_clock: bool) -> Reason | None:
        """Take the breath's own delay in; why this breath may not be aligned by the others'."""
        fall_tau_s = recent_fall_tau_s(capnogram, until_s)
        flush = self._flushed = self._flushing.of(breath, fall_tau_s, capnogram.rate_hz)
        if math.isnan(flush.at_s):
            return Reason.CO2_UNALIGNED
        self.edge = self._flushing.edge(breath, flush, fall_tau_s)
        self._compare(breath, flush, capnogram, until_s, fall_tau_s)
        if not self._ordered:
            self._flushes.append(flush)
            search = search_of(self._context, is_own_clock=is_own_clock)
            middle = sorted(self._flushes, key=_doubt_of)[len(self._flushes) // 2]
            for delay_s in first_delays([one.at_s for one in self._flushes], capnogram, until_s, search):
                self._settle(delay_s, middle, fall_tau_s, is_own_clock=is_own_clock)
            self._order()
            return None
        flush_s, due_s = flush.at_s, quantile(sorted(self._found), 0.5)
        before = _nearest(capnogram, flush_s + due_s, until_s)
        after = _nearest(capnogram, breath.end_s + (flush_s - breath.start_s) + due_s, until_s)
        if before is None:
            self._missed += 1
            if self._missed >= ENOUGH:
                self._forget()
            return Reason.ALIGNMENT_UNSTABLE
        self._missed = 0
        self._settle(before.at_s - flush_s, flush, fall_tau_s, is_own_clock=is_own_clock)
        self._order()
        late_s = abs(before.at_s - flush_s - due_s)
        next_s = math.inf if after is None else abs(after.at_s - breath.end_s - (flush_s - breath.start_s) - due_s)
        return Reason.ALIGNMENT_UNSTABLE if max(late_s, next_s) > max(MAX_STRAY_S, 2.0 * flush.doubt_s) else None

    def _settle(self, delay_s: float, flush: Flush, fall_tau_s: float, *, is_own_clock: bool) -> None:
        """Keep a delay as it was found, and as what is known of the sensor leaves it."""
        found = Found(delay_s, flush.placed_s, fall_tau_s, flush.chambers)
        is_prompt = self._context.co2_kind == "mainstream" and not is_own_clock
        delay_s, doubt_s, tau_s = self._declared.settled(found, is_prompt=is_prompt)
        self._found.append(found.delay_s)
        self._delays.append(delay_s)
        self._doubts.append(doubt_s)
        self._taus.append(tau_s)

    def _compare(self, breath: Breath, flush: Flush, capnogram: Capnogram, until_s: float, fall_tau_s: float) -> None:
        """Falls of this breath against the delay that was declared; it may stand in where both are there."""
        span = self._declared.between(fall_tau_s, self._context.co2_delay_s)
        if span is None:
            return
        due_s = flush.at_s + 0.5 * (span[0] + span[1])
        before = _nearest(capnogram, due_s, until_s)
        after = _nearest(capnogram, due_s + breath.end_s - breath.start_s, until_s)
        self._declared.add(math.nan if before is None else before.at_s - due_s, 2.0 * flush.doubt_s)
        self._span = None if before is None or after is None else span

    def _order(self) -> None:
        """The delays have changed."""
        self._ordered = sorted(self._delays)
        self.delay_s = quantile(self._ordered, 0.5) if self._ordered else self._context.co2_delay_s or 0.0

    def _forget(self) -> None:
        self._found.clear()
        self._delays.clear()
        self._doubts.clear()
        self._taus.clear()
        self._order()
        self._flushes.clear()
        self._apparatus.forget()
        self._missed = 0


def _doubt_of(flush: Flush) -> float:
    return flush.doubt_s


def _nearest(capnogram: Capnogram, due_s: float, until_s: float) -> Fall | None:
    """The fall nearest to ``due_s``, if one is near."""
    near = [fall for fall in capnogram.falls(due_s - SEARCH_S, until_s) if fall.at_s <= due_s + SEARCH_S]
    return min(near, key=lambda fall: abs(fall.at_s - due_s), default=None)
