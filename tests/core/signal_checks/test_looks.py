"""When a source is looked at, and what one look counts: either side of each threshold."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.core.signal_checks import Suspicions
from streamer.core.signal_checks._look import changes
from streamer.core.signal_checks._runs import is_counter, repeated, stands
from streamer.core.signal_checks._signals import Signals
from streamer.core.signal_checks._source import Source
from streamer.model.chunk import Channel, Chunk, FloatArray


def breathing(rate_per_min: float, seconds: float, *, rate_hz: float = 100.0) -> FloatArray:
    """Flow as a sine, L/s."""
    return 0.5 * np.sin(2.0 * np.pi * rate_per_min / 60.0 * np.arange(round(seconds * rate_hz)) / rate_hz)


@pytest.mark.parametrize(("steps", "is_told"), [(65_536, True), (64_500, True), (63_500, False), (60_000, False)])
def test_one_jump_of_sixteen_bits_is_a_counter(steps: int, *, is_told: bool) -> None:
    bit = 0.001
    rising = np.arange(30_000.0, 30_000.0 + 2_000.0)
    samples = bit * np.concatenate(
        (np.linspace(-steps / 2 + 4_000, 30_000, 4000).round(), rising, rising + 2_000.0 - steps)
    )
    low, high = float(samples.min()), float(samples.max())
    assert is_counter(samples, low, high) == is_told


def test_a_valve_that_opens_is_no_counter() -> None:
    samples = np.tile(np.repeat([0.0, 0.5, -0.4, 0.0], [30, 100, 20, 150]), 8)
    assert not is_counter(samples, -0.4, 0.5)


@pytest.mark.parametrize(("held", "expected"), [(0.3, 7), (0.4, 5), (np.nan, 5)])
def test_a_run_is_carried_from_look_to_look(held: float, expected: int) -> None:
    samples = np.concatenate((np.full(5, 0.3), np.arange(4.0)))
    longest, first, last = repeated(samples, held, 2.0)[-3:]
    assert (longest, first, last) == (expected, 5 - expected, 1)


@pytest.mark.parametrize("length", [25, 50, 125])
def test_a_run_of_the_length_asked_for_is_never_missed(length: int) -> None:
    for first in range(200):
        samples = np.arange(500.0)
        samples[first : first + length] = -1.0
        assert stands(samples, length)
    assert not stands(np.arange(500.0), length)


@pytest.mark.parametrize(("per_min", "expected"), [(0.0, -1), (6.0, 0), (12.0, 1), (18.0, 2), (24.0, 3)])
def test_changes_of_direction_are_counted(per_min: float, expected: int) -> None:
    assert changes(breathing(per_min, 5.0), 490) == expected


@pytest.mark.parametrize(
    ("per_min", "looks"),
    [(24.0, [10.0, 15.0, 20.0, 25.0, 30.0]), (12.0, [10.0, 20.0, 30.0]), (0.0, [10.0, 15.0, 20.0, 25.0, 30.0])],
)
def test_a_look_comes_after_five_seconds_or_ten(
    per_min: float, looks: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    look = Source.look

    def noted(source: Source, patient_class: str | None) -> Signals:
        seen.append(source.time_s(source.next))
        return look(source, patient_class)

    monkeypatch.setattr(Source, "look", noted)
    flow = breathing(per_min, 30.0)
    Suspicions().push(Chunk(source="x", start_s=0.0, rate_hz=100.0, channels={Channel.FLOW: flow}))
    assert seen == looks


@pytest.mark.parametrize(("good_s", "is_over"), [(20.0, False), (45.0, True)])
def test_half_a_minute_without_it_ends_a_suspicion(good_s: float, *, is_over: bool) -> None:
    flow = np.concatenate((60.0 * breathing(24.0, 20.0), breathing(24.0, good_s)))
    operator = Suspicions()
    told = operator.push(Chunk(source="x", start_s=0.0, rate_hz=100.0, channels={Channel.FLOW: flow}))
    assert next(one.values["rule"] for one in told) == "flow_too_large"
    assert any("over" in one.values for one in told) == is_over
