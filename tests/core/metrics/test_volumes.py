from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.metrics import MeasurementContext, Measures, NotMeasurable, RecentBreaths, extract_features
from streamer.core.metrics.measurement_context import circuit_of, filled_share
from streamer.model.context import Context
from tests.support.analytic_breaths import AT_WYE, K, breath, measured, pcv, start_from, vcv


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 200.0])
def test_volumes_of_square_flow(rate_hz: float) -> None:
    values = measured(vcv(rate_hz=rate_hz)).values
    assert values["vt_insp"] == pytest.approx(500.0, rel=0.005)
    assert values["vt_exp"] == pytest.approx(500.0 * (1 - math.exp(-3.0 / 0.5)), rel=0.005)
    assert values["minute_volume"] == pytest.approx(values["vt_exp"] * 15 / 1000)


@settings(max_examples=40, deadline=None)
@given(phase=st.floats(0.01, 0.99), above=st.floats(5.0, 25.0))
def test_a_step_of_flow_between_two_samples_costs_half_a_sample_at_most(phase: float, above: float) -> None:
    """The instant of a step between two samples is not in them."""
    truth = 0.05 * above * (1 - math.exp(-2.0))
    found = extract_features(pcv(above=above, phase=phase)).insp_volume
    assert abs(found - truth) <= 0.5 * 0.01 * above / 10.0 + 0.001 * truth


def test_noise_at_zero_flow_adds_no_volume() -> None:
    """1 L/min of noise in a 2 s hold and over 5 s of empty expiration; clipped by sample it would add 13 and 33 mL."""
    found = [extract_features(vcv(pause_s=2.0, rr=6.0, noise=(0.2, 1.0), seed=seed)) for seed in range(200)]
    assert np.mean([one.insp_volume for one in found]) == pytest.approx(0.5, abs=0.001)
    assert np.mean([one.exp_volume for one in found]) == pytest.approx(0.5, abs=0.009)


def leaking(g: float) -> tuple[object, float]:
    """Square flow into a lung while gas escapes through an orifice; lung volume is what remains."""
    one = vcv()
    escapes = g * np.sqrt(np.maximum(one.paw, 0.0))
    return breath(one.flow + escapes, one.paw, one.insp_end, leak_conductance=g, leak_frac=0.15), 500.0


def test_mechanics_see_the_lung_and_publication_the_sensor() -> None:
    one, lung_ml = leaking(0.04)
    found = extract_features(one)  # type: ignore[arg-type]
    assert found.tidal_insp * 1000 == pytest.approx(lung_ml, rel=0.005)
    assert found.tidal_exp * 1000 == pytest.approx(lung_ml, rel=0.01)
    assert found.insp_volume > 1.2 * found.tidal_insp
    assert found.exp_volume < 0.9 * found.tidal_exp


@pytest.mark.parametrize(
    ("leak_frac", "value", "quality", "reason"),
    [
        (0.05, 0.05, "A", None),
        (-0.01, -0.01, "A", None),
        (0.15, 0.15, "B", None),
        (-0.05, None, None, "sensor_ratio"),
        (math.nan, None, None, "low_coverage"),
    ],
)
def test_leak(leak_frac: float, value: float | None, quality: str | None, reason: str | None) -> None:
    found = measured(vcv(leak_frac=leak_frac))
    assert found.values.get("leak_frac") == value
    assert found.quality.get("leak_frac") == quality
    assert found.missing.get("leak_frac") == reason


def weighed(**context: object) -> tuple[float | None, str | None]:
    found = measured(vcv(), MeasurementContext(context=Context(**context)))  # type: ignore[arg-type]
    return found.values.get("vt_pbw"), found.methods.get("vt_pbw") or found.missing.get("vt_pbw")


