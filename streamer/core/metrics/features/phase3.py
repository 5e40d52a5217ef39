"""The line of phase III: where it is fitted, how well its slope is known, the dead space it gives. Compiled.

All sums over cells weight by volume, not by time (algorithms §6.3).
"""

from __future__ import annotations

import math

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

NAN = math.nan
FIRST, MIDDLE, LAST = 0.25, 0.75, 0.95
"""Of the alveolar volume: from the first to the last the line of phase III is fitted, later where phase II is broad;
to the second while only a line to start from is looked for."""
ROUNDS = 3
LATER, BENDS, BENT = 2, 3.0, 0.05
"""The line begins later, so many times at most, while it is steeper than its second half: by so many standard errors,
and by such a share of itself."""
MIN_LINE = 3
CHANCE = 1.5
"""Standard deviations by which correlations of residuals that have none differ from it."""


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
    slope, start, samples, low, high = NAN, NAN, 0.0, NAN, NAN
    for _ in range(ROUNDS):
        low, high = _window(dead, whole, settled)
        slope, start, samples = line(edges, pressure, low, high)
        dead = fowler(whole, area, slope, start)
        if not 0.0 < dead < whole:
            dead = NAN
            break
    late, late_error = _half_line(edges, pressure, low, high)
    for _ in range(LATER):
        if not slope - late > max(BENDS * late_error, BENT * abs(slope)):
            break
        settled = 0.5 * (low + high)
        low, high = _window(dead, whole, settled)
        slope, start, samples = line(edges, pressure, low, high)
        dead = fowler(whole, area, slope, start)
        if not 0.0 < dead < whole:
            dead = NAN
            break
        late, late_error = _half_line(edges, pressure, low, high)
    error = _error(edges, pressure, low, high, slope, start)
    middle = start + slope * (dead + whole) / 2.0
    transit = (_when(edges, ends, low) - _when(edges, ends, dead)) / rate_hz
    return slope, error, late, late_error, start, samples, middle, dead, low, high, _flow(edges, rate_hz, dead), transit


@kernel
def _window(dead: float, whole: float, settled: float) -> tuple[float, float]:
    """Where the line of phase III is fitted: after the end of phase II, and after the first quarter in any case."""
    low, high = dead + FIRST * (whole - dead), dead + LAST * (whole - dead)
    return (min(settled, high) if settled > low else low), high


@kernel
def _half_line(edges: FloatArray, pressure: FloatArray, low: float, high: float) -> tuple[float, float]:
    """Slope of the second half alone, and its standard error."""
    low = 0.5 * (low + high)
    slope, start, _ = line(edges, pressure, low, high)
    return slope, _error(edges, pressure, low, high, slope, start)


@kernel
def line(edges: FloatArray, pressure: FloatArray, low: float, high: float) -> tuple[float, float, float]:
    """Phase III between two volumes: slope in mmHg/L, PCO2 at no volume, samples.

    Least squares with every cell weighted by its volume, one at either end by what lies inside, though its PCO2 is that
    of its own middle: a line comes out as it is.
    """
    middle = (low + high) / 2.0
    n, w, x, y, xx, xy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
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
    if n < MIN_LINE:
        return NAN, NAN, n
    at, level = x / w, y / w
    slope = (xy - w * at * level) / (xx - w * at * at)
    return slope, level - slope * (at + middle), n


@kernel
def _error(edges: FloatArray, pressure: FloatArray, low: float, high: float, slope: float, start: float) -> float:  # noqa: PLR0917 (compiled: positions only)
    """Standard error of the slope of ``_line``, mmHg/L; NaN where there are too few samples.

    The error counts samples as what they are, each with its own noise, be its cell wide or narrow. What lies off the
    line for many samples in a row, as a heart beat or a bend does, is fewer of them: by 1 + 2·sum of the correlations
    of residuals, at distances that double, as far as these stand out of chance.
    """
    middle = (low + high) / 2.0
    first, last = pressure.size, 0
    w, x, xx, ee, ww, wx, wxx, each = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(pressure.size):
        width = min(edges[i + 1], high) - max(edges[i], low)
        if width > 0.0:
            first, last = min(first, i), i + 1
            at = (edges[i] + edges[i + 1]) / 2.0
            off = pressure[i] - start - slope * at
            at -= middle
            w += width
            x += width * at
            xx += width * at * at
            ee += width * off * off
            each += off * off
            ww += width * width
            wx += width * width * at
            wxx += width * width * at * at
    free = w * w / ww - 2.0 if last > first else 0.0
    if not free > 0.0:
        return NAN
    at = x / w
    alone = ee / w * (1.0 + 2.0 / free) * max(wxx - 2.0 * at * wx + at * at * ww, 0.0)
    times = _repeats(edges, pressure, first, last, slope, start, each)
    return math.sqrt(alone * times) / (xx - w * at * at)


@kernel
def _repeats(  # noqa: PLR0917 (compiled: positions only)
    edges: FloatArray, pressure: FloatArray, first: int, last: int, slope: float, start: float, each: float
) -> float:
    """How many samples of residuals say the same: 1 where each has noise of its own."""
    chance, apart, covered, times = CHANCE / math.sqrt(last - first), 1, 0.0, 1.0
    while 2 * apart < last - first and each > 0.0:
        total = 0.0
        for i in range(first, last - apart):
            off = pressure[i] - start - slope * (edges[i] + edges[i + 1]) / 2.0
            other = pressure[i + apart] - start - slope * (edges[i + apart] + edges[i + apart + 1]) / 2.0
            total += off * other
        share = total / each
        if share <= chance:
            break
        reach = 1.5 * apart - 0.5
        times += 2.0 * share * (reach - covered)
        covered = reach
        apart *= 2
    return times


@kernel
def fowler(whole: float, area: float, slope: float, start: float) -> float:
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
