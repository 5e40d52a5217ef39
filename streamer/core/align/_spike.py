"""A single sample far outside its neighbours: a disturbance, no gas. Compiled.

What gas does takes longer than a sample of 20 ms: the samples before and after such a peak lie on its flanks, those of
a spike on one another.
"""

from __future__ import annotations

import math

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

MIN_RATE_HZ = 50.0
"""At lower rates a cough may be a single sample."""
AFTER_N = 2
"""Samples that must have come after it."""
SPIKE_SHARE, HIGHER = 0.3, 2.5
"""Of the peak of the last minute, and of what is a jump (10 mean steps of the last second). Lower ones may be noise.
No sample in recordings of 50 Hz or more lies so far outside."""
APART = 3.0
"""So many times as far outside as its neighbours lie apart, three before it and two after: a valve that closes within
two samples rings."""


@kernel
def is_spike(past: FloatArray, at: int, samples: FloatArray, i: int, least: float) -> bool:
    """Whether sample ``i`` is one; before it come those of a circle before ``at``, two of ``samples`` after it."""
    c, b, a = past[at - 3], past[at - 2], past[at - 1]  # a negative place counts from the end
    after, beyond = samples[i + 1], samples[i + 2]
    if not math.isfinite(a + b + c + after + beyond):
        return False
    low, high = min(a, b, c, after, beyond), max(a, b, c, after, beyond)
    outside = max(samples[i] - high, low - samples[i])
    return bool(outside > max(least, APART * (high - low)))
