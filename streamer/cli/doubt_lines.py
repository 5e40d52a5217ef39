"""What is doubtful, beside every result: lines on standard error, metadata of tables, the exit line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from streamer.analysis.recording_summary import RecordingSummary
from streamer.cli.summary_table import short_names
from streamer.files.output import warn
from streamer.model.doubts import Doubt, DoubtKind, DoubtList
from streamer.model.validation_errors import one_line

MAX_LINES = 6
"""Of one recording; the rest is counted."""
MAX_RECORDINGS = 20
"""Whose doubts are listed one by one; beyond that, and in any case, they stand in the table."""


def say_doubts(findings: Sequence[RecordingSummary]) -> None:
    """A short list on standard error, recording after recording."""
    doubted = [(name, found) for name, found in zip(short_names(findings), findings, strict=True) if found.doubts]
    for name, found in doubted[:MAX_RECORDINGS]:
        for text in listed(found.doubts, MAX_LINES):
            warn(one_line(f"{name}: {text}"))
    if len(doubted) > MAX_RECORDINGS:
        warn(f"… and {len(doubted) - MAX_RECORDINGS} more recordings with doubts; name them alone to see theirs")


def listed(found: DoubtList, most: int) -> list[str]:
    """The gravest doubts as lines, and how many more there are."""
    every = list(found)
    untold = sum(found.more.values()) + max(len(every) - most, 0)
    return [str(doubt) for doubt in every[:most]] + ([f"… and {untold} more doubts"] if untold else [])


def tally(findings: Sequence[RecordingSummary]) -> str:
    """The exit line: what was read, and what of it is doubtful, also where that is nothing."""
    kinds = [doubt.kind for found in findings for doubt in found.doubts]
    counts = (
        (sum(bool(found.samples) for found in findings), "recording"),
        (sum(found.breaths for found in findings), "breath"),
        (sum(found.doubts.dropped_rows for found in findings), "dropped row"),
        (sum(found.doubts.damaged_rows for found in findings), "damaged row"),
        (kinds.count(DoubtKind.SUSPICION), "suspicion"),
        (kinds.count(DoubtKind.ASSUMPTION), "assumption"),
    )
    failed = [found for found in findings if found.error is not None]
    unread = (
        (sum(not found.samples for found in failed), "not read"),
        (sum(bool(found.samples) for found in failed), "not read to the end"),
    )
    said = [f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts]
    return ", ".join(said + [f"{count} {what}" for count, what in unread if count])


def status_of(status: int, found: Iterable[DoubtList], *, strict: bool) -> int:
    """The exit status; with ``--strict``, 1 where something is suspect, damaged or dropped, and a line that says so."""
    if status or not strict or all(one.is_strict for one in found):
        return status
    warn("--strict: suspicions, damage or dropped rows stand above; the results were written nevertheless")
    return 1


def about_table(findings: Sequence[RecordingSummary]) -> dict[str, Any]:
    """Metadata of a table: which program wrote it, and what is to be known of each recording in it."""
    return {
        "schema": "table/1",
        "ventstream": installed(),
        "recordings": [about_recording(found) for found in findings],
    }


def about_recording(found: RecordingSummary) -> dict[str, Any]:
    """One recording: how it was read, what is missing in it, what is doubtful."""
    return {
        "recording": found.name,
        "format": found.format,
        "rate_hz": sorted(found.rates_hz),
        "duration_s": found.duration_s,
        "breaths": found.breaths,
        "gaps": found.gaps,
        "damaged_rows": found.doubts.damaged_rows,
        "dropped_rows": found.doubts.dropped_rows,
        "runs": [
            {"run": number, "start_s": run.start_s, "clock_s": run.clock_s} for number, run in enumerate(found.runs, 1)
        ],
        "error": None if found.error is None else str(found.error),
        "doubts": [about_doubt(doubt) for doubt in found.doubts],
        "more_doubts": sum(found.doubts.more.values()),
    }


def about_doubt(doubt: Doubt) -> dict[str, Any]:
    """One doubt, flat."""
    return {"kind": doubt.kind, "code": doubt.code, "detail": doubt.detail, "at_s": doubt.at_s, "rows": doubt.rows}


def installed() -> str:
    """The version of this program."""
    try:
        return version("ventstream")
    except PackageNotFoundError:
        return "not installed"
