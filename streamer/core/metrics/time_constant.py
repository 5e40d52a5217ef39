"""What the expiratory time constant gives without a hold: the formulas of the tau method. Pure numbers.

Not a default: it assumes one resistance for both directions, which a valve, a tube or trapped gas breaks. Its trap is
P0: with set PEEP in place of total PEEP it reads a plateau of 8.0 for a true 9.8 cmH2O in a published example.
"""

from __future__ import annotations

import math
from typing import NamedTuple

ITERATIONS = 50
DONE_S = 1e-9


class TauLung(NamedTuple):
    """Compliance (L/cmH2O), resistance (cmH2O·s/L) and plateau pressure (cmH2O) by the tau method."""

    compliance: float
    resistance: float
    pplat: float


def from_time_constant(*, vt: float, flow_end: float, ppeak: float, p0: float, tau: float) -> TauLung:
    """The lung behind a square-flow breath, from its expiratory time constant.

    Args:
        vt: Inspired volume, L.
        flow_end: Flow at the end of inspiration, L/s; 0 after a pause would need the pressure of the pause.
        ppeak: Pressure at that instant, cmH2O.
        p0: **Total** PEEP, cmH2O.
        tau: Expiratory time constant, s.

    Source: Al-Rawas et al., Crit Care 2013;17:R23, C = (VT + tau·F)/(Ppeak - P0); its comment on incomplete emptying.
    Assumption: inspiratory and expiratory resistance are the same.
    """
    compliance = (vt + tau * flow_end) / (ppeak - p0)
    return TauLung(compliance, tau / compliance, p0 + vt / compliance)


def time_constant(*, vt: float, peak_flow: float, te: float) -> float:
    """Time constant (s) of a passive expiration of ``te`` seconds from its volume (L) and peak flow (L/s).

    Solves tau = (VT/PEF)/(1 - exp(-Te/tau)), starting from VT/PEF, by repetition. Assumption: one compartment, flow at
    its peak when expiration begins.
    """
    first = tau = vt / peak_flow
    for _ in range(ITERATIONS):
        before, tau = tau, first / (1.0 - math.exp(-te / tau))
        if abs(tau - before) < DONE_S:
            break
    return tau
