"""The stream of PCO2: its own grid, its holes, its falls."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.align.capnogram import KEEP_S, Capnogram
from streamer.model.chunk import Channel, Chunk
from streamer.model.records import NoticeKind
from tests.support.streams import cut

RATE = 100.0


def co2(samples: np.ndarray, *, start_s: float = 0.0, rate_hz: float = RATE, source: str = "co2", **more) -> Chunk:
    return Chunk(source=source, start_s=start_s, rate_hz=rate_hz, channels={Channel.PCO2: samples, **more})


def breathing(seconds: float, rate_hz: float = RATE, period_s: float = 4.0, tau_s: float = 0.02) -> np.ndarray:
    """Expiration from 1.5 s of each period to its end at 40 mmHg, falling exponentially afterwards."""
    phase = (np.arange(round(seconds * rate_hz)) / rate_hz) % period_s
    return np.where(phase < 1.5, 40.0 * np.exp(-phase / tau_s), 40.0 * (1.0 - np.exp(-(phase - 1.5) / 0.1)))


def heard(*chunks: Chunk) -> Capnogram:
    capnogram = Capnogram()
    for piece in chunks:
        capnogram.push(piece)
    return capnogram


def test_samples_are_read_as_they_came_and_interpolated_between() -> None:
    samples = breathing(20.0)
    capnogram = heard(co2(samples, start_s=7.0))
    assert capnogram.read(9.0, RATE, 300).tolist() == samples[200:500].tolist()
    between = capnogram.read(9.005, RATE, 300)
    assert between == pytest.approx(0.5 * (samples[200:500] + samples[201:501]), abs=1e-6)
    assert capnogram.read(9.0, 250.0, 11)[::5] == pytest.approx(samples[200:206:2])
    outside = capnogram.read(6.99, RATE, 2002)
    assert np.isnan(outside).nonzero()[0].tolist() == [0, 2001]


@pytest.mark.parametrize("rate_hz", [20.0, 62.5, 100.0, 500.0])
def test_falls_are_found_between_samples(rate_hz: float) -> None:
    """Through half of its height ln 2 of the time constant after fresh gas came."""
    falls = heard(co2(breathing(40.0, rate_hz, tau_s=0.1), rate_hz=rate_hz)).falls(-math.inf, math.inf)
    assert [fall.at_s for fall in falls] == pytest.approx([4.0 * k + 0.0693 for k in range(1, 10)], abs=0.006)
    assert [fall.end_tidal for fall in falls] == pytest.approx([40.0] * 9, abs=0.01)
    assert [fall.inspired for fall in falls] == pytest.approx([0.0] * 9, abs=0.01)
    assert [fall.tau_s for fall in falls] == pytest.approx([0.1] * 9, abs=0.01)
    assert all(fall.at_s < fall.told_s < fall.at_s + 0.25 for fall in falls)


@pytest.mark.parametrize(("share", "behind"), [(0.9, False), (0.6, True)])
def test_an_end_far_below_the_top_is_diluted_and_says_so(share: float, *, behind: bool) -> None:
    samples, phase = breathing(40.0), (np.arange(4000) / RATE) % 4.0
    samples = samples * np.where(phase > 2.5, 1.0 - (1.0 - share) * (phase - 2.5) / 1.5, 1.0)
    falls = heard(co2(samples)).falls(-math.inf, math.inf)[1:]
    assert falls
    assert {abs(fall.to_rise) > 2.0 for fall in falls} == {behind}


def test_noise_alone_is_no_breath() -> None:
    noise = np.random.default_rng(0).normal(0.5, 1.0, 60_000)
    assert heard(co2(noise)).falls(-math.inf, math.inf) == []


def test_oscillations_of_the_plateau_are_no_breaths() -> None:
    """Of 6 mmHg in all, 70 a minute: the heart moves gas past the sensor."""
    samples = breathing(60.0)
    samples = samples + np.where(
        samples > 30.0, 3.0 * np.sin(np.arange(samples.size) / RATE * 2 * np.pi * 70 / 60), 0.0
    )
    assert len(heard(co2(samples)).falls(-math.inf, math.inf)) == 14


def test_short_holes_are_bridged_and_long_ones_stay() -> None:
    samples = np.linspace(10.0, 20.0, 200)
    holed = samples.copy()
    holed[50:54] = holed[100:105] = math.nan
    read = heard(co2(holed)).read(0.0, RATE, 200)
    assert read[50:54] == pytest.approx(samples[50:54])
    assert np.isnan(read[100:105]).all()
    assert np.isnan(read).sum() == 5


def test_a_piece_left_out_is_a_hole_and_one_that_comes_twice_is_dropped() -> None:
    samples = breathing(20.0)
    pieces = [co2(samples[:500]), co2(samples[503:800], start_s=5.03), co2(samples[700:1300], start_s=7.0)]
    read = heard(*pieces, co2(samples[1350:], start_s=13.5)).read(0.0, RATE, 2000)
    known = ~np.isnan(read)
    assert (~known).nonzero()[0].tolist() == list(range(1300, 1350))
    assert read[:500].tolist() == samples[:500].tolist()
    assert read[503:1300].tolist() == samples[503:1300].tolist()


def test_a_long_interruption_is_told_and_begins_a_new_grid() -> None:
    capnogram = heard(co2(breathing(10.0)))
    late = co2(breathing(10.0), start_s=15.003)
    assert capnogram.breaks(late)
    assert not capnogram.breaks(co2(breathing(1.0), start_s=10.5))
    (notice,) = capnogram.push(late)
    assert (notice.kind, notice.values["channel"]) == (NoticeKind.GAP, "pco2")
    assert capnogram.read(15.003, RATE, 1000).tolist() == breathing(10.0).tolist()


def test_one_capnograph_only() -> None:
    capnogram = heard(co2(breathing(10.0)))
    (notice,) = capnogram.push(co2(breathing(10.0), source="other"))
    assert notice.kind is NoticeKind.DROPPED
    assert capnogram.push(co2(breathing(10.0), source="other", start_s=10.0)) == []


def test_implausible_samples_are_missing_and_reported() -> None:
    samples = np.full(200, 30.0)
    samples[100:110] = 151.0
    capnogram = Capnogram()
    notices = capnogram.push(co2(samples, start_s=5.0)) + capnogram.close()
    assert {notice.kind for notice in notices} == {NoticeKind.IMPLAUSIBLE}
    assert sum(int(notice.values["samples"]) for notice in notices) == 10
    assert np.isnan(capnogram.read(5.0, RATE, 200)).sum() == 10


def test_memory_is_bounded() -> None:
    capnogram = Capnogram()
    for minute in range(30):
        capnogram.push(co2(breathing(60.0), start_s=60.0 * minute))
    assert capnogram._samples.size == 2 * KEEP_S * RATE
    assert len(capnogram.falls(-math.inf, math.inf)) <= KEEP_S / 4.0 + 1
    assert not np.isnan(capnogram.read(1800.0 - KEEP_S + 1.0, RATE, int((KEEP_S - 2.0) * RATE))).any()


@settings(max_examples=60, deadline=None)
@given(
    jumps=st.lists(st.sampled_from([0.0, 0.003, -0.004, 0.02, 0.05, 0.5, -0.03, -2.0, 2.0]), min_size=1, max_size=8),
    holes=st.lists(st.tuples(st.integers(0, 590), st.integers(1, 12)), max_size=4),
    seed=st.integers(0, 2**31),
    single=st.booleans(),
)  # fmt: skip
def test_whole_equals_parts(jumps, holes, seed: int, *, single: bool) -> None:
    rng = np.random.default_rng(seed)
    wholes, at_s = [], 3.0
    for jump in jumps:
        samples = breathing(600 / RATE, period_s=2.5) + rng.normal(0.0, 1.0, 600)
        for first, size in holes:
            samples[first : first + size] = math.nan
        at_s += jump
        wholes.append(co2(samples, start_s=at_s))
        at_s += 6.0
    parts = [
        part
        for whole in wholes
        for part in cut(whole, range(1, 600) if single else rng.integers(0, 601, size=5).tolist())
    ]
    one, other = heard(*wholes), heard(*parts)
    assert one.falls(-math.inf, math.inf) == other.falls(-math.inf, math.inf)
    assert one.settled_s == other.settled_s
    last_s = one.settled_s
    assert np.array_equal(one.read(last_s - 5, RATE, 500), other.read(last_s - 5, RATE, 500), equal_nan=True)


@pytest.mark.parametrize(("lasts_s", "falls"), [(0.14, 0), (0.2, 1)])
def test_what_passes_as_flow_turns_is_no_expiration(lasts_s: float, falls: int) -> None:
    """An expiration shows as long as a newborn's at least."""
    samples = np.zeros(600)
    samples[300 : 300 + round(lasts_s * RATE)] = 15.0
    assert len(heard(co2(samples)).falls(-math.inf, math.inf)) == falls
