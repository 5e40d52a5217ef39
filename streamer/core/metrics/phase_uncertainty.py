"""How far noise, bends and a slow sensor may move the phases of an expirogram. Beside ``dead_space``.

``tau_s``: time constant of the CO2 sensor.
"""

from __future__ import annotations

import math

from streamer.core.metrics.capnogram_gates import EMPTYING_S, SETTLED_SLOPE, is_slow, within
from streamer.core.metrics.features.breath_features import PHASE_2_WIDTHS, BreathFeatures

MAX_RISE_S = 0.2
"""From 10 to 90 %, declared or seen: slower sensors give no slopes (algorithms §6.2)."""
MEAN_LATER = 1.0 - math.log(2.0)
"""Time constants from half of a response to its mean (algorithms §6.2)."""
LOGISTIC_SD = math.pi / math.sqrt(3.0)
SLOPE_OFF, LEVEL = (0.19, 0.34), 0.02
"""Doubt about the slope up to which quality is A, and B: as a share of the least that it may be; or, for a plateau that
is level, of such a share of alveolar PCO2 over expired volume."""
DEVIATIONS, BENDS = 2.5, 2.0
"""Standard errors that a slope is in doubt by, and by which its second half has to differ before phase III bends."""


def slope_grade(features: BreathFeatures, doubt: float) -> str:
    """Quality of a slope that is in doubt by so many mmHg/L: what the doubt is of the least that it may be."""
    level = LEVEL * features.co2_middle / features.co2_volume
    least = max(abs(features.co2_slope) - doubt, level)
    return within(doubt / least, *SLOPE_OFF)


def slope_doubt(features: BreathFeatures) -> float:
    """By how much the slope of phase III may be off, mmHg/L: noise, and what its second half alone would change."""
    bend = max(abs(features.co2_slope - features.co2_late_slope) - BENDS * features.co2_late_error, 0.0)
    return bend + DEVIATIONS * features.co2_slope_error


def lag_slope(features: BreathFeatures, tau_s: float) -> float:
    """By how much the sensor's own response tilts the line of phase III, mmHg/L."""
    return _lag(features, tau_s)[1]


def sunk_mmhg(features: BreathFeatures, tau_s: float) -> float:
    """By how much it lowers that line in the middle of the alveolar volume, mmHg."""
    mean, tilt = _lag(features, tau_s)
    return mean + tilt * _off_centre(features)


def _lag(features: BreathFeatures, tau_s: float) -> tuple[float, float]:
    """Mean, mmHg, and tilt, mmHg/L, of what the sensor lags by along the line of phase III: it dies away over a volume.

    A capnogram that was moved by the mean of its response begins to rise about a time constant before the gas does. A
    line that is too low finds too small a dead space, and so too long a time from there: more, the longer the lag.
    """
    if not tau_s > 0.0:
        return 0.0, 0.0
    behind = level_of(features) * math.exp(tau_s / (2.0 * EMPTYING_S) - 1.0 - features.co2_transit_s / tau_s)
    length = features.co2_line_to - features.co2_line_from
    times = length * features.co2_transit_s / ((features.co2_line_from - features.co2_dead) * tau_s)
    behind *= 1.0 + 1.0 / times
    left = math.exp(-times)
    mean = (1.0 - left) / times
    return behind * mean, 12.0 * behind / length * (0.5 * mean - (1.0 - left * (1.0 + times)) / times**2)


def tilted(features: BreathFeatures) -> float:
    """What that doubt makes of the dead space, L: a line that turns about its middle changes areas unevenly."""
    return (
        slope_doubt(features) * (features.co2_volume - features.co2_dead) * _off_centre(features) / level_of(features)
    )


def level_of(features: BreathFeatures) -> float:
    """Where phase III begins, mmHg above what is inspired."""
    return features.co2_start + features.co2_slope * features.co2_dead


def _off_centre(features: BreathFeatures) -> float:
    """How far the middle of the line lies from that of the alveolar volume, L."""
    return 0.5 * abs(features.co2_line_from + features.co2_line_to - features.co2_dead - features.co2_volume)


def lever(features: BreathFeatures) -> float:
    """What turns the error of the slope into that of the level in the middle of the alveolar volume, L."""
    return math.hypot(_off_centre(features), (features.co2_line_to - features.co2_line_from) / math.sqrt(12.0))


def phase_2_end(features: BreathFeatures) -> float:
    """Share of the alveolar volume that has passed when the fitted curve of phase II has come to 99 %."""
    end = features.co2_fit_dead + PHASE_2_WIDTHS * features.co2_fit_width
    return (end - features.co2_dead) / (features.co2_volume - features.co2_dead)


def fit_dead(features: BreathFeatures, tau_s: float) -> float:
    """Middle of phase II, L: of the gas, whose mean moved the capnogram, not of the sensor, whose half is sooner."""
    return features.co2_fit_dead + MEAN_LATER * tau_s * features.co2_flow


def blur(features: BreathFeatures, tau_s: float) -> float:
    """Share of the width of phase II that is the sensor's."""
    return tau_s * features.co2_flow / (LOGISTIC_SD * features.co2_fit_width)


def bends(features: BreathFeatures, tau_s: float) -> bool:
    """Whether the sensor is so slow that slopes would be its own."""
    return rise_s(tau_s) > MAX_RISE_S or is_slow(features, tau_s, SETTLED_SLOPE)


def rise_s(tau_s: float) -> float:
    """Of the sensor, from 10 to 90 %."""
    return tau_s * math.log(9.0)
