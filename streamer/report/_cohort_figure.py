"""The figure of the cohort: all patients over the time points, one panel a quantity."""

from __future__ import annotations

import math
import textwrap
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from streamer.report._doubts import draw_doubts, room_for
from streamer.report._look import MANY, PAGE_IN, drawable, few_ticks, frame, looks, named, nothing, y_range
from streamer.report._numbers import Row, rows, typeset, unit
from streamer.report.breath.drawing import blank, in_style
from streamer.report.breath.style import INK, PALE, SMALL_PT
from streamer.study.quantities import QUANTITIES, Quantity
from streamer.study.results import Results

PANELS = (
    "pf_ratio", "vd_vt_bohr", "vd_vt_enghoff",
    "vd_aw", "vent_ratio", "mp",
    "pplat", "driving_pressure", "crs",
    "vt_exp", "rr", "peep",
)  # fmt: skip
COLUMNS = 3
APART = 0.34
"""Width over which patients stand side by side at a time point, as a share of the distance to the next."""
FOOT = 0.045
"""Height of the marks of what is withheld, as a share of the panel."""
ABREAST = 29
"""Letters that fit under a panel side by side. Labels are turned upright if a word is longer than its share."""
DOTTED = (0, (1, 2))


class Cell(NamedTuple):
    """A patient's value at a time point, NaN where withheld, and whether its change from baseline was refused."""

    value: float
    is_refused: bool


class Panel(NamedTuple):
    """One quantity: the values of each patient in the order of the time points, and the rows of the cohort's table."""

    quantity: Quantity
    patients: dict[str, list[Cell]]
    cohort: list[Row | None]


