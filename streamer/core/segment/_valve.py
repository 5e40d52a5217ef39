"""When the valve opened: where a breath begins, by flow and pressure together. Compiled.

A patient who draws gas lowers pressure; a valve raises it. ``_state_machine.py`` says how the parts work together.
"""

from __future__ import annotations

import math
from typing import Any

from streamer.core.segment._flow import into_lung
from streamer.core.segment._survey import CLEAR, DEVIATIONS, PEAK, PEAKS
from streamer.model.jit import kernel

FOOT_SHARE = 0.25
"""Of a rise: up to there it is its foot."""
SMOOTHED = 3
"""Pressure is averaged over the third part of ``rise_s``."""


@kernel
def hover(s: Any, p: Any, flow: Any, paw: Any, base: int, i: int) -> None:  # noqa: PLR0917 (compiled: positions only)
    """Flow is still what a patient draws: the valve opens later, and the candidate moves on.

    Unless pressure has risen with it, from its low level, as no patient makes it: then a valve is open.
    """
    if s.raised == 1 or s.candidate_peak >= p.deliver or i - s.candidate < p.rise_n:
        return
    level = level_of(paw, base, i, p)
    if level - s.lowest >= p.drawn and level - p.usual_low >= 0.5 * p.drawn:
        s.raised = 1
        return
    while i - s.candidate >= p.rise_n:
        j = s.candidate - base
        moved = into_lung(flow[j], paw[j], p) + into_lung(flow[j + 1], paw[j + 1], p)
        s.candidate_volume -= 0.5 * p.step * moved
        s.candidate_at = s.candidate
        s.candidate += 1


@kernel
def open_valve(s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, x: float) -> None:  # noqa: PLR0917 (compiled: positions only)
    """Where the breath begins: the candidate, or the foot of a pressure rise; from where gas was drawn."""
    foot = jumps(p, flow, paw, base, i) if x > p.onset else -1
    if foot >= 0 and i - s.candidate <= p.draw_n and not pauses(s, p, flow, paw, base, foot):
        foot = -1
    if foot < 0 and s.first < s.candidate - p.back_n and surges(p, flow, paw, base, i, x):
        foot, _ = foot_of_rise(flow, base, max(i - p.back_n, base), i, CLEAR * p.noise)
    if foot >= s.candidate:
        s.candidate = foot + 1
        s.candidate_at = foot
    elif s.first >= s.candidate - p.draw_n and (s.candidate_peak < p.deliver or math.isnan(paw[i - base])):
        s.candidate = s.first  # without pressure nothing says that there is a valve to wait for
        s.candidate_at = s.first_at
    elif s.candidate > s.first:
        steepen(s, p, flow, paw, base)
    last = s.candidate - 1
    foot, rise = foot_of_rise(paw, base, max(last - p.back_n, s.turned, base), last, math.inf)
    if rise >= p.lead:
        s.candidate = foot + 1
        s.candidate_at = foot
    s.end_at = s.candidate_at
    s.end_doubt = doubt_of(s, p, flow, paw, base, i)
    if s.first >= s.candidate:
        s.end = s.candidate - 1
        s.end_drawn_at = s.end_at
    elif s.first >= s.candidate - p.draw_n:
        s.end = s.first - 1
        s.end_drawn_at = s.first_at
    else:
        s.end = s.candidate - p.draw_n - 1
        s.end_drawn_at = float(s.end)


@kernel
def doubt_of(s: Any, p: Any, flow: Any, paw: Any, base: int, i: int) -> float:  # noqa: PLR0917 (compiled: positions only)
    """How much later than found the valve may have opened, samples: pressure stayed level, and rose only then.

    Not where a patient pulls pressure down and yet more flows than base flow: that comes through an open valve.
    """
    foot = last_foot(p, paw, base, i)
    lowest, before = paw[foot - base], paw[max(s.candidate - 1 - base, 0)]
    if not paw[i - base] - lowest >= p.pressed:
        return 0.0
    for j in range(s.candidate, foot):
        y = paw[j - base]
        if y - max(lowest, p.usual_low) >= p.drawn:
            return 0.0
        if before - y >= p.drawn and into_lung(flow[j - base], y, p) >= p.deliver:
            return float(max(j - s.end_at, 0.0))
    return float(max(foot - s.end_at, 0.0))


