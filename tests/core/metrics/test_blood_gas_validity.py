"""What the breaths and events around a draw say of it: rules on made-up courses of breaths."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from streamer.core.metrics.blood_gas_validity import drift
from streamer.model.records import NoticeKind
from tests.support.breath_courses import DRAW_S, MINUTE, around, breaths, change, due, gas, record, step, told

# ── around the draw


def test_mixed_expired_pco2_is_that_of_five_minutes_before_and_after() -> None:
    def steps(t: float) -> dict[str, float]:
        near = abs(t - DRAW_S) <= 300
        return {"pco2_mixed_exp": (20.0 + (t - DRAW_S) / 100 if near else 60.0)}

    seen = around(gas(), course=steps)
    assert seen.pco2_mixed_exp == pytest.approx(20.0, abs=0.02)
    assert (seen.co2_breaths, seen.method, seen.grade) == (200, "mean_mainstream", "A")
    early = around(gas(), course=steps, until_s=DRAW_S + 60)
    assert early.co2_breaths == 120
    assert early.pco2_mixed_exp == pytest.approx(20.0 - 1.2, abs=0.02)


def test_five_breaths_at_least() -> None:
    for lacking, count in ((9.0, 4), (12.0, 5)):
        found = told([*breaths(lacking + 3), gas(0.0)]).drawn(60).around
        assert found.co2_breaths == count
        assert math.isnan(found.pco2_mixed_exp) == (count < 5)


def test_only_breaths_of_the_state_the_blood_was_drawn_in_count() -> None:
    course = step(DRAW_S - 60, pco2_mixed_exp=30.0)
    assert around(gas(), course=course, until_s=DRAW_S + 6).pco2_mixed_exp == 25.0
    assert around(change(DRAW_S - 60), gas(), course=course, until_s=DRAW_S + 6).pco2_mixed_exp == 30.0


def test_methods_are_not_mixed() -> None:
    items = [record(t, {"pco2_mixed_exp": 25.0}, "mean_mainstream") for t in range(3, 301, 3)]
    items += [record(t, {"pco2_mixed_exp": 35.0}, "mean_sidestream") for t in range(303, 601, 3)]
    for at_s, value, method in ((301, 25.0, "mean_mainstream"), (304, 35.0, "mean_sidestream")):
        draws = told([*items, gas(at_s)])
        assert draws.drawn(600).around.pco2_mixed_exp == value
        assert draws.drawn(600).around.method == method


def test_steadiness_is_that_of_one_method() -> None:
    items = [record(t, {"pco2_mixed_exp": 25.0}, "mean_mainstream") for t in range(3, 301, 3)]
    items += [record(t, {"pco2_mixed_exp": 35.0}, "mean_sidestream") for t in range(303, 701, 3)]
    assert told([*items, gas(700)]).drawn(700).around.is_unsteady is False


def test_the_worst_quality_counts() -> None:
    draws = told([*breaths(60), gas(30.0)])
    assert draws.drawn(60).around.grade == "A"
    draws.add(dataclasses.replace(record(61.0), quality={"pco2_mixed_exp": "C"}))
    assert draws.drawn(61).around.grade == "C"


def test_the_first_minutes_of_a_recording() -> None:
    """A draw before the first breath is judged by the breaths after it; whether it was steady is not known."""
    seen = around(gas(0.0), until_s=120)
    assert (seen.pco2_mixed_exp, seen.is_watched, seen.is_unsteady) == (25.0, True, None)
    assert around(gas(0.0), until_s=120, course=step(300, minute_volume=12.0)).has_changed is False
    assert around(gas(0.0), until_s=900, course=step(300, minute_volume=12.0)).has_changed


def test_a_draw_with_no_breath_near_it_is_not_watched() -> None:
    seen = around(gas(-600.0))
    assert math.isnan(seen.pco2_mixed_exp)
    assert (seen.co2_breaths, seen.is_watched, seen.has_changed) == (0, False, False)


def test_after_a_gap_one_has_to_watch_again() -> None:
    draws = told([*breaths(DRAW_S), gas(DRAW_S - 60)])
    assert draws.drawn(DRAW_S).around.is_watched
    assert draws.drawn(DRAW_S + 298).around.is_watched
    assert not draws.drawn(DRAW_S + 600).around.is_watched
    after = list(breaths(DRAW_S + 615.5, from_s=DRAW_S + 600))
    watched = []
    for one in after:
        draws.add(one)
        watched.append(draws.drawn(one.end_s + 3).around.is_watched)
    assert watched == [False, False, False, False, True]
    assert draws.drawn(DRAW_S + 615).around.pco2_mixed_exp == 25.0


def test_a_draw_in_a_gap_is_not_watched_until_there_are_breaths() -> None:
    draws = told([*breaths(300), gas(320.0)])
    assert draws.drawn(330).around.is_watched
    assert not draws.drawn(1000).around.is_watched


# ── changed since


@pytest.mark.parametrize(
    ("values", "is_other"),
    [
        ({"minute_volume": 11.1}, True), ({"minute_volume": 10.9}, False),
        ({"minute_volume": 8.9}, True), ({"minute_volume": 9.1}, False),
        ({"peep": 9.1}, True), ({"peep": 8.9}, False), ({"peep": 6.9}, True), ({"peep": math.nan}, False),
    ],
)  # fmt: skip
def test_ventilation_and_peep(values: dict[str, float], is_other: bool) -> None:  # noqa: FBT001
    after_s = DRAW_S + 120
    assert around(gas(), course=step(after_s, **values)).has_changed is is_other


def test_how_soon_a_change_is_noticed() -> None:
    for values, within_s in (({"minute_volume": 12.0}, 156.0), ({"peep": 10.0}, 36.0)):
        course = step(DRAW_S + 600, **values)
        assert not around(gas(), course=course, until_s=DRAW_S + 600).has_changed
        assert around(gas(), course=course, until_s=DRAW_S + 600 + within_s).has_changed


def test_a_step_right_after_the_draw_is_seen() -> None:
    """The breaths of the last minutes are of the new state before most of those around the draw are."""
    assert around(gas(), course=step(DRAW_S, minute_volume=11.1)).has_changed


def test_what_has_changed_stays_changed() -> None:
    def passing(t: float) -> dict[str, float]:
        return {"minute_volume": 12.0} if DRAW_S + 300 < t < DRAW_S + 600 else {}

    assert around(gas(), course=passing, until_s=DRAW_S + 50 * MINUTE).has_changed


def test_single_breaths_are_no_change() -> None:
    def sighs(t: float) -> dict[str, float]:
        return {"minute_volume": 20.0, "peep": 14.0} if t % 60 < 3 else {}

    assert not around(gas(), course=sighs).has_changed


@pytest.mark.parametrize("kind", [NoticeKind.POSITION, NoticeKind.SETTINGS])
def test_events(kind: NoticeKind) -> None:
    assert around(gas(), change(DRAW_S + 1, kind)).has_changed
    assert around(gas(), change(DRAW_S, kind)).has_changed
    assert not around(change(DRAW_S - 1, kind), gas()).has_changed
    assert not around(gas(), change(DRAW_S + 1, NoticeKind.NOTE)).has_changed


def test_new_settings_before_the_draw_may_be_fio2() -> None:
    for before_s, kind, is_new in (
        (899, NoticeKind.SETTINGS, True), (900, NoticeKind.SETTINGS, False), (10, NoticeKind.POSITION, False),
        (-10, NoticeKind.SETTINGS, False),
    ):  # fmt: skip
        assert around(change(DRAW_S - before_s, kind), gas()).has_new_fio2 is is_new


# ── steady before the draw


@pytest.mark.parametrize("key", ["minute_volume", "pco2_mixed_exp"])
@pytest.mark.parametrize(("share", "is_unsteady"), [(0.12, True), (0.08, False), (-0.12, True), (-0.08, False)])
def test_slow_drift(key: str, share: float, is_unsteady: bool) -> None:  # noqa: FBT001
    size = {"minute_volume": 10.0, "pco2_mixed_exp": 25.0}[key]

    def moving(t: float) -> dict[str, float]:
        return {key: size * (1 + share * (min(t, DRAW_S) - DRAW_S + 300) / 600)}

    assert around(gas(), course=moving).is_unsteady is is_unsteady
    later = around(gas(), course=lambda t: moving(t - 660) if t > DRAW_S else {})
    assert later.is_unsteady is False, "what comes after the draw does not count"


@pytest.mark.parametrize(("history_s", "known"), [(200, None), (260, None), (290, False), (600, False)])
def test_how_much_there_must_be_before_the_draw(history_s: float, known: bool | None) -> None:  # noqa: FBT001
    assert around(gas(float(history_s))).is_unsteady is known


def test_what_was_long_before_the_draw_does_not_count() -> None:
    def early(t: float) -> dict[str, float]:
        return {"minute_volume": 7.0, "pco2_mixed_exp": 30.0} if t < DRAW_S - 600 else {}

    assert around(gas(), course=early).is_unsteady is False
    assert around(gas(DRAW_S - 240), course=early).is_unsteady is True


def test_a_gap_before_the_draw() -> None:
    def quiet(t: float) -> dict[str, float]:
        return {} if t < DRAW_S - 500 or t > DRAW_S - 30 else {"minute_volume": math.nan}

    assert around(gas(), course=quiet).is_unsteady is False
    late = told(due([gas(), *breaths(DRAW_S + 60, from_s=DRAW_S - 45)])).drawn(DRAW_S + 60).around
    assert (late.pco2_mixed_exp, late.is_unsteady) == (25.0, None)


def test_without_a_capnogram_steadiness_is_known_only_to_be_lacking() -> None:
    assert around(gas(), course=lambda _t: {"pco2_mixed_exp": math.nan}).is_unsteady is None
    rising = around(gas(), course=lambda t: {"pco2_mixed_exp": math.nan, "minute_volume": 5 + t / 600})
    assert rising.is_unsteady is True


def test_chance_seldom_makes_a_drift() -> None:
    """Breaths that differ by 8 %, a restless patient's, at 20 a minute for ten minutes."""
    rng = np.random.default_rng(1)
    times = np.arange(0.0, 600.0, 3.0)
    drifts = [drift([*zip(times, 1 + 0.08 * rng.standard_normal(200), strict=True)]) for _ in range(300)]
    assert np.mean(np.abs(drifts) > 0.10) < 0.01
    assert np.mean(drifts) == pytest.approx(0.0, abs=0.005)
