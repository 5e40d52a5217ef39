"""The circuit, seen from pressure and returned volume: is it open."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from statistics import median

from streamer.core.labels._features import LabelFeatures
from streamer.core.labels._history import MEMORY
from streamer.model.breath import Breath
from streamer.model.flags import Flag
from streamer.model.records import NoticeKind

LOW_PEEP_SHARE, LOW_PAW_CMH2O, LOW_PAW_FROM_PEEP = 0.3, 2.0, 5.0
MIN_RETURN_SHARE = 0.3
MIN_TE_SHARE = 0.5
"""An expiration shorter than half of its inspiration has no time to return the volume: that is stacking, not a leak."""
SUCKED_CMH2O = -3.0
"""An open circuit is at atmospheric pressure; far below it a patient, or suction, pulls on a closed one."""
NORMAL_TO_RECONNECT = 3
MIN_FLOOR_CMH2O, HELD_SHARE = 0.5, 0.5
"""PEEP that can be seen to fall, and the share of the usual peak pressure that an open circuit does not reach."""


class Circuit:
    """Open or closed; an open circuit stays open until three normal breaths, whatever else is forgotten."""

    def __init__(self) -> None:
        self.is_open = False
        self._normal = 0
        self._escaped = False
        self._peaks: deque[float] = deque(maxlen=MEMORY)

    def interrupt(self) -> None:
        """The breath before is no longer the one before."""
        self._escaped = False

    def add(
        self, breath: Breath, features: LabelFeatures, peeps: Collection[float]
    ) -> tuple[NoticeKind, float, str] | None:
        """Follow one breath; what to tell, and of when, where it opens and when three normal breaths have passed."""
        peep = median(peeps) if peeps else math.nan
        floor = LOW_PAW_CMH2O if peep >= LOW_PAW_FROM_PEEP else LOW_PEEP_SHARE * peep
        is_low = SUCKED_CMH2O < features.low_paw < floor
        is_cycle = breath.end_s - breath.insp_end_s >= MIN_TE_SHARE * (breath.insp_end_s - breath.start_s)
        escaped = is_cycle and features.exp_volume < MIN_RETURN_SHARE * features.insp_volume
        escaped = escaped and not self._is_held(features, floor)
        twice, self._escaped = escaped and self._escaped, escaped
        if is_low or twice:
            self._normal = 0
            if self.is_open:
                return None
            self.is_open = True
            detail = "airway pressure fell away" if is_low else "hardly any gas came back, twice"
            return NoticeKind.DISCONNECT, breath.start_s, detail
        if not self.is_open:
            self._peaks.append(features.peak_paw)
            return None
        is_normal = not escaped and Flag.APNOEA not in breath.flags
        self._normal = self._normal + 1 if is_normal else 0
        if self._normal < NORMAL_TO_RECONNECT:
            return None
        self.is_open = False
        return NoticeKind.RECONNECT, breath.end_s, "three normal breaths"

    def _is_held(self, features: LabelFeatures, floor: float) -> bool:
        """The ventilator builds and holds its pressures: what does not come back is a leak of a closed circuit."""
        if floor >= MIN_FLOOR_CMH2O and features.end_paw <= floor:  # unknown (NaN) after a short expiration
            return False
        usual = median(self._peaks) if self._peaks else math.nan
        return features.peak_paw >= HELD_SHARE * usual
