"""Fold one breath's arrays into numbers. Between ``segment`` and the metrics. Imports the compiler."""

from __future__ import annotations

import math

import numpy as np

from streamer.core.metrics.features.asynchrony_shapes import events
from streamer.core.metrics.features.breath_features import BreathFeatures, is_square, is_stopped
from streamer.core.metrics.features.capnogram import capnogram, returned
from streamer.core.metrics.features.expired_gas import expired
from streamer.core.metrics.features.holds import holds
from streamer.core.metrics.features.lung import lung
from streamer.core.metrics.features.pressure_level import rise
from streamer.core.metrics.features.pressures import pressures
from streamer.core.metrics.features.volumes import volumes
from streamer.model.breath import Breath
from streamer.model.chunk import FloatArray

MIN_SAMPLES = 8
FLOW_S = BreathFeatures._fields.index("flow_s") - BreathFeatures._fields.index("insp_volume")
NO_LUNG = (math.nan,) * (BreathFeatures._fields.index("tau_fall") + 1 - BreathFeatures._fields.index("fit_elastance"))
NO_LEVEL = (math.nan,) * 4
CO2 = BreathFeatures._fields.index("co2_returned") + 1 - BreathFeatures._fields.index("co2_holes")
EXP_HOLD = BreathFeatures._fields.index("exp_hold_s")
NO_GRID = np.empty(0)
FED = 0.5
"""Share of the leak that flows in a hold, above which the ventilator feeds it."""


def extract_features(breath: Breath) -> BreathFeatures:
    """One pass over the arrays of a breath; some microseconds. Missing pieces are NaN, nothing raises."""
    return features_and_grid(breath)[0]


def features_and_grid(breath: Breath) -> tuple[BreathFeatures, FloatArray, FloatArray]:
    """The fold, corrected flow as ``volumes`` sums it in L/s, and the grid of ``breathed_co2``."""
    rate_hz, insp_end, flow = breath.rate_hz, breath.insp_end, corrected(breath)
    *held, first, exp_first = holds(breath.flow, breath.paw, rate_hz, insp_end)
    if breath.leak_conductance > 0.0 and first >= 0.0:
        _spare(breath, flow, slice(int(first), int(first) + round(held[0] * rate_hz)))
    moved, tidal = volumes(breath.flow, flow, breath.paw, rate_hz, insp_end, breath.flow_zero)
    before = int(exp_first) if is_stopped(*held[EXP_HOLD : EXP_HOLD + 3]) else -1
    pressed = pressures(breath.paw, flow, rate_hz, insp_end, before)
    gas, grid = breathed_co2(breath, tidal)
    shapes = events(breath.paw, breath.flow, rate_hz, insp_end, moved[FLOW_S], breath.flow_noise)
    risen = _rise(breath, moved, tidal, int(first))
    features = BreathFeatures._make((*held, *moved, *pressed, *gas, *shapes, *_lung(breath, flow, moved), *risen))
    return features, tidal, grid


def _spare(breath: Breath, flow: FloatArray, held: slice) -> None:
    """Past a closed valve no leak is fed: none is taken off. Where one goes on being fed, less is left than taken."""
    raw = breath.flow[held] - breath.flow_zero
    if raw.sum() < FED * (raw - flow[held]).sum():
        flow[held] = raw


def corrected(breath: Breath) -> FloatArray:
    """Flow of the lung, (n,) L/s: less the sensor's zero and the leak; where no pressure is known, less the zero."""
    flow = breath.flow - breath.flow_zero if breath.flow_zero else breath.flow
    if breath.leak_conductance > 0.0:
        flow = flow - breath.leak_conductance * np.sqrt(np.nan_to_num(np.maximum(breath.paw, 0.0)))
    return flow


def breathed_co2(breath: Breath, tidal: FloatArray) -> tuple[tuple[float, ...], FloatArray]:
    """Fields ``co2_holes`` to ``co2_returned``, and expired PCO2 on the grid of volume: empty where there is none."""
    if breath.pco2 is None:
        return (math.nan,) * CO2, NO_GRID
    rate_hz, insp_end = breath.rate_hz, breath.insp_end
    settled_s = breath.start_s - breath.onset_s + breath.co2_edge.after_s
    seen = capnogram(breath.pco2, tidal, rate_hz, insp_end, math.ceil(settled_s * rate_hz))
    if seen[0] > 0.0:
        return seen + (math.nan,) * (CO2 - len(seen)), NO_GRID
    found, grid = expired(breath.pco2, tidal, rate_hz, insp_end, seen[1], tail_of(breath))
    back = returned(tidal, rate_hz, insp_end)
    return (*seen, *found, back), grid


def tail_of(breath: Breath) -> int:
    """How many samples at the end of a breath show its CO2 sensor as it falls."""
    return math.ceil(breath.co2_edge.before_s * breath.rate_hz - 1e-9)


def _lung(breath: Breath, tidal: FloatArray, moved: tuple[float, ...]) -> tuple[float, ...]:
    """Fields ``fit_elastance`` to ``tau_fall``; all missing where there is no pressure, or too little of a breath."""
    flow_s, pause_s, mean, variation = moved[FLOW_S : FLOW_S + 4]
    rate_hz, insp_end = breath.rate_hz, breath.insp_end
    if insp_end < MIN_SAMPLES or breath.flow.size < 2 * MIN_SAMPLES or math.isnan(breath.paw[0]):
        return NO_LUNG
    stop = insp_end - round(pause_s * rate_hz)
    square = is_square(mean, variation, flow_s, moved[0])
    return lung(tidal, breath.paw, rate_hz, insp_end, stop, square, flow_s, breath.start_s - breath.onset_s)


def _rise(breath: Breath, moved: tuple[float, ...], tidal: FloatArray, hold: int) -> tuple[float, ...]:
    """Fields ``level_paw`` to ``rise_area``; neither a pause nor a hold (from sample ``hold`` on) is flow time."""
    stop = breath.insp_end - round(moved[FLOW_S + 1] * breath.rate_hz)
    stop = stop if hold < 0 else min(stop, hold)
    if stop < MIN_SAMPLES or math.isnan(breath.paw[0]):
        return NO_LEVEL
    return rise(tidal, breath.paw, breath.rate_hz, stop, breath.start_s - breath.onset_s)
