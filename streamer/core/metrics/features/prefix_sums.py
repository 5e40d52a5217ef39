"""Sums and means over samples, for the folds. Compiled."""

from __future__ import annotations

import math

import numpy as np

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

REST_S, TRIGGER_S = 0.5, 0.1
"""End of expiration in which flow rests, without what a trigger does."""
MAX_UNREST_L_S = 10.0 / 60.0


@kernel
def running_sum(samples: FloatArray) -> FloatArray:
    """(n + 1,) sums of the samples before each place."""
    total = np.empty(samples.size + 1)
    total[0] = 0.0
    for i in range(samples.size):
        total[i + 1] = total[i] + samples[i]
    return total


@kernel
def mean(samples: FloatArray, first: int, last: int) -> float:
    """Mean of samples first to last (exclusive), of which there is at least one."""
    total = 0.0
    for i in range(first, last):
        total += samples[i]
    return total / (last - first)


@kernel
def white_noise(samples: FloatArray, first: int, last: int) -> float:
    """Variance of white noise from second differences: those of a smooth signal are far smaller; 0 without samples."""
    square, count = 0.0, 0
    for i in range(max(first, 1), min(last, samples.size - 1)):
        square += (samples[i - 1] - 2.0 * samples[i] + samples[i + 1]) ** 2
        count += 1
    return square / (6.0 * count) if count > 0 else 0.0


@kernel
def unrest(flow: FloatArray, insp_end: int, rate_hz: float) -> float:
    """Standard deviation of flow about a line at the end of expiration, L/s: noise, heart, water."""
    last = flow.size - 1 - int(TRIGGER_S * rate_hz)
    first = max(last - int(REST_S * rate_hz), (insp_end + flow.size) // 2)
    n = last - first
    if n < 6:  # noqa: PLR2004 (too few for a line)
        return 0.0
    mean, mid = 0.0, (n - 1) / 2.0
    for i in range(n):
        mean += flow[first + i] / n
    product, square, total = 0.0, 0.0, 0.0
    for i in range(n):
        y = flow[first + i] - mean
        product += (i - mid) * y
        square += (i - mid) ** 2
        total += y * y
    return min(math.sqrt(max(total - product**2 / square, 0.0) / n), MAX_UNREST_L_S)
