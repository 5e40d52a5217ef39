"""The course of one patient over all recordings: one panel a quantity, measured and estimated together."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from streamer.report._doubts import draw_doubts, room_for
from streamer.report._events import Course, course_of, draw_lane, draw_shades
from streamer.report._look import PAGE_IN, drawable, few_ticks, frame, named, nothing, y_range
from streamer.report._numbers import Row, rows, typeset, unit
from streamer.report.breath.drawing import blank, in_style
from streamer.report.breath.style import BLUE, INK, ORANGE, SMALL_PT, VERMILLION
from streamer.study.quantities import QUANTITIES, Quantity, Rule
from streamer.study.results import Results

PANELS = (
    ("pf_ratio",), ("pplat", "pplat_est"),
    ("petco2", "pco2_art_mmhg"), ("driving_pressure", "driving_pressure_est"),
    ("vd_vt_bohr",), ("crs", "crs_est"),
    ("vd_vt_enghoff",), ("vt_exp",),
    ("vd_aw",), ("rr",),
    ("mp",), ("peep",),
)  # fmt: skip
"""Panels from left to right, then down; the first quantity names a panel that draws two."""
TITLES: dict[tuple[str, ...], str] = {("petco2", "pco2_art_mmhg"): "PetCO2, and PaCO2 of blood gases"}
COLUMNS = 2
LANE = 0.74
"""Height of the lane of events against that of a panel."""
GAP = 1.5
"""Bins further apart than this multiple of their usual distance are not joined by a line."""


class Way(NamedTuple):
    """Origin of a number (breaths, holds, blood gas) and the style that shows it."""

    text: str
    style: dict[str, Any]


BREATHS = Way("breaths", {"color": BLUE, "lw": 1.3})
ESTIMATES = Way("breaths, estimated", {"color": ORANGE, "lw": 1.3})
HOLDS = Way("holds", {"color": INK, "ls": "", "marker": "o", "ms": 3.6})
GASES = Way("at a blood gas", {"color": VERMILLION, "ls": "", "marker": "D", "ms": 4.2})
WAYS = (BREATHS, ESTIMATES, HOLDS, GASES)


def trend_figure(results: Results, patient: str) -> Figure:
    """Draw the figure; hours count from time 0, the event after the baseline."""
    course = course_of(results, patient)
    doubts = [one for one in results.doubts if one.patient == patient]
    top = 0.96 - room_for(doubts)
    trend: dict[str, list[Row]] = {}
    for row in rows(results.trend):
        if row["patient"] == patient:
            trend.setdefault(row["quantity"], []).append(row)
    lines = len(PANELS) // COLUMNS
    with in_style():
        figure = blank(PAGE_IN)
        frame(figure, results, f"{patient}: the whole session")
        draw_doubts(figure, doubts)
        spec = {"height_ratios": [LANE, *[1.0] * lines], "left": 0.08, "right": 0.985, "top": top, "bottom": 0.092}
        grid = figure.subplots(
            lines + 1, COLUMNS, sharex=True, squeeze=False, gridspec_kw={**spec, "hspace": 0.3, "wspace": 0.2}
        )
        for axes in grid[0]:
            draw_lane(axes, course)
        for axes, names in zip(grid[1:].flat, PANELS, strict=True):
            _draw(axes, names, trend, course)
        for axes in grid[-1]:
            axes.set_xlabel("hours from the event after the baseline", fontsize=SMALL_PT, labelpad=2.0)
        figure.align_ylabels()
        figure.legend(
            handles=_legend(course), loc="lower center", bbox_to_anchor=(0.5, 0.022), ncols=6, frameon=False,
            columnspacing=1.6, handlelength=2.0,
        )  # fmt: skip
    return figure


def _draw(axes: Axes, names: tuple[str, ...], trend: dict[str, list[Row]], course: Course) -> None:
    first = QUANTITIES[names[0]]
    found = {name: trend[name] for name in names if any(row["value"] is not None for row in trend.get(name, ()))}
    named(axes, typeset(TITLES.get(names, _title(names, found))), unit(first))
    axes.set_xlim(course.low, course.high)
    draw_shades(axes, course)
    values = [row["value"] for kept in found.values() for row in kept if row["value"] is not None]
    axes.set_ylim(*y_range(values, first))
    few_ticks(axes, 4)
    if not values:
        nothing(axes, "no value")
    for name in reversed(found):  # what is measured lies above what is estimated
        _draw_course(axes, found[name], _way(QUANTITIES[name]).style)


def _title(names: tuple[str, ...], found: dict[str, list[Row]]) -> str:
    """Title of a panel: the only quantity it shows, else the first. An estimate never has the name of a measurement."""
    return QUANTITIES[next(iter(found)) if len(found) == 1 else names[0]].label


def _way(quantity: Quantity) -> Way:
    if quantity.rule is Rule.HOLDS:
        return HOLDS
    if quantity.rule in {Rule.GAS, Rule.DRAW}:
        return GASES
    return ESTIMATES if quantity.name.endswith("_est") else BREATHS


def _draw_course(axes: Axes, found: list[Row], style: dict[str, Any]) -> None:
    """A line that breaks at missing bins and where method or sensor change; a bin between two breaks is a point."""
    hours = np.array([row["hours"] for row in found], dtype=float)
    values = np.array([row["value"] for row in found], dtype=float)
    kept = np.isfinite(values)
    ways = [(row["method"], row["sensor"]) for row, is_kept in zip(found, kept, strict=True) if is_kept]
    hours, values = hours[kept], values[kept]
    if "marker" in style:
        axes.plot(hours, values, zorder=4, **style)
        return
    steps = np.diff(hours)
    usual = float(np.median(steps)) if steps.size else 0.0
    is_other = np.array([after != before for before, after in pairwise(ways)], dtype=bool)
    pieces = np.split(np.arange(hours.size), np.flatnonzero((steps > GAP * usual) | is_other) + 1)
    for piece in pieces:
        alone: dict[str, Any] = {"marker": ".", "ms": 4.0} if piece.size == 1 else {}
        axes.plot(hours[piece], values[piece], zorder=3, **style, **alone)


def _legend(course: Course) -> list[Line2D | Patch]:
    ways: list[Line2D | Patch] = [Line2D([], [], label=way.text, **way.style) for way in WAYS]
    return ways + [Patch(color=colour, label=drawable(text)) for text, colour in course.shades.items()]
