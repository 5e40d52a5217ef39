"""Pressure, flow and PCO2 of one breath over time, with the onset of expiration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from streamer.core.metrics import MeasurementContext
from streamer.model.breath import Breath
from streamer.model.chunk import FloatArray
from streamer.model.reasons import Reason
from streamer.report.breath.style import BLUE, GREEN, INK, PALE, SHADE_2, SMALL_PT, VERMILLION


def draw(panels: Sequence[Axes], breath: Breath, given: MeasurementContext | None) -> None:
    """Pressure, flow and, in a third panel, PCO2; time counts from the onset of inspiration."""
    time_s = breath.onset_s - breath.start_s + np.arange(breath.flow.size) / breath.rate_hz
    is_dry = given is not None and given.context.co2_scale == "dry"
    waves: list[tuple[str, FloatArray | None, str, Reason]] = [
        ("Paw (cmH₂O)", breath.paw, VERMILLION, Reason.PAW_MISSING),
        ("Flow (L/s)", breath.flow, GREEN, Reason.FLOW_MISSING),
        ("PCO₂, dry gas (mmHg)" if is_dry else "PCO₂ (mmHg)", breath.pco2, BLUE, Reason.CO2_MISSING),
    ]
    turn_s, end_s = breath.insp_end_s - breath.start_s, breath.end_s - breath.start_s
    for axes, (label, samples, colour, absent) in zip(panels, waves, strict=False):
        axes.axvspan(0.0, turn_s, color=SHADE_2, lw=0)
        axes.axvline(turn_s, color=INK, lw=0.9, ls=(0, (4, 2)))
        axes.set_ylabel(label)
        axes.set_xlim(min(0.0, time_s[0]), max(end_s, time_s[-1]))
        axes.margins(y=0.08)
        if samples is None or np.isnan(samples).all():
            axes.set_yticks([])
            axes.text(0.5, 0.5, absent.meaning, transform=axes.transAxes, ha="center", va="center", color=PALE)
        else:
            axes.plot(time_s, samples, color=colour, lw=1.3)
        if samples is breath.flow:
            axes.axhline(0.0, color=PALE, lw=0.7, zorder=1)
    for axes in panels[:-1]:
        axes.tick_params(labelbottom=False)
    panels[-1].set_xlabel("Time from the onset of inspiration (s)")
    panels[0].annotate(
        "expiration begins", (turn_s, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3),
        textcoords="offset points", ha="left", va="bottom", fontsize=SMALL_PT,
    )  # fmt: skip
