"""The tables of a segment as the kernel's numbers, in L, s, cmH2O and mmHg. Used by ``engine``."""

from __future__ import annotations

import math

import numpy as np

from adapters.simulator import array_layout as at
from adapters.simulator.course import Segment
from streamer.model.chunk import FloatArray
from streamer.model.units import ML_PER_L, S_PER_MIN

MAX_STEP_S = 0.002
STEPS_PER_TAU = 10.0


def lung_constants(segment: Segment) -> FloatArray:
    """Compartments, airway, leak and relaxation; zeros for what is absent."""
    part, second, relaxation = segment.lung, segment.second_compartment, segment.relaxation
    constants = np.zeros(at.LUNG_SIZE)
    constants[at.COMPLIANCE] = part.compliance_ml_cmh2o / ML_PER_L
    constants[at.R_INSP], constants[at.R_EXP] = part.resistance_cmh2o_s_l, part.expiratory
    constants[at.LEAK] = segment.circuit.leak_l_min_per_sqrt_cmh2o / S_PER_MIN
    constants[at.K2] = segment.tube.k2_cmh2o_s2_l2 if segment.tube else 0.0
    if second:
        constants[at.ELASTANCE_2] = ML_PER_L / second.compliance_ml_cmh2o
        constants[at.BRANCH_INSP], constants[at.BRANCH_EXP] = (
            1 / second.resistance_cmh2o_s_l,
            1 / second.expiratory,
        )
    if relaxation:
        constants[at.STIFFNESS] = relaxation.stiffness_cmh2o_l
        constants[at.RELAXING] = 1 / relaxation.time_constant_s
    if segment.water:
        constants[at.WATER], constants[at.WATER_RATE] = (
            segment.water.amplitude_cmh2o,
            math.tau * segment.water.rate_hz,
        )
    if segment.cardiogenic:
        heart = segment.cardiogenic
        constants[at.HEART], constants[at.HEART_RATE] = (
            heart.amplitude_cmh2o,
            math.tau * heart.rate_per_min / S_PER_MIN,
        )
    constants[at.ADDED] = segment.nebuliser.flow_l_min / S_PER_MIN if segment.nebuliser else 0.0
    constants[at.TUBING] = segment.circuit.compliance_ml_cmh2o / ML_PER_L
    constants[at.LONGEST_STEP] = _longest_step_s(constants)
    return constants


def _longest_step_s(lung: FloatArray) -> float:
    """For the fastest that the lung can do: fill through the airway, or swing gas between compartments."""
    c = float(lung[at.COMPLIANCE])
    tau = c * float(min(lung[at.R_INSP], lung[at.R_EXP])) / (1.0 + c * float(lung[at.STIFFNESS]))
    swings = float(max(lung[at.BRANCH_INSP], lung[at.BRANCH_EXP])) * (1.0 / c + float(lung[at.ELASTANCE_2]))
    return min(MAX_STEP_S, tau / STEPS_PER_TAU, 1.0 / (swings * STEPS_PER_TAU) if swings else math.inf)


def gas_constants(segment: Segment) -> FloatArray:
    """The capnogram, diluted by alveoli without blood; of one that is absent, a sensor in fresh gas."""
    constants = np.zeros(at.GAS_SIZE)
    part, exchange, rebreathing, heart = (
        segment.capnogram,
        segment.gas_exchange,
        segment.rebreathing,
        segment.cardiogenic,
    )
    if part is None:
        constants[at.SENSOR_VOLUME] = 1.0
        return constants
    share = exchange.unperfused_share if exchange else 0.0
    constants[at.DEAD_SPACE], constants[at.PHASE2_SD] = part.dead_space_ml / ML_PER_L, part.phase2_sd_ml / ML_PER_L
    constants[at.PLATEAU] = part.plateau_mmhg - share * (part.plateau_mmhg - part.inspired_mmhg)
    constants[at.SLOPE] = part.slope_mmhg_l * (1.0 - share)
    constants[at.INSPIRED_CO2], constants[at.SENSOR_VOLUME] = part.inspired_mmhg, part.sensor_volume_ml / ML_PER_L
    constants[at.REBREATHED] = rebreathing.volume_ml / ML_PER_L if rebreathing else 0.0
    constants[at.DILUTED] = 1.0 if segment.nebuliser and segment.nebuliser.dilutes else 0.0
    if heart:
        constants[at.BEAT], constants[at.BEAT_RATE] = heart.amplitude_mmhg, math.tau * heart.rate_per_min / S_PER_MIN
    return constants


def resize(state: FloatArray, before: FloatArray, after: FloatArray) -> None:
    """New constants. Each compartment keeps its pressure: what changes is recruited or lost, not blown in."""
    held = state[at.VOLUME] + state[at.VOLUME_2]
    elastic = state[at.VOLUME] / before[at.COMPLIANCE]
    second = state[at.VOLUME_2] * before[at.ELASTANCE_2] if before[at.ELASTANCE_2] else elastic
    state[at.VOLUME] *= after[at.COMPLIANCE] / before[at.COMPLIANCE]
    state[at.VOLUME_2] = second / after[at.ELASTANCE_2] if after[at.ELASTANCE_2] else 0.0
    state[at.LOWEST] += state[at.VOLUME] + state[at.VOLUME_2] - held
    if not after[at.RELAXING]:
        state[at.UNRELAXED] = 0.0


def static_pressure(state: FloatArray, constants: FloatArray) -> float:
    """Elastic recoil of all gas in the lung, cmH2O: compartments equalised, relaxed, no muscle pulling."""
    second = 1 / constants[at.ELASTANCE_2] if constants[at.ELASTANCE_2] else 0.0
    return float((state[at.VOLUME] + state[at.VOLUME_2]) / (constants[at.COMPLIANCE] + second))


def alveolar_pressure(state: FloatArray, constants: FloatArray, pull: float) -> float:
    """What a hold would show at this moment, cmH2O, while the muscles pull with ``pull``."""
    return float(state[at.VOLUME] / constants[at.COMPLIANCE] + state[at.UNRELAXED] - pull)
