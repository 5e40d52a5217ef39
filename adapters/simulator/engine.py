"""Runs a scenario breath by breath: schedule, muscles, lung, sensors, truth. Used by ``simulator``; imports Numba."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.simulator import array_layout as at
from adapters.simulator import lung
from adapters.simulator.breath_truth import Ran, tell_breath, tell_effort, tell_holds
from adapters.simulator.capnograph import reader
from adapters.simulator.constants import alveolar_pressure, gas_constants, lung_constants, resize, static_pressure
from adapters.simulator.course import Segment
from adapters.simulator.muscles import Muscles
from adapters.simulator.scenario import Scenario
from adapters.simulator.sensors import Sensors
from adapters.simulator.truth import BreathTruth, EffortTruth, HoldTruth
from adapters.simulator.valve import NOTHING, Phase
from adapters.simulator.ventilator import PlannedBreath, Schedule
from streamer.model.chunk import FloatArray
from streamer.model.units import S_PER_MIN

MAX_SETTLING_BREATHS = 2000
SETTLED = 1e-12
"""Change of a volume (L) or pressure (cmH2O) from one breath to the next."""
PASSIVE = np.empty((0, at.PULL_SIZE))
LASTING = [at.VOLUME, at.VOLUME_2, at.UNRELAXED]


class Stretch(NamedTuple):
    """What one breath adds: samples (CO2 at its own rate, early or late), its truth, its holds, efforts now over."""

    paw: FloatArray
    flow: FloatArray
    pco2: FloatArray
    truth: BreathTruth
    holds: tuple[HoldTruth, ...]
    efforts: tuple[EffortTruth, ...]


def run(scenario: Scenario) -> Iterator[Stretch]:
    """Breath by breath from the one in progress at the first sample, in the steady state of a passive patient.

    The arrays of successive stretches join to samples 0, 1, 2 … and may go on a little after the recording's end.
    """
    capnograph = reader(scenario)
    schedule, muscles = Schedule(scenario, capnograph.lead_s), Muscles(scenario)
    onset_s, triggered = schedule.first_onset_s, False
    (co2_zero_s, co2_hz), rate = capnograph.clock, scenario.rate_hz
    clock = np.array([0.0, co2_zero_s, rate, co2_hz])
    index = np.array([_first_sample(onset_s, 0.0, rate), _first_sample(onset_s, co2_zero_s, co2_hz), 0, 0])
    bench = _Bench(scenario.segments[0], clock, index)
    bench.settle(scenario.segments[0])
    sensors = Sensors(scenario, 0)
    number = told_co2 = 0
    while onset_s < scenario.duration_s + capnograph.lead_s:
        breath = schedule.breath(onset_s)
        if breath.number != number:
            number, sensors = breath.number, Sensors(scenario, breath.number)
            bench.change(breath.segment)
        first = int(index[0]), int(index[1])
        (paw, flow, gas), ran = bench.run(breath, muscles.during(breath))
        pco2 = capnograph.read(first, paw, gas, breath.segment.ventilator.peep_cmh2o)
        samples = paw[max(-first[0], 0) :], flow[max(-first[0], 0) :], pco2
        counts = max(first[0], 0), told_co2
        told_co2 += pco2.size
        over = muscles.ended(ran.end_s, triggered=ran.triggers)
        told = tell_breath(scenario, breath, ran, triggered=triggered)
        efforts = tuple(tell_effort(scenario, pull) for pull in over)
        yield Stretch(*sensors.measure(*samples, counts), told, tell_holds(breath, told, ran), efforts)
        onset_s, triggered = ran.end_s, ran.triggers


def _lagging(phase: Phase, met_s: float) -> Phase:
    """What is left of a phase after the trigger, until the valve opens."""
    return phase._replace(
        start_s=met_s,
        end_s=min(met_s + phase.lag_s, phase.end_s),
        level=phase.level + phase.slope * (met_s - phase.start_s),
        swing=0.0,
        watch=NOTHING,
        falls=False,
    )


def _first_sample(start_s: float, zero_s: float, rate_hz: float) -> int:
    """The sample whose interval ends next after ``start_s``, strictly: the kernel's edges, by the kernel's formula."""
    first = math.floor((start_s - zero_s) * rate_hz + 0.5) - 1
    while zero_s + (first + 0.5) / rate_hz <= start_s:
        first += 1
    return first


class _Bench:
    """A lung on its ventilator: what continues from breath to breath."""

    def __init__(self, segment: Segment, clock: FloatArray, index: NDArray[np.int64]) -> None:
        self._clock, self._index = clock, index
        self._lung, self._gas = lung_constants(segment), gas_constants(segment)
        self._state = np.zeros(at.STATE_SIZE)

    def settle(self, segment: Segment) -> None:
        """Bring it to the onset after as many breaths as make one like the next (trapped gas included)."""
        state, clock, index = self._state, self._clock, self._index
        self._clock, self._index = np.array([math.inf, math.inf, 1.0, 1.0]), np.zeros(4, dtype=np.int64)
        state[at.VOLUME] = segment.ventilator.peep_cmh2o * self._lung[at.COMPLIANCE]
        if self._lung[at.ELASTANCE_2]:
            state[at.VOLUME_2] = segment.ventilator.peep_cmh2o / self._lung[at.ELASTANCE_2]
        state[at.CO2_NOW] = self._gas[at.INSPIRED_CO2]
        breath = PlannedBreath(number=0, segment=segment, start_s=0.0)
        for _ in range(MAX_SETTLING_BREATHS):
            before = state[LASTING]
            self.run(breath, PASSIVE)
            if np.abs(state[LASTING] - before).max() < SETTLED:
                break
        state[at.MEAN_S : at.MEAN_CO2 + 1] = 0.0
        self._clock, self._index = clock, index

    def change(self, segment: Segment) -> None:
        """Another segment begins."""
        before, self._lung, self._gas = self._lung, lung_constants(segment), gas_constants(segment)
        resize(self._state, before, self._lung)

    def run(self, breath: PlannedBreath, pulls: FloatArray) -> tuple[lung.Samples, Ran]:
        """One breath: the samples that end in it, and what came of it."""
        size, co2_size = (math.ceil((breath.end_s - breath.start_s) * rate) + 2 for rate in self._clock[at.RATE :])
        samples = np.empty(size), np.empty(size), np.empty(co2_size)
        self._index[2:] = 0
        fixed, tally = (self._lung, self._gas, pulls), np.zeros(at.TALLY_SIZE)
        self._lung[at.LEAK] = breath.segment.circuit.leak_at(breath.start_s) / S_PER_MIN
        before = static_pressure(self._state, self._lung), self._alveolar(breath.start_s, pulls)
        onset = float(self._state[at.VOLUME] + self._state[at.VOLUME_2])
        lowest = min(float(self._state[at.LOWEST]), onset), onset
        self._begin_half()
        drive_end_s = self._advance(breath.inspiration(), fixed, tally, samples)
        rest = breath.rest(drive_end_s)
        holding = [phase for phase in rest if not phase.is_expiration]
        expiring = rest[len(holding) :]
        insp_end_s = self._advance(holding, fixed, tally, samples) if holding else drive_end_s
        inspired = float(self._state[at.CO2_NOW])
        turn = static_pressure(self._state, self._lung), self._alveolar(insp_end_s, pulls)
        self._begin_half()
        self._state[at.LOWEST] = self._state[at.VOLUME] + self._state[at.VOLUME_2]
        end_s = self._advance(expiring, fixed, tally, samples)
        end = static_pressure(self._state, self._lung), self._alveolar(end_s, pulls)
        exhaled = float(self._state[at.EXHALED])
        n, n_co2 = int(self._index[2]), int(self._index[3])
        paw, flow, pco2 = samples
        ran = Ran(tally, insp_end_s, end_s, end_s < expiring[-1].end_s, before, turn, end, inspired, lowest, exhaled)
        return (paw[:n], flow[:n], pco2[:n_co2]), ran

    def _advance(self, phases: list[Phase], fixed: lung.Fixed, tally: FloatArray, samples: lung.Samples) -> float:
        """Phase after phase until the last has ended, or the patient has ended one; when that was."""
        ended_s = phases[0].start_s
        for phase in phases:
            if phase.falls:  # from the lung's own pressure, known only now
                start = self._alveolar(phase.start_s, fixed[2])
                slope = (phase.level - start) / (phase.end_s - phase.start_s)
                phase = phase._replace(level=start, slope=slope)  # noqa: PLW2901 (the same phase, now known)
            ended_s = float(lung.advance(phase, fixed, self._clock, self._state, tally, self._index, samples))
            if ended_s < phase.end_s:
                return self._advance([_lagging(phase, ended_s)], fixed, tally, samples) if phase.lag_s else ended_s
        return ended_s

    def _alveolar(self, now: float, pulls: FloatArray) -> float:
        return alveolar_pressure(self._state, self._lung, lung.muscles(now, pulls))

    def _begin_half(self) -> None:
        """A new inspiration or expiration: the gas at the CO2 sensor is counted from here."""
        self._state[at.CO2_BEFORE] = self._state[at.CO2_NOW]
        self._state[at.INHALED] = self._state[at.EXHALED] = 0.0
