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
from collections.abc import Sequence
from typing import Any, NamedTuple

from streamer.align._settings import AlignSettings
from streamer.align.capnogram import Capnogram, Fall
from streamer.breath import NO_CAPNOGRAPH, Breath, Capnograph
from streamer.context import Context
from streamer.reasons import Reason
from streamer.records import Flag
from streamer.units import ML_PER_L, S_PER_MIN

MEMORY, ENOUGH = 20, 5
SETTLE_S = 0.4
"""After a breath's end, how long to look out for the fall that ends its expirogram, and for all of that fall."""
SEARCH_S = 0.25
"""A fall farther than this from where it is due belongs to nothing."""
CLUSTER_S = 0.06
MIN_MATCHED = 0.8
RIVAL, APART_S = 0.6, 0.15
"""A delay that so many of the best one's onsets share, and so far from it, is a rival: at the edges of a stream, or
after a breath unlike the others, the wrong one lacks a fall or two as well."""
MAX_SPREAD_S, MAX_STRAY_S = 0.020, 0.020
MAX_DRIFT_S, DRIFT_S = 0.050, 300.0
MAX_AGE_S = 15.0
"""An end-tidal PCO2 older than this at the end of a breath is not of this breath."""
UNTIMED = frozenset({Flag.TRUNCATED, Flag.AFTER_GAP, Flag.GAP, Flag.GAP_SHORT, Flag.APNOEA})
"""Labels of a breath whose onset was not seen."""


class Search(NamedTuple):
    """Where the delay is looked for, s, and which of several is taken; NaN: none."""

    low: float
    high: float
    expected: float


def search_of(context: Context, *, is_own_clock: bool) -> Search:
    """Bounds by kind of sensor. ``is_own_clock``: the capnograph is a device of its own, whose clock may be off."""
    declared, is_mainstream = context.co2_delay_s, context.co2_kind == "mainstream"
    if declared is not None:
        reach = 0.6 if is_mainstream else 1.5
        return Search(declared - reach, declared + reach, declared)
    if is_own_clock:
        return Search(-2.0, 10.0, math.nan)
    if is_mainstream:
        return Search(-0.1, 0.7, 0.0)
    return Search(0.5 if context.co2_kind == "sidestream" else -0.1, 6.0, math.nan)


