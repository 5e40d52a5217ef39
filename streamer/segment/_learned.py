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
DENIED_L_S, MOST_SHARE, ENOUGH_ENDS = 0.5 / 60.0, 1.5, 2
"""Flow at the end of expiration that lies below what the sums expect there, by more than this, is believed instead;
above it, up to this share of the sums."""
MIN_ZERO_L_S, MAX_ZERO_L_S, SAME_L_S = 0.25 / 60.0, 5.0 / 60.0, 0.4 / 60.0
"""Offsets that are worth a correction, and that a sensor may have; two levels that are the same."""
ENOUGH_ZEROS = 3
NEWEST, JUMP, AGREE = 3, 0.3, 3.0
"""A leak has jumped when so many breaths are so far off, as a share and against how they differ."""
MIN_PAW = 1.0
"""Pressure of a hold against which a leak is reckoned, cmH2O."""
HELD_CMH2O = 2.0
"""An occlusion holds pressure above that of the end of expiration; an open circuit, through which base flow runs, holds
none."""


class Levels(NamedTuple):
    """What ``_levels.levels`` gives: L/s and cmH2O, NaN where there is none."""

    held: float
    held_paw: float
    end: float
    end_paw: float


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
        self._zeros: deque[float] = deque(maxlen=breaths)
        self._settled, self._most = settled, most
        self.conductance = self.zero = 0.0

    def push(self, sums: Sums, levels: Levels, duration_s: float) -> None:
        """A complete breath."""
        root = math.sqrt(max(levels.end_paw, 0.0))
        self._rows.append(_Row(sums.net, sums.root, duration_s, levels.end, root))
        self._forget()
        self._learn_zero(levels)
        if len(self._rows) >= self._settled:
            self.conductance = self._conductance()

    def restart(self, sums: Sums, duration_s: float) -> None:
        """No breath was found for so long that the lung's own filling does not count: begin again from this stretch."""
        self._rows.clear()
        self._rows.extend([_Row(sums.net, sums.root, duration_s, math.nan, math.nan)] * self._settled)
        self.conductance = self._conductance()

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
        root = sum(row.root for row in self._rows)
        if not root > 0.0:
            return 0.0
        found = sum(nets) / root
        squares = sum((net - found * row.root) ** 2 for net, row in zip(nets, self._rows, strict=True))
        error = math.sqrt(squares * len(nets) / (len(nets) - 1)) / root
        if found < STANDS_OUT * error:
            return 0.0
        return min(max(self._shown(found), 0.0), self._most)

    def _shown(self, found: float) -> float:
        """What flow at the end of the newest expirations shows of it: at once, and without the lung's own filling."""
        ends = [row for row in self._rows if row.end_root > 0.0][-NEWEST:]
        if len(ends) < ENOUGH_ENDS or not math.isfinite(self._rows[-1].end + self._rows[-2].end):
            return found
        shown = median((row.end - self.zero) / row.end_root for row in ends)
        expected, flow = found * ends[-1].end_root, shown * ends[-1].end_root
        if flow >= expected or expected - flow < DENIED_L_S:
            return min(max(shown, found), MOST_SHARE * found)
        return max(shown, 0.0)

    def _learn_zero(self, levels: Levels) -> None:
        """What flows in an occlusion is the zero: gas that leaks then comes out of the lung, past a closed valve.

        Unless a ventilator goes on feeding the leak: then flow grows with the root of pressure, here and at the end.
        """
        held, end = levels.held, levels.end
        floor = 0.0 if math.isnan(levels.end_paw) else levels.end_paw
        if math.isnan(held) or levels.held_paw - floor < HELD_CMH2O:
            return
        fed = held * math.sqrt(max(levels.end_paw, 0.0) / max(levels.held_paw, MIN_PAW))
        if held > SAME_L_S and abs(end - fed) <= SAME_L_S < abs(end - held):
            return
        self._zeros.append(held)
        zero = median(self._zeros) if len(self._zeros) >= ENOUGH_ZEROS else 0.0
        self.zero = zero if MIN_ZERO_L_S <= abs(zero) <= MAX_ZERO_L_S else 0.0


def median(values: Iterable[float]) -> float:
    """The middle one in order of size, or the mean of the two."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])
