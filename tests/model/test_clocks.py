"""Clocks against arrival, and the streams of one bed on one clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.model.chunk import Channel, Chunk
from streamer.model.clocks import MAX_HELD_S, NS_PER_S, SETTLE_S, LiveTime, OneClock
from streamer.model.records import Notice, NoticeKind

UTC_S = 1_600_000_000.0
"""Seconds since 1970 at device time 0 of the ventilator."""


def chunk(
    source: str, start_s: float, arrival_s: float | None, *, rate_hz: float = 50.0, seconds: float = 0.1
) -> Chunk:
    samples = np.zeros(round(seconds * rate_hz))
    channel = Channel.FLOW if source == "vent" else Channel.PCO2
    received_ns = None if arrival_s is None else round((UTC_S + arrival_s) * NS_PER_S)
    return Chunk(source=source, start_s=start_s, rate_hz=rate_hz, channels={channel: samples}, received_ns=received_ns)


def live(
    seconds: float, ahead_s: float, *, late: int = 0, rng_seed: int = 1, set_s: float = 0.0, set_at_s: float = 1e9
) -> list[Chunk]:
    """A ventilator, and a capnograph whose clock is ``ahead_s`` ahead, each chunk delivered a little late."""
    rng = np.random.default_rng(rng_seed)
    found = []
    vent_s = co2_s = 0.0  # a line does not overtake itself
    for n in range(round(seconds * 10)):
        at_s = n / 10
        vent_s = max(vent_s, at_s + 0.1 + rng.exponential(0.01))
        co2_s = max(co2_s, at_s + 0.1 + rng.exponential(0.02))
        found.append(chunk("vent", at_s, vent_s))
        if n >= late:
            theirs_s = at_s + ahead_s + (set_s if at_s >= set_at_s else 0.0)
            found.append(chunk("co2", theirs_s, co2_s))
    return sorted(found, key=lambda one: one.received_ns or 0)


def through(items: list[Chunk | Notice], clock: OneClock) -> list[Chunk | Notice]:
    return [*(given for item in items for given in clock.push(item)), *clock.close()]


@pytest.mark.parametrize("ahead_s", [-812.0, -0.3, 0.0, 4.7, UTC_S])
@pytest.mark.parametrize("late", [0, 100])
def test_a_second_device_is_moved_onto_the_first_ones_clock(ahead_s: float, late: int) -> None:
    given = through(live(20.0, ahead_s, late=late), OneClock(first="vent"))
    co2 = [item for item in given if isinstance(item, Chunk) and item.source == "co2"]
    assert len(co2) == 200 - late
    wrong = [item.start_s - (late + n) / 10 for n, item in enumerate(co2)]
    assert max(map(abs, wrong)) < 0.02
    assert np.ptp(wrong) < 1e-6  # one offset, so that its grid stays even
    (notice,) = [item for item in given if isinstance(item, Notice)]
    assert notice.kind is NoticeKind.CLOCK_OFFSET
    assert notice.values["clock_offset_s"] == pytest.approx(-ahead_s, abs=0.02)
    vent = [item.start_s for item in given if isinstance(item, Chunk) and item.source == "vent"]
    assert vent == [n / 10 for n in range(200)]


def test_a_clock_that_begins_again_or_runs_away_is_placed_anew() -> None:
    given = through(live(60.0, 100.0, set_s=-95.0, set_at_s=30.0), OneClock(first="vent"))
    offsets = [item.values["clock_offset_s"] for item in given if isinstance(item, Notice)]
    assert offsets == [pytest.approx(-100.0, abs=0.02), pytest.approx(-5.0, abs=0.02)]
    co2 = [item for item in given if isinstance(item, Chunk) and item.source == "co2"]
    assert max(abs(item.start_s - n / 10) for n, item in enumerate(co2)) < 0.03


def test_a_declared_offset_is_believed_and_a_source_without_arrivals_shares_the_clock() -> None:
    items: list[Chunk | Notice] = [chunk("vent", 0.0, None), chunk("co2", 7.0, None), chunk("other", 0.0, None)]
    given = through(items, OneClock({"co2": -7.0}, first="vent"))
    assert [item.start_s for item in given if isinstance(item, Chunk)] == [0.0, 0.0, 0.0]
    assert len(given) == 3


def test_a_source_alone_waits_but_not_without_bound() -> None:
    clock = OneClock(first="vent")
    alone = [one for one in live(100.0, 0.0) if one.source == "co2"]
    assert [given for one in alone for given in clock.push(one)] == []
    held = clock._lanes["co2"].held
    assert len(held) <= MAX_HELD_S * 10 + 1
    assert clock.close() == []


@settings(max_examples=30, deadline=None)
@given(st.floats(-100, 100), st.integers(0, 60), st.integers(0, 10_000))
def test_nothing_but_the_order_of_the_chunks_counts(ahead_s: float, late: int, seed: int) -> None:
    items: list[Chunk | Notice] = [*live(8.0, ahead_s, late=late, rng_seed=seed)]
    first, second = through(items, OneClock(first="vent")), through(items, OneClock(first="vent"))
    assert [one if isinstance(one, Notice) else (one.source, one.start_s) for one in first] == [
        one if isinstance(one, Notice) else (one.source, one.start_s) for one in second
    ]
    assert sum(isinstance(one, Chunk) for one in first) == len(items)  # nothing is lost
    assert SETTLE_S < 8.0


def test_drift_is_what_the_device_gains_on_arrival() -> None:
    rng = np.random.default_rng(5)
    clock, ppm = LiveTime(), 150.0
    for n in range(36_000):
        true_s = n / 10
        device_s = true_s * (1 + ppm * 1e-6)
        clock.arrived(device_s - 0.1, device_s, round((UTC_S + true_s + rng.exponential(0.02)) * NS_PER_S))
        if n == 1100:
            assert clock.drift_ppm is None
    assert clock.drift_ppm == pytest.approx(ppm, rel=0.05)
    assert clock.drift_s == pytest.approx(ppm * 1e-6 * 3540, abs=0.02)


def test_a_clock_that_is_set_has_not_drifted() -> None:
    for jump_s in (-3600.0, 3600.0):
        clock = LiveTime()
        for n in range(4000):
            device_s = n / 10 + (jump_s if n > 2000 else 0.0)
            clock.arrived(device_s - 0.1, device_s, round((UTC_S + n / 10) * NS_PER_S))
        assert clock.drift_ppm == pytest.approx(0.0, abs=1e-3)
