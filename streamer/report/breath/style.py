"""Colours, sizes and words that the parts of a figure share.

The colours are those of Okabe and Ito, which colour-blind readers can distinguish; nothing rests on colour alone.
"""

from __future__ import annotations

from typing import Any

from streamer.model.reasons import Reason

INK, PALE, SHADE_1, SHADE_2 = "#222222", "#8a8a8a", "#f4f4f4", "#e6e6e6"
BLUE, GREEN, VERMILLION, ORANGE, SKY, PURPLE = "#0072B2", "#009E73", "#D55E00", "#E69F00", "#56B4E9", "#AA4499"
TITLE_PT, TEXT_PT, SMALL_PT, FOOTER_PT = 10.5, 9.0, 8.0, 7.5

STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so a figure looks the same everywhere
    "font.size": TEXT_PT,
    "axes.labelsize": TEXT_PT,
    "axes.titlesize": TITLE_PT,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "legend.fontsize": SMALL_PT,
    "hatch.linewidth": 0.6,
    "text.parse_math": False,  # a label is a label, be it "$"
    "svg.fonttype": "none",  # text stays text: searchable, and an editor can change it
    "svg.hashsalt": "ventstream",
    "pdf.fonttype": 42,
}


def withheld_text(reason: Reason) -> str:
    """The reason why something is not drawn, for a reader."""
    return f"withheld: {reason.meaning} ({reason.value})"
