"""What the ventilator does and when: breaths as phases between switchings of its valves. Used by ``_engine``.

A mode is the list of phases it makes; the lung never hears of modes. Where the patient may switch, a phase says what is
watched for, and the kernel that runs it tells when that came; the phases after it are planned from then.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from adapters._scenario import MIN_TE_S, Hold, Ringing, Scenario, Segment, Span, Suction

SHORTEST_RAMP_S = 1e-3
"""A valve that takes less has switched at once."""
FLOW_LIMIT_L_S = 2.0
"""What a source of pressure delivers into an open tube."""
MIN_SUPPORT_S = 0.1
"""Pressure support does not end earlier: flow has to come first."""
SIMV_WINDOW = 0.25
"""Of the period before a mandatory breath is due: what is triggered in it is that breath."""
NOTHING, FLOW_ABOVE, PAW_BELOW, FLOW_FADES = range(4)
"""What may end a phase: flow above ``threshold`` (L/s), airway pressure below it, flow below that share of its peak."""


class Phase(NamedTuple):
    """A time in which the source of flow (L/s) or pressure (cmH2O) changes linearly from ``level``.

    One that ``falls`` starts at the lung's own pressure, which nobody knows when planning, and ends at ``level``.
    ``resistance`` is that of a source of pressure, cmH2O·s/L, ``limit`` the most it gives, L/s (0: all). Its level
    swings by a sine of ``swing`` cmH2O, ``swing_rate`` rad/s, that begins with the phase and decays by
    ``swing_decay`` 1/s. What is watched for ends it ``lag_s`` later; ``spared`` L/s of flow are a leak's.
    """

    start_s: float
    end_s: float
    level: float
    slope: float = 0.0
    is_flow: bool = False
    is_expiration: bool = False
    is_open: bool = False
    falls: bool = False
    resistance: float = 0.0
    watch: int = NOTHING
    watch_from_s: float = 0.0
    threshold: float = 0.0
    limit: float = 0.0
    swing: float = 0.0
    swing_rate: float = 0.0
    swing_decay: float = 0.0
    lag_s: float = 0.0
    spared: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBreath:
    """One breath. When inspiration ends may be the patient's choice, so what comes after is planned from there.

    Attributes:
        number: Of its segment.
        segment: What holds in it.
        start_s: Onset of inspiration.
        held: Holds in it, at most one of a kind; each makes it longer.
        spans: Disconnects and suction, anywhere.
        due_s: When the ventilator begins its next mandatory breath, where it keeps a grid of times; NaN: where this
            breath's own period ends.
        is_supported: Pressure support between mandatory breaths.
    """

    number: int
    segment: Segment
    start_s: float
    held: tuple[Hold, ...] = ()
    spans: Sequence[Span] = ()
    due_s: float = math.nan
    is_supported: bool = False

    @property
    def insp_hold_s(self) -> float:
        """Zero-flow time at the end of inspiration, pause and hold."""
        return max(self._pause_s, self._held_s("inspiratory"))

    @property
    def exp_hold_s(self) -> float:
        """Zero-flow time at the end of expiration."""
        return self._held_s("expiratory")

    @property
    def end_s(self) -> float:
        """Onset of the next breath if the patient decides nothing, to rounding."""
        if not math.isnan(self.due_s):
            longest_s = self.start_s + self.segment.ventilator.ti_total_s - self._pause_s + self.insp_hold_s
            return self._due_after(longest_s) + self.exp_hold_s
        period_s = 60 / self.segment.ventilator.rate_per_min
        return self.start_s + period_s + self.insp_hold_s - self._pause_s + self.exp_hold_s

    def _due_after(self, insp_end_s: float) -> float:
        """The mandatory breath waits no longer than expiration must last."""
        assist = self.segment.assisting
        return max(self.due_s, insp_end_s + (assist.min_te_s if assist else MIN_TE_S))

    def inspiration(self) -> list[Phase]:
        """The phases in which gas is driven into the patient."""
        return self._cut(_inspiration(self.segment, self.start_s))

    def rest(self, flow_end_s: float) -> list[Phase]:
        """Pause or hold, expiration, hold: all that follows when the drive ends at ``flow_end_s``."""
        ventilator, valve = self.segment.ventilator, self.segment.valve
        peep, resistance = ventilator.peep_cmh2o, valve.resistance_cmh2o_s_l if valve else 0.0
        insp_end_s = flow_end_s + self.insp_hold_s
        exp_end_s = insp_end_s + 60 / ventilator.rate_per_min - ventilator.ti_total_s
        if ventilator.mode == "psv":  # what inspiration took less, expiration has more
            exp_end_s += self.start_s + ventilator.ti_s - flow_end_s
        if not math.isnan(self.due_s):
            exp_end_s = self._due_after(insp_end_s)
        fall_s = ventilator.fall_s if ventilator.fall_s >= SHORTEST_RAMP_S else 0.0
        fallen_s = min(insp_end_s + fall_s, exp_end_s)
        base = (self.segment.circuit.base_flow_l_min or 0.0) / 60
        fallen = Phase(fallen_s, exp_end_s, peep, is_expiration=True, resistance=resistance, limit=base)
        falling = fallen._replace(start_s=insp_end_s, end_s=fallen_s, falls=True)
        return self._cut(
            [
                Phase(flow_end_s, insp_end_s, 0.0, is_flow=True),
                self._triggered(falling, insp_end_s),
                *(self._triggered(part, insp_end_s) for part in _restoring(fallen, self.segment.ringing)),
                Phase(exp_end_s, exp_end_s + self.exp_hold_s, 0.0, is_flow=True, is_expiration=True),
            ]
        )

    def _triggered(self, phase: Phase, insp_end_s: float) -> Phase:
        """The same, ended by the patient's trigger; before an expiratory hold the ventilator is deaf to it."""
        assist = self.segment.assisting
        if assist is None or self.exp_hold_s:
            return phase
        from_s = insp_end_s + assist.min_te_s
        phase = phase._replace(lag_s=assist.delay_s, spared=_spared(self.segment, self.start_s, phase.level))
        if assist.trigger == "flow":
            return phase._replace(watch=FLOW_ABOVE, watch_from_s=from_s, threshold=assist.trigger_flow_l_min / 60)
        low = self.segment.ventilator.peep_cmh2o - assist.trigger_pressure_cmh2o
        return phase._replace(watch=PAW_BELOW, watch_from_s=from_s, threshold=low)

    @property
    def _pause_s(self) -> float:
        ventilator = self.segment.ventilator
        return ventilator.pause_s if ventilator.mode == "vcv" else 0.0

    def _held_s(self, kind: str) -> float:
        return next((hold.duration_s for hold in self.held if hold.kind == kind), 0.0)

    def _cut(self, phases: Sequence[Phase]) -> list[Phase]:
        parts = [phase for phase in phases if phase.end_s > phase.start_s]
        for span in self.spans:
            parts = [part for phase in parts for part in _interrupted(phase, span)]
        return parts


