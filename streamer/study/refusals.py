"""Reasons why a time point has no value or two time points are not compared, in addition to ``Reason``."""

from __future__ import annotations

from streamer.model.reasons import Code


class Refusal(Code):
    """A reason that only a window or a comparison can have."""

    METHOD_CHANGED = "method_changed", "method or sensor differ: their difference is not the patient's"
    POSITION_CHANGED = "position_changed", "the patient did not lie as the time point says"
    NOT_RECORDED = "not_recorded", "no breath was recorded in the window"
    NO_EVENT = "no_event", "the event that the time point counts from is not stated"
