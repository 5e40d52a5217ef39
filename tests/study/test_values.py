"""One quantity in one window: which breaths count, and when they give no number (algorithms §8.1, §8.2)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from streamer.model.context import Context, PointSettings
from streamer.study.points import windows
from streamer.study.quantities import KEYS, QUANTITIES
from streamer.study.timeline import Timeline
from streamer.study.values import Value, value_of
from tests.support.study_breaths import HOUR, WYE, event, gas, patient

NAN = math.nan


def found(timeline: Timeline, name: str, point: str = "1 h prone", **settings: Any) -> Value:
    stated = PointSettings(**settings)
    window = next(one for one in windows(timeline, stated) if one.label == point)
    return value_of(timeline, window, QUANTITIES[name], stated)


def minutes(*spans: tuple[float, float], inside: float, outside: float) -> Any:
    """A course by minutes since time 0."""
    return lambda hours: inside if any(a <= 60 * hours < b for a, b in spans) else outside


def test_a_median_with_quartiles_number_and_coverage() -> None:
    timeline = patient(values={"vd_aw": lambda hours: 100.0 + 10.0 * (60 * hours - 45)})
    value = found(timeline, "vd_aw")
    assert value.value == pytest.approx(249.75)
    assert (value.p25, value.p75) == pytest.approx((174.875, 324.625))
    assert (value.n, value.breaths, value.coverage, value.reason) == (600, 600, pytest.approx(1.0), "")


def test_a_power_is_its_total_over_time_and_a_fraction_is_weighted_by_volume() -> None:
    timeline = patient(
        values={
            "mp": lambda hours: 10.0 if hours < 1 else 40.0,
            "vt_exp": lambda hours: 300.0 if hours < 1 else 600.0,
            "vd_vt_bohr": lambda hours: 0.5 if hours < 1 else 0.2,
        }
    )
    assert found(timeline, "mp").value == pytest.approx(25.0)
    assert found(timeline, "vd_vt_bohr").value == pytest.approx((0.5 * 300 + 0.2 * 600) / 900)
    assert found(timeline, "vt_exp").value == pytest.approx(450.0)  # a median


@pytest.mark.parametrize(
    ("good_min", "n", "reason"), [(15.0, 300, ""), (14.9, 298, "fit_poor"), (0.0, 0, "fit_poor"), (0.19, 4, "fit_poor")]
)
def test_half_of_the_breaths_must_give_it(good_min: float, n: int, reason: str) -> None:
    timeline = patient(values={"crs_est": minutes((45, 45 + good_min), inside=40.0, outside=NAN)})
    value = found(timeline, "crs_est")
    assert (value.n, value.breaths, value.reason) == (n, 600, reason)
    assert value.value == (None if reason else 40.0)


@pytest.mark.parametrize(("recorded_h", "reason"), [(0.26, ""), (0.24, "low_coverage")])
def test_half_of_the_window_must_be_recorded(recorded_h: float, reason: str) -> None:
    value = found(patient(hours=((-1, 0.75 + recorded_h),)), "mp")
    assert value.reason == reason
    assert value.coverage == pytest.approx(recorded_h / 0.5)
    if reason:
        assert value.detail == "whole, settled breaths fill 48% of the window; asked for: 50%"
        assert found(patient(hours=((-1, 0.99),)), "mp", min_coverage=0.4).value == 20.0


def test_cut_breaths_cover_nothing() -> None:
    timeline = patient(whole=lambda hours: hours < 0.9)
    assert found(timeline, "mp").reason == "low_coverage"


def test_one_hold_is_enough_for_a_plateau_and_its_number_is_told() -> None:
    timeline = patient(values={"pplat": 21.5, "crs": 35.0}, holds=(1.1,))
    value = found(timeline, "pplat")
    assert (value.value, value.n, value.breaths) == (21.5, 1, 600)
    assert found(timeline, "crs", "4 h prone").reason == "no_hold"
    assert found(patient(hours=((-1, 0.8),), values={"pplat": 21.5}, holds=(0.77,)), "pplat").value == 21.5


def test_a_hold_that_was_none_to_read_says_so_among_breaths_without_one() -> None:
    timeline = patient(values={"pplat": NAN}, reasons={"pplat": "no_hold"})
    row = KEYS.index("pplat")
    timeline.reasons[row, np.searchsorted(timeline.start_s, HOUR)] = 1  # hold_not_passive
    assert found(timeline, "pplat").reason == "hold_not_passive"


def test_parts_of_power_of_a_hold_are_for_the_breaths_around_it() -> None:
    """The hold makes its own breath twice as long and so its power half as large."""
    timeline = patient(
        values={"mp_elastic": lambda hours: 3.0 if abs(hours - 1.0) < 1e-9 else 6.1},
        methods={"mp_elastic": lambda hours: "measured" if abs(hours - 1.0) < 1e-9 else "estimated"},
    )
    at = int(np.searchsorted(timeline.start_s, HOUR))
    timeline.end_s[at] += 3.0
    measured = found(timeline, "mp_elastic_measured")
    assert (measured.value, measured.n, measured.method) == (pytest.approx(6.0), 1, "measured")
    estimated = found(timeline, "mp_elastic_estimated")
    assert (estimated.value, estimated.n, estimated.method) == (pytest.approx(6.1), 599, "estimated")


def test_methods_are_never_mixed() -> None:
    timeline = patient(
        values={"crs_est": lambda hours: 40.0 if hours < 1.1 else 60.0},
        methods={"crs_est": lambda hours: "slope_vcv" if hours < 1.1 else "lsf4"},
    )
    value = found(timeline, "crs_est")
    assert (value.value, value.p75, value.method, value.n) == (40.0, 40.0, "slope_vcv", 420)
    evenly = patient(
        values={"crs_est": 40.0},
        methods={"crs_est": lambda hours: ("slope_vcv", "lsf4", "pcv_zero_flow")[round(hours * 1200) % 3]},
    )
    assert found(evenly, "crs_est").value is None


def test_sensors_are_never_mixed() -> None:
    timeline = patient(
        values={"vt_exp": lambda hours: 400.0 if hours < 1.1 else 430.0},
        context=lambda hours: WYE if hours < 1.1 else Context(sensor_site="ventilator"),
    )
    value = found(timeline, "vt_exp")
    assert (value.value, value.n, value.sensor[:2]) == (400.0, 420, ("bench", "wye"))
    assert found(timeline, "vt_exp", "4 h prone").sensor[1] == "ventilator"


@pytest.mark.parametrize(("good", "grade"), [(0.95, "A"), (0.85, "C")])
def test_the_grade_is_what_nine_of_ten_reach(good: float, grade: str) -> None:
    timeline = patient(grades={"vd_aw": lambda hours: "A" if hours < 0.75 + good * 0.5 else "C"})
    assert found(timeline, "vd_aw").quality == grade


GAS = {"vd_vt_enghoff": 0.6, "pf_ratio": 133.0}


def test_a_gas_speaks_by_the_five_minutes_after_its_draw() -> None:
    timeline = patient(
        values={"vd_vt_enghoff": minutes((53.9, 59), inside=0.6, outside=0.9)}, gases=(gas(-0.3), gas(0.9), gas(3.0))
    )
    value = found(timeline, "vd_vt_enghoff")
    assert (value.value, value.n, value.breaths) == (pytest.approx(0.6), 101, 101)
    assert value.detail == "drawn 3240 s"
    assert value.coverage is None


def test_the_nearest_draw_of_a_window_counts() -> None:
    gases = (gas(0.8, pco2_art_mmhg=41.0), gas(1.1, pco2_art_mmhg=42.0), gas(1.24, pco2_art_mmhg=43.0))
    assert found(patient(gases=gases), "pco2_art_mmhg").value == 42.0
    missing = found(patient(gases=gases), "fio2")
    assert (missing.reason, missing.detail) == ("abg_missing", "this blood gas does not state it")


@pytest.mark.parametrize("name", ["vd_vt_enghoff", "pf_ratio", "pco2_art_mmhg", "vent_ratio"])
def test_a_gas_is_never_carried_into_a_window(name: str) -> None:
    values = {"vd_vt_enghoff": 0.6, "pf_ratio": 133.0, "vent_ratio": 1.4}
    stale = found(patient(values=values, gases=(gas(0.7),)), name)
    assert (stale.value, stale.reason) == (None, "abg_stale")
    assert stale.detail == "the nearest draw, 2520 s, lies 3 min outside the window"
    later = found(patient(values=values, gases=(gas(1.5),)), name)
    assert (later.value, later.reason) == (None, "abg_missing")
    none = found(patient(values=values), name)
    assert (none.value, none.reason, none.detail) == (None, "abg_missing", "no blood gas is stated")


def test_a_gas_in_kilopascals_is_not_shown_as_mmhg() -> None:
    """A session file with it is refused; a recording's own sidecar is not, and the core gives no P/F of it."""
    doubted = patient(gases=(gas(1.0, po2_art_mmhg=10.7, pco2_art_mmhg=50.0, fio2=0.6),))
    value = found(doubted, "po2_art_mmhg")
    assert (value.value, value.reason) == (None, "implausible")
    assert (
        value.detail
        == "po2_art_mmhg 10.7 is unusually low: is it in kPa? (1 kPa is 7.50062 mmHg, 10.7 kPa are 80.3 mmHg)"
    )
    assert found(doubted, "pco2_art_mmhg").value == 50.0


