"""Whether a capnogram that comes later than declared is late, or shows gas that comes back.

35 mL between wye and sensor keep end-expired CO2 at the sensor until fresh gas has cleared them, which looks like a
delay; no waveform tells one from the other while flow at the onset is the same in every breath. What tells them apart
is what they make of the dead space, which the flow in phase II, not that of the onset, multiplies: an airway takes a
quarter to two fifths of a breath. Where both leave such a share, nothing is known, and nothing rests on it.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np

from streamer.core.align._quantile import quantile
from streamer.model.breath import Breath, Late
from streamer.model.chunk import FloatArray

MEMORY = 20
LEAST, FEW, MANY = 0.20, 0.25, 0.40
"""Of the expired volume: hardly an airway is smaller than the first two, or larger than the third; the first is kept
from noise, too."""
SMALL, LARGE, MOST, HUGE = 0.045, 0.15, 0.20, 0.50
"""Of the inspired volume: less apparatus costs little; more is unlikely, not found, and none at all."""


class Shares(NamedTuple):
    """Of one breath: its dead space if the capnogram is late, if gas comes back; how much gas that would be."""

    late: float
    back: float
    gas: float


class Apparatus:
    """What recent breaths say of an undeclared lateness."""

    def __init__(self) -> None:
        self._shares: deque[Shares] = deque(maxlen=MEMORY)

    def forget(self) -> None:
        """The delay is another one."""
        self._shares.clear()

    def add(self, shares: Shares) -> Late:
        """Add a breath; what lateness is."""
        self._shares.append(shares)
        late, back, gas = (quantile(sorted(column), 0.5) for column in zip(*self._shares, strict=True))
        if gas < SMALL:
            return Late.SOMEHOW
        if late < FEW and LEAST <= back <= MANY and gas <= MOST:
            return Late.BY_APPARATUS
        if gas > HUGE or (late >= FEW and (back > MANY or gas > LARGE)):
            return Late.BY_DEVICE
        return Late.SOMEHOW if gas > LARGE else Late.UNDECIDED


def share_of(breath: Breath, flow: FloatArray, pco2: FloatArray, half_mmhg: float) -> float:
    """Dead space of a breath over its expired volume, by half of the height of PCO2; NaN where that is not passed.

    Args:
        breath: Whose.
        flow: (n,) L/s, of the lung.
        pco2: (n,) mmHg, moved onto the time of flow.
        half_mmhg: Half way from what is inspired to the end of expiration.
    """
    above = np.flatnonzero(pco2[breath.insp_end :] >= half_mmhg)
    gone = np.cumsum(-flow[breath.insp_end :])
    return float(gone[above[0]] / gone.max()) if above.size and gone.max() > 0.0 else math.nan
