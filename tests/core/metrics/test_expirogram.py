"""The kernels of the expirogram: closed forms, an independent least squares, noise, nonsense."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import least_squares

from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.features.expired_gas import phases
from streamer.core.metrics.features.expirogram import POINTS, cells
from streamer.core.metrics.features.expirogram_fit import param4
from streamer.core.metrics.features.phase3 import fowler
from tests.tools.trust.methods import DEAD_ML, PLAIN, RATE_HZ, STEEP, Model, found, ours, sampled, spread

FIELDS = BreathFeatures._fields[
    BreathFeatures._fields.index("co2_volume") : BreathFeatures._fields.index("co2_fit_width") + 1
]


def features(pco2: np.ndarray, flow: np.ndarray, inspired: float = 0.0) -> dict[str, float]:
    values, _ = phases(*cells(pco2, flow, RATE_HZ, 0, inspired, 0), RATE_HZ)
    return dict(zip(FIELDS, values, strict=True))


def step(vt: float, dead: float, p0: float, slope: float) -> tuple[np.ndarray, np.ndarray]:
    """An expiration at constant flow, a cell of 1 mL per sample, phase II a step between two cells; mL, mmHg/mL."""
    volume = np.arange(vt) + 0.5
    return np.where(volume > dead, p0 + slope * (volume - dead), 0.0), np.full(volume.size, -RATE_HZ / 1000.0)


ORACLES = {  # VT, VDaw (mL), p0 (mmHg), s (mmHg/mL) → PACO2, PĒCO2, VTCO2 STPD, Bohr
    "E-1": ((500, 150, 40.0, 0.0), (40.0, 28.000, 16.2235, 0.3000)),
    "E-2": ((500, 150, 36.0, 0.01), (37.75, 26.425, 15.3109, 0.3000)),
    "E-3": ((400, 160, 28.0, 0.02), (30.4, 18.240, 8.4548, 0.4000)),
}


@pytest.mark.parametrize(("given", "expected"), ORACLES.values(), ids=ORACLES)
def test_oracles_to_the_printed_digit(given: tuple[float, ...], expected: tuple[float, ...]) -> None:
    """Algorithms §11.3. End-tidal pressure stands there for the very end; ours is the mean of the last 5 %."""
    vt, dead, p0, slope = given
    alveolar, mixed, amount, bohr = expected
    one = features(*step(*given))
    assert 1000.0 * one["co2_dead"] == pytest.approx(dead, abs=1e-6)
    assert one["co2_middle"] == pytest.approx(alveolar, abs=1e-9)
    assert one["co2_area"] / one["co2_volume"] == pytest.approx(mixed, abs=5e-4)
    assert one["co2_area"] * 273.15 / 310.15 / 760.0 * 1000.0 == pytest.approx(amount, abs=1e-4)
    assert 1.0 - one["co2_area"] / one["co2_volume"] / one["co2_middle"] == pytest.approx(bohr, abs=1e-9)
    assert one["co2_dead"] / one["co2_volume"] == pytest.approx(bohr, abs=1e-9)
    assert one["co2_slope"] == pytest.approx(1000.0 * slope, abs=1e-6)
    assert one["co2_end_tidal"] == pytest.approx(p0 + slope * (0.975 * vt - dead), abs=1e-9)


@pytest.mark.parametrize(("slope", "p0", "sd", "shift"), [(0.012, 32.0, 18.0, 0.061), (0.04, 25.0, 40.0, 1.28)])
def test_a_smooth_phase_two_shifts_the_integral_equation_by_a_closed_form(
    slope: float, p0: float, sd: float, shift: float
) -> None:
    """s·sd²/(2·p0) (algorithms §11.3), for the true line of phase III."""
    volume = (np.arange(45_000) + 0.5) / 100.0
    area = float(Model(p0=p0, slope=slope, sd=sd).pco2(volume).sum()) / 100_000.0
    dead = fowler(0.450, area, 1000.0 * slope, p0 - slope * DEAD_ML)
    assert 1000.0 * dead == pytest.approx(DEAD_ML + shift, abs=0.012)


@pytest.mark.parametrize("model", [PLAIN, STEEP])
def test_sampling_and_the_fitted_line_add_little(model: Model) -> None:
    """At 100 Hz half a millilitre; where phase II reaches into the line's window, as much as it is then off by."""
    shift = model.slope * model.sd**2 / (2.0 * model.p0)
    fowler, _ = ours(*sampled(model, None))
    assert fowler == pytest.approx(DEAD_ML + shift, abs=0.5 if model is PLAIN else 1.5)


