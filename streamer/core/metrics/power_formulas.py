"""Closed forms of mechanical power (algorithms §5.2): named numbers in, J/min out.

Each is the integral of airway pressure over inspired volume under an assumption of its own, so each is exact where its
assumption holds and off by a known amount where it does not. Pressures in cmH2O, PEEP included; volumes in L, flow in
L/s, rates per minute, times in s, resistance in cmH2O·s/L, compliance in L/cmH2O.

``literature_constant`` rounds K to 0.098 as papers do: only to reproduce their numbers.
"""

from __future__ import annotations

import math

from streamer.model.units import JOULE_PER_L_CMH2O, ROUNDED_JOULE_PER_L_CMH2O, S_PER_MIN

GIOSA_DIVISOR = 20.0
"""1 / (½ · 0.098), rounded: part of the published formula, so there is no switch for its constant."""
QUICK_RISE = 1e-4
"""Rise time over time constant below which the difference of the terms is all rounding; the series is exact there."""


def joules(*, literature_constant: bool = False) -> float:
    """K in J/(L·cmH2O)."""
    return ROUNDED_JOULE_PER_L_CMH2O if literature_constant else JOULE_PER_L_CMH2O


def gattinoni(
    *,
    vt: float,
    rr: float,
    ie: float,
    elastance: float,
    resistance: float,
    peep: float,
    literature_constant: bool = False,
) -> float:
    """K·RR·{VT²·[½·E + RR·(1 + I:E)/(60·I:E)·R] + VT·PEEP}, J/min; E in cmH2O/L.

    Source: Gattinoni 2016. Assumes square flow and a passive lung of one compartment; ``peep`` is total PEEP and ``ie``
    counts flow time only, since RR·(1 + I:E)/(60·I:E) stands for 1/Ti of the flow: a pause in it reads low.
    """
    per_ti = rr * (1.0 + ie) / (S_PER_MIN * ie)
    work = vt * vt * (0.5 * elastance + per_ti * resistance) + vt * peep
    return joules(literature_constant=literature_constant) * rr * work


def vcv_simple(
    *, vt: float, rr: float, ppeak: float, driving_pressure: float, literature_constant: bool = False
) -> float:
    """K·RR·VT·(Ppeak - ½·ΔP), J/min.

    Source: simplified equation of Gattinoni 2016. Assumes square flow, so that pressure rises in a straight line to
    ``ppeak``, its value as flow stops; ΔP counts from total PEEP. The area of that trapezoid is exact.
    """
    return joules(literature_constant=literature_constant) * rr * vt * (ppeak - 0.5 * driving_pressure)


def giosa(*, minute_volume: float, ppeak: float, peep: float, flow_l_min: float) -> float:
    """V'E·(Ppeak + PEEP + flow/6)/20, J/min; minute volume in L/min, flow in L/min: no plateau is needed.

    Source: Giosa 2019. ``vcv_simple`` with resistance fixed at 10 cmH2O·s/L (flow/6 is 10 times the flow in L/s).
    """
    return minute_volume * (ppeak + peep + flow_l_min / 6.0) / GIOSA_DIVISOR


def pcv_simple(*, vt: float, rr: float, above: float, peep: float, literature_constant: bool = False) -> float:
    """K·RR·VT·(ΔPinsp + PEEP), J/min.

    Source: Becher 2019. Assumes that pressure steps up at the onset; reads high by what a rise time leaves out.
    """
    return joules(literature_constant=literature_constant) * rr * vt * (above + peep)


def pcv_full(
    *,
    vt: float,
    rr: float,
    above: float,
    peep: float,
    compliance: float,
    resistance: float,
    rise_s: float,
    literature_constant: bool = False,
) -> float:
    """K·RR·[(ΔPinsp + PEEP)·VT - ΔPinsp²·C·(½ - τ/Ts + (τ/Ts)²·(1 - exp(-Ts/τ)))], J/min; τ = R·C, Ts: rise time.

    Source: comprehensive equation of Becher 2019 in a form derived anew. Assumes a linear ramp from equilibrium: with
    gas trapped, from total PEEP, where flow begins. Exact then.
    """
    square = pcv_simple(vt=vt, rr=rr, above=above, peep=peep, literature_constant=literature_constant)
    spared = above * above * compliance * _ramp(rise_s, resistance * compliance)
    return square - joules(literature_constant=literature_constant) * rr * spared


def _ramp(rise_s: float, tau: float) -> float:
    """Share of ΔPinsp²·C that a ramp spares: from 0 (a step) to ½ (so slow that resistance costs nothing)."""
    if rise_s <= 0.0:
        return 0.0
    if tau <= 0.0:
        return 0.5
    ratio = rise_s / tau
    if ratio < QUICK_RISE:
        return ratio / 6.0
    return 0.5 - 1.0 / ratio - math.expm1(-ratio) / ratio**2


def vdm(
    *, vt: float, rr: float, above: float, peep: float, ti: float, tau: float, literature_constant: bool = False
) -> float:
    """K·RR·VT·[PEEP + ΔPinsp·(1 - exp(-Ti/τ))], J/min.

    Source: van der Meijden 2019 (form from general knowledge, not read). Takes pressure for what the lung has reached
    at the end of inspiration, so it reads low, the more so the shorter inspiration is.
    """
    reached = peep - above * math.expm1(-ti / tau)
    return joules(literature_constant=literature_constant) * rr * vt * reached
