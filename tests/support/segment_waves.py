"""Waves for the segmenter, and the breaths that it finds."""

from __future__ import annotations

import numpy as np

from tests.support.streams import Capture, Lung, chunk, segmented

RATE = 100.0


def breaths_of(flow, paw=None, **given):
    return segmented([chunk(flow, paw, **given)]).breaths


def stacked_wave() -> Capture:
    """The third inspiration is followed by another without an expiration between, then by a long expiration."""
    wave = Lung(ti=1.0, tau=0.4).wave(40.0, pcv=True)
    start = 850
    again = np.concatenate([wave.flow[start : start + 100], wave.flow[start : start + 100]])
    flow = np.concatenate(
        [wave.flow[:start], again, 2 * wave.flow[start + 100 : start + 400], wave.flow[start + 400 :]]
    )
    return Capture(flow, np.full(flow.size, 10.0), RATE, np.array([]))
