"""A stuck recorder is a gap; what repeats rightly is not, over the range of rates, steps and noises."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Hold, Scenario, Sensor, Ventilator
from streamer.core.bed import Bed
from streamer.model.chunk import Channel, Chunk
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Notice, NoticeKind
from tests.support.repeated_samples import sifted, ventilated, within
from tests.support.simulated import joined, lung
from tests.support.streams import chunk, random_cuts

RATES = [25.0, 50.0, 100.0, 250.0, 500.0]


def frozen(whole: Chunk, first: int, count: int, names: tuple[Channel, ...] = tuple(Channel)) -> Chunk:
    """``count`` samples after ``first`` repeat it."""
    channels = {name: samples.copy() for name, samples in whole.channels.items()}
    for name in names:
        channels[name][first + 1 : first + 1 + count] = channels[name][first]
    return Chunk(source="vent", start_s=whole.start_s, rate_hz=whole.rate_hz, channels=channels)


def missing(whole: Chunk) -> int:
    return int(np.isnan(sifted(whole)[0][Channel.FLOW]).sum())


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("share", [0.15, 0.5, 1.15])
def test_a_recorder_that_sticks_while_gas_moves_leaves_missing_samples(rate_hz: float, share: float) -> None:
    whole = ventilated(rate_hz)
    at, limit = within(whole, share), math.floor(0.5 * rate_hz)
    stuck = frozen(whole, at, limit + 1)
    found, notices = sifted(stuck)
    lost = np.flatnonzero(np.isnan(found[Channel.FLOW]))
    assert lost[0] == at + 1
    assert lost.size >= limit + 1
    assert lost.size <= limit + 3  # noise may continue the run by chance
    assert all(np.isnan(found[name][lost]).all() for name in Channel)
    assert [notice.kind for notice in notices] == [NoticeKind.IMPLAUSIBLE]
    assert notices[0].at_s == (at + 1) / rate_hz


@pytest.mark.parametrize("rate_hz", RATES)
def test_shorter_repeats_pass(rate_hz: float) -> None:
    whole = ventilated(rate_hz)
    stuck = frozen(whole, within(whole, 0.5), math.floor(0.5 * rate_hz) - 3)
    found, notices = sifted(stuck)
    assert notices == []
    assert all(np.array_equal(found[name], stuck.channels[name]) for name in Channel)


@pytest.mark.parametrize("rate_hz", RATES)
def test_noise_that_falls_silent_at_rest_is_stuck_too(rate_hz: float) -> None:
    whole = ventilated(rate_hz)
    assert missing(frozen(whole, within(whole, 2.4), round(2.2 * rate_hz))) >= 2.2 * rate_hz - 1


def test_pco2_that_goes_on_is_kept() -> None:
    whole = ventilated(100.0)
    stuck = frozen(whole, within(whole, 0.3), 300, (Channel.FLOW, Channel.PAW))
    found, _ = sifted(stuck)
    lost = np.isnan(found[Channel.FLOW])
    assert lost.sum() >= 300
    assert np.isnan(found[Channel.PCO2][lost]).mean() < 0.3


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("noise", [0.0, 0.2, 1.0, 3.0])
@pytest.mark.parametrize("step", [0.0, 0.1, 0.5, 1.0])
def test_honest_signals_pass_whole(rate_hz: float, noise: float, step: float) -> None:
    for seed, vent in enumerate((
        {},
        {"mode": "vcv", "tidal_volume_ml": 450.0, "flow_l_min": 40.0, "pause_s": 0.9},
        {"mode": "vcv", "tidal_volume_ml": 450.0, "flow_l_min": 20.0, "pause_s": 0.0},
        {"rate_per_min": 8.0},
    )):  # fmt: skip
        assert missing(ventilated(rate_hz, seed=seed, noise=noise, step=step, **vent)) == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", [2, 4, 10])
def test_a_slower_signal_sampled_faster_passes(factor: int) -> None:
    whole = ventilated(25.0)
    held = {name: np.repeat(samples, factor) for name, samples in whole.channels.items()}
    assert missing(Chunk(source="vent", start_s=0.0, rate_hz=25.0 * factor, channels=held)) == 0


def test_standby_passes() -> None:
    whole = ventilated(50.0)
    off = {name: np.append(samples, np.zeros(3000)) for name, samples in whole.channels.items()}
    found, notices = sifted(Chunk(source="vent", start_s=0.0, rate_hz=50.0, channels=off))
    assert notices == []
    assert not np.isnan(found[Channel.FLOW]).any()


def test_constant_flow_without_pressure_may_be_set_flow() -> None:
    whole = ventilated(50.0, noise=0.0, mode="vcv", tidal_volume_ml=450.0, flow_l_min=20.0)  # type: ignore[arg-type]
    assert missing(chunk(whole.channels[Channel.FLOW], rate_hz=50.0)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_cutting_changes_nothing(seed: int) -> None:
    whole = ventilated(50.0, seed=seed, step=0.5)
    for at, seconds in ((0.2, 5.0), (0.7, 0.52), (1.2, 0.6), (2.0, 1.4)):
        whole = frozen(whole, within(whole, at, breath=round(3 * at)), round(50.0 * seconds))
    expected, told = sifted(whole)
    assert np.isnan(expected[Channel.FLOW]).sum() > 280
    for single in (False, True):
        found, notices = sifted(whole, sorted(random_cuts(len(whole), seed, single=single)))
        assert notices == told
        assert all(np.array_equal(found[name], expected[name], equal_nan=True) for name in Channel)


def test_a_breath_with_a_stuck_stretch_has_only_its_duration_or_none() -> None:
    whole = ventilated(50.0)
    at = within(whole, 0.3)
    for seconds, flag in ((0.7, Flag.GAP), (5.0, None)):
        bed = Bed("b")
        events = bed.push(frozen(whole, at, round(50 * seconds))) + bed.close()
        records = [event for event in events if isinstance(event, BreathRecord)]
        (hit,) = [one for one in records if one.start_s < at / 50.0 < one.end_s] or [None]
        volumes = [one.values["vt_insp"] for one in records if "vt_insp" in one.values]
        assert max(volumes) < 1.1 * np.median(volumes)
        gaps = [event for event in events if isinstance(event, Notice) and event.kind is NoticeKind.GAP]
        if flag:
            assert hit is not None
            assert flag in hit.flags
        else:
            assert [gap.values["duration_s"] for gap in gaps] == [pytest.approx(seconds, abs=0.1)]


def copied(whole: Chunk, at: int, count: int, names: tuple[Channel, ...] = tuple(Channel)) -> Chunk:
    """From ``at`` on, the ``count`` samples before it come again."""
    channels = {name: samples.copy() for name, samples in whole.channels.items()}
    for name in names:
        channels[name][at : at + count] = channels[name][at - count : at]
    return Chunk(source="vent", start_s=whole.start_s, rate_hz=whole.rate_hz, channels=channels)


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("step", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0])
def test_a_packet_that_comes_again_is_missing(rate_hz: float, step: float, seconds: float) -> None:
    for share in (0.6, 1.3):
        whole = ventilated(rate_hz, step=step)
        at, count = within(whole, share), round(seconds * rate_hz)
        found, notices = sifted(copied(whole, at, count))
        lost = np.flatnonzero(np.isnan(found[Channel.FLOW]))
        assert lost[0] == at
        assert count <= lost.size <= count + 1  # the next sample may agree by chance
        assert all(np.isnan(found[name][lost]).all() for name in Channel)
        assert [notice.at_s for notice in notices] == [at / rate_hz]


@pytest.mark.parametrize("names", [(Channel.FLOW,), (Channel.FLOW, Channel.PAW), (Channel.PAW, Channel.PCO2)])
def test_a_packet_comes_again_in_all_channels_or_not_at_all(names: tuple[Channel, ...]) -> None:
    whole = ventilated(100.0)
    assert missing(copied(whole, within(whole, 0.6), 100, names)) == 0


@pytest.mark.parametrize(("count", "is_seen"), [(6, False), (7, True)])
def test_sixteen_changes_that_come_again_are_no_chance(count: int, *, is_seen: bool) -> None:
    whole = ventilated(100.0, step=0.0)
    at = within(whole, 1.07)
    assert bool(missing(copied(whole, at, count))) == is_seen  # three channels change with every sample but the first


@pytest.mark.parametrize("period_s", [0.5, 1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("mode", ["vcv", "pcv"])
def test_breaths_that_are_the_same_to_the_last_bit_pass(period_s: float, mode: str) -> None:
    vent = {"mode": mode, "rate_per_min": 60.0 / period_s, "ti_s": period_s / 3, "rise_s": 0.0}
    vent |= {"tidal_volume_ml": 150.0 * period_s, "flow_l_min": 30.0, "pause_s": 0.0}
    for step in (0.0, 0.1):
        whole = ventilated(100.0, noise=0.0, step=step, **vent)  # type: ignore[arg-type]
        assert missing(whole) == 0
        one = {name: samples[2000 : 2000 + round(100 * period_s)] for name, samples in whole.channels.items()}
        again = {name: np.tile(samples, 12) for name, samples in one.items()}
        assert missing(Chunk(source="vent", start_s=0.0, rate_hz=100.0, channels=again)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_cutting_changes_no_packet(seed: int) -> None:
    whole = ventilated(50.0, seed=seed, step=0.1)
    for share, seconds, breath in ((0.6, 0.4, 3), (1.3, 1.0, 6), (0.9, 2.0, 9)):
        whole = copied(whole, within(whole, share, breath=breath), round(50.0 * seconds))
    expected, told = sifted(whole)
    assert np.isnan(expected[Channel.FLOW]).sum() >= 170
    for single in (False, True):
        found, notices = sifted(whole, sorted(random_cuts(len(whole), seed, single=single)))
        assert notices == told
        assert all(np.array_equal(found[name], expected[name], equal_nan=True) for name in Channel)


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 250.0, 500.0])
@pytest.mark.parametrize("before_s", [0.15, 0.25, 0.35])
def test_a_packet_that_begins_at_rest_is_found_by_its_noise_and_its_onset_has_no_time(
    rate_hz: float, before_s: float
) -> None:
    whole = ventilated(rate_hz, step=0.0)
    onset = within(whole, 0.0)
    at, count = onset - round(before_s * rate_hz), round(0.5 * rate_hz)
    bad = copied(whole, at, count)
    found = np.flatnonzero(np.isnan(sifted(bad)[0][Channel.FLOW]))
    assert at < found[0] <= at + 0.4 * rate_hz  # noise turns 16 times, seen at the next tenth of a second or two
    assert found[-1] == at + count - 1
    assert found.size == at + count - found[0]
    bed = Bed("b")
    records = [one for one in [*bed.push(bad), *bed.close()] if isinstance(one, BreathRecord)]
    beside = [one for one in records if min(abs(one.start_s - onset / rate_hz), abs(one.end_s - onset / rate_hz)) < 0.5]
    assert len(beside) == 2
    assert all(Flag.ONSET_GAP in one.flags and "rr" not in one.values for one in beside)


def test_a_noisy_breath_that_comes_again_and_again_is_lost_once_at_most() -> None:
    whole = ventilated(100.0, step=0.0, rate_per_min=40.0, ti_s=0.5)  # type: ignore[arg-type]
    one = {name: samples[2000:2150] for name, samples in whole.channels.items()}
    again = {name: np.tile(samples, 20) for name, samples in one.items()}
    assert missing(Chunk(source="vent", start_s=0.0, rate_hz=100.0, channels=again)) < 150


@pytest.mark.parametrize("rate_hz", [25.0, 50.0, 125.0])
@pytest.mark.parametrize("period_s", [0.5, 1.0, 1.6, 2.0, 3.0])
@pytest.mark.parametrize("mode", ["vcv", "pcv"])
@pytest.mark.parametrize("step", [0.0, 0.1])
def test_breaths_without_noise_are_no_copies_after_a_hold(
    rate_hz: float, period_s: float, mode: str, step: float
) -> None:
    """They repeat to the last bit, and what came before them did not: breath after breath, not packet after packet."""
    ti_s, kinds = period_s / 3, ("inspiratory", "expiratory")
    ventilator = Ventilator(
        mode=mode,
        rate_per_min=60.0 / period_s,
        ti_s=ti_s,
        rise_s=0.0,
        tidal_volume_ml=150.0 * period_s,
        flow_l_min=27.0,
    )  # type: ignore[arg-type]
    holds = tuple(
        Hold(at_s=breaths * period_s + 2.0 * n, kind=kinds[n % 2], duration_s=1.0 + n % 2)  # type: ignore[arg-type]
        for n, breaths in enumerate((4, 6, 7, 9, 12))
    )
    part = Segment(
        lung=lung(0.05, 20.0), ventilator=ventilator, sensor=Sensor(flow_step_l_min=step, paw_step_cmh2o=step)
    )
    scenario = Scenario(
        duration_s=20.0 * period_s + 12.0, rate_hz=rate_hz, first_onset_s=0.425, segments=(part,), hold=holds
    )
    whole = Chunk(source="vent", start_s=0.0, rate_hz=rate_hz, channels=joined(simulate(scenario)))
    assert missing(whole) == 0


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("share", [0.4, 0.9, 1.3])
def test_a_packet_without_noise_comes_again_once(share: float, seconds: float) -> None:
    whole = ventilated(100.0, noise=0.0, step=0.0)
    at, count = within(whole, share), round(100.0 * seconds)
    lost = np.flatnonzero(np.isnan(sifted(copied(whole, at, count))[0][Channel.FLOW]))
    assert (lost[0], lost.size) == (at, count)


@pytest.mark.parametrize("seed", range(3))
def test_cutting_changes_nothing_where_breaths_are_the_same(seed: int) -> None:
    whole = ventilated(50.0, noise=0.0, step=0.0, rate_per_min=40.0, ti_s=0.5)  # type: ignore[arg-type]
    whole = copied(whole, within(whole, 0.6, breath=5), 40)
    expected, told = sifted(whole)
    assert told
    for single in (False, True):
        found, notices = sifted(whole, sorted(random_cuts(len(whole), seed, single=single)))
        assert notices == told
        assert all(np.array_equal(found[name], expected[name], equal_nan=True) for name in Channel)
