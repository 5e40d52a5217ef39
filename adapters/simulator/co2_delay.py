"""How late the capnograph is, over a recording: steps and drifts.

Used by ``scenario``, ``capnograph``, ``breath_truth``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adapters.simulator.scenario_events import Delay
from streamer.model.chunk import FloatArray
from streamer.model.units import S_PER_MIN

MS_PER_S = 1000.0


class DelayCourse:
    """The delay as a function of the time of reading, a straight line between one ``[[co2_delay]]`` and the next.

    Times count from the recording's first sample; before it the delay is ``first_s``, after the last it rests.
    """

    def __init__(self, first_s: float, changes: Sequence[Delay], duration_s: float) -> None:
        at_s, delay_s, drift = [0.0], [first_s], [0.0]
        for change in changes:
            goes_on_s = delay_s[-1] + drift[-1] * (change.at_s - at_s[-1])
            at_s.append(change.at_s)
            delay_s.append(goes_on_s if change.delay_s is None else change.delay_s)
            drift.append(change.drift_ms_per_min / MS_PER_S / S_PER_MIN)
        self._duration_s = duration_s
        self._at_s, self._delay_s, self._drift = np.array(at_s), np.array(delay_s), np.array(drift)
        lasting_s = np.maximum(np.append(self._at_s[1:], duration_s) - self._at_s, 0.0)
        self.ends_s: FloatArray = self._delay_s + self._drift * lasting_s
        """(k,) s: what it was at first and what each change has come to when the next begins, or the recording ends."""
        self.shortest_s = float(min(self._delay_s.min(), self.ends_s.min()))
        self.longest_s = float(max(self._delay_s.max(), self.ends_s.max()))

    def at(self, read_s: FloatArray) -> FloatArray:
        """(n,) s: how old the gas is that is read at ``read_s``."""
        read_s = np.clip(read_s, 0.0, self._duration_s)
        k = np.searchsorted(self._at_s, read_s, side="right") - 1
        delay_s: FloatArray = self._delay_s[k] + self._drift[k] * (read_s - self._at_s[k])
        return delay_s

    def of_gas(self, passed_s: float) -> float:
        """How late the gas is read that passes at ``passed_s``: the delay at the moment of reading it."""
        foreseen = passed_s + self.at(np.array([passed_s]))
        return float(self.at(foreseen)[0])
