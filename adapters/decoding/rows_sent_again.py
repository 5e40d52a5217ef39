"""The first rows of a file: they distinguish rows that are sent again from another recording. For ``stamped_grid``.

A recorder that reconnects within the first seconds sends its buffer again: the same stamps with the same numbers. An
export that is stacked below another has other numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.model.chunk import FloatArray

ALIKE = 8
"""Rows in a row that must be the same; half of them must differ from the one before."""
MOST, WITHIN_S = 20_000, 10.0
"""Rows, and seconds, after which a clock that begins again is one of another recording, whatever its rows."""


class Beginning:
    """The rows of a file until one does not advance."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._stamps: FloatArray = np.empty(0)
        self._values: FloatArray = np.empty((0, 0))
        self._is_whole = self._is_long = False
        self._marks, self._marked_from = np.zeros(0, np.bool_), 0

    def again(self, stamps: FloatArray, values: FloatArray, first: int) -> NDArray[np.bool_]:
        """Which rows are of ``ALIKE`` or more that were there before.

        ``stamps (n,)`` s, ``values (n, columns)``; ``first``: the number of the first of them in the file.
        """
        none = np.zeros(stamps.size, np.bool_)
        if self._is_long:
            return none
        self._keep(stamps, values, first)
        later = max(self._stamps.size - first, 0)
        if self._is_long or not (stamps[later:] <= self._stamps[-1]).any():
            return none
        self._marks = self._found(stamps, values, self._mark_before(first)) & (np.arange(stamps.size) >= later)
        self._marked_from = first
        return self._marks

    def _mark_before(self, first: int) -> bool:
        """What was found of the row before this one."""
        at = first - 1 - self._marked_from
        return bool(0 <= at < self._marks.size and self._marks[at])

    def _keep(self, stamps: FloatArray, values: FloatArray, first: int) -> None:
        if self._is_whole:
            return
        done = self._stamps.size - first
        before = self._stamps[-1] if self._stamps.size else -np.inf
        stops = np.flatnonzero(~(np.diff(stamps[done:], prepend=before) > 0))
        room = done + int(stops[0]) if stops.size else stamps.size
        self._is_whole = bool(stops.size)
        old = self._values if self._stamps.size else values[:0]
        self._stamps = np.concatenate([self._stamps, stamps[done:room]])
        self._values = np.concatenate([old, values[done:room]])
        lasts_s = self._stamps[-1] - self._stamps[0] if self._stamps.size else 0.0
        if lasts_s > WITHIN_S or self._stamps.size > MOST or not self._stamps.size:
            self._is_long = True
            self._stamps, self._values = self._stamps[:0], self._values[:0]

    def _found(self, stamps: FloatArray, values: FloatArray, before: bool) -> NDArray[np.bool_]:  # noqa: FBT001
        at = np.minimum(np.searchsorted(self._stamps, stamps), self._stamps.size - 1)
        there = self._values[at]
        same = ((values == there) | (np.isnan(values) & np.isnan(there))).all(axis=1) & (stamps == self._stamps[at])
        differs = np.append((values[1:] != values[:-1]).any(axis=1), False)
        found, varied = same.copy(), differs.astype(np.int64)
        for ahead in range(1, ALIKE):
            found[-ahead:] = False
            found[:-ahead] &= same[ahead:] & (at[ahead:] == at[:-ahead] + ahead)
            varied[:-ahead] += differs[ahead:] & (ahead < ALIKE - 1)
        found &= varied >= ALIKE // 2
        for row in np.flatnonzero(same & ~found).tolist():  # the last ones of such rows
            found[row] = (found[row - 1] and at[row] == at[row - 1] + 1) if row else before
        marks: NDArray[np.bool_] = found
        return marks
