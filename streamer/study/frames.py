"""Build the data frames of ``Results`` from timelines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from streamer.core.metrics import METRICS
from streamer.model.context import PointSettings
from streamer.model.reasons import Reason
from streamer.study.changes import change_of
from streamer.study.cohort import cohort_frame
from streamer.study.collect import Course
from streamer.study.points import S_PER_HOUR, Window, windows
from streamer.study.quantities import QUANTITIES
from streamer.study.timeline import Timeline
from streamer.study.trends import COLUMNS as TREND
from streamer.study.trends import trend_rows
from streamer.study.values import Value, value_of

if TYPE_CHECKING:
    import pandas as pd

MEANINGS = {reason.value: reason.meaning for reason in Reason}
Row: TypeAlias = dict[str, Any]
Measured: TypeAlias = dict[str, tuple[Window, dict[str, Value]]]
"""Label of a time point → its window, and its values by quantity."""


def measured(timeline: Timeline, settings: PointSettings) -> Measured:
    """Every quantity at every time point of a patient."""
    return {
        window.label: (window, {q.name: value_of(timeline, window, q, settings) for q in QUANTITIES.values()})
        for window in windows(timeline, settings)
    }


def value_rows(timeline: Timeline, points: Measured, zero_s: float) -> Iterator[Row]:
    """Rows of ``Results.values``."""
    for window, values in points.values():
        edges = [None if np.isnan(edge) else edge for edge in (window.start_s, window.end_s)]
        hours = [np.nan if edge is None else (edge - zero_s) / S_PER_HOUR for edge in edges]
        for name, found in values.items():
            yield {
                "patient": timeline.label,
                "point": window.label,
                "hours": sum(hours) / 2,
                "from_hours": hours[0],
                "to_hours": hours[1],
                "position": window.position,
                "start": "" if edges[0] is None else timeline.text(edges[0]),
                "end": "" if edges[1] is None else timeline.text(edges[1]),
                "quantity": name,
                "key": found.quantity.key,
                "unit": found.quantity.unit,
                "value": found.value,
                "n": found.n,
                "breaths": found.breaths,
                "p25": found.p25,
                "p75": found.p75,
                "coverage": found.coverage,
                "method": found.method,
                "quality": found.quality,
                "reason": str(found.reason),
                "detail": found.detail,
                "doubts": timeline.codes,
            }


def change_rows(timeline: Timeline, points: Measured) -> Iterator[Row]:
    """Rows of ``Results.changes``."""
    (_, baseline), *later = points.values()
    for window, values in later:
        for name, quantity in QUANTITIES.items():
            found = change_of(quantity, baseline, values, window.label)
            yield {
                "patient": timeline.label,
                "point": window.label,
                "quantity": name,
                "unit": quantity.unit,
                "baseline": baseline[name].value,
                "value": values[name].value,
                "change": found.change,
                "change_pct": None if found.share is None else 100.0 * found.share,
                "smallest": found.smallest,
                "direction": found.direction,
                "reason": str(found.reason),
                "detail": found.detail,
                "settings": found.settings,
            }


def event_rows(timeline: Timeline, zero_s: float) -> Iterator[Row]:
    """Rows of ``Results.events``, blood gases among them."""
    for one in sorted((*timeline.events, *timeline.gases), key=lambda one: one.at_s):
        yield {
            "patient": timeline.label,
            "hours": (one.at_s - zero_s) / S_PER_HOUR,
            "at": timeline.text(one.at_s),
            "kind": one.kind,
            "detail": one.detail,
        }


def recording_rows(timeline: Timeline) -> Iterator[Row]:
    """Rows of ``Results.recordings``."""
    for course in timeline.courses:
        found, known = course.findings, course.findings.sidecar.recording
        whole_s = float((course.end_s - course.start_s)[course.whole].sum())
        yield {
            "patient": timeline.label,
            "path": Path(found.name).name,
            "sha256": course.sha256,
            "format": found.format,
            "source": known.source,
            "device": known.device,
            "rate_hz": found.rate,
            "start": "" if known.start_utc is None else known.start_utc.isoformat(),
            "duration_h": found.duration_s / S_PER_HOUR,
            "breaths": found.breaths,
            "coverage": whole_s / found.duration_s if found.duration_s else 0.0,
            "gaps": found.gaps,
            "damaged_rows": found.doubts.damaged_rows,
            "dropped_rows": found.doubts.dropped_rows,
            "doubts": " ".join(found.doubts.codes),
            "error": error_of(course),
        }


def error_of(course: Course) -> str:
    """The error that ended reading, or nothing; the file without its folders, whose names do not belong on a page."""
    name, error = course.findings.name, course.findings.error
    return "" if error is None else str(error).replace(name, Path(name).name)


def withheld_rows(timeline: Timeline) -> Iterator[Row]:
    """Rows of ``Results.withheld``, the most frequent first."""
    counts: Counter[tuple[str, str]] = Counter()
    for course in timeline.courses:
        counts.update(course.withheld)
    breaths = sum(course.findings.breaths for course in timeline.courses)
    for key in METRICS:
        for (_, reason), count in sorted(
            ((pair, count) for pair, count in counts.items() if pair[0] == key), key=lambda entry: -entry[1]
        ):
            yield {
                "patient": timeline.label,
                "key": key,
                "reason": reason,
                "meaning": MEANINGS.get(reason, ""),
                "breaths": count,
                "share": count / breaths,
            }


def frames(timelines: Sequence[Timeline], zeros: Sequence[float], settings: PointSettings) -> dict[str, pd.DataFrame]:
    """The frames of a study by their names in ``Results``."""
    import pandas as pd  # noqa: PLC0415 (half a second to load)

    each = [measured(timeline, settings) for timeline in timelines]
    both = list(zip(timelines, zeros, strict=True))
    trend = [row for timeline, zero_s in both for row in trend_rows(timeline, zero_s, settings.trend_min)]
    rows: dict[str, list[Row]] = {
        "values": [
            row
            for timeline, points, zero_s in zip(timelines, each, zeros, strict=True)
            for row in value_rows(timeline, points, zero_s)
        ],
        "changes": [
            row for timeline, points in zip(timelines, each, strict=True) for row in change_rows(timeline, points)
        ],
        "events": [row for timeline, zero_s in both for row in event_rows(timeline, zero_s)],
        "recordings": [row for timeline in timelines for row in recording_rows(timeline)],
        "withheld": [row for timeline in timelines for row in withheld_rows(timeline)],
    }
    found = {name: pd.DataFrame(entries) for name, entries in rows.items()}
    numbers = ["value", "p25", "p75"], ["baseline", "value", "change", "change_pct", "smallest"]
    for name, columns in zip(("values", "changes"), numbers, strict=True):
        found[name][columns] = found[name][columns].astype(float)
    found["trend"] = pd.DataFrame(trend, columns=list(TREND))
    found["cohort"] = cohort_frame(found["values"], found["changes"])
    return found
