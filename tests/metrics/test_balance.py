"""Inspired and expired volume that do not agree: what a persistent ratio takes, and what a single breath."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from adapters._scenario import Scenario, Segment, Sensor
from streamer.context import Context
from streamer.metrics import METRICS, Given, Measures, Past, Volume, fold
from streamer.metrics._balance import persistent
from tests.metrics.waves import measured, vcv
from tests.simulated import lung, records
from tests.simulated import vcv as volume_control

HELD = {"pause_s": 0.8, "rr": 10}
RESTS = ("vt", "energy", "mp", "mp_dyn", "mp_loop", "energy_per_litre", "minute_volume", "cdyn", "crs")
STAYS = ("vt_insp", "vt_exp", "rr", "ppeak", "peep", "pplat", "pmean")


def found_after(ratio: float) -> Measures:
    """A breath with a plateau among others, all with this ratio of expired to inspired volume."""
    one = vcv(**HELD)
    flow = np.where(np.arange(one.flow.size) >= one.insp_end, ratio * one.flow, one.flow)
    one = dataclasses.replace(one, flow=flow)
    before = fold(one)
    past = Past(volumes=((before.tidal_insp, before.tidal_exp),) * 19)
    return measured(one, Given(before=before, past=past, context=Context(passive="asserted")))


@pytest.mark.parametrize(("ratio", "grade"), [(1.0, None), (1.049, None), (0.951, None), (1.051, "B"), (0.949, "B")])
def test_a_sensor_that_is_off_is_noted(ratio: float, grade: str | None) -> None:
    found = found_after(ratio)
    assert {found.quality.get(key) for key in ("vt", "energy", "mp")} == {grade}
    assert all(found.quality.get(key) == "B" for key in RESTS if grade)


@pytest.mark.parametrize(
    ("ratio", "reason"),
    [(1.099, None), (0.901, None), (1.101, "sensor_ratio"), (0.899, "volume_not_closed")],
)
def test_further_off_it_withholds_what_rests_on_volume(ratio: float, reason: str | None) -> None:
    found = found_after(ratio)
    assert {found.missing.get(key) for key in RESTS} == {reason}
    assert not {*STAYS} & {*found.missing}


def test_every_volume_says_what_it_asks() -> None:
    """What is made of a volume asks, or needs a metric that does; what the sensor saw does not."""
    asks = {key for key, one in METRICS.items() if one.volume}
    while more := {key for key, one in METRICS.items() if asks & {*one.needs, *one.also}} - asks:
        asks |= more
    assert asks >= {*RESTS, "crs_est", "mp_peep", "mp_elastic", "mp_resistive", "mp_pbw", "vt_pbw", "tau_exp"}
    assert not asks & {*STAYS}
    assert METRICS["crs_est"].volume is Volume.CLOSED


def test_a_breath_that_does_not_close_keeps_its_energy() -> None:
    one = vcv(**HELD)
    flow = np.where(np.arange(one.flow.size) >= one.insp_end, 0.8 * one.flow, one.flow)
    before = fold(one)
    past = Past(volumes=((before.tidal_insp, before.tidal_exp),) * 19)
    found = measured(dataclasses.replace(one, flow=flow), Given(before=before, past=past))
    assert found.missing["mp_loop"] == found.missing["crs_est"] == "volume_not_closed"
    assert found.quality["energy"] == "B"
    assert {"mp", "crs", "vt", "minute_volume"} <= {*found.values}


def volumes(*ratios: float, vt: float = 0.5) -> list[tuple[float, float]]:
    return [(vt, vt * ratio) for ratio in ratios]


@pytest.mark.parametrize(
    ("seen", "ratio"),
    [
        (volumes(*[1.11] * 20), 1.11),
        (volumes(*[1.0] * 15, 1.3, 0.7, 1.0, 1.0, 1.0), 1.0),
        (volumes(*[1.0] * 17, 0.2, 1.8, 1.0), 1.0),
        (volumes(*[0.8] * 10, *[1.0] * 5), 1.0),
        (volumes(*[1.0] * 18, *[0.8] * 2), 1.0),
        (volumes(*[1.0] * 17, *[0.8] * 3), 0.8),
        (volumes(1.0, 0.4, 1.0), 1.0),
        (volumes(0.9), 0.9),
    ],
    ids=["sensor", "sigh", "double trigger", "leak, known", "leak, just opened", "leak, open", "trapped", "start"],
)
def test_what_persists(seen: list[tuple[float, float]], ratio: float) -> None:
    assert persistent(seen) == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize(("gain", "quality", "given"), [(0.97, None, True), (0.93, "B", True), (0.89, None, False)])
def test_an_inspiratory_sensor_that_reads_low(gain: float, quality: str | None, given: bool) -> None:  # noqa: FBT001
    one = volume_control(lung(0.05, 10.0), 5.0, 0.5, 0.5, 15.0)
    sensor = Sensor(flow_gain=gain, flow_gain_exp=1.0, flow_noise_l_min=0.5)
    scenario = Scenario(duration_s=100.0, segments=(Segment(lung=one.lung, ventilator=one.ventilator, sensor=sensor),))
    late = records(scenario)[5:]
    assert late
    for record in late:
        assert ("mp" in record.values) == given
        assert given or record.missing["mp"] == record.missing["vt"] == "sensor_ratio"
        assert not given or record.quality.get("mp") == quality
