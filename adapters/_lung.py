"""The lung, the circuit and the sensors between two switchings of a valve: the simulator's compiled part.

The airway is driven by a source of flow or of pressure that changes linearly; where it switches, ``_course`` begins a
new phase, so nothing inside a phase jumps and fourth-order Runge-Kutta steps of 2 ms or a tenth of the lung's time
constant leave errors far below a sensor's. A sample is the mean over its sampling interval, centred on its instant, as
an anti-aliased converter gives it: sampled flow then adds up to the true volume wherever valves switch.

Plain scalar source that runs uncompiled too. All quantities in L, s, cmH2O, mmHg.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from adapters._course import Phase
from streamer.chunk import FloatArray

# Names of places in the arrays that the kernel shares with ``_engine``.
COMPLIANCE, R_INSP, R_EXP, LEAK = range(4)
DEAD_SPACE, PHASE2_SD, PLATEAU, SLOPE, INSPIRED_CO2, SENSOR_VOLUME = range(6)
ORIGIN, CO2_ORIGIN, RATE = range(3)
# What a moment leaves to the next: the lung's volume, gas past the sensor in this half-breath, the running means.
VOLUME, INHALED, EXHALED, CO2_BEFORE, CO2_NOW, MEAN_S, MEAN_PAW, MEAN_FLOW, MEAN_CO2_S, MEAN_CO2, STATE_SIZE = range(11)
# What adds up over a breath.
VT_INSP, VT_EXP, VT_LUNG, WORK, PPEAK, CO2_AREA, TALLY_SIZE = range(7)

MAX_STEP_S = 0.002
STEPS_PER_TAU = 10.0
OPEN_ORIFICE = 2.0
"""A disconnected tube, (L/s)/sqrt(cmH2O): 1 L/s escapes at 0.25 cmH2O."""
TINY_L = 1e-9


@njit(cache=True)
def airway(volume: float, level: float, phase: Phase, lung: FloatArray) -> tuple[float, float, float]:
    """Flow into the lung, flow through the sensor, airway pressure, for a source at ``level`` (L/s or cmH2O)."""
    elastic = volume / lung[COMPLIANCE]
    leak = lung[LEAK]
    if phase.is_open:  # the lung breathes out into the room, the source blows into it
        flow = -elastic / (lung[R_EXP] if elastic > 0.0 else lung[R_INSP])
        return flow, level, (level / OPEN_ORIFICE) ** 2
    if phase.is_flow:
        into = level - leak * math.sqrt(max(elastic, 0.0))
        resistance = lung[R_INSP] if into >= 0.0 else lung[R_EXP]
        paw = elastic + resistance * level
        if paw > 0.0 and leak > 0.0:  # level = (paw - elastic)/R + g*sqrt(paw), solved for sqrt(paw)
            root = 0.5 * (math.sqrt((leak * resistance) ** 2 + 4.0 * paw) - leak * resistance)
            paw = root * root
        return (paw - elastic) / resistance, level, paw
    flow = (level - elastic) / (lung[R_INSP] if level >= elastic else lung[R_EXP])
    return flow, flow + leak * math.sqrt(max(level, 0.0)), level


@njit(cache=True)
def exhaled_co2(volume: float, gas: FloatArray) -> float:
    """PCO2 at the sensor after ``volume`` has been exhaled, mmHg (algorithms.md §11.3)."""
    alveolar = volume - gas[DEAD_SPACE]
    height = gas[PLATEAU] + gas[SLOPE] * alveolar - gas[INSPIRED_CO2]
    if gas[PHASE2_SD] > 0.0:
        share = 0.5 * (1.0 + math.erf(alveolar / (gas[PHASE2_SD] * math.sqrt(2.0))))
    else:
        share = 1.0 if alveolar >= 0.0 else 0.0
    return float(gas[INSPIRED_CO2] + height * share)


@njit(cache=True)
def exhaled_area(volume: float, gas: FloatArray) -> float:
    """Integral of ``exhaled_co2`` over volume, mmHg·L, up to a constant; closed form."""
    x = volume - gas[DEAD_SPACE]
    base, slope, sd = gas[PLATEAU] - gas[INSPIRED_CO2], gas[SLOPE], gas[PHASE2_SD]
    area = gas[INSPIRED_CO2] * volume
    if sd > 0.0:
        z = x / sd
        share = 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))
        density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        area += base * (x * share + sd * density) + 0.5 * slope * ((x * x - sd * sd) * share + x * sd * density)
    elif x > 0.0:
        area += base * x + 0.5 * slope * x * x
    return float(area)


@njit(cache=True)
def _sense_co2(passed: float, phase: Phase, gas: FloatArray, state: FloatArray, tally: FloatArray) -> float:
    """Let ``passed`` litres (towards the patient) go by the CO2 sensor; the mean PCO2 it saw."""
    if phase.is_expiration:
        before = state[EXHALED]
        after = before + max(-passed, 0.0)
        state[EXHALED] = after
        area = exhaled_area(after, gas) - exhaled_area(before, gas)
        tally[CO2_AREA] += area
        state[CO2_NOW] = exhaled_co2(after, gas)
        return float(area / (after - before) if after - before > TINY_L else state[CO2_NOW])
    before = state[INHALED]
    after = before + max(passed, 0.0)
    state[INHALED] = after
    washed, excess = gas[SENSOR_VOLUME], state[CO2_BEFORE] - gas[INSPIRED_CO2]
    state[CO2_NOW] = gas[INSPIRED_CO2] + excess * math.exp(-after / washed)
    if after - before <= TINY_L:
        return float(state[CO2_NOW])
    area = excess * washed * (math.exp(-before / washed) - math.exp(-after / washed))
    return float(gas[INSPIRED_CO2] + area / (after - before))


@njit(cache=True)
def _step(  # noqa: PLR0917 (compiled: positions only)
    phase: Phase, now: float, h: float, lung: FloatArray, gas: FloatArray, state: FloatArray, tally: FloatArray
) -> None:
    """One Runge-Kutta step of ``h`` seconds; volumes, work and the means of this sampling interval move with it."""
    first = phase.level + phase.slope * (now - phase.start_s)
    middle, last = first + 0.5 * h * phase.slope, first + h * phase.slope
    volume = state[VOLUME]
    f1, q1, p1 = airway(volume, first, phase, lung)
    f2, q2, p2 = airway(volume + 0.5 * h * f1, middle, phase, lung)
    f3, q3, p3 = airway(volume + 0.5 * h * f2, middle, phase, lung)
    f4, q4, p4 = airway(volume + h * f3, last, phase, lung)
    entered = h * (f1 + 2.0 * f2 + 2.0 * f3 + f4) / 6.0
    passed = h * (q1 + 2.0 * q2 + 2.0 * q3 + q4) / 6.0
    state[VOLUME] = volume + entered
    pco2 = _sense_co2(passed, phase, gas, state, tally)
    if phase.is_expiration:
        tally[VT_EXP] += max(-passed, 0.0)
    else:
        tally[VT_INSP] += max(passed, 0.0)
        tally[VT_LUNG] += max(entered, 0.0)
        work = p1 * max(f1, 0.0) + 2.0 * (p2 * max(f2, 0.0) + p3 * max(f3, 0.0)) + p4 * max(f4, 0.0)
        tally[WORK] += h * work / 6.0
        tally[PPEAK] = max(tally[PPEAK], p1, p4)
    state[MEAN_S] += h
    state[MEAN_PAW] += h * (p1 + 2.0 * p2 + 2.0 * p3 + p4) / 6.0
    state[MEAN_FLOW] += passed
    state[MEAN_CO2_S] += h
    state[MEAN_CO2] += h * (gas[INSPIRED_CO2] if phase.is_open else pco2)


@njit(cache=True)
def advance(  # noqa: PLR0917 (compiled: positions only)
    phase: Phase,
    lung: FloatArray,
    gas: FloatArray,
    clock: FloatArray,
    state: FloatArray,
    tally: FloatArray,
    index: NDArray[np.int64],
    paw: FloatArray,
    flow: FloatArray,
    pco2: FloatArray,
) -> None:
    """Run one phase, filling in every sample whose interval ends in it.

    Args:
        phase: The phase.
        lung: Constants, by the names above.
        gas: Capnogram, likewise.
        clock: Instants of sample 0 of pressure and of CO2, and the rate; infinite instants: no sampling.
        state: What continues from phase to phase.
        tally: What adds up over the breath.
        index: (4,) samples of pressure and of CO2 since the clock's origin, and how many stand in the arrays.
        paw: (n,) cmH2O, to be filled from ``index[2]`` on.
        flow: (n,) L/s, likewise.
        pco2: (n,) mmHg, to be filled from ``index[3]`` on.
    """
    tau = lung[COMPLIANCE] * min(lung[R_INSP], lung[R_EXP])
    longest = min(MAX_STEP_S, tau / STEPS_PER_TAU)
    now = phase.start_s
    while now < phase.end_s:
        edge = clock[ORIGIN] + (index[0] + 0.5) / clock[RATE]
        co2_edge = clock[CO2_ORIGIN] + (index[1] + 0.5) / clock[RATE]
        stop = min(phase.end_s, edge, co2_edge)
        steps = math.ceil((stop - now) / longest)
        for k in range(steps):
            h = (stop - now) / steps
            _step(phase, now + k * h, h, lung, gas, state, tally)
        now = stop
        if stop == edge:
            paw[index[2]] = state[MEAN_PAW] / state[MEAN_S]
            flow[index[2]] = state[MEAN_FLOW] / state[MEAN_S]
            state[MEAN_S] = state[MEAN_PAW] = state[MEAN_FLOW] = 0.0
            index[0] += 1
            index[2] += 1
        if stop == co2_edge:
            pco2[index[3]] = state[MEAN_CO2] / state[MEAN_CO2_S]
            state[MEAN_CO2_S] = state[MEAN_CO2] = 0.0
            index[1] += 1
            index[3] += 1
