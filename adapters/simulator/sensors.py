"""What measuring adds to true samples: gain and zero, drying, noise, a converter's steps and limits.

Used by ``engine``.
"""

from __future__ import annotations

import numpy as np

from adapters.simulator.scenario import Scenario, Transducer
from streamer.model.chunk import FloatArray
from streamer.model.units import PH2O_BODY_MMHG, S_PER_MIN, STANDARD_MMHG


class Sensors:
    """Errors and noise of one segment. Each channel draws its own numbers, in the order of samples."""

    def __init__(self, scenario: Scenario, segment: int) -> None:
        part = scenario.segments[segment]
        self._errors = part.sensor
        self._transducers = part.paw_sensor, part.flow_sensor, part.pco2_sensor
        self._rates_hz = scenario.rate_hz, scenario.co2_rate_hz
        self._co2_gain = _co2_gain(scenario)
        seeds = np.random.SeedSequence([scenario.seed, segment]).spawn(3)
        self._draws = [np.random.default_rng(seed) for seed in seeds]

    def measure(
        self, paw: FloatArray, flow: FloatArray, pco2: FloatArray, first: tuple[int, int]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The same channels as the sensors report them; ``first``: numbers of the first samples, of CO2 last."""
        errors = self._errors
        gain_exp = errors.flow_gain if errors.flow_gain_exp is None else errors.flow_gain_exp
        l_min = flow * np.where(flow >= 0.0, errors.flow_gain, gain_exp) * S_PER_MIN + errors.flow_offset_l_min
        rate_hz, co2_hz = self._rates_hz
        times_min = tuple(
            (number + np.arange(samples.size)) / rate / S_PER_MIN
            for number, samples, rate in ((first[0], paw, rate_hz), (first[1], pco2, co2_hz))
        )
        of_paw, of_flow, of_pco2 = self._transducers
        paw, l_min = _before(paw, of_paw, times_min[0]), _before(l_min, of_flow, times_min[0])
        pco2 = _before(pco2 * self._co2_gain, of_pco2, times_min[1])
        paw = _noisy(paw, self._draws[0], errors.paw_noise_cmh2o, errors.paw_step_cmh2o)
        l_min = _noisy(l_min, self._draws[1], errors.flow_noise_l_min, errors.flow_step_l_min)
        pco2 = _noisy(pco2, self._draws[2], errors.pco2_noise_mmhg, errors.pco2_step_mmhg)
        return _after(paw, of_paw), _after(l_min, of_flow) / S_PER_MIN, _after(pco2, of_pco2)


def _before(samples: FloatArray, sensor: Transducer | None, times_min: FloatArray) -> FloatArray:
    """Gain, zero and drift, before noise."""
    if sensor is None:
        return samples
    return sensor.gain * samples + (sensor.offset + sensor.drift_per_min * times_min)


def _after(samples: FloatArray, sensor: Transducer | None) -> FloatArray:
    """The limits of the converter."""
    if sensor is None:
        return samples
    if sensor.lowest is not None or sensor.highest is not None:
        samples = np.clip(samples, sensor.lowest, sensor.highest)
    if sensor.wraps is not None:
        low, high = sensor.wraps
        samples = low + np.mod(samples - low, high - low)
    return samples


def _co2_gain(scenario: Scenario) -> float:
    """What a dried sample reads, over what it is at body conditions: PB/(PB - 47) (algorithms §1.1)."""
    if scenario.capnograph is None or scenario.capnograph.scale == "BTPS":
        return 1.0
    barometric = scenario.context.barometric_mmhg or STANDARD_MMHG
    return barometric / (barometric - PH2O_BODY_MMHG)


def _noisy(samples: FloatArray, draw: np.random.Generator, deviation: float, step: float) -> FloatArray:
    noisy = samples + deviation * draw.standard_normal(samples.size)
    return np.round(noisy / step) * step if step > 0.0 else noisy
