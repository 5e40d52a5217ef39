"""Volumes, flow times and work of one breath. Compiled, plain scalar code.

Trapezoids over arrays that share their boundary samples with the neighbouring breaths. A volume is the plain integral
of flow over its phase: noise of the sensor averages out, and what is inspired less what is expired is the net volume of
the breath, over a recording as well (algorithms §3). To clip samples by their sign would add volume, two fifths of the
noise's standard deviation for as long as flow is near zero. The sign decides at the ends only. An onset is back-dated
to the foot of pressure, and what still leaves the lung until flow turns is expired. Expiration ends where most has
left, if more comes back until the next onset than noise brings and the breath closes better without it: a leak, a base
flow or a zero that is not known yet, and no gas that a valve blows in.

Raw volumes are what the sensor saw. Corrected ones (``tidal``: flow less the sensor's zero and the leak) are what the
lung exchanged; mechanics and energy use them, since escaping gas does no work on the lung.
"""

from __future__ import annotations

import math

from streamer.core.metrics.features.prefix_sums import unrest, white_noise
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

FLOW_ON_L_S, FLOW_ON_SHARE = 2.0 / 60.0, 1.0 / 15.0
"""Inspiratory flow above which gas counts as flowing: 2 L/min, or a fifteenth of the peak where that is less."""
MIN_PAUSE_S = 0.05
MIN_SQUARE = 3
TURN_S = 0.25
"""Flow turns within so long of the onset, and in the first half of inspiration."""
PEAK_S = 0.02
"""Half the width of the mean that a peak of flow is read from: one sample may be noise."""
MAX_SMOOTH_S = 0.05
"""Half the widest mean that flow times are read from, where noise would cross their threshold."""
BACK_S = 0.5
"""Gas that noise may bring back in expiration: as much as its standard deviation for so long."""
CLOSING_S = 0.03
"""End of inspiration, over which its last pressure is read."""


