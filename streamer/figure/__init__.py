"""A picture of one breath: volumetric capnogram, waveforms, numbers. Floor 3; needs the extra ``ventstream[plot]``.

    figure = breath_figure(breath, record, given, caption="bench · breath 34")
    Path("breath.svg").write_bytes(rendered(figure, ".svg"))

Nothing here measures: curves and marks are an ``Expirogram``, numbers the record's. A number that is withheld is drawn
nowhere. Figures are made without pyplot, so there is no window, no current figure and no state between two calls.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from matplotlib import rc_context, rcParamsDefault
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from streamer.breath import Breath
from streamer.expirogram import expirogram_of
from streamer.figure import _expirogram, _numbers, _waves
from streamer.figure._style import FOOTER_PT, INK, STYLE, TITLE_PT, withheld_text
from streamer.metrics import Given
from streamer.reasons import Reason
from streamer.records import BreathRecord

SIZE_IN = (10.0, 7.5)
DPI = 160.0
"""1600 x 1200 pixels; still legible at 1200 x 900."""
UNDATED: dict[str, dict[str, Any]] = {
    ".png": {"Software": "ventstream"},
    ".svg": {"Date": None, "Creator": "ventstream"},
    ".pdf": {"CreationDate": None, "Creator": "ventstream", "Producer": None},
}
"""Suffix → what the file says of itself: not when it was made, so that the same breath gives the same file."""
CANVASES = {".png": FigureCanvasAgg, ".svg": FigureCanvasSVG, ".pdf": FigureCanvasPdf}
NO_CO2 = frozenset({Reason.CO2_MISSING.value})


def breath_figure(breath: Breath, record: BreathRecord, given: Given, *, caption: str) -> Figure:
    """Draw a breath as ``Bed`` hands it to its observer; without a capnogram only its pressure and flow.

    Args:
        breath: The breath, with flow.
        record: What was found in it.
        given: What it was measured against.
        caption: For the foot: which breath of which recording. Never a patient's identity.
    """
    with rc_context(_style()):
        figure = Figure(figsize=SIZE_IN, dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        if breath.pco2 is None or {record.missing.get("petco2"), record.missing.get("co2_delay")} <= NO_CO2:
            _draw_waves_only(figure, breath)
        else:
            _draw_all(figure, breath, record, given)
        labels = f" · labels: {', '.join(sorted(record.flags))}" if record.flags else ""
        foot = f"{caption}{labels} · ventstream, research software, not a medical device"
        figure.text(0.015, 0.014, foot, fontsize=FOOTER_PT, color=INK, va="bottom")
    return figure


def rendered(figure: Figure, suffix: str) -> bytes:
    """The figure as a file's content; ``suffix`` is one of ``CANVASES``."""
    out = BytesIO()
    with rc_context(_style()):
        CANVASES[suffix](figure).print_figure(out, format=suffix[1:], dpi=DPI, metadata=UNDATED[suffix])
    return out.getvalue()


def _style() -> Any:
    """Ours over matplotlib's own: not over what a user's configuration made of them, but for the window system."""
    others = ("backend", "webagg", "toolbar")
    return {key: value for key, value in rcParamsDefault.items() if not key.startswith(others)} | STYLE


def _draw_all(figure: Figure, breath: Breath, record: BreathRecord, given: Given) -> None:
    expirogram = expirogram_of(breath, record, given)
    _expirogram.draw(figure.add_axes((0.065, 0.525, 0.425, 0.42)), expirogram, record)
    _numbers.draw(figure.add_axes((0.025, 0.055, 0.575, 0.345)), record, given)
    panels = [figure.add_axes((0.69, bottom, 0.295, 0.255)) for bottom in (0.69, 0.39, 0.09)]
    _waves.draw(panels, breath, given)


def _draw_waves_only(figure: Figure, breath: Breath) -> None:
    figure.text(0.08, 0.96, f"Volumetric capnogram {withheld_text(Reason.CO2_MISSING)}", fontsize=TITLE_PT, va="center")
    _waves.draw([figure.add_axes((0.08, bottom, 0.88, 0.37)) for bottom in (0.54, 0.10)], breath, None)
