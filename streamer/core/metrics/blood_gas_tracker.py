"""The blood gas that holds now, and the breaths it is judged by. Between two calls of ``measure``.

A laboratory answers minutes after the draw. So breaths are remembered for 70 minutes, as long as a gas may be old and
the ten minutes before it: when a gas or an event comes, what had been around it is looked at anew.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from typing import NamedTuple

import msgspec

from streamer.core.metrics.blood_gas_validity import (
    AROUND_S,
    ENOUGH,
    ENOUGH_PEEP,
    NOTHING_AROUND,
    PEEP_S,
    STALE_S,
    STEADY_S,
    BloodGasValidity,
    BreathSnapshot,
    Change,
    Draw,
)
from streamer.core.metrics.running_median import RunningMedian
from streamer.model.context import BloodGas
from streamer.model.records import BreathRecord, Notice, NoticeKind

KEPT_S = STALE_S + STEADY_S
MOST_BREATHS = 16_384
"""Bound of the memory: 70 minutes of 234 breaths a minute."""
MOST_CHANGES = 256
CHANGES = frozenset({NoticeKind.POSITION, NoticeKind.SETTINGS})


class Drawn(NamedTuple):
    """The newest gas, its age at the end of a breath in s, and what was around its draw."""

    gas: BloodGas | None = None
    age_s: float = 0.0
    around: BloodGasValidity = NOTHING_AROUND


NOT_DRAWN = Drawn()


class BloodGasTracker:
    """Follows breaths, blood gases and changes of one bed. Not reset by gaps: its windows go by the clock."""

    def __init__(self) -> None:
        self._history: deque[BreathSnapshot] = deque(maxlen=MOST_BREATHS)
        self._minute_volume = RunningMedian(AROUND_S, ENOUGH)
        self._peep = RunningMedian(PEEP_S, ENOUGH_PEEP)
        self._changes: list[Change] = []
        self._gas: BloodGas | None = None
        self._drawn_s = -math.inf
        self._draw: Draw | None = None

    def hear(self, notice: Notice) -> None:
        """A notice whose time has come: a blood gas that is no older than the one before, or a change."""
        if notice.kind is NoticeKind.BLOOD_GAS:
            self._take(notice)
        elif notice.kind in CHANGES:
            insort(self._changes, Change(notice.at_s, notice.kind is NoticeKind.SETTINGS))
            del self._changes[:-MOST_CHANGES]
            if self._gas is not None:
                self._draw = Draw(self._drawn_s, self._changes, self._history)

    def add(self, record: BreathRecord) -> None:
        """A breath that was measured; one without a minute volume tells nothing."""
        values, end_s = record.values, record.end_s
        if "minute_volume" not in values:
            return
        minute_volume, peep = values["minute_volume"], values.get("peep", math.nan)
        pco2 = values.get("pco2_mixed_exp", math.nan)
        seen = BreathSnapshot(
            end_s,
            minute_volume,
            peep,
            pco2,
            "" if math.isnan(pco2) else record.methods.get("pco2_mixed_exp", "unnamed"),
            record.quality.get("pco2_mixed_exp", "A"),
            self._minute_volume.add(end_s, minute_volume),
            self._peep.add(end_s, peep),
        )
        self._history.append(seen)
        while self._history[0].end_s <= end_s - KEPT_S:
            self._history.popleft()
        if self._draw is not None:
            self._draw.follow(seen)

    def drawn(self, end_s: float) -> Drawn:
        """What holds for a breath that ends at ``end_s``."""
        if self._draw is None:
            return NOT_DRAWN
        return Drawn(self._gas, end_s - self._drawn_s, self._draw.around(end_s))

    def _take(self, notice: Notice) -> None:
        if notice.at_s < self._drawn_s:
            return
        known = {key: value for key, value in notice.values.items() if key in BloodGas.__struct_fields__}
        try:
            self._gas = msgspec.convert(known, BloodGas)
        except msgspec.ValidationError:
            return
        self._drawn_s = notice.at_s
        self._draw = Draw(notice.at_s, self._changes, self._history)
