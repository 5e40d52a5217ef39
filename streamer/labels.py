"""Labels of a breath from itself and the breaths before it. Floor 1; between ``fold`` and ``measure``.

Definitions: Thille's table of asynchronies for double triggering, short and long cycles and ineffective effort; the
rest are rules of this project (algorithms §2.4). Labels are statements about waveforms, never alarms.

| label | rule |
|---|---|
| ``hold`` | flow was stopped for 0.3 s or more at end-inspiration, or 1 s or more at end-expiration |
| ``double_trigger`` | Te below half the mean Ti in a triggered breath, or under 10 % exhaled: it and the next |
| ``ineffective_effort`` | in expiration pressure dips 0.5 cmH2O while outflow slows, and no breath follows |
| ``autotrigger_suspect`` | 5 onsets without a dip, regular within 5 %, at twice the slowest pace; or leak above 20 % |
| ``short_cycle``, ``long_cycle`` | inspiratory time below half, or above twice, its mean |
| ``disconnect`` | P below 0.3 PEEP (2 cmH2O from PEEP 5 on) for over 1 s, or VTe/VTi below 0.3 twice; until 3 normal |
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import Protocol

from streamer.breath import Breath
from streamer.records import Flag, Notice, NoticeKind

MEMORY = 20
MIN_HISTORY = 5
TRIGGER_DIP_CMH2O = 0.5
MIN_EXHALED_SHARE = 0.10
HALF, TWICE = 0.5, 2.0
REGULAR_CV = 0.05
LEAK_SUSPECT = 0.20
LOW_PEEP_SHARE, LOW_PAW_CMH2O, LOW_PAW_FROM_PEEP = 0.3, 2.0, 5.0
MIN_RETURN_SHARE = 0.3
SUCKED_CMH2O = -3.0
"""An open circuit is at atmospheric pressure; far below it a patient, or suction, pulls on a closed one."""
NORMAL_TO_RECONNECT = 3
LONG_HOLD_S = 2.0
"""An end-inspiratory hold this long is an operator's manoeuvre, and a notice; shorter ones are pauses of the mode."""
INCOMPLETE = frozenset({Flag.TRUNCATED, Flag.AFTER_GAP, Flag.GAP, Flag.APNOEA})


class Folded(Protocol):
    """What labels read of a fold (see ``metrics``); NaN is not there."""

    @property
    def insp_volume(self) -> float: ...  # noqa: D102
    @property
    def exp_volume(self) -> float: ...  # noqa: D102
    @property
    def end_paw(self) -> float: ...  # noqa: D102
    @property
    def start_min_paw(self) -> float: ...  # noqa: D102
    @property
    def end_min_paw(self) -> float: ...  # noqa: D102
    @property
    def low_paw(self) -> float: ...  # noqa: D102
    @property
    def efforts(self) -> float: ...  # noqa: D102
    @property
    def is_hold(self) -> bool: ...  # noqa: D102
    @property
    def is_exp_hold(self) -> bool: ...  # noqa: D102
    @property
    def hold_s(self) -> float: ...  # noqa: D102
    @property
    def hold_at_s(self) -> float: ...  # noqa: D102
    @property
    def hold_p1(self) -> float: ...  # noqa: D102
    @property
    def hold_end_paw(self) -> float: ...  # noqa: D102
    @property
    def exp_hold_s(self) -> float: ...  # noqa: D102
    @property
    def exp_hold_at_s(self) -> float: ...  # noqa: D102
    @property
    def exp_hold_paw(self) -> float: ...  # noqa: D102


