"""What windows are made of: recent breaths as a table, and a window's next boundary."""

from __future__ import annotations

import math

import numpy as np

from streamer.model.chunk import FloatArray

FIRST_ROOM = 256


class Window:
    """One length and its next boundary, ``m * period_s``. It sleeps, at infinity, while it holds no breath."""

    def __init__(self, name: str, length_s: float, period_s: float) -> None:
        self.name, self.length_s, self.period_s = name, length_s, period_s
        self._m = 0
        self.next_s = math.inf
        self.sealed_s = -math.inf

    def wake(self, end_s: float) -> None:
        """A breath ended: the first boundary at or after that is the next one."""
        if self.next_s == math.inf:
            self._m = math.ceil(end_s / self.period_s)
            self.next_s = self._m * self.period_s

    def seal(self, *, is_empty: bool) -> None:
        """Go to the next boundary; after an empty one, sleep."""
        self.sealed_s = self.next_s
        self._m += 1
        self.next_s = math.inf if is_empty else self._m * self.period_s


class Table:
    """Values of recent breaths, keys down, breaths across, and how long each lasted."""

    def __init__(self, keys: int, keep_s: float) -> None:
        self._keep_s = keep_s
        self._values = np.full((keys, FIRST_ROOM), math.nan)
        self._ends = np.zeros(FIRST_ROOM)
        self._whole_s = np.zeros(FIRST_ROOM)
        self._n = 0

    @property
    def newest_s(self) -> float:
        """End of the newest breath; minus infinity before the first."""
        return float(self._ends[self._n - 1]) if self._n else -math.inf

    def add(self, end_s: float, whole_s: float, values: list[float]) -> None:
        """A breath that ended at ``end_s``; ``whole_s`` counts towards coverage."""
        if self._n == self._ends.size:
            self._make_room(end_s - self._keep_s)
        self._values[:, self._n] = values
        self._ends[self._n], self._whole_s[self._n] = end_s, whole_s
        self._n += 1

    def _make_room(self, oldest_s: float) -> None:
        """Forget what no window can hold any more; double when little of it is old."""
        first = int(np.searchsorted(self._ends[: self._n], oldest_s, side="right"))
        kept = self._n - first
        room = self._ends.size if first >= self._ends.size // 2 else 2 * self._ends.size
        values, ends, whole_s = np.full((self._values.shape[0], room), math.nan), np.zeros(room), np.zeros(room)
        values[:, :kept] = self._values[:, first : self._n]
        ends[:kept] = self._ends[first : self._n]
        whole_s[:kept] = self._whole_s[first : self._n]
        self._values, self._ends, self._whole_s, self._n = values, ends, whole_s, kept

    def since(self, start_s: float) -> tuple[FloatArray, float]:
        """Values of the breaths that ended after ``start_s``, and the seconds of it that whole ones fill."""
        first = int(np.searchsorted(self._ends[: self._n], start_s, side="right"))
        covered_s = float(self._whole_s[first : self._n].sum())
        if first < self._n:
            began_s = self._ends[first] - self._whole_s[first]
            covered_s -= max(0.0, start_s - float(began_s))
        return self._values[:, first : self._n], covered_s