@kernel
def pauses(s: Any, p: Any, flow: Any, paw: Any, base: int, foot: int) -> bool:  # noqa: PLR0917 (compiled: positions only)
    """Flow sank, or had been as high before the foot of a rise of pressure as there: no valve was opening yet."""
    x = into_lung(flow[foot - base], paw[foot - base], p)
    if paw[foot - base] - p.usual_low >= p.pressed:
        return False
    highest, lowest, rose = 0.0, paw[s.candidate - 1 - base], s.raised == 1
    for j in range(s.candidate, foot - 1):
        here, y = into_lung(flow[j - base], paw[j - base], p), paw[j - base]
        if y < lowest:  # noqa: PLR1730 (min() of NaN is not the same compiled)
            lowest = y
        rose = rose or y - max(lowest, p.usual_low - 0.5 * p.drawn) >= p.drawn
        if rose and here >= p.deliver:
            return False
        if here >= x - DEVIATIONS * p.noise or (not rose and here <= highest - PEAK * p.noise):
            return True
        highest = max(highest, here)
    return False


@kernel
def jumps(p: Any, flow: Any, paw: Any, base: int, i: int) -> int:
    """The foot of a rise of pressure with which flow rises, too: what flowed before was a leak, or drawn by a patient.

    -1 where flow stays: a ventilator that sets it, and a patient who pulls pressure down at first.
    """
    foot = last_foot(p, paw, base, i)
    rise = into_lung(flow[i - base], paw[i - base], p) - into_lung(flow[foot - base], paw[foot - base], p)
    return foot if rise >= p.restack else -1


@kernel
def last_foot(p: Any, paw: Any, base: int, i: int) -> int:
    """Where the newest rise of pressure begins: behind any that came down again."""
    foot, lowest = i, paw[i - base]
    for j in range(i - 1, max(i - p.back_n, base) - 1, -1):
        y = paw[j - base]
        if y < lowest:
            foot, lowest = j, y
        elif y - lowest >= p.drawn:
            break
    above = lowest + min(FOOT_SHARE * (paw[i - base] - lowest), max(CLEAR * p.paw_noise, PEAKS * p.paw_ripple))
    last = i
    while last > foot and paw[last - base] > above:
        last -= 1
    return last


@kernel
def foot_of_rise(paw: Any, base: int, first: int, last: int, most: float) -> tuple[int, float]:
    """Where pressure last left its lowest level since sample ``first``, and how far it has risen at ``last``."""
    lowest = paw[last - base]
    for j in range(first, last):
        if paw[j - base] < lowest:  # noqa: PLR1730 (min() of NaN is not the same compiled)
            lowest = paw[j - base]
    rise = paw[last - base] - lowest
    foot, above = last, lowest + min(FOOT_SHARE * rise, most)
    while foot > first and paw[foot - base] > above:
        foot -= 1
    return foot, rise


@kernel
def steepen(s: Any, p: Any, flow: Any, paw: Any, base: int) -> None:
    """After a draw, the valve opened where flow begins to rise without a pause to what it delivers."""
    at = s.candidate
    while into_lung(flow[at - base], paw[at - base], p) < p.deliver and at < s.next - 1:
        at += 1
    before = into_lung(flow[at - 1 - base], paw[at - 1 - base], p)
    while at - 1 > s.candidate and before < into_lung(flow[at - base], paw[at - base], p):
        at -= 1
        before = into_lung(flow[at - 1 - base], paw[at - 1 - base], p)
    at = min(at, s.candidate + p.rise_n // 2)
    if at > s.candidate:
        s.candidate = at
        s.candidate_at = at - 1.0


@kernel
def surges(p: Any, flow: Any, paw: Any, base: int, i: int, x: float) -> bool:  # noqa: PLR0917 (compiled: positions only)
    """Flow has risen fast, as that of a valve or of a patient does: what a leak lets in grows slowly."""
    j = max(i - p.back_n - base, 0)
    return bool(x - into_lung(flow[j], paw[j], p) >= p.restack)


@kernel
def level_of(paw: Any, base: int, i: int, p: Any) -> float:
    """Pressure at sample ``i``, smoothed."""
    n = max(p.rise_n // SMOOTHED, 1)
    level = 0.0
    for j in range(max(i - n + 1, base), i + 1):
        level += paw[j - base] / n
    return level
