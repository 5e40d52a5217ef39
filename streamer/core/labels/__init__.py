"""Labels of a breath from itself and the breaths before it. Between ``extract_features`` and ``measure``.

Definitions: Thille's table of asynchronies for double triggering, short and long cycles and ineffective effort; the
rest are rules of this project (algorithms §2.4). Labels are statements about waveforms, never alarms.

| label | rule | what follows |
|---|---|---|
| ``hold`` | flow was stopped for 0.3 s or more at end-inspiration, or 1 s or more at end-expiration | ``pplat``, ... |
| ``double_trigger`` | Te below half the mean Ti in a triggered cycle, or under 10 % exhaled: it, next | no mechanics |
| ``ineffective_effort`` | in expiration P dips 0.5 cmH2O while outflow slows, and no breath follows | not passive |
| ``flow_starvation`` | flow set; P over 1.5 cmH2O below its chord, early, or falling, or unlike before | not passive |
| ``reverse_trigger_suspect`` | 5 of 15 own breaths, same delay: P down 1, bent 3 cmH2O, flow by 6 L/min | not passive |
| ``autotrigger_suspect`` | 5 onsets without dip, regular to 5 %, twice the slowest pace; or leak > 20 % | a count |
| ``short_cycle``, ``long_cycle`` | inspiratory time below half, or above twice, its mean | a count |
| ``cough`` | 3 flow reversals of 10 L/min + 4 noise SD within 1 s, or Ppeak 15 cmH2O up, up to 3 times | excluded |
| ``suction`` | P below -3 cmH2O for over 0.3 s with less than 10 L/min flowing in | excluded; PEEP anew |
| ``disconnect`` | P < 0.3 PEEP (2 cmH2O from PEEP 5) for 1 s, or VTe/VTi < 0.3 twice, P not held | no values |

"Excluded" leaves the times and the rate, "not passive" withholds what assumes a passive lung: ``model.flags``.
"""

from __future__ import annotations

import math
from collections import deque

from streamer.core.labels._cough_suction import Airway
from streamer.core.labels._cycling import Cycles, is_triggered
from streamer.core.labels._disconnect import Circuit
from streamer.core.labels._features import LabelFeatures
from streamer.core.labels._history import MEMORY
from streamer.core.labels._holds import Holds, completed
from streamer.core.labels._patient_effort import Efforts
from streamer.model.breath import Breath
from streamer.model.flags import ENDS_PRESSURE, INCOMPLETE, Flag
from streamer.model.records import Notice, NoticeKind

__all__ = ["LabelFeatures", "Labeller", "completed"]


class Labeller:
    """History of one bed. ``push`` every breath in order; ``reset`` where a run ends."""

    def __init__(self, bed: str) -> None:
        self._bed = bed
        self._circuit = Circuit()
        self.reset()

    def reset(self) -> None:
        """Forget the breaths so far; an open circuit stays open until three normal breaths."""
        self._circuit.interrupt()
        self._airway = Airway()
        self._cycles = Cycles()
        self._efforts = Efforts()
        self._holds = Holds(self._bed)
        self._peep: deque[float] = deque(maxlen=MEMORY)
        self._before: LabelFeatures | None = None

    def add(self, breath: Breath, features: LabelFeatures) -> tuple[frozenset[Flag], list[Notice]]:
        """All labels of a breath, the segmenter's included, and what is worth a notice."""
        flags = set(breath.flags)
        is_whole = not flags & INCOMPLETE
        excluded = self._airway.add(breath, features) if is_whole and not self._circuit.is_open else set()
        change = None
        if Flag.SUCTION not in excluded and (is_whole or Flag.APNOEA in flags):
            change = self._circuit.add(breath, features, self._peep)
        notices = [self._notice(*change)] if change else []
        if self._circuit.is_open or notices:
            flags.add(Flag.DISCONNECT)
        elif excluded:
            flags |= excluded
        elif is_whole:
            flags |= self._labels(breath, features)
            notices += self._holds.add(breath, features, flags)
        if not is_whole or excluded:
            self._circuit.interrupt()
            self._cycles.doubled = False
        if Flag.SUCTION in flags:
            self._peep.clear()
        self._before = None if flags & ENDS_PRESSURE else features
        return frozenset(flags), notices

    def _labels(self, breath: Breath, features: LabelFeatures) -> set[Flag]:
        """Labels of a whole breath in a closed circuit, which then joins the recent ones."""
        triggered = is_triggered(features, self._before)
        is_own = not triggered and not self._cycles.doubled
        found = self._cycles.add(breath, features, triggered=triggered) | self._efforts.add(features, is_own=is_own)
        if features.is_hold or features.is_exp_hold:
            found.add(Flag.HOLD)
        if not math.isnan(features.end_paw):
            self._peep.append(features.end_paw)
        return found

    def _notice(self, kind: NoticeKind, at_s: float, detail: str) -> Notice:
        return Notice(bed=self._bed, at_s=at_s, kind=kind, detail=detail)
