"""Medians of a stream, exact and cheap."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence


class RunningMedian:
    """Median of what came within the last ``span_s``; NaN while that is fewer than ``enough`` values.

    Values are kept in order of size: one is put in and taken out without sorting again, and since nothing is ever
    subtracted no rounding stays behind.
    """

    def __init__(self, span_s: float, enough: int) -> None:
        self._span_s, self._enough = span_s, enough
        self._recent: deque[tuple[float, float]] = deque()
        self._ordered: list[float] = []

    def add(self, at_s: float, value: float) -> float:
        """Add a value, NaN for none; returns the median over ``(at_s - span_s, at_s]``."""
        while self._recent and self._recent[0][0] <= at_s - self._span_s:
            del self._ordered[bisect_left(self._ordered, self._recent.popleft()[1])]
        if not math.isnan(value):
            self._recent.append((at_s, value))
            insort(self._ordered, value)
        return middle(self._ordered, self._enough)


def middle(ordered: Sequence[float], enough: int = 1) -> float:
    """The median of values in order of size; NaN where there are fewer than ``enough``."""
    if len(ordered) < enough:
        return math.nan
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])
