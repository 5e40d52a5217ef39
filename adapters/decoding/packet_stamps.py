"""Rows that share their time stamps: one stamp for each packet of a device, or for each second.

Used by ``stamped_grid.py``.

The first row of a packet is at its stamp, and the rows are even. So the rate is rows by time from one packet to a
later one. The first packet of a file may have lost its beginning: it ends where the second begins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, FloatArray
from streamer.model.errors import DecodeError

SHARED = 1 / 3
"""Of the rows: as many must have the stamp of the row before them."""
TWICE = 0.9
"""Of those: as many that are wholly equal to the row before are rows written twice, and no packets."""
LEARN_PACKETS, AHEAD_PACKETS = 12, 4
"""Packets from which the rate is learnt; those after a stamp that must agree with it."""
RESOLUTION_S = 1e-6
DRIFT = 0.005


class Packets(NamedTuple):
    """What the first stamps say: rate in Hz, tolerance in s, rows of a usual packet, time of the first row."""

    rate_hz: float
    tolerance_s: float
    rows: int
    start_s: float


def is_packed(stamps: FloatArray, values: FloatArray) -> bool:
    """Whether rows share stamps: ``stamps (n,)`` s, NaN where there is none; ``values (n, columns)``."""
    known = np.flatnonzero(np.isfinite(stamps))
    shared = np.flatnonzero(np.diff(stamps[known]) == 0.0) + 1
    if shared.size == 0 or shared.size < SHARED * (known.size - 1):
        return False
    rows, before = values[known[shared]], values[known[shared - 1]]
    equal = ((rows == before) | (np.isnan(rows) & np.isnan(before))).all(axis=1)
    return bool(equal.mean() < TWICE or not _rises(rows))


def _rises(values: FloatArray) -> bool:
    """Whether any column changes: rows of a signal at rest are equal without being written twice."""
    finite = values[np.isfinite(values).all(axis=1)]
    return bool(len(finite) and (np.ptp(finite, axis=0) > 0.0).any())


def of_packets(stamps: FloatArray, last_s: float) -> FloatArray:
    """The stamps with NaN for each row that shares the one before it; ``last_s`` is the stamp before the first."""
    known = np.flatnonzero(np.isfinite(stamps))
    before = np.concatenate([[last_s], stamps[known][:-1]])
    found: FloatArray = stamps.copy()
    found[known[stamps[known] == before]] = np.nan
    return found


@np.errstate(over="ignore", invalid="ignore")  # stamps may be any numbers
def learn_packets(stamps: FloatArray, given_hz: float | None, remedy: str, loose_s: float) -> Packets:
    """Rate and tolerance from the stamps of packets. Raises ``DecodeError`` that ends in ``remedy``.

    Args:
        stamps: ``(n,)`` s, as ``of_packets`` gives them; the first is known.
        given_hz: The rate, if it is known.
        remedy: What else would give the rate.
        loose_s: The tolerance where stamps are too irregular to place rows by.
    """
    places = np.flatnonzero(np.isfinite(stamps))
    rows, passed_s = np.diff(places).astype(np.float64), np.diff(stamps[places])
    whole = slice(1, None) if rows.size > 1 else slice(None)  # the first packet may have lost its beginning
    steps = passed_s[whole] / rows[whole]
    forward = steps > 0
    usual = int(np.median(rows)) if rows.size else stamps.size
    if rows.size < 2 or not forward.any():  # noqa: PLR2004 (one packet from its beginning to its end)
        if given_hz is None:
            what = (
                "too few time stamps differ to give a rate"
                if rows.size
                else "the time stamps do not advance, so they give no rate"
            )
            raise DecodeError(f"{what}; {remedy}")
        return Packets(given_hz, loose_s, usual, float(stamps[0]))
    middle = float(np.median(steps[forward]))
    near = forward & (np.abs(steps - middle) <= 0.5 * middle)
    if near.sum() < 0.7 * steps.size:
        if given_hz is None:
            raise DecodeError(f"the time stamps of its packets are too irregular to give the rate; {remedy}")
        return Packets(given_hz, loose_s, usual, float(stamps[0]))
    counted, timed = rows[whole][near], passed_s[whole][near]
    mean = float(timed.sum() / counted.sum())
    off = np.abs(timed - counted * mean)
    learnt_hz = rounded_hz(mean, float(off.max()), int(counted.sum()))
    unsure = 2.0 * float(off.max()) / float(timed.sum())
    if given_hz is not None and abs(learnt_hz / given_hz - 1.0) > DRIFT + unsure:
        given = f"the rate is given as {given_hz:g} Hz (option, context or sidecar)"
        raise DecodeError(f"{given}, but the time stamps say {learnt_hz:.6g} Hz; mend one")
    if not MIN_RATE_HZ <= learnt_hz <= MAX_RATE_HZ:
        limits = f"{MIN_RATE_HZ:g}-{MAX_RATE_HZ:g} Hz"
        raise DecodeError(f"the time stamps say {learnt_hz:.6g} Hz, outside {limits}; is the time in seconds?")
    rate_hz = given_hz or learnt_hz
    tolerance_s = 0.5 / rate_hz + 2.0 * float(np.quantile(off, 0.9)) + RESOLUTION_S
    start_s = float(stamps[places[1]]) - float(rows[0]) / rate_hz
    is_cut = float(stamps[0]) < start_s <= float(stamps[0]) + float(np.median(timed))
    return Packets(rate_hz, tolerance_s, usual, start_s if is_cut else float(stamps[0]))


def rounded_hz(step_s: float, jitter_s: float, steps: int) -> float:
    """The roundest rate that the stamps cannot tell from their mean step (its error is 2 jitters over the steps)."""
    step_s = min(max(step_s, 1e-9), 1e9)  # so that no rounding overflows; both are refused
    rate = 1.0 / step_s
    unsure = 2.0 * max(jitter_s, RESOLUTION_S) / steps
    for candidate in (round(rate), round(2.0 * rate) / 2.0, round(3.0 * rate) / 3.0, 1e3 / max(round(1e3 * step_s), 1)):
        if candidate > 0 and abs(1.0 / candidate - step_s) <= unsure:
            return float(candidate)
    return rate
