"""What the core gives: breath records, summaries and notices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import msgspec


class Flag(StrEnum):
    """Labels of a breath; several may hold. Rules and sources: ``labels`` and ``segment``."""

    HOLD = "hold"
    AFTER_GAP = "after_gap"
    GAP = "gap"
    GAP_SHORT = "gap_short"
    TRUNCATED = "truncated"
    APNOEA = "apnoea"
    STACKED = "stacked"
    DISCONNECT = "disconnect"
    DOUBLE_TRIGGER = "double_trigger"
    INEFFECTIVE_EFFORT = "ineffective_effort"
    AUTOTRIGGER_SUSPECT = "autotrigger_suspect"
    SHORT_CYCLE = "short_cycle"
    LONG_CYCLE = "long_cycle"
    FLOW_STARVATION = "flow_starvation"
    REVERSE_TRIGGER_SUSPECT = "reverse_trigger_suspect"
    COUGH = "cough"
    SUCTION = "suction"
    NO_FLOW = "no_flow"
    ONSET_GAP = "onset_gap"
    TIMES_SUSPECT = "times_suspect"
    FLOW_SUSPECT = "flow_suspect"
    PAW_SUSPECT = "paw_suspect"
    PCO2_SUSPECT = "pco2_suspect"


class NoticeKind(StrEnum):
    """Kinds of notice. None is an alarm."""

    GAP = "gap"
    OVERLAP = "overlap"
    RATE_CHANGE = "rate_change"
    CLOCK_RESET = "clock_reset"
    CLOCK_OFFSET = "clock_offset"
    CLOCK_DRIFT = "clock_drift"
    DAMAGED = "damaged"
    IMPLAUSIBLE = "implausible"
    SUSPICION = "suspicion"
    APNOEA = "apnoea"
    DISCONNECT = "disconnect"
    RECONNECT = "reconnect"
    HOLD = "hold"
    CROSS_CHECK = "cross_check"
    POSITION = "position"
    SETTINGS = "settings"
    NOTE = "note"
    BLOOD_GAS = "blood_gas"
    CONTEXT = "context"
    COMMAND = "command"
    SOURCE_LOST = "source_lost"
    SOURCE_BACK = "source_back"
    SOURCE_END = "source_end"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreathRecord:
    """One breath: a value or a reason for every metric key, never both.

    Attributes:
        bed: Label of the bed.
        number: 0, 1, 2 … per bed.
        start_s: Onset of inspiration on the device clock.
        end_s: Onset of the next inspiration.
        values: Metric key → number in the metric's unit.
        missing: Metric key → reason code, for every key without a value.
        quality: Metric key → ``A``, ``B`` or ``C`` where a quality is graded.
        methods: Metric key → how the value was found, where more than one way exists.
        flags: Labels of the breath.
    """

    bed: str
    number: int
    start_s: float
    end_s: float
    values: Mapping[str, float]
    missing: Mapping[str, str]
    quality: Mapping[str, str] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)
    flags: frozenset[Flag] = frozenset()


class Stat(msgspec.Struct, frozen=True, kw_only=True):
    """One metric over a window. ``median`` or, for rates and fractions, ``mean`` weighted as the metric declares.

    There are as many as metrics in each summary: a struct is made five times as fast as a frozen dataclass.

    Attributes:
        n: Breaths of the window with a value.
        median: Median, or None with a reason, or None because this metric has a weighted mean instead.
        mean: Weighted mean (a total over time for rates), or None.
        p25: Lower quartile, linear interpolation.
        p75: Upper quartile.
        last: The newest value known, measured metrics keep it beyond the window.
        age_s: Age of ``last`` at the window's end.
        reason: Why median or mean is withheld.
    """

    n: int
    median: float | None = None
    mean: float | None = None
    p25: float | None = None
    p75: float | None = None
    last: float | None = None
    age_s: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A sealed window: every breath that ended within ``(start_s, end_s]``, and statistics per metric.

    ``coverage`` is the share of the window's duration that complete breaths fill.
    """

    bed: str
    window: str
    start_s: float
    end_s: float
    breaths: int
    coverage: float
    stats: Mapping[str, Stat]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that happened at ``at_s`` on the device clock; ``detail`` is one line for a reader."""

    bed: str
    at_s: float
    kind: NoticeKind
    detail: str = ""
    values: Mapping[str, float | str] = field(default_factory=dict)


Event: TypeAlias = BreathRecord | Summary | Notice
