"""Expired PCO2 over volume, its phases and the curve through them, in one compiled call. Compiled."""

from __future__ import annotations

from streamer.core.metrics.features.breath_features import PHASE_2_WIDTHS
from streamer.core.metrics.features.expirogram import cells, expirogram, on_grid
from streamer.core.metrics.features.expirogram_fit import param4
from streamer.core.metrics.features.phase3 import phase_3
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel


@kernel
def expired(  # noqa: PLR0917 (compiled: positions only)
    pco2: FloatArray, tidal: FloatArray, rate_hz: float, insp_end: int, inspired: float, tail: int
) -> tuple[tuple[float, ...], FloatArray]:
    """What ``phases`` gives of the ``cells`` of a breath; arguments as there."""
    edges, pressure, ends = cells(pco2, tidal, rate_hz, insp_end, inspired, tail)
    return phases(edges, pressure, ends, rate_hz)


@kernel
def phases(
    edges: FloatArray, pressure: FloatArray, ends: FloatArray, rate_hz: float
) -> tuple[tuple[float, ...], FloatArray]:
    """Fields ``co2_volume`` to ``co2_fit_width`` of expired ``cells``, and their grid.

    The line of phase III begins after the end of phase II, which the fitted curve tells; that needs a line to start.
    """
    whole, dead, slope, start = expirogram(edges, pressure)
    grid = on_grid(edges, pressure)
    fitted = param4(grid, whole[0], dead, slope, start)
    line = phase_3(edges, pressure, ends, rate_hz, whole[1], dead, fitted[0] + PHASE_2_WIDTHS * fitted[3])
    return (*whole, *line, *fitted), grid
