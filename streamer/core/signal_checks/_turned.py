"""A breath in which gas leaves while pressure rises to stay: flow has turned round, seen at once."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

import numpy as np

from streamer.model.breath import Breath
from streamer.model.flags import Flag

END_S, EDGE_S = 0.3, 0.1
"""Pressure at the end of a breath is the mean over that time, but for the last tenth of a second: a trigger."""
BREATHS, ENOUGH = 5, 3
MIN_SWING_CMH2O = 4.0
SHARE = 0.5
"""Of the usual swing of pressure: so far above its usual end, and above the lowest of the breath, it ends."""
RISES_SHARE = 0.25
"""Of the rise from the lowest to the end: where it was last below, the rise begins."""
LEFT_SHARE = 0.2
"""Of what went in: so much has left since pressure began to rise. A new, higher PEEP inflates the lung."""


class Turned:
    """Breaths in; the labels of one that contradicts itself out."""

    def __init__(self) -> None:
        self._ends: deque[float] = deque(maxlen=BREATHS)
        self._swings: deque[float] = deque(maxlen=BREATHS)

    def add(self, breath: Breath) -> frozenset[Flag]:
        """What a suspect breath shows does not become usual."""
        paw, rate_hz = breath.paw, breath.rate_hz
        last = paw.size - int(EDGE_S * rate_hz)
        first = last - int((END_S - EDGE_S) * rate_hz)
        if first <= breath.insp_end:
            return frozenset()
        end = float(paw[first:last].sum()) / (last - first)
        swing = float(paw[: breath.insp_end].max()) - end
        if math.isnan(end) or math.isnan(swing):
            return frozenset()
        if len(self._ends) >= ENOUGH and self._is_turned(breath, end, first):
            return frozenset({Flag.FLOW_SUSPECT, Flag.TIMES_SUSPECT})
        self._ends.append(end)
        self._swings.append(swing)
        return frozenset()

    def _is_turned(self, breath: Breath, end: float, last: int) -> bool:
        usual = median(self._swings)
        if usual < MIN_SWING_CMH2O or end - median(self._ends) < SHARE * usual:
            return False
        before = breath.paw[:last]
        lowest = float(before.min())
        if end - lowest < SHARE * usual:
            return False
        rises = int(np.flatnonzero(before <= lowest + RISES_SHARE * (end - lowest))[-1])
        moved = breath.flow - breath.flow_zero
        inspired = float(moved[: breath.insp_end].clip(min=0.0).sum())
        return float(moved[rises:].sum()) < -LEFT_SHARE * inspired
