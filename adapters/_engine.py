"""Runs a scenario breath by breath: plan, lung, sensors and noise, truth. Used by ``simulator``; imports Numba."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters import _lung as lung
from adapters._course import PlannedBreath, plan, plan_breath
from adapters._scenario import Scenario, Segment
from adapters._truth import BreathTruth, CapnogramTruth, HoldTruth
from streamer.chunk import FloatArray
from streamer.units import JOULE_PER_L_CMH2O, ML_PER_L, S_PER_MIN

MAX_SETTLING_BREATHS = 2000
SETTLED_L = 1e-12
MIN_EXHALED_L = 1e-3


class Stretch(NamedTuple):
    """What one breath adds: samples (CO2 may run ahead or behind), its truth, its holds."""

    paw: FloatArray
    flow: FloatArray
    pco2: FloatArray
    truth: BreathTruth
    holds: tuple[HoldTruth, ...]


def run(scenario: Scenario) -> Iterator[Stretch]:
    """Breath by breath from the one in progress at the first sample, in periodic steady state.

    The arrays of successive stretches join to samples 0, 1, 2 … and may go on a little after the recording's end.
    """
    lead_s = abs(scenario.co2_delay_s) + 2 / scenario.rate_hz
    clock = np.array([0.0, -scenario.co2_delay_s, scenario.rate_hz])
    index: NDArray[np.int64] | None = None
    state = _settled(scenario.segments[0])
    current, constants, gas, sensor = -1, np.empty(0), np.empty(0), _Sensors(scenario, 0)
    for breath in plan(scenario, lead_s):
        if index is None:
            index = np.array([*(_first_sample(breath.start_s, zero, scenario.rate_hz) for zero in clock[:2]), 0, 0])
        segment = scenario.segments[breath.segment]
        if breath.segment != current:
            current, gas, sensor = breath.segment, _gas(segment), _Sensors(scenario, breath.segment)
            constants = _resized(state, constants, segment)
        arrays, tally, pressures = _run_breath(breath, (constants, gas, clock), state, index)
        paw, flow, pco2 = (array[max(-int(start), 0) :] for array, start in arrays)
        yield Stretch(*sensor.measure(paw, flow, pco2), *_told(scenario, breath, tally, pressures))


def _first_sample(start_s: float, zero_s: float, rate_hz: float) -> int:
    """The sample whose interval ends next after ``start_s``, strictly: the kernel's edges, by the kernel's formula."""
    first = math.floor((start_s - zero_s) * rate_hz + 0.5) - 1
    while zero_s + (first + 0.5) / rate_hz <= start_s:
        first += 1
    return first


def _run_breath(
    breath: PlannedBreath, fixed: tuple[FloatArray, FloatArray, FloatArray], state: FloatArray, index: NDArray[np.int64]
) -> tuple[list[tuple[FloatArray, int]], FloatArray, tuple[float, float, float]]:
    """The samples with the number of their first, the tallies, and the lung's pressure at onset, turn and end."""
    constants, gas, clock = fixed
    size = math.ceil((breath.end_s - breath.start_s) * clock[lung.RATE]) + 2
    paw, flow, pco2 = np.empty(size), np.empty(size), np.empty(size)
    tally = np.zeros(lung.TALLY_SIZE)
    first, first_co2 = int(index[0]), int(index[1])
    index[2:] = 0
    before = turn = state[lung.VOLUME] / constants[lung.COMPLIANCE]
    turned = False
    _begin_half(state)
    for phase in breath.phases:
        if phase.is_expiration and not turned:
            turned, turn = True, state[lung.VOLUME] / constants[lung.COMPLIANCE]
            _begin_half(state)
        if phase.falls:  # from the lung's own pressure, known only now
            start = state[lung.VOLUME] / constants[lung.COMPLIANCE]
            slope = (phase.level - start) / (phase.end_s - phase.start_s)
            phase = phase._replace(level=start, slope=slope)  # noqa: PLW2901 (the same phase, now known)
        lung.advance(phase, constants, gas, clock, state, tally, index, paw, flow, pco2)
    n, n_co2 = int(index[2]), int(index[3])
    pressures = (before, turn, state[lung.VOLUME] / constants[lung.COMPLIANCE])
    return [(paw[:n], first), (flow[:n], first), (pco2[:n_co2], first_co2)], tally, pressures


def _begin_half(state: FloatArray) -> None:
    """A new inspiration or expiration: the gas at the CO2 sensor is counted from here."""
    state[lung.CO2_BEFORE] = state[lung.CO2_NOW]
    state[lung.INHALED] = state[lung.EXHALED] = 0.0


