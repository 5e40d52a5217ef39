"""What the aligner makes of chunks, a row a sample."""

from __future__ import annotations

import math

import numpy as np

from streamer.core.align import Aligner
from streamer.model.records import Notice

RATE = 100.0


def ramp(n: int) -> np.ndarray:
    return np.linspace(0.1, 0.9, n)


def aligned(chunks, **options):
    """Every sample as a row (run, origin, index, flow, paw, mark), and the notices in order of time."""
    aligner = Aligner(**options)
    rows: list[tuple] = []
    notices: list[Notice] = []
    for piece in chunks:
        for placed in aligner.push(piece):
            if isinstance(placed, Notice):
                notices.append(placed)
                continue
            nothing = np.full(placed.flow.size, math.nan)
            paw = nothing if placed.paw is None else placed.paw
            for i, row in enumerate(zip(placed.flow.tolist(), paw.tolist(), strict=True)):
                known = tuple(None if math.isnan(value) else value for value in row)
                rows.append((placed.run, placed.origin_s, placed.first + i, *known, placed.mark))
    notices += aligner.close()
    return rows, sorted(notices, key=lambda notice: notice.at_s)
