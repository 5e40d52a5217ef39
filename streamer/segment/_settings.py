"""Parameters of the breath state machine, in physical units. Floor 1, inside ``segment``."""

from __future__ import annotations

from dataclasses import dataclass, replace

from streamer.units import ML_PER_L, S_PER_MIN


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSettings:
    """What makes a breath; defaults for adults (algorithms.md §2.1-2.3).

    Changed against §2.1 because recorded breaths asked for it (the table is made by ``tests/segmentation_table.py``):
    ventilators that trigger on flow let the patient draw 2-5 L/min for up to a second before they deliver, so the
    trigger is 6 instead of 3 L/min and an onset lies at most ``rise_s`` before it (found within 0.1 s in one such file:
    66 % before, 99.9 % after); small assisted breaths exhale at 1-2 L/min and move 20-30 mL, hence
    ``exhale_flow_l_min`` and 3 instead of 5 % of the tidal volume; a valley of 0.3 of the peak was often only a
    patient drawing harder.

    Attributes:
        base_flow_l_min: Flow an inspiration rises through; its crossing, interpolated, is the onset.
        trigger_flow_l_min: Flow it must reach.
        rise_s: It must do so within this time; a candidate that hovers below moves on.
        exhale_flow_l_min: Flow an expiration falls through (as a positive number).
        cycle_flow_l_min: Flow it must reach.
        confirm_fraction: Of the median tidal volume that must have moved to confirm either.
        first_confirm_ml: That volume while fewer than ``settled_breaths`` are known.
        min_confirm_ml: Its lower bound.
        max_confirm_ml: Its upper bound.
        restack_flow_l_min: Rise of flow out of a valley, without expiration, that begins another breath.
        restack_s: It must rise within this time.
        restack_valley: Highest valley, as a fraction of the peak before it.
        pressure_rise_cmh2o: Rise of pressure before the flow that belongs to the inspiration.
        pressure_back_s: How long before the flow it may have begun.
        apnoea_s: A breath open for so long is closed.
        max_leak_l_min: Bound of the leak conductance, (L/min)/sqrt(cmH2O).
        leak_breaths: Breaths the leak conductance and the confirming volume are the median of.
        settled_breaths: Breaths needed for them.
        leak_frac_breaths: Breaths of the leak fraction.
        min_leak_frac_breaths: Breaths needed for it.
    """

    base_flow_l_min: float = 2.0
    trigger_flow_l_min: float = 6.0
    rise_s: float = 0.080
    exhale_flow_l_min: float = 1.0
    cycle_flow_l_min: float = 3.0
    confirm_fraction: float = 0.03
    first_confirm_ml: float = 20.0
    min_confirm_ml: float = 5.0
    max_confirm_ml: float = 30.0
    restack_flow_l_min: float = 10.0
    restack_s: float = 0.100
    restack_valley: float = 0.12
    pressure_rise_cmh2o: float = 3.0
    pressure_back_s: float = 0.300
    apnoea_s: float = 15.0
    max_leak_l_min: float = 8.0
    leak_breaths: int = 10
    settled_breaths: int = 3
    leak_frac_breaths: int = 20
    min_leak_frac_breaths: int = 5


def segment_settings(patient_class: str | None = None) -> SegmentSettings:
    """Settings for ``adult`` (also when unknown), ``paediatric`` or ``neonate``, whose flows and volumes are smaller.

    The paediatric numbers are scaled, not tuned on recordings: neonates' uncuffed tubes are out of their scope.
    """
    adult = SegmentSettings()
    if patient_class not in {"paediatric", "neonate"}:
        return adult
    scale = 0.25 if patient_class == "paediatric" else 0.125
    return replace(
        adult,
        base_flow_l_min=adult.base_flow_l_min * scale,
        trigger_flow_l_min=adult.trigger_flow_l_min * scale,
        exhale_flow_l_min=adult.exhale_flow_l_min * scale,
        cycle_flow_l_min=adult.cycle_flow_l_min * scale,
        restack_flow_l_min=adult.restack_flow_l_min * scale,
        first_confirm_ml=adult.first_confirm_ml * scale,
        min_confirm_ml=1.0,
        max_confirm_ml=adult.max_confirm_ml * scale,
    )


def limit_values(settings: SegmentSettings, rate_hz: float) -> dict[str, float]:
    """The settings as the scan's ``Limits`` record wants them: durations in samples at ``rate_hz``."""
    return {
        "leak": 0.0,
        "confirm": settings.first_confirm_ml / ML_PER_L,
        "onset": settings.base_flow_l_min / S_PER_MIN,
        "trigger": settings.trigger_flow_l_min / S_PER_MIN,
        "exhale": settings.exhale_flow_l_min / S_PER_MIN,
        "cycle": settings.cycle_flow_l_min / S_PER_MIN,
        "rise_n": max(round(settings.rise_s * rate_hz), 1),
        "restack": settings.restack_flow_l_min / S_PER_MIN,
        "restack_valley": settings.restack_valley,
        "restack_n": max(round(settings.restack_s * rate_hz), 1),
        "pressure_rise": settings.pressure_rise_cmh2o,
        "back_n": round(settings.pressure_back_s * rate_hz),
        "apnoea_n": round(settings.apnoea_s * rate_hz),
        "step": 1.0 / rate_hz,
    }
