"""The compiled core, made ready before samples are waiting for it. Floor 4."""

from __future__ import annotations

import numpy as np

from streamer.bed import Bed
from streamer.chunk import Channel, Chunk

RATE_HZ = 100.0
BREATHS, BREATH_S = 4, 2.0


def warm_up() -> None:
    """Run a few made-up breaths through a core that is then forgotten, which compiles or loads every kernel.

    Takes some seconds the first time after installation (the result is cached on disk), a fraction of one later.
    """
    phase = np.arange(int(BREATHS * BREATH_S * RATE_HZ)) / (BREATH_S * RATE_HZ) * 2.0 * np.pi
    flow = 0.5 * np.sin(phase)
    bed = Bed("warm-up")
    bed.push(
        Chunk(
            source="warm-up",
            start_s=0.0,
            rate_hz=RATE_HZ,
            channels={Channel.FLOW: flow, Channel.PAW: 15.0 - 10.0 * np.cos(phase), Channel.PCO2: 20.0 - 20.0 * flow},
        ),
    )
    bed.close()
