"""What a bed's breaths teach: leak, zero offset of flow, and the size of a usual breath.

Gas that does not come back is a leak, an offset, or a sensor that reads the two directions differently; over a single
breath it is also the lung's own filling. Hence sums over many breaths, never a middle of ratios, which are skewed: a
bout of coughs has some breaths that keep gas and some that return it. And hence what the sums say is believed only
where it stands out from how breaths differ, and where flow at the end of expiration shows it (docs/algorithms.md §2.3).
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from streamer.core.segment._ends import DEVIATIONS, Levels, median
from streamer.core.segment._state import Sums
from streamer.core.segment._zero import Zero

STANDS_OUT = 2.0
"""Standard errors of the sums."""
DENIED_L_S, MOST_SHARE, ENOUGH_ENDS = 0.3 / 60.0, 1.5, 2
"""Flow at the end of expiration that lies below what the sums expect there, by more than this, is believed instead;
above it, up to this share of the sums."""
NEWEST, JUMP, AGREE = 3, 0.3, 3.0
"""A leak has jumped when so many breaths are so far off, as a share and against how they differ."""


class _Row(NamedTuple):
    """Of one breath: L, s·sqrt(cmH2O), s; flow at its end (L/s, NaN unless level) and the root of pressure there."""

    net: float
    root: float
    duration_s: float
    end: float
    end_root: float


class Leak:
    """Conductance, (L/s)/sqrt(cmH2O), and zero offset, L/s, from the breaths so far."""

    def __init__(self, breaths: int, settled: int, most: float) -> None:
        self._rows: deque[_Row] = deque(maxlen=breaths)
        self._zero = Zero(breaths)
        self._settled, self._most = settled, most
        self.conductance = self.zero = 0.0
        self.zero_doubt = math.nan
        self._scale = 1.0

    def add(self, sums: Sums, levels: Levels, duration_s: float, scale: float = 1.0) -> None:
        """A complete breath; ``scale`` of the signal against an adult's."""
        self._scale = scale
        root = math.sqrt(max(levels.end_paw, 0.0))
        self._rows.append(_Row(sums.net, sums.root, duration_s, levels.end, root))
        self._forget()
        self._zero.add(sums, levels, duration_s, scale)
        self.zero, self.zero_doubt = self._zero.value, self._zero.doubt
        if len(self._rows) >= self._settled:
            self.conductance = self._conductance()

    def restart(self, sums: Sums, duration_s: float) -> None:
        """No breath was found for so long that the lung's own filling does not count: begin again from this stretch."""
        self._rows.clear()
        self._rows.extend([_Row(sums.net, sums.root, duration_s, math.nan, math.nan)] * self._settled)
        self.conductance = self._conductance()

    def stood_by(self, flow: float, doubt: float) -> None:
        """Level flow at ambient pressure while no breath came, and how far its mean may be off, L/s; NaN: none."""
        self._zero.stood_by(flow, doubt)

    def _forget(self) -> None:
        """Drop the breaths before a jump of the leak: the newest agree with each other, and not with them."""
        newest = [(row.net - self.zero * row.duration_s) / row.root for row in self._rows if row.root > 0.0][-NEWEST:]
        if len(newest) < NEWEST:
            return
        found = sum(newest) / NEWEST
        apart = abs(found - self.conductance)
        if apart > JUMP * max(abs(found), self.conductance) and apart > AGREE * (max(newest) - min(newest)):
            while len(self._rows) > NEWEST:
                self._rows.popleft()

    def _conductance(self) -> float:
        nets = [row.net - self.zero * row.duration_s for row in self._rows]
        root = sum([row.root for row in self._rows])
        if not root > 0.0:
            return 0.0
        found = sum(nets) / root
        squares = sum([(net - found * row.root) ** 2 for net, row in zip(nets, self._rows, strict=True)])
        error = math.sqrt(squares * len(nets) / (len(nets) - 1)) / root
        if found < STANDS_OUT * error:
            return 0.0
        return min(max(self._shown(found), 0.0), self._most)

    def _shown(self, found: float) -> float:
        """What flow at the end of the newest expirations shows of it: at once, and without the lung's own filling."""
        ends = [row for row in self._rows if row.end_root > 0.0][-NEWEST:]
        if len(ends) < ENOUGH_ENDS or not math.isfinite(self._rows[-1].end + self._rows[-2].end):
            return found
        rest = self._zero.ends.rest
        if rest is None:
            return found
        shown = median((row.end + rest.rise - self.zero) / row.end_root for row in ends)
        expected = found * ends[-1].end_root
        below = expected - shown * ends[-1].end_root
        if below < DENIED_L_S * self._scale:
            return min(max(shown, found), MOST_SHARE * found)
        return found if below < DEVIATIONS * rest.error else max(shown, 0.0)
