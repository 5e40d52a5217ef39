"""Compiled verdicts on the time stamps of rows: which lie on the grid, jump, begin again, or are dropped."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamer.model.jit import kernel

DRIFT = 0.005
RESET_S = 60.0
"""A block that was sent again must not become breaths that never were: below this, rows are left out and counted."""
BEGINNING_S = 1.0
"""A stamp this near to the first of its run, or before it, has returned to the beginning."""
KEEP, JUMP, DROP, RESET = 0, 1, 2, 3


@kernel
def _agree(stamps: Any, i: int, dt: float, tolerance: float, ahead: int) -> tuple[int, int]:
    """Of the stamps after ``i``: how many go on from it, and how many there are."""
    agree, seen = 0, 0
    for j in range(i + 1, min(int(stamps.size), i + 1 + ahead)):
        if not np.isnan(stamps[j]):
            seen += 1
            agree += abs(stamps[j] - stamps[i] - (j - i) * dt) <= tolerance
    return agree, seen


@kernel
def _whole(stamps: Any, i: int, dt: float, packet_s: float) -> float:
    """The stamp of row ``i``, or, where its packet has lost its beginning, the time at which its rows begin."""
    for j in range(i + 1, stamps.size):
        if not np.isnan(stamps[j]):
            begins_s = float(stamps[j] - (j - i) * dt)
            return begins_s if stamps[i] < begins_s <= stamps[i] + packet_s else float(stamps[i])
        if (j - i) * dt > packet_s:
            break
    return float(stamps[i])


@kernel
def place_stamps(  # noqa: PLR0917 (compiled)
    stamps: Any,
    final: bool,  # noqa: FBT001 (compiled)
    dt: float,
    tolerance: float,
    ahead: int,
    packet_s: float,
    again: Any,
    state: Any,
    verdict: Any,
) -> int:
    """Judge each stamp; NaN is a row without one, which keeps its slot. Returns how many rows are settled.

    ``state`` is (anchor s, slots since, followed drift s, last stamp s, first stamp of this run s) and is moved on.
    """
    size = int(stamps.size)
    for i in range(size):
        if not final and i + ahead >= size:
            return i
        grid = state[0] + state[1] * dt + state[2]
        off = stamps[i] - grid
        verdict[i] = KEEP
        if np.isnan(off):
            state[1] += 1
            continue
        if abs(off) <= tolerance:
            state[2] += min(max(off, -DRIFT * dt), DRIFT * dt)
            state[3] = stamps[i]
        else:
            stamps[i] = _whole(stamps, i, dt, packet_s)
            agree, seen = _agree(stamps, i, dt, tolerance, ahead)
            back_s = state[3] - stamps[i]
            has_begun = stamps[i] <= state[4] + BEGINNING_S and not again[i]
            is_far = back_s > RESET_S or (back_s >= BEGINNING_S and has_begun)
            if back_s >= 0.0 and not (is_far and seen and 2 * agree >= seen):
                verdict[i] = DROP
                continue
            if 2 * agree >= seen:
                verdict[i] = RESET if back_s >= 0.0 else JUMP
                state[0], state[1], state[2] = stamps[i], 0.0, 0.0
                state[3] = stamps[i]
                if back_s >= 0.0 and state[4] > -np.inf:
                    state[4] = stamps[i]
            else:
                state[3] = grid
        state[1] += 1
    return size