def test_volume_by_weight() -> None:
    """An adult's is predicted, a child's stated: no formula gives it."""
    man: dict[str, object] = {"sex": "male", "height_cm": 175.0, "weight_kg": 120.0}
    assert weighed(**man) == (pytest.approx(500.0 / 70.566, rel=0.005), "predicted_weight")
    assert weighed(**man, patient_class="paediatric") == (pytest.approx(500.0 / 120.0, rel=0.005), "stated_weight")
    assert weighed(weight_kg=80.0) == (None, "context_missing")
    assert weighed(patient_class="neonate", sex="male", height_cm=50.0) == (None, "context_missing")


@pytest.mark.parametrize(
    ("site", "circuit", "vt", "method"),
    [
        ("wye", 2.0, 500.0, "as_measured"),
        (None, 2.0, 500.0, "as_measured"),
        ("ventilator", None, 485.0, "circuit_assumed"),
        ("ventilator", 2.0, 480.0, "circuit_corrected"),
    ],
)
def test_what_reached_the_lung(site: str | None, circuit: float | None, vt: float, method: str) -> None:
    """Gas that only fills the circuit: its compliance times the rise of pressure, here to a plateau 10 cmH2O above."""
    context = Context(sensor_site=site, circuit_compliance_ml_cmh2o=circuit)  # type: ignore[arg-type]
    one = vcv(pause_s=0.5)
    found = measured(one, MeasurementContext(before=extract_features(one), context=context))
    assert found.values["vt"] == pytest.approx(vt, rel=0.005)
    assert found.methods["vt"] == method
    assert found.quality.get("vt") == ("B" if site is None or method == "circuit_assumed" else None)
    assert found.values["vt_insp"] == pytest.approx(500.0, rel=0.005)


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 200.0])
@pytest.mark.parametrize("noise", [2.5, 5.0])
def test_white_noise_moves_no_volume(rate_hz: float, noise: float) -> None:
    """Median within 0.5 %; 95 % of the errors within what a sum of noisy samples allows, but for chance."""
    truth = extract_features(vcv(pause_s=0.3, rate_hz=rate_hz))
    found = [
        extract_features(vcv(pause_s=0.3, rate_hz=rate_hz, noise=(0.2, noise), seed=seed)) for seed in range(1000, 1300)
    ]
    for key, lasts_s in (("insp_volume", 1.3), ("tidal_insp", 1.3), ("exp_volume", 2.7), ("tidal_exp", 2.7)):
        errors = np.array([getattr(one, key) for one in found]) - getattr(truth, key)
        assert abs(np.median(errors)) <= 0.005 * truth.tidal_insp
        assert np.quantile(np.abs(errors), 0.95) <= 1.15 * 1.96 * noise / 60 * math.sqrt(lasts_s / rate_hz)
    work = np.array([one.work for one in found]) / truth.work - 1.0
    assert abs(np.median(work)) <= 0.005


def test_gas_that_still_leaves_at_the_onset_is_expired() -> None:
    """Pressure rises before flow has turned: 50 ms at 0.2 L/s are 10 mL of expiration."""
    one = vcv()
    flow = one.flow.copy()
    flow[1:6] = -0.2
    found = extract_features(dataclasses.replace(one, flow=flow))
    lost = float(np.sum(one.flow[1:6])) / 100
    assert found.insp_volume == pytest.approx(extract_features(one).insp_volume - lost, abs=1e-6)
    assert found.exp_volume == pytest.approx(extract_features(one).exp_volume + 0.01, abs=1e-6)


@pytest.mark.parametrize(("inflow", "is_left_out"), [(0.1, False), (3.0, True)])
def test_what_flows_back_before_the_next_onset(inflow: float, is_left_out: bool) -> None:  # noqa: FBT001
    """L/min over the last second, beside 1 L/min of noise: noise is part of the sum, a base flow is not."""
    plain = vcv(rr=10, noise=(0.0, 1.0))
    flow = plain.flow.copy()
    flow[-100:] += inflow / 60
    lost = extract_features(plain).exp_volume - extract_features(dataclasses.replace(plain, flow=flow)).exp_volume
    assert (lost < 0.5 * inflow / 60) == is_left_out


