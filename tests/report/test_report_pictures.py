"""Pictures of a study: a panel for each quantity, gaps for what is withheld, the same bytes each time."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from streamer.model.doubts import Doubt, DoubtKind
from streamer.report import pdf, picture, pictures
from streamer.report._cohort_figure import DOTTED, PANELS, cohort_figure
from streamer.report._cohort_tables import cohort_tables
from streamer.report._doubts import MOST
from streamer.report._events import KINDS, MOST_LABELS
from streamer.report._look import LEAST_CHANGES, SIMULATED, looks, shortened, y_range
from streamer.report._trend_figure import PANELS as TREND_PANELS
from streamer.report._trend_figure import trend_figure
from streamer.study.quantities import QUANTITIES
from streamer.study.results import Doubted, Results
from tests.support.study_results import results

PLACE_OF_MP = 2 + [names[0] for names in TREND_PANELS].index("mp")
"""Behind the two lanes of events."""


@pytest.fixture(scope="module")
def study() -> Results:
    return results()


def panel(figure: Figure, title: str) -> Axes:
    (found,) = (axes for axes in figure.axes if axes.get_title(loc="left") == title)
    return found


def crosses(axes: Axes) -> int:
    return sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == "x")


def dotted(axes: Axes) -> int:
    return sum(line._unscaled_dash_pattern[1] is not None for line in axes.lines)


def words(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text")))


def test_cohort_first_then_each_patient(study: Results) -> None:
    study = replace(study, patients=study.patients[:2])
    figures = pictures(study)
    assert len(figures) == 3
    assert len(figures[0].axes) == len(PANELS) == 12
    assert all(len(figure.axes) == 2 + len(TREND_PANELS) for figure in figures[1:])
    assert all(SIMULATED in words(figure) for figure in figures)
    assert SIMULATED not in words(cohort_figure(replace(study, is_simulated=False)))


def test_withheld_points_are_gaps_with_a_cross_and_refused_lines_dotted(study: Results) -> None:
    figure = cohort_figure(study)
    bohr = panel(figure, "VD/VT, Bohr")
    assert crosses(bohr) == 1
    assert dotted(bohr) == 2  # to 4 h and to 8 h
    (p2,) = (line for line in bohr.lines if line.get_marker() == "s")
    assert np.isnan(p2.get_ydata()).tolist() == [False, False, True, False]
    assert crosses(panel(figure, "RR")) == dotted(panel(figure, "RR")) == 0
    assert [tick.get_text() for tick in bohr.get_xticklabels()] == [
        "baseline",
        "1 h\nprone",
        "4 h\nprone",
        "8 h\nprone",
    ]
    assert DOTTED[1] != ()


def test_units_stand_along_the_axes(study: Results) -> None:
    figure = cohort_figure(study)
    assert panel(figure, "Pplat").get_ylabel() == "cmH₂O"
    assert panel(figure, "VD/VT, Bohr").get_ylabel() == ""


@pytest.mark.parametrize("name", PANELS)
def test_no_change_does_not_look_like_one(name: str) -> None:
    quantity, baseline = QUANTITIES[name], 20.0
    low, high = y_range([baseline, baseline * 1.001], quantity)
    assert high - low >= LEAST_CHANGES * quantity.smallest_change(baseline)


def test_an_estimate_stands_in_for_what_nobody_has_and_is_named_so(study: Results) -> None:
    values = study.values.copy()
    values.loc[values.quantity == "pplat", "value"] = np.nan
    figure = cohort_figure(replace(study, values=values))
    panel(figure, "Pplat, estimated")
    panel(figure, "Crs")
    assert not [axes for axes in figure.axes if axes.get_title(loc="left") == "Pplat"]


def test_ten_patients_and_more() -> None:
    many = results(tuple(f"P{number}" for number in range(1, 12)))
    figure = cohort_figure(many)
    assert "11 patients" in words(figure)
    assert "median and quartiles" in words(figure)
    assert "\N{MULTIPLICATION SIGN} 1" in {text.get_text() for text in panel(figure, "VD/VT, Bohr").texts}
    tables = cohort_tables(many)
    assert "median [range or quartiles]" in tables
    assert "p = 0.021" in tables


def test_patients_are_told_apart_by_more_than_colour() -> None:
    found = list(looks([str(number) for number in range(63)]).values())
    assert len(set(found)) == 63
    assert len({look.marker for look in found[:9]}) == 9


def test_trend_breaks_at_gaps_and_tells_holds_from_estimates(study: Results) -> None:
    figure = trend_figure(study, "P1")
    bohr = [line for line in panel(figure, "VD/VT, Bohr").lines if len(line.get_xdata()) > 5]
    assert len(bohr) == 3  # withheld about 2.2 h, not recorded about 5 h
    crs = panel(figure, "Crs").lines
    assert {line.get_marker() for line in crs} >= {"o", "None"}
    text = words(figure)
    for told in (
        "holds",
        "breaths, estimated",
        "recruitment",
        "suction \N{MULTIPLICATION SIGN}2",
        "4 h prone",
        "prone",
        "time point",
    ):
        assert told in text, told


def test_a_line_breaks_where_the_method_changes(study: Results) -> None:
    trend = study.trend.copy()
    of_power = (trend["patient"] == "P1") & (trend["quantity"] == "mp")
    lines = [
        sum(len(line.get_xdata()) > 2 for line in trend_figure(replace(study, trend=one), "P1").axes[PLACE_OF_MP].lines)
        for one in (trend, trend.assign(method=trend["method"].mask(of_power & (trend["hours"] > 7.0), "other")))
    ]
    assert lines[1] == lines[0] + 1


def test_a_cohort_measured_in_different_ways_says_so(study: Results) -> None:
    cohort = study.cohort.copy()
    cohort.loc[cohort["quantity"] == "crs", "methods"] = "a 1, b 3"
    assert "in different ways: a 1, b 3" in cohort_tables(replace(study, cohort=cohort))
    assert "in different ways: " not in cohort_tables(study)


def test_names_of_many_events_have_room_or_are_left_out(study: Results) -> None:
    events = study.events[study.events.kind == "suction"].iloc[:1]
    hours = np.linspace(-1.0, 9.0, 90)
    crowded = events.loc[events.index.repeat(hours.size)].assign(hours=hours, kind=np.resize(list(KINDS), hours.size))
    lane = trend_figure(replace(study, events=crowded), "P1").axes[0]
    places = sorted(text.get_position()[0] for text in lane.texts)
    low, high = lane.get_xlim()
    assert len(places) == MOST_LABELS
    assert np.diff(places).min() >= 0.999 * (high - low) / MOST_LABELS
    assert low <= places[0] < places[-1] <= high
    assert {"baseline", "1 h prone"} <= {text.get_text() for text in lane.texts}


def test_nothing_to_draw_is_said() -> None:
    nothing = results(("P1", "P2"), nothing=True)
    assert "withheld in all" in words(cohort_figure(nothing))
    nothing = replace(nothing, trend=nothing.trend.iloc[:0, :0], events=nothing.events.iloc[:0, :0])
    assert words(trend_figure(nothing, "P1")).count("no value") == len(TREND_PANELS)


def doubted(study: Results, each: int) -> Results:
    """The same suspicion of every patient, and ``each`` assumptions of its own, one of them long."""
    odd = Doubt(DoubtKind.SUSPICION, "flow_reversed", "flow looks reversed", 12.0)
    told = [Doubted(patient, f"{patient}.csv", odd) for patient in study.patients]
    for patient in study.patients:
        texts = ["W" * 300, *(f"{patient} takes {number} for granted" for number in range(each - 1))]
        told += [Doubted(patient, "a.csv", Doubt(DoubtKind.ASSUMPTION, "assumption", text)) for text in texts[:each]]
    return replace(study, doubts=tuple(told))


@pytest.mark.parametrize("each", [0, 1, 3, 40])
def test_doubts_stand_at_the_head_of_every_picture_and_collide_with_nothing(study: Results, each: int) -> None:
    study = doubted(study, each)
    for number, figure in enumerate(pictures(study)):
        whose = "P1, P2 and 2 more" if not number else f"P{number}"
        assert f"{whose}: suspicion: flow looks reversed (from 12 s on)" in words(figure)
        lines = 1 + each if number or not each else 2 + 4 * (each - 1)
        assert (f"and {lines - MOST} more, see the page" in words(figure)) == (lines > MOST)
        figure.draw_without_rendering()
        sheet = figure.bbox
        boxes = [text.get_window_extent() for text in figure.texts]
        assert all(box.x0 >= 0 and box.x1 <= sheet.x1 and box.y1 <= sheet.y1 for box in boxes)
        boxes += [axes.get_tightbbox() for axes in figure.axes if axes.get_title(loc="left")]
        boxes += [text.get_window_extent() for axes in figure.axes if not axes.axison for text in axes.texts]
        of_doubts = boxes[1 + study.is_simulated :][1 : 1 + min(lines, MOST + 1)]
        assert not [(one, box) for one in of_doubts for box in boxes if box is not one and one.overlaps(box)]


def test_files_are_what_they_are_named_and_the_same_each_time() -> None:
    study = results(("P1",))
    first = pdf(study)
    assert first.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", first)) == 2
    assert pdf(study) == first
    assert picture(study, ".png").startswith(b"\x89PNG")


def test_what_the_font_lacks_and_what_has_no_room() -> None:
    assert shortened("P1 \u4e2d\n", 9) == "P1 \u25a1\u25a1"
    assert shortened("a" * 60, 50) == "a" * 49 + "…"
