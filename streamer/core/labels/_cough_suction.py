"""Cough and suction: breaths that are no breaths to measure."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from streamer.core.labels._features import LabelFeatures
from streamer.core.labels._history import MEMORY, MIN_HISTORY
from streamer.model.breath import Breath
from streamer.model.flags import Flag

MIN_REVERSALS, WITHIN_S = 4, 1.0
"""Reversals of flow, each from 10 L/min one way to 10 L/min the other, within a second: a breath has one or two, three
where the diaphragm pulls in early expiration."""
ABOVE_PEAKS_CMH2O = 15.0
MAX_VOLUME_SHARE = 1.25
"""A cough raises pressure against the gas; pressure that brings more volume is a large breath or a new setting."""
MIN_FORCE = 2.0
"""Of the usual peak of expiratory flow, and of that peak over the volume: what a lung's recoil alone does not make. A
sigh has the one, a shallow breath the other."""
NOISES = 4.0
"""Of the noise of flow, on top."""
BOUT_SHARE = 0.5
"""Of the usual duration: a breath so short after a cough belongs to the bout."""
MIN_SUCKED_S = 0.3
FIT = 3
"""Pressure as high, or flow as shaken, in more breaths running than this is a state (a setting, a kinked tube, a valve
that rings, water), not a cough."""


class Airway:
    """Cough by flow or by pressure, suction by pressure."""

    def __init__(self) -> None:
        self._outflows: deque[float] = deque(maxlen=MEMORY)
        self._forces: deque[float] = deque(maxlen=MEMORY)
        self._lasted: deque[float] = deque(maxlen=MEMORY)
        self._was_cough = False
        self._peaks: deque[float] = deque(maxlen=MEMORY)
        self._volumes: deque[float] = deque(maxlen=MEMORY)
        self._high = self._shaken = 0
        self._turned_s: float | None = None

    def add(self, breath: Breath, features: LabelFeatures) -> set[Flag]:
        """Labels of this breath; then it joins the recent ones."""
        self._high = self._high + 1 if self._is_high(features) else 0
        if self._high > FIT:
            self._peaks.clear()
            self._volumes.clear()
            self._high = 0
        if not math.isnan(features.peak_paw):
            self._peaks.append(features.peak_paw)
            self._volumes.append(features.insp_volume)
        found: set[Flag] = set()
        self._shaken = self._shaken + 1 if self._is_shaken(breath, features) else 0
        is_cough = self._is_forced(breath, features) or self._high > 0 or 0 < self._shaken <= FIT
        if self._in_bout(breath) or is_cough:
            found.add(Flag.COUGH)
        self._was_cough = is_cough
        if features.sucked_s > MIN_SUCKED_S:
            found.add(Flag.SUCTION)
        return found

    def _is_high(self, features: LabelFeatures) -> bool:
        """Pressure is far above the usual peak, volume is not."""
        if len(self._peaks) < MIN_HISTORY or features.insp_volume > MAX_VOLUME_SHARE * median(self._volumes):
            return False
        return features.top_paw > median(self._peaks) + ABOVE_PEAKS_CMH2O

    def _is_forced(self, breath: Breath, features: LabelFeatures) -> bool:
        """Gas leaves far faster than it usually does, and than so much gas does; what lasts becomes usual."""
        outflow, moved = features.peak_exp_flow, max(features.insp_volume, features.exp_volume)
        if not (outflow > 0.0 and moved > 0.0):
            return False
        force = outflow / moved
        is_forced = (
            len(self._forces) >= MIN_HISTORY
            and outflow > MIN_FORCE * median(self._outflows) + NOISES * breath.flow_noise
            and force > MIN_FORCE * median(self._forces)
        )
        self._outflows.append(outflow)
        self._forces.append(force)
        return is_forced

    def _in_bout(self, breath: Breath) -> bool:
        lasts = breath.end_s - breath.start_s
        is_short = len(self._lasted) >= MIN_HISTORY and lasts < BOUT_SHARE * median(self._lasted)
        self._lasted.append(lasts)
        return self._was_cough and is_short

    def _is_shaken(self, breath: Breath, features: LabelFeatures) -> bool:
        """Flow goes back and forth; two whole cycles within a second have one turn each, and one between both."""
        turns = features.reversals > 0
        before_s, self._turned_s = self._turned_s, breath.start_s if turns else None
        if features.reversals >= MIN_REVERSALS:
            return True
        return turns and before_s is not None and breath.end_s - before_s <= WITHIN_S
