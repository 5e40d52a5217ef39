"""Numbers that stand for a missing value in a text table: -9999, 999 and the like.

A number of nines alone, outside what its signal can be at any airway, is no measurement. It is taken for missing,
counted and told. Within that range it stays a number: ``missing`` under ``[recording]`` says otherwise. So it does in
a column of which other numbers lie outside, too: raw counts, or another unit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from streamer.model.chunk import Channel, FloatArray

_NINES = np.array([float(sign) for sign in (
    "99.9", "99.99", "999", "999.9", "999.99", "9999", "9999.9", "9999.99", "99999", "99999.9", "99999.99", "999999",
    "9999999", "99999999", "999999999",
)])  # fmt: skip
_POSSIBLE = {Channel.PAW: (-150.0, 300.0), Channel.FLOW: (-10.0, 10.0), Channel.PCO2: (-20.0, 300.0)}
"""Canonical units."""
OTHERS = 20
"""So many other numbers outside may stand before it: spikes."""
_POSSIBLE_L = (-0.9, 10.0)
"""Of a volume."""


class FillValues:
    """Takes them out of rows, and counts them."""

    def __init__(self, waveforms: Mapping[Channel, tuple[int, float, float]], *, from_volume: bool) -> None:
        """``waveforms``: channel → position, multiplier, divisor; flow is a volume in L if ``from_volume``."""
        self._ends: dict[int, tuple[float, float]] = {}
        for channel, (at, multiplier, divisor) in waveforms.items():
            ends = _POSSIBLE_L if from_volume and channel is Channel.FLOW else _POSSIBLE[channel]
            low, high = sorted(end * divisor / multiplier for end in ends)
            self._ends[at] = (low, high)
        self._others: Counter[int] = Counter()
        self._counts: Counter[tuple[int, float]] = Counter()

    def remove(self, values: FloatArray) -> FloatArray:
        """``values (n, columns)`` with NaN in their place, changed where they are."""
        for at, (low, high) in self._ends.items():
            column = values[:, at]
            rows = np.flatnonzero((column < low) | (column > high))
            are_nines = np.isin(np.abs(column[rows]), _NINES)
            others = self._others[at] + np.cumsum(~are_nines)
            self._others[at] += int(np.count_nonzero(~are_nines))
            rows = rows[are_nines & (others <= OTHERS)]
            if rows.size:
                self._counts.update((at, value) for value in column[rows].tolist())
                column[rows] = np.nan
        return values

    def notes(self, names: Mapping[int, str]) -> list[str]:
        """What was taken out, by the names of the columns."""
        return [
            f"column {names[at]!r}: {value:.10g} is taken as missing ({'once' if count == 1 else f'{count} times'})"
            for (at, value), count in sorted(self._counts.items())
        ]
