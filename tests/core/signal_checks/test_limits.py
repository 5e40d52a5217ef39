"""A sensor's limit in a channel without noise, and what only looks like one, over rates and steps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Scenario, Sensor, Transducer, Ventilator
from streamer.core.signal_checks import Suspicions
from streamer.core.signal_checks._limits import EVEN_STEP, corners, finest, steady
from streamer.model.chunk import Chunk, FloatArray
from tests.support.simulated import joined, lung

RATES = [50.0, 100.0, 250.0]
VCV = Ventilator(rate_per_min=16.0, tidal_volume_ml=450.0, flow_l_min=36.0, pause_s=0.4)
PCV = Ventilator(mode="pcv", rate_per_min=16.0, inspiratory_pressure_cmh2o=14.0, ti_s=1.2, rise_s=0.15)


def told(rate_hz: float, step: float = 0.0, **parts: object) -> set[str]:
    """Rules of a minute without noise."""
    sensor = Sensor(paw_step_cmh2o=step, flow_step_l_min=step, pco2_step_mmhg=step)
    plain = {"lung": lung(0.05, 10.0), "ventilator": VCV, "sensor": sensor, "capnogram": Capnogram(slope_mmhg_l=8.0)}
    segment = Segment(**(plain | parts))  # type: ignore[arg-type]
    samples = joined(simulate(Scenario(duration_s=60.0, rate_hz=rate_hz, segments=(segment,))))
    operator = Suspicions()
    notices = operator.push(Chunk(source="x", start_s=0.0, rate_hz=rate_hz, channels=samples))
    return {str(notice.values["rule"]) for notice in notices}


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("step", [0.0, 0.05])
@pytest.mark.parametrize("share", [0.5, 0.65, 0.8])
def test_what_is_cut_off_is_told(rate_hz: float, step: float, share: float) -> None:
    assert "flow_clipped" in told(rate_hz, step, ventilator=PCV, flow_sensor=Transducer(highest=52.0 * share))
    assert "flow_clipped" in told(rate_hz, step, flow_sensor=Transducer(lowest=-40.0 * share))
    assert "paw_clipped" in told(rate_hz, step, paw_sensor=Transducer(highest=5.0 + 13.0 * share))
    assert "pco2_clipped" in told(rate_hz, step, pco2_sensor=Transducer(highest=40.0 * (0.6 + 0.35 * share)))


@pytest.mark.parametrize("rate_hz", [25.0, *RATES, 500.0])
@pytest.mark.parametrize("step", [0.0, 0.05, 0.1, 0.5, 1.0])
def test_what_levels_off_by_itself_is_not(rate_hz: float, step: float) -> None:
    for ventilator in (VCV, PCV):
        for slope in (0.0, 2.0, 8.0):
            found = told(rate_hz, step, ventilator=ventilator, capnogram=Capnogram(slope_mmhg_l=slope))
            assert found <= ({"pco2_clipped"} if slope == 0.0 and step < 1.0 else set())


@pytest.mark.parametrize("shape", ["exponential", "gaussian"])
@pytest.mark.parametrize("rise", [2.0, 4.0, 10.0, 30.0])
@pytest.mark.parametrize("step", [0.0, 0.02, 0.08])
def test_a_plateau_that_is_reached_ever_more_slowly_is_not_cut_off(shape: str, rise: float, step: float) -> None:
    times = np.arange(300.0) - 40.0
    if shape == "exponential":
        one = 40.0 * (1.0 - np.exp(-np.maximum(times, 0.0) / rise))
    else:
        one = np.array([20.0 * (1.0 + math.erf((t - 3.0 * rise) / rise / math.sqrt(2.0))) for t in times])
    one = np.append(np.round(one / step) * step if step else one, np.zeros(40))
    assert corners(one, float(one.max()), 100.0, finest(one, 20.0), is_flow=False) <= 0
    cut = np.minimum(one, 33.0)
    assert corners(cut, 33.0, 100.0, finest(cut, 20.0), is_flow=False) == 1


def square(fall_s: float, *, held_s: float = 0.3) -> FloatArray:
    """Flow that is held, then falls to 0 along a line, 100 Hz."""
    fall = 0.5 * (1.0 - np.arange(1, round(100 * fall_s) + 1) / (100 * fall_s))
    return np.concatenate((np.zeros(20), np.full(round(100 * held_s), 0.5), fall, np.zeros(50)))


@pytest.mark.parametrize(("fall_s", "is_cut"), [(0.05, False), (0.19, False), (0.21, True), (0.6, True)])
def test_a_valve_closes_within_a_fifth_of_a_second(fall_s: float, *, is_cut: bool) -> None:
    assert corners(square(fall_s), 0.5, 100.0, 1e-3, is_flow=True) == (1 if is_cut else -1)


@pytest.mark.parametrize(("held_s", "count"), [(0.04, 0), (0.08, 1)])
def test_a_value_is_held_for_a_while(held_s: float, count: int) -> None:
    assert corners(square(0.35, held_s=held_s), 0.5, 100.0, 1e-3, is_flow=True) == count


@pytest.mark.parametrize(("inward", "fall", "count"), [(19, 0.0, 0), (25, 0.02, 1), (25, 0.04, -1)])
def test_flow_into_a_lung_falls_while_pressure_stands(inward: int, fall: float, count: int) -> None:
    flow = np.concatenate((np.zeros(20), np.linspace(0.5, 0.5 * (1.0 - fall), inward), np.zeros(30)))
    paw = np.where(flow > 0.0, 15.0, 5.0)
    assert steady(paw, flow, 15.0, 0.5, 100.0) == count


def test_steps_that_are_coarse_prove_nothing() -> None:
    coarse, fine = 40.0 * EVEN_STEP * 1.1, 40.0 * EVEN_STEP * 0.9
    for step, is_told in ((coarse, False), (fine, True)):
        limit = Transducer(highest=step * round(36.0 / step))
        assert ("pco2_clipped" in told(100.0, sensor=Sensor(pco2_step_mmhg=step), pco2_sensor=limit)) == is_told
