from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.wire.timebase import NS_PER_S, LiveTime, RecordedTime, device_s

START = datetime(2020, 6, 1, 8, tzinfo=UTC)
START_NS = int(START.timestamp()) * NS_PER_S


def test_a_recording_begins_at_its_start_utc_whatever_its_clock_says() -> None:
    clock = RecordedTime(START)
    assert clock.utc_ns(0.0) is None
    clock.arrived(812.4, 812.5, arrival_ns=1)
    clock.arrived(0.0, 0.1, arrival_ns=2)  # a later jump of the clock does not move it
    assert clock.utc_ns(812.4) == START_NS
    assert clock.utc_ns(813.9) == START_NS + 1_500_000_000
    assert device_s(clock, START_NS + NS_PER_S) == pytest.approx(813.4, abs=1e-6)


def test_a_recording_without_start_has_no_utc() -> None:
    clock = RecordedTime(None)
    clock.arrived(0.0, 1.0, arrival_ns=5)
    assert clock.utc_ns(3.0) is None
    assert clock.offset_s is None
    assert device_s(clock, 0) is None


@given(st.lists(st.integers(min_value=0, max_value=2_000_000_000), min_size=1, max_size=200))
def test_the_least_delayed_delivery_of_the_last_minute_decides(delays_ns: list[int]) -> None:
    clock = LiveTime(window_s=20.0)
    for index, delay in enumerate(delays_ns):
        end_s = 100.0 + index
        clock.arrived(end_s - 1.0, end_s, arrival_ns=START_NS + index * NS_PER_S + delay)
        arrival = START_NS + index * NS_PER_S + delay
        recent = [
            late
            for other, late in enumerate(delays_ns[: index + 1])
            if START_NS + other * NS_PER_S + late >= arrival - 20 * NS_PER_S
        ]
        utc = clock.utc_ns(end_s)
        assert utc is not None
        # deliveries overtaken by later ones are rare orders of arrival: the minimum is never below the true one
        assert min(delays_ns[: index + 1]) <= utc - START_NS - index * NS_PER_S <= min(recent)


def test_a_device_clock_set_back_starts_anew_and_forward_steps_follow_at_once() -> None:
    clock = LiveTime()
    clock.arrived(1000.0, 1001.0, arrival_ns=START_NS)
    clock.arrived(0.0, 1.0, arrival_ns=START_NS + NS_PER_S)
    assert clock.utc_ns(1.0) == START_NS + NS_PER_S
    clock.arrived(500.0, 501.0, arrival_ns=START_NS + 2 * NS_PER_S)
    assert clock.utc_ns(501.0) == START_NS + 2 * NS_PER_S


def test_memory_is_bounded() -> None:
    clock = LiveTime(window_s=60.0)
    for index in range(5000):  # ever later: the worst case for the sliding minimum
        clock.arrived(index * 0.1, index * 0.1 + 0.1, arrival_ns=START_NS + round(index * 0.101 * NS_PER_S))
    assert len(clock._smallest) <= 60.0 / 0.1 + 2