class Labeller:
    """History of one bed. ``push`` every breath in order; ``reset`` where a run ends."""

    def __init__(self, bed: str) -> None:
        self._bed = bed
        self._is_open = False
        self._normal = 0
        self.reset()

    def reset(self) -> None:
        """Forget the breaths so far; an open circuit stays open until three normal breaths."""
        self._ti: deque[float] = deque(maxlen=MEMORY)
        self._peep: deque[float] = deque(maxlen=MEMORY)
        self._periods: deque[float] = deque(maxlen=MEMORY)
        self._untriggered = 0
        self._before: Folded | None = None
        self._doubled = False
        self._escaped = False

    def push(self, breath: Breath, folded: Folded) -> tuple[frozenset[Flag], list[Notice]]:
        """All labels of a breath, the segmenter's included, and what is worth a notice."""
        flags = set(breath.flags)
        is_whole = not flags & INCOMPLETE
        notices = self._circuit(breath, folded) if is_whole or Flag.APNOEA in flags else []
        if self._is_open or notices:
            flags.add(Flag.DISCONNECT)
        elif is_whole:
            flags |= self._cycle(breath, folded)
            notices += self._holds(breath, folded, flags)
        if not is_whole:
            self._doubled = self._escaped = False
        self._before = None if Flag.GAP in flags else folded
        return frozenset(flags), notices

    def _circuit(self, breath: Breath, folded: Folded) -> list[Notice]:
        """Follow an open circuit; a notice when it opens and when three normal breaths have passed."""
        peep = median(self._peep) if self._peep else math.nan
        floor = LOW_PAW_CMH2O if peep >= LOW_PAW_FROM_PEEP else LOW_PEEP_SHARE * peep
        is_low = SUCKED_CMH2O < folded.low_paw < floor
        is_cycle = breath.end_s - breath.insp_end_s >= HALF * (breath.insp_end_s - breath.start_s)
        escaped = is_cycle and folded.exp_volume < MIN_RETURN_SHARE * folded.insp_volume
        twice, self._escaped = escaped and self._escaped, escaped
        if is_low or twice:
            self._normal = 0
            if self._is_open:
                return []
            self._is_open = True
            detail = "airway pressure fell away" if is_low else "hardly any gas came back, twice"
            return [self._notice(NoticeKind.DISCONNECT, breath.start_s, detail)]
        if not self._is_open:
            return []
        is_normal = not escaped and Flag.APNOEA not in breath.flags
        self._normal = self._normal + 1 if is_normal else 0
        if self._normal < NORMAL_TO_RECONNECT:
            return []
        self._is_open = False
        return [self._notice(NoticeKind.RECONNECT, breath.end_s, "three normal breaths")]

    def _cycle(self, breath: Breath, folded: Folded) -> set[Flag]:
        """Labels that compare this cycle with recent ones; then the cycle joins them."""
        found: set[Flag] = set()
        ti, te = breath.insp_end_s - breath.start_s, breath.end_s - breath.insp_end_s
        mean_ti = math.fsum(self._ti) / len(self._ti) if len(self._ti) >= MIN_HISTORY else math.nan
        is_triggered = self._is_triggered(folded)
        doubles = Flag.STACKED in breath.flags or folded.exp_volume < MIN_EXHALED_SHARE * folded.insp_volume
        doubles = doubles or (is_triggered and te < HALF * mean_ti)
        if doubles or self._doubled:
            found.add(Flag.DOUBLE_TRIGGER)
        self._doubled = doubles
        if ti < HALF * mean_ti:
            found.add(Flag.SHORT_CYCLE)
        if ti > TWICE * mean_ti:
            found.add(Flag.LONG_CYCLE)
        if folded.efforts > 0:
            found.add(Flag.INEFFECTIVE_EFFORT)
        if self._is_autotrigger(breath, ti + te, is_triggered=is_triggered):
            found.add(Flag.AUTOTRIGGER_SUSPECT)
        self._ti.append(ti)
        if not math.isnan(folded.end_paw):
            self._peep.append(folded.end_paw)
        return found

    def _is_triggered(self, folded: Folded) -> bool:
        """Pressure dipped at the onset below where the expiration before had settled."""
        before = self._before
        if before is None:
            return False
        lowest = min(before.end_min_paw, folded.start_min_paw)
        return before.end_paw - lowest >= TRIGGER_DIP_CMH2O

    def _is_autotrigger(self, breath: Breath, period: float, *, is_triggered: bool) -> bool:
        self._periods.append(period)
        self._untriggered = 0 if is_triggered else self._untriggered + 1
        if not is_triggered and breath.leak_frac > LEAK_SUSPECT:
            return True
        if self._untriggered < MIN_HISTORY:
            return False
        recent = list(self._periods)[-MIN_HISTORY:]
        pace = math.fsum(recent) / MIN_HISTORY
        if pace >= HALF * max(self._periods):
            return False
        return math.sqrt(math.fsum((one - pace) ** 2 for one in recent) / MIN_HISTORY) < REGULAR_CV * pace

    def _holds(self, breath: Breath, folded: Folded, flags: set[Flag]) -> list[Notice]:
        notices = []
        if folded.is_hold:
            flags.add(Flag.HOLD)
            if folded.hold_s >= LONG_HOLD_S:
                at_s = breath.onset_s + folded.hold_at_s
                values = {"duration_s": folded.hold_s, "p1_cmh2o": folded.hold_p1, "paw_cmh2o": folded.hold_end_paw}
                notices.append(self._notice(NoticeKind.HOLD, at_s, "end-inspiratory hold", values))
        if folded.is_exp_hold:
            flags.add(Flag.HOLD)
            at_s = breath.onset_s + folded.exp_hold_at_s
            values = {"duration_s": folded.exp_hold_s, "paw_cmh2o": folded.exp_hold_paw}
            notices.append(self._notice(NoticeKind.HOLD, at_s, "end-expiratory hold", values))
        return notices

    def _notice(self, kind: NoticeKind, at_s: float, detail: str, values: dict[str, float] | None = None) -> Notice:
        return Notice(bed=self._bed, at_s=at_s, kind=kind, detail=detail, values=dict(values or {}))
