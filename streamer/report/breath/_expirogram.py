"""The volumetric capnogram: PCO2 over expired volume, phases, Fowler's line and its two areas, levels."""

from __future__ import annotations

import textwrap
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from streamer.core.expirogram import Expirogram, Line, Marks
from streamer.model.reasons import Reason
from streamer.model.records import BreathRecord
from streamer.report.breath._levels import draw_levels
from streamer.report.breath.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SHADE_1,
    SHADE_2,
    SKY,
    SMALL_PT,
    TEXT_PT,
    VERMILLION,
    withheld_text,
)

TITLE = "Volumetric capnogram"
TITLE_CHARACTERS = 66
ROOM_ABOVE, ROOM_BELOW = 1.10, -0.15
"""Ends of the axis of PCO2, as shares of the highest pressure drawn; below zero stand the volumes."""
DIMENSIONS_AT = -0.075


class Frame(NamedTuple):
    """What the axes span: highest pressure drawn in mmHg, expired volume in mL."""

    top: float
    expired_ml: float


def draw(axes: Axes, expirogram: Expirogram | None, record: BreathRecord) -> None:
    """Draw the curve; phases, dead space and slopes only where the dead space is not withheld."""
    if expirogram is None:
        _title(axes, Reason(record.missing["vd_aw"]))  # type: ignore[call-arg]  # looks up a member
        axes.set(xlabel="Expired volume (mL)", ylabel="PCO₂ (mmHg)", xticks=[], yticks=[])
        return
    pressures = np.concatenate([expirogram.pco2_mmhg, list(expirogram.levels.values()), [10.0]])
    frame = Frame(float(np.max(pressures)), expirogram.expired_ml)
    axes.set_xlim(0.0, frame.expired_ml)
    axes.set_ylim(ROOM_BELOW * frame.top, ROOM_ABOVE * frame.top)
    axes.set(xlabel="Expired volume (mL)", ylabel="PCO₂ (mmHg)")
    axes.set_yticks([tick for tick in axes.get_yticks() if 0.0 <= tick <= ROOM_ABOVE * frame.top])
    marks = expirogram.marks
    if marks is None:
        _title(axes, expirogram.withheld)
    else:
        _draw_phases(axes, marks, frame)
        _draw_areas(axes, expirogram, marks)
        _draw_lines(axes, marks, frame)
        _draw_volumes(axes, marks, frame)
    colour = BLUE if expirogram.levels else PALE
    axes.plot(expirogram.sample_ml, expirogram.sample_mmhg, ".", color=colour, ms=2.6, label="samples", zorder=4)
    axes.plot(expirogram.volume_ml, expirogram.pco2_mmhg, color=colour, lw=1.5, label="mean of 1/200 of VT", zorder=4)
    if marks is not None:
        _draw_labels(axes, expirogram, marks, record, frame)
    draw_levels(axes, expirogram.levels)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.56, -0.13), ncols=3, frameon=False, handlelength=1.8,
        columnspacing=1.2, borderaxespad=0.0,
    )  # fmt: skip


def _title(axes: Axes, reason: Reason | None) -> None:
    text = TITLE if reason is None else f"{TITLE} {withheld_text(reason)}"
    axes.set_title(textwrap.fill(text, TITLE_CHARACTERS), fontsize=TEXT_PT)


def _draw_phases(axes: Axes, marks: Marks, frame: Frame) -> None:
    """Shades, and the phases' names above; II and III are one where their border is withheld."""
    first, second, end = marks.phase_1_ml, marks.phase_2_ml, frame.expired_ml
    spans = [("I", 0.0, first, SHADE_1)]
    if second is None:
        spans.append(("II and III", first, end, "white"))
    else:
        spans += [("II", first, second, SHADE_2), ("III", second, end, "white")]
    for name, low, high, shade in spans:
        axes.axvspan(low, high, color=shade, lw=0, zorder=0)
        prefix = "phase " if name != "II" else ""
        axes.text(
            (low + high) / 2.0, 1.015, prefix + name, transform=axes.get_xaxis_transform(), ha="center", va="bottom"
        )


