"""Expiration → inspiration, and inspiration → the next one. Compiled.

``_state_machine.py`` says how the parts work together.
"""

from __future__ import annotations

from typing import Any

from streamer.core.segment._flow import into_lung
from streamer.core.segment._state import INSPIRATION
from streamer.core.segment._survey import PEAKS
from streamer.core.segment._turns import PLATEAU_CMH2O
from streamer.core.segment._valve import doubt_of, hover, jumps, level_of, open_valve, surges
from streamer.model.jit import kernel

CLEAR_SHARE = 0.10
"""Of the usual rise of pressure: what is asked of one without the flow of an open valve; and what counts even where
pressure does not come far above its usual low level, ..."""
ABOVE_SHARE = 0.7
"""... if it rises by this share of what tells an inspiration above what it was just before; a valve that finds back to
PEEP after it fell too low does not."""
BEFORE_RISES = 12
"""How long before: so many times ``rise_s``, about a second."""
PULLED_CMH2O = 10.0
"""Further below its usual low level suction pulls: a breath that begins when it ends rises from that level."""
RELEASED_SHARE, RELEASED_VALLEY = 0.2, 0.5
"""Where pressure has come back to that share of its rise, it was let go; then a valley may be as high a share of the
peak before it."""


@kernel
def rises(  # noqa: PLR0917 (compiled: positions only)
    s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, before: float, x: float, y: float
) -> bool:
    """Expiration → inspiration."""
    moved = 0.5 * p.step * (before + x)
    s.balance += moved
    if s.candidate >= 0:
        s.first_volume += moved
        s.candidate_volume += moved
        s.excess += moved - p.step * p.onset
        s.candidate_peak = max(s.candidate_peak, x)
        if y < s.lowest:  # noqa: PLR1730 (min() of NaN is not the same compiled)
            s.lowest = y
        hover(s, p, flow, paw, base, i)
        if is_inspiration(s, p, flow, paw, base, i, x):
            open_valve(s, p, flow, paw, base, i, x)
            begin_inspiration(s, p, i, s.candidate_peak, paw[max(s.candidate - 1 - base, 0)], y)
            return True
        if dies_down(s, p, x):
            s.candidate_peak = x  # what was delivered was a draw: the valve has still to open
        if s.excess <= 0.0 or x < -p.clear:
            s.candidate = -1
            s.first = -1
    if s.candidate < 0 and x > p.onset and before <= p.onset:
        part = (x - p.onset) / (x - before)
        s.first = i
        s.first_at = i - part
        s.first_volume = 0.5 * part * p.step * (x + p.onset)
        s.excess = 0.5 * part * p.step * (x - p.onset)
        s.candidate = s.first
        s.candidate_at = s.first_at
        s.candidate_volume = s.first_volume
        s.candidate_peak = x
        s.raised = 0
        s.first_paw = y
        s.lowest = y
        earlier = paw[max(i - 1 - base, 0)]
        if earlier < y:
            s.lowest = earlier
    return False


@kernel
def dies_down(s: Any, p: Any, x: float) -> bool:
    """Flow was that of an open valve, and is no longer."""
    return bool(s.candidate_peak >= p.deliver and x < min(0.5 * s.candidate_peak, p.deliver))


@kernel
def is_inspiration(s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, x: float) -> bool:  # noqa: PLR0917 (compiled: positions only)
    """Whether the candidate is one: by volume, of which less is needed where pressure rises with it.

    Where pressure usually rises, one without waits for it until its own end. Pressure that rises late may have begun
    another: then flow jumps, too, or that pressure stays. A leak neither surges nor ends.
    """
    if s.candidate_peak < p.trigger or s.first_volume < p.confirm:
        return False
    is_pressed, is_over = presses(s, p, paw, base, i), x <= p.onset or dies_down(s, p, x)
    if is_pressed:
        needed = p.confirm if x > -p.clear else max(p.confirm, p.alone)  # gas that leaves again came in alone
        is_late = i - s.candidate > p.draw_n and paw[i - p.rise_n - base] - s.lowest < p.pressed
        if is_late and jumps(p, flow, paw, base, i) < 0:
            return False
    else:
        # A patient pulls pressure down, below where it rests; gas that is blown in, or a valve that closes, does not.
        is_drawn = s.first_paw - s.lowest >= p.drawn and s.lowest < p.usual_low and i - s.first <= p.draw_n
        if p.blown > 0.0 and not is_drawn and not is_over:
            return False
        needed = p.alone if is_drawn else max(p.alone, p.blown * max(p.large_volume, s.inspired))
        if p.blown > 0.0 and s.open >= 0 and not is_drawn:  # an emptied lung takes gas back without any effort
            needed += max(s.first_volume - s.balance, 0.0)
    if s.candidate_peak >= p.deliver:
        if not is_pressed and s.first < s.candidate - p.back_n and not is_over and not surges(p, flow, paw, base, i, x):
            return False
        return bool(s.candidate_volume >= needed)
    is_brief = s.first >= s.candidate - p.draw_n  # flow that hovers for longer flows back into an emptied lung
    return bool((is_pressed or (x <= p.onset and is_brief)) and s.first_volume >= needed)


