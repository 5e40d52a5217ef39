"""How a cycle began and how long it took, against recent ones."""

from __future__ import annotations

import math
from collections import deque

from streamer.core.labels._features import LabelFeatures
from streamer.core.labels._history import MEMORY, MIN_HISTORY
from streamer.model.breath import Breath
from streamer.model.flags import Flag

TRIGGER_DIP_CMH2O = 0.5
MIN_EXHALED_SHARE = 0.10
HALF, TWICE = 0.5, 2.0
REGULAR_CV = 0.05
LEAK_SUSPECT = 0.20
MIN_SIZE, MIN_RISE_CMH2O = 0.20, 2.0
"""Of the largest recent breath, and of pressure: gas blown in to hold PEEP, or drawn without support, is no cycle."""


def is_triggered(features: LabelFeatures, before: LabelFeatures | None) -> bool:
    """Pressure dipped at the onset below where the expiration before had settled."""
    if before is None:
        return False
    return before.end_paw - min(before.end_min_paw, features.start_min_paw) >= TRIGGER_DIP_CMH2O


class Cycles:
    """Double triggering, short and long cycles, autotriggering."""

    def __init__(self) -> None:
        self._ti: deque[float] = deque(maxlen=MEMORY)
        self._periods: deque[float] = deque(maxlen=MEMORY)
        self._inspired: deque[float] = deque(maxlen=MIN_HISTORY)
        self._untriggered = 0
        self.doubled = False
        """The next breath is the second of a double trigger."""

    def add(self, breath: Breath, features: LabelFeatures, *, triggered: bool) -> set[Flag]:
        """Labels of this cycle; then the cycle joins the recent ones."""
        found: set[Flag] = set()
        ti, te = breath.insp_end_s - breath.start_s, breath.end_s - breath.insp_end_s
        mean_ti = math.fsum(self._ti) / len(self._ti) if len(self._ti) >= MIN_HISTORY else math.nan
        doubles = Flag.STACKED in breath.flags or features.exp_volume < MIN_EXHALED_SHARE * features.insp_volume
        doubles = doubles or (triggered and te < HALF * mean_ti)
        doubles = self._is_cycle(features) and doubles
        if doubles or self.doubled:
            found.add(Flag.DOUBLE_TRIGGER)
        self.doubled = doubles
        if ti < HALF * mean_ti:
            found.add(Flag.SHORT_CYCLE)
        if ti > TWICE * mean_ti:
            found.add(Flag.LONG_CYCLE)
        if self._is_autotrigger(breath, ti + te, triggered=triggered):
            found.add(Flag.AUTOTRIGGER_SUSPECT)
        self._ti.append(ti)
        return found

    def _is_cycle(self, features: LabelFeatures) -> bool:
        """The ventilator gave a breath: without that there is none to double."""
        self._inspired.append(features.insp_volume)
        large = features.insp_volume >= MIN_SIZE * max(self._inspired)
        return large or not features.peak_paw - features.start_min_paw < MIN_RISE_CMH2O

    def _is_autotrigger(self, breath: Breath, period: float, *, triggered: bool) -> bool:
        self._periods.append(period)
        self._untriggered = 0 if triggered else self._untriggered + 1
        if not triggered and breath.leak_frac > LEAK_SUSPECT:
            return True
        if self._untriggered < MIN_HISTORY:
            return False
        recent = list(self._periods)[-MIN_HISTORY:]
        pace = math.fsum(recent) / MIN_HISTORY
        if pace >= HALF * max(self._periods):
            return False
        return math.sqrt(math.fsum((one - pace) ** 2 for one in recent) / MIN_HISTORY) < REGULAR_CV * pace
