"""What is no open circuit and no cough: gas that leaks from a closed circuit, flow that a valve or water shakes."""

from __future__ import annotations

import math

import pytest

from streamer.core.labels import Labeller
from streamer.model.flags import Flag
from streamer.model.records import NoticeKind
from tests.support.labelled_breaths import Ward, cycle, features

HELD = {"peak_paw": 20.0, "end_paw": 8.0, "start_min_paw": 8.0, "end_min_paw": 8.0, "low_paw": 8.0}
LEAKS = {"exp_volume": 0.1}


def labelled(*breaths: dict[str, float], **usual: float) -> list[bool]:
    """Whether each breath, after ten usual ones, counts as one of an open circuit."""
    labeller = Labeller("b")
    for _ in range(10):
        labeller.add(cycle(), features(**HELD | usual))
    return [Flag.DISCONNECT in labeller.add(cycle(), features(**HELD | usual | one))[0] for one in breaths]


def test_a_large_leak_with_pressure_held_is_no_disconnect() -> None:
    assert not any(labelled(*[LEAKS] * 30))


@pytest.mark.parametrize(("peak", "opens"), [(10.5, False), (9.5, True)])
def test_an_open_circuit_does_not_reach_half_of_the_usual_peak(peak: float, *, opens: bool) -> None:
    assert labelled(*[LEAKS | {"peak_paw": peak}] * 2) == [False, opens]


@pytest.mark.parametrize(("end", "opens"), [(2.1, False), (1.9, True)])
def test_an_open_circuit_does_not_hold_peep(end: float, *, opens: bool) -> None:
    assert labelled(*[LEAKS | {"end_paw": end}] * 2) == [False, opens]


@pytest.mark.parametrize(("peak", "opens"), [(10.5, False), (9.5, True)])
def test_without_peep_the_peak_alone_decides(peak: float, *, opens: bool) -> None:
    none = {"end_paw": 0.0, "start_min_paw": 0.0, "end_min_paw": 0.0, "low_paw": 0.0}
    assert labelled(*[LEAKS | {"peak_paw": peak}] * 2, **none) == [False, opens]


@pytest.mark.parametrize(("peak", "opens"), [(10.5, False), (9.5, True)])
def test_an_expiration_too_short_to_show_peep_leaves_it_to_the_peak(peak: float, *, opens: bool) -> None:
    """Two coughs that build pressure and return little are no open circuit."""
    assert labelled(*[LEAKS | {"peak_paw": peak, "end_paw": math.nan}] * 2) == [False, opens]


@pytest.mark.parametrize(("returned", "opens"), [(0.16, False), (0.14, True)])
def test_volume_that_returns(returned: float, *, opens: bool) -> None:
    assert labelled(*[{"exp_volume": returned, "peak_paw": 5.0}] * 2) == [False, opens]


def test_pressure_that_falls_away_opens_the_circuit_at_once() -> None:
    assert labelled({"low_paw": 1.0, "peak_paw": 3.0}) == [True]


def test_an_open_circuit_is_not_forgotten_among_low_peaks() -> None:
    """Peaks of an open circuit do not become the usual ones."""
    away = LEAKS | {"peak_paw": 3.0, "end_paw": 0.2, "low_paw": 0.1}
    assert labelled(*[away] * 60) == [True] * 60


# ── cough by flow


def shaken(*reversals: float) -> list[bool]:
    ward = Ward()
    return [Flag.COUGH in ward.push(reversals=float(count)) for count in reversals]


@pytest.mark.parametrize(("reversals", "is_cough"), [(2, False), (3, False), (4, True)])
def test_four_reversals_are_a_cough(reversals: int, *, is_cough: bool) -> None:
    assert shaken(reversals) == [is_cough]


def test_flow_that_is_always_shaken_is_no_cough() -> None:
    """Four breaths running are a state: a valve that rings, water in the tube."""
    assert shaken(*[5] * 20) == [True] * 3 + [False] * 17


def test_a_bout_ends_and_another_begins() -> None:
    assert shaken(4, 4, 4, 0, 4, 4, 0) == [True] * 3 + [False] + [True] * 2 + [False]


def test_the_circuit_opens_while_flow_is_shaken() -> None:
    """What is no cough hides nothing else."""
    ward = Ward()
    for _ in range(10):
        ward.push(reversals=5.0)
    assert Flag.DISCONNECT in ward.push(reversals=5.0, low_paw=1.0)
    assert ward.kinds == [NoticeKind.DISCONNECT]
