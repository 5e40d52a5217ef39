"""What the CO2 sensor at the wye sees of the gas that passes: the expirogram, and its wash-out. For ``lung``."""

from __future__ import annotations

import math

from adapters.simulator import array_layout as at
from adapters.simulator.valve import Phase
from streamer.model.chunk import FloatArray
from streamer.model.jit import inlined, kernel

TINY_L = 1e-9


@kernel
def exhaled_co2(volume: float, beat: float, gas: FloatArray) -> float:
    """PCO2 at the sensor after ``volume`` of an expiration, mmHg (algorithms.md §11.3); the heart adds ``beat``."""
    alveolar = volume - gas[at.DEAD_SPACE]
    height = gas[at.PLATEAU] + beat + gas[at.SLOPE] * alveolar - gas[at.INSPIRED_CO2]
    share = 1.0 if alveolar >= 0.0 else 0.0
    if gas[at.PHASE2_SD] > 0.0:
        share = 0.5 * (1.0 + math.erf(alveolar / (gas[at.PHASE2_SD] * math.sqrt(2.0))))
    return float(gas[at.INSPIRED_CO2] + height * share)


@kernel
def exhaled_area(volume: float, beat: float, gas: FloatArray) -> float:
    """Integral of ``exhaled_co2`` over volume, mmHg·L, up to a constant; closed form."""
    x = volume - gas[at.DEAD_SPACE]
    base, slope, sd = gas[at.PLATEAU] + beat - gas[at.INSPIRED_CO2], gas[at.SLOPE], gas[at.PHASE2_SD]
    area = gas[at.INSPIRED_CO2] * volume
    if sd > 0.0:
        z = x / sd
        share = 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))
        density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        area += base * (x * share + sd * density) + 0.5 * slope * ((x * x - sd * sd) * share + x * sd * density)
    elif x > 0.0:
        area += base * x + 0.5 * slope * x * x
    return float(area)


@inlined
def sense_co2(  # noqa: PLR0917 (compiled: positions only)
    moved: float,
    expired: float,
    added: float,
    beat: float,
    phase: Phase,
    gas: FloatArray,
    state: FloatArray,
    tally: FloatArray,
) -> float:
    """Let ``moved`` litres (towards the patient) go by where the heart adds ``beat``; the mean PCO2 seen, mmHg.

    In expiration ``expired`` litres leave the lung; a leak takes some of them, a nebuliser adds ``added``.
    """
    inspired = gas[at.INSPIRED_CO2]
    if phase.is_expiration:
        before, after = state[at.EXHALED], state[at.EXHALED] + max(expired, 0.0)
        state[at.EXHALED] = after
        area = exhaled_area(after, beat, gas) - exhaled_area(before, beat, gas)
        state[at.CO2_NOW] = exhaled_co2(after, beat, gas)
        tally[at.CO2_EXP] += area
        seen = area / (after - before) if after - before > TINY_L else state[at.CO2_NOW]
        if gas[at.DILUTED] > 0.0 and added > 0.0:
            seen *= (after - before) / (after - before + added)
        # A leak that takes more than the lung gives draws fresh gas past the sensor.
        state[at.WASHED] = state[at.WASHED] + moved if moved > 0.0 and expired > -moved else 0.0
        if state[at.WASHED] > 0.0:
            kept = math.exp(-state[at.WASHED] / gas[at.SENSOR_VOLUME])
            state[at.CO2_NOW] = inspired + (state[at.CO2_NOW] - inspired) * kept
            seen = inspired + (seen - inspired) * kept
        return float(seen)
    before, after = state[at.INHALED], state[at.INHALED] + max(moved, 0.0)
    state[at.INHALED] = after
    washed, excess, again = gas[at.SENSOR_VOLUME], state[at.CO2_BEFORE] - inspired, gas[at.REBREATHED]
    fresh_before, fresh = max(before - again, 0.0), max(after - again, 0.0)
    state[at.CO2_NOW] = inspired + excess * math.exp(-fresh / washed)
    if after - before <= TINY_L:
        return float(state[at.CO2_NOW])
    area = excess * washed * (math.exp(-fresh_before / washed) - math.exp(-fresh / washed))
    area += excess * (min(after, again) - min(before, again))
    tally[at.CO2_INSP] += inspired * (after - before) + area
    return float(inspired + area / (after - before))
