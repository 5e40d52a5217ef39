"""Pressures as horizontal levels, named beside the axes."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from streamer.core.expirogram import ARTERIAL
from streamer.report.breath.label_layout import spread
from streamer.report.breath.style import GREEN, INK, PURPLE, SMALL_PT, VERMILLION

LEVELS = {
    ARTERIAL: ("PaCO₂ {:.1f} arterial", VERMILLION, "--"),
    "petco2": ("PETCO₂ {:.1f}", INK, ":"),
    "pco2_alv": ("PACO₂ {:.1f} alveolar", GREEN, "-."),
    "pco2_mixed_exp": ("PĒCO₂ {:.1f}", PURPLE, (0, (6, 2))),
}
APART = 0.052
"""Smallest distance between two names, as a share of the axis."""


def draw_levels(axes: Axes, levels: Mapping[str, float]) -> None:
    """A thin line across at each level, and its name on the right; names that would overlap are moved apart."""
    low, high = axes.get_ylim()
    keys = sorted(levels, key=levels.__getitem__)
    places = spread([levels[key] for key in keys], APART * (high - low))
    for key, place in zip(keys, places, strict=True):
        text, colour, style = LEVELS[key]
        axes.axhline(levels[key], color=colour, lw=0.9, ls=style, zorder=3)
        axes.annotate(
            text.format(levels[key]), (1.0, levels[key]), xycoords=("axes fraction", "data"), xytext=(1.035, place),
            textcoords=("axes fraction", "data"), va="center", fontsize=SMALL_PT, color=colour, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "shrinkA": 1, "shrinkB": 0},
        )  # fmt: skip
