"""Expired PCO2 over expired volume: area, phase III, airway dead space after Fowler. Compiled.

A sample is the mean of its own interval, so it owns a cell of expired volume: flow times that interval, with the volume
integral exact at the edges. Sums over cells weight by volume, not by time (algorithms §6.3): slow flow at the end has
many samples and little gas. Cells that would go back, as noise about zero flow does, are left out: volume only grows.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.core.metrics.features.phase3 import FIRST, MIDDLE, ROUNDS, fowler, line
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

NAN = math.nan
POINTS = 200
END_SHARE = 0.95
"""End-tidal is the mean of what lies beyond this share of the expired volume."""
MIN_CELLS = 8


@kernel
def expirogram(
    edges: FloatArray, pressure: FloatArray
) -> tuple[tuple[float, float, float, float], float, float, float]:
    """Fields ``co2_volume`` to ``co2_end_samples`` of a Fold, and a first line of phase III.

    Args:
        edges: (m + 1,) L, of ``cells``.
        pressure: (m,) mmHg above what is inspired.

    Returns:
        The fields; airway dead space in L, slope in mmHg/L and PCO2 at no volume, by a line through the middle half of
        the alveolar volume.
    """
    whole, area = edges[-1], _between(edges, pressure, 0.0, edges[-1])[1]
    if pressure.size < MIN_CELLS or math.isnan(area):
        return (whole, area, NAN, 0.0), NAN, NAN, NAN
    count, amount, share = _between(edges, pressure, END_SHARE * whole, whole)
    end_tidal = amount / share
    dead = _half(edges, pressure, 0.5 * end_tidal)
    slope, start = NAN, NAN
    for _ in range(ROUNDS):
        alveolar = whole - dead
        slope, start, _ = line(edges, pressure, dead + FIRST * alveolar, dead + MIDDLE * alveolar)
        dead = fowler(whole, area, slope, start)
        if not 0.0 < dead < whole:
            return (whole, area, end_tidal, count), NAN, NAN, NAN
    return (whole, area, end_tidal, count), dead, slope, start


@kernel
def cells(  # noqa: PLR0917 (compiled: positions only)
    pco2: FloatArray, tidal: FloatArray, rate_hz: float, insp_end: int, inspired: float, tail: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(m + 1,) edges of the cells in L, (m,) their PCO2 in mmHg above ``inspired``, (m + 1,) in samples, when.

    Args:
        pco2: (n,) mmHg, without holes.
        tidal: (n,) L/s, the phase's own leak-corrected flow as ``volumes`` returns it.
        rate_hz: Samples per second.
        insp_end: First sample of expiration.
        inspired: mmHg, taken off PCO2 here and never from what is published.
        tail: So many samples at the end show the sensor as it falls; they get the level of the volume before them.
    """
    room = pco2.size - insp_end + 2
    edges, pressure, ends = np.empty(room), np.empty(room - 1), np.empty(room)
    edges[0], ends[0], count = 0.0, insp_end - 0.5, 0
    volume = _lost(tidal, insp_end) / rate_hz
    if volume > 0.0:
        edges[1], pressure[0], ends[1], count = volume, pco2[insp_end - 1] - inspired, insp_end - 0.5, 1
    last = pco2.size - tail
    shown = count
    for i in range(insp_end, pco2.size):
        volume -= tidal[i] / rate_hz
        if volume > edges[count]:
            pressure[count] = pco2[i] - inspired
            count += 1
            edges[count], ends[count] = volume, i + 0.5
            if i < last:
                shown = count
    if 0 < shown < count:
        _, amount, share = _between(edges[: shown + 1], pressure[:shown], END_SHARE * edges[shown], edges[shown])
        pressure[shown:count] = amount / share
    return edges[: count + 1], pressure[:count], ends[: count + 1]


@kernel
def _lost(flow: FloatArray, insp_end: int) -> float:
    """Expired flow that a sample at the turn hides, L/s: the mean of its two directions tells of one only.

    A turn within one sample shows as a sample between the levels that its neighbours on either side lead to; how far
    it lies between them says when flow turned. Where flow turns slowly, those levels meet and nothing is hidden.
    """
    for at in (insp_end, insp_end - 1):
        if at < 2 or at + 2 >= flow.size:  # noqa: PLR2004 (two neighbours on either side)
            continue
        before, after = 2.0 * flow[at - 1] - flow[at - 2], 2.0 * flow[at + 1] - flow[at + 2]
        if before > 0.0 > after and after < flow[at] < before:
            return float(-after * (before - flow[at]) / (before - after) + min(flow[at], 0.0))
    return 0.0


@kernel
def _between(edges: FloatArray, pressure: FloatArray, low: float, high: float) -> tuple[float, float, float]:
    """Cells, area in mmHg·L and volume in L between two volumes."""
    count, area, volume = 0.0, 0.0, 0.0
    for i in range(pressure.size):
        width = min(edges[i + 1], high) - max(edges[i], low)
        if width > 0.0:
            count += 1.0
            area += width * pressure[i]
            volume += width
    return count, area, volume


@kernel
def _half(edges: FloatArray, pressure: FloatArray, half: float) -> float:
    """Where PCO2 first passes ``half``: only a place to start from."""
    for i in range(pressure.size):
        if pressure[i] >= half:
            return float(edges[i])
    return NAN


@kernel
def on_grid(edges: FloatArray, pressure: FloatArray) -> FloatArray:
    """(200,) means over equal parts of the expired volume; their sum keeps the area. NaN where there are few cells."""
    grid = np.empty(POINTS)
    if pressure.size < MIN_CELLS:
        for j in range(POINTS):
            grid[j] = NAN
        return grid
    step, cell, whole, before = edges[-1] / POINTS, 0, 0.0, 0.0
    for j in range(POINTS):
        to = (j + 1) * step
        while cell < pressure.size - 1 and edges[cell + 1] < to:
            whole += pressure[cell] * (edges[cell + 1] - edges[cell])
            cell += 1
        amount = whole + pressure[cell] * (to - edges[cell])
        grid[j] = (amount - before) / step
        before = amount
    return grid