def _draw_areas(axes: Axes, expirogram: Expirogram, marks: Marks) -> None:
    """P below the curve before Fowler's line, q above it after."""
    dead, floor = marks.dead_ml, expirogram.inspired_mmhg
    volume = np.unique(np.append(expirogram.volume_ml, [0.0, dead, expirogram.expired_ml]))
    curve = np.interp(volume, expirogram.volume_ml, expirogram.pco2_mmhg)
    before, after = volume <= dead, volume >= dead
    line = marks.phase_3.start + marks.phase_3.slope * volume / 1000.0
    axes.fill_between(
        volume[before], floor, curve[before], facecolor=f"{ORANGE}80", edgecolor=ORANGE, hatch="////", lw=0,
        label="p = q: equal areas", zorder=2,
    )  # fmt: skip
    axes.fill_between(
        volume[after], curve[after], line[after], facecolor=f"{SKY}80", edgecolor=BLUE, hatch="\\\\\\\\", lw=0, zorder=2
    )


def _draw_lines(axes: Axes, marks: Marks, frame: Frame) -> None:
    line = marks.phase_3
    _draw_line(axes, line, 0.0, frame.expired_ml, color=GREEN, lw=1.0, ls=(0, (4, 2)), zorder=5)
    _draw_line(axes, line, line.from_ml, line.to_ml, color=GREEN, lw=2.2, zorder=6, label="phase III, fitted range")
    if marks.tangent is not None:
        low, high = marks.tangent.from_ml, marks.tangent.to_ml
        _draw_line(axes, marks.tangent, low, high, color=PURPLE, lw=1.2, ls="--", zorder=5, label="tangent of phase II")


def _draw_line(axes: Axes, line: Line, low_ml: float, high_ml: float, **style: object) -> None:
    axes.plot([low_ml, high_ml], [line.at(low_ml), line.at(high_ml)], **style)  # type: ignore[arg-type]


def _draw_volumes(axes: Axes, marks: Marks, frame: Frame) -> None:
    """Fowler's line, and below the axis what it divides the expired volume into."""
    axes.axvline(marks.dead_ml, color=VERMILLION, lw=1.6, zorder=5, label="Fowler's line")
    axes.axhline(0.0, color=INK, lw=0.6, zorder=1)
    for low, high in ((0.0, marks.dead_ml), (marks.dead_ml, frame.expired_ml)):
        at = DIMENSIONS_AT * frame.top
        axes.annotate(
            "",
            (low, at),
            (high, at),
            arrowprops={"arrowstyle": "<->", "color": INK, "lw": 0.8, "shrinkA": 0, "shrinkB": 0},
        )


def _draw_labels(axes: Axes, expirogram: Expirogram, marks: Marks, record: BreathRecord, frame: Frame) -> None:
    """The fitted curve and every word within the axes."""
    axes.plot(expirogram.volume_ml, marks.fitted_mmhg, color=INK, lw=0.8, ls=":", zorder=5, label="fitted curve")
    below: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": SMALL_PT}
    spans = (("VDaw", "vd_aw", 0.0, marks.dead_ml), ("VTalv", "vt_alv", marks.dead_ml, frame.expired_ml))
    for symbol, key, low, high in spans:
        if key in record.values:
            text = f"{symbol} {record.values[key]:.0f} mL"
            axes.text((low + high) / 2.0, (DIMENSIONS_AT - 0.01) * frame.top, text, **below)
    line, tangent = marks.phase_3, marks.tangent
    if "slope_3" in record.values:
        middle = (line.from_ml + line.to_ml) / 2.0
        text, at = f"SIII {record.values['slope_3']:.1f} mmHg/L", line.at(middle) - 0.10 * frame.top
        axes.text(middle, at, text, color=GREEN, ha="center", va="top", fontsize=SMALL_PT, zorder=7)
    if tangent is not None and "slope_2" in record.values:
        text = f"SII {record.values['slope_2']:.0f} mmHg/L"
        at_ml = marks.dead_ml + 0.05 * frame.expired_ml
        axes.text(at_ml, 0.12 * frame.top, text, color=PURPLE, ha="left", va="center", fontsize=SMALL_PT, zorder=7)
