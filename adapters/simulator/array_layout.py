"""Names of places in the arrays that the simulator's kernel shares with those who fill and read them.

Compiled code keeps the numbers it was compiled with and knows only its own file: who changes one changes ``lung`` too.
"""

from __future__ import annotations

# Constants; of what is absent, zeros.
COMPLIANCE, R_INSP, R_EXP, LEAK, K2, ELASTANCE_2, BRANCH_INSP, BRANCH_EXP, STIFFNESS, RELAXING = range(10)
LONGEST_STEP, WATER, WATER_RATE, HEART, HEART_RATE, ADDED, TUBING, LUNG_SIZE = range(10, 18)
DEAD_SPACE, PHASE2_SD, PLATEAU, SLOPE, INSPIRED_CO2, SENSOR_VOLUME, REBREATHED, BEAT, BEAT_RATE = range(9)
DILUTED, GAS_SIZE = 9, 10
PULL_START, PULL_RISE, PULL_PLATEAU, PULL_FALL, PULL, PULL_SIZE = range(6)
ORIGIN, CO2_ORIGIN, RATE, CO2_RATE = range(4)
# What a moment leaves to the next: the lung's volumes, pressure not yet relaxed, gas past the sensor in this
# half-breath, the running means, the least volume since expiration began, the last airway pressure,
# fresh gas that a leak drew past the sensor in expiration.
VOLUME, VOLUME_2, UNRELAXED, INHALED, EXHALED, CO2_BEFORE, CO2_NOW = range(7)
MEAN_S, MEAN_PAW, MEAN_FLOW, MEAN_CO2_S, MEAN_CO2 = range(7, 12)
LOWEST, PAW_NOW, WASHED, STATE_SIZE = range(12, 16)
# What adds up over a breath, and its extremes (of the muscles' pull the farthest from zero).
VT_INSP, VT_EXP, VT_LUNG, WORK, PPEAK, CO2_EXP, PEAK_FLOW, PMUS_INSP, PMUS_EXP, CO2_INSP = range(10)
TOP, NET_WORK, TALLY_SIZE = range(10, 13)
