"""Cycles with an onset in a known place."""

from __future__ import annotations

import numpy as np

from streamer.model.breath import Breath
from streamer.model.chunk import FloatArray
from tests.support.streams import Lung, chunk, segmented

RATE = 100.0
PATIENT = Lung(phase=0.0)
"""0.5 L in 1 s by square flow, then 3 s of expiration; pressure swings from 5 to 20 cmH2O."""


CYCLES = 12


def cycle(*, pcv: bool = False, lung: Lung = PATIENT, rate_hz: float = RATE) -> tuple[FloatArray, FloatArray]:
    """Flow and pressure of one breath."""
    wave = lung.wave(lung.period, rate_hz, pcv=pcv)
    return wave.flow.copy(), wave.paw.copy()


def repeated(flow: FloatArray, paw: FloatArray | None, rate_hz: float = RATE) -> list[Breath]:
    """The cycle again and again; its first breath begins with the second one."""
    many = None if paw is None else np.tile(paw, CYCLES)
    return segmented([chunk(np.tile(flow, CYCLES), many, rate_hz=rate_hz)]).breaths


def blow(into: FloatArray, at_s: float, for_s: float, ml: float) -> slice:
    """Put so much gas into a flow instead of what is there; all of it comes out again, afterwards."""
    here = slice(round(at_s * RATE), round((at_s + for_s) * RATE))
    into[here] = ml / 1000.0 / for_s
    after = into[here.stop :]
    after -= into.sum() / after.size
    return here


def after_valve(breaths: list[Breath]) -> list[float]:
    """Distance of each start to the valve, which opens at every whole cycle, s."""
    return [(one.start_s + 0.5 * PATIENT.period) % PATIENT.period - 0.5 * PATIENT.period for one in breaths]


def per_cycle(breaths: list[Breath]) -> float:
    """Breaths per cycle once the first five have been learned from."""
    late = [one for one in breaths if one.start_s > 5 * PATIENT.period - 0.1]
    return round(len(late) / (CYCLES - 5), 1)