def test_noise_costs_what_the_comparison_of_methods_says() -> None:
    """Algorithms §6.4, 1 mmHg: unbiased within 2 mL, standard deviation below 3 mL; older methods are biased."""
    plain, steep = spread(PLAIN), spread(STEEP)
    for name, sd in (("fowler", 1.3), ("param4", 0.6), ("cumquad", 1.4)):
        assert plain[name][0] == pytest.approx(149.8, abs=0.6), name
        assert plain[name][1] == pytest.approx(sd, rel=0.3), name
        assert abs(steep[name][0] - DEAD_ML) < 2.0, name
        assert steep[name][1] < 3.0, name
    assert plain["param4"][1] < plain["fowler"][1]
    assert plain["langley"][0] > 153.0
    assert steep["langley"][0] > 160.0
    assert plain["threshold 2 mmHg"][1] > 20.0
    assert set(found(PLAIN, None)) == set(plain)


def test_noise_of_flow_too() -> None:
    """1 mmHg and 1 L/min (white): 300 expirations of the model of §11.4."""
    rng, dead = np.random.default_rng(8), []
    for _ in range(300):
        pco2, flow = sampled(PLAIN, rng)
        dead.append(ours(pco2, flow + rng.normal(0.0, 1.0 / 60.0, flow.size))[0])
    assert abs(np.mean(dead) - DEAD_ML) <= 2.0
    assert np.std(dead) <= 3.0


@pytest.mark.parametrize("seed", range(12))
def test_the_fitted_curve_is_the_least_squares_one(seed: int) -> None:
    """Against an independent optimiser, on the same grid."""
    rng = np.random.default_rng(seed)
    model = Model(p0=rng.uniform(15.0, 45.0), slope=rng.uniform(0.0, 0.04), sd=rng.uniform(10.0, 40.0))
    edges, pressure, ends = cells(*sampled(model, rng), RATE_HZ, 0, 0.0, 0)
    values, grid = phases(edges, pressure, ends, RATE_HZ)
    one = dict(zip(FIELDS, values, strict=True))
    whole, dead, slope, start = (one[name] for name in ("co2_volume", "co2_dead", "co2_slope", "co2_start"))
    mine = param4(grid, whole, dead, slope, start)
    volume = (np.arange(POINTS) + 0.5) * whole / POINTS

    def residuals(at: np.ndarray) -> np.ndarray:
        x = volume - at[0]
        return (at[1] + at[2] * x) / (1.0 + np.exp(-np.clip(x / at[3], -500, 500))) - grid

    other = least_squares(residuals, [dead, start + slope * dead, slope, 0.012], x_scale=[0.1, 30.0, 10.0, 0.01])
    assert 1000.0 * mine[0] == pytest.approx(1000.0 * other.x[0], abs=0.05)
    assert mine[1:3] == pytest.approx(other.x[1:3], rel=0.01, abs=0.05)


def test_laws() -> None:
    pco2, flow = sampled(PLAIN, np.random.default_rng(3))
    one = features(pco2, flow)
    twice = features(2.0 * pco2, flow)
    assert twice["co2_dead"] == pytest.approx(one["co2_dead"], rel=1e-9)
    assert twice["co2_slope"] == pytest.approx(2.0 * one["co2_slope"], rel=1e-9)
    raised = features(pco2 + 3.0, flow, 3.0)
    assert raised == pytest.approx(one, rel=1e-9)
    larger = features(pco2, 2.0 * flow)
    assert larger["co2_dead"] == pytest.approx(2.0 * one["co2_dead"], rel=1e-9)
    assert larger["co2_slope"] == pytest.approx(0.5 * one["co2_slope"], rel=1e-9)


def test_time_between_phases_is_that_of_the_flow() -> None:
    one = features(*sampled(PLAIN, None))
    passed = lambda ml: -0.55 * math.log(1.0 - ml / 450.0 * (1.0 - math.exp(-3.0 / 0.55)))  # noqa: E731
    assert one["co2_transit_s"] == pytest.approx(passed(225.0) - passed(150.0), abs=0.004)
    assert one["co2_flow"] == pytest.approx(0.55, abs=0.01)


SIZE = 160
FINITE = st.floats(-200.0, 200.0, allow_nan=False)


@settings(max_examples=150, deadline=None)
@given(
    pco2=arrays(np.float64, SIZE, elements=FINITE),
    flow=arrays(np.float64, SIZE, elements=st.floats(-4.0, 4.0)),
    insp_end=st.integers(0, SIZE - 1),
    inspired=st.floats(-5.0, 50.0),
    tail=st.integers(0, SIZE + 5),
)
def test_nonsense_gives_numbers_or_none(pco2, flow, insp_end: int, inspired: float, tail: int) -> None:
    values, _ = phases(*cells(pco2, flow, RATE_HZ, insp_end, inspired, tail), RATE_HZ)
    one = dict(zip(FIELDS, values, strict=True))
    assert one["co2_volume"] >= 0.0
    assert not math.isinf(one["co2_dead"])
    assert math.isnan(one["co2_fit_dead"]) or 0.0 < one["co2_fit_dead"] < one["co2_volume"]
