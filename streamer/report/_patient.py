"""One patient's time points, changes and events."""

from __future__ import annotations

from typing import TypeAlias

from streamer.report._grid import quantity_table
from streamer.report._markup import Html, line, plain_table, small, tag, together
from streamer.report._numbers import NONE, Row, meaning, number, quantities_of, rows, signed, typeset
from streamer.study.changes import SAME
from streamer.study.quantities import Quantity
from streamer.study.results import Results

HOURS = "hours count from the event after the baseline"
Found: TypeAlias = dict[tuple[str, str], Row]


class Footnotes:
    """Footnotes of one table: why its cells are empty, each reason and detail once, numbered in order."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}

    def cell(self, row: Row | None) -> Html:
        """Content of an empty cell: an em dash, the reason code, and the number of its footnote."""
        reason, detail = (row["reason"] or "not stated", row["detail"] or "") if row else ("not stated", "")
        place = self._numbers.setdefault((reason, detail), len(self._numbers) + 1)
        return together((f"{NONE} ", small(reason), tag("sup", str(place))))

    def below(self) -> Html | None:
        """The footnotes as a list; None if every cell has a value."""
        if not self._numbers:
            return None
        items = [
            tag(
                "li",
                tag("code", reason),
                ": ",
                "; ".join(filter(None, (meaning(reason), detail))) or "no more is known",
            )
            for reason, detail in self._numbers
        ]
        return tag("ol", *items, class_="footnotes")


def patient_tables(results: Results, patient: str) -> Html:
    """Points, changes, events."""
    values = [row for row in rows(results.values) if row["patient"] == patient]
    changes = [row for row in rows(results.changes) if row["patient"] == patient]
    labels = [point.label for point in results.points]
    return together((
        _points(patient, values, labels),
        _changes(patient, changes, values, labels),
        _events([row for row in rows(results.events) if row["patient"] == patient], patient),
    ))  # fmt: skip


def _points(patient: str, values: list[Row], labels: list[str]) -> Html:
    notes = Footnotes()
    found: Found = {(row["quantity"], row["point"]): row for row in values}

    def cell(quantity: Quantity, point: str) -> Html:
        row = found.get((quantity.name, point))
        if row is None or row["value"] is None:
            return notes.cell(row)
        return together((f"{number(row['value'], quantity.digits)} ", small(f"({row['n']})")))

    caption = f"{patient}: values at the time points (breaths, holds or draws that they come from)"
    return together((quantity_table(caption, quantities_of(values), labels, cell), notes.below()))


def _changes(patient: str, changes: list[Row], values: list[Row], labels: list[str]) -> Html:
    notes = Footnotes()
    found: Found = {(row["quantity"], row["point"]): row for row in changes}

    def cell(quantity: Quantity, point: str) -> Html:
        row = found.get((quantity.name, point))
        if row is None or row["change"] is None:
            return notes.cell(row)
        share = None if row["change_pct"] is None else f" ({signed(row['change_pct'], 0)} %)"
        change = signed(row["change"], quantity.digits)
        way = row["direction"]
        return together((change, share, " ", tag("small", way, class_="same" if way == SAME else "changed")))

    later = labels[1:]
    differ = [
        next((row["settings"] for row in changes if row["point"] == point and row["settings"]), "") for point in later
    ]
    first = line("Settings that differ", [typeset(told) or "none" for told in differ])
    caption = f"{patient}: changes from {labels[0]}"
    return together((quantity_table(caption, quantities_of(values), later, cell, first), notes.below()))


def _events(events: list[Row], patient: str) -> Html:
    told = [
        [row["at"] or NONE, signed(row["hours"], 2), row["kind"].replace("_", " "), row["detail"] or ""]
        for row in events
    ]
    head = ["At", "Hours", "Event", "Detail"]
    return plain_table(f"{patient}: events and blood gases; {HOURS}", head, told, "No events are stated.")
