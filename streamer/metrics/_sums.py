"""Sums and means over samples, for the folds. Floor 1; compiled."""

from __future__ import annotations

import numpy as np

from streamer.chunk import FloatArray
from streamer.jit import kernel


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
