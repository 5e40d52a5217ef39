"""Why a number is missing: every reason code, once, with one line for a reader.

Codes and conditions: algorithms of this project, table "when to withhold". A code is part of the published interface.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Code(StrEnum):
    """A code; ``meaning`` says it in one line."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        """A member that is the code itself and carries its meaning."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


class Reason(Code):
    """Why a breath, or a window, has no number of some kind."""

    NO_HOLD = "no_hold", "flow was not stopped for long enough to read a pressure at zero flow"
    HOLD_NOT_PASSIVE = "hold_not_passive", "pressure in the hold rose, dipped or kept falling: no passive plateau"
    HOLD_UNCLEAR = "hold_unclear", "pressure stepped up as expiratory flow ceased: it may be PEEP or total PEEP"
    EXHALATION_INCOMPLETE = (
        "exhalation_incomplete",
        "expiration was cut short: end-expiratory pressure is not total PEEP",
    )
    FLOW_NOT_CONSTANT = "flow_not_constant", "resistance from a hold needs constant inspiratory flow before it"
    NO_CLOSED_FORM = "no_closed_form", "neither flow was constant nor pressure level: no closed form fits this breath"
    PATIENT_EFFORT = "patient_effort", "the patient breathes, or nothing shows that the patient does not"
    FIT_POOR = "fit_poor", "a passive lung of one compartment does not describe this breath"
    FIT_ILLCOND = "fit_illcond", "this waveform does not tell the parameters apart"
    FIT_WINDOW_DISAGREE = "fit_window_disagree", "parts of this breath give different answers"
    ESTIMATES_DISAGREE = "estimates_disagree", "estimates that are independent of each other, or a hold, disagree"
    RATE_TOO_LOW = "rate_too_low", "too few samples in the part of the breath that it is measured in"
    LEAK_HIGH = "leak_high", "more than 20 % of the inspired volume does not come back"
    SENSOR_RATIO = "sensor_ratio", "more volume comes back than went in: the flow sensors disagree, this is no leak"
    VOLUME_NOT_CLOSED = "volume_not_closed", "inspired and expired volume differ too much to close the loop"
    DOUBLE_TRIGGER = "double_trigger", "two cycles with hardly an expiration between them"
    COUGH = "cough", "a cough"
    SUCTION = "suction", "suction, or a pull on the airway far below atmospheric pressure"
    DISCONNECT = "disconnect", "the circuit was open, or has been closed for fewer than three normal breaths"
    GAP = "gap", "samples of this breath are missing"
    TRUNCATED = "truncated", "the first or last breath of a run, not recorded whole"
    APNOEA = "apnoea", "no breath for so long that this one was closed by force"
    NOT_REPEATED = "not_repeated", "this breath and recent ones give different estimates"
    PASSIVITY_CONTRADICTED = "passivity_contradicted", "the patient breathes, although passivity is asserted"
    LOW_COVERAGE = "low_coverage", "too few breaths with a value"
    PAW_MISSING = "paw_missing", "no airway pressure"
    CO2_MISSING = "co2_missing", "no capnogram"
    FLOW_MISSING = "flow_missing", "no flow: a capnogram alone tells times and pressures, no volume"
    CO2_UNALIGNED = "co2_unaligned", "by how much the capnogram is late against flow is not known"
    ALIGNMENT_UNSTABLE = "alignment_unstable", "the delay of the capnogram against flow varies, drifts or has jumped"
    CO2_KIND_UNKNOWN = "co2_kind_unknown", "co2_kind does not say whether the CO2 sensor is mainstream or sidestream"
    CO2_SCALE_UNKNOWN = "co2_scale_unknown", "co2_scale does not say whether CO2 is of dry or of saturated gas"
    CO2_TOO_SLOW = "co2_too_slow", "the CO2 sensor is too slow for this expiration: the number would be its own"
    SIDESTREAM_UNSUITABLE = "sidestream_unsuitable", "a sidestream capnogram is distorted in time: no volumetric values"
    REBREATHING = "rebreathing", "inspired PCO2 above 8 mmHg"
    NO_PHASE3 = "no_phase3", "the expired volume does not reach an alveolar plateau of PCO2"
    VT_BELOW_DEADSPACE = "vt_below_deadspace", "the expired volume is too small against the airway dead space"
    VDAW_METHODS_DISAGREE = "vdaw_methods_disagree", "two ways to find the airway dead space give different volumes"
    ZERO_NOT_SHOWN = (
        "zero_not_shown",
        "nothing has shown the zero of the flow sensor: no hold, no standby, no level flow at two pressures",
    )
    SIGNAL_NOISY = "signal_noisy", "noise of flow hides more than 10 % of the volume"
    SIGNAL_SUSPECT = "signal_suspect", "a signal that it rests on cannot be what it is said to be: see the suspicion"
    ABG_MISSING = "abg_missing", "no arterial blood gas yet"
    ABG_STALE = "abg_stale", "the last arterial blood gas is older than 60 minutes"
    SETTINGS_CHANGED = (
        "settings_changed",
        "ventilation, PEEP, position or settings changed since the arterial blood gas, or settings just before it",
    )
    NONSTEADY_STATE = "nonsteady_state", "ventilation or CO2 was changing when the arterial blood gas was drawn"
    CONTEXT_MISSING = "context_missing", "sex or height of the patient, or a child's weight, is not known"
    IMPLAUSIBLE = "implausible", "the number lies outside what is physically plausible"
