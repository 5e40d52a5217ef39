"""One channel that stands still in one breath, while another moves: seen at once, not at the next look. Floor 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamer.breath import Breath
from streamer.chunk import FloatArray
from streamer.records import Flag
from streamer.suspicions._signals import LOG_CHANCE, NOISY_TURNS

STANDS_S = 0.5
MOVES = 0.3
"""Share of a channel's range in the breath through which it goes while the other stands still."""


class Standing:
    """Breaths in; labels of the channels that stood still in them out."""

    def __init__(self) -> None:
        from streamer.suspicions import _scan  # noqa: PLC0415 (loads the compiler: a list of rules should not)

        self._scan: Any = _scan

    def push(self, breath: Breath) -> frozenset[Flag]:
        """Noise that falls silent for half a second, with a chance below 10⁻⁶, is a sensor that does."""
        if breath.flow.size < 2 * STANDS_S * breath.rate_hz:
            return frozenset()
        found = set()
        flow, paw, pco2 = breath.flow, breath.paw, breath.pco2
        held = self._stands(flow, paw, breath.rate_hz, free=0.0)
        if held is not None:
            found.add(Flag.FLOW_SUSPECT)
            if float(flow.min()) < held < float(flow.max()):  # at either end it is clipped, and times are right
                found.add(Flag.TIMES_SUSPECT)
        if self._stands(paw, flow, breath.rate_hz) is not None:
            found.add(Flag.PAW_SUSPECT)
        if pco2 is None:
            return frozenset(found)
        if self._stands(pco2, None, breath.rate_hz, free=float(np.fmin.reduce(pco2))) is not None:
            found.add(Flag.PCO2_SUSPECT)
        return frozenset(found)

    def _stands(
        self, samples: FloatArray, other: FloatArray | None, rate_hz: float, *, free: float = math.nan
    ) -> float | None:
        """The value that it holds, if it does so while ``other`` moves. ``free``: where it may: no flow, no CO2."""
        first, count, turns = self._scan.longest(samples)
        value = float(samples[first])
        if count <= STANDS_S * rate_hz or turns < NOISY_TURNS or value == free:
            return None
        if count * math.log(1.0 - min(turns, 0.99)) > LOG_CHANCE:
            return None
        moves = other is None or np.ptp(other[first : first + count]) > MOVES * np.ptp(other)
        return value if moves else None
