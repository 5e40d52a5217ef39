"""Make and write every picture of this project. Needs the extra ``ventstream[plot]``.

Figures are made without pyplot, so there is no window, no current figure and no state between two calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from io import BytesIO
from typing import Any

from matplotlib import rc_context, rcParamsDefault
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from streamer.report.breath.style import STYLE

DPI = 160.0
"""Of 10 by 7.5 inches 1600 x 1200 pixels; still legible at 1200 x 900."""
MARGIN = 0.015
"""Of a sheet, as a share of its width."""
NO_DEVICE = "ventstream, research software, not a medical device"
UNDATED: dict[str, dict[str, Any]] = {
    ".png": {"Software": "ventstream"},
    ".svg": {"Date": None, "Creator": "ventstream"},
    ".pdf": {"CreationDate": None, "Creator": "ventstream", "Producer": None},
}
"""Suffix → metadata of the file. Without a date, so that the same picture gives the same bytes."""
CANVASES = {".png": FigureCanvasAgg, ".svg": FigureCanvasSVG, ".pdf": FigureCanvasPdf}


def in_style() -> AbstractContextManager[None]:
    """Draw with our style on top of matplotlib's defaults. A user's own settings do not apply, except the backend's."""
    others = ("backend", "webagg", "toolbar")
    usual = {key: value for key, value in rcParamsDefault.items() if not key.startswith(others)}
    return rc_context(usual | STYLE)  # type: ignore[arg-type]  # names of settings are not literals here


def blank(size_in: tuple[float, float]) -> Figure:
    """A white figure of this size in inches, to be drawn on within ``in_style``."""
    figure = Figure(figsize=size_in, dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def fitted(figure: Figure, x: float, y: float, text: str, **style: Any) -> None:
    """Write a line from ``x``, ``y``, shares of the sheet, shortened to end before its right margin."""
    written = figure.text(x, y, text, **style)
    room = (1.0 - MARGIN - x) * figure.bbox.width
    while (width := written.get_window_extent().width) > room and len(text) > 1:
        text = text[: min(int(len(text) * room / width), len(text) - 1)]
        written.set_text(f"{text.rstrip()}\u2026")


def rendered(figure: Figure, suffix: str) -> bytes:
    """Content of a file with the figure; ``suffix`` is ``.png``, ``.svg`` or ``.pdf``."""
    out = BytesIO()
    with in_style():
        CANVASES[suffix](figure).print_figure(out, format=suffix[1:], dpi=DPI, metadata=UNDATED[suffix])
    return out.getvalue()


def bound(figures: Sequence[Figure]) -> bytes:
    """Content of one PDF with the figures, a page each."""
    out = BytesIO()
    with in_style(), PdfPages(out, metadata=UNDATED[".pdf"]) as pages:
        for figure in figures:
            pages.savefig(figure, dpi=DPI)
    return out.getvalue()
