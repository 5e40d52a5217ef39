"""The lane of events above a figure: positions, time points and events of one patient along the hours."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from streamer.report._look import shortened
from streamer.report._numbers import Row, rows
from streamer.report.breath.label_layout import within
from streamer.report.breath.style import INK, PALE, PURPLE, SKY, SMALL_PT, VERMILLION
from streamer.study.placing import POSITIONS
from streamer.study.results import Results

GAS = "blood_gas"
TURNED = POSITIONS[0]
TURNED_SHADE, POINT_SHADE = "#e9f1f8", "#dcdcdc"
KINDS: dict[str, dict[str, Any]] = {
    "prone": {"color": INK, "lw": 1.0},
    "supine": {"color": INK, "lw": 1.0},
    "recruitment": {"color": PURPLE, "lw": 1.0, "ls": (0, (5, 2))},
    "settings": {"color": SKY, "lw": 1.1, "ls": (0, (4, 1, 1, 1))},
    "suction": {"color": PALE, "lw": 0.9, "ls": (0, (1, 1.5))},
    "note": {"color": PALE, "lw": 0.9, "ls": (0, (5, 2))},
}
"""Kind of event → style of its line, the most important first: names at the end are dropped if room is short."""
MOST_LABELS = 22
"""Names that have room along one panel."""
LETTERS = 14
"""Letters written of a name."""
TOGETHER = 0.01
"""Events of one kind share a name if they are closer than this share of the figure's width."""


class Mark(NamedTuple):
    """A name over the panels; ``kind`` is empty for a time point."""

    hours: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Course:
    """Events and windows of one patient, in hours from time 0.

    Attributes:
        low: First hour of the figure.
        high: Last hour of the figure.
        points: Label of a time point → its window.
        turned: Spans in prone position.
        events: Events without the blood gases.
        gases: Hours of the draws.
    """

    low: float
    high: float
    points: dict[str, tuple[float, float]]
    turned: list[tuple[float, float]]
    events: list[Row]
    gases: list[float]

    @property
    def shades(self) -> dict[str, str]:
        """What shades there are → their colour."""
        found = {TURNED: TURNED_SHADE} if self.turned else {}
        return found | ({"time point": POINT_SHADE} if self.points else {})


def course_of(results: Results, patient: str) -> Course:
    """What the figure of a patient has to show beside the numbers."""
    told = sorted(
        (row for row in rows(results.events) if row["patient"] == patient and row["hours"] is not None),
        key=lambda row: float(row["hours"]),
    )
    points = {
        row["point"]: (row["from_hours"], row["to_hours"])
        for row in rows(results.values)
        if row["patient"] == patient and row["from_hours"] is not None and row["to_hours"] is not None
    }
    hours = [row["hours"] for row in rows(results.trend) if row["patient"] == patient]
    hours += [row["hours"] for row in told] + [edge for edges in points.values() for edge in edges]
    low, high = (min(hours), max(hours)) if hours else (0.0, 1.0)
    room = 0.02 * (high - low) or 0.5
    return Course(
        low=low - room,
        high=high + room,
        points=points,
        turned=_turned(told, high + room),
        events=[row for row in told if row["kind"] != GAS],
        gases=[row["hours"] for row in told if row["kind"] == GAS],
    )


def _turned(told: list[Row], end: float) -> list[tuple[float, float]]:
    turns = [(float(row["hours"]), row["kind"]) for row in told if row["kind"] in POSITIONS]
    ends = [*(hours for hours, _ in turns), end]
    return [(hours, ends[place + 1]) for place, (hours, kind) in enumerate(turns) if kind == TURNED]


def draw_shades(axes: Axes, course: Course) -> None:
    """Behind a panel: position and time points shaded, events as lines."""
    for start, end in course.turned:
        axes.axvspan(start, end, color=TURNED_SHADE, lw=0, zorder=0)
    for start, end in course.points.values():
        axes.axvspan(start, end, color=POINT_SHADE, lw=0, zorder=1)
    for event in course.events:
        axes.axvline(event["hours"], zorder=2, **KINDS.get(event["kind"], KINDS["note"]))


def draw_lane(axes: Axes, course: Course) -> None:
    """Over a column of panels: names of events and time points, blood gases at its foot."""
    axes.set_axis_off()
    axes.set_xlim(course.low, course.high)
    axes.set_ylim(0.0, 1.0)
    axes.plot(course.gases, [0.03] * len(course.gases), ls="", marker="v", ms=4.5, color=VERMILLION, clip_on=False)
    marks = _named(course)
    apart = (course.high - course.low) / MOST_LABELS
    places = within([mark.hours for mark in marks], apart, course.low + apart / 2.0, course.high - apart / 2.0)
    for mark, place in zip(marks, places, strict=True):
        style = {"color": INK, "lw": 0.6} if not mark.kind else {**KINDS.get(mark.kind, KINDS["note"]), "lw": 0.7}
        axes.plot([mark.hours, mark.hours, place], [0.0, 0.1, 0.24], clip_on=False, **style)
        weight = "normal" if mark.kind else "bold"
        axes.text(place, 0.27, mark.text, rotation=90, ha="center", va="bottom", fontsize=SMALL_PT - 1, weight=weight)


def _named(course: Course) -> list[Mark]:
    """Names in the order of hours: of the time points, and of as many events as there is room for."""
    found = [Mark((start + end) / 2.0, "", shortened(label, LETTERS)) for label, (start, end) in course.points.items()]
    order = {kind: place for place, kind in enumerate(KINDS)}
    found += sorted(_together(course), key=lambda mark: order.get(mark.kind, len(order)))
    return sorted(found[:MOST_LABELS], key=lambda mark: mark.hours)


def _together(course: Course) -> list[Mark]:
    """Events, neighbours of the same kind joined into one mark with their number."""
    near, found = TOGETHER * (course.high - course.low), []
    for kind, same in groupby(sorted(course.events, key=lambda row: str(row["kind"])), key=lambda row: row["kind"]):
        runs: list[list[float]] = []
        for hours in (float(row["hours"]) for row in same):
            if runs and hours - runs[-1][-1] < near:
                runs[-1].append(hours)
            else:
                runs.append([hours])
        for run in runs:
            times = f" \u00d7{len(run)}" if len(run) > 1 else ""
            found.append(Mark(run[0], kind, f"{shortened(kind, LETTERS)}{times}"))
    return found
