"""The time between two switchings of a valve; how it is cut and how it rings.

``ventilator`` plans, ``lung`` runs it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from adapters.simulator.scenario import Ringing, Span, Suction

FLOW_LIMIT_L_S = 2.0
"""What a source of pressure delivers into an open tube."""
NOTHING, FLOW_ABOVE, PAW_BELOW, FLOW_FADES = range(4)
"""What may end a phase: flow above ``threshold`` (L/s), airway pressure below it, flow below that share of its peak."""


class Phase(NamedTuple):
    """A time in which the source of flow (L/s) or pressure (cmH2O) changes linearly from ``level``.

    One that ``falls`` starts at the lung's own pressure, which is not known when planning, and ends at ``level``.
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


def with_ringing(phase: Phase, ringing: Ringing, amplitude: float) -> Phase:
    """The same, its level ringing by ``amplitude`` cmH2O."""
    decay = 1.0 / ringing.decay_s if ringing.decay_s else 0.0
    rate_hz = ringing.peep_rate_hz if phase.is_expiration and ringing.peep_rate_hz else ringing.rate_hz
    return phase._replace(swing=amplitude, swing_rate=math.tau * rate_hz, swing_decay=decay)


def restoring(fallen: Phase, ringing: Ringing | None) -> Iterator[Phase]:
    """Expiration at PEEP; a ringing controller lets it fall at last, and blows gas in to restore it."""
    if ringing is None or not ringing.peep_amplitude_cmh2o:
        yield fallen
        return
    begin_s = min(fallen.start_s + ringing.peep_after_s, fallen.end_s)
    yield fallen._replace(end_s=begin_s)
    yield with_ringing(fallen._replace(start_s=begin_s), ringing, -ringing.peep_amplitude_cmh2o)


def interrupted(phase: Phase, span: Span) -> Iterator[Phase]:
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
