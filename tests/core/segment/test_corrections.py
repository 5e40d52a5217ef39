"""Leak and zero offset as the segmenter finds them in waves, and hands them on with each breath."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.model.breath import Breath
from streamer.model.chunk import FloatArray
from streamer.model.units import S_PER_MIN
from tests.support.streams import Lung, chunk, segmented

RATE = 100.0
LEARNED = 4
"""Breaths until three complete ones were seen."""
NOTHING = 1e-12
"""(L/s)/sqrt(cmH2O): rounding."""


def paused(offset_l_min: float) -> list[Breath]:
    """Volume control with an occlusion of 0.5 s, of a sensor that is off."""
    flow, paw = cycle(hold_s=0.5)
    return segmented([chunk(np.tile(flow, 10) + offset_l_min / S_PER_MIN, np.tile(paw, 10))]).breaths


def cycle(hold_s: float) -> tuple[FloatArray, FloatArray]:
    held = round(hold_s * RATE)
    out = -np.exp(-np.arange(300) / 40.0)
    out *= 50.0 / -out.sum()
    flow = np.concatenate([np.full(100, 0.5), np.zeros(held), out])
    return flow, np.concatenate([np.linspace(8.0, 20.0, 100), np.full(held, 17.0), np.full(300, 5.0)])


@pytest.mark.parametrize("offset_l_min", [-2.0, 2.0])
def test_a_zero_offset_is_taken_from_pauses(offset_l_min: float) -> None:
    late = paused(offset_l_min)[LEARNED:-1]
    assert [one.flow_zero * S_PER_MIN for one in late] == pytest.approx([offset_l_min] * len(late), abs=0.05)
    assert max(one.leak_conductance for one in late) < NOTHING
    assert [one.start_s % 4.5 for one in late] == pytest.approx([4.49] * len(late), abs=0.02)


def test_without_a_pause_no_zero_is_known() -> None:
    """End-expiratory flow of 2 L/min may be an offset, a leak, or gas that is trapped."""
    wave = Lung().wave(60.0)
    late = segmented([chunk(wave.flow - 2.0 / S_PER_MIN, wave.paw)]).breaths[LEARNED:-1]
    assert {one.flow_zero for one in late} == {0.0}


@pytest.mark.parametrize("gain", [1.08, 1.11, 1.2])
def test_an_inspiratory_sensor_that_reads_high_is_no_leak(gain: float) -> None:
    """Nothing flows where the lung comes to rest: 0.3 L/min less than a leak would."""
    wave = Lung().wave(80.0)
    flow = np.where(wave.flow > 0.0, gain * wave.flow, wave.flow)
    late = segmented([chunk(flow, wave.paw)]).breaths[LEARNED:-1]
    assert max(one.leak_conductance for one in late) * S_PER_MIN < 0.05
    assert late[-1].leak_frac == pytest.approx(1.0 - 1.0 / gain, abs=0.01)


def test_a_bout_of_coughs_and_double_triggers_is_no_leak() -> None:
    """Breaths that keep 0.8 L and breaths that return it."""
    flow, paw = cycle(hold_s=0.0)
    keeps, returns = flow.copy(), flow.copy()
    keeps[100:] = -0.02
    returns[100:] *= 2.0 - keeps[100:].sum() / flow[100:].sum()
    parts = [flow] * 5 + [keeps, returns, keeps, returns, keeps, returns] + [flow] * 3
    breaths = segmented([chunk(np.concatenate(parts), np.tile(paw, len(parts)))]).breaths
    assert max(one.leak_conductance for one in breaths) < NOTHING
    assert len(breaths) >= len(parts) - 1


@pytest.mark.parametrize(("before", "after"), [(2.0, 12.0), (9.0, 1.0)])
def test_a_leak_that_jumps_is_found_again_within_ten_breaths(before: float, after: float) -> None:
    wave = Lung().wave(160.0)
    g = np.where(np.arange(wave.flow.size) < 80 * RATE, before, after) / S_PER_MIN
    breaths = segmented([chunk(wave.flow + g * np.sqrt(wave.paw), wave.paw)]).breaths
    late = [one for one in breaths if one.start_s > 121.0][:-1]
    assert [one.leak_conductance * S_PER_MIN for one in late] == pytest.approx([after] * len(late), rel=0.05, abs=0.15)
    assert [one.start_s for one in late] == pytest.approx(wave.marks_s[-len(late) - 1 : -1], abs=0.05)
    assert len(late) >= 8


def test_a_zero_outlasts_a_gap() -> None:
    """The sensor is the same; three breaths after it agree."""
    flow, paw = cycle(hold_s=0.5)
    after, low = cycle(hold_s=0.0)
    parts = [
        chunk(np.tile(flow + 2.0 / S_PER_MIN, 8), np.tile(paw, 8)),
        chunk(np.tile(after + 2.0 / S_PER_MIN, 10), np.tile(low, 10), start_s=50.0),
    ]
    late = [one for one in segmented(parts).breaths if one.start_s > 50.0 + LEARNED * 4.0][:-1]
    assert len(late) >= 3
    assert [one.flow_zero * S_PER_MIN for one in late] == pytest.approx([2.0] * len(late), abs=0.1)
