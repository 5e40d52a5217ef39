"""A study's cohort, or its one patient, as a table in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from streamer.study import QUANTITIES, Quantity, Results

if TYPE_CHECKING:
    import pandas as pd


MAX_REASONS = 6


def show(console: Console, results: Results) -> None:
    """Rows are quantities, columns time points; below, what was withheld or refused."""
    many = len(results.patients) > 1
    synthetic = " (synthetic: simulated)" if results.is_simulated else ""
    about = "median [range] over patients (their number)" if many else "value (breaths, holds or draws)"
    title = f"{results.title}{synthetic}: {about}"
    table = Table(title=escape(title), title_justify="left", pad_edge=False, box=box.SIMPLE_HEAD)
    table.add_column("quantity")
    for point in results.points:
        table.add_column(point.label, justify="right", no_wrap=True)
    table.add_column(f"{results.points[-1].label} against baseline", no_wrap=True)
    cells = _cohort_cells(results) if many else _patient_cells(results)
    last = results.changes[results.changes["point"] == results.points[-1].label]
    for name, quantity in QUANTITIES.items():
        row = [cells.get((name, point.label), "-") for point in results.points]
        if set(row) != {"-"}:
            unit = "" if quantity.unit == "1" else f" [dim]{quantity.unit}[/]"
            table.add_row(f"{quantity.label}{unit}", *row, _directions(last[last["quantity"] == name]))
    console.print(table)
    numbers, changes = results.numbers, results.changes
    withheld, refused = int(numbers["value"].isna().sum()), int(changes["change"].isna().sum())
    reasons = numbers["reason"][numbers["reason"] != ""].value_counts()
    if len(reasons):
        told = ", ".join(f"{reason} {count}" for reason, count in reasons.head(MAX_REASONS).items())
        console.print(f"withheld: {told}{', …' if len(reasons) > MAX_REASONS else ''}", style="dim")
    console.print(
        f"{withheld} of {len(numbers)} values withheld, {refused} of {len(changes)} comparisons refused; "
        "the reasons stand in the page and in the table of numbers",
        style="dim",
    )


def _cohort_cells(results: Results) -> dict[tuple[str, str], str]:
    cells = {}
    for row in results.cohort.to_dict("records"):
        quantity = QUANTITIES[row["quantity"]]
        spread = f"{_number(row['low'], quantity)}-{_number(row['high'], quantity)}"
        cell = f"{_number(row['median'], quantity)} [{spread}] ({row['n']})"
        cells[row["quantity"], row["point"]] = escape(cell)
    return cells


def _patient_cells(results: Results) -> dict[tuple[str, str], str]:
    given = results.numbers.dropna(subset=["value"])
    return {
        (row["quantity"], row["point"]): f"{_number(row['value'], QUANTITIES[row['quantity']])} ({row['n']})"
        for row in given.to_dict("records")
    }


def _number(value: Any, quantity: Quantity) -> str:
    return f"{value:.{quantity.digits}f}"


def _directions(rows: pd.DataFrame) -> str:
    """``4 lower``, ``2 higher, 2 no change, 1 refused``."""
    counts = rows["direction"].fillna("refused").value_counts()
    if len(rows) == 1:
        return str(counts.index[0])
    order = ("lower", "higher", "no change", "refused")
    return ", ".join(f"{counts[word]} {word}" for word in order if word in counts)