@pytest.mark.parametrize(
    ("site", "vt_ml", "grade", "reason"),
    [
        (None, 601.0, None, None),
        (None, 599.0, "B", None),
        (None, 376.0, "B", None),
        (None, 374.0, "C", None),
        (None, 51.0, "C", None),
        (None, 49.0, "B", None),
        ("ventilator", 188.0, "B", None),
        ("ventilator", 187.0, None, "context_missing"),
        ("ventilator", 99.0, None, "context_missing"),
        ("wye", 100.0, None, None),
    ],
)
def test_a_circuit_that_is_not_stated(site: str | None, vt_ml: float, grade: str | None, reason: str | None) -> None:
    """It takes 0-3 mL/cmH2O: over 10 cmH2O a twentieth of 600 mL, 8 % of 375. Taken in the middle, half of that.

    A sensor in a circuit would lose the smallest breaths.
    """
    context = Context(sensor_site=site)  # type: ignore[arg-type]
    inspired = vt_ml / 1000
    if reason is None:
        middle = 1.5 if site == "ventilator" else 0.0
        assert circuit_of(context, inspired, filled_share(inspired, 10.0))[:2] == (middle, grade)
        return
    with pytest.raises(NotMeasurable, match=reason):
        circuit_of(context, inspired, filled_share(inspired, 10.0))


@pytest.mark.parametrize(("patient_class", "grade"), [("paediatric", "C"), ("neonate", "B")])
def test_a_newborns_sensor_is_taken_to_sit_at_the_lung(patient_class: str, grade: str) -> None:
    """A child's circuit of up to 1.5 mL/cmH2O takes a quarter of 120 mL over 20 cmH2O; if it is there."""
    context = Context(patient_class=patient_class)  # type: ignore[arg-type]
    assert circuit_of(context, 0.12, filled_share(0.12, 20.0)).quality == grade


@pytest.mark.parametrize("truth", [0.0, 1.5, 3.0])
@pytest.mark.parametrize("compliance", [20.0, 50.0])
def test_a_usual_circuit_at_the_ventilator_costs_a_tenth_at_most(truth: float, compliance: float) -> None:
    """Volume, compliance and energy stay within what B promises, whichever circuit it is."""
    one = vcv(c=(compliance + truth) / 1000, vt=10 * (compliance + truth) / 1000, flow=0.3, r=2.0, pause_s=0.8, rr=10)
    stated = Context(sensor_site="ventilator", circuit_compliance_ml_cmh2o=truth)
    found = measured(one, start_from(one, context=Context(sensor_site="ventilator")))
    right = measured(one, start_from(one, context=stated))
    assert right.values["crs"] == pytest.approx(compliance, rel=0.01)
    for key in ("vt", "crs", "energy", "mp_elastic"):
        assert found.values[key] == pytest.approx(right.values[key], rel=0.1), key
        assert found.quality[key] == "B", key


@pytest.mark.parametrize(("compliance", "grade"), [(0.042, "B"), (0.036, "C")])
def test_a_stiff_lung_needs_a_word_on_the_circuit(compliance: float, grade: str) -> None:
    """3 mL/cmH2O beside 37.5 would be 8 % of what the sensor sees, of volume, compliance and energy alike."""
    one = vcv(c=compliance, vt=10 * compliance, flow=0.3, peep=5, r=2.0, pause_s=0.8, rr=10)
    found = measured(one, MeasurementContext(before=extract_features(one)))
    for key in ("vt", "crs", "mp"):
        assert found.quality[key] == grade, key


