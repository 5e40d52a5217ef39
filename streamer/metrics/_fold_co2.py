"""The capnogram of one breath: end-tidal and inspired PCO2, and whether it can be trusted. Floor 1; compiled.

End-tidal is the mean over the last 5 % of the expired *volume* (algorithms §6.3), weighted by volume: neither the
maximum nor the last samples, which a bias flow may already have washed out.
"""

from __future__ import annotations

import math

from numba import njit

from streamer.chunk import FloatArray

NAN = math.nan
LOWEST_START_MMHG = 5.0
NOTHING = (NAN, NAN, NAN, NAN, NAN, NAN)


@njit(cache=True, error_model="numpy")
def capnogram(pco2: FloatArray, tidal: FloatArray, rate_hz: float, insp_end: int) -> tuple[float, ...]:
    """Fields ``co2_*`` of a Fold, in order; ``tidal`` is the phase's own flow as ``volumes`` returns it."""
    holes = 0.0
    for i in range(pco2.size):
        if math.isnan(pco2[i]):
            holes += 1.0
    if holes > 0.0:
        return NAN, NAN, NAN, NAN, NAN, holes
    whole = 0.0
    for i in range(insp_end, pco2.size):
        whole -= tidal[i]
    end_tidal, count = _end_tidal(pco2, tidal, insp_end, whole)
    share = _half_share(pco2, tidal, insp_end, whole, 0.5 * end_tidal)
    return end_tidal, count, _inspired(pco2, insp_end), share, _fall(pco2, rate_hz), holes


@njit(cache=True, error_model="numpy")
def _end_tidal(pco2: FloatArray, tidal: FloatArray, insp_end: int, whole: float) -> tuple[float, float]:
    if whole <= 0.0:
        return NAN, 0.0
    gone, amount, weight, count = 0.0, 0.0, 0.0, 0.0
    for i in range(insp_end, pco2.size):
        gone -= tidal[i]
        if gone >= 0.95 * whole and tidal[i] < 0.0:
            amount -= pco2[i] * tidal[i]
            weight -= tidal[i]
            count += 1.0
    return (amount / weight, count) if weight > 0.0 else (NAN, count)


@njit(cache=True, error_model="numpy")
def _half_share(pco2: FloatArray, tidal: FloatArray, insp_end: int, whole: float, half: float) -> float:
    gone = 0.0
    for i in range(insp_end, pco2.size):
        if pco2[i] >= half:
            return gone / whole
        gone -= tidal[i]
    return NAN


@njit(cache=True, error_model="numpy")
def _inspired(pco2: FloatArray, insp_end: int) -> float:
    lowest = math.inf
    for i in range(max(1, insp_end // 2), min(insp_end, pco2.size - 1)):
        a, b, c = pco2[i - 1], pco2[i], pco2[i + 1]
        lowest = min(lowest, max(min(a, b), min(max(a, b), c)))
    return lowest if lowest < math.inf else NAN


@njit(cache=True, error_model="numpy")
def _fall(pco2: FloatArray, rate_hz: float) -> float:
    """Seconds from sample 0 until PCO2 has halved; NaN if it starts too low to tell, or never does."""
    if pco2[0] < LOWEST_START_MMHG:
        return NAN
    for i in range(1, pco2.size):
        if pco2[i] < 0.5 * pco2[0]:
            return i / rate_hz
    return NAN