class Schedule:
    """Which breath comes next. Times count from the recording's first sample.

    Attributes:
        first_onset_s: Onset of the breath to begin with, at least ``lead_s`` before the recording, so that it may
            begin within one. Breaths before it are those of the first segment.
    """

    def __init__(self, scenario: Scenario, lead_s: float) -> None:
        self._count, self._due_s = 0, math.nan
        period_s = 60 / scenario.segments[0].ventilator.rate_per_min
        first_s = scenario.first_onset_s
        self.first_onset_s = first_s - math.ceil((first_s + lead_s) / period_s) * period_s
        self._segments = scenario.segments
        self._number = 0
        self._waiting = list(scenario.hold)
        self._spans = (*scenario.disconnect, *scenario.suction)

    def breath(self, onset_s: float) -> PlannedBreath:
        """The breath that begins at ``onset_s``, after all those asked for before."""
        while self._number + 1 < len(self._segments) and self._segments[self._number + 1].at_s <= onset_s:
            self._number += 1
        held: list[Hold] = []
        while (
            self._waiting
            and self._waiting[0].at_s <= onset_s
            and self._waiting[0].kind not in {hold.kind for hold in held}
        ):
            held.append(self._waiting.pop(0))
        self._count += 1
        segment, is_supported = self._segments[self._number], self._supports(onset_s)
        if is_supported:
            segment = _supported(segment)
        elif segment.ventilator.sigh_every and self._count % segment.ventilator.sigh_every == 0:
            segment = _sighing(segment)
        return PlannedBreath(
            number=self._number,
            segment=segment,
            start_s=onset_s,
            held=tuple(held),
            spans=self._spans,
            due_s=self._due_s,
            is_supported=is_supported,
        )

    def _supports(self, onset_s: float) -> bool:
        """Whether a breath that begins now comes between mandatory ones; if not, when the next of those is due."""
        ventilator = self._segments[self._number].ventilator
        if ventilator.simv_support_cmh2o is None:
            self._due_s = math.nan
            return False
        period_s = 60 / ventilator.rate_per_min
        if math.isnan(self._due_s):
            self._due_s = onset_s
        if onset_s < self._due_s - SIMV_WINDOW * period_s:
            return True
        self._due_s = max(self._due_s, onset_s - period_s) + period_s
        return False