class Co2Timing:
    """The delay of one bed's capnogram, breath by breath.

    Args:
        context: Kind of sensor and declared delay.
        settings: Volume of the sensor; whether to estimate at all.
    """

    def __init__(self, context: Context, settings: AlignSettings) -> None:
        from streamer.align import _co2_scan  # noqa: PLC0415 (loads the compiler: settings alone should not)

        self._flushed: Any = _co2_scan.flushed
        self._context, self._settings = context, settings
        self._delays: deque[float] = deque(maxlen=MEMORY)
        self._onsets: deque[float] = deque(maxlen=MEMORY)
        self._taus: deque[float] = deque(maxlen=MEMORY)
        self._medians: deque[tuple[float, float]] = deque()
        self._missed = 0
        self._ordered: list[float] = []
        self.delay_s = context.co2_delay_s or 0.0
        """The delay now; what was declared, or none, while it is unknown."""

    @property
    def wait_s(self) -> float:
        """How long after a breath's end its capnogram is complete, on the capnogram's clock."""
        return self.delay_s + SETTLE_S

    def push(self, breath: Breath, capnogram: Capnogram, *, is_own_clock: bool) -> Capnograph:
        """Learn from a breath, whose capnogram is complete; how it is aligned."""
        until_s = breath.end_s + self.wait_s
        seen = capnogram.last_fall(until_s)
        by_time = NO_CAPNOGRAPH
        if seen is not None and seen.told_s >= breath.end_s - MAX_AGE_S:
            by_time = by_time._replace(end_tidal=seen.end_tidal, inspired=seen.inspired, tau_s=seen.tau_s)
        if self._taus:
            by_time = by_time._replace(tau_s=_quantile(sorted(self._taus), 0.5))
        if not self._settings.estimate_co2_delay:
            is_known = self._context.co2_kind == "mainstream" or self._context.co2_delay_s is not None
            withheld = None if is_known else Reason.CO2_UNALIGNED
            return by_time._replace(delay_s=self.delay_s if is_known else math.nan, withheld=withheld)
        delay_s, sd_s, unstable = self._known(breath.end_s)
        withheld = self._learn(breath, capnogram, until_s, search_of(self._context, is_own_clock=is_own_clock))
        return by_time._replace(delay_s=delay_s, delay_sd_s=sd_s, withheld=unstable or withheld)

    def _known(self, now_s: float) -> tuple[float, float, Reason | None]:
        """Delay, its standard deviation, and why not to use it, from the breaths before this one.

        Those alone: the breath has waited for its capnogram by this delay, and not by one that it changes itself.
        """
        if len(self._ordered) < ENOUGH:
            return math.nan, math.nan, Reason.CO2_UNALIGNED
        ordered, delay_s = self._ordered, self.delay_s
        drift_s = self._drift(now_s, delay_s)
        spread_s = _quantile(ordered, 0.75) - _quantile(ordered, 0.25)
        mean_s = sum(ordered) / len(ordered)
        sd_s = math.sqrt(sum((one - mean_s) ** 2 for one in ordered) / (len(ordered) - 1))
        is_unstable = spread_s > MAX_SPREAD_S or drift_s > MAX_DRIFT_S
        return delay_s, sd_s, Reason.ALIGNMENT_UNSTABLE if is_unstable else None

    def _learn(self, breath: Breath, capnogram: Capnogram, until_s: float, search: Search) -> Reason | None:
        """Take the breath's own delay in; why this breath may not be aligned by the others'."""
        flush_s, flow = self._flush(breath)
        if math.isnan(flush_s):
            return Reason.CO2_UNALIGNED
        if not self._ordered:
            self._onsets.append(flush_s)
            self._acquire(capnogram, until_s, search)
            return None
        due_s = self.delay_s
        before = _nearest(capnogram, flush_s + due_s, until_s)
        after = _nearest(capnogram, breath.end_s + (flush_s - breath.start_s) + due_s, until_s)
        if before is None:
            self._missed += 1
            if self._missed >= ENOUGH:
                self._forget()
            return Reason.ALIGNMENT_UNSTABLE
        self._missed = 0
        self._delays.append(before.at_s - flush_s)
        self._order()
        self._taus.append(self._less_flush(before.tau_s, flow))
        late_s = abs(before.at_s - flush_s - due_s)
        next_s = math.inf if after is None else abs(after.at_s - breath.end_s - (flush_s - breath.start_s) - due_s)
        return Reason.ALIGNMENT_UNSTABLE if max(late_s, next_s) > MAX_STRAY_S else None

    def _flush(self, breath: Breath) -> tuple[float, float]:
        """When fresh gas had half flushed the sensor, and the flow, L/s.

        NaN where inspiration was not seen to begin, or began slowly.
        """
        if not UNTIMED.isdisjoint(breath.flags):
            return math.nan, math.nan
        onset = max((breath.start_s - breath.onset_s) * breath.rate_hz, 0.0)
        volume = (math.log(2.0) * self._settings.co2_sensor_ml + (self._context.apparatus_volume_ml or 0.0)) / ML_PER_L
        after_s, flow = self._flushed(breath.flow, onset, breath.rate_hz, volume)
        is_fast = flow >= self._settings.min_flush_l_min / S_PER_MIN
        return (breath.onset_s + after_s, flow) if is_fast else (math.nan, math.nan)

    def _less_flush(self, tau_s: float, flow: float) -> float:
        """Time constant of the sensor itself: variances of responses in a row add up."""
        flushing_s = self._settings.co2_sensor_ml / ML_PER_L / flow
        return math.sqrt(max(tau_s * tau_s - flushing_s * flushing_s, 0.0))

    def _acquire(self, capnogram: Capnogram, until_s: float, search: Search) -> None:
        """Find the delay at which most onsets have a fall."""
        onsets = [onset for onset in self._onsets if onset + search.high <= until_s]
        if len(onsets) < ENOUGH:
            return
        falls = [fall.at_s for fall in capnogram.falls(onsets[0] + search.low, until_s)]
        found = sorted(
            (at_s - onset, k) for k, onset in enumerate(onsets) for at_s in falls
            if search.low <= at_s - onset <= search.high
        )  # fmt: skip
        clusters = _clusters(found, RIVAL * MIN_MATCHED * len(onsets))
        best = max((len(cluster) for cluster in clusters), default=0)
        if best < MIN_MATCHED * len(onsets):
            return
        rivals = [cluster for cluster in clusters if len(cluster) >= RIVAL * best]
        if len(rivals) > 1 and math.isnan(search.expected):
            return
        expected = search.expected
        chosen = min(rivals, key=lambda cluster: abs(_quantile(cluster, 0.5) - expected)) if rivals[1:] else rivals[0]
        self._delays.extend(chosen)
        self._order()

    def _order(self) -> None:
        """The delays have changed."""
        self._ordered = sorted(self._delays)
        self.delay_s = _quantile(self._ordered, 0.5) if self._ordered else self._context.co2_delay_s or 0.0

    def _drift(self, now_s: float, delay_s: float) -> float:
        """Range of the delay over the last five minutes."""
        self._medians.append((now_s, delay_s))
        while self._medians[0][0] < now_s - DRIFT_S:
            self._medians.popleft()
        delays = [delay for _, delay in self._medians]
        return max(delays) - min(delays)

    def _forget(self) -> None:
        self._delays.clear()
        self._order()
        self._onsets.clear()
        self._missed = 0


def _nearest(capnogram: Capnogram, due_s: float, until_s: float) -> Fall | None:
    """The fall nearest to ``due_s``, if one is near."""
    near = [fall for fall in capnogram.falls(due_s - SEARCH_S, until_s) if fall.at_s <= due_s + SEARCH_S]
    return min(near, key=lambda fall: abs(fall.at_s - due_s), default=None)


def _clusters(found: list[tuple[float, int]], least: float) -> list[list[float]]:
    """Groups of delays within 60 ms that ``least`` onsets share, apart from each other; each sorted."""
    groups: list[list[float]] = []
    for first, (low, _) in enumerate(found):
        group: dict[int, float] = {}
        for delay, onset in found[first:]:
            if delay > low + CLUSTER_S:
                break
            group.setdefault(onset, delay)
        if len(group) < least:
            continue
        if groups and low - groups[-1][0] < APART_S:
            if len(group) > len(groups[-1]):
                groups[-1] = sorted(group.values())
        else:
            groups.append(sorted(group.values()))
    return groups


def _quantile(values: Sequence[float], share: float) -> float:
    """Of sorted values, between the two nearest."""
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (place - below) * (values[above] - values[below])
