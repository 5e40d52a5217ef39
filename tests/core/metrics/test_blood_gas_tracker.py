"""Which blood gas holds, for how long it is remembered what was around it, and that lateness changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.metrics.blood_gas_tracker import KEPT_S, MOST_CHANGES, NOT_DRAWN
from streamer.core.metrics.blood_gas_validity import NOTHING_AROUND
from streamer.core.metrics.running_median import RunningMedian
from streamer.model.records import Notice, NoticeKind
from tests.support.breath_courses import around, breaths, change, due, gas, record, told


def test_nothing_is_drawn_at_first() -> None:
    assert told(breaths(300)).drawn(300) == NOT_DRAWN
    assert NOT_DRAWN.around == NOTHING_AROUND


def test_the_newest_draw_holds_from_whenever_it_is_known() -> None:
    draws = told([*breaths(300), gas(100, pco2_art_mmhg=45)])
    assert draws.drawn(300).age_s == 200
    draws.hear(gas(250, pco2_art_mmhg=50))
    draws.hear(gas(200, pco2_art_mmhg=55))  # an older draw, told later
    assert (draws.drawn(300).gas.pco2_art_mmhg, draws.drawn(300).age_s) == (50, 50)
    draws.hear(gas(250, pco2_art_mmhg=51))  # corrected
    assert draws.drawn(300).gas.pco2_art_mmhg == 51
    draws.hear(gas(260, pco2_art_mmhg=-3))  # none
    assert draws.drawn(300).gas.pco2_art_mmhg == 51


def test_a_new_draw_ends_what_had_changed_since_the_one_before() -> None:
    moved = (gas(600), change(900))
    assert around(*moved).has_changed
    assert not around(*moved, gas(901)).has_changed


# ── laws

ITEMS = st.lists(
    st.one_of(
        st.builds(change, st.floats(0, 3000), st.sampled_from([NoticeKind.POSITION, NoticeKind.SETTINGS])),
        st.builds(gas, st.floats(0, 3000), pco2_art_mmhg=st.floats(20, 90)),
    ),
    max_size=3,
)


@settings(max_examples=25, deadline=None)
@given(notices=ITEMS, arrival_s=st.floats(3000, 3900), seed=st.integers(0, 1000))
def test_late_and_timely_come_to_the_same(notices: list[Notice], arrival_s: float, seed: int) -> None:
    """A result that arrives long after its draw is judged as if it had been known then."""
    rng = np.random.default_rng(seed)
    steps = rng.choice([0.0, 1.0], (3, 9))

    def course(t: float) -> dict[str, float]:
        volume, pressure, co2 = steps[:, int(t // 500)]
        return {
            "minute_volume": 10 + 1.3 * volume + 0.1 * math.sin(t),
            "peep": 8 + 1.2 * pressure,
            "pco2_mixed_exp": 25 - 3 * co2,
        }

    notices.sort(key=lambda one: one.at_s)
    timely = told(due([*notices, *breaths(4000, course)]))
    late = told(
        [*breaths(arrival_s, course), *notices, *(one for one in breaths(4000, course) if one.end_s >= arrival_s)]
    )
    assert late.drawn(4000) == timely.drawn(4000)


@settings(max_examples=20, deadline=None)
@given(values=st.lists(st.tuples(st.floats(0.1, 50.0), st.floats(-9, 9) | st.just(math.nan)), max_size=60))
def test_running_median_is_the_median_at_every_prefix(values: list[tuple[float, float]]) -> None:
    running, at_s = RunningMedian(60.0, 3), 0.0
    seen: list[tuple[float, float]] = []
    for wait_s, value in values:
        at_s += wait_s
        seen.append((at_s, value))
        inside = [one for t, one in seen if t > at_s - 60.0 and not math.isnan(one)]
        expected = float(np.median(inside)) if len(inside) >= 3 else math.nan
        assert running.add(at_s, value) == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)


def test_memory_is_bounded_by_time_and_by_count() -> None:
    draws = told(breaths(3 * KEPT_S))
    assert len(draws._history) == pytest.approx(KEPT_S / 3, abs=1)
    for at_s in range(2 * MOST_CHANGES):
        draws.hear(change(float(at_s)))
    assert len(draws._changes) == MOST_CHANGES
    assert max(draws._changes).at_s == 2 * MOST_CHANGES - 1


def test_a_breath_without_a_volume_tells_nothing() -> None:
    draws = told([*breaths(300), gas(100.0)])
    before = draws.drawn(330)
    draws.add(record(303.0, {"minute_volume": math.nan, "pco2_mixed_exp": 99.0}))
    assert draws.drawn(330) == before