def _inspiration(segment: Segment, onset_s: float) -> list[Phase]:
    ventilator, assist = segment.ventilator, segment.assisting
    if ventilator.mode == "vcv":
        flow = ventilator.flow_l_min / 60
        return [Phase(onset_s, onset_s + ventilator.tidal_volume_ml / 1000 / flow, flow, is_flow=True)]
    peep, above = ventilator.peep_cmh2o, ventilator.inspiratory_pressure_cmh2o
    rise_s = ventilator.rise_s if ventilator.rise_s >= SHORTEST_RAMP_S else 0.0
    risen_s = onset_s + rise_s
    pressing = Phase(risen_s, onset_s + ventilator.ti_s, peep + above)
    if ventilator.mode == "psv" and assist:
        from_s = max(risen_s, onset_s + MIN_SUPPORT_S)
        pressing = pressing._replace(
            watch=FLOW_FADES,
            watch_from_s=from_s,
            threshold=assist.cycle_off_fraction,
            spared=_spared(segment, onset_s, peep + above),
        )
    if segment.ringing and segment.ringing.amplitude_cmh2o:
        pressing = _ringing(pressing, segment.ringing, segment.ringing.amplitude_cmh2o)
    rising = [Phase(onset_s, risen_s, peep, slope=above / rise_s)] if rise_s else []
    return [*rising, pressing]


def _spared(segment: Segment, at_s: float, paw: float) -> float:
    """The leak at a pressure, L/s, as far as the ventilator leaves it out of account."""
    if segment.assisting is None or not segment.assisting.spares_leak:
        return 0.0
    return segment.circuit.leak_at(at_s) * math.sqrt(max(paw, 0.0)) / 60


def _supported(segment: Segment) -> Segment:
    """The same patient, in a breath of pressure support."""
    ventilator = segment.ventilator
    support = msgspec.structs.replace(
        ventilator,
        mode="psv",
        inspiratory_pressure_cmh2o=ventilator.simv_support_cmh2o or 0.0,
        ti_s=ventilator.support_ti_s,
    )
    return msgspec.structs.replace(segment, ventilator=support)


def _sighing(segment: Segment) -> Segment:
    ventilator = segment.ventilator
    sigh = msgspec.structs.replace(
        ventilator,
        tidal_volume_ml=ventilator.tidal_volume_ml * ventilator.sigh_factor,
        inspiratory_pressure_cmh2o=ventilator.inspiratory_pressure_cmh2o * ventilator.sigh_factor,
    )
    return msgspec.structs.replace(segment, ventilator=sigh)


def _ringing(phase: Phase, ringing: Ringing, amplitude: float) -> Phase:
    decay = 1.0 / ringing.decay_s if ringing.decay_s else 0.0
    return phase._replace(swing=amplitude, swing_rate=math.tau * ringing.rate_hz, swing_decay=decay)


def _restoring(fallen: Phase, ringing: Ringing | None) -> Iterator[Phase]:
    """Expiration at PEEP; a ringing controller lets it fall at last, and blows gas in to restore it."""
    if ringing is None or not ringing.peep_amplitude_cmh2o:
        yield fallen
        return
    begin_s = min(fallen.start_s + ringing.peep_after_s, fallen.end_s)
    yield fallen._replace(end_s=begin_s)
    yield _ringing(fallen._replace(start_s=begin_s), ringing, -ringing.peep_amplitude_cmh2o)


def _interrupted(phase: Phase, span: Span) -> Iterator[Phase]:
    """The phase, with that part of it replaced during which the circuit is disconnected or suction pulls."""
    start_s, end_s = max(span.at_s, phase.start_s), min(span.at_s + span.duration_s, phase.end_s)
    if end_s <= start_s or phase.is_open:
        yield phase
        return
    if start_s > phase.start_s:
        yield phase._replace(end_s=start_s)
    inside = Phase(start_s, end_s, 0.0, is_expiration=phase.is_expiration)
    if isinstance(span, Suction):
        yield inside._replace(level=span.pressure_cmh2o)
    else:
        escaping = phase.level if phase.is_flow else 0.0 if phase.is_expiration else FLOW_LIMIT_L_S
        yield inside._replace(level=escaping, is_flow=True, is_open=True)
    if phase.end_s > end_s:
        yield phase._replace(start_s=end_s, level=phase.level + phase.slope * (end_s - phase.start_s))
