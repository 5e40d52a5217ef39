"""The section of refused comparisons, with their reasons."""

from __future__ import annotations

from collections.abc import Iterable

from streamer.report._markup import Html, plain_table, small, tag, together
from streamer.report._numbers import Row, meaning, rows, typeset
from streamer.study.quantities import QUANTITIES
from streamer.study.results import Results

HEAD = ("Patient", "Time points", "Quantities", "Reason", "Detail")


def refused_table(results: Results) -> Html:
    """Build the table. Points with the same reason share a row; so do quantities with the same points and reason."""
    by_quantity: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows(results.changes):
        if row["change"] is None:
            key = row["patient"], row["quantity"], row["reason"] or "not stated"
            by_quantity.setdefault(key, []).append(row)
    same: dict[tuple[str, str, str, str], list[str]] = {}
    for (patient, quantity, reason), found in by_quantity.items():
        points = _together(row["point"] for row in found)
        details = "; ".join(dict.fromkeys(row["detail"] for row in found if row["detail"]))
        same.setdefault((patient, points, reason, details), []).append(quantity)
    body = [
        [patient, points, ", ".join(typeset(QUANTITIES[name].label) for name in names), *_why(reason, details)]
        for (patient, points, reason, details), names in same.items()
    ]
    caption = "Comparisons with the first time point that were refused"
    return plain_table(caption, HEAD, body, "No comparison was refused.")


def _why(reason: str, details: str) -> tuple[Html, str]:
    told = meaning(reason)
    return together((tag("code", reason), tag("br") if told else None, small(told))), details


def _together(labels: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(labels))
