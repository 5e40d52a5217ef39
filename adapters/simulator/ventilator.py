"""What the ventilator does and when: breaths as phases between switchings of its valves. Used by ``engine``.

A mode is the list of phases it makes; the lung never hears of modes. Where the patient may switch, a phase says what is
watched for, and the kernel that runs it tells when that came; the phases after it are planned from then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.simulator.breath_patterns import sighing, spared, supported
from adapters.simulator.course import Segment
from adapters.simulator.scenario import MIN_TE_S, Hold, Scenario, Span
from adapters.simulator.valve import FLOW_ABOVE, FLOW_FADES, PAW_BELOW, Phase, interrupted, restoring, with_ringing

SHORTEST_RAMP_S = 1e-3
"""A valve that takes less has switched at once."""
MIN_SUPPORT_S = 0.1
"""Pressure support does not end earlier: flow has to come first."""
SIMV_WINDOW = 0.25
"""Of the period before a mandatory breath is due: what is triggered in it is that breath."""


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
                *(self._triggered(part, insp_end_s) for part in restoring(fallen, self.segment.ringing)),
                Phase(exp_end_s, exp_end_s + self.exp_hold_s, 0.0, is_flow=True, is_expiration=True),
            ]
        )

    def _triggered(self, phase: Phase, insp_end_s: float) -> Phase:
        """The same, ended by the patient's trigger; before an expiratory hold the ventilator is deaf to it."""
        assist = self.segment.assisting
        if assist is None or self.exp_hold_s:
            return phase
        from_s = insp_end_s + assist.min_te_s
        phase = phase._replace(lag_s=assist.delay_s, spared=spared(self.segment, self.start_s, phase.level))
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
            parts = [part for phase in parts for part in interrupted(phase, span)]
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
            segment = supported(segment)
        elif segment.ventilator.sigh_every and self._count % segment.ventilator.sigh_every == 0:
            segment = sighing(segment)
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
            spared=spared(segment, onset_s, peep + above),
        )
    if segment.ringing and segment.ringing.amplitude_cmh2o:
        pressing = with_ringing(pressing, segment.ringing, segment.ringing.amplitude_cmh2o)
    rising = [Phase(onset_s, risen_s, peep, slope=above / rise_s)] if rise_s else []
    return [*rising, pressing]
