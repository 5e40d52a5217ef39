"""Ventilation with samples that repeat."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Scenario, Sensor, Ventilator
from streamer.core.align import Repeats
from streamer.model.chunk import Channel, Chunk
from streamer.model.records import Notice
from tests.support.simulated import joined, lung


def ventilated(rate_hz: float, *, seed: int = 1, noise: float = 1.0, step: float = 0.1, **vent: float) -> Chunk:
    """A minute of pressure control, 16 a minute; ``noise`` scales that of the sensors."""
    sensor = Sensor(
        paw_noise_cmh2o=0.1 * noise, flow_noise_l_min=0.4 * noise, pco2_noise_mmhg=0.3 * noise,
        paw_step_cmh2o=step, flow_step_l_min=step, pco2_step_mmhg=step,
    )  # fmt: skip
    ventilator = Ventilator(**({"mode": "pcv", "rate_per_min": 16.0, "ti_s": 1.2, "rise_s": 0.1} | vent))  # type: ignore[arg-type]
    one = Segment(lung=lung(0.05, 10.0), ventilator=ventilator, sensor=sensor, capnogram=Capnogram())
    return Chunk(
        source="vent",
        start_s=0.0,
        rate_hz=rate_hz,
        channels=joined(simulate(Scenario(duration_s=60.0, rate_hz=rate_hz, seed=seed, segments=(one,)))),
    )


def sifted(whole: Chunk, cuts: list[int] | None = None) -> tuple[dict[Channel, np.ndarray], list[Notice]]:
    operator, found, notices = Repeats(), [], []
    for first, last in pairwise([0, *(cuts or []), len(whole)]):
        chunks, told = operator.push(whole.cut(first, last))
        found += chunks
        notices += told
    found += operator.close()
    return {name: np.concatenate([one.channels[name] for one in found]) for name in whole.channels}, notices


def within(whole: Chunk, share: float, *, breath: int = 6) -> int:
    """A sample at which a part of an inspiration (or, beyond 1, of an expiration) has passed."""
    flow = whole.channels[Channel.FLOW]
    smooth = np.convolve(flow, np.ones(5) / 5, mode="same")
    rising = np.flatnonzero((smooth[1:] > 0.1) & (smooth[:-1] <= 0.1))
    onset = next(i for i in rising if i > breath * 3.75 * whole.rate_hz - 0.4 * whole.rate_hz)
    return int(onset + share * 1.2 * whole.rate_hz)
