"""The breath state machine, sample by sample, compiled. Floor 1, inside ``segment``: samples in, confirmed events out.

``x`` is flow into the lung: ``flow - zero - leak * sqrt(paw)`` (docs/algorithms.md §2). A *candidate* is a
crossing that has not yet proved itself. It lives while the sum of what exceeds its threshold is positive (Page's test),
so that noise neither makes nor ends one, and volume and pressure confirm it:

```
phase        when                                              then
EXPIRATION   x rises through onset                             candidate onset
             its sum is spent, or x clearly falls              cancelled
             candidate below deliver for rise_n samples        its valve opens later: moves on by one sample
             candidate has delivered, and moved its volume     ONSET; INSPIRATION
             candidate ends without, but moved enough          ONSET where it began; INSPIRATION
INSPIRATION  x falls through -exhale                           candidate expiration
             its sum is spent, or x clearly rises              cancelled
             candidate has moved its volume                    back-dated expiratory onset; EXPIRATION
             x up by restack within restack_n samples,
             from a valley below restack_valley of the peak,
             pressure not at its plateau, and its volume       ONSET at the rise: the breath before never expired
either       breath open for apnoea_n samples                  APNOEA
```

How much volume confirms depends on pressure. An inspiration that raises it needs little; one that does not may be gas
blown in to hold PEEP, or a bump of a valve, and needs a share of a usual breath. Gas that comes back while pressure is
still at its plateau is a valve that rings.

The valve opens where flow last left what a patient draws from base flow, or earlier, at the foot of a pressure rise
before flow turned: a ventilator may start against a lung that still empties. What was drawn before belongs to the
breath, but does not begin it.

``s`` is the state and ``p`` the limits (``_records.py``; passed as arrays of one record); ``base`` is the index of the
first sample in the buffers. The same source runs uncompiled.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import config

from streamer.jit import kernel
from streamer.segment._records import APNOEA, EXPIRATION, INSPIRATION, MORE, ONSET
from streamer.segment._survey import adapt, survey

PLATEAU_SHARE, PLATEAU_CMH2O = 0.6, 5.0
"""Pressure is at its plateau above this share of its rise, if that is at least so high."""
RING_SHARE = 0.3
"""Of the inspired volume: less comes back at full pressure where a valve rings, or a patient pushes against it."""
ABRUPT = .4
KSHARE = 0.6
KN = 12
CLEAR_SHARE = 0.13
"""Of the usual rise of pressure: what no valve makes that finds back to PEEP after it fell too low."""
OWN_SHARE = 0.1
"""Of it: what confirms the expiration of a breath much smaller than the usual one."""


def one_record(kind: np.dtype[np.void]) -> Any:
    """An array of one empty record.

    Compiled code takes plain arrays ten times as fast; uncompiled, only a record array has its fields as attributes.
    """
    array = np.zeros(1, kind)
    return array.view(np.recarray) if config.DISABLE_JIT else array  # type: ignore[attr-defined]


@kernel
def into_lung(flow: float, paw: float, p: Any) -> float:
    """Flow without offset and leak, L/s. A pressure that is unknown (NaN) leaves the leak in."""
    return float(flow - p.zero - p.leak * math.sqrt(paw) if paw > 0.0 else flow - p.zero)


@kernel
def scan(  # noqa: PLR0917 (compiled: positions only)
    state: Any, limits: Any, settings: Any, memory: Any, scratch: Any, flow: Any, paw: Any, base: int, stop: int
) -> int:
    """Advance to the next confirmed event, or to sample ``stop``; returns MORE, ONSET or APNOEA."""
    s, p = state[0], limits[0]
    while s.next < stop:
        i = s.next
        if i == s.survey_at:
            survey(state, limits, flow, paw, base, memory, scratch)
            adapt(limits, settings)
        if s.open >= 0 and i - s.open > p.apnoea_n:
            force_close(s, i - 1)
            return APNOEA
        y = paw[i - base]
        x = into_lung(flow[i - base], y, p)
        before = s.x
        s.x = x
        s.next = i + 1
        if s.phase == EXPIRATION:
            if rises(s, p, flow, paw, base, i, before, x, y):
                return ONSET
        elif stacks(s, p, flow, paw, base, i, before, x, settings[0].restack_valley):
            return ONSET
        else:
            falls(s, p, flow, paw, base, i, before, x, y)
    return MORE


@kernel
def force_close(s: Any, i: int) -> None:
    """End the open breath at sample ``i``, the last one looked at; a pending candidate starts anew there."""
    s.end = i
    s.end_at = i
    s.end_drawn_at = i
    s.stack = -1
    if s.candidate >= 0:
        s.first = i + 1
        s.first_at = i
        s.first_volume = 0.0
        s.candidate = i + 1
        s.candidate_at = i
        s.candidate_volume = 0.0
        s.excess = 0.0


@kernel
def rises(  # noqa: PLR0917 (compiled: positions only)
    s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, before: float, x: float, y: float
) -> bool:
    """Expiration → inspiration."""
    if s.candidate >= 0:
        moved = 0.5 * p.step * (before + x)
        s.first_volume += moved
        s.candidate_volume += moved
        s.excess += moved - p.step * p.onset
        s.candidate_peak = max(s.candidate_peak, x)
        s.lowest = min(s.lowest, y)
        while s.candidate_peak < p.deliver and i - s.candidate >= p.rise_n:
            hover(s, p, flow, paw, base)
        has_died = s.candidate_peak >= p.deliver and x < min(0.5 * s.candidate_peak, p.deliver)
        if is_inspiration(s, p, flow, paw, base, i, x, y, has_died):
            open_valve(s, p, flow, paw, base, i, x)
            begin_inspiration(s, i, s.candidate_peak, paw[max(s.candidate - 1 - base, 0)], y)
            return True
        if has_died:
            s.candidate_peak = x  # the valve of what was delivered has still to open
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
        s.first_paw = y
        s.lowest = min(y, paw[max(i - 1 - base, 0)])
    return False


@kernel
def jumps(p: Any, flow: Any, paw: Any, base: int, i: int) -> int:
    """The foot of a rise of pressure with which flow rises, too: gas that flowed before is a leak's, or a patient's draw.

    -1 where flow stays: a ventilator that sets it, and a patient who pulls pressure down at first.
    """
    first = max(i - p.back_n, base)
    lowest = paw[i - base]
    for j in range(first, i):
        lowest = min(lowest, paw[j - base])
    foot = i
    while foot > first and paw[foot - base] > lowest + 0.25 * (paw[i - base] - lowest):
        foot -= 1
    rise = into_lung(flow[i - base], paw[i - base], p) - into_lung(flow[foot - base], paw[foot - base], p)
    return foot if rise >= p.restack else -1


@kernel
def hover(s: Any, p: Any, flow: Any, paw: Any, base: int) -> None:
    """Move the opening of the valve on by one sample: flow is still what a patient draws."""
    j = s.candidate - base
    moved = into_lung(flow[j], paw[j], p) + into_lung(flow[j + 1], paw[j + 1], p)
    s.candidate_volume -= 0.5 * p.step * moved
    s.candidate_at = s.candidate
    s.candidate += 1


@kernel
def is_inspiration(s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, x: float, y: float, has_died: bool) -> bool:  # noqa: PLR0917 (compiled: positions only)
    """Whether the candidate is one: by volume, of which less is needed where pressure rises with it."""
    if s.candidate_peak < p.trigger or s.first_volume < p.confirm:
        return False
    foot = s.lowest
    n = max(p.rise_n // 3, 1)
    y = 0.0
    for j in range(i - n + 1, i + 1):
        y += paw[max(j, base) - base] / n
    rise = y - foot
    is_pressed = rise >= p.pressed and y - p.usual_low >= p.pressed
    if rise >= p.pressed and not is_pressed and rise >= CLEAR_SHARE * p.usual_swing:
        is_pressed = y - level_before(s, p, paw, base) >= KSHARE * p.pressed
    needed = p.confirm
    if p.blown > 0.0 and not is_pressed and x > p.onset and not has_died:
        return False  # its pressure may still come
    if is_pressed and i - s.candidate > p.draw_n:
        is_pressed = paw[i - p.rise_n - base] - foot >= p.pressed or jumps(p, flow, paw, base, i) >= 0
        if not is_pressed:
            return False
    if not is_pressed:
        # A patient pulls pressure down, below where it rests; gas that is blown in, or a valve that closes, does not.
        is_drawn = s.first_paw - s.lowest >= p.drawn and s.lowest < p.usual_low
        needed = p.alone if is_drawn else max(p.alone, p.blown * max(p.large_volume, s.inspired))
    if s.candidate_peak >= p.deliver:
        return bool(s.candidate_volume >= needed)
    is_brief = s.first >= s.candidate - p.draw_n
    return bool((is_pressed or (x <= p.onset and is_brief)) and s.first_volume >= needed)


@kernel
def level_before(s: Any, p: Any, paw: Any, base: int) -> float:
    last = s.first - 1
    first = max(last - KN * p.rise_n, s.turned + p.rise_n, base)
    highest = paw[last - base]
    for j in range(first, last):
        highest = max(highest, 0.5 * (paw[j - base] + paw[j + 1 - base]))
    return highest


@kernel
def open_valve(s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, x: float) -> None:  # noqa: PLR0917 (compiled: positions only)
    """Where the breath begins: the candidate, or the foot of a pressure rise; from where gas was drawn."""
    foot = jumps(p, flow, paw, base, i) if x > p.onset and i - s.candidate > p.draw_n else -1
    if foot >= 0:
        s.candidate = foot + 1
        s.candidate_at = foot
    elif s.candidate_peak < p.deliver and s.first >= s.candidate - p.draw_n:
        s.candidate = s.first
        s.candidate_at = s.first_at
    elif s.candidate > s.first:
        steepen(s, p, flow, paw, base)
    last = s.candidate - 1
    first = max(last - p.back_n, s.turned, base)
    lowest = paw[last - base]
    for j in range(first, last):
        if paw[j - base] < lowest:  # noqa: PLR1730 (min() of NaN is not the same compiled)
            lowest = paw[j - base]
    rise = paw[last - base] - lowest
    if rise >= p.lead:
        foot = last
        while foot > first and paw[foot - base] > lowest + 0.25 * rise:
            foot -= 1
        s.candidate = foot + 1
        s.candidate_at = foot
    s.end_at = s.candidate_at
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
    first = max(s.peak_index, i - p.restack_n, base)
    valley = x
    at = i
    for j in range(i - 1, first - 1, -1):
        y = into_lung(flow[j - base], paw[j - base], p)
        if y < valley:
            valley = y
            at = j
    if x - valley < p.restack or valley > max(valley_share * s.peak, p.onset):
        if x > s.peak:
            s.peak = x
            s.peak_index = i
        return False
    if is_plateau(s, paw[at - base]) and is_plateau(s, paw[i - base]):
        return False
    s.stack = at
    s.stack_flow = valley
    s.stack_volume = 0.5 * p.step * (x - valley - 0.5 * p.restack)
    return False


@kernel
def restack(s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, x: float) -> bool:  # noqa: PLR0917 (compiled: positions only)
    """The next breath begins where flow last left what a patient draws, after the valley."""
    at = i
    while at > s.stack and into_lung(flow[at - base], paw[at - base], p) > p.deliver:
        at -= 1
    s.end = at
    s.end_at = at
    s.end_drawn_at = at
    s.first_volume = s.stack_volume
    begin_inspiration(s, i, x, paw[at - base], paw[i - base])
    s.restacked = 1
    return True


@kernel
def is_plateau(s: Any, y: float) -> bool:
    """Pressure has not fallen from its plateau; never where it is unknown."""
    rise = s.high - s.low
    return bool(rise > PLATEAU_CMH2O and y > s.low + PLATEAU_SHARE * rise)


@kernel
def begin_inspiration(s: Any, i: int, peak: float, low: float, high: float) -> None:
    """Enter INSPIRATION, confirmed at sample ``i``."""
    s.phase = INSPIRATION
    s.turned = i
    s.candidate = -1
    s.first = -1
    s.stack = -1
    s.peak = peak
    s.peak_index = i
    s.inspired = s.first_volume
    s.low = low
    s.high = max(low, high)


@kernel
def falls(  # noqa: PLR0917 (compiled: positions only)
    s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, before: float, x: float, y: float
) -> None:
    """Inspiration → expiration, the mirror image of ``rises``."""
    s.inspired += 0.5 * p.step * (before + x)
    s.high = max(s.high, y)
    if s.candidate >= 0:
        moved = 0.5 * p.step * (before + x)
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
        needed = max(p.confirm, RING_SHARE * inspired)
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
def turn_page(state: Any, event: int) -> Any:
    """After an event: close the breath that was open, open the next.

    Returns:
        Of the closed one: first and last sample (first is -1 if none was open), first of expiration (-1 without); the
        instants of its start, end, expiratory onset and first gas in samples, interpolated; whether it ended in another
        inspiration.
    """
    s = state[0]
    closed = (s.open, s.end, s.exp_start, s.open_at, s.end_at, s.exp_start_at, s.drawn_at, s.restacked == 1)
    s.open = s.end if event == ONSET else -1
    s.open_at = s.end_at
    s.drawn_at = s.end_drawn_at
    s.exp_start = -1
    s.restacked = 0
    return closed


@kernel
def reconsider(state: Any, limits: Any, flow: Any, paw: Any, base: int) -> None:
    """The leak has just been learned: a breath that opened with nothing but leak opens later, or never was."""
    s, p = state[0], limits[0]
    i = s.next - 1
    s.x = into_lung(flow[i - base], paw[i - base], p)
    if s.phase != INSPIRATION or s.turned != i:
        return
    if s.x <= p.onset:
        s.phase = EXPIRATION
        s.open = -1
        return
    at = i
    while at > s.open and into_lung(flow[at - base], paw[at - base], p) > p.onset:
        at -= 1
    if at > s.open and s.open_at < at:
        s.open = at
        s.open_at = at
        s.drawn_at = at


@kernel
def watermark(state: Any, limits: Any) -> int:
    """The newest sample known to lie before the end of every breath still to come."""
    s, p = state[0], limits[0]
    if s.phase == INSPIRATION:
        first = s.stack if s.stack >= 0 else s.next - p.restack_n
        return int(first - 2)
    first = s.first if s.first >= 0 else s.next
    return int(first - p.back_n - 2)
