"""Volumes, flow times and work of one breath. Floor 1; compiled, plain scalar code.

Trapezoids over arrays that share their boundary samples with the neighbouring breaths. Inspired volume is the
integral of positive flow during inspiration, expired volume that of negative flow during expiration (algorithms §3).
The sign is judged on a short centred mean (200 ms, narrower at the ends of a phase), and within a hold every sample
counts: clipping noise sample by sample would add 13 mL in two seconds of zero flow with 1 L/min of noise.

Raw volumes are what the sensor saw. Leak-corrected ones (``tidal``: flow less conductance times the square root of
pressure) are what the lung exchanged; mechanics and energy use them, since escaping gas does no work on the lung.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.chunk import FloatArray
from streamer.jit import kernel

FLOW_ON_L_S = 2.0 / 60.0
"""Inspiratory flow above which gas counts as flowing: the segmenter's low threshold for adults."""
MIN_PAUSE_S = 0.05
MIN_SQUARE = 3


@kernel
def volumes(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, paw: FloatArray, rate_hz: float, insp_end: int, leak: float, hold: tuple[int, int]
) -> tuple[tuple[float, ...], FloatArray]:
    """Fields ``insp_volume`` to ``work_exp`` of a Fold, in order, and the leak-corrected flow used for them."""
    dt = 1.0 / rate_hz
    raw = _by_phase(flow, insp_end, rate_hz, hold)
    tidal_flow = flow
    tidal = raw
    if leak > 0.0:
        tidal_flow = _less_leak(flow, paw, leak)
        tidal = _by_phase(tidal_flow, insp_end, rate_hz, hold)
    peaks = (_highest(flow, 0, insp_end, 1.0), _highest(tidal_flow, insp_end, flow.size, -1.0))
    flow_s, pause_s = _flow_times(tidal_flow, insp_end, dt)
    moved = _sum(raw, 0, insp_end)
    square, cv, stop_paw = _square(flow, paw, insp_end, flow_s * rate_hz, moved)
    sums = (
        dt * moved,
        -dt * _sum(raw, insp_end, flow.size),
        dt * _sum(tidal, 0, insp_end),
        -dt * _sum(tidal, insp_end, flow.size),
    )
    work = (dt * _work(tidal, paw, 0, insp_end), -dt * _work(tidal, paw, insp_end, flow.size))
    return sums + peaks + (flow_s, pause_s, square, cv, stop_paw) + work, tidal


@kernel
def _by_phase(flow: FloatArray, insp_end: int, rate_hz: float, hold: tuple[int, int]) -> FloatArray:
    """Flow where it runs the way of its phase, else 0; the breath's first and last sample count half."""
    total = np.empty(flow.size + 1)
    total[0] = 0.0
    for i in range(flow.size):
        total[i + 1] = total[i] + flow[i]
    kept = np.zeros(flow.size)
    width = int(0.1 * rate_hz)
    for i in range(flow.size):
        inspires = i < insp_end
        first, last = (0, insp_end - 1) if inspires else (insp_end, flow.size - 1)
        half = min(width, i - first, last - i)
        around = total[i + half + 1] - total[i - half]
        if (around > 0.0) == inspires or hold[0] <= i < hold[1]:
            kept[i] = flow[i]
    kept[0] *= 0.5
    kept[-1] *= 0.5
    return kept


@kernel
def _less_leak(flow: FloatArray, paw: FloatArray, leak: float) -> FloatArray:
    tidal = np.empty(flow.size)
    for i in range(flow.size):
        tidal[i] = flow[i] - leak * math.sqrt(max(paw[i], 0.0))
    return tidal


@kernel
def _highest(flow: FloatArray, first: int, last: int, sign: float) -> float:
    """Peak flow of this sign; 0 when there is none."""
    peak = 0.0
    for i in range(first, last):
        peak = max(peak, sign * flow[i])
    return peak


@kernel
def _sum(samples: FloatArray, first: int, last: int) -> float:
    total = 0.0
    for i in range(first, last):
        total += samples[i]
    return total


@kernel
def _work(flow: FloatArray, paw: FloatArray, first: int, last: int) -> float:
    total = 0.0
    for i in range(first, last):
        total += flow[i] * paw[i]
    return total


@kernel
def _flow_times(flow: FloatArray, insp_end: int, dt: float) -> tuple[float, float]:
    """Time in inspiration with flow above the threshold, and from its end to expiration; crossings interpolated."""
    flowing, ended = 0.0, 0.0
    for i in range(min(insp_end, flow.size - 1)):
        now, then = flow[i] - FLOW_ON_L_S, flow[i + 1] - FLOW_ON_L_S
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
    if 0 < insp_end < flow.size and flow[insp_end] < -FLOW_ON_L_S < flow[insp_end - 1]:
        crossing -= dt * (flow[insp_end] + FLOW_ON_L_S) / (flow[insp_end] - flow[insp_end - 1])
    pause = crossing - ended
    return flowing, pause if pause >= MIN_PAUSE_S else 0.0


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
