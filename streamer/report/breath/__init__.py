"""A picture of one breath: volumetric capnogram, waveforms, numbers. Needs the extra ``ventstream[plot]``.

The picture measures nothing: curves and marks come from an ``Expirogram``, numbers from the record. A withheld number
is drawn nowhere; the table of numbers shows its reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from streamer.core.expirogram import expirogram_of
from streamer.core.metrics import MeasurementContext
from streamer.model.breath import Breath
from streamer.model.reasons import Reason
from streamer.model.records import BreathRecord
from streamer.report.breath import _expirogram, _numbers, _waves
from streamer.report.breath.drawing import MARGIN, NO_DEVICE, blank, fitted, in_style, rendered
from streamer.report.breath.style import FOOTER_PT, INK, TITLE_PT, VERMILLION, withheld_text

SIZE_IN = (10.0, 7.5)
NO_CO2 = frozenset({Reason.CO2_MISSING.value})


def breath_figure(
    breath: Breath, record: BreathRecord, given: MeasurementContext, *, caption: str, doubts: Sequence[str] = ()
) -> Figure:
    """Draw a breath that ``Bed`` passed to its observer; without a capnogram only pressure and flow.

    Args:
        breath: The breath, with flow.
        record: Its record.
        given: What it was measured with: context, breath before it, blood gas.
        caption: For the foot: which breath of which recording. Never a patient's identity.
        doubts: Words for what is doubtful about the recording.

    Examples:
        >>> from adapters.simulator import simulate
        >>> from streamer import Bed
        >>> seen = []
        >>> bed = Bed("bench", on_breath=lambda *one: seen.append(one))
        >>> for chunk in simulate("vcv_hold").chunks():
        ...     _ = bed.push(chunk)
        >>> rendered(breath_figure(*seen[3], caption="bench, breath 3"), ".png")[1:4]
        b'PNG'
    """
    with in_style():
        figure = blank(SIZE_IN)
        if breath.pco2 is None or {record.missing.get("petco2"), record.missing.get("co2_delay")} <= NO_CO2:
            _draw_waves_only(figure, breath)
        else:
            _draw_all(figure, breath, record, given)
        labels = f" · labels: {', '.join(sorted(record.flags))}" if record.flags else ""
        foot = f"{NO_DEVICE} · {caption}{labels}"
        fitted(figure, MARGIN, 0.004 if doubts else 0.014, foot, fontsize=FOOTER_PT, color=INK, va="bottom")
        if doubts:
            doubted = f"doubts: {', '.join(doubts)}"
            fitted(figure, MARGIN, 0.0195, doubted, fontsize=FOOTER_PT, color=VERMILLION, va="bottom")
    return figure


def _draw_all(figure: Figure, breath: Breath, record: BreathRecord, given: MeasurementContext) -> None:
    expirogram = expirogram_of(breath, record, given)
    _expirogram.draw(figure.add_axes((0.065, 0.525, 0.425, 0.42)), expirogram, record)
    _numbers.draw(figure.add_axes((0.025, 0.055, 0.575, 0.345)), record, given)
    panels = [figure.add_axes((0.69, bottom, 0.295, 0.255)) for bottom in (0.69, 0.39, 0.09)]
    _waves.draw(panels, breath, given)


def _draw_waves_only(figure: Figure, breath: Breath) -> None:
    figure.text(0.08, 0.96, f"Volumetric capnogram {withheld_text(Reason.CO2_MISSING)}", fontsize=TITLE_PT, va="center")
    _waves.draw([figure.add_axes((0.08, bottom, 0.88, 0.37)) for bottom in (0.54, 0.10)], breath, None)


__all__ = ["breath_figure", "rendered"]
