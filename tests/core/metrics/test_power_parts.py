"""Parts of mechanical power, the closed form and its choice, power by body and lung size."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.metrics import Measures, OnsetState, RecentBreaths, extract_features
from streamer.core.metrics.elastic_pressure import elastic
from streamer.core.metrics.registry import Graded, NotMeasurable
from streamer.model.breath import Breath
from streamer.model.context import Context
from streamer.model.flags import Flag
from streamer.model.reasons import Reason
from tests.support.analytic_breaths import K, Lung, measured, pcv, start_from, vcv

PASSIVE = Context(passive="asserted", sensor_site="wye")
PARTS = ("mp_peep", "mp_elastic", "mp_resistive")
HELD = {"c": 0.05, "r": 10, "peep": 5, "vt": 0.5, "pause_s": 0.8, "rr": 8}


def held(**lung: float) -> Measures:
    one = vcv(**HELD | lung)
    return measured(one, start_from(one, context=PASSIVE))


def estimated(one: Breath, c: float) -> Measures:
    """As the ninth of breaths that all gave this compliance (L/cmH2O)."""
    return measured(one, start_from(one, context=PASSIVE, past=RecentBreaths(8, 1 / c, 0.0, 0.01, 0.0, 0.0, 0.0)))


def test_parts_of_a_held_breath() -> None:
    """O-1a at 8 breaths a minute: a third each. PEEP stands for total PEEP, hence B."""
    found = held()
    for key in PARTS:
        assert found.values[key] == pytest.approx(3.67749 * 8 / 15, rel=0.01)
        assert found.methods[key] == "measured"
        assert found.quality[key] == "B"


def test_parts_without_a_hold() -> None:
    one = vcv(rr=12)
    found = estimated(one, 0.05)
    assert "pplat" in found.missing
    for key in PARTS:
        assert found.values[key] == pytest.approx(3.67749 * 12 / 15, rel=0.01)
        assert found.methods[key] == "estimated"
        assert found.quality[key] == "B"


@settings(max_examples=60, deadline=None)
@given(
    c=st.floats(0.02, 0.1),
    r=st.floats(3.0, 30.0),
    peep=st.floats(0.0, 20.0),
    flow=st.floats(0.4, 1.0),
    rise_s=st.floats(0.0, 0.3),
    is_pcv=st.booleans(),
)
def test_parts_add_up(c: float, r: float, peep: float, flow: float, rise_s: float, is_pcv: bool) -> None:  # noqa: FBT001, PLR0917
    """To the last digits, whichever way they were found; else all three are missing, for one reason."""
    one = pcv(c=c, r=r, peep=peep, rise_s=rise_s, rr=8) if is_pcv else vcv(c=c, r=r, peep=peep, flow=flow, rr=8)
    for found in (estimated(one, c), held(c=c, r=r, peep=peep, flow=flow)):
        if "mp_peep" in found.values:
            assert sum(found.values[key] for key in PARTS) == pytest.approx(found.values["mp"], rel=1e-12)
            assert found.values["mp_resistive"] >= 0.0
        else:
            assert len({found.missing[key] for key in PARTS}) == 1


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(0.5, 1.8))
def test_scaling_pressure_scales_every_part(scale: float) -> None:
    """And the closed form with them: a wrong unit of pressure is not what the cross-check can find."""
    one = vcv(**HELD)
    scaled = dataclasses.replace(one, paw=np.ascontiguousarray(one.paw * scale))
    before, after = measured(one).values, measured(scaled).values
    for key in ("mp", "mp_surrogate", *PARTS):
        assert after[key] == pytest.approx(before[key] * scale, rel=1e-6)
    assert after["mp_crs"] == pytest.approx(before["mp_crs"] * scale**2, rel=1e-6)


def test_twice_the_rate_is_twice_the_power() -> None:
    slow, fast = held(rr=6).values, held(rr=12).values
    for key in ("mp", "mp_surrogate", *PARTS):
        assert fast[key] == pytest.approx(2 * slow[key], rel=0.005)


@settings(max_examples=30, deadline=None)
@given(more=st.floats(0.0, 15.0))
def test_peep_is_in_its_part_and_in_no_other(more: float) -> None:
    low, high = held(peep=5).values, held(peep=5 + more).values
    rise = K * low["rr"] * low["vt_insp"] / 1000 * more
    for key in ("mp", "mp_peep", "mp_surrogate"):
        assert high[key] - low[key] == pytest.approx(rise, abs=1e-9)
    for key in ("mp_elastic", "mp_resistive", "mp_loop"):
        assert high[key] == pytest.approx(low[key], abs=1e-9)


def test_parts_that_do_not_fit_the_work_are_all_withheld() -> None:
    """A plateau far above what the work allows: pressure sagged until the hold, as an effort makes it."""
    one = vcv(**HELD)
    paw, until = one.paw.copy(), round(1.0 * one.rate_hz)
    paw[2:until] = 5.0
    found = measured(dataclasses.replace(one, paw=paw))
    assert "pplat" in found.values
    assert "mp" in found.values
    assert {found.missing[key] for key in PARTS} == {"implausible"}


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        (Flag.INEFFECTIVE_EFFORT, "patient_effort"),
        (Flag.FLOW_STARVATION, "patient_effort"),
        (Flag.DOUBLE_TRIGGER, "double_trigger"),
    ],
)
def test_efforts_withhold_parts_and_closed_form(flag: Flag, reason: str) -> None:
    found = measured(vcv(**HELD), flags=frozenset({flag}))
    assert {found.missing[key] for key in (*PARTS, "mp_surrogate")} == {reason}
    assert "mp" in found.values


def test_a_leak_withholds_them() -> None:
    found = measured(vcv(**HELD, leak_frac=0.25))
    assert {found.missing[key] for key in (*PARTS, "mp_surrogate", "mp_crs")} == {"leak_high"}


def test_without_a_plateau_the_estimate_says_why() -> None:
    found = measured(vcv())
    assert {found.missing[key] for key in (*PARTS, "mp_surrogate", "mp_crs")} == {"low_coverage"}


@pytest.mark.parametrize(
    ("known", "pplat", "rest", "expected"),
    [
        ((7.0, 5.0, True, True, False), Graded(20.0, "A"), Graded(6.0, "B"), (7.0, 20.0, "A", "measured")),
        ((5.0, 5.0, False, False, False), Graded(20.0, "A"), Graded(6.0, "B"), (6.0, 20.0, "B", "estimated")),
        ((5.0, 5.0, False, False, False), Graded(20.0, "A"), Reason.FIT_POOR, (5.0, 20.0, "B", "measured")),
        ((5.0, 5.0, False, True, False), Graded(20.0, "A"), Graded(6.0, "B"), (6.0, 20.0, "B", "estimated")),
        ((5.0, 5.0, False, False, False), Graded(20.0, "A"), Graded(5.14, "B"), (5.0, 20.0, "B", "measured")),
        ((5.0, 5.0, False, False, False), Graded(20.0, "A"), Graded(5.16, "B"), (5.16, 20.0, "B", "estimated")),
        ((5.0, 5.0, False, True, False), Graded(20.0, "A"), Graded(5.1, "B"), (5.1, 20.0, "B", "estimated")),
        ((7.0, 5.0, True, False, False), Reason.NO_HOLD, Graded(6.0, "B"), (7.0, 19.0, "B", "estimated")),
        ((5.0, 5.0, False, False, False), Reason.NO_HOLD, Graded(6.0, "B"), (6.0, 19.0, "B", "estimated")),
        ((5.0, 5.0, False, True, False), Graded(20.0, "A"), Reason.FIT_POOR, Reason.EXHALATION_INCOMPLETE),
        ((5.0, 5.0, False, True, False), Reason.NO_HOLD, Reason.FIT_POOR, Reason.FIT_POOR),
        ((7.0, 5.0, True, True, False), Graded(7.2, "A"), Reason.FIT_POOR, Reason.IMPLAUSIBLE),
    ],
)
def test_one_pair_of_pressures(
    known: tuple[float, float, bool, bool, bool], pplat: Graded | Reason, rest: Graded | Reason, expected: object
) -> None:
    """From holds where there are any; PEEP only if nothing else, and after a complete expiration."""
    plateau = Graded(19.0, "B") if isinstance(rest, Graded) else rest
    if isinstance(expected, Reason):
        with pytest.raises(NotMeasurable) as said:
            elastic(OnsetState(*known), pplat, plateau, rest)
        assert said.value.reason is expected
    else:
        assert elastic(OnsetState(*known), pplat, plateau, rest) == expected


def test_square_flow_has_the_simple_form() -> None:
    for found in (held(), estimated(vcv(rr=12), 0.05)):
        assert found.values["mp_surrogate"] == pytest.approx(found.values["mp"], rel=0.01)
        assert found.methods["mp_surrogate"] == "vcv_simple"


@settings(max_examples=60, deadline=None)
@given(
    c=st.floats(0.02, 0.08),
    r=st.floats(8.0, 25.0),
    peep=st.floats(0.0, 15.0),
    rise_s=st.floats(0.0, 0.4),
    ti=st.floats(0.8, 1.5),
    phase=st.floats(0.01, 0.99),
)
def test_level_pressure_has_the_full_form(  # noqa: PLR0917
    c: float, r: float, peep: float, rise_s: float, ti: float, phase: float
) -> None:
    """With the rise time found in the waveform; a linear ramp from equilibrium is exact but for samples of 10 ms."""
    found = estimated(pcv(c=c, r=r, peep=peep, rise_s=rise_s, ti=ti, rr=8, phase=phase), c)
    if "mp_surrogate" in found.values:
        assert found.methods["mp_surrogate"] in {"pcv_full", "vcv_simple"}
        assert found.values["mp_surrogate"] == pytest.approx(found.values["mp"], rel=0.01 + 0.3 * 0.01 / (r * c))
        assert "mp" not in found.quality
    else:
        assert "crs_est" in found.missing or found.missing["mp_surrogate"] == "no_closed_form"


def test_a_rise_time_is_half_the_area() -> None:
    for rise_s in (0.0, 0.1, 0.3):
        features = extract_features(pcv(above=15, peep=5, rise_s=rise_s, ti=1.2))
        assert features.level_paw == pytest.approx(20.0)
        assert features.level_drift == pytest.approx(0.0)
        assert 0.0 < features.level_slowing < 1.0
        assert 2 * features.rise_area / 15 == pytest.approx(rise_s, abs=0.011)  # one sample


def test_falling_flow_under_rising_pressure_has_none() -> None:
    """A decelerating ramp of volume control into a stiff lung is neither."""
    one = Lung(c=0.03).falling_flow(0.8, 0.2, 1.0).constant_flow(0.0, 0.8).pressure(0.0, 3.5).breath(2)
    found = measured(one)
    assert "pplat" in found.values
    assert found.missing["mp_surrogate"] == "no_closed_form"
    assert found.values["mp_resistive"] > 0.0


def test_level_pressure_without_a_resistance_has_none() -> None:
    """The rise needs it; a hold alone gives none."""
    one = Lung().pressure(15, 1.0, 0.1).constant_flow(0.0, 0.8).pressure(0.0, 4.0).breath(3)
    found = measured(one)
    assert found.values["mp_elastic"] > 0.0
    assert found.missing["mp_surrogate"] == found.missing["rrs_insp_est"] == "low_coverage"


def test_a_breath_too_short_to_tell() -> None:
    assert np.isnan(extract_features(vcv(vt=0.03, flow=0.5, rr=60)).level_paw)


def test_power_by_body_weight() -> None:
    one = vcv()
    found = measured(one, start_from(one, context=Context(sex="male", height_cm=175)))
    assert found.values["mp_pbw"] == pytest.approx(found.values["mp"] / 70.566, rel=1e-6)
    assert measured(one).missing["mp_pbw"] == "context_missing"
    small = start_from(one, context=Context(sex="female", height_cm=100))
    assert measured(one, small).missing["mp_pbw"] == "implausible"


def test_power_by_compliance() -> None:
    found = held()
    assert found.values["mp_crs"] == pytest.approx(found.values["mp"] / found.values["crs"])
    assert found.methods["mp_crs"] == "measured"
    found = estimated(vcv(rr=12), 0.05)
    assert found.values["mp_crs"] == pytest.approx(found.values["mp"] / found.values["crs_est"])
    assert (found.methods["mp_crs"], found.quality["mp_crs"]) == ("estimated", found.quality["crs_est"])


def test_a_closed_form_that_disagrees_costs_power_its_a() -> None:
    """Pressure cut off at 15 cmH2O, where it should reach 20."""
    one = vcv(**HELD)
    clipped = dataclasses.replace(one, paw=np.minimum(one.paw, 15.0))
    found = measured(clipped, start_from(one, context=PASSIVE))
    assert found.values["mp_surrogate"] < 0.9 * found.values["mp"]
    assert found.quality["mp"] == found.quality["mp_resistive"] == "B"
    assert "energy" not in found.quality
    assert "mp" not in held().quality
