"""Changes from baseline, and every comparison that is refused (algorithms §8.2, §12)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from streamer.model.context import Context, PointSettings
from streamer.study.changes import Change, change_of
from streamer.study.frames import measured
from streamer.study.quantities import QUANTITIES
from streamer.study.timeline import Timeline
from tests.support.study_breaths import WYE, gas, patient

NAN = math.nan
POINT = "1 h prone"
GASES = (gas(-0.3), gas(1.0))


def change(timeline: Timeline, name: str, point: str = POINT, **settings: Any) -> Change:
    points = measured(timeline, PointSettings(**settings))
    return change_of(QUANTITIES[name], points["baseline"][1], points[point][1], point)


def turned(before: float, after: float) -> Any:
    return lambda hours: before if hours < 0 else after


def worded(before: str, after: str) -> Any:
    return lambda hours: before if hours < 0 else after


@pytest.mark.parametrize(
    ("name", "before", "after", "direction"),
    [
        ("vd_vt_bohr", 0.40, 0.30, "lower"),
        ("vd_vt_bohr", 0.40, 0.361, "no change"),
        ("vd_vt_bohr", 0.40, 0.359, "lower"),
        ("vd_vt_bohr", 0.40, 0.441, "higher"),
        ("vd_aw", 150.0, 135.0, "no change"),
        ("mp", 20.0, 21.1, "no change"),
        ("mp", 20.0, 21.3, "higher"),
        ("mp", 20.0, 18.7, "lower"),
        ("peep", 10.0, 11.0, "higher"),
    ],
)
def test_a_change_is_called_one_from_twice_the_error_on(name: str, before: float, after: float, direction: str) -> None:
    found = change(patient(values={name: turned(before, after)}), name)
    assert found.direction == direction
    assert found.change == pytest.approx(after - before)
    assert found.share == pytest.approx((after - before) / before)
    assert found.reason == found.detail == ""


def test_settings_that_differ_stand_beside_every_change() -> None:
    values = {"peep": turned(8.0, 12.0), "vt_exp": turned(420.0, 360.0), "rr": turned(20.0, 20.5)}
    gases = (gas(-0.3, fio2=0.7, po2_art_mmhg=80.0), gas(1.0, fio2=0.6, po2_art_mmhg=80.0))
    found = change(patient(values=values, gases=gases), "vd_vt_bohr")
    assert found.settings == "VT 420 → 360 mL; PEEP 8.0 → 12.0 cmH2O; FiO2 0.70 → 0.60"
    assert change(patient(), "vd_vt_bohr").settings == ""


def test_estimated_is_not_compared_with_measured() -> None:
    only_early = patient(
        values={"crs": 35.0, "crs_est": turned(36.0, 40.0)},
        holds=(-0.3,),
        methods={"crs_est": "slope_vcv", "crs": "quasi_static"},
    )
    found = change(only_early, "crs")
    assert (found.change, found.reason) == (None, "method_changed")
    assert found.detail == (
        "Crs (quasi_static) at baseline, Crs, estimated (slope_vcv) at 1 h prone (no_hold): "
        "not compared with each other"
    )
    assert change(only_early, "crs_est").direction == "higher"  # the same method at both ends
    only_late = patient(values={"pplat": 20.0, "pplat_est": lambda hours: 21.0 if hours < 0 else NAN}, holds=(1.0,))
    found = change(only_late, "pplat_est")
    assert (found.change, found.reason) == (None, "method_changed")
    assert found.detail.startswith("Pplat, estimated at baseline, Pplat at 1 h prone")


def test_measured_parts_of_power_are_not_compared_with_estimated_ones() -> None:
    timeline = patient(values={"mp_elastic": 6.0}, methods={"mp_elastic": worded("measured", "estimated")})
    assert change(timeline, "mp_elastic_measured").reason == "method_changed"
    assert change(timeline, "mp_elastic_estimated").reason == "method_changed"


def test_bohr_is_not_compared_with_enghoff() -> None:
    timeline = patient(
        values={"vd_vt_bohr": lambda hours: NAN if hours < 0 else 0.35, "vd_vt_enghoff": turned(0.6, NAN)}, gases=GASES
    )
    found = change(timeline, "vd_vt_bohr")
    assert (found.change, found.reason) == (None, "method_changed")
    assert (
        found.detail == "VD/VT, Bohr at 1 h prone, VD/VT, Enghoff at baseline (fit_poor): not compared with each other"
    )
    enghoff = change(timeline, "vd_vt_enghoff")
    assert (enghoff.change, enghoff.reason) == (None, "fit_poor")


def test_mainstream_is_not_compared_with_sidestream() -> None:
    def context(hours: float) -> Context:
        return WYE if hours < 0 else Context(co2_kind="sidestream", allow_sidestream_vcap=True)

    timeline = patient(
        values={"vd_vt_bohr": 0.4},
        methods={"vd_vt_bohr": worded("bohr_mainstream", "bohr_sidestream")},
        context=context,
    )
    found = change(timeline, "vd_vt_bohr")
    assert (found.change, found.reason) == (None, "method_changed")
    assert found.detail == "mainstream (bohr_mainstream) → sidestream (bohr_sidestream)"


@pytest.mark.parametrize(
    ("name", "later", "detail"),
    [
        ("vt_exp", {"sensor_site": "ventilator"}, "sensor_site wye → ventilator"),
        ("mp", {"flow_conditions": "ATPD"}, "flow_conditions BTPS → ATPD"),
        ("vd_aw", {"apparatus_volume_ml": 30.0}, "apparatus_volume_ml not stated → 30"),
        ("petco2", {"co2_scale": "dry"}, "co2_scale BTPS → dry"),
        ("vt_exp", {"co2_scale": "dry"}, ""),
    ],
)
def test_one_sensor_is_not_compared_with_another(name: str, later: dict[str, Any], detail: str) -> None:
    known = {"sensor_site": "wye", "flow_conditions": "BTPS", "co2_kind": "mainstream", "co2_scale": "BTPS"}
    found = change(patient(context=lambda hours: WYE if hours < 0 else Context(**(known | later))), name)
    assert (found.reason, found.detail) == ("method_changed" if detail else "", detail)


def test_one_device_is_not_compared_with_another() -> None:
    other = Context(**{**{key: getattr(WYE, key) for key in WYE.__struct_fields__}, "passive": "asserted"})
    timeline = patient(
        context=lambda hours: WYE if hours < 0 else other,
        device=lambda context: "A" if context is WYE else "B",
        values={"pf_ratio": 130.0},
        gases=GASES,
    )
    assert change(timeline, "mp").detail == "device A → B"
    assert change(timeline, "pf_ratio").direction == "no change"
    assert change(patient(context=lambda hours: WYE if hours < 0 else other), "mp").direction == "no change"


def test_a_laboratory_does_not_care_for_the_flow_sensor() -> None:
    context = Context(sensor_site="ventilator")
    timeline = patient(values={"pf_ratio": 130.0}, gases=GASES, context=lambda hours: WYE if hours < 0 else context)
    assert change(timeline, "pf_ratio").direction == "no change"


def test_one_way_of_estimating_is_not_compared_with_another() -> None:
    timeline = patient(values={"crs_est": 40.0}, methods={"crs_est": worded("slope_vcv", "lsf4")})
    found = change(timeline, "crs_est")
    assert (found.change, found.reason, found.detail) == (None, "method_changed", "slope_vcv → lsf4")


def test_a_stale_gas_is_no_baseline() -> None:
    values = {"vd_vt_enghoff": 0.6, "pf_ratio": 130.0}
    for name in values:
        found = change(patient(values=values, gases=(gas(-0.7), gas(1.0))), name)
        assert (found.change, found.reason) == (None, "abg_stale")
        assert found.detail == "baseline: the nearest draw, -2520 s, lies 12 min outside the window"


def test_missing_at_both_ends_says_where_and_why() -> None:
    found = change(patient(), "crs")
    assert (found.reason, found.detail) == (
        "no_hold",
        "baseline: 0 of 500 breaths give it; 1 h prone: 0 of 600 breaths give it",
    )
    found = change(patient(), "ph")
    assert (found.reason, found.detail) == ("abg_missing", "baseline and 1 h prone: no blood gas is stated")
    other = change(patient(values={"mp": lambda hours: NAN if hours < 0 else 20.0}, hours=((-1, 0.7),)), "mp")
    assert other.detail == "baseline: 0 of 500 breaths give it; 1 h prone: not_recorded, 2700 s to 4500 s"
    later = change(patient(hours=((-1, 0.7),)), "mp")
    assert (later.reason, later.detail) == ("not_recorded", "1 h prone: 2700 s to 4500 s")
