"""Expired PCO2 over expired volume: area, phase III, airway dead space after Fowler. Floor 1; compiled.

A sample is the mean of its own interval, so it owns a cell of expired volume: flow times that interval, with the volume
integral exact at the edges. Sums over cells weight by volume, not by time (algorithms §6.3): slow flow at the end has
many samples and little gas. Cells that would go back, as noise about zero flow does, are left out: volume only grows.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.chunk import FloatArray
from streamer.jit import kernel
from streamer.metrics._sums import running_sum

NAN = math.nan
POINTS = 200
END_SHARE = 0.95
"""End-tidal is the mean of what lies beyond this share of the expired volume."""
FIRST, LAST, LATEST = 0.25, 0.75, 0.95
"""Part of the alveolar volume that the line of phase III is fitted to; up to the third where phase II is broad."""
ROUNDS = 3
LATER, BENDS, BENT = 2, 2.0, 0.05
"""The line begins later, so many times at most, while it is steeper than its second half: by so many standard errors,
and by such a share of itself."""
MIN_CELLS, MIN_LINE = 8, 3


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
        slope, start, _, _ = _line(edges, pressure, *_window(dead, whole, 0.0))
        dead = _fowler(whole, area, slope, start)
        if not 0.0 < dead < whole:
            return (whole, area, end_tidal, count), NAN, NAN, NAN
    return (whole, area, end_tidal, count), dead, slope, start


@kernel
def phase_3(  # noqa: PLR0917 (compiled: positions only)
    edges: FloatArray, pressure: FloatArray, ends: FloatArray, rate_hz: float, area: float, dead: float, settled: float
) -> tuple[float, ...]:
    """Fields ``co2_slope`` to ``co2_transit_s`` of a Fold.

    Args:
        edges: (m + 1,) L, of ``cells``, as ``pressure``, (m,) mmHg, and ``ends``, (m + 1,) samples.
        pressure: See above.
        ends: See above.
        rate_hz: Samples per second.
        area: Integral of ``pressure``, mmHg·L.
        dead: Airway dead space to start from, L.
        settled: Volume at which phase II has ended, L; NaN where that is not known.
    """
    whole = edges[-1]
    slope, error, start, samples, low, high = NAN, NAN, NAN, 0.0, NAN, NAN
    for _ in range(ROUNDS):
        low, high = _window(dead, whole, settled)
        slope, start, error, samples = _line(edges, pressure, low, high)
        dead = _fowler(whole, area, slope, start)
        if not 0.0 < dead < whole:
            dead = NAN
            break
    late, _, late_error, _ = _line(edges, pressure, 0.5 * (low + high), high)
    for _ in range(LATER):
        if not slope - late > max(BENDS * late_error, BENT * abs(slope)):
            break
        settled = 0.5 * (low + high)
        low, high = _window(dead, whole, settled)
        slope, start, error, samples = _line(edges, pressure, low, high)
        dead = _fowler(whole, area, slope, start)
        if not 0.0 < dead < whole:
            dead = NAN
            break
        late, _, late_error, _ = _line(edges, pressure, 0.5 * (low + high), high)
    middle = start + slope * (dead + whole) / 2.0
    transit = (_when(edges, ends, low) - _when(edges, ends, dead)) / rate_hz
    return slope, error, late, late_error, start, samples, middle, dead, low, high, _flow(edges, rate_hz, dead), transit


@kernel
def _window(dead: float, whole: float, settled: float) -> tuple[float, float]:
    """Where the line of phase III is fitted: the middle half of the alveolar volume, after the end of phase II.

    What phase II takes away at its beginning is given back at its end, so far as there is something.
    """
    low, high = dead + FIRST * (whole - dead), dead + LAST * (whole - dead)
    if settled > low:
        high = min(high + settled - low, dead + LATEST * (whole - dead))
        low = min(settled, high)
    return low, high


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
def _line(edges: FloatArray, pressure: FloatArray, low: float, high: float) -> tuple[float, float, float, float]:
    """Phase III between two volumes: slope in mmHg/L, PCO2 at no volume, standard error of the slope, samples.

    Least squares with every cell weighted by its volume, one at either end by what lies inside, though its PCO2 is that
    of its own middle: a line comes out as it is. The error counts samples as what they are, each with its own noise, be
    its cell wide or narrow.
    """
    middle = (low + high) / 2.0
    n, w, x, y, xx, xy, yy, ww, wx, wxx = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(pressure.size):
        width = min(edges[i + 1], high) - max(edges[i], low)
        if width > 0.0:
            at, level = (edges[i] + edges[i + 1]) / 2.0 - middle, pressure[i]
            n += 1.0
            w += width
            x += width * at
            y += width * level
            xx += width * at * at
            xy += width * at * level
            yy += width * level * level
            ww += width * width
            wx += width * width * at
            wxx += width * width * at * at
    if n < MIN_LINE:
        return NAN, NAN, NAN, n
    at, level = x / w, y / w
    spread, product = xx - w * at * at, xy - w * at * level
    slope = product / spread
    free, error = w * w / ww - 2.0, NAN
    if free > 0.0:
        noise = max((yy - w * level * level) - slope * product, 0.0) / w * (1.0 + 2.0 / free)
        error = math.sqrt(noise * max(wxx - 2.0 * at * wx + at * at * ww, 0.0)) / spread
    return slope, level - slope * (at + middle), error, n


@kernel
def _fowler(whole: float, area: float, slope: float, start: float) -> float:
    """Airway dead space: from which volume on the line of phase III holds as much CO2 as was expired.

    Root of start·(whole - v) + slope·(whole² - v²)/2 = area (algorithms §6.4), in the form that a level line keeps.
    """
    lacking = start * whole + slope * whole * whole / 2.0 - area
    square = start * start + 2.0 * slope * lacking
    if not (square >= 0.0 and start + math.sqrt(square) > 0.0):
        return NAN
    return 2.0 * lacking / (start + math.sqrt(square))


@kernel
def _flow(edges: FloatArray, rate_hz: float, dead: float) -> float:
    """Mean expiratory flow of the cell that holds this volume and of its neighbours, L/s."""
    for i in range(1, edges.size - 2):
        if edges[i + 1] > dead:
            return float((edges[i + 2] - edges[i - 1]) * rate_hz / 3.0)
    return NAN


@kernel
def _when(edges: FloatArray, ends: FloatArray, volume: float) -> float:
    """At which sample, between two, this volume had been expired; NaN if it never was."""
    for i in range(1, edges.size):
        if edges[i] >= volume:
            return float(ends[i - 1] + (ends[i] - ends[i - 1]) * (volume - edges[i - 1]) / (edges[i] - edges[i - 1]))
    return NAN


@kernel
def on_grid(edges: FloatArray, pressure: FloatArray) -> FloatArray:
    """(200,) means over equal parts of the expired volume; their sum keeps the area. NaN where there are few cells."""
    if pressure.size < MIN_CELLS:
        return np.full(POINTS, NAN)
    amounts = running_sum(pressure * np.diff(edges))
    step, cell, before = edges[-1] / POINTS, 0, 0.0
    grid = np.empty(POINTS)
    for j in range(POINTS):
        to = (j + 1) * step
        while cell < pressure.size - 1 and edges[cell + 1] < to:
            cell += 1
        amount = amounts[cell] + pressure[cell] * (to - edges[cell])
        grid[j] = (amount - before) / step
        before = amount
    return grid