def _settled(segment: Segment) -> FloatArray:
    """The state at onset after as many breaths as it takes until one is like the next (trapped gas included)."""
    constants, gas = _constants(segment), _gas(segment)
    nowhere = np.array([math.inf, math.inf, 1.0])
    index = np.zeros(4, dtype=np.int64)
    breath = plan_breath(segment, 0, 0.0)
    state = np.zeros(lung.STATE_SIZE)
    state[lung.VOLUME] = segment.ventilator.peep_cmh2o * constants[lung.COMPLIANCE]
    state[lung.CO2_NOW] = gas[lung.INSPIRED_CO2]
    for _ in range(MAX_SETTLING_BREATHS):
        before = state[lung.VOLUME]
        _run_breath(breath, (constants, gas, nowhere), state, index)
        if abs(state[lung.VOLUME] - before) < SETTLED_L:
            break
    state[lung.MEAN_S : lung.MEAN_CO2 + 1] = 0.0
    return state


def _constants(segment: Segment) -> FloatArray:
    part = segment.lung
    leak = segment.circuit.leak_l_min_per_sqrt_cmh2o / S_PER_MIN
    return np.array([part.compliance_ml_cmh2o / ML_PER_L, part.resistance_cmh2o_s_l, part.expiratory, leak])


def _resized(state: FloatArray, before: FloatArray, segment: Segment) -> FloatArray:
    """The constants of a new segment. The lung keeps its pressure: what changes is recruited or lost, not blown in."""
    constants = _constants(segment)
    if before.size:
        state[lung.VOLUME] *= constants[lung.COMPLIANCE] / before[lung.COMPLIANCE]
    return constants


def _gas(segment: Segment) -> FloatArray:
    part = segment.capnogram
    if part is None:
        return np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    litres = np.array([part.dead_space_ml, part.phase2_sd_ml, part.sensor_volume_ml]) / ML_PER_L
    return np.array([litres[0], litres[1], part.plateau_mmhg, part.slope_mmhg_l, part.inspired_mmhg, litres[2]])


class _Sensors:
    """Errors and noise of one segment. Each channel draws its own numbers, in the order of samples."""

    def __init__(self, scenario: Scenario, segment: int) -> None:
        self._errors = scenario.segments[segment].sensor
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
            _noisy(pco2, self._draws[2], errors.pco2_noise_mmhg, errors.pco2_step_mmhg),
        )


def _noisy(samples: FloatArray, draw: np.random.Generator, deviation: float, step: float) -> FloatArray:
    noisy = samples + deviation * draw.standard_normal(samples.size)
    return np.round(noisy / step) * step if step > 0.0 else noisy


def _told(
    scenario: Scenario, breath: PlannedBreath, tally: FloatArray, pressures: tuple[float, float, float]
) -> tuple[BreathTruth, tuple[HoldTruth, ...]]:
    """What a breath's truth says, in the contract's units."""
    zero, segment = scenario.start_s, scenario.segments[breath.segment]
    truth = BreathTruth(
        start_s=zero + breath.start_s,
        insp_end_s=zero + breath.insp_end_s,
        end_s=zero + breath.end_s,
        segment=breath.segment,
        vt_insp=ML_PER_L * float(tally[lung.VT_INSP]),
        vt_exp=ML_PER_L * float(tally[lung.VT_EXP]),
        vt_lung=ML_PER_L * float(tally[lung.VT_LUNG]),
        ppeak=float(tally[lung.PPEAK]),
        pplat=float(pressures[1]),
        peep=segment.ventilator.peep_cmh2o,
        peep_total_before=float(pressures[0]),
        peep_total=float(pressures[2]),
        energy=JOULE_PER_L_CMH2O * float(tally[lung.WORK]),
        insp_hold_s=breath.insp_hold_s,
        exp_hold_s=breath.exp_hold_s,
        disconnected=breath.disconnected,
        co2=_capnogram(segment, tally),
    )
    ends = {"inspiratory": (truth.insp_end_s, truth.pplat), "expiratory": (truth.end_s, truth.peep_total)}
    spans = {"inspiratory": breath.insp_hold_s, "expiratory": breath.exp_hold_s}
    holds = tuple(
        HoldTruth(
            kind=hold.kind,
            start_s=ends[hold.kind][0] - spans[hold.kind],
            end_s=ends[hold.kind][0],
            pressure=ends[hold.kind][1],
        )
        for hold in breath.held
    )
    return truth, holds


def _capnogram(segment: Segment, tally: FloatArray) -> CapnogramTruth | None:
    part, exhaled = segment.capnogram, float(tally[lung.VT_EXP])
    if part is None or exhaled < MIN_EXHALED_L:
        return None
    alveolar = max(exhaled - part.dead_space_ml / ML_PER_L, 0.0)
    mixed = float(tally[lung.CO2_AREA]) / exhaled
    pco2_alv = part.plateau_mmhg + part.slope_mmhg_l * alveolar / 2
    return CapnogramTruth(
        petco2=float(lung.exhaled_co2(exhaled, _gas(segment))),
        pco2_alv=pco2_alv,
        pco2_mixed_exp=mixed,
        vd_aw=part.dead_space_ml,
        vd_vt_bohr=(pco2_alv - mixed) / (pco2_alv - part.inspired_mmhg),
    )
