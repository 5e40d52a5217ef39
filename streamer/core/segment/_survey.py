"""Noise and size of the signal itself, found as it streams. Compiled.

Four times a second the samples since the last time are looked at. White noise is what second differences show: their
median is blind to edges, steps and whatever is slow, as water in a tube or a heartbeat is. The size of flow is the
height that it reaches in a tenth of the looks; a newborn's is a tenth of an adult's, and so are the thresholds then,
if pressure says that somebody is ventilated.
"""

from __future__ import annotations

import math
from typing import Any

from streamer.model.jit import kernel

SURVEY_S = 0.25
MEMORY = 60
"""Looks that are remembered: 15 s."""
MIN_SURVEY_N, ENOUGH = 6, 4
NOISE, PAW_NOISE, RIPPLE, PAW_RIPPLE, HEIGHT, PAW, ORDERED = range(7)
ROWS = 2 * ORDERED
"""Of the memory: what the looks found, and from ``ORDERED`` on the same in order of size."""
NORMAL = 0.6744897501960817 * 2.449489742783178
"""Median of the size of second differences of white noise of SD 1: 0.6745 times the root of 6."""
SMALL_FLOW = 20.0 / 60.0
"""Flow that does not reach this is a child's, L/s."""
LEAST_SCALE = 0.05
LOW, HIGH = 0.3, 0.9
"""Of the looks: pressure is at its low level in more than so many; flow and pressure are high in the rest."""
VENTILATED_CMH2O = 3.0
PEAKS, CREST = 3.5, 1.5
"""Of an RMS: what an oscillation spans from valley to peak, with a quarter to spare; and its height."""
RIPPLE_S = 0.12
"""Half a cycle of 5 Hz moves its RMS times 0.09 s."""
RESPONSE_S = 0.040
"""Time over which the flow of an onset stands out from noise."""
DEVIATIONS, PEAK, CLEAR, RANGE = 2.0, 4.0, 5.0, 7.0
"""Of noise: a mean over that time stays within, a sample hardly exceeds, never exceeds; ten samples span."""
FALSE_ALARMS = 14.0
"""-ln of the chance that noise alone passes for a breath each time it could: one in a million."""


@kernel
def survey(state: Any, limits: Any, flow: Any, paw: Any, base: int, memory: Any, scratch: Any) -> None:  # noqa: PLR0917 (compiled: positions only)
    """Look at the newest samples, and let noise and size of the last 15 s set the limits of flow.

    Args:
        state: The state; ``survey_at`` is now.
        limits: The limits that follow.
        flow: Buffer of flow, L/s.
        paw: Buffer of pressure, cmH2O.
        base: Index of the first sample in the buffers.
        memory: (ROWS, MEMORY) what the looks found, and the same in order.
        scratch: (survey_n,) to sort in.
    """
    s, p = state[0], limits[0]
    last = s.survey_at - base
    first = max(last - p.survey_n, 0)
    look = s.surveys
    s.surveys += 1
    s.survey_at += p.survey_n
    _remember(memory, NOISE, look, _noise(flow, first, last, scratch))
    _remember(memory, PAW_NOISE, look, _noise(paw, first, last, scratch))
    _remember(memory, RIPPLE, look, _ripple(flow, first, last))
    _remember(memory, PAW_RIPPLE, look, _ripple(paw, first, last))
    height, level = 0.0, paw[first]
    for i in range(first + 1, last):
        height = max(height, 0.5 * abs(flow[i] + flow[i - 1]))
        level += paw[i]
    _remember(memory, HEIGHT, look, height)
    _remember(memory, PAW, look, level / (last - first))
    count = min(s.surveys, MEMORY)
    p.noise = _quantile(memory, NOISE, count, 0.5)
    p.paw_noise = _quantile(memory, PAW_NOISE, count, 0.5)
    if count >= ENOUGH:  # fewer looks may all see the same turn of flow
        p.ripple = _quantile(memory, RIPPLE, count, LOW)
        p.paw_ripple = _quantile(memory, PAW_RIPPLE, count, LOW)
    p.usual_low = _quantile(memory, PAW, count, LOW)
    p.usual_swing = _quantile(memory, PAW, count, HIGH) - p.usual_low
    height = _quantile(memory, HEIGHT, count, HIGH)
    is_small = p.usual_swing >= VENTILATED_CMH2O and height < SMALL_FLOW
    p.scale = max(height / SMALL_FLOW, LEAST_SCALE) if is_small else 1.0


