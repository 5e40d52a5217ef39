from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.metrics import extract_features
from streamer.model.context import Context
from tests.support.analytic_breaths import Lung, breath, measured, start_from, vcv

PASSIVE = Context(passive="asserted", sensor_site="wye")
O_1 = {
    "a": {"c": 0.05, "r": 10, "peep": 5, "vt": 0.5},
    "b": {"c": 0.03, "r": 12, "peep": 12, "vt": 0.36},
    "long τ": {"c": 0.095, "r": 10, "peep": 0, "vt": 0.65},
}


@pytest.mark.parametrize("row", O_1)
def test_compliance_and_resistance_of_a_hold(row: str) -> None:
    one = vcv(**O_1[row], pause_s=0.8, rr=8)
    found = measured(one, start_from(one, context=PASSIVE))
    assert found.values["crs"] == pytest.approx(O_1[row]["c"] * 1000, rel=0.01)
    assert found.values["rrs"] == pytest.approx(O_1[row]["r"], rel=0.01)
    assert found.values["cdyn"] < found.values["crs"]
    assert found.quality["crs"] == "A"
    assert found.methods["crs"] == "quasi_static"
    assert found.methods["rrs"] == "r_max"


@settings(max_examples=40, deadline=None)
@given(
    c=st.floats(0.01, 0.1),
    r=st.floats(5.0, 40.0),
    peep=st.floats(0.0, 20.0),
    flow=st.floats(0.4, 1.0),
    rate_hz=st.sampled_from([50.0, 100.0, 200.0]),
    phase=st.floats(0.01, 0.99),
)
def test_measured_is_true_or_withheld(  # noqa: PLR0917 (hypothesis names them)
    c: float, r: float, peep: float, flow: float, rate_hz: float, phase: float
) -> None:
    """The breath before emptied for 8 s; noiseless."""
    one = vcv(c=c, r=r, peep=peep, vt=0.4, flow=flow, pause_s=0.8, rr=6, rate_hz=rate_hz, phase=phase)
    found = measured(one)
    half_sample = 0.5 / rate_hz * flow / 0.4
    if "crs" in found.values:
        assert found.values["crs"] == pytest.approx(c * 1000, rel=0.005 + 2 * half_sample)
    else:
        assert found.missing["crs"] in {"exhalation_incomplete", "implausible"}
        assert r * c > 1.0
    assert found.values["rrs"] == pytest.approx(r, rel=0.02, abs=flow / rate_hz / c / flow)


@settings(max_examples=40, deadline=None)
@given(scale=st.floats(0.5, 1.6))
def test_scaling_pressure_scales_elastance(scale: float) -> None:
    one = vcv(pause_s=0.8, rr=10)
    scaled = dataclasses.replace(one, paw=np.ascontiguousarray(one.paw * scale))
    before, after = measured(one).values, measured(scaled).values
    for key in ("crs", "cdyn"):
        assert after[key] == pytest.approx(before[key] / scale, rel=1e-6)
    for key in ("rrs", "mp", "mp_loop", "ppeak", "peep", "driving_pressure"):
        assert after[key] == pytest.approx(before[key] * scale, rel=1e-6)


def test_leak() -> None:
    assert {measured(vcv(pause_s=0.8, rr=10, leak_frac=0.25)).missing[key] for key in ("crs", "cdyn")} == {"leak_high"}
    for unsure in (0.15, -0.1, math.nan):
        one = vcv(pause_s=0.8, rr=10, leak_frac=unsure)
        assert measured(one, start_from(one, context=PASSIVE)).quality["crs"] == "B"


def test_circuit_compliance_at_the_ventilator() -> None:
    one = vcv(pause_s=0.8, rr=10)
    at_ventilator = Context(passive="asserted", sensor_site="ventilator", circuit_compliance_ml_cmh2o=2.0)
    found = measured(one, start_from(one, context=at_ventilator))
    assert found.values["crs"] == pytest.approx((500.0 - 2.0 * 10.0) / 10.0, rel=0.01)
    unknown = Context(passive="asserted", sensor_site="ventilator")
    assert measured(one, start_from(one, context=unknown)).quality["crs"] == "B"


def test_resistance_needs_constant_flow() -> None:
    one = Lung().falling_flow(0.8, 0.2, 1.0).constant_flow(0.0, 0.8).pressure(0.0, 3.5).breath(2)
    found = measured(one)
    assert found.values["crs"] == pytest.approx(50.0, rel=0.01)
    assert found.missing["rrs"] == "flow_not_constant"


@pytest.mark.parametrize(
    ("c", "is_given"), [(0.00015, False), (0.00025, True), (0.002, True), (0.24, True), (0.4, False)]
)
def test_compliance_that_cannot_be(c: float, *, is_given: bool) -> None:
    """Newborns with stiff lungs have 0.3 mL/cmH2O, emphysema 200."""
    one = vcv(c=c, r=0.04 / c if c < 0.01 else 2.0, vt=min(10.0 * c, 0.5), flow=min(10.0 * c, 0.5), pause_s=0.8, rr=10)
    found = measured(one)
    assert found.missing.get("crs") == (None if is_given else "implausible")
    assert found.values.get("crs", c * 1000) == pytest.approx(c * 1000, rel=0.01)


def test_peak_at_peep_is_no_dynamic_characteristic() -> None:
    one = vcv()
    flat = breath(one.flow, np.full(one.paw.size, 5.0), one.insp_end)
    assert measured(flat).missing["cdyn"] == "implausible"
    assert extract_features(flat).peak_paw == 5.0
