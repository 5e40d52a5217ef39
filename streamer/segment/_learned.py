"""What a bed's breaths teach: leak, zero offset of flow, and the size of a usual breath. Floor 1, inside ``segment``.

Gas that does not come back is a leak, an offset, or a sensor that reads the two directions differently; over a single
breath it is also the lung's own filling. Hence sums over many breaths, never a middle of ratios, which are skewed: a
bout of coughs has some breaths that keep gas and some that return it. And hence what the sums say is believed only
where it stands out from how breaths differ, and where flow at the end of expiration shows it (docs/algorithms.md §2.3).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from streamer.segment._records import Sums

STANDS_OUT = 2.0
"""Standard errors of the sums."""
DENIED_SHARE, DENIED_L_S = 0.5, 0.5 / 60.0
"""Flow at the end of expiration below this share of what the leak would give there, by more than this: it is none."""
MAX_ZERO_L_S = 5.0 / 60.0
ENOUGH_ZEROS = 3
MIN_APART = 0.5
"""Between the roots of two pressures, sqrt(cmH2O), that tell an offset from a leak."""


class Levels(NamedTuple):
    """What ``_levels.levels`` gives: L/s and cmH2O, NaN where there is none."""

    held: float
    held_paw: float
    end: float
    end_paw: float


class Leak:
    """Conductance, (L/s)/sqrt(cmH2O), and zero offset, L/s, from the breaths so far."""

    def __init__(self, breaths: int, settled: int, most: float) -> None:
        self._rows: deque[tuple[float, float, float]] = deque(maxlen=breaths)
        self._ends: deque[tuple[float, float]] = deque(maxlen=breaths)
        self._zeros: deque[float] = deque(maxlen=breaths)
        self._settled, self._most = settled, most
        self.conductance = self.zero = 0.0

    def push(self, sums: Sums, levels: Levels, duration_s: float) -> None:
        """A complete breath."""
        self._rows.append((sums.net, sums.root, duration_s))
        if not math.isnan(levels.end):
            self._ends.append((levels.end, math.sqrt(max(levels.end_paw, 0.0))))
            self._learn_zero(levels)
        if len(self._rows) >= self._settled:
            self.conductance = self._conductance()

    def restart(self, sums: Sums, duration_s: float) -> None:
        """No breath was found for so long that the lung's own filling does not count: begin again from this stretch."""
        self._rows.clear()
        self._ends.clear()
        self._rows.extend([(sums.net, sums.root, duration_s)] * self._settled)
        self.conductance = self._conductance()

    def _conductance(self) -> float:
        rows = [(net - self.zero * duration_s, root) for net, root, duration_s in self._rows]
        root = sum(root for _, root in rows)
        if not root > 0.0:
            return 0.0
        found = sum(net for net, _ in rows) / root
        squares = sum((net - found * one) ** 2 for net, one in rows)
        error = math.sqrt(squares * len(rows) / (len(rows) - 1)) / root
        if found < STANDS_OUT * error:
            return 0.0
        return min(max(self._shown(found), 0.0), self._most)

    def _shown(self, found: float) -> float:
        """As much of it as flow shows at the end of expiration, where that is level."""
        if len(self._ends) < self._settled:
            return found
        flow, root = (median(column) for column in zip(*self._ends, strict=True))
        flow, expected = flow - self.zero, found * root
        if not root > 0.0 or flow >= DENIED_SHARE * expected or expected - flow < DENIED_L_S:
            return found
        return max(flow, 0.0) / root

    def _learn_zero(self, levels: Levels) -> None:
        roots = [math.sqrt(max(paw, 0.0)) for paw in (levels.held_paw, levels.end_paw)]
        if not roots[0] - roots[1] >= MIN_APART:
            return
        leak = (levels.held - levels.end) / (roots[0] - roots[1])
        self._zeros.append(levels.end - max(leak, 0.0) * roots[1])
        zero = median(self._zeros)
        if len(self._zeros) >= ENOUGH_ZEROS:
            self.zero = zero if abs(zero) <= MAX_ZERO_L_S else 0.0


def median(values: Iterable[float]) -> float:
    """The middle one in order of size, or the mean of the two."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])
