"""The tables of the cohort: values at each time point, and changes from the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from streamer.report._grid import quantity_table
from streamer.report._markup import Html, small, tag, together
from streamer.report._numbers import NONE, Row, number, quantities_of, rows, signed
from streamer.study.quantities import Quantity
from streamer.study.results import Results

WAYS = (("lower", "lower"), ("higher", "higher"), ("unchanged", "no change"))
LEAST_P = 0.001
FEW = (
    "Fewer than ten patients are shown as median [lowest\u2013highest] (their number): no mean, no standard deviation, "
    "no test. From ten on the brackets hold quartiles, and changes have a p (Wilcoxon, signed ranks, two-sided; not "
    "adjusted for multiple testing)."
)
DIRECTIONS = (
    "A change below the resolution of the method (see Quality) counts as no change. Refused: one of the two points has "
    "no value, or they were measured by different methods; the reasons follow below."
)
Found: TypeAlias = dict[tuple[str, str], Row]
Refused: TypeAlias = dict[tuple[str, str], Counter[str]]


def cohort_tables(results: Results) -> Html:
    """Values at each time point, then changes from the first."""
    found: Found = {(row["quantity"], row["point"]): row for row in rows(results.cohort)}
    absent = _reasons(rows(results.values), "value")
    refused = _reasons(rows(results.changes), "change")
    quantities = quantities_of(rows(results.values))
    spread = "range or quartiles" if "quartiles" in set(results.cohort["spread"]) else "range"
    labels = [point.label for point in results.points]

    def level(quantity: Quantity, point: str) -> str:
        return _level(quantity, found.get((quantity.name, point)), absent.get((quantity.name, point), Counter()))

    def change(quantity: Quantity, point: str) -> str:
        return _change(quantity, found.get((quantity.name, point)), refused.get((quantity.name, point), Counter()))

    return together((
        tag("p", FEW),
        quantity_table(f"Values: median [{spread}] (patients)", quantities, labels, level),
        tag("p", DIRECTIONS),
        quantity_table(
            f"Changes from {labels[0]}: median [{spread}], and directions", quantities, labels[1:], change
        ),
    ))  # fmt: skip


def _reasons(found: list[Row], column: str) -> Refused:
    """Count the reasons of missing numbers, by quantity and time point."""
    counts: Refused = {}
    for row in found:
        if row[column] is None:
            counts.setdefault((row["quantity"], row["point"]), Counter())[row["reason"] or "not stated"] += 1
    return counts


def _level(quantity: Quantity, row: Row | None, absent: Counter[str]) -> str:
    if row is None or row["median"] is None:
        return together((f"{NONE} ", small(", ".join(sorted(absent)) or "not stated")))
    ways = row["methods"] or ""
    mixed = small(f" in different ways: {ways}") if "," in ways else None
    return together((_spread(quantity, row, "", number), " ", small(f"({row['n']})"), mixed))


def _spread(quantity: Quantity, row: Row, of: str, written: Callable[[float | None, int], str]) -> Html:
    """Median and spread; for one patient the number alone."""
    keys = (f"{of}median", f"{of}low", f"{of}high")
    median, low, high = (written(row[key], quantity.digits) for key in keys)
    if row["pairs" if of else "n"] == 1:
        return together((median,))
    between = " to " if of else "\u2013"
    return together((median, " ", tag("span", f"[{low}{between}{high}]", class_="spread")))


def _change(quantity: Quantity, row: Row | None, refused: Counter[str]) -> str:
    """Median and spread of a change, and the number of patients per direction, refusals included."""
    ways = [f"{row[key]} {word}" for key, word in WAYS if row is not None and row[key]]
    if refused:
        ways.append(f"{sum(refused.values())} refused")
    if row is None or row["change_median"] is None:
        return together((f"{NONE} ", small(", ".join(sorted(refused)) or "not stated")))
    told = small(", ".join(ways))
    return together((_spread(quantity, row, "change_", signed), tag("br"), told, _p(row["p"])))


def _p(p: float | None) -> Html | None:
    if p is None:
        return None
    return small(f", p < {LEAST_P}" if p < LEAST_P else f", p = {p:.3f}")
