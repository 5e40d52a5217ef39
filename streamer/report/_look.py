"""How patients, values and axes look in every figure of a report."""

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
"""As many as colours and two: a pair comes again only after all 63."""
PAGE_IN = (7.5, 10.2)
"""A4 less its margins."""
MANY = 10
"""From so many patients on, a figure shows medians with quartiles above all."""
LEAST_CHANGES = 4.0
"""An axis spans at least so many of the smallest change that is told: what is no change does not look like one."""
ROOM = 0.12
"""Above and below the values, as a share of what they span."""
TITLE_LETTERS = 50
"""What has room beside the next."""
SIMULATED = "Synthetic: simulated patients"


class Look(NamedTuple):
    """Of one patient, the same in every panel; never colour alone."""

    colour: str
    marker: str


def looks(patients: Sequence[str]) -> dict[str, Look]:
    """Patient → its look."""
    return {
        patient: Look(COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)])
        for place, patient in enumerate(patients)
    }


def drawable(text: str) -> str:
    """A user's text with what the font does not have as ``□``: else a box would stand there, with a warning."""
    known = get_font(findfont(FontProperties(family=STYLE["font.family"]))).get_charmap()
    return "".join(letter if ord(letter) in known and letter.isprintable() else "\u25a1" for letter in text)


def shortened(text: str, letters: int) -> str:
    """As much of a user's text as there is room for."""
    shown = drawable(text)
    return shown if len(shown) <= letters else f"{shown[: letters - 1]}\u2026"


def y_range(values: Sequence[float], quantity: Quantity) -> tuple[float, float]:
    """Ends of an axis about these values; (0, 1) about none."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    span = max(high - low, LEAST_CHANGES * quantity.smallest_change(max(abs(low), abs(high))))
    middle = 0.5 * (low + high)
    half = (0.5 + ROOM) * (span or 1.0)
    return middle - half, middle + half


def few_ticks(axes: Axes, count: int) -> None:
    """So many labelled places on the axis of values, at round numbers."""
    axes.yaxis.set_major_locator(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]))


def named(axes: Axes, label: str, unit: str) -> None:
    """Over the panel what it shows, along its axis the unit; a ratio has none."""
    axes.set_title(label, fontsize=TEXT_PT, pad=4.0, y=1.0)  # a place of its own: else each drawing seeks one
    axes.set_ylabel(unit, fontsize=SMALL_PT, color=INK, labelpad=2.0)


def frame(figure: Figure, results: Results, title: str) -> None:
    """Title, foot, and across the head whether patients were simulated: a picture is passed on without its page."""
    figure.text(0.015, 0.99, shortened(title, TITLE_LETTERS), fontsize=TITLE_PT, weight="bold", va="top")
    if results.is_simulated:
        figure.text(0.985, 0.99, SIMULATED, fontsize=TITLE_PT, weight="bold", color=VERMILLION, va="top", ha="right")
    figure.text(0.015, 0.006, NO_DEVICE, fontsize=FOOTER_PT, color=PALE, va="bottom")


def nothing(axes: Axes, text: str) -> None:
    """A panel that has nothing to show says so."""
    axes.set_yticks([])
    box = {"facecolor": "white", "edgecolor": "none", "pad": 2.0}
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=INK, bbox=box, zorder=6)
