from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.metrics import fold
from tests.metrics.waves import breath, measured, pcv, vcv


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 200.0])
def test_volumes_of_square_flow(rate_hz: float) -> None:
    values = measured(vcv(rate_hz=rate_hz)).values
    assert values["vt_insp"] == pytest.approx(500.0, rel=0.005)
    assert values["vt_exp"] == pytest.approx(500.0 * (1 - math.exp(-3.0 / 0.5)), rel=0.005)
    assert values["minute_volume"] == pytest.approx(values["vt_exp"] * 15 / 1000)


@settings(max_examples=40, deadline=None)
@given(phase=st.floats(0.01, 0.99), above=st.floats(5.0, 25.0))
def test_a_step_of_flow_between_two_samples_costs_half_a_sample_at_most(phase: float, above: float) -> None:
    """The instant of a step between two samples is not in them."""
    truth = 0.05 * above * (1 - math.exp(-2.0))
    found = fold(pcv(above=above, phase=phase)).insp_volume
    assert abs(found - truth) <= 0.5 * 0.01 * above / 10.0 + 0.001 * truth


def test_noise_at_zero_flow_adds_no_volume() -> None:
    """1 L/min of noise in a 2 s hold and over 5 s of empty expiration; clipped by sample it would add 13 and 33 mL."""
    found = [fold(vcv(pause_s=2.0, rr=6.0, noise=(0.2, 1.0), seed=seed)) for seed in range(200)]
    assert np.mean([one.insp_volume for one in found]) == pytest.approx(0.5, abs=0.001)
    assert np.mean([one.exp_volume for one in found]) == pytest.approx(0.5, abs=0.009)


def leaking(g: float) -> tuple[object, float]:
    """Square flow into a lung while gas escapes through an orifice; lung volume is what remains."""
    one = vcv()
    escapes = g * np.sqrt(np.maximum(one.paw, 0.0))
    return breath(one.flow + escapes, one.paw, one.insp_end, leak_conductance=g, leak_frac=0.15), 500.0


def test_mechanics_see_the_lung_and_publication_the_sensor() -> None:
    one, lung_ml = leaking(0.04)
    found = fold(one)  # type: ignore[arg-type]
    assert found.tidal_insp * 1000 == pytest.approx(lung_ml, rel=0.005)
    assert found.tidal_exp * 1000 == pytest.approx(lung_ml, rel=0.01)
    assert found.insp_volume > 1.2 * found.tidal_insp
    assert found.exp_volume < 0.9 * found.tidal_exp


@pytest.mark.parametrize(
    ("leak_frac", "value", "quality", "reason"),
    [
        (0.05, 0.05, "A", None),
        (-0.01, -0.01, "A", None),
        (0.15, 0.15, "B", None),
        (-0.05, None, None, "sensor_ratio"),
        (math.nan, None, None, "low_coverage"),
    ],
)
def test_leak(leak_frac: float, value: float | None, quality: str | None, reason: str | None) -> None:
    found = measured(vcv(leak_frac=leak_frac))
    assert found.values.get("leak_frac") == value
    assert found.quality.get("leak_frac") == quality
    assert found.missing.get("leak_frac") == reason
