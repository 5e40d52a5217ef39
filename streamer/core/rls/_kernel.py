"""Recursive least squares, sample by sample, compiled."""

from __future__ import annotations

import math

import numpy as np

from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

VOLUME, FLOW, DIRECTION, TURNED, EXPIRED, STATE_SIZE = range(6)
"""Volume since the onset (L), the flow before (L/s), its direction and samples since that changed, whether gas left."""
SETTLE = 2.0
"""Samples left out where flow turns: their means mix two directions, which have two resistances."""
ONSET_L_S, EXPIRED_L_S = 2.0 / 60.0, 6.0 / 60.0
"""Flow in at which a breath begins once flow out has exceeded the other: noise in a hold does neither."""


@kernel
def advance(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray,
    paw: FloatArray,
    step_s: float,
    keep: float,
    theta: FloatArray,
    spread: FloatArray,
    state: FloatArray,
) -> None:
    """Move ``theta`` (E, Ri, Re, P0) and its ``spread`` (4, 4) on over the samples, in place."""
    regressors, product = np.zeros(4), np.zeros(4)
    regressors[3] = 1.0
    for i in range(flow.size):
        if math.isnan(flow[i]) or math.isnan(paw[i]):
            continue
        _follow(flow[i], step_s, state)
        if state[TURNED] < SETTLE:
            continue
        regressors[0], regressors[1], regressors[2] = state[VOLUME], max(flow[i], 0.0), min(flow[i], 0.0)
        total, error = keep, paw[i]
        for j in range(4):
            product[j] = 0.0
            for k in range(4):
                product[j] += spread[j, k] * regressors[k]
        for j in range(4):
            total += regressors[j] * product[j]
            error -= regressors[j] * theta[j]
        for j in range(4):
            theta[j] += product[j] / total * error
        for j in range(4):
            for k in range(4):
                spread[j, k] = (spread[j, k] - product[j] * product[k] / total) / keep


@kernel
def _follow(flow: float, step_s: float, state: FloatArray) -> None:
    """Volume from the newest onset on, and samples since flow last changed its direction."""
    state[VOLUME] += 0.5 * step_s * (flow + state[FLOW])
    state[FLOW] = flow
    direction = 1.0 if flow > 0.0 else -1.0
    state[TURNED] = state[TURNED] + 1.0 if direction == state[DIRECTION] else 0.0
    state[DIRECTION] = direction
    if flow < -EXPIRED_L_S:
        state[EXPIRED] = 1.0
    elif flow > ONSET_L_S and state[EXPIRED] > 0.0:
        state[EXPIRED], state[VOLUME] = 0.0, 0.5 * step_s * flow
