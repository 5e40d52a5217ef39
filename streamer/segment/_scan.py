"""The breath state machine, sample by sample, compiled. Floor 1, inside ``segment``: flow in, confirmed events out.

``x`` is leak-corrected flow, ``flow - g * sqrt(paw)`` (algorithms.md §2.1, §2.3). A *candidate* is a crossing that has
not yet proved itself; what proves it is volume, because bare zero crossings of recorded flow give twice as many
breaths as there are.

```
phase        when                                              then
EXPIRATION   x rises through onset                             candidate onset
             candidate, x <= onset                             cancelled
             candidate below trigger for rise_n samples        candidate moves on by one sample (it hovers)
             candidate, peak >= trigger, volume >= confirm     ONSET, back-dated to the candidate; INSPIRATION
INSPIRATION  x falls through -exhale                           candidate expiration
             candidate, x >= -exhale                           cancelled
             candidate, peak >= cycle, volume >= confirm       back-dated expiratory onset; EXPIRATION
             x up by restack within restack_n samples,
             from a valley below restack_valley of the peak    ONSET at the valley: the breath before never expired
either       breath open for apnoea_n samples                  APNOEA
```

Where the ventilator starts against a lung that still empties, pressure rises before flow turns. An onset is therefore
back-dated further, to the foot of a pressure rise of ``pressure_rise`` within ``back_n`` samples; otherwise that rise
would be read as end-expiratory pressure.

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


def one_record(kind: np.dtype[np.void]) -> Any:
    """An array of one empty record.

    Compiled code takes plain arrays ten times as fast; uncompiled, only a record array has its fields as attributes.
    """
    array = np.zeros(1, kind)
    return array.view(np.recarray) if config.DISABLE_JIT else array  # type: ignore[attr-defined]


@kernel
def corrected(flow: float, paw: float, leak: float) -> float:
    """Flow without the leak, L/s. A pressure that is unknown (NaN) leaves flow as it is."""
    return flow - leak * math.sqrt(paw) if paw > 0.0 else flow


@kernel
def scan(state: Any, limits: Any, flow: Any, paw: Any, base: int, stop: int) -> int:  # noqa: PLR0917 (compiled: positions only)
    """Advance to the next confirmed event, or to sample ``stop``; returns MORE, ONSET or APNOEA."""
    s, p = state[0], limits[0]
    while s.next < stop:
        i = s.next
        if s.open >= 0 and i - s.open > p.apnoea_n:
            force_close(s, i - 1)
            return APNOEA
        x = corrected(flow[i - base], paw[i - base], p.leak)
        before = s.x
        s.x = x
        s.next = i + 1
        if s.phase == EXPIRATION:
            if rises(s, p, flow, paw, base, i, before, x):
                return ONSET
        elif stacks(s, p, flow, paw, base, i, before, x):
            return ONSET
        else:
            falls(s, p, i, before, x)
    return MORE


@kernel
def force_close(s: Any, i: int) -> None:
    """End the open breath at sample ``i``, the last one looked at; a pending candidate starts anew there."""
    s.end = i
    s.end_at = i
    if s.candidate >= 0:
        s.candidate = i + 1
        s.candidate_at = i
        s.candidate_volume = 0.0


@kernel
def rises(s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, before: float, x: float) -> bool:  # noqa: PLR0917 (compiled: positions only)
    """Expiration → inspiration."""
    if s.candidate < 0:
        if x > p.onset and before <= p.onset:
            part = (x - p.onset) / (x - before)
            s.candidate = i
            s.candidate_at = i - part
            s.candidate_peak = x
            s.candidate_volume = 0.5 * part * p.step * (x + p.onset)
    elif x <= p.onset:
        s.candidate = -1
    else:
        s.candidate_volume += 0.5 * p.step * (before + x)
        s.candidate_peak = max(s.candidate_peak, x)
        if s.candidate_peak < p.trigger and i - s.candidate >= p.rise_n:
            j = s.candidate - base
            moved = corrected(flow[j], paw[j], p.leak) + corrected(flow[j + 1], paw[j + 1], p.leak)
            s.candidate_volume = max(s.candidate_volume - 0.5 * p.step * moved, 0.0)
            s.candidate_at = s.candidate
            s.candidate += 1
    if s.candidate < 0 or s.candidate_peak < p.trigger or s.candidate_volume < p.confirm:
        return False
    follow_pressure(s, p, paw, base)
    s.end = s.candidate - 1
    s.end_at = s.candidate_at
    begin_inspiration(s, i, s.candidate_peak)
    return True


@kernel
def follow_pressure(s: Any, p: Any, paw: Any, base: int) -> None:
    """Move the candidate back to where pressure began to rise, if it rose well before flow turned."""
    last = s.candidate - 1
    first = max(last - p.back_n, s.turned, base)
    lowest = paw[last - base]
    for j in range(first, last):
        if paw[j - base] < lowest:  # noqa: PLR1730 (min() of NaN is not the same compiled)
            lowest = paw[j - base]
    rise = paw[last - base] - lowest
    if not rise >= p.pressure_rise:
        return
    foot = last
    while foot > first and paw[foot - base] > lowest + 0.25 * rise:
        foot -= 1
    s.candidate = foot + 1
    s.candidate_at = foot


@kernel
def stacks(s: Any, p: Any, flow: Any, paw: Any, base: int, i: int, before: float, x: float) -> bool:  # noqa: PLR0917 (compiled: positions only)
    """Inspiration → next inspiration, with no expiration between: a steep rise out of a valley."""
    if x < p.trigger or x <= before:
        return False
    first = max(s.peak_index, i - p.restack_n, base)
    valley = x
    at = i
    for j in range(i - 1, first - 1, -1):
        y = corrected(flow[j - base], paw[j - base], p.leak)
        if y < valley:
            valley = y
            at = j
    if x - valley < p.restack or valley > max(p.restack_valley * s.peak, p.onset):
        if x > s.peak:
            s.peak = x
            s.peak_index = i
        return False
    s.end = at
    s.end_at = at
    begin_inspiration(s, i, x)
    s.restacked = 1
    return True


@kernel
def begin_inspiration(s: Any, i: int, peak: float) -> None:
    """Enter INSPIRATION, confirmed at sample ``i``."""
    s.phase = INSPIRATION
    s.turned = i
    s.candidate = -1
    s.peak = peak
    s.peak_index = i


@kernel
def falls(s: Any, p: Any, i: int, before: float, x: float) -> None:
    """Inspiration → expiration, the mirror image of ``rises``."""
    if s.candidate < 0:
        if x < -p.exhale and before >= -p.exhale:
            part = (x + p.exhale) / (x - before)
            s.candidate = i
            s.candidate_at = i - part
            s.candidate_peak = -x
            s.candidate_volume = 0.5 * part * p.step * (p.exhale - x)
    elif x >= -p.exhale:
        s.candidate = -1
    else:
        s.candidate_volume -= 0.5 * p.step * (before + x)
        s.candidate_peak = max(s.candidate_peak, -x)
    if s.candidate >= 0 and s.candidate_peak >= p.cycle and s.candidate_volume >= p.confirm:
        s.exp_start = s.candidate
        s.exp_start_at = s.candidate_at
        s.phase = EXPIRATION
        s.turned = i
        s.candidate = -1


@kernel
def turn_page(state: Any, event: int) -> Any:
    """After an event: close the breath that was open, open the next.

    Returns:
        Of the closed one: first and last sample (first is -1 if none was open), first of expiration (-1 without); the
        three instants in samples, interpolated; whether it ended in another inspiration.
    """
    s = state[0]
    closed = (s.open, s.end, s.exp_start, s.open_at, s.end_at, s.exp_start_at, s.restacked == 1)
    s.open = s.end if event == ONSET else -1
    s.open_at = s.end_at
    s.exp_start = -1
    s.restacked = 0
    return closed


@kernel
def reconsider(state: Any, limits: Any, flow: Any, paw: Any, base: int) -> None:
    """The leak has just been learned anew: an onset that was nothing but leak is taken back, its breath never was."""
    s, p = state[0], limits[0]
    i = s.next - 1
    s.x = corrected(flow[i - base], paw[i - base], p.leak)
    if s.phase == INSPIRATION and s.turned == i and s.x <= p.onset:
        s.phase = EXPIRATION
        s.open = -1


@kernel
def watermark(state: Any, limits: Any) -> int:
    """The newest sample known to lie before the end of every breath still to come."""
    s, p = state[0], limits[0]
    if s.phase == INSPIRATION:
        return int(s.next - p.restack_n - 2)
    first = s.candidate if s.candidate >= 0 else s.next
    return int(first - p.back_n - 2)