def test_a_gas_drawn_in_a_turn_is_none_of_the_point() -> None:
    turned = patient(events=(event(0, "prone"), event(0.95, "supine"), event(1.3, "prone")), gases=(gas(1.0),))
    value = found(turned, "pco2_art_mmhg")
    assert (value.value, value.reason) == (None, "abg_stale")
    assert value.detail == "the nearest draw, 3600 s, lies within a turn or in another position"


def test_a_gas_without_breaths_after_it() -> None:
    value = found(patient(hours=((-1, 0.9), (1.1, 2)), values=GAS, gases=(gas(0.95),)), "pf_ratio")
    assert (value.value, value.reason) == (None, "not_recorded")


def test_why_a_gas_does_not_hold_is_passed_on() -> None:
    value = found(
        patient(values={"pf_ratio": NAN}, reasons={"pf_ratio": "settings_changed"}, gases=(gas(1.0),)), "pf_ratio"
    )
    assert (value.value, value.reason, value.detail) == (None, "settings_changed", "0 of 101 breaths give it")


def test_a_window_without_breaths_still_has_what_the_laboratory_said() -> None:
    timeline = patient(hours=((-1, 0.5), (2, 3)), gases=(gas(1.0),))
    assert found(timeline, "pco2_art_mmhg").value == 50.0
    assert found(timeline, "mp").reason == "not_recorded"


def test_a_point_whose_event_never_came_has_nothing() -> None:
    for name in QUANTITIES:
        value = found(patient(gases=(gas(0.5),)), name, "1 h supine", hours={"prone": (1.0,), "supine": (1.0,)})
        assert (value.value, value.reason) == (None, "no_event")