@kernel
def volumes(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, lung: FloatArray, paw: FloatArray, rate_hz: float, insp_end: int, zero: float
) -> tuple[tuple[float, ...], FloatArray]:
    """Fields ``insp_volume`` to ``exp_volume_seen`` of a Fold, in order, and ``lung`` as it was summed.

    Args:
        flow: (n,) L/s, as the sensor saw it.
        lung: (n,) L/s, corrected.
        paw: (n,) cmH2O.
        rate_hz: Samples per second.
        insp_end: First sample of expiration.
        zero: Of the sensor, L/s; 0 where none is known.

    Returns:
        The fields, and (n,) L/s of which the first and the last sample are half: the breath shares them.
    """
    dt = 1.0 / rate_hz
    raw, tidal = _halved(flow), _halved(lung)
    begin = _turn(tidal, min(insp_end // 2, int(TURN_S * rate_hz)))
    restless = unrest(lung, insp_end, rate_hz)
    back = BACK_S * rate_hz * restless
    swing = math.sqrt(max(restless**2 - white_noise(lung, (insp_end + flow.size) // 2, flow.size), 0.0))
    end = _emptied(tidal, begin, insp_end, back)
    moved, returned = _parted(raw, begin, insp_end, _emptied(raw, begin, insp_end, back))
    seen = returned
    if zero != 0.0:
        level = _halved(flow - zero)
        _, seen = _parted(level, begin, insp_end, _emptied(level, begin, insp_end, back))
    inspired, expired = _parted(tidal, begin, insp_end, end)
    work, work_exp = _parted(tidal * paw, begin, insp_end, end)
    width = int(PEAK_S * rate_hz)
    peaks = (_highest(lung, 0, insp_end, 1.0, width), _highest(lung, insp_end, flow.size, -1.0, width))
    flow_s, pause_s = _flow_times(lung, insp_end, rate_hz, peaks[0])
    square, cv, stop_paw = _square(lung, paw, insp_end, flow_s * rate_hz, inspired)
    sums = (dt * moved, dt * returned, dt * inspired, dt * expired)
    last = max(1, min(insp_end, int(CLOSING_S * rate_hz)))
    closing = _sum(paw, max(0, insp_end - last), max(insp_end, last)) / last
    return sums + peaks + (flow_s, pause_s, square, cv, stop_paw) + (
        dt * work,
        dt * work_exp,
        closing,
        swing,
        dt * seen,
    ), tidal


@kernel
def _halved(flow: FloatArray) -> FloatArray:
    halved = flow.copy()
    halved[0] *= 0.5
    halved[-1] *= 0.5
    return halved


@kernel
def _turn(flow: FloatArray, latest: int) -> int:
    """First sample after flow has turned into the patient: before it, no more gas leaves."""
    total, lowest, begin = 0.0, 0.0, 0
    for i in range(latest):
        total += flow[i]
        if total < lowest:
            lowest, begin = total, i + 1
    return begin


@kernel
def _emptied(flow: FloatArray, begin: int, insp_end: int, back: float) -> int:
    """Sample after which no gas moves: the last, unless more than ``back`` seems to return and leaves volumes open."""
    inspired, early = _sum(flow, begin, insp_end), _sum(flow, 1, begin)
    total, most, end = -early, -early, insp_end
    for i in range(insp_end, flow.size):
        total -= flow[i]
        if total >= most:
            most, end = total, i + 1
    return end if most - total > back and abs(most - inspired) < abs(total - inspired) else flow.size


@kernel
def _parted(samples: FloatArray, begin: int, insp_end: int, end: int) -> tuple[float, float]:
    """Sums over inspiration, and with the sign changed over what comes before and after it.

    The first sample, of which half is this breath's, is not expired: it lies before the onset, or holds it.
    """
    inside = _sum(samples, begin, insp_end)
    return inside, -_sum(samples, 1, begin) - _sum(samples, insp_end, end)


@kernel
def _highest(flow: FloatArray, first: int, last: int, sign: float, width: int) -> float:
    """Peak flow of this sign over means of up to ``2 * width + 1`` samples; 0 when there is none."""
    peak = 0.0
    for i in range(first, last):
        half = min(width, i - first, last - 1 - i)
        peak = max(peak, sign * _sum(flow, i - half, i + half + 1) / (2 * half + 1))
    return peak


@kernel
def _sum(samples: FloatArray, first: int, last: int) -> float:
    total = 0.0
    for i in range(first, last):
        total += samples[i]
    return total


@kernel
def _flow_times(flow: FloatArray, insp_end: int, rate_hz: float, peak: float) -> tuple[float, float]:
    """Time in inspiration with flow above the threshold, and from its end to expiration; crossings interpolated."""
    on, dt = min(FLOW_ON_L_S, FLOW_ON_SHARE * peak), 1.0 / rate_hz
    level = _quiet(flow, insp_end, on, int(MAX_SMOOTH_S * rate_hz))
    flowing, ended = 0.0, 0.0
    for i in range(min(insp_end, flow.size - 1)):
        now, then = level[i] - on, level[i + 1] - on
        if now > 0.0 and then > 0.0:
            flowing += dt
        elif now > 0.0 or then > 0.0:
            above = max(now, then) / abs(now - then)
            flowing += dt * above
            if now > 0.0:
                ended = (i + above) * dt
        if then > 0.0:
            ended = (i + 1) * dt
    crossing = insp_end * dt
    if 0 < insp_end < flow.size and flow[insp_end] < -on < flow[insp_end - 1]:
        crossing -= dt * (flow[insp_end] + on) / (flow[insp_end] - flow[insp_end - 1])
    pause = crossing - ended
    return flowing, pause if pause >= MIN_PAUSE_S else 0.0


@kernel
def _quiet(flow: FloatArray, insp_end: int, on: float, widest: int) -> FloatArray:
    """Flow of inspiration and one sample more, smoothed until noise is a third of the threshold."""
    needed = 9.0 * white_noise(flow, (insp_end + flow.size) // 2, flow.size) / on**2
    width = min(widest, int(0.5 * needed)) if on > 0.0 else 0
    level = flow[: min(insp_end + 1, flow.size)].copy()
    if width > 0:
        for i in range(insp_end):
            half = min(width, i, insp_end - 1 - i)
            level[i] = _sum(flow, i - half, i + half + 1) / (2 * half + 1)
    return level


@kernel
def _square(
    flow: FloatArray, paw: FloatArray, insp_end: int, flow_samples: float, volume_samples: float
) -> tuple[float, float, float]:
    """Mean flow over 20-80 % of the flow time, its coefficient of variation, and pressure when flow stops.

    The variation is that of flow, not of its sensor: the noise that second differences show is taken off.

    That pressure is the line through the same stretch, taken to the instant at which this flow has moved the inspired
    volume: the highest sample lies up to a sample before the end, and noise lifts it.
    """
    first, last = int(0.2 * flow_samples) + 1, min(insp_end, int(0.8 * flow_samples) + 1)
    n = last - first
    if n < MIN_SQUARE:
        return math.nan, math.nan, math.nan
    mean, level = _sum(flow, first, last) / n, _sum(paw, first, last) / n
    mid = first + (n - 1) / 2.0
    square, product, spread, noise = 0.0, 0.0, 0.0, 0.0
    for i in range(first, last):
        square += (flow[i] - mean) ** 2
        noise += (flow[i - 1] - 2.0 * flow[i] + flow[i + 1]) ** 2 / 6.0
        product += (i - mid) * paw[i]
        spread += (i - mid) ** 2
    if mean <= 0.0:
        return mean, math.nan, math.nan
    stop = volume_samples / mean + 0.5
    return mean, math.sqrt(max(square - noise, 0.0) / n) / mean, level + product / spread * (stop - mid)
