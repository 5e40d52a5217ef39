"""What is doubtful, at the head of every picture: it is passed on without its page."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from streamer.report._look import shortened
from streamer.report.breath.drawing import fitted
from streamer.report.breath.style import FOOTER_PT, VERMILLION
from streamer.study.results import Doubted

MOST = 5
"""Doubts that are written out; more are counted."""
LINE = 0.0135
"""Height of a line, as a share of the sheet."""
BELOW_TITLE = 0.968
LETTERS = 160
FEW = 2
"""Patients of one doubt that are named."""


def doubt_lines(doubts: Sequence[Doubted]) -> list[str]:
    """The first of them, a line each, those of several recordings once; then how many more there are."""
    patients: dict[str, list[str]] = {}
    for one in doubts:
        patients.setdefault(f"{one.doubt}", []).append(one.patient)
    lines = [f"{_whose(found)}: {text}" for text, found in patients.items()]
    more = len(lines) - MOST
    return lines if more <= 0 else [*lines[:MOST], f"\u2026 and {more} more, see the page"]


def room_for(doubts: Sequence[Doubted]) -> float:
    """How much of the sheet's height ``draw_doubts`` takes."""
    lines = len(doubt_lines(doubts))
    return (lines + 0.5) * LINE if lines else 0.0


def draw_doubts(figure: Figure, doubts: Sequence[Doubted]) -> None:
    """Write them under the title, each as far as the sheet is wide."""
    for place, text in enumerate(doubt_lines(doubts)):
        fitted(
            figure, 0.015, BELOW_TITLE - place * LINE, shortened(text, LETTERS), va="top", fontsize=FOOTER_PT,
            color=VERMILLION,
        )  # fmt: skip


def _whose(patients: Sequence[str]) -> str:
    known = list(dict.fromkeys(patients))
    more = len(known) - FEW
    return ", ".join(known) if more <= 0 else f"{', '.join(known[:FEW])} and {more} more"
