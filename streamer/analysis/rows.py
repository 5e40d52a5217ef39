"""Events as flat rows with the keys of the contract §3, at full precision. ``tables`` writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from streamer.core.metrics import METRICS
from streamer.model.records import BreathRecord, Summary
from streamer.wire import utc_text

Row: TypeAlias = dict[str, Any]
UtcOf: TypeAlias = Callable[[float], int | None]
"""Device seconds → UTC nanoseconds, or None where unknown."""
LocalOf: TypeAlias = Callable[[float], str | None]
"""Device seconds → the device's own time as text, or None where unknown."""


def _unknown(device_s: float) -> None:
    del device_s


def _stats_of(key: str) -> list[tuple[str, str]]:
    centre = "mean" if METRICS[key].weighted_by else "median"
    age = ("age_s",) if METRICS[key].held else ()
    return [(f"{key}_{field}", field) for field in ("n", centre, "p25", "p75", "last", *age)]


STATS = {key: _stats_of(key) for key in METRICS}
"""Key → its columns in a table of summaries, and the field of ``Stat`` each holds."""
METHODS = {key: f"{key}_method" for key, metric in METRICS.items() if metric.methods}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name and what it holds: text, number, whole number, object (JSON) or words."""

    name: str
    holds: Literal["text", "number", "whole", "object", "words"]


def breath_columns() -> list[Column]:
    """The columns of a table of breaths, in order.

    Examples:
        >>> [column.name for column in breath_columns()][:4]
        ['recording', 'bed', 'session', 'number']
    """
    return [
        *_columns("text", "recording", "bed", "session"),
        *_columns("whole", "number"),
        *_columns("number", "start_s", "end_s"),
        *_columns("text", "start_utc", "start_local"),
        *_columns("number", *METRICS),
        *_columns("object", "missing", "quality"),
        *_columns("words", "flags"),
        *_columns("text", *METHODS.values()),
        *_columns("whole", "run"),
        *_columns("words", "doubts"),
    ]


def breath_row(
    record: BreathRecord, *, recording: str, session: str, utc_of: UtcOf, local_of: LocalOf = _unknown, run: int = 1
) -> Row:
    """One breath, flat; a key without a value is None and stands in ``missing`` with its reason.

    ``run`` grows where the clock of the recording returns to its beginning; ``doubts`` are known at its end.
    """
    return {
        "recording": recording,
        "bed": record.bed,
        "session": session,
        "number": record.number,
        "run": run,
        "start_s": record.start_s,
        "end_s": record.end_s,
        "start_utc": utc_text(utc_of(record.start_s)),
        "start_local": local_of(record.start_s),
        **dict.fromkeys(METRICS),
        **record.values,
        "missing": dict(record.missing),
        "quality": dict(record.quality),
        "flags": sorted(record.flags),
        "doubts": [],
        **{name: record.methods.get(key) for key, name in METHODS.items()},
    }


def summary_columns() -> list[Column]:
    """The columns of a table of summaries, in order."""
    return [
        *_columns("text", "recording", "bed", "session", "window"),
        *_columns("number", "start_s", "end_s"),
        *_columns("text", "start_utc", "start_local"),
        *_columns("whole", "breaths"),
        *_columns("number", "coverage"),
        *(column for key in METRICS for column in _stat_columns(key)),
        *_columns("object", "missing"),
        *_columns("whole", "run"),
        *_columns("words", "doubts"),
    ]


def summary_row(
    summary: Summary, *, recording: str, session: str, utc_of: UtcOf, local_of: LocalOf = _unknown, run: int = 1
) -> Row:
    """One summary, flat: ``crs_n``, ``crs_median``, ``crs_p25`` and so on; ``run`` is that of its end."""
    row: Row = {
        "recording": recording,
        "bed": summary.bed,
        "session": session,
        "window": summary.window,
        "run": run,
        "start_s": summary.start_s,
        "end_s": summary.end_s,
        "start_utc": utc_text(utc_of(summary.start_s)),
        "start_local": local_of(summary.start_s),
        "breaths": summary.breaths,
        "coverage": summary.coverage,
    }
    for key, stat in summary.stats.items():
        for name, field in STATS[key]:
            row[name] = getattr(stat, field)
    missing = {key: stat.reason for key, stat in summary.stats.items() if stat.reason}
    return row | {"missing": missing, "doubts": []}


def _stat_columns(key: str) -> list[Column]:
    counted, *numbers = (name for name, _ in STATS[key])
    return [*_columns("whole", counted), *_columns("number", *numbers)]


def _columns(holds: Literal["text", "number", "whole", "object", "words"], *names: str) -> list[Column]:
    return [Column(name, holds) for name in names]
