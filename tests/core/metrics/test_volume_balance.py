"""Inspired and expired volume that do not agree: what a persistent ratio takes, and what a single breath."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from adapters.simulator.course import Segment
from adapters.simulator.scenario import Scenario, Sensor
from streamer.core.metrics import (
    METRICS,
    BreathFeatures,
    MeasurementContext,
    Measures,
    RecentBreaths,
    Volume,
    extract_features,
)
from streamer.core.metrics.volume_balance import balance_of, in_doubt, persistent
from streamer.model.context import Context
from streamer.model.flags import Flag
from tests.support.analytic_breaths import measured, vcv
from tests.support.simulated import lung, records
from tests.support.simulated import vcv as volume_control

HELD = {"pause_s": 0.8, "rr": 10}
RESTS = ("vt", "energy", "mp", "mp_dyn", "mp_loop", "energy_per_litre", "minute_volume", "cdyn", "crs")
STAYS = ("vt_insp", "vt_exp", "rr", "ppeak", "peep", "pplat", "pmean")


def found_after(ratio: float) -> Measures:
    """A breath with a plateau among others, all with this ratio of expired to inspired volume."""
    one = vcv(**HELD)
    flow = np.where(np.arange(one.flow.size) >= one.insp_end, ratio * one.flow, one.flow)
    one = dataclasses.replace(one, flow=flow)
    before = extract_features(one)
    past = RecentBreaths(volumes=((before.tidal_insp, before.tidal_exp),) * 19)
    return measured(
        one, MeasurementContext(before=before, past=past, context=Context(passive="asserted", sensor_site="wye"))
    )


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
    before = extract_features(one)
    past = RecentBreaths(volumes=((before.tidal_insp, before.tidal_exp),) * 19)
    found = measured(dataclasses.replace(one, flow=flow), MeasurementContext(before=before, past=past))
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


ONE = vcv(**HELD)
CLOSED = extract_features(ONE)
KNOWN = RecentBreaths(volumes=((CLOSED.tidal_insp, CLOSED.tidal_exp),) * 19)


def moved(
    features: BreathFeatures, before: BreathFeatures | None = CLOSED, past: RecentBreaths = KNOWN, **flags: bool
) -> str | None:
    """Why volume and energy are withheld."""
    labels = {Flag.DOUBLE_TRIGGER} if flags.get("double") else set()
    return balance_of(ONE, features, MeasurementContext(before=before, past=past), labels).refused[Volume.MOVED]


def expired(share: float, **fields: float) -> BreathFeatures:
    """That breath, of which this share comes back."""
    volume = share * CLOSED.tidal_insp
    return CLOSED._replace(tidal_exp=volume, exp_volume=volume, **fields)


def leaking(into: float, out: float, unclosed: float) -> BreathFeatures:
    """Shares of the corrected inspired volume that are taken off either phase, and by which it stays open even so."""
    vt = CLOSED.tidal_insp
    tidal_exp = (1.0 - unclosed) * vt
    return CLOSED._replace(insp_volume=(1.0 + into) * vt, tidal_exp=tidal_exp, exp_volume=tidal_exp - out * vt)


def test_a_correction_is_in_doubt_by_what_it_leaves_open() -> None:
    """Half of a leak is taken off inspiration: half of what is open is that volume's error; no leak, no doubt."""
    assert in_doubt(leaking(0.2, 0.2, 0.1)) == pytest.approx(0.05)
    assert in_doubt(leaking(0.3, 0.1, 0.1)) == pytest.approx(0.075)
    assert in_doubt(leaking(0.01, 0.01, 0.5)) == pytest.approx(0.02)  # a small leak does not open a breath so far
    assert in_doubt(leaking(0.0, 0.0, 0.5)) == 0.0


@pytest.mark.parametrize(
    ("unclosed", "reason"), [(0.19, None), (0.21, "volume_not_closed"), (-0.21, "volume_not_closed")]
)
def test_a_correction_in_doubt_withholds_the_volume(unclosed: float, reason: str | None) -> None:
    """A leak that changes, one that is learned from coughs, a zero that noise has taught."""
    assert moved(leaking(0.5, 0.5, unclosed)) == reason


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        (expired(0.86), None),
        (expired(0.84), "volume_not_closed"),
        (leaking(0.099, 0.05, 0.0), None),
        (leaking(0.101, 0.05, 0.0), "volume_not_closed"),
    ],
    ids=["closes", "open", "little taken off", "much taken off"],
)
def test_before_a_leak_is_known_a_breath_has_to_close(features: BreathFeatures, reason: str | None) -> None:
    few = KNOWN._replace(volumes=KNOWN.volumes[:5])
    assert moved(features, past=few) == reason
    assert moved(features, past=few._replace(volumes=KNOWN.volumes[:6])) is None


@pytest.mark.parametrize(("te_s", "reason"), [(0.49, None), (0.51, "volume_not_closed")])
def test_but_not_where_nothing_could_come_back(te_s: float, reason: str | None) -> None:
    one = dataclasses.replace(ONE, end_s=ONE.insp_end_s + te_s)
    found = balance_of(one, expired(0.5), MeasurementContext(), {Flag.DOUBLE_TRIGGER})
    assert found.refused[Volume.MOVED] == reason


def test_nor_where_two_breaths_come_back_at_once() -> None:
    assert balance_of(ONE, expired(1.8), MeasurementContext(), {Flag.DOUBLE_TRIGGER}).refused[Volume.MOVED] is None
    assert balance_of(ONE, expired(1.8), MeasurementContext(), set()).refused[Volume.MOVED] == "volume_not_closed"


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        (expired(1.39), None),
        (expired(1.41), "volume_not_closed"),
        (expired(1.41, end_paw=CLOSED.end_paw - 1.1), None),
        (expired(0.59, end_flow=0.11 * CLOSED.peak_exp_flow), "volume_not_closed"),
        (expired(0.59, end_flow=0.09 * CLOSED.peak_exp_flow), None),
        (expired(0.61, end_flow=0.11 * CLOSED.peak_exp_flow), None),
    ],
    ids=["sigh", "gas joins", "PEEP falls", "leak opens", "gas is kept", "little"],
)
def test_gas_from_outside_is_seen_at_once(features: BreathFeatures, reason: str | None) -> None:
    assert moved(features) == reason


def test_a_lung_gives_back_what_it_had_kept() -> None:
    kept = expired(0.5, tidal_insp=CLOSED.tidal_insp)
    assert moved(expired(1.6), before=kept) is None
    assert moved(expired(1.6), before=None) is None


def test_twice_in_a_row_it_cannot_be_the_lungs_though_it_never_comes_to_rest() -> None:
    flowing = {"end_flow": -0.2 * CLOSED.peak_exp_flow}
    assert moved(expired(1.6, **flowing), before=expired(1.0, **flowing)) is None
    assert moved(expired(1.6, **flowing), before=expired(1.6, **flowing)) == "volume_not_closed"
