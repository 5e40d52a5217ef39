"""Parameters of the breath state machine, in physical units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamer.core.segment._survey import MIN_SURVEY_N, SURVEY_S
from streamer.model.units import ML_PER_L, S_PER_MIN


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSettings:
    """What makes a breath; docs/algorithms.md §2 has the reasons, ``tests/tools/segmentation_table.py`` the results.

    Flows and volumes are an adult's. They shrink with the size that the signal itself shows, and grow with its noise.

    Attributes:
        scale: Of all flows and volumes, against an adult's.
        base_flow_l_min: Flow an inspiration rises through; its crossing, interpolated, is the onset.
        trigger_flow_l_min: Flow it must reach.
        deliver_flow_l_min: Flow that a valve delivers and a patient alone does not draw from base flow.
        rise_s: The valve opened no longer than this before that flow; a candidate that hovers below moves on.
        draw_s: What was drawn at most so long before the valve opened belongs to the breath.
        exhale_flow_l_min: Flow an expiration falls through (as a positive number).
        cycle_flow_l_min: Flow it must reach.
        forced_flow_l_min: An expiration that reaches this confirms itself with ``forced_ml``.
        forced_ml: Volume of such an expiration.
        confirm_fraction: Of the median tidal volume that must have moved to confirm either.
        first_confirm_ml: That volume while fewer than ``settled_breaths`` are known.
        min_confirm_ml: Its lower bound.
        max_confirm_ml: Its upper bound.
        alone_fraction: Of the median tidal volume, what an inspiration needs where pressure does not rise.
        alone_ml: Its upper bound.
        blown_fraction: The same where pressure usually rises: less is gas that a valve blows in to hold PEEP.
        drawn_cmh2o: Fall of pressure after its onset that tells that a patient draws it: then that share is not needed.
        pressed_cmh2o: Rise of pressure, above where recent breaths began too, that tells an inspiration.
        pressed_share: The same, at least this share of the usual rise.
        swing_cmh2o: Usual rise of pressure from which on it is missed where it is absent.
        restack_flow_l_min: Rise of flow out of a valley, without expiration, that begins another breath.
        restack_s: It must rise within this time.
        restack_valley: Highest valley, as a fraction of the peak before it.
        pressure_rise_cmh2o: Rise of pressure before the flow that belongs to the inspiration.
        pressure_back_s: How long before the flow it may have begun.
        apnoea_s: A breath open for so long is closed.
        max_leak_l_min: Bound of the leak conductance, (L/min)/sqrt(cmH2O).
        leak_breaths: Breaths that leak conductance and usual sizes are found from.
        settled_breaths: Breaths needed for them.
        leak_frac_breaths: Breaths of the leak fraction.
        min_leak_frac_breaths: Breaths needed for it.
    """

    scale: float = 1.0
    base_flow_l_min: float = 2.0
    trigger_flow_l_min: float = 6.0
    deliver_flow_l_min: float = 8.0
    rise_s: float = 0.080
    draw_s: float = 0.500
    exhale_flow_l_min: float = 1.0
    cycle_flow_l_min: float = 3.0
    forced_flow_l_min: float = 20.0
    forced_ml: float = 3.0
    confirm_fraction: float = 0.03
    first_confirm_ml: float = 20.0
    min_confirm_ml: float = 5.0
    max_confirm_ml: float = 30.0
    alone_fraction: float = 0.10
    alone_ml: float = 40.0
    blown_fraction: float = 0.50
    drawn_cmh2o: float = 0.4
    pressed_cmh2o: float = 0.8
    pressed_share: float = 0.06
    swing_cmh2o: float = 5.0
    restack_flow_l_min: float = 10.0
    restack_s: float = 0.100
    restack_valley: float = 0.12
    pressure_rise_cmh2o: float = 3.5
    pressure_back_s: float = 0.300
    apnoea_s: float = 15.0
    max_leak_l_min: float = 20.0
    leak_breaths: int = 10
    settled_breaths: int = 3
    leak_frac_breaths: int = 20
    min_leak_frac_breaths: int = 5


SCALES = {"paediatric": 0.25, "neonate": 0.125}


def segment_settings(patient_class: str | None = None) -> SegmentSettings:
    """Settings for ``adult`` (also when unknown), ``paediatric`` or ``neonate``, whose flows are smaller."""
    return SegmentSettings(scale=SCALES.get(patient_class or "", 1.0))


def limit_values(settings: SegmentSettings, rate_hz: float) -> dict[str, float]:
    """What the scan's ``Limits`` begin with: nothing known of the signal yet; durations in samples at ``rate_hz``."""
    return {
        "scale": 1.0,
        "rise_n": max(round(settings.rise_s * rate_hz), 1),
        "draw_n": max(round(settings.draw_s * rate_hz), 1),
        "restack_n": max(round(settings.restack_s * rate_hz), 1),
        "back_n": round(settings.pressure_back_s * rate_hz),
        "apnoea_n": round(settings.apnoea_s * rate_hz),
        "survey_n": max(round(SURVEY_S * rate_hz), MIN_SURVEY_N),
        "step": 1.0 / rate_hz,
    }


INTERNAL = {
    "scale": ("scale", 1.0),
    "onset": ("base_flow_l_min", S_PER_MIN),
    "trigger": ("trigger_flow_l_min", S_PER_MIN),
    "deliver": ("deliver_flow_l_min", S_PER_MIN),
    "exhale": ("exhale_flow_l_min", S_PER_MIN),
    "cycle": ("cycle_flow_l_min", S_PER_MIN),
    "forced": ("forced_flow_l_min", S_PER_MIN),
    "forced_volume": ("forced_ml", ML_PER_L),
    "restack": ("restack_flow_l_min", S_PER_MIN),
    "restack_valley": ("restack_valley", 1.0),
    "confirm_fraction": ("confirm_fraction", 1.0),
    "first_confirm": ("first_confirm_ml", ML_PER_L),
    "min_confirm": ("min_confirm_ml", ML_PER_L),
    "max_confirm": ("max_confirm_ml", ML_PER_L),
    "alone_fraction": ("alone_fraction", 1.0),
    "alone": ("alone_ml", ML_PER_L),
    "blown_fraction": ("blown_fraction", 1.0),
    "drawn": ("drawn_cmh2o", 1.0),
    "pressed": ("pressed_cmh2o", 1.0),
    "pressed_share": ("pressed_share", 1.0),
    "swing": ("swing_cmh2o", 1.0),
    "lead": ("pressure_rise_cmh2o", 1.0),
}
"""Name in the scan's record of settings → field, and what it is divided by to be in L and L/s."""
Internal = np.dtype([(name, np.float64) for name in INTERNAL], align=True)


def internal_values(settings: SegmentSettings) -> dict[str, float]:
    """The settings in the scan's units."""
    return {name: getattr(settings, field) / per for name, (field, per) in INTERNAL.items()}
