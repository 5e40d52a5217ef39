"""Single samples far outside their neighbours are missing; what gas does is not, over rates and noises."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.core.align import Repeats
from streamer.core.bed import Bed
from streamer.model.chunk import Channel, Chunk
from streamer.model.records import BreathRecord, NoticeKind
from tests.support.repeated_samples import sifted, ventilated, within
from tests.support.streams import random_cuts

F, P = Channel.FLOW, Channel.PAW
HEIGHT = {F: 2.0, P: 30.0}


def spiked(whole: Chunk, places: np.ndarray, name: Channel = F, height: float = 1.0, width: int = 1) -> Chunk:
    """With disturbances of ``width`` samples, up and down in turn; ``height`` in multiples of ``HEIGHT``."""
    channels = {one: samples.copy() for one, samples in whole.channels.items()}
    for k, place in enumerate(places):
        channels[name][place : place + width] += height * HEIGHT[name] * (-1) ** k
    return Chunk(source="vent", start_s=whole.start_s, rate_hz=whole.rate_hz, channels=channels)


def lost(whole: Chunk) -> list[int]:
    return np.flatnonzero(np.isnan(sifted(whole)[0][F])).tolist()


def places_of(whole: Chunk, seed: int, count: int = 40) -> np.ndarray:
    """Anywhere, but for the first seconds, no two near each other."""
    every = (len(whole) - 200) // count
    first = np.random.default_rng(seed).integers(3, every - 3, count)
    return np.arange(count) * every + first + 150


@pytest.mark.parametrize("name", [F, P])
@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 250.0, 500.0])
@pytest.mark.parametrize("noise", [0.0, 1.0, 4.0])
def test_single_samples_far_outside_are_missing_and_no_others(name: Channel, rate_hz: float, noise: float) -> None:
    whole = ventilated(rate_hz, noise=noise)
    places = places_of(whole, seed=int(rate_hz))
    found = lost(spiked(whole, places, name))
    assert set(found) <= set(places.tolist())
    assert len(found) >= 38  # those on the steepest edges may pass
    assert lost(whole) == []


def at_rest(whole: Chunk) -> np.ndarray:
    return np.array([within(whole, 2.6, breath=breath) for breath in range(3, 13)])


@pytest.mark.parametrize(("share", "is_seen"), [(0.15, False), (0.25, False), (0.35, True), (0.6, True)])
def test_they_lie_a_third_of_the_peak_outside(share: float, *, is_seen: bool) -> None:
    whole = ventilated(100.0, noise=0.2)
    peak = float(np.abs(whole.channels[F]).max())
    bad = spiked(whole, at_rest(whole), F, share * peak / HEIGHT[F])
    assert len(lost(bad)) == (10 if is_seen else 0)


@pytest.mark.parametrize(("rate_hz", "width", "count"), [(100.0, 1, 10), (100.0, 2, 0), (25.0, 1, 0), (50.0, 1, 10)])
def test_what_lasts_longer_than_a_short_sample_is_kept(rate_hz: float, width: int, count: int) -> None:
    whole = ventilated(rate_hz)
    assert len(lost(spiked(whole, at_rest(whole), F, width=width))) == count


def test_a_valve_that_closes_at_once_and_rings_is_no_disturbance() -> None:
    flow = np.tile(
        np.concatenate((np.linspace(0.9, 0.2, 50), [-1.24, -1.0, -0.26, -1.08], np.linspace(-1.07, 0, 96))), 9
    )
    paw = np.tile(np.concatenate((np.full(50, 20.0), np.full(100, 5.0))), 9)
    whole = Chunk(source="vent", start_s=0.0, rate_hz=50.0, channels={F: flow, P: paw})
    assert lost(whole) == []
    flow = flow.copy()
    flow[890] += 1.5
    assert lost(Chunk(source="vent", start_s=0.0, rate_hz=50.0, channels={F: flow, P: paw})) == [890]


@pytest.mark.parametrize("seed", range(3))
def test_cutting_changes_no_spike(seed: int) -> None:
    whole = ventilated(100.0, seed=seed)
    bad = spiked(spiked(whole, places_of(whole, seed)), places_of(whole, seed + 9), P)
    expected, told = sifted(bad)
    assert np.isnan(expected[F]).sum() > 70
    for single in (False, True):
        found, notices = sifted(bad, sorted(random_cuts(len(whole), seed, single=single)))
        assert notices == told
        assert all(np.array_equal(found[name], expected[name], equal_nan=True) for name in Channel)


def test_they_are_counted_every_ten_seconds() -> None:
    whole = ventilated(100.0)
    places = np.arange(500, 5500, 100)
    notices = [notice for notice in Repeats().push(spiked(whole, places))[1] if notice.kind is NoticeKind.IMPLAUSIBLE]
    found_s = np.array(lost(spiked(whole, places))) / 100.0
    counts, last_s = [], -1.0
    for at_s in (notice.at_s for notice in notices):
        counts.append(float(np.sum((found_s > last_s) & (found_s <= at_s))))
        assert counts[:-1] == [] or at_s - last_s >= 10.0
        last_s = at_s
    assert len(counts) == 5
    assert [notice.values["samples"] for notice in notices] == counts


def test_breaths_are_counted_and_measured_through_them() -> None:
    whole = ventilated(100.0)

    def records(chunk: Chunk) -> list[BreathRecord]:
        bed = Bed("b")
        return [event for event in [*bed.push(chunk), *bed.close()] if isinstance(event, BreathRecord)]

    clean = records(whole)
    found = records(spiked(spiked(whole, places_of(whole, 1)), places_of(whole, 2), P))
    assert len(found) == len(clean)
    for one, other in zip(clean[1:-1], found[1:-1], strict=True):
        assert other.values["rr"] == pytest.approx(one.values["rr"], rel=0.01)
        assert other.values["vt_insp"] == pytest.approx(one.values["vt_insp"], rel=0.02)
        assert other.values["ppeak"] == pytest.approx(one.values["ppeak"], abs=0.5)
