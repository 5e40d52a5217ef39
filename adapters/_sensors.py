"""What measuring adds to true samples: errors of flow, drying, noise, a converter's steps. Used by ``_engine``."""

from __future__ import annotations

import numpy as np

from adapters._scenario import Scenario
from streamer.chunk import FloatArray
from streamer.units import PH2O_BODY_MMHG, S_PER_MIN, STANDARD_MMHG


class Sensors:
    """Errors and noise of one segment. Each channel draws its own numbers, in the order of samples."""

    def __init__(self, scenario: Scenario, segment: int) -> None:
        self._errors = scenario.segments[segment].sensor
        self._co2_gain = _co2_gain(scenario)
        seeds = np.random.SeedSequence([scenario.seed, segment]).spawn(3)
        self._draws = [np.random.default_rng(seed) for seed in seeds]

    def measure(self, paw: FloatArray, flow: FloatArray, pco2: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The same channels as the sensors report them."""
        errors = self._errors
        gain_exp = errors.flow_gain if errors.flow_gain_exp is None else errors.flow_gain_exp
        l_min = flow * np.where(flow >= 0.0, errors.flow_gain, gain_exp) * S_PER_MIN + errors.flow_offset_l_min
        return (
            _noisy(paw, self._draws[0], errors.paw_noise_cmh2o, errors.paw_step_cmh2o),
            _noisy(l_min, self._draws[1], errors.flow_noise_l_min, errors.flow_step_l_min) / S_PER_MIN,
            _noisy(pco2 * self._co2_gain, self._draws[2], errors.pco2_noise_mmhg, errors.pco2_step_mmhg),
        )


def _co2_gain(scenario: Scenario) -> float:
    """What a dried sample reads, over what it is at body conditions: PB/(PB - 47) (algorithms §1.1)."""
    if scenario.capnograph is None or scenario.capnograph.scale == "BTPS":
        return 1.0
    barometric = scenario.context.barometric_mmhg or STANDARD_MMHG
    return barometric / (barometric - PH2O_BODY_MMHG)


def _noisy(samples: FloatArray, draw: np.random.Generator, deviation: float, step: float) -> FloatArray:
    noisy = samples + deviation * draw.standard_normal(samples.size)
    return np.round(noisy / step) * step if step > 0.0 else noisy
