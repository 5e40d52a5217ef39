"""Laws that hold for every metric and any breath."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamer.core.metrics import METRICS, MeasurementContext, extract_features, measure
from streamer.model.breath import Breath
from streamer.model.flags import Flag
from streamer.model.reasons import Reason
from tests.support.analytic_breaths import breath, measured, vcv


def lawful(one: Breath, given_: MeasurementContext, flags: frozenset[Flag]) -> None:
    found = measure(one, extract_features(one), given_, flags)
    assert found.values.keys() | found.missing.keys() == METRICS.keys()
    assert not found.values.keys() & found.missing.keys()
    for key, value in found.values.items():
        low, high = METRICS[key].bounds
        assert math.isfinite(value), key
        assert low <= value <= high, key
    assert set(found.missing.values()) <= set(Reason)
    assert found.quality.keys() <= found.values.keys()
    assert set(found.quality.values()) <= {"A", "B", "C"}
    assert all(method in METRICS[key].methods for key, method in found.methods.items())
    assert found.methods.keys() <= found.values.keys()


def any_samples(low: float, high: float) -> st.SearchStrategy[np.ndarray]:
    return arrays(float, 160, elements=st.floats(low, high, width=32))


@settings(max_examples=40, deadline=None)
@given(
    flow=any_samples(-3.0, 3.0),
    paw=any_samples(-30.0, 120.0),
    pco2=st.none() | any_samples(-5.0, 150.0),
    size=st.integers(3, 160),
    split=st.integers(1, 159),
    leak=st.floats(0.0, 0.13),
    leak_frac=st.floats(-1.0, 1.0) | st.just(math.nan),
    rate_hz=st.sampled_from([25.0, 50.0, 100.0, 500.0]),
    flags=st.frozensets(st.sampled_from(list(Flag)), max_size=3),
    again=st.booleans(),
)
def test_any_breath_gives_a_number_or_a_reason(  # noqa: PLR0917 (hypothesis names them)
    flow: np.ndarray, paw: np.ndarray, pco2: np.ndarray | None, size: int, split: int, leak: float, leak_frac: float,
    rate_hz: float, flags: frozenset[Flag], again: bool,  # noqa: FBT001
) -> None:  # fmt: skip
    one = breath(
        flow[:size],
        paw[:size],
        min(split, size - 1),
        rate_hz=rate_hz,
        pco2=None if pco2 is None else pco2[:size],
        leak_conductance=leak,
        leak_frac=leak_frac,
    )
    lawful(one, MeasurementContext(before=extract_features(one)) if again else MeasurementContext(), flags)


@settings(max_examples=40, deadline=None)
@given(
    c=st.floats(0.005, 0.3), r=st.floats(1.0, 80.0), vt=st.floats(0.05, 1.5), flow=st.floats(0.1, 2.0),
    pause_s=st.floats(0.0, 2.0), phase=st.floats(0.0, 0.99), noise=st.floats(0.0, 2.0),
    rate_hz=st.sampled_from([25.0, 50.0, 200.0]),
)  # fmt: skip
def test_any_lung_gives_a_number_or_a_reason(  # noqa: PLR0917 (hypothesis names them)
    c: float, r: float, vt: float, flow: float, pause_s: float, phase: float, noise: float, rate_hz: float
) -> None:
    ti = vt / flow + pause_s
    one = vcv(
        c=c,
        r=r,
        vt=vt,
        flow=flow,
        pause_s=pause_s,
        phase=phase,
        rr=60 / (ti + 2),
        noise=(noise / 5, noise),
        rate_hz=rate_hz,
    )
    lawful(one, MeasurementContext(before=extract_features(one)), frozenset())


def test_shift_in_time_changes_nothing() -> None:
    early, late = measured(vcv(pause_s=0.6)), measured(vcv(pause_s=0.6, start_s=86_400.7))
    assert late.values == pytest.approx(early.values, rel=1e-9)
    assert late[1:] == early[1:]


@pytest.mark.parametrize("rate_hz", [100.0, 200.0])
def test_doubling_the_rate_changes_little(rate_hz: float) -> None:
    slow = measured(vcv(pause_s=0.8, rr=10, rate_hz=rate_hz)).values
    fast = measured(vcv(pause_s=0.8, rr=10, rate_hz=2 * rate_hz)).values
    for key in ("vt_insp", "vt_exp", "ppeak", "peep", "pplat", "crs", "rrs", "mp", "mp_loop"):
        assert fast[key] == pytest.approx(slow[key], rel=0.012), key


def test_below_50_hz_quality_is_b_at_best() -> None:
    assert set(measured(vcv(rate_hz=40.0, rr=10)).quality.values()) == {"B"}
    assert "vt_insp" not in measured(vcv(rate_hz=50.0, rr=10)).quality


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        (Flag.TRUNCATED, "truncated"),
        (Flag.AFTER_GAP, "gap"),
        (Flag.APNOEA, "apnoea"),
        (Flag.DISCONNECT, "disconnect"),
    ],
)
def test_labels_that_withhold_everything(flag: Flag, reason: str) -> None:
    found = measured(vcv(pause_s=0.6), flags=frozenset({flag}))
    assert found.missing == dict.fromkeys(METRICS, reason)
    assert not found.values


def test_a_gap_leaves_the_rate() -> None:
    found = measured(vcv(pause_s=0.6), flags=frozenset({Flag.GAP}))
    assert found.values.keys() == {"ttot", "rr"}
    assert set(found.missing.values()) == {"gap"}


def test_a_root_reason_is_passed_on() -> None:
    found = measured(vcv())
    for key in ("pplat", "driving_pressure", "crs", "rrs"):
        assert found.missing[key] == "no_hold"


def test_inputs_stay_as_they_are() -> None:
    one = vcv(pause_s=0.6)
    kept = dataclasses.replace(one, paw=one.paw.copy(), flow=one.flow.copy())
    measured(one)
    np.testing.assert_array_equal(one.paw, kept.paw)
    np.testing.assert_array_equal(one.flow, kept.flow)


def test_the_same_breath_gives_the_same_numbers() -> None:
    one = vcv(pause_s=0.6, noise=(0.2, 1.0))
    again = dataclasses.replace(one, paw=one.paw.copy(), flow=one.flow.copy())
    assert measured(one) == measured(again)
