"""How high and low the channels of a look are, and how they differ as gas flows in and out. Compiled."""

from __future__ import annotations

import math

import numpy as np

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

(
    LOW, HIGH, USUAL, BOTTOM, TOP, MEAN, CLIPPED_HIGH, CLIPPED_LOW, WRAPPED, FROZEN_S, IS_FROZEN, CHANNEL_SIZE,
) = range(12)  # fmt: skip
"""Places of what is found in a channel: the fields of ``Spread``, in this order."""
PAW_STEP, PCO2_STEP, PAW_ABOVE, FLOW_IN, FLOW_OUT, MARKED, PAIRS_SIZE = range(7)
"""Places of what is found between them: fields of ``Signals``; ``MARKED``: not 0 if any channel has a mark."""
MANY = 20
"""One in so many samples is 5 %. Of the spread, one sample of those is left out on either side."""
STRETCH_N = 3
"""Samples, of a hundred or more in a look, of a stretch in which gas flows one way."""
CHANGE_SHARE = 0.1
"""Of the largest flow: beyond it gas flows, one way or the other."""
RISE_SHARE = 0.5
"""Of what pressure is lower while gas flows in: a breath that begins at rest raises it by more."""
IN_SHARE, REST_SHARE = 0.2, 0.1
"""Of the flow that 5 % of the samples exceed: gas flows above the first, hardly below the second."""


@kernel
def levels(samples: FloatArray, step: int, seen: FloatArray) -> tuple[float, float]:
    """Quantiles and mean of one channel, NaN where it is absent; returns those of 5 and 95 %."""
    seen[: MEAN + 1] = math.nan
    seen[MEAN + 1 :] = 0.0
    size = samples.size // step // MANY + 1
    lows, highs = np.full(size, math.inf), np.full(size, -math.inf)
    count, total = 0, 0.0
    for i in range(0, samples.size, step):
        x = samples[i]
        if abs(x) < math.inf:
            count += 1
            total += x
            if x < lows[-1]:
                _insert(lows, x)
            if x > highs[-1]:
                _insert(highs, x)
    if count == 0:
        return math.nan, math.nan
    tail, part = min(1, count - 1), min(count // MANY, size - 1)
    seen[LOW], seen[HIGH], seen[MEAN] = lows[min(tail, part)], highs[min(tail, part)], total / count
    seen[USUAL] = max(abs(lows[part]), abs(highs[part]))
    return lows[part], highs[part]


@kernel
def _insert(ordered: FloatArray, x: float) -> None:
    """Put a number into its place among the most extreme so far, outermost first; the last one drops out."""
    k, is_low = ordered.size - 1, x < ordered[-1]
    while k > 0 and (x < ordered[k - 1]) == is_low and x != ordered[k - 1]:
        ordered[k] = ordered[k - 1]
        k -= 1
    ordered[k] = x


@kernel
def between(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray, paw: FloatArray, pco2: FloatArray, outward: float, inward: float, pairs: FloatArray
) -> None:
    """Mean flows each way; how pressure and PCO2 differ between them; NaN where a side is missing."""
    if math.isnan(outward):
        return
    gas_in = gas_out = 0.0
    for x in flow:
        if abs(x) < math.inf:
            gas_in, gas_out = gas_in + max(x, 0.0), gas_out - min(x, 0.0)
    pairs[FLOW_IN], pairs[FLOW_OUT] = gas_in / flow.size, gas_out / flow.size
    if not (outward < 0.0 < inward):
        return
    paw_in, paw_out = _middle(paw, flow, IN_SHARE * inward), _middle(paw, -flow, -IN_SHARE * outward)
    pairs[PAW_STEP] = paw_in - paw_out
    if pairs[PAW_STEP] < 0.0 and _is_pushed_in(flow, paw, CHANGE_SHARE * max(inward, -outward), -pairs[PAW_STEP]):
        pairs[PAW_STEP] = math.nan
    if pairs[PAW_STEP] < 0.0:  # nothing asks else
        is_rest = np.abs(flow) < REST_SHARE * max(inward, -outward)
        rest = np.sort(paw[is_rest & np.isfinite(paw)])
        pairs[PAW_ABOVE] = paw_out - rest[rest.size // 4] if rest.size else math.nan
        pco2_in, pco2_out = _middle(pco2, flow, IN_SHARE * inward), _middle(pco2, -flow, -IN_SHARE * outward)
        pairs[PCO2_STEP] = pco2_in - pco2_out


@kernel
def _middle(samples: FloatArray, flow: FloatArray, least: float) -> float:
    """Median of the samples at which flow exceeds ``least``; NaN where there are none."""
    chosen = np.sort(samples[(flow > least) & np.isfinite(samples)])
    return chosen[chosen.size // 2] if chosen.size else math.nan


@kernel
def _is_pushed_in(flow: FloatArray, paw: FloatArray, least: float, step: float) -> bool:
    """Whether pressure is higher in any stretch of inflow than in one of outflow beside it, as before a disconnect.

    Or, by half of ``step``, than at rest just before, as in a breath after coughs. Flow that is reversed goes in from
    rest only where the lung empties after a hold: pressure falls.
    """
    side, total, count, before, before_side = 0.0, 0.0, 0, 0.0, 0.0
    rest, rest_n, begun = 0.0, 0, math.nan
    for i in range(flow.size + 1):
        x = flow[i] if i < flow.size else -side
        if i == flow.size or (abs(x) > least and x * side <= 0.0):
            if count >= STRETCH_N:
                mean = total / count
                if before_side * side < 0.0 and (mean - before) * side > 0.0:
                    return True
                if side > 0.0 and mean - begun > RISE_SHARE * step:
                    return True
                before, before_side = mean, side
            begun = rest / rest_n if rest_n >= STRETCH_N else math.nan
            side, total, count = x, 0.0, 0
        if i < flow.size and math.isfinite(paw[i]):
            if abs(x) > least:
                total, count, rest, rest_n = total + paw[i], count + 1, 0.0, 0
            elif abs(x) <= least:
                rest, rest_n = rest + paw[i], rest_n + 1
    return False
