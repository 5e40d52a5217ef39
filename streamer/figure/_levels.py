"""Pressures as horizontal levels, named beside the axes. Floor 3."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from streamer.expirogram import ARTERIAL
from streamer.figure.style import GREEN, INK, PURPLE, SMALL_PT, VERMILLION

LEVELS = {
    ARTERIAL: ("PaCO₂ {:.1f} arterial", VERMILLION, "--"),
    "petco2": ("PETCO₂ {:.1f}", INK, ":"),
    "pco2_alv": ("PACO₂ {:.1f} alveolar", GREEN, "-."),
    "pco2_mixed_exp": ("PĒCO₂ {:.1f}", PURPLE, (0, (6, 2))),
}
APART = 0.052
"""Between two names, as a share of the axis."""


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


def spread(places: list[float], apart: float) -> list[float]:
    """Ascending places, each moved as little as need be until neighbours are ``apart``.

    Places that are too close become a block around their common middle; blocks that then touch become one.
    """
    blocks: list[list[float]] = []
    for place in places:
        blocks.append([place])
        while len(blocks) > 1 and _first(blocks[-1], apart) - _last(blocks[-2], apart) < apart:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    return [_first(block, apart) + apart * number for block in blocks for number in range(len(block))]


def _first(block: list[float], apart: float) -> float:
    return sum(block) / len(block) - apart * (len(block) - 1) / 2.0


def _last(block: list[float], apart: float) -> float:
    return _first(block, apart) + apart * (len(block) - 1)
