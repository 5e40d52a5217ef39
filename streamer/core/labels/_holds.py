"""Holds: which are worth a notice, and what was read in them.

A notice is for a manoeuvre, not for the pause that a mode makes in every breath. Its readings are one series each: the
standard plateau at 0.5 s and the pressure after 2 s or more differ by stress relaxation (algorithms §4.1.4), so that
the latter, and the pressure at the instant when flow stopped, are in the notice only and in no trend.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import replace
from statistics import median

from streamer.core.labels._features import LabelFeatures
from streamer.core.labels._history import MEMORY, MIN_HISTORY
from streamer.model.breath import Breath
from streamer.model.flags import Flag
from streamer.model.records import Notice, NoticeKind

INSPIRATORY, EXPIRATORY = "end-inspiratory hold", "end-expiratory hold"
LONG_HOLD_S = 2.0
"""An end-inspiratory hold this long is an operator's manoeuvre."""
STANDARD_HOLD_S = 0.5
"""A shorter one gives no standard plateau, and assisting modes make many (300 ms, every few breaths)."""
LONGER = 1.5
"""So is one that is this much longer than the usual pause, and than the one in the breath before."""


class Holds:
    """Pauses of recent breaths, and the notices of holds that stand out from them."""

    def __init__(self, bed: str) -> None:
        self._bed = bed
        self._pauses: deque[float] = deque(maxlen=MEMORY)

    def add(self, breath: Breath, features: LabelFeatures, found: Collection[Flag]) -> list[Notice]:
        """Notices of this breath's holds; ``found``: its labels."""
        notices = []
        if self._is_told(features):
            notices.append(self._notice(breath.onset_s + features.hold_at_s, INSPIRATORY, inspiratory(features, found)))
        if features.is_exp_hold:
            values = {"duration_s": features.exp_hold_s}
            notices.append(self._notice(breath.onset_s + features.exp_hold_at_s, EXPIRATORY, values))
        return notices

    def _is_told(self, features: LabelFeatures) -> bool:
        """Long, or longer than the pauses of late; this one then joins them."""
        held_s = 0.0 if math.isnan(features.hold_s) else features.hold_s
        usual_s = max(median(self._pauses), self._pauses[-1]) if len(self._pauses) >= MIN_HISTORY else math.inf
        self._pauses.append(held_s)
        stands_out = held_s >= STANDARD_HOLD_S and held_s > LONGER * usual_s
        return features.is_hold and (held_s >= LONG_HOLD_S or stands_out)

    def _notice(self, at_s: float, detail: str, values: dict[str, float]) -> Notice:
        return Notice(bed=self._bed, at_s=at_s, kind=NoticeKind.HOLD, detail=detail, values=dict(values))


def inspiratory(features: LabelFeatures, found: Collection[Flag]) -> dict[str, float]:
    """Duration (s), pressures (cmH2O) and initial resistance (cmH2O·s/L) of an end-inspiratory hold."""
    values = {"duration_s": features.hold_s, "p1_cmh2o": features.hold_p1}
    if features.hold_s >= LONG_HOLD_S:
        values["p2_cmh2o"] = features.hold_end_paw
    if features.is_square and Flag.FLOW_STARVATION not in found:
        values["r_init_cmh2o_s_l"] = (features.square_stop_paw - features.hold_p1) / features.square_flow
    return values


def completed(notice: Notice, values: Mapping[str, float], methods: Mapping[str, str]) -> Notice:
    """The notice of a hold with what was measured in it, under the gates of the metrics themselves.

    What they refuse is not in the notice either: where pressure shows that the hold was not passive, neither plateau
    nor P2 is given.
    """
    if notice.kind is not NoticeKind.HOLD:
        return notice
    read = dict(notice.values)
    if notice.detail == EXPIRATORY:
        read |= {f"{key}_cmh2o": values[key] for key in ("peep_total", "auto_peep") if key in values}
    elif "pplat" not in values:
        read.pop("p2_cmh2o", None)
    elif methods.get("pplat") == "standard":
        read["pplat_cmh2o"] = values["pplat"]
    return replace(notice, values=read)
