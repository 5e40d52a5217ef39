"""Rows at uneven but true stamps → an even grid by linear interpolation. For devices whose loop varies.

``stamped_grid.py`` is for rows that are even and badly stamped; here it is the other way round: each stamp says when
its row was measured, and the steps between them differ too much to count. The grid has the median step of the first
``LEARN`` rows, or the stated rate, and starts at the first row of each stretch. A slot between two rows no
further apart than ``NEAR`` median steps is interpolated; between others, or where either lacks a value, it is NaN. More
than ``MAX_SLOTS`` of those are a declared gap: a few rows far apart must not make a mountain of samples.

A row that is not later than the one before is left out. One that is more than ``LONG_S`` away must be followed by one
that goes on from it, or its stamp counts as bad: forwards it is then a declared gap, back a clock that was reset.
"""

from __future__ import annotations

import numpy as np

from adapters.decoding.sample_assembler import Samples
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, FloatArray
from streamer.model.errors import DecodeError

LEARN = 64
NEAR = 1.6
MAX_SLOTS = 50
LONG_S = 10.0
BEGINNING_S = 1.0
"""A stamp this near to the first of its run, or before it, has returned to the beginning."""
AGREE = 0.05
"""How far the rate that was given may be from the stamps': rows are interpolated, so it need not be exact."""
EPS = 1e-6

Row = tuple[float, FloatArray]
"""Stamp in s, values ``(columns,)``."""


def median_step(stamps: FloatArray) -> float | None:
    """The median of the steps forward, in s to the microsecond; None where there is none."""
    steps = np.diff(stamps)
    steps = steps[(steps > 0) & (steps <= LONG_S)]
    return round(float(np.sort(steps)[steps.size // 2]), 6) or None if steps.size else None


class Uneven:
    """Stamped rows, in order, into ``samples``: its rate, slots, stretches and drops.

    Attributes:
        is_started: The rate is known, so rows are handed on.
    """

    def __init__(self, samples: Samples, given_hz: float | None, remedy: str) -> None:
        """``remedy`` says in an error what else would give the rate."""
        self.is_started = False
        self._samples = samples
        self._given_hz = given_hz
        self._remedy = remedy
        self._held: list[Row] = []
        self._last: Row | None = None
        self._doubt: Row | None = None
        self._step_s = self._origin_s = self._shift_s = 0.0
        self._slot = 0
        self._first_s = np.inf

    def row(self, stamp_s: float, values: FloatArray) -> None:
        """One row. Raises ``DecodeError`` when the first stamps give no rate."""
        if self.is_started:
            self._judge((stamp_s, values))
            return
        self._held.append((stamp_s, values))
        if len(self._held) == LEARN:
            self._start()

    def close(self) -> None:
        """The last rows. Raises ``DecodeError`` when there are some and no rate."""
        if self._held:
            self._start()
        doubt, self._doubt = self._doubt, None
        if doubt and self._last is None:
            self._begin(doubt)
        elif doubt:
            self._drop(doubt)

    def _start(self) -> None:
        step_s = median_step(np.array([stamp for stamp, _ in self._held]))
        given_hz = self._given_hz
        if step_s is None and given_hz is None:
            raise DecodeError(f"the time stamps do not advance, so they give no rate; {self._remedy}")
        self._step_s = step_s or 1.0 / (given_hz or 1.0)
        rate_hz = 1.0 / self._step_s
        if given_hz is not None and abs(rate_hz / given_hz - 1.0) > AGREE:
            given = f"the rate is given as {given_hz:g} Hz (option, context or sidecar)"
            raise DecodeError(f"{given}, but the time stamps say {rate_hz:.4g} Hz; mend one")
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            raise DecodeError(f"the time stamps say {rate_hz:.4g} Hz, outside {MIN_RATE_HZ:g}-{MAX_RATE_HZ:g} Hz")
        self._samples.rate_hz = given_hz or rate_hz
        self.is_started = True
        held, self._held = self._held, []
        for row in held:
            self._judge(row)

    def _judge(self, row: Row) -> None:
        doubt, self._doubt = self._doubt, None
        if doubt and 0.0 < row[0] - doubt[0] <= LONG_S:
            self._begin(doubt)
        elif doubt:
            self._drop(doubt)
        step_s = row[0] - self._last[0] if self._last else np.inf
        if 0.0 < step_s <= LONG_S:
            self._reach(row)
        elif abs(step_s) <= LONG_S and not self._returns(row[0], step_s):
            self._drop(row)
        else:
            self._doubt = row

    def _returns(self, stamp_s: float, step_s: float) -> bool:
        """Whether a clock that goes back has returned to the beginning of its run: a file holds several."""
        return step_s <= -BEGINNING_S and stamp_s <= self._first_s + BEGINNING_S

    def _drop(self, row: Row) -> None:
        self._samples.dropped(f"the row stamped {row[0]:.6g} s does not go on from the one before")

    def _begin(self, row: Row) -> None:
        """A stretch that begins at its own row."""
        stamp_s, values = row
        if self._last and stamp_s < self._last[0]:
            what = f"the time stamps go back from {self._last[0]:.6g} to {stamp_s:.6g} s"
            self._shift_s = self._samples.pause(what, stamp_s) - stamp_s
            self._first_s = stamp_s
        self._origin_s, self._slot, self._last = stamp_s, 1, row
        self._first_s = min(self._first_s, stamp_s)
        self._samples.restart(stamp_s + self._shift_s)
        self._samples.rows(values[None, :])

    def _reach(self, row: Row) -> None:
        """Fill the slots after the last row up to this one."""
        assert self._last is not None
        (before_s, before), (stamp_s, values) = self._last, row
        is_near = stamp_s - before_s <= NEAR * self._step_s
        end = int(np.floor((stamp_s - self._origin_s) * self._samples.rate_hz + EPS)) + 1
        if not is_near and end - self._slot > MAX_SLOTS:
            self._begin(row)
            return
        self._last = row
        if end <= self._slot:
            return
        at_s = self._origin_s + np.arange(self._slot, end) / self._samples.rate_hz
        self._slot = end
        part = np.clip((at_s - before_s) / (stamp_s - before_s), 0.0, 1.0)[:, None]
        filled = np.where(part > 1.0 - EPS, values, before + (values - before) * part)
        if not is_near:
            filled[part[:, 0] <= 1.0 - EPS] = np.nan
        self._samples.rows(filled)
