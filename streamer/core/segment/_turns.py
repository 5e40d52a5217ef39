"""Inspiration → expiration. Compiled. ``_state_machine.py`` says how the parts work together."""

from __future__ import annotations

from typing import Any

from streamer.core.segment._flow import into_lung
from streamer.core.segment._state import EXPIRATION
from streamer.model.jit import kernel

PLATEAU_SHARE, PLATEAU_CMH2O = 0.5, 5.0
"""Pressure is at its plateau above this share of its rise, if that is at least so high."""
RING_SHARE = 0.3
"""Of the inspired volume: less comes back at full pressure where a valve rings, or a patient pushes against it."""
OWN_SHARE = 0.1
"""Of it: what confirms the expiration of a breath much smaller than the usual one."""


@kernel
def falls(  # noqa: PLR0917 (compiled: positions only)
    s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, before: float, x: float, y: float
) -> None:
    """Inspiration → expiration, the mirror image of ``rises``."""
    moved = 0.5 * p.step * (before + x)
    s.inspired += moved
    s.balance += moved
    s.high = max(s.high, y)
    if s.candidate >= 0:
        s.candidate_volume -= moved
        s.excess -= moved + p.step * p.exhale
        s.candidate_peak = max(s.candidate_peak, -x)
        is_back = is_plateau(s, y) and (x > p.exhale or (x >= -p.exhale and s.candidate_peak < p.cycle))
        if s.excess <= 0.0 or x > p.clear or is_back:
            s.candidate = -1
    if s.candidate < 0 and x < -p.exhale and (before >= -p.exhale or s.turned == i - 1):
        part = min((x + p.exhale) / (x - before), 1.0) if before >= -p.exhale else 1.0
        s.candidate = i
        s.candidate_at = i - part
        s.candidate_peak = -x
        s.candidate_volume = 0.5 * part * p.step * (p.exhale - x)
        s.excess = -0.5 * part * p.step * (p.exhale + x)
    if s.candidate < 0:
        return
    if is_plateau(s, y) and s.candidate_peak < p.cycle and i > s.candidate + 1:
        creep(s, p, flow, paw, base)
    inspired = s.inspired + s.candidate_volume
    needed = min(p.confirm, OWN_SHARE * inspired)
    if is_plateau(s, y):
        is_long = i - s.candidate > p.draw_n  # no valve swings so slowly
        needed = max(p.confirm, (0.5 * RING_SHARE if is_long else RING_SHARE) * inspired)
    elif s.candidate_peak >= p.forced:
        needed = min(needed, p.forced_volume)
    needed = max(needed, p.noise_volume)
    is_released = s.high - s.low >= p.pressed and y < 0.5 * (s.low + s.high)
    if (is_released or s.candidate_peak >= p.cycle) and s.candidate_volume >= needed:
        s.exp_start = s.candidate
        s.exp_start_at = s.candidate_at
        s.phase = EXPIRATION
        s.turned = i
        s.candidate = -1
        s.first = -1


@kernel
def creep(s: Any, p: Any, flow: Any, paw: Any, base: int) -> None:
    """Move the candidate on by one sample: gas creeps out of a circuit in which pressure is still held."""
    j = s.candidate - base
    moved = into_lung(flow[j], paw[j], p) + into_lung(flow[j + 1], paw[j + 1], p)
    s.candidate_volume += 0.5 * p.step * moved
    s.candidate_at = s.candidate
    s.candidate += 1


@kernel
def is_plateau(s: Any, y: float) -> bool:
    """Pressure has not fallen from its plateau; never where it is unknown."""
    rise = s.high - s.low
    return bool(rise > PLATEAU_CMH2O and y > s.low + PLATEAU_SHARE * rise)