def cohort_figure(results: Results) -> Figure:
    """Draw the figure; with one patient it shows the points of that patient."""
    with in_style():
        figure = blank(PAGE_IN)
        frame(figure, results, results.title)
        draw_doubts(figure, results.doubts)
        lines = -(-len(PANELS) // COLUMNS)
        grid = figure.subplots(lines, COLUMNS, gridspec_kw=_margins(results), squeeze=False)
        for axes, panel in zip(grid.flat, _panels(results), strict=True):
            _draw(axes, panel, results)
        figure.align_ylabels()
        figure.legend(
            *_legend(results), loc="lower center", bbox_to_anchor=(0.5, 0.022), ncols=4, frameon=False,
            columnspacing=1.6, handlelength=2.4,
        )  # fmt: skip
    return figure


def _margins(results: Results) -> dict[str, float]:
    foot = 0.055 + 0.017 * -(-(len(_shown(results)) + 3) // 4)
    top = 0.945 - room_for(results.doubts)
    return {"left": 0.08, "right": 0.985, "top": top, "bottom": foot + 0.022, "hspace": 0.42, "wspace": 0.3}


def _shown(results: Results) -> tuple[str, ...]:
    """Patients with an entry in the legend: all if they are few, else none."""
    return results.patients if len(results.patients) < MANY else ()


def _panels(results: Results) -> list[Panel]:
    """The panels: the measured quantity, or its estimate (labelled) if no patient has a measurement."""
    at = {
        (row["quantity"], row["patient"], row["point"]): float(row["value"])
        for row in rows(results.values)
        if row["value"] is not None
    }
    told = {(row["quantity"], row["patient"], row["point"]): row["reason"] for row in rows(results.changes)}
    cohort = {(row["quantity"], row["point"]): row for row in rows(results.cohort)}
    has = {key for key, _, _ in at}
    shown = [f"{key}_est" if key not in has and f"{key}_est" in has else key for key in PANELS]
    return [
        Panel(
            QUANTITIES[key],
            {
                patient: [
                    Cell(at.get((key, patient, point.label), math.nan), bool(told.get((key, patient, point.label))))
                    for point in results.points
                ]
                for patient in results.patients
            },
            [cohort.get((key, point.label)) for point in results.points],
        )
        for key in shown
    ]


def _draw(axes: Axes, panel: Panel, results: Results) -> None:
    labels = [drawable(point.label) for point in results.points]
    _draw_points(axes, labels)
    named(axes, typeset(panel.quantity.label), unit(panel.quantity))
    numbers = {patient: np.array([cell.value for cell in cells]) for patient, cells in panel.patients.items()}
    values = [value for found in numbers.values() for value in found[np.isfinite(found)].tolist()]
    axes.set_ylim(*y_range(values, panel.quantity))
    few_ticks(axes, 5)
    if not values:
        nothing(axes, "withheld in all" if len(results.patients) > 1 else "withheld")
    is_many = len(results.patients) >= MANY
    offsets = np.linspace(-APART / 2.0, APART / 2.0, len(results.patients)) if len(results.patients) > 1 else [0.0]
    for offset, (patient, look) in zip(offsets, looks(results.patients).items(), strict=True):
        style: dict[str, Any] = {"color": PALE, "alpha": 0.45} if is_many else {"color": look.colour}
        mark: dict[str, Any] = {"marker": ".", "ms": 3.0} if is_many else {"marker": look.marker, "ms": 4.2}
        places = np.arange(len(labels)) + offset
        _draw_lines(axes, panel.patients[patient], float(offset), style)
        axes.plot(places, numbers[patient], ls="", zorder=4, **mark, **style)
        if not is_many:
            _draw_withheld(axes, places[np.isnan(numbers[patient])].tolist(), look.colour)
    _draw_cohort(axes, panel, is_many=is_many)


def _draw_points(axes: Axes, labels: list[str]) -> None:
    """Label the time points along the axis, as categories rather than hours."""
    width = max(1, ABREAST // len(labels))
    is_upright = any(len(word) > width + 1 for label in labels for word in label.split())
    shown = labels if is_upright else [textwrap.fill(label, width, break_long_words=False) for label in labels]
    axes.set_xticks(range(len(labels)), shown, fontsize=SMALL_PT, rotation=90 if is_upright else 0)
    axes.set_xlim(-0.5, len(labels) - 0.5)


def _draw_lines(axes: Axes, cells: list[Cell], offset: float, style: dict[str, Any]) -> None:
    """Lines from point to point: dotted and pale if either change was refused, none beside a withheld value."""
    for place, (before, after) in enumerate(pairwise(cells)):
        if np.isnan(before.value) or np.isnan(after.value):
            continue
        is_refused = before.is_refused or after.is_refused
        way: dict[str, Any] = {"color": PALE, "ls": DOTTED, "lw": 1.2} if is_refused else {"lw": 1.1, **style}
        ends = [place + offset, place + 1 + offset]
        axes.plot(ends, [before.value, after.value], zorder=3, **way)


def _draw_withheld(axes: Axes, places: list[float], colour: str) -> None:
    axes.plot(
        places, [FOOT] * len(places), ls="", marker="x", ms=4.5, mew=1.3, color=colour,
        transform=axes.get_xaxis_transform(), zorder=5,
    )  # fmt: skip


def _draw_cohort(axes: Axes, panel: Panel, *, is_many: bool) -> None:
    """The median of two or more values as a bar; with many patients also quartiles and the count of withheld values."""
    half = 0.27
    for place, row in enumerate(panel.cohort):
        if row is not None and row["median"] is not None and row["n"] >= 2:  # noqa: PLR2004 (a median of one is it)
            axes.plot(
                [place - half, place + half], [row["median"]] * 2, color=INK, lw=2.0, solid_capstyle="butt", zorder=6
            )
            if is_many and row["spread"] == "quartiles":
                axes.vlines(place, row["low"], row["high"], color=INK, lw=1.2, zorder=6)
        absent = sum(np.isnan(cells[place].value) for cells in panel.patients.values())
        if is_many and absent:
            axes.text(
                place, FOOT, f"\u00d7 {absent}", transform=axes.get_xaxis_transform(), ha="center", va="center",
                fontsize=SMALL_PT,
            )  # fmt: skip
    if is_many:
        medians = [
            (place, row["median"]) for place, row in enumerate(panel.cohort) if row and row["median"] is not None
        ]
        axes.plot([place for place, _ in medians], [median for _, median in medians], color=INK, lw=1.0, zorder=5)


def _legend(results: Results) -> tuple[list[Line2D], list[str]]:
    """The legend: patients, then the other signs."""
    look = looks(results.patients)
    signs = [
        (Line2D([], [], color=look[patient].colour, marker=look[patient].marker, ms=4.2, lw=1.1), drawable(patient))
        for patient in _shown(results)
    ]
    if len(results.patients) >= MANY:
        signs.append((Line2D([], [], color=PALE, marker=".", lw=1.1), f"{len(results.patients)} patients"))
    if len(results.patients) > 1:
        with_range = "median and quartiles" if len(results.patients) >= MANY else "median"
        signs.append((Line2D([], [], color=INK, lw=2.0), with_range))
    signs += [
        (Line2D([], [], color=INK, marker="x", ls="", ms=4.5, mew=1.3), "withheld"),
        (Line2D([], [], color=PALE, ls=DOTTED, lw=1.2), "change refused"),
    ]
    return [handle for handle, _ in signs], [text for _, text in signs]
