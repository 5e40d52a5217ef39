"""Flow into the lung. Compiled."""

from __future__ import annotations

import math
from typing import Any

from streamer.model.jit import inlined


@inlined
def into_lung(flow: float, paw: float, p: Any) -> float:
    """Flow without offset and leak, L/s. A pressure that is unknown (NaN) leaves the leak in."""
    return float(flow - p.zero - p.leak * math.sqrt(paw) if paw > 0.0 else flow - p.zero)