@kernel
def adapt(limits: Any, settings: Any) -> None:
    """Limits from the settings, the noise and the size of the signal, and the usual breath.

    The sum of what exceeds a threshold k drifts down by k between breaths, and noise of variance s² in steps of dt
    lifts it beyond h with the chance exp(-2kh/(s²·dt)): that h is what a breath must move besides.
    """
    p, c = limits[0], settings[0]
    scale = min(p.scale, c.scale)
    blur = p.noise * DEVIATIONS / math.sqrt(max(RESPONSE_S / p.step, 1.0))
    p.onset = max(c.onset * scale, blur)
    p.trigger = max(c.trigger * scale, p.onset + DEVIATIONS * p.noise)
    p.deliver = max(c.deliver * scale, p.onset + PEAK * p.noise, CREST * p.ripple)
    p.exhale = max(c.exhale * scale, blur)
    p.cycle = max(c.cycle * scale, p.exhale, PEAK * p.noise)
    p.forced = c.forced * scale + CLEAR * p.noise
    p.restack = max(c.restack * scale, RANGE * p.noise, 1.3 * PEAKS * p.ripple)
    p.clear = c.onset * scale + CLEAR * p.noise
    p.noise_volume = FALSE_ALARMS * p.noise * p.noise * p.step / (2.0 * p.onset)
    confirm, alone = c.first_confirm * scale, c.alone * scale
    if p.usual_volume > 0.0:
        confirm = min(max(c.confirm_fraction * p.usual_volume, c.min_confirm * scale), c.max_confirm * scale)
        alone = min(c.alone_fraction * p.usual_volume, alone)
    p.blown = c.blown_fraction if p.usual_swing >= c.swing else 0.0
    p.confirm = max(confirm, p.noise_volume, p.ripple * RIPPLE_S)
    p.alone = max(alone, p.confirm)
    p.forced_volume = max(c.forced_volume * scale, p.noise_volume)
    p.pressed = max(c.pressed, c.pressed_share * p.usual_swing, CLEAR * p.paw_noise, PEAKS * p.paw_ripple)
    p.drawn = max(c.drawn, RANGE * p.paw_noise, PEAKS * p.paw_ripple)
    p.lead = max(c.pressed if blur > 2.0 * c.onset * scale else c.lead, CLEAR * p.paw_noise)


@kernel
def _noise(samples: Any, first: int, last: int, scratch: Any) -> float:
    """SD of white noise; 0 where there are too few samples, or they are missing."""
    count = 0
    for i in range(first + 1, last - 1):
        size = abs(samples[i - 1] - 2.0 * samples[i] + samples[i + 1])
        if math.isnan(size):
            return 0.0
        scratch[count] = size
        count += 1
    return _middle(scratch, count) / NORMAL if count >= MIN_SURVEY_N - 2 else 0.0


@kernel
def _ripple(samples: Any, first: int, last: int) -> float:
    """RMS of what a straight line leaves: noise, and any oscillation of 4 Hz or more."""
    n = last - first
    mid, mean, product, square = 0.5 * (first + last - 1), 0.0, 0.0, 0.0
    for i in range(first, last):
        mean += samples[i] / n
    for i in range(first, last):
        product += (i - mid) * samples[i]
        square += (i - mid) * (i - mid)
    slope, left = product / square, 0.0
    for i in range(first, last):
        left += (samples[i] - mean - slope * (i - mid)) ** 2
    return math.sqrt(left / n)


@kernel
def _middle(values: Any, count: int) -> float:
    """Median by selection, which leaves the values in another order: a library sort takes seconds to compile."""
    half, first, last = count // 2, 0, count - 1
    while first < last:
        pivot, i, k = values[half], first, last
        while i <= k:
            while values[i] < pivot:
                i += 1
            while values[k] > pivot:
                k -= 1
            if i <= k:
                values[i], values[k] = values[k], values[i]
                i += 1
                k -= 1
        if k < half:
            first = i
        if half < i:
            last = k
    below = values[half]
    if count % 2 == 0:
        below = values[0]
        for i in range(1, half):
            below = max(below, values[i])
    return float(0.5 * (below + values[half]))


@kernel
def _remember(memory: Any, row: int, look: int, value: float) -> None:
    """Put what a look found in the place of what the oldest one did, and move it to where it belongs in order.

    An unknown value (NaN) counts as the largest. Sorting all of them at every look took ten times as long as the scan.
    """
    at, last, ordered = look % MEMORY, min(look, MEMORY - 1), memory[ORDERED + row]
    k = last
    if look >= MEMORY:
        k = 0
        while k < last and ordered[k] != memory[row, at]:
            k += 1
    memory[row, at] = value
    while k > 0 and not (math.isnan(value) or ordered[k - 1] <= value):
        ordered[k] = ordered[k - 1]
        k -= 1
    while k < last and not (math.isnan(ordered[k + 1]) or value <= ordered[k + 1]):
        ordered[k] = ordered[k + 1]
        k += 1
    ordered[k] = value


@kernel
def _quantile(memory: Any, row: int, count: int, share: float) -> float:
    return float(memory[ORDERED + row, int(share * (count - 1))])
