"""The running estimate for displays: exact without noise, chunk-invariant, and it forgets."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Scenario, Sensor
from streamer import RecursiveFit
from streamer.core.rls import RlsSettings
from streamer.model.chunk import Channel, FloatArray
from tests.support.simulated import joined, lung, pcv, vcv

ORACLES = {
    "O-1a": vcv(lung(0.05, 10), 5, 0.5, 0.5, 15),
    "O-1b": vcv(lung(0.03, 12), 12, 0.36, 0.5, 26),
    "O-1c": vcv(lung(0.095, 21), 0, 0.65, 0.5, 15, 0.3),
    "O-3a": pcv(lung(0.05, 10), 5, 15, 1.0, 0.0, 15),
    "O-3b": pcv(lung(0.05, 10), 5, 15, 1.0, 0.2, 15),
    "O-3c": pcv(lung(0.05, 10), 5, 15, 0.5, 0.0, 24),
    "O-3d": pcv(lung(0.03, 12), 12, 14, 0.8, 0.1, 26),
}


def wave(segment: Segment, sensor: Sensor | None = None, **given: object) -> tuple[FloatArray, FloatArray]:
    part = Segment(lung=segment.lung, ventilator=segment.ventilator, sensor=sensor or Sensor())
    channels = joined(simulate(Scenario(duration_s=120, segments=(part,), **given)))  # type: ignore[arg-type]
    return channels[Channel.FLOW], channels[Channel.PAW]


@pytest.mark.parametrize("name", ORACLES)
def test_without_noise_the_lung_is_found(name: str) -> None:
    """Algorithms §11.1: C within 0.2 %."""
    segment = ORACLES[name]
    found = RecursiveFit(100.0).push(*wave(segment))
    assert found.crs == pytest.approx(segment.lung.compliance_ml_cmh2o, rel=0.002)
    assert found.rrs_insp == pytest.approx(segment.lung.resistance_cmh2o_s_l, rel=0.002)
    assert found.rrs_exp == pytest.approx(segment.lung.expiratory, rel=0.002)


@pytest.mark.parametrize("name", ORACLES)
def test_in_noise_it_wavers_by_a_few_per_cent(name: str) -> None:
    segment = ORACLES[name]
    flow, paw = wave(segment, Sensor(paw_noise_cmh2o=0.2, flow_noise_l_min=1.0))
    assert RecursiveFit(100.0).push(flow, paw).crs == pytest.approx(segment.lung.compliance_ml_cmh2o, rel=0.04)


def test_total_peep_shows_trapped_gas() -> None:
    assert RecursiveFit(100.0).push(*wave(ORACLES["O-1c"])).peep_total == pytest.approx(2.94, abs=0.05)


def test_a_long_hold_in_noise_is_no_new_breath() -> None:
    """Volume begins anew with a breath only; in a hold the noise of flow crosses every small threshold."""
    segment = vcv(lung(0.05, 10), 5, 0.5, 0.5, 15, 1.5)
    flow, paw = wave(segment, Sensor(flow_noise_l_min=1.0))
    assert RecursiveFit(100.0).push(flow, paw).crs == pytest.approx(50, rel=0.03)


def test_cutting_does_not_matter() -> None:
    flow, paw = wave(ORACLES["O-3d"], Sensor(paw_noise_cmh2o=0.2, flow_noise_l_min=1.0))
    whole, parts = RecursiveFit(100.0), RecursiveFit(100.0)
    expected = whole.push(flow, paw)
    rng = np.random.default_rng(4)
    edges = [0, *sorted(rng.integers(0, flow.size, 40).tolist()), flow.size]
    for first, last in pairwise(edges):
        found = parts.push(flow[first:last], paw[first:last])
    assert found == expected


def test_a_change_is_followed_and_the_faster_the_shorter_the_memory() -> None:
    before, after = wave(vcv(lung(0.05, 10), 5, 0.5, 0.5, 15)), wave(vcv(lung(0.025, 10), 5, 0.5, 0.5, 15))
    found = []
    for memory_s in (2.0, 10.0, 60.0):
        fit = RecursiveFit(100.0, RlsSettings(memory_s=memory_s))
        fit.push(*before)
        found.append(fit.push(after[0][:1500], after[1][:1500]).crs)
    assert 24.9 < found[0] < found[1] < found[2] < 50


def test_nothing_is_shown_before_there_is_anything() -> None:
    fit = RecursiveFit(100.0)
    assert math.isnan(fit.push(np.empty(0), np.empty(0)).crs)
    assert math.isnan(fit.push(np.full(50, np.nan), np.full(50, 5.0)).crs)


def test_missing_samples_are_passed_over() -> None:
    flow, paw = (samples.copy() for samples in wave(ORACLES["O-3a"]))
    flow[3000:3003] = np.nan
    paw[5000:5003] = np.nan
    assert RecursiveFit(100.0).push(flow, paw).crs == pytest.approx(50, rel=0.01)
