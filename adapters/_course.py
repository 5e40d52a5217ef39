"""What the ventilator does and when: breaths as phases between switchings of its valves. Used by ``simulator``.

A mode is the list of phases it makes; the lung never hears of modes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from adapters._scenario import Hold, Scenario, Segment, Span, Ventilator

SHORTEST_RAMP_S = 1e-3
"""A valve that takes less has switched at once."""
FLOW_LIMIT_L_S = 2.0
"""What a source of pressure delivers into an open tube."""


class Phase(NamedTuple):
    """A time in which the source of flow (L/s) or pressure (cmH2O) changes linearly from ``level``.

    One that ``falls`` starts at the lung's own pressure, which nobody knows when planning, and ends at ``level``.
    """

    start_s: float
    end_s: float
    level: float
    slope: float = 0.0
    is_flow: bool = False
    is_expiration: bool = False
    is_open: bool = False
    falls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBreath:
    """One breath: its phases without gaps, and what of it the truth wants to know."""

    segment: int
    start_s: float
    insp_end_s: float
    end_s: float
    insp_hold_s: float
    exp_hold_s: float
    held: tuple[Hold, ...]
    disconnected: bool
    phases: tuple[Phase, ...]


def plan(scenario: Scenario, lead_s: float) -> Iterator[PlannedBreath]:
    """All breaths from at least ``lead_s`` before the recording to its end; times count from its first sample.

    Args:
        scenario: What to do.
        lead_s: Breaths of the first segment come earlier, so that the recording may begin within one.
    """
    period_s = 60 / scenario.segments[0].ventilator.rate_per_min
    onset_s = scenario.first_onset_s - math.ceil((scenario.first_onset_s + lead_s) / period_s) * period_s
    segment, waiting = 0, list(scenario.hold)
    while onset_s < scenario.duration_s + lead_s:
        while segment + 1 < len(scenario.segments) and scenario.segments[segment + 1].at_s <= onset_s:
            segment += 1
        held: list[Hold] = []
        while waiting and waiting[0].at_s <= onset_s and waiting[0].kind not in {hold.kind for hold in held}:
            held.append(waiting.pop(0))
        breath = plan_breath(scenario.segments[segment], segment, onset_s, held, scenario.disconnect)
        yield breath
        onset_s = breath.end_s


def plan_breath(
    segment: Segment, number: int, onset_s: float, held: Sequence[Hold] = (), disconnects: Sequence[Span] = ()
) -> PlannedBreath:
    """The breath that begins at ``onset_s``. A hold lengthens it: it ends later by as much."""
    ventilator = segment.ventilator
    holds_s = {hold.kind: hold.duration_s for hold in held}
    exp_hold_s = holds_s.get("expiratory", 0.0)
    phases = list(_inspiration(ventilator, onset_s))
    flow_end_s = phases[-1].end_s
    peep = ventilator.peep_cmh2o
    pause_s = ventilator.pause_s if ventilator.mode == "vcv" else 0.0
    insp_hold_s = max(pause_s, holds_s.get("inspiratory", 0.0))
    insp_end_s = flow_end_s + insp_hold_s
    exp_end_s = insp_end_s + 60 / ventilator.rate_per_min - ventilator.ti_total_s
    fall_s = ventilator.fall_s if ventilator.fall_s >= SHORTEST_RAMP_S else 0.0
    fallen_s = min(insp_end_s + fall_s, exp_end_s)
    phases += [
        Phase(flow_end_s, insp_end_s, 0.0, is_flow=True),
        Phase(insp_end_s, fallen_s, peep, is_expiration=True, falls=True),
        Phase(fallen_s, exp_end_s, peep, is_expiration=True),
        Phase(exp_end_s, exp_end_s + exp_hold_s, 0.0, is_flow=True, is_expiration=True),
    ]
    phases = [phase for phase in phases if phase.end_s > phase.start_s]
    cut = [part for phase in phases for part in _disconnect(phase, disconnects)]
    return PlannedBreath(
        segment=number,
        start_s=onset_s,
        insp_end_s=insp_end_s,
        end_s=exp_end_s + exp_hold_s,
        insp_hold_s=insp_hold_s,
        exp_hold_s=exp_hold_s,
        held=tuple(held),
        disconnected=any(part.is_open for part in cut),
        phases=tuple(cut),
    )


def _inspiration(ventilator: Ventilator, onset_s: float) -> Iterator[Phase]:
    """The phases in which gas is driven into the patient."""
    if ventilator.mode == "vcv":
        flow = ventilator.flow_l_min / 60
        end_s = onset_s + ventilator.tidal_volume_ml / 1000 / flow
        yield Phase(onset_s, end_s, flow, is_flow=True)
        return
    peep, above = ventilator.peep_cmh2o, ventilator.inspiratory_pressure_cmh2o
    rise_s = ventilator.rise_s if ventilator.rise_s >= SHORTEST_RAMP_S else 0.0
    risen_s, end_s = onset_s + rise_s, onset_s + ventilator.ti_s
    if rise_s > 0:
        yield Phase(onset_s, risen_s, peep, slope=above / rise_s)
    yield Phase(risen_s, end_s, peep + above)


def _disconnect(phase: Phase, disconnects: Sequence[Span]) -> Iterator[Phase]:
    """The phase, with those parts of it open during which the circuit is disconnected."""
    rest = phase
    for span in disconnects:
        open_s, closed_s = max(span.at_s, rest.start_s), min(span.at_s + span.duration_s, rest.end_s)
        if closed_s <= open_s:
            continue
        if open_s > rest.start_s:
            yield rest._replace(end_s=open_s)
        escaping = phase.level if phase.is_flow else 0.0 if phase.is_expiration else FLOW_LIMIT_L_S
        yield rest._replace(
            start_s=open_s, end_s=closed_s, level=escaping, slope=0.0, is_flow=True, is_open=True, falls=False
        )
        level = phase.level + phase.slope * (closed_s - phase.start_s)
        rest = rest._replace(start_s=closed_s, level=level)
    if rest.end_s > rest.start_s:
        yield rest