def test_power_and_compliance_leave_the_circuit_out() -> None:
    """2 mL/cmH2O filled from 5 to 15 cmH2O hold 20 mL and K·2·(15² - 5²)/2 of work."""
    one = vcv(pause_s=0.8, rr=10)
    plain = MeasurementContext(before=extract_features(one), context=Context(sensor_site="wye"))
    stated = MeasurementContext(
        before=extract_features(one), context=Context(sensor_site="ventilator", circuit_compliance_ml_cmh2o=2.0)
    )
    at_wye, at_ventilator = measured(one, plain).values, measured(one, stated).values
    vt = at_ventilator["vt"] / 1000
    assert at_ventilator["cdyn"] == pytest.approx(1000 * vt / (at_wye["ppeak"] - 5.0), rel=1e-3)
    assert at_ventilator["energy_per_litre"] == pytest.approx(at_ventilator["energy"] / vt, rel=1e-9)
    assert at_ventilator["mp_peep"] == pytest.approx(K * 5.0 * vt * at_ventilator["rr"], rel=1e-3)
    assert at_ventilator["mp_elastic"] == pytest.approx(K * 5.0 * vt * at_ventilator["rr"], rel=1e-3)
    assert at_ventilator["mp_surrogate"] == pytest.approx(at_wye["mp_surrogate"] * vt / 0.5, rel=1e-3)
    filling = K * 0.002 * (15.0**2 - 5.0**2) / 2
    assert at_ventilator["energy"] == pytest.approx(at_wye["energy"] - filling, rel=1e-3)
    assert at_ventilator["vt"] == pytest.approx(at_wye["vt"] - 20.0, rel=1e-3)


def minute(leak_l_min: float, persists: float = 1.0, flow_noise: float = 0.0) -> Measures:
    """L/min per root of cmH2O are taken off as a leak; this share of the volume comes back in breaths like it."""
    one = vcv(vt=0.5, rr=15)
    before, leak = extract_features(one), leak_l_min / 60
    past = RecentBreaths(8, unclosed=0.0, volumes=((0.5, 0.5 * persists),) * 19)
    flow = one.flow + leak * np.sqrt(one.paw)
    one = dataclasses.replace(one, flow=flow, leak_conductance=leak, leak_frac=0.0, flow_noise=flow_noise)
    return measured(one, MeasurementContext(context=AT_WYE, before=before, past=past))


@pytest.mark.parametrize(
    ("leak_l_min", "persists", "grade", "reason"),
    [
        (0.0, 1.0, None, None),
        (0.1, 1.0, None, None),
        (0.25, 1.0, "B", None),
        (0.35, 1.0, "B", None),
        (0.35, 0.93, None, "volume_not_closed"),
        (0.45, 1.0, None, "volume_not_closed"),
    ],
)
def test_what_counts_as_a_leak_may_be_a_zero(
    leak_l_min: float, persists: float, grade: str | None, reason: str | None
) -> None:
    """0.4 L/min per root of cmH2O are 1 L/min on average, of 7.5; as a zero it would miss from an expiration."""
    found = minute(leak_l_min, persists)
    assert (found.quality.get("minute_volume"), found.missing.get("minute_volume")) == (grade, reason)
    assert {"vt", "vt_exp"} <= found.values.keys()


def test_a_zero_that_holds_have_shown_is_none_that_is_lost() -> None:
    """1 L/min for 4 s are 67 mL, as much as a leak of 13 %."""
    zero = 1.0 / 60
    one = vcv(vt=0.5, rr=15)
    raw = dataclasses.replace(one, flow=one.flow + zero, flow_zero=zero, leak_frac=0.13)
    past = RecentBreaths(8, unclosed=0.0, volumes=((0.5, 0.5),) * 19)
    found = measured(raw, MeasurementContext(context=AT_WYE, before=extract_features(one), past=past))
    assert found.values["minute_volume"] == pytest.approx(minute(0.0).values["minute_volume"], rel=0.02)


