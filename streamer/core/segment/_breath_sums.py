"""Volumes of one breath, compiled."""

from __future__ import annotations

import math
from typing import Any

from streamer.model.jit import kernel


@kernel
def tally(flow: Any, paw: Any, marks: Any, insp_end: int, step: float) -> Any:
    """Sums over one breath's samples (trapezoids of raw flow).

    Returns:
        VTi, VTe, net volume (L); integral of sqrt(paw) (s·sqrt(cmH2O)), NaN where a pressure is missing; samples that
        were filled; the worst mark; whether some but not all pressures are missing.
    """
    vti, vte, net, root = 0.0, 0.0, 0.0, 0.0
    for i in range(1, flow.size):
        net += flow[i - 1] + flow[i]
        root += root_of(paw[i - 1]) + root_of(paw[i])
        if i <= insp_end:
            vti += max(flow[i - 1], 0.0) + max(flow[i], 0.0)
        if i >= insp_end:
            vte -= min(flow[i - 1], 0.0) + min(flow[i], 0.0)
    half = 0.5 * step
    filled = 0
    worst = 0
    unknown = 0
    for i in range(flow.size):
        filled += marks[i] > 0
        worst = max(worst, marks[i])
        unknown += math.isnan(paw[i])
    return half * vti, half * vte, half * net, half * root, filled, worst, 0 < unknown < flow.size


@kernel
def root_of(paw: float) -> float:
    """Square root of a pressure above atmosphere; NaN stays NaN."""
    return 0.0 if paw <= 0.0 else math.sqrt(paw)
