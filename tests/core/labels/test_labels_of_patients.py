"""Labels on simulated patients, through the public path: what each kind of effort and event is called."""

from __future__ import annotations

from collections import Counter

import pytest

from adapters.simulator.course import Segment
from adapters.simulator.scenario import Assist, Effort, Lung, Scenario, Suction, Valve, Ventilator
from streamer.model.context import Context
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord
from tests.support.simulated import records
from tests.tools.trust.lungs import NOISE

EVENTS = {
    Flag.FLOW_STARVATION, Flag.REVERSE_TRIGGER_SUSPECT, Flag.COUGH, Flag.SUCTION, Flag.INEFFECTIVE_EFFORT,
    Flag.DOUBLE_TRIGGER, Flag.AUTOTRIGGER_SUSPECT,
}  # fmt: skip
VCV = Ventilator(rate_per_min=18, tidal_volume_ml=420, flow_l_min=32, peep_cmh2o=8)
PCV = Ventilator(mode="pcv", rate_per_min=18, inspiratory_pressure_cmh2o=12, ti_s=1.0, rise_s=0.1, peep_cmh2o=8)
PSV = Ventilator(mode="psv", rate_per_min=10, inspiratory_pressure_cmh2o=10, ti_s=2.0, rise_s=0.1, peep_cmh2o=6)
LUNG = Lung(compliance_ml_cmh2o=38, resistance_cmh2o_s_l=11, resistance_exp_cmh2o_s_l=15)


def breaths(
    ventilator: Ventilator, effort: tuple[Effort, ...] = (), lung: Lung = LUNG, **given: object
) -> list[BreathRecord]:
    parts = {key: given.pop(key) for key in ("valve", "assist", "circuit") if key in given}
    segment = Segment(
        lung=lung, ventilator=ventilator, sensor=NOISE, **{"valve": Valve(resistance_cmh2o_s_l=4), **parts}
    )  # type: ignore[arg-type]
    scenario = Scenario(duration_s=80, seed=3, first_onset_s=0.4, segments=(segment,), effort=effort, **given)  # type: ignore[arg-type]
    return records(scenario, Context())


def labels(found: list[BreathRecord]) -> Counter[Flag]:
    return Counter(flag for record in found for flag in record.flags if flag in EVENTS)


@pytest.mark.parametrize("ventilator", [VCV, PCV], ids=["vcv", "pcv"])
def test_a_passive_patient_has_none(ventilator: Ventilator) -> None:
    found = breaths(ventilator)
    assert len(found) > 20
    assert not labels(found)


def test_hunger_for_flow() -> None:
    """An effort that begins with the breath and outlasts what volume control gives."""
    pull = Effort(amplitude_cmh2o=9, offset_s=-0.1, rise_s=0.35, fall_s=0.3)
    found = breaths(VCV, (pull,))
    assert labels(found)[Flag.FLOW_STARVATION] > 0.9 * len(found)
    for record in found:
        assert record.missing["crs_est"] == "patient_effort"
        assert record.quality["energy"] == "B"


def test_a_late_pull_in_every_breath() -> None:
    pull = Effort(amplitude_cmh2o=6, offset_s=0.45, rise_s=0.35, fall_s=0.35, amplitude_cv=0.1, timing_sd_s=0.03)
    found = breaths(VCV, (pull,))
    assert labels(found)[Flag.REVERSE_TRIGGER_SUSPECT] > 0.7 * len(found)
    assert all("crs_est" in record.missing for record in found)


def test_efforts_in_vain() -> None:
    pull = Effort(amplitude_cmh2o=5, offset_s=1.5, rise_s=0.3, fall_s=0.25, amplitude_cv=0.1)
    found = breaths(VCV, (pull,))
    assert labels(found)[Flag.INEFFECTIVE_EFFORT] > 0.6 * len(found)
    assert all("crs_est" in record.missing for record in found)


def test_two_breaths_out_of_one_effort() -> None:
    """The effort outlasts a short breath and draws the next."""
    short = Ventilator(rate_per_min=12, tidal_volume_ml=300, flow_l_min=45, peep_cmh2o=6)
    pull = Effort(amplitude_cmh2o=14, rate_per_min=14, rise_s=0.5, plateau_s=0.5, fall_s=0.3)
    found = breaths(short, (pull,), assist=Assist())
    doubled = [record for record in found if Flag.DOUBLE_TRIGGER in record.flags]
    assert len(doubled) > 0.5 * len(found)
    assert {record.missing["crs_est"] for record in doubled} == {"double_trigger"}
    assert all("energy" in record.values for record in doubled)


def test_a_fit_of_coughing() -> None:
    cough = Effort(amplitude_cmh2o=-50, at_s=30, duration_s=1.2, rate_per_min=240, rise_s=0.05, fall_s=0.1)
    found = breaths(VCV, (cough,))
    coughed = [record for record in found if Flag.COUGH in record.flags]
    assert coughed
    assert all(record.start_s < 31.5 and record.end_s > 30.0 for record in coughed)
    for record in coughed:
        assert record.values.keys() <= {"ti", "te", "ttot"}


def test_suction_is_no_breath_and_no_disconnect() -> None:
    found = breaths(VCV, suction=(Suction(at_s=30, duration_s=2.0, pressure_cmh2o=-15),))
    sucked = [record for record in found if Flag.SUCTION in record.flags]
    assert sucked
    assert all(26 < record.start_s < 34 for record in sucked)
    assert not [record for record in found if Flag.DISCONNECT in record.flags]
    assert {record.missing["vt_exp"] for record in sucked} == {"suction"}


def test_support_is_the_patients() -> None:
    pull = Effort(amplitude_cmh2o=6, rate_per_min=18, rise_s=0.5, fall_s=0.3, amplitude_cv=0.2, timing_sd_s=0.15)
    found = breaths(PSV, (pull,), assist=Assist())
    assert len(found) > 15
    assert not [record for record in found if "crs_est" in record.values]
    assert not labels(found)[Flag.AUTOTRIGGER_SUSPECT]
