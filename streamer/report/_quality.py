"""The section Quality: recordings, windows, methods, withheld numbers."""

from __future__ import annotations

import re
from collections import Counter

from streamer.report._grid import quantity_table
from streamer.report._markup import Html, defined, line, listed, plain_table, small, table, tag, together
from streamer.report._markup import band as named_band
from streamer.report._numbers import (
    NONE,
    Row,
    count,
    meaning,
    name,
    number,
    part,
    percent,
    quantities_of,
    rows,
    smallest,
)
from streamer.study.placing import POSITIONS
from streamer.study.quantities import Quantity, Rule
from streamer.study.results import Results

RULES = {
    Rule.BREATHS: "breaths of the window: at least five and half of them",
    Rule.HOLDS: "holds of the window, be it one",
    Rule.GAS: "breaths in the five minutes after the window's blood gas",
    Rule.DRAW: "that blood gas itself",
}
"""Rule → what the number of a time point is a median or weighted mean of."""

BREAK = tag("br")
DATE = len("2024-03-01 ")
MANY_KEYS, FIRST_KEYS = 12, 6


def quality(results: Results) -> Html:
    """Build the section, with a heading for each part."""
    parts = (
        ("Recordings", _recordings(results)),
        ("Windows of the time points", _windows(results)),
        ("Methods and quality", _methods(results)),
        ("Smallest change that counts", _smallest(results)),
        ("Withheld breath by breath", _withheld(results)),
        ("Notes", listed(results.notes) if results.notes else tag("p", "None.")),
        ("Settings", defined(results.settings.items())),
        ("Versions", defined(results.versions.items())),
    )
    return together(tag("section", tag("h3", heading), inside) for heading, inside in parts)


def _recordings(results: Results) -> Html:
    head = (
        "File", "Patient", "Format, device, source", "Hz", "Start", "Hours", "Breaths", "Coverage", "Gaps",
        "Damaged rows", "Dropped rows", "Error",
    )  # fmt: skip
    body = [
        [
            together((re.split(r"[\\/]", row["path"])[-1], tag("code", f"sha256 {row['sha256']}", class_="hash"))),
            row["patient"],
            together((row[key] or NONE for key in ("format", "device", "source")), BREAK),
            row["rate_hz"] or NONE,
            (row["start"] or NONE).replace("T", " ").replace("+00:00", "Z"),
            number(row["duration_h"], 2),
            count(row["breaths"]),
            percent(row["coverage"], 1),
            *(count(row[key]) for key in ("gaps", "damaged_rows", "dropped_rows")),
            row["error"] or "none",
        ]
        for row in rows(results.recordings)
    ]
    caption = "Recordings: coverage is the share of the time that whole breaths fill"
    return plain_table(caption, head, body, "No recording.")


def _windows(results: Results) -> Html:
    """Coverage of each window, as it applies to quantities that rest on all its breaths."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows(results.values):
        key = row["patient"], row["point"]
        best = found.get(key)
        if best is None or (row["coverage"] or 0.0, row["breaths"] or 0) > (
            best["coverage"] or 0.0,
            best["breaths"] or 0,
        ):
            found[key] = row
    body = [
        [patient, *(_window(found.get((patient, point.label))) for point in results.points)]
        for patient in results.patients
    ]
    caption = "Share of each window that whole, settled breaths fill; breaths; position; from and to"
    return plain_table(caption, ["Patient", *(point.label for point in results.points)], body, "No patient.")


def _window(row: Row | None) -> Html:
    if row is None or not row["start"]:
        return together((NONE, " ", small("no window")))
    end = row["end"].removeprefix(row["start"][:DATE])
    told = (
        f"{count(row['breaths'])} breaths, {row['position'] if row['position'] in POSITIONS else 'position not stated'}"
    )
    return together((percent(row["coverage"]), BREAK, small(told), BREAK, small(f"{row['start']} to {end}")))


def _methods(results: Results) -> Html:
    """Method and grade of each value that has one, with the patients in brackets where they differ."""
    found: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
    told = [row for row in rows(results.values) if row["value"] is not None and (row["method"] or row["quality"])]
    for row in told:
        key = row["quantity"], row["point"]
        found.setdefault(key, Counter())[row["method"] or "", row["quality"] or ""] += 1

    def cell(quantity: Quantity, point: str) -> str:
        ways = found.get((quantity.name, point), Counter())
        return together((_way(*way, times) for way, times in ways.items()), ", ") if ways else NONE

    if not told:
        return tag("p", "No value has a method or a grade.")
    explained = "Grades of estimates, at least that of nine breaths in ten: A is the best. In brackets: patients."
    caption = "Method and quality grade at each time point"
    grid = quantity_table(caption, quantities_of(told), [point.label for point in results.points], cell)
    return together((tag("p", explained), grid))


def _way(method: str, grade: str, times: int) -> Html:
    return together(
        (tag("code", method) if method else None, " " if method and grade else "", grade, " ", small(f"({times})"))
    )


def _smallest(results: Results) -> Html:
    body = [[name(one), smallest(one), RULES[one.rule]] for one in quantities_of(rows(results.values))]
    head = ("Quantity", "Smallest change that counts", "A time point's number is of the")
    return plain_table("Differences below this are called no change", head, body, "No quantity.")


def _withheld(results: Results) -> Html:
    """Withheld numbers: one row for those with the same reason and the same count of breaths."""
    same: dict[str, dict[tuple[str, float, float], list[str]]] = {}
    for row in rows(results.withheld):
        key = row["reason"], row["breaths"], row["share"]
        same.setdefault(row["patient"], {}).setdefault(key, []).append(row["key"])
    bodies = [
        [named_band(patient, 4), *(_why(*key, keys) for key, keys in sorted(found.items(), key=lambda one: -one[0][1]))]
        for patient, found in same.items()
    ]
    if not bodies:
        return tag("p", "Nothing was withheld.")
    head = ("Reason", "Breaths", "Share", "Numbers withheld")
    return table("Why single breaths have no number, over the whole session", head, *bodies, class_="reasons")


def _why(reason: str, breaths: float, share: float, keys: list[str]) -> Html:
    told = together((tag("code", reason), BREAK, small(meaning(reason))))
    return line(told, (count(breaths), part(share), _keys(keys)))


def _keys(keys: list[str]) -> str:
    """All keys; if they are many, the first few and the rest behind a click."""
    if len(keys) <= MANY_KEYS:
        return ", ".join(keys)
    first = f"{len(keys)} numbers: {', '.join(keys[:FIRST_KEYS])} and {len(keys) - FIRST_KEYS} more"
    return tag("details", tag("summary", first), ", ".join(keys))
