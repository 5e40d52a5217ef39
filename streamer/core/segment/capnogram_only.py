"""Breaths of a bed that has a capnograph and no flow: from one fall of PCO2 to the next.

Such a breath has times and pressures of CO2; everything else is withheld (``flow_missing``).
"""

from __future__ import annotations

import math

import numpy as np

from streamer.model.breath import Breath
from streamer.model.flags import Flag

NO_SAMPLES = np.zeros(0)
NO_SAMPLES.flags.writeable = False


class CapnogramSegmenter:
    """Instants at which PCO2 fell in, breaths out; one per bed."""

    def __init__(self, apnoea_s: float) -> None:
        self._apnoea_s = apnoea_s
        self._number = 0
        self.watermark_s = -math.inf
        """The last fall: every breath still to come ends after it."""

    def push(self, fall_s: float) -> Breath | None:
        """The breath that ends at ``fall_s``; the first fall ends none."""
        start_s, self.watermark_s = self.watermark_s, fall_s
        if start_s == -math.inf:
            return None
        flags = {Flag.NO_FLOW} | ({Flag.APNOEA} if fall_s - start_s > self._apnoea_s else set())
        self._number += 1
        return Breath(
            number=self._number - 1,
            start_s=start_s,
            end_s=fall_s,
            rate_hz=1.0,
            onset_s=start_s,
            paw=NO_SAMPLES,
            flow=NO_SAMPLES,
            pco2=None,
            insp_end=0,
            insp_end_s=start_s,
            leak_conductance=0.0,
            leak_frac=math.nan,
            interpolated=0,
            flags=frozenset(flags),
        )
