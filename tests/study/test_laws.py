"""Laws of time points, for any course of a patient."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.model.context import PointSettings
from streamer.study.changes import HIGHER, LOWER, SAME, change_of
from streamer.study.frames import measured
from streamer.study.points import windows
from streamer.study.quantities import QUANTITIES
from streamer.study.timeline import Timeline
from tests.support.study_breaths import event, gas, patient

SETTINGS = PointSettings(hours={"prone": (1.0, 2.0), "supine": (0.5,)})
FEW = settings(max_examples=40, deadline=None)
OPPOSITE = {LOWER: HIGHER, HIGHER: LOWER, SAME: SAME, None: None}


def course(rng: np.random.Generator, at: float, missing: float) -> Callable[[float], float]:
    return lambda hours: math.nan if rng.random() < missing else 1.0 + at + 0.1 * hours


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Three hours in breaths of half a minute, with turns, draws, pauses and numbers anywhere."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    turns = sorted(draw(st.lists(st.floats(0.05, 2.4), max_size=3, unique=True)))
    kinds = ("supine", "prone") * 2
    draws = sorted(draw(st.lists(st.floats(-0.9, 2.4), max_size=4, unique=True)))
    pause = draw(st.floats(-0.9, 2.0))
    values = {
        key: course(rng, float(rng.random()), float(rng.choice([0.0, 0.3, 0.9])))
        for key in ("mp", "vt_exp", "vd_vt_bohr", "pf_ratio", "crs_est", "vd_vt_enghoff")
    }
    return patient(
        hours=((-1.0, pause), (pause + draw(st.floats(0.01, 0.9)), 2.5)),
        values=values,
        events=(event(0.0, "prone"), *(event(at, kind) for at, kind in zip(turns, kinds, strict=False))),
        gases=tuple(gas(at) for at in draws),
        breath_s=30.0,
    )


def moved(timeline: Timeline, by_s: float) -> Timeline:
    return dataclasses.replace(
        timeline,
        start_s=timeline.start_s + by_s,
        end_s=timeline.end_s + by_s,
        drawn_s=timeline.drawn_s + by_s,
        events=tuple(dataclasses.replace(one, at_s=one.at_s + by_s) for one in timeline.events),
        gases=tuple(dataclasses.replace(one, at_s=one.at_s + by_s) for one in timeline.gases),
    )


def numbers(timeline: Timeline) -> dict[tuple[str, str], Any]:
    return {
        (label, name): (pytest.approx(value.value), value.n, value.breaths, value.reason, value.method)
        for label, (_, values) in measured(timeline, SETTINGS).items()
        for name, value in values.items()
    }


@FEW
@given(timelines())
def test_a_number_or_a_reason_never_both_never_neither(timeline: Timeline) -> None:
    for _, values in measured(timeline, SETTINGS).values():
        for value in values.values():
            assert (value.value is None) == bool(value.reason), value
            assert value.value is None or math.isfinite(value.value)
            assert value.n <= max(value.breaths, 1)
            assert value.coverage is None or 0.0 <= value.coverage <= 1.0 + 1e-9


@FEW
@given(timelines(), st.integers(-100_000, 100_000))
def test_when_it_was_changes_nothing(timeline: Timeline, by_s: int) -> None:
    """But for the last bits of durations, by which powers are weighted."""
    assert numbers(moved(timeline, float(by_s) * 4)) == numbers(timeline)


@FEW
@given(timelines())
def test_breaths_of_no_window_change_nothing(timeline: Timeline) -> None:
    """Nothing is carried into a window: neither breaths nor, but for the five minutes after a draw, gases."""
    used = np.zeros(timeline.end_s.size, dtype=bool)
    for window in windows(timeline, SETTINGS):
        used[window.breaths] = True
    for one in timeline.gases:
        since_s = timeline.end_s - one.at_s
        used |= (since_s >= 0.0) & (since_s <= 300.0)
    spoilt = timeline.values.copy()
    spoilt[:, ~used] = 1e6
    assert numbers(dataclasses.replace(timeline, values=spoilt)) == numbers(timeline)


@FEW
@given(timelines())
def test_back_is_the_opposite_of_forth(timeline: Timeline) -> None:
    points = measured(timeline, SETTINGS)
    (_, first), (_, second) = list(points.values())[:2]
    for quantity in QUANTITIES.values():
        forth = change_of(quantity, first, second, "later")
        back = change_of(quantity, second, first, "later")
        assert (forth.change is None) == (back.change is None) == bool(forth.reason)
        if forth.change is not None and back.change is not None:
            assert back.change == -forth.change
            if not quantity.resolves_share:
                assert back.direction == OPPOSITE[forth.direction]
