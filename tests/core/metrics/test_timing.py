from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.analytic_breaths import Lung, breath, measured, pcv, vcv


def test_times_with_a_pause() -> None:
    values = measured(vcv(pause_s=0.4)).values
    assert values["ti"] == pytest.approx(1.4, abs=0.011)
    assert values["ti_flow"] == pytest.approx(1.0, abs=0.011)
    assert values["t_pause"] == pytest.approx(0.4, abs=0.011)
    assert values["te"] == pytest.approx(2.6, abs=0.011)
    assert values["ttot"] == pytest.approx(4.0)
    assert values["rr"] == pytest.approx(15.0)
    assert values["ie_ratio"] == pytest.approx(values["ti"] / values["te"])


def test_no_pause_is_zero_not_a_fraction_of_a_sample() -> None:
    assert measured(vcv()).values["t_pause"] == 0.0


def test_a_pause_is_not_a_hold() -> None:
    """Pressure control in which flow has run out: 1.2 s are a pause by time, and no plateau."""
    found = measured(pcv(ti=2.0, c=0.02, r=10.0))
    assert found.values["t_pause"] > 0.8
    assert found.missing["pplat"] == "no_hold"


def test_stacked_breath_has_no_expiration() -> None:
    one = Lung().constant_flow(0.5, 1.0).constant_flow(0.2, 0.1).breath(1)
    stacked = breath(one.flow, one.paw, one.flow.size - 1)
    found = measured(stacked)
    assert {found.missing[key] for key in ("te", "ie_ratio", "vt_exp", "minute_volume")} == {"double_trigger"}
    assert found.values["ti"] == found.values["ttot"]


@pytest.mark.parametrize(("doubt_s", "grade"), [(0.0, None), (0.07, None), (0.09, "B"), (0.23, "B"), (0.25, "C")])
def test_a_doubtful_onset_grades_the_rate(doubt_s: float, grade: str | None) -> None:
    """2 and 6 per cent of the four seconds."""
    found = measured(replace(vcv(), doubt_s=doubt_s))
    assert found.values["rr"] == pytest.approx(15.0)
    assert found.quality.get("rr") == grade
