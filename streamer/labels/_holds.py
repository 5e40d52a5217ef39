"""Holds: the label, and the notice of a manoeuvre. Floor 1, inside ``labels``."""

from __future__ import annotations

from streamer.breath import Breath
from streamer.labels._folded import Folded

LONG_HOLD_S = 2.0
"""An end-inspiratory hold this long is an operator's manoeuvre, and a notice; shorter ones are pauses of the mode."""


def told(breath: Breath, folded: Folded) -> list[tuple[float, str, dict[str, float]]]:
    """When, what and the readings, of each hold that is worth a notice."""
    notices: list[tuple[float, str, dict[str, float]]] = []
    if folded.is_hold and folded.hold_s >= LONG_HOLD_S:
        at_s = breath.onset_s + folded.hold_at_s
        values = {"duration_s": folded.hold_s, "p1_cmh2o": folded.hold_p1, "paw_cmh2o": folded.hold_end_paw}
        notices.append((at_s, "end-inspiratory hold", values))
    if folded.is_exp_hold:
        at_s = breath.onset_s + folded.exp_hold_at_s
        values = {"duration_s": folded.exp_hold_s, "paw_cmh2o": folded.exp_hold_paw}
        notices.append((at_s, "end-expiratory hold", values))
    return notices