@kernel
def presses(s: Any, p: Any, paw: Any, base: int, i: int) -> bool:
    """Pressure has risen with the candidate, above its usual low level or well above what it was just before."""
    level = level_of(paw, base, i, p)
    rise = level - s.lowest
    if rise < p.pressed:
        return False
    if level - p.usual_low >= p.pressed:
        return bool(s.candidate_peak >= p.deliver or level - p.usual_low >= CLEAR_SHARE * p.usual_swing)
    if rise < CLEAR_SHARE * p.usual_swing:
        return False
    last = s.first - 1
    first = max(last - BEFORE_RISES * p.rise_n, s.turned + p.rise_n, base)
    highest = paw[last - base]
    for j in range(first, last):
        highest = max(highest, 0.5 * (paw[j - base] + paw[j + 1 - base]))
    return bool(level - highest >= ABOVE_SHARE * p.pressed)


@kernel
def stacks(  # noqa: PLR0917 (compiled: positions only)
    s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, before: float, x: float, valley_share: float
) -> bool:
    """Inspiration → next inspiration, with no expiration between: a steep rise out of a valley."""
    if s.stack >= 0:
        s.stack_volume += 0.5 * p.step * (before + x) - p.step * (s.stack_flow + 0.5 * p.restack)
        if s.stack_volume <= 0.0:
            s.stack = -1
        elif s.stack_volume >= p.confirm:
            return restack(s, p, flow, paw, base, i, x)
        return False
    if x < p.trigger or x <= before:
        return False
    at, valley = valley_before(s, p, flow, paw, base, i, x)
    rise = s.high - s.low
    is_low = paw[at - base] + PEAKS * p.paw_ripple <= s.low + RELEASED_SHARE * rise
    if is_low and rise >= p.pressed:
        valley_share = RELEASED_VALLEY
    if x - valley < p.restack or valley > max(valley_share * s.peak, p.onset):
        if x > s.peak:
            s.peak = x
            s.peak_index = i
        return False
    is_higher = paw[i - base] - s.high >= p.pressed
    if rise > PLATEAU_CMH2O and not (is_low or is_higher):
        return False  # a valve that rings, or water: pressure was not let go, and does not go beyond
    s.stack = at
    s.stack_flow = valley
    s.stack_volume = 0.5 * p.step * (x - valley - 0.5 * p.restack)
    return False


@kernel
def valley_before(s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, x: float) -> tuple[int, float]:  # noqa: PLR0917 (compiled: positions only)
    """Sample, and flow, of the valley out of which flow has risen to ``x``."""
    at, valley = i, x
    for j in range(i - 1, max(s.peak_index, i - p.restack_n, base) - 1, -1):
        y = into_lung(flow[j - base], paw[j - base], p)
        if y < valley:
            at, valley = j, y
    return at, valley


@kernel
def restack(s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, x: float) -> bool:  # noqa: PLR0917 (compiled: positions only)
    """The next breath begins where flow last left what a patient draws, after the valley."""
    at = i
    while at > s.stack and into_lung(flow[at - base], paw[at - base], p) > p.deliver:
        at -= 1
    s.end = at
    s.end_at = at
    s.end_drawn_at = at
    s.candidate = at + 1
    s.end_doubt = doubt_of(s, p, flow, paw, base, i)
    s.first_volume = s.stack_volume
    begin_inspiration(s, p, i, x, paw[at - base], paw[i - base])
    s.restacked = 1
    return True


@kernel
def begin_inspiration(s: Any, p: Any, i: int, peak: float, low: float, high: float) -> None:  # noqa: PLR0917 (compiled: positions only)
    """Enter INSPIRATION, confirmed at sample ``i``."""
    s.phase = INSPIRATION
    s.turned = i
    s.candidate = -1
    s.first = -1
    s.stack = -1
    s.peak = peak
    s.peak_index = i
    s.inspired = s.first_volume
    s.balance = s.first_volume
    s.low = low
    if low < p.usual_low - PULLED_CMH2O:
        s.low = p.usual_low
    s.high = max(low, high)
