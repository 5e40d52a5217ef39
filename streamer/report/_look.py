"""The look of patients, values and axes in every figure of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import MaxNLocator

from streamer.report.breath.drawing import NO_DEVICE
from streamer.report.breath.style import (
    BLUE,
    FOOTER_PT,
    GREEN,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    SMALL_PT,
    STYLE,
    TEXT_PT,
    TITLE_PT,
    VERMILLION,
)
from streamer.study.quantities import Quantity
from streamer.study.results import Results

COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
"""Two more than there are colours, so a pair of colour and marker repeats only after 63 patients."""
PAGE_IN = (7.5, 10.2)
"""A4 less its margins."""
MANY = 10
"""With this many patients or more, a figure emphasises medians with quartiles."""
LEAST_CHANGES = 4.0
"""An axis spans at least this many smallest changes, so that a difference too small to count does not look like one."""
ROOM = 0.12
"""Margin above and below the values, as a share of their range."""
TITLE_LETTERS = 50
"""Letters of a title that fit beside the mark of simulated patients."""
SIMULATED = "Synthetic: simulated patients"


class Look(NamedTuple):
    """Colour and marker of one patient, the same in every panel."""

    colour: str
    marker: str


def looks(patients: Sequence[str]) -> dict[str, Look]:
    """Patient → its look."""
    return {
        patient: Look(COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)])
        for place, patient in enumerate(patients)
    }


def drawable(text: str) -> str:
    """A user's text, with ``□`` for each letter that the font lacks; matplotlib would warn of each."""
    known = get_font(findfont(FontProperties(family=STYLE["font.family"]))).get_charmap()
    return "".join(letter if ord(letter) in known and letter.isprintable() else "\u25a1" for letter in text)


def shortened(text: str, letters: int) -> str:
    """A user's text, cut to ``letters`` with an ellipsis."""
    shown = drawable(text)
    return shown if len(shown) <= letters else f"{shown[: letters - 1]}\u2026"


def y_range(values: Sequence[float], quantity: Quantity) -> tuple[float, float]:
    """Lower and upper end of an axis for these values; (0, 1) if there are none."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    span = max(high - low, LEAST_CHANGES * quantity.smallest_change(max(abs(low), abs(high))))
    middle = 0.5 * (low + high)
    half = (0.5 + ROOM) * (span or 1.0)
    return middle - half, middle + half


def few_ticks(axes: Axes, count: int) -> None:
    """Put about ``count`` ticks on the axis of values, at round numbers."""
    axes.yaxis.set_major_locator(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]))


def named(axes: Axes, label: str, unit: str) -> None:
    """Write the label above the panel and the unit along its axis; a ratio has no unit."""
    axes.set_title(label, fontsize=TEXT_PT, pad=4.0, y=1.0)  # a place of its own: else each drawing seeks one
    axes.set_ylabel(unit, fontsize=SMALL_PT, color=INK, labelpad=2.0)


def frame(figure: Figure, results: Results, title: str) -> None:
    """Write title, safety note and, if so, that patients are simulated: a picture may be shared without its page."""
    figure.text(0.015, 0.99, shortened(title, TITLE_LETTERS), fontsize=TITLE_PT, weight="bold", va="top")
    if results.is_simulated:
        figure.text(0.985, 0.99, SIMULATED, fontsize=TITLE_PT, weight="bold", color=VERMILLION, va="top", ha="right")
    figure.text(0.015, 0.006, NO_DEVICE, fontsize=FOOTER_PT, color=PALE, va="bottom")


def nothing(axes: Axes, text: str) -> None:
    """Write ``text`` into a panel that has no values."""
    axes.set_yticks([])
    box = {"facecolor": "white", "edgecolor": "none", "pad": 2.0}
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=INK, bbox=box, zorder=6)
