"""Rules over their whole ranges, on the reported seeds: counts, bias and spread as promised at every step."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tools.trust.passive import MODES, rows
from tests.tools.trust.ranges import NOISE, RANGES, measured
from tests.tools.trust.situations import Result

FEW = 3
"""Breaths that a step of some hundred may miss or have too many: until noise is known, and at the ends."""
STEPS = [(name, level) for name, chosen in NOISE.items() for level in chosen.levels]
PROMISED_P95, AT_L_MIN, AT_HZ = 0.05, 3.0, 100.0
"""95th percentile of the error of volume and power, at this noise and rate."""


def assert_counted(result: Result) -> None:
    assert result.true > 80
    assert abs(result.breaths - result.true) <= max(0.02 * result.true, FEW)
    assert result.near >= result.true - FEW


@pytest.mark.parametrize(("name", "level"), STEPS)
def test_noise_on_flow_costs_spread_and_no_breath(name: str, level: float) -> None:
    """White noise averages out over a breath: the spread grows with it and falls with the root of the rate."""
    result = measured(name, level)
    assert_counted(result)
    rate_hz = float(name.split()[-2])
    allowed = PROMISED_P95 * level / AT_L_MIN * np.sqrt(AT_HZ / rate_hz)
    for key in ("vt", "mp"):
        figure = result.figures[key]
        assert figure.given > 0.5 * figure.breaths, key
        assert abs(np.median(figure.errors)) <= 0.015, key
        assert np.quantile(np.abs(figure.errors), 0.95) <= allowed, key


@pytest.mark.parametrize("level", RANGES["valve opens late on base flow, s"].levels)
def test_base_flow_starts_no_breath_before_the_valve(level: float) -> None:
    result = measured("valve opens late on base flow, s", level)
    assert_counted(result)
    assert result.near >= 0.97 * result.true
    assert result.extra <= 0.02 * result.breaths
    assert not result.figures["vt"].wrong


@pytest.mark.parametrize("level", [0.5, 1.0, 1.5])
def test_a_ringing_valve_makes_one_breath_of_each_cycle(level: float) -> None:
    result = measured("ringing valve, cmH2O", level)
    assert_counted(result)
    assert not any(result.figures[key].wrong for key in ("vt", "mp", "crs_est"))


@pytest.mark.parametrize("level", RANGES["obstruction, Re over Ri"].levels)
def test_obstruction_refuses_no_slope(level: float) -> None:
    figure = measured("obstruction, Re over Ri", level).figures["crs_est"]
    assert figure.given >= 0.6 * figure.breaths
    assert not figure.wrong


@pytest.mark.parametrize("level", RANGES["sidestream, rise, s"].levels)
def test_a_slow_sensors_end_tidal_value_is_right_or_none(level: float) -> None:
    figures = measured("sidestream, rise, s", level).figures
    assert figures["petco2"].given > 0.5 * figures["petco2"].breaths
    assert not figures["petco2"].wrong
    assert figures["vd_aw"].wrong == figures["vd_aw"].doubtful, "wrong at C only, which may be twice as far off as B"


@pytest.mark.parametrize("level", RANGES["pauses, pressure noise, cmH2O"].levels)
def test_pauses_are_read_through_noise_of_pressure(level: float) -> None:
    figure = measured("pauses, pressure noise, cmH2O", level).figures["pplat"]
    assert figure.given >= 0.95 * figure.breaths
    assert not figure.wrong


PASSIVE = [(mode, peculiar) for mode in MODES for peculiar in ("plain", "tube", "valve", "tube, valve", "pauses")]


@pytest.mark.parametrize(("mode", "peculiar"), PASSIVE)
def test_passive_lungs_have_an_estimate_of_the_lung_at_rest(mode: str, peculiar: str) -> None:
    """With tubes, valves, PEEP staircases and noise: three of five breaths at least, and none off."""
    row = rows()[mode, peculiar]
    assert row["given"] >= 0.6 * row["breaths"]
    assert row["wrong"] == row["off"] == row["off at A"] == 0


@pytest.mark.parametrize("mode", MODES)
def test_lungs_that_relax_or_fill_unevenly_are_never_given_at_a_for_another(mode: str) -> None:
    for peculiar in ("relaxation", "two compartments", "relaxation, tube"):
        row = rows()[mode, peculiar]
        assert row["given"] >= 0.4 * row["breaths"], peculiar
        assert row["wrong"] == 0, peculiar
        assert row["off at A"] <= 0.02 * row["given"], peculiar
