"""The breath state machine, sample by sample, compiled. Samples in, confirmed events out.

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
             pressure is expected, and does not come           only where the candidate ends
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

``s`` is the state and ``p`` the limits (``_state.py``; passed as arrays of one record); ``base`` is the index of the
first sample in the buffers. The same source runs uncompiled.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import config

from streamer.core.segment._flow import into_lung
from streamer.core.segment._onsets import rises, stacks
from streamer.core.segment._state import APNOEA, EXPIRATION, INSPIRATION, MORE, ONSET
from streamer.core.segment._survey import ENOUGH, adapt, survey
from streamer.core.segment._turns import falls
from streamer.model.jit import kernel


def one_record(kind: np.dtype[np.void]) -> Any:
    """An array of one empty record.

    Compiled code takes plain arrays ten times as fast; uncompiled, only a record array has its fields as attributes.
    """
    array = np.zeros(1, kind)
    return array.view(np.recarray) if config.DISABLE_JIT else array  # type: ignore[attr-defined]


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
            if s.unclear == 1 and s.surveys == ENOUGH:
                begin_again(s, p, flow, paw, base, i - ENOUGH * p.survey_n)
                i = s.next
        if s.open >= 0 and i - s.open > p.apnoea_n:
            force_close(s, i - 1)
            return APNOEA
        y = paw[i - base]
        x = into_lung(flow[i - base], y, p)
        before = s.x
        s.x = x
        if before == math.inf and x > settings[0].onset:
            s.unclear = 1
        s.next = i + 1
        if s.phase == EXPIRATION:
            if s.candidate < 0 and x <= p.onset:  # nearly always: spare the call
                s.balance += 0.5 * p.step * (before + x)
            elif rises(s, p, flow, paw, base, i, before, x, y):
                return ONSET
        elif stacks(s, p, flow, paw, base, i, before, x, settings[0].restack_valley):
            return ONSET
        else:
            falls(s, p, flow, paw, base, i, before, x, y)
    return MORE


@kernel
def begin_again(s: Any, p: Any, flow: Any, paw: Any, base: int, first: int) -> None:  # noqa: PLR0917 (compiled: positions only)
    """Noise is known after a second: what it hid at the first sample of a run may have been an onset."""
    s.unclear = 0
    x = into_lung(flow[first - base], paw[first - base], p)
    if x > p.clear:
        return
    s.next = first + 1
    s.x = min(x, p.onset)
    s.phase = EXPIRATION
    s.open = s.first = s.candidate = s.exp_start = s.stack = -1
    s.turned = s.restacked = 0
    s.balance = s.inspired = s.excess = s.doubt = s.end_doubt = 0.0


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
def turn_page(state: Any, event: int) -> Any:
    """After an event: close the breath that was open, open the next.

    Returns:
        Of the closed one: first and last sample (first is -1 if none was open), first of expiration (-1 without); the
        instants of its start, end, expiratory onset and first gas in samples, interpolated; whether it ended in another
        inspiration; how much longer or shorter it may be, samples.
    """
    s = state[0]
    doubt = abs(s.end_doubt - s.doubt)
    closed = (s.open, s.end, s.exp_start, s.open_at, s.end_at, s.exp_start_at, s.drawn_at, s.restacked == 1, doubt)
    s.doubt = s.end_doubt
    s.end_doubt = 0.0
    if s.open >= 0:
        s.unclear = 0
    s.open = s.end if event == ONSET else -1
    s.open_at = s.end_at
    s.drawn_at = s.end_drawn_at
    s.exp_start = -1
    s.restacked = 0
    return closed


@kernel
def reconsider(state: Any, limits: Any, flow: Any, paw: Any, base: int, leak: float, zero: float) -> None:  # noqa: PLR0917 (compiled: positions only)
    """The leak has just been learned: a breath that opened with nothing but leak opens later, or never was.

    Not where what was known before (``leak``, ``zero``) differs by less than begins a breath: noise may be as much.
    """
    s, p = state[0], limits[0]
    i = s.next - 1
    s.x = into_lung(flow[i - base], paw[i - base], p)
    moved = abs(p.zero - zero)
    if paw[i - base] > 0.0:
        moved += abs(p.leak - leak) * math.sqrt(paw[i - base])
    if s.phase != INSPIRATION or s.turned != i or moved < p.onset:
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
    if s.unclear == 1:
        return int(s.survey_at - (s.surveys + 1) * p.survey_n)
    if s.phase == INSPIRATION:
        first = s.stack if s.stack >= 0 else s.next - p.restack_n
        return int(first - 2)
    first = s.first if s.first >= 0 else s.next
    return int(first - p.back_n - 2)
