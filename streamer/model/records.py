"""What the core gives: breath records, summaries and notices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import msgspec

from streamer.model.flags import Flag

__all__ = ["BreathRecord", "Event", "Flag", "Notice", "NoticeKind", "Stat", "Summary"]


class NoticeKind(StrEnum):
    """Kinds of notice. None is an alarm.

    Examples:
        >>> NoticeKind.GAP.value
        'gap'
    """

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
    """One breath: for every metric key either a value or the reason why there is none, never both.

    Attributes:
        bed: Label of the bed.
        number: 0, 1, 2 … per bed.
        start_s: Onset of inspiration on the device clock, s.
        end_s: Onset of the next inspiration, s.
        values: Metric key → number in the metric's unit (``ventstream metrics`` lists the units).
        missing: Metric key → reason code, for every key without a value.
        quality: Metric key → ``A``, ``B`` or ``C`` where a quality is graded.
        methods: Metric key → how the value was found, where more than one way exists.
        flags: Labels of the breath.

    Examples:
        >>> record = BreathRecord(
        ...     bed="icu-04", number=7, start_s=21.0, end_s=24.0, values={"rr": 20.0}, missing={"pplat": "no_hold"}
        ... )
        >>> record.values.get("pplat"), record.missing["pplat"]
        (None, 'no_hold')
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
    """One metric over a window: ``median`` or, for rates and fractions, ``mean`` weighted as the metric declares.

    A summary holds one for each metric, so it is a struct, which is made five times as fast as a frozen dataclass.

    Attributes:
        n: Breaths of the window with a value.
        median: Median; None if it is withheld, or if this metric has a weighted mean instead.
        mean: Weighted mean (a total over time for rates), or None.
        p25: Lower quartile, linear interpolation.
        p75: Upper quartile.
        last: The newest value; metrics measured in a hold keep it beyond the window.
        age_s: Age of ``last`` at the window's end, s.
        reason: Why median or mean is withheld.

    Examples:
        >>> Stat(n=3, last=24.1, age_s=12.0, reason="low_coverage").median is None
        True
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
    """A sealed window: statistics per metric over every breath that ended within ``(start_s, end_s]``.

    Attributes:
        bed: Label of the bed.
        window: Name of the window, such as ``5m``.
        start_s: Device clock, s.
        end_s: Device clock, s; on a grid that does not depend on how the stream was cut.
        breaths: Breaths in the window.
        coverage: Share of the window's duration that complete breaths fill, 0 to 1.
        stats: Metric key → its statistics.

    Examples:
        >>> stats = {"peep": Stat(n=20, median=10.1, p25=10.0, p75=10.2, last=10.1)}
        >>> Summary(bed="icu-04", window="1m", start_s=0.0, end_s=60.0, breaths=20, coverage=1.0, stats=stats).breaths
        20
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
    """Something that happened at a moment: a gap, a change of position, a blood gas. Never an alarm.

    Attributes:
        bed: Label of the bed.
        at_s: Device clock, s.
        kind: What kind of thing it is.
        detail: One line for a reader.
        values: Name → number or text, for programs.

    Examples:
        >>> Notice(bed="icu-04", at_s=12.5, kind=NoticeKind.GAP, detail="1.2 s are missing").kind.value
        'gap'
    """

    bed: str
    at_s: float
    kind: NoticeKind
    detail: str = ""
    values: Mapping[str, float | str] = field(default_factory=dict)


Event: TypeAlias = BreathRecord | Summary | Notice
"""What ``Bed.push`` and ``Bed.close`` return: dispatch on the type with ``isinstance`` or ``match``."""
