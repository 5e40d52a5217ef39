"""Where time points lie: windows, turns, positions (algorithms §8.2)."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.model.context import PointSettings
from streamer.study.points import Window, is_settled, labels, position_at, windows
from streamer.study.timeline import Timeline
from tests.support.study_breaths import HOUR, event, patient


def at(timeline: Timeline, label: str, settings: PointSettings | None = None) -> Window:
    return next(one for one in windows(timeline, settings or PointSettings()) if one.label == label)


def ends_min(timeline: Timeline, window: Window) -> tuple[float, float]:
    ends = timeline.end_s[window.breaths] / 60
    return float(ends.min()), float(ends.max())


def test_the_default_points_are_those_of_the_design() -> None:
    found = list(windows(patient(), PointSettings()))
    assert [(one.label, one.start_s / 60, one.end_s / 60) for one in found] == [
        ("baseline", -30, -5),
        ("1 h prone", 45, 75),
        ("4 h prone", 225, 255),
        ("8 h prone", 465, 495),
    ]
    assert [one.label for one in labels(PointSettings())] == [one.label for one in found]
    assert [one.hours for one in labels(PointSettings())] == pytest.approx([-17.5 / 60, 1, 4, 8])


def test_a_breath_belongs_where_it_ends() -> None:
    timeline = patient()
    window = at(timeline, "1 h prone")
    assert ends_min(timeline, window) == pytest.approx((45.05, 75.0))
    assert window.breaths.size == 600


def test_the_time_after_a_turn_is_discarded() -> None:
    settings = PointSettings(hours={"prone": (0.25,)})
    timeline = patient()
    window = at(timeline, "15 min prone", settings)
    assert (window.start_s, window.end_s) == (0.0, 1800.0)
    assert ends_min(timeline, window) == pytest.approx((10.05, 30.0))  # the first that began after ten minutes
    assert not is_settled(timeline, window, settings, 599.0)
    assert is_settled(timeline, window, settings, 600.0)


def test_a_window_does_not_begin_before_its_event() -> None:
    window = at(patient(), "6 min prone", PointSettings(hours={"prone": (0.1,)}))
    assert window.start_s == 0.0


def test_another_position_is_no_part_of_the_point() -> None:
    turned = patient(events=(event(0, "prone"), event(3.9003, "supine")))
    window = at(turned, "4 h prone")
    assert ends_min(turned, window) == pytest.approx((225.05, 234.0))  # without the breath in which the turn began
    assert at(turned, "8 h prone").reason == "position_changed"
    assert at(turned, "8 h prone").detail == "prone since 0 s; supine since 14041 s"


def test_turned_back_and_again() -> None:
    turned = patient(events=(event(-0.9, "supine"), event(0, "prone"), event(5, "supine"), event(7, "prone")))
    settings = PointSettings(hours={"prone": (1.0, 8.0), "supine": (1.0,)})
    assert at(turned, "baseline", settings).position == "supine"
    assert at(turned, "1 h supine", settings).middle_s == 6 * HOUR
    assert at(turned, "1 h supine", settings).position == "supine"
    assert at(turned, "8 h prone", settings).breaths.size == 600  # prone again: what the label says
    assert position_at(turned, 5.5 * HOUR) == "supine"


def test_a_position_that_was_not_told_is_said_to_be_so() -> None:
    assert at(patient(), "baseline").position == "not stated"


def test_a_repeated_event_is_no_turn() -> None:
    twice = patient(events=(event(0, "prone"), event(4, "prone")))
    assert at(twice, "4 h prone").breaths.size == 600


def test_an_event_that_never_came() -> None:
    window = at(patient(), "1 h supine", PointSettings(hours={"prone": (1.0,), "supine": (1.0,)}))
    assert (window.reason, window.detail) == ("no_event", "no event of kind supine is stated")
    assert np.isnan(window.start_s)


def test_nothing_recorded() -> None:
    window = at(patient(hours=((-1, 2), (7, 9))), "4 h prone")
    assert (window.reason, window.detail) == ("not_recorded", "13500 s to 15300 s")


def test_any_event_may_be_time_zero() -> None:
    timeline = patient(events=(event(2, "recruitment"),))
    settings = PointSettings(event="recruitment", hours={"recruitment": (0.5,)})
    assert at(timeline, "baseline", settings).start_s == 2 * HOUR - 1800
    assert at(timeline, "30 min recruitment", settings).breaths.size == 600
    assert list(windows(timeline, PointSettings())) == []
