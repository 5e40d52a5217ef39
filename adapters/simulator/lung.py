"""The lung, the circuit and the sensors between two switchings of a valve: the simulator's compiled part.

One compartment, or two; a Kelvin body and the muscles' pull act on both, as a chest wall does. The airway is driven by
a source of flow or of pressure that changes linearly; where it switches, ``ventilator`` begins a new phase, so nothing
inside a phase jumps and fourth-order Runge-Kutta steps of 2 ms or a tenth of a time constant leave errors far below a
sensor's. A sample is the mean over its sampling interval, centred on its instant, as an anti-aliased converter gives
it: sampled flow then adds up to the true volume wherever valves switch.

Plain scalar source that runs uncompiled too. Four functions are inlined by name: that takes a third off the time of a
breath, and inlining more takes seconds to compile. All quantities in L, s, cmH2O, mmHg.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapters.simulator import array_layout as at
from adapters.simulator.expired_gas import sense_co2
from adapters.simulator.valve import FLOW_ABOVE, NOTHING, PAW_BELOW, Phase
from streamer.model.chunk import FloatArray
from streamer.model.jit import inlined, kernel

Fixed: TypeAlias = tuple[FloatArray, FloatArray, FloatArray]
Samples: TypeAlias = tuple[FloatArray, FloatArray, FloatArray]

OPEN_ORIFICE = 2.0
"""A disconnected tube, (L/s)/sqrt(cmH2O): 1 L/s escapes at 0.25 cmH2O."""
WAXING = 0.6 * math.pi
"""How fast water in a tube waxes and wanes, rad/s: 0.3 Hz."""


@kernel
def muscles(now: float, pulls: FloatArray) -> float:
    """Pressure of the respiratory muscles, cmH2O; each pull is a row of start, rise, plateau, fall (s) and height."""
    pressure = 0.0
    for k in range(pulls.shape[0]):
        since = now - pulls[k, at.PULL_START]
        falling = since - pulls[k, at.PULL_RISE] - pulls[k, at.PULL_PLATEAU]
        if since <= 0.0 or falling >= pulls[k, at.PULL_FALL]:
            continue
        share = 1.0
        if since < pulls[k, at.PULL_RISE]:
            share = math.sin(0.5 * math.pi * since / pulls[k, at.PULL_RISE])
        elif falling > 0.0:
            share = math.cos(0.5 * math.pi * falling / pulls[k, at.PULL_FALL])
        pressure += share * pulls[k, at.PULL]
    return pressure


@inlined
def _driven(drop: float, extra: float, lung: FloatArray) -> float:
    """Flow that a pressure drives through the airway: drop = (R + extra)·F + K2·F·abs(F), solved for F."""
    resistance = (lung[at.R_INSP] if drop >= 0.0 else lung[at.R_EXP]) + extra
    if lung[at.K2] == 0.0:
        return float(drop / resistance)
    return float(2.0 * drop / (resistance + math.sqrt(resistance * resistance + 4.0 * lung[at.K2] * abs(drop))))


@kernel
def swings(now: float, phase: Phase, lung: FloatArray) -> float:
    """What a ringing valve and water in the tube add to the source: cmH2O, or L/s where it is one of flow."""
    swing = 0.0
    if phase.swing != 0.0:
        since = now - phase.start_s
        swing = phase.swing * math.sin(phase.swing_rate * since) * math.exp(-phase.swing_decay * since)
    if lung[at.WATER] > 0.0 and not phase.is_open:
        push = lung[at.WATER] * math.sin(lung[at.WATER_RATE] * now) * (0.75 + 0.25 * math.sin(WAXING * now))
        swing += push / lung[at.R_INSP] if phase.is_flow else push
    return swing


@kernel
def _pushed(alveolar: float, level: float, lung: FloatArray) -> tuple[float, float, float]:
    """As ``airway``, for ``level`` L/s that nothing can hold back; what a nebuliser adds goes the same way."""
    leak, total = lung[at.LEAK], level + lung[at.ADDED]
    inward = total >= leak * math.sqrt(max(alveolar, 0.0))
    resistance, k2 = (lung[at.R_INSP], lung[at.K2]) if inward else (lung[at.R_EXP], -lung[at.K2])
    paw = alveolar + resistance * total + k2 * total * total
    leaks = leak > 0.0 and (paw > 0.0 or (total > 0.0 and not inward))
    if leaks:  # total = F + g*sqrt(paw), paw = alveolar + R*F + k2*F*F, solved for sqrt(paw)
        half = leak * resistance + 2.0 * k2 * total * leak
        square = 1.0 - k2 * leak * leak
        root = math.sqrt(half * half + 4.0 * square * paw)
        root = 2.0 * paw / (root + half) if k2 > 0.0 else 0.5 * (root - half) / square
        paw = root * root
    return _driven(paw - alveolar, 0.0, lung), level, paw


@inlined
def airway(alveolar: float, level: float, phase: Phase, lung: FloatArray) -> tuple[float, float, float]:
    """Flow into the lung, flow through the sensor, airway pressure, for a source at ``level`` (L/s or cmH2O)."""
    if phase.is_open:  # the lung breathes out into the room, the source blows into it
        return _driven(-alveolar, 0.0, lung), level, (level / OPEN_ORIFICE) ** 2
    if phase.is_flow:
        return _pushed(alveolar, level, lung)
    flow = _driven(level - alveolar, phase.resistance, lung)
    paw = level - phase.resistance * flow  # of a leak, what the valve sees is neglected
    sensed = flow + lung[at.LEAK] * math.sqrt(max(paw, 0.0)) - lung[at.ADDED]
    if phase.limit > 0.0 and sensed > phase.limit:  # the source has no more: pressure falls as the patient draws
        return _pushed(alveolar, phase.limit, lung)
    return flow, sensed, paw


@kernel
def _motion(  # noqa: PLR0917 (compiled: positions only)
    volume: float, second: float, unrelaxed: float, pull: float, level: float, phase: Phase, lung: FloatArray
) -> tuple[float, float, float, float, float]:
    """As ``airway``, then flow into the second compartment and the change of pressure not yet relaxed, cmH2O/s."""
    elastic = volume / lung[at.COMPLIANCE]
    across = elastic - second * lung[at.ELASTANCE_2]
    branch = across * (lung[at.BRANCH_INSP] if across >= 0.0 else lung[at.BRANCH_EXP])
    flow, sensed, paw = airway(elastic + (unrelaxed - pull), level, phase, lung)
    return flow, sensed, paw, branch, lung[at.STIFFNESS] * flow - lung[at.RELAXING] * unrelaxed


@inlined
def _driving(
    now: float, h: float, phase: Phase, lung: FloatArray, pulls: FloatArray
) -> tuple[tuple[float, float, float], tuple[float, float, float], float]:
    """What drives a step at its begin, middle and end: source, muscles with heart (cmH2O); the first, muscles alone."""
    level = phase.level + phase.slope * (now - phase.start_s)
    half = 0.5 * h
    middle, last = level + half * phase.slope, level + h * phase.slope
    if phase.swing != 0.0 or lung[at.WATER] > 0.0:
        level += swings(now, phase, lung)
        middle += swings(now + half, phase, lung)
        last += swings(now + h, phase, lung)
    m1 = m2 = m4 = 0.0
    if pulls.shape[0] > 0:
        m1, m2, m4 = muscles(now, pulls), muscles(now + half, pulls), muscles(now + h, pulls)
    pull = m1
    if lung[at.HEART] > 0.0:
        m1 += lung[at.HEART] * math.sin(lung[at.HEART_RATE] * now)
        m2 += lung[at.HEART] * math.sin(lung[at.HEART_RATE] * (now + half))
        m4 += lung[at.HEART] * math.sin(lung[at.HEART_RATE] * (now + h))
    return (level, middle, last), (m1, m2, m4), pull


@inlined
def _step(  # noqa: PLR0917 (compiled: positions only)
    phase: Phase, now: float, h: float, fixed: Fixed, state: FloatArray, tally: FloatArray
) -> tuple[float, float]:
    """One Runge-Kutta step of ``h`` seconds: volumes, work, means of the sample. Flow and pressure at its end."""
    lung, gas, pulls = fixed
    half = 0.5 * h
    (level, middle, last), (m1, m2, m4), pull = _driving(now, h, phase, lung, pulls)
    v, w, u = state[at.VOLUME], state[at.VOLUME_2], state[at.UNRELAXED]
    f1, q1, p1, b1, u1 = _motion(v, w, u, m1, level, phase, lung)
    f2, q2, p2, b2, u2 = _motion(v - half * b1 + half * f1, w + half * b1, u + half * u1, m2, middle, phase, lung)
    f3, q3, p3, b3, u3 = _motion(v - half * b2 + half * f2, w + half * b2, u + half * u2, m2, middle, phase, lung)
    f4, q4, p4, b4, u4 = _motion(v - h * b3 + h * f3, w + h * b3, u + h * u3, m4, last, phase, lung)
    entered = h * (f1 + 2.0 * f2 + 2.0 * f3 + f4) / 6.0
    passed = h * (q1 + 2.0 * q2 + 2.0 * q3 + q4) / 6.0
    beyond = h * (b1 + 2.0 * b2 + 2.0 * b3 + b4) / 6.0
    state[at.VOLUME] = v + entered - beyond
    state[at.VOLUME_2] = w + beyond
    state[at.UNRELAXED] = u + h * (u1 + 2.0 * u2 + 2.0 * u3 + u4) / 6.0
    beat = gas[at.BEAT] * math.sin(gas[at.BEAT_RATE] * (now + half)) if gas[at.BEAT] > 0.0 else 0.0
    expired = -entered if (lung[at.LEAK] > 0.0 or lung[at.ADDED] > 0.0) and not phase.is_open else -passed
    pco2 = sense_co2(passed, expired, lung[at.ADDED] * h, beat, phase, gas, state, tally)
    if lung[at.TUBING] > 0.0:
        released = lung[at.TUBING] * (state[at.PAW_NOW] - p4)
        if phase.is_flow and phase.level == 0.0 and not phase.is_open:  # valves closed: it has no other way
            state[at.VOLUME] += released
        else:
            passed -= released
        state[at.PAW_NOW] = p4
    peak = at.PMUS_EXP if phase.is_expiration else at.PMUS_INSP
    if abs(pull) > abs(tally[peak]):
        tally[peak] = pull
    held = state[at.VOLUME] + state[at.VOLUME_2]
    if phase.is_expiration:
        tally[at.VT_EXP] += max(-passed, 0.0)
        state[at.LOWEST] = min(state[at.LOWEST], held)
    else:
        tally[at.VT_INSP] += max(passed, 0.0)
        tally[at.VT_LUNG] += max(entered, 0.0)
        work = p1 * max(f1, 0.0) + 2.0 * (p2 * max(f2, 0.0) + p3 * max(f3, 0.0)) + p4 * max(f4, 0.0)
        tally[at.WORK] += h * work / 6.0
        tally[at.NET_WORK] += h * (p1 * f1 + 2.0 * (p2 * f2 + p3 * f3) + p4 * f4) / 6.0
        tally[at.TOP] = max(tally[at.TOP], held)
        tally[at.PPEAK] = max(tally[at.PPEAK], p1, p4)
        tally[at.PEAK_FLOW] = max(tally[at.PEAK_FLOW], q1, q4)
    state[at.MEAN_S] += h
    state[at.MEAN_PAW] += h * (p1 + 2.0 * p2 + 2.0 * p3 + p4) / 6.0
    state[at.MEAN_FLOW] += passed
    state[at.MEAN_CO2_S] += h
    state[at.MEAN_CO2] += h * (gas[at.INSPIRED_CO2] if phase.is_open else pco2)
    return q4, p4


@kernel
def _is_met(phase: Phase, flow: float, paw: float, tally: FloatArray) -> bool:
    """What the phase watches for has come."""
    if phase.watch == FLOW_ABOVE:
        return flow - phase.spared > phase.threshold
    if phase.watch == PAW_BELOW:
        return paw < phase.threshold
    peak = tally[at.PEAK_FLOW] - phase.spared
    return bool(peak > 0.0 and flow - phase.spared < phase.threshold * peak)


@kernel
def advance(  # noqa: PLR0917 (compiled: positions only)
    phase: Phase,
    fixed: Fixed,
    clock: FloatArray,
    state: FloatArray,
    tally: FloatArray,
    index: NDArray[np.int64],
    samples: Samples,
) -> float:
    """Run one phase, filling in every sample whose interval ends in it; when it ended, which the patient may decide.

    Args:
        phase: The phase.
        fixed: Constants of lung and capnogram by ``array_layout``, and (k, PULL_SIZE) what the muscles do.
        clock: Instants of sample 0 of pressure and of CO2, and their rates; infinite instants: no sampling.
        state: What continues from phase to phase.
        tally: What adds up over the breath.
        index: (4,) samples of pressure and of CO2 since the clock's origin, and how many stand in the arrays.
        samples: (n,) cmH2O and L/s, to be filled from ``index[2]`` on; (n,) mmHg, from ``index[3]`` on.
    """
    longest = fixed[0][at.LONGEST_STEP]
    paw, flow, pco2 = samples
    now, is_met = phase.start_s, False
    while now < phase.end_s and not is_met:
        edge = clock[at.ORIGIN] + (index[0] + 0.5) / clock[at.RATE]
        co2_edge = clock[at.CO2_ORIGIN] + (index[1] + 0.5) / clock[at.CO2_RATE]
        stop = min(phase.end_s, edge, co2_edge)
        steps = math.ceil((stop - now) / longest)
        h = (stop - now) / steps
        for k in range(steps):
            at_flow, at_paw = _step(phase, now + k * h, h, fixed, state, tally)
            done = stop if k + 1 == steps else now + (k + 1) * h
            if phase.watch != NOTHING and done >= phase.watch_from_s and _is_met(phase, at_flow, at_paw, tally):
                stop, is_met = done, True
                break
        now = stop
        if stop == edge:
            paw[index[2]] = state[at.MEAN_PAW] / state[at.MEAN_S]
            flow[index[2]] = state[at.MEAN_FLOW] / state[at.MEAN_S]
            state[at.MEAN_S] = state[at.MEAN_PAW] = state[at.MEAN_FLOW] = 0.0
            index[0] += 1
            index[2] += 1
        if stop == co2_edge:
            pco2[index[3]] = state[at.MEAN_CO2] / state[at.MEAN_CO2_S]
            state[at.MEAN_CO2_S] = state[at.MEAN_CO2] = 0.0
            index[1] += 1
            index[3] += 1
    return now