@pytest.mark.parametrize(
    ("doubt_l_min", "grade", "reason"),
    [(math.nan, None, "volume_not_closed"), (0.4, None, None), (0.6, "B", None), (1.2, None, "volume_not_closed")],
)
def test_a_leak_beside_a_zero_that_is_known(doubt_l_min: float, grade: str | None, reason: str | None) -> None:
    """As much of what is missing as it may be off may be the zero: in 3 s of 4, of 7.5 L/min."""
    one = vcv(vt=0.5, rr=15)
    flow = one.flow + 1.2 / 60 * np.sqrt(one.paw)
    one = dataclasses.replace(one, flow=flow, leak_conductance=1.2 / 60, leak_frac=0.0)
    one = dataclasses.replace(one, flow_zero_doubt=doubt_l_min / 60)
    past = RecentBreaths(8, unclosed=0.0, volumes=((0.5, 0.5),) * 19)
    found = measured(one, MeasurementContext(context=AT_WYE, before=extract_features(one), past=past))
    assert (found.quality.get("minute_volume"), found.missing.get("minute_volume")) == (grade, reason)


@pytest.mark.parametrize(("share", "is_fed"), [(0.0, False), (0.45, False), (0.55, True), (1.0, True)])
def test_a_leak_is_taken_off_a_hold_where_it_is_fed(share: float, *, is_fed: bool) -> None:
    """Past a closed valve a leak draws on the lung; a ventilator that holds pressure feeds it."""
    g = 1.0 / 60
    one = vcv(pause_s=0.5)
    escapes = g * np.sqrt(one.paw)
    held = slice(one.insp_end - 50, one.insp_end)
    escapes[held] *= share
    found = extract_features(dataclasses.replace(one, flow=one.flow + escapes, leak_conductance=g))
    full = g * np.sqrt(one.paw[held]).sum() / one.rate_hz
    lost = full * (1.0 - share) if is_fed else -full * share
    assert found.tidal_insp == pytest.approx(extract_features(one).tidal_insp - lost, abs=0.001)


@pytest.mark.parametrize("zero_l_min", [-2.0, 1.0, 2.0])
def test_minute_volume_less_a_zero_counts_the_whole_expiration(zero_l_min: float) -> None:
    """What seems to come back at its end is the zero."""
    zero, one = zero_l_min / 60, vcv(vt=0.2, flow=0.3)
    raw = dataclasses.replace(one, flow=one.flow + zero, flow_zero=zero, flow_zero_doubt=0.002)
    past = RecentBreaths(8, unclosed=0.0, volumes=((0.2, 0.2),) * 19)
    found = measured(raw, MeasurementContext(context=AT_WYE, before=extract_features(one), past=past))
    assert found.values["minute_volume"] == pytest.approx(measured(one).values["minute_volume"], rel=0.005)


@pytest.mark.parametrize(
    ("share", "grade", "reason"), [(0.049, None, None), (0.051, "B", None), (0.101, None, "signal_noisy")]
)
def test_noise_of_an_expiration_counts_for_longer(share: float, grade: str | None, reason: str | None) -> None:
    """Three standard deviations of the integral over Te."""
    values = minute(0.0).values
    sd_l = share * values["vt_exp"] / 3000
    found = minute(0.0, flow_noise=sd_l / math.sqrt(values["te"] / 100.0))
    assert (found.quality.get("minute_volume"), found.missing.get("minute_volume")) == (grade, reason)


@pytest.mark.parametrize(
    ("doubt_l_min", "grade", "reason"),
    [
        (math.nan, None, "zero_not_shown"),
        (0.29, "A", None),
        (0.31, "B", None),
        (0.69, "B", None),
        (0.71, "C", None),
    ],
)
def test_the_zero_is_told_with_its_doubt(doubt_l_min: float, grade: str | None, reason: str | None) -> None:
    found = measured(dataclasses.replace(vcv(), flow_zero=-1.5 / 60, flow_zero_doubt=doubt_l_min / 60))
    assert (found.quality.get("flow_zero"), found.missing.get("flow_zero")) == (grade, reason)
    assert found.values.get("flow_zero") == (None if reason else pytest.approx(-1.5))
