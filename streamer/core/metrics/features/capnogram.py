"""The capnogram of one breath on the time of flow: what is missing, what is inspired. Compiled."""

from __future__ import annotations

import math

from streamer.core.metrics.features.prefix_sums import mean, running_sum
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

NAN = math.nan
MIN_MEAN = 3
"""Samples of which a level is the mean, at least."""


@kernel
def capnogram(
    pco2: FloatArray, tidal: FloatArray, rate_hz: float, insp_end: int, settled: int
) -> tuple[float, float, float]:
    """Fields ``co2_holes`` to ``co2_inhaled`` of a Fold.

    ``tidal``: the phase's own flow as ``volumes`` returns it. Up to sample ``settled`` of inspiration PCO2 shows how
    the sensor falls, which is no gas that is breathed in: there, only the level that it falls to counts.
    """
    holes = 0.0
    for i in range(pco2.size):
        if math.isnan(pco2[i]):
            holes += 1.0
    if holes > 0.0:
        return holes, NAN, NAN
    inhaled, inspired = 0.0, _inspired(pco2, insp_end)
    for i in range(insp_end):
        inhaled += (inspired if i < settled else pco2[i]) * tidal[i]
    return holes, inspired, inhaled / rate_hz


@kernel
def _inspired(pco2: FloatArray, insp_end: int) -> float:
    """Lowest mean over a quarter of inspiration within its second half; the last sample may hold expired gas.

    The lowest single samples, or medians of three, would lie below the true level by one or two standard deviations
    of the noise, and 1 mmHg too low a baseline is 5 mL too small a dead space.
    """
    width = max(MIN_MEAN, insp_end // 4)
    first = min(insp_end // 2, insp_end - 1 - width)
    if first < 0:
        return mean(pco2, 0, insp_end) if insp_end > 0 else NAN
    total = running_sum(pco2)
    lowest = math.inf
    for i in range(first, insp_end - width):
        lowest = min(lowest, (total[i + width] - total[i]) / width)
    return lowest


@kernel
def returned(tidal: FloatArray, rate_hz: float, insp_end: int) -> float:
    """Field ``co2_returned`` of a Fold: most gas that came back in before expiration had ended, L.

    The largest fall of net expired volume below what it had been before; noise of flow adds up to millilitres only.
    """
    volume, most, back = 0.0, 0.0, 0.0
    for i in range(insp_end, tidal.size):
        volume -= tidal[i] / rate_hz
        most = max(most, volume)
        back = max(back, most - volume)
    return back
