"""``segment``: the state machine on waveforms whose breaths are known, and that nothing but the signal decides."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from streamer.core.segment import SegmentSettings, segment_settings
from streamer.model.flags import Flag
from tests.support.segment_waves import RATE, breaths_of, stacked_wave
from tests.support.streams import Lung, chunk, cut, segmented


@pytest.mark.parametrize("pcv", [False, True])
@pytest.mark.parametrize("phase", [0.5, 0.5031, 0.4962])
def test_onsets_are_found_where_flow_crosses(*, pcv: bool, phase: float) -> None:
    lung = Lung(phase=phase)
    wave = lung.wave(60.0, pcv=pcv)
    breaths = breaths_of(wave.flow, wave.paw)
    onsets = lung.onsets_s(60.0)
    assert [b.start_s for b in breaths] == pytest.approx(onsets, abs=1 / RATE)
    assert [b.insp_end_s for b in breaths[:-1]] == pytest.approx(onsets[:-1] + lung.ti, abs=1 / RATE)
    assert [b.number for b in breaths] == list(range(len(breaths)))
    assert [sorted(b.flags) for b in breaths] == [["truncated"], *[[]] * (len(breaths) - 2), ["truncated"]]


def test_neighbours_share_one_sample_and_partition_the_signal() -> None:
    wave = Lung(noise=0.01).wave(60.0)
    breaths = breaths_of(wave.flow, wave.paw)
    for one, other in pairwise(breaths):
        assert one.end_s == other.start_s
        assert one.flow[-1] == other.flow[0]
        assert one.paw[-1] == other.paw[0]
        assert other.onset_s == pytest.approx(one.onset_s + (one.flow.size - 1) / RATE)
        assert 0 < one.insp_end < one.flow.size - 1
        assert one.flow[one.insp_end - 1] >= -1 / 60 > one.flow[one.insp_end]
        assert one.onset_s <= one.start_s <= one.onset_s + 1 / RATE
    first = round(breaths[0].onset_s * RATE)
    last = first + sum(b.flow.size - 1 for b in breaths)
    parts = sum(np.trapezoid(b.flow) for b in breaths)
    assert last == wave.flow.size - 1
    assert parts == pytest.approx(np.trapezoid(wave.flow[first:]))


def test_the_onset_is_interpolated() -> None:
    ramp = np.concatenate([np.full(50, -0.1), np.arange(-0.1, 0.6, 0.013), np.full(50, -0.4), np.full(200, -0.02)])
    flow = np.tile(ramp, 4)
    crossing = 50 + (2 / 60 + 0.1) / 0.013
    starts = [b.start_s * RATE for b in breaths_of(flow)]
    assert starts == pytest.approx(crossing + ramp.size * np.arange(4), abs=1e-6)


@pytest.mark.parametrize("sd_l_min", [0.3, 1.0, 1.5])
@pytest.mark.parametrize("offset_l_min", [-1.0, 0.0, 1.0])
def test_noise_alone_makes_no_breaths(sd_l_min: float, offset_l_min: float) -> None:
    rng = np.random.default_rng(3)
    flow = (offset_l_min + rng.normal(0.0, sd_l_min, 360_000)) / 60
    assert breaths_of(flow, 5 + rng.normal(0, 0.2, flow.size)) == []


def test_cardiac_oscillations_make_no_breaths() -> None:
    t = np.arange(360_000) / RATE
    flow = 3.0 / 60 * np.sin(2 * np.pi * 1.2 * t) + np.random.default_rng(1).normal(0, 0.5 / 60, t.size)
    assert breaths_of(flow) == []


def test_flow_that_hovers_before_delivery_does_not_move_the_onset() -> None:
    """Ventilators triggered by flow let the patient draw a few L/min before they deliver."""
    cycle = np.concatenate([np.full(60, 4 / 60), np.full(100, 0.5), -0.9 * np.exp(-np.arange(250) / 50)])
    starts = np.array([b.start_s for b in breaths_of(np.tile(cycle, 5))])
    assert starts == pytest.approx((60 + 410 * np.arange(1, 5)) / RATE, abs=0.1)


def test_a_pressure_rise_before_the_flow_belongs_to_the_breath() -> None:
    """Against a lung that still empties pressure rises first: it must not pass for end-expiratory pressure."""
    flow = np.concatenate(
        [np.full(20, 0.4), np.linspace(0.3, 0.0, 80), np.linspace(-0.5, -0.2, 150), np.full(20, -0.1)]
    )
    paw = np.concatenate([np.full(100, 20.0), np.full(150, 5.0), np.linspace(6.0, 19.0, 20)])
    late = breaths_of(np.tile(flow, 6), np.tile(paw, 6))[2:-1]
    assert all(max(b.paw[b.insp_end + 5 : -1]) < 9 for b in late)
    assert [b.start_s % 2.7 for b in late] == pytest.approx([2.5] * len(late), abs=0.04)


def test_an_expiratory_hold_is_not_an_onset() -> None:
    wave = Lung(vt=0.5, period=3.0, tau=1.5).wave(30.0)
    stop = 349  # just before an onset: flow stands still for 3 s, pressure rises to alveolar pressure
    flow = np.insert(wave.flow, stop, np.zeros(300))
    paw = np.insert(wave.paw, stop, np.linspace(5.0, 9.0, 300).clip(max=8.5))
    paw[stop : stop + 20] = np.linspace(5.0, 8.5, 20)
    paw[stop + 20 : stop + 300] = 8.5
    held, free = breaths_of(flow, paw), breaths_of(wave.flow, wave.paw)
    assert len(held) == len(free)
    assert held[1].start_s == pytest.approx(free[1].start_s + 3.0, abs=0.02)


def test_a_breath_upon_a_breath_is_stacked() -> None:
    wave = stacked_wave()
    breaths = breaths_of(wave.flow, wave.paw)
    assert [i for i, b in enumerate(breaths) if Flag.STACKED in b.flags] == [2]
    assert breaths[3].start_s == pytest.approx(9.5, abs=0.02)
    assert breaths[2].insp_end == breaths[2].flow.size - 1
    assert breaths[2].insp_end_s == breaths[2].end_s


def test_a_patient_drawing_harder_is_no_new_breath() -> None:
    t = np.arange(100) / RATE
    swell = 0.6 - 0.5 * np.sin(np.pi * t) * (t < 0.9) + 0.3 * (t > 0.9)
    flow = np.tile(np.concatenate([swell, -0.8 * np.exp(-np.arange(300) / 60)]), 5)
    assert len(breaths_of(np.roll(flow, 100))) == 5


def test_apnoea_closes_the_breath_and_the_next_one_is_whole() -> None:
    wave = Lung(phase=0.5).wave(20.0)
    still = np.zeros(4000)
    flow = np.concatenate([wave.flow, still, wave.flow])
    paw = np.concatenate([wave.paw, still + 5, wave.paw])
    result = segmented(cut(chunk(flow, paw), range(1, flow.size)))
    (index,) = [i for i, b in enumerate(result.breaths) if Flag.APNOEA in b.flags]
    closed, following = result.breaths[index : index + 2]
    assert closed.end_s - closed.start_s == pytest.approx(15.0, abs=0.02)
    assert following.start_s == pytest.approx(60.5, abs=0.02)
    assert following.flags == frozenset()
    assert result.lags_s[index] <= 0.02


def test_a_hold_that_never_ends_is_closed_too() -> None:
    wave = Lung().wave(9.0)
    flow = np.concatenate([wave.flow[:550], np.zeros(3000)])  # inspired, never expired
    breaths = breaths_of(flow)
    assert [sorted(b.flags) for b in breaths] == [["truncated"], ["apnoea"]]


def test_first_and_last_breath_are_truncated_and_a_gap_cuts_one() -> None:
    wave = Lung().wave(40.0)
    one, other = chunk(wave.flow[:2000], wave.paw[:2000]), chunk(wave.flow[2200:], wave.paw[2200:], start_s=22.0)
    result = segmented([one, other])
    flagged = [(b.number, sorted(b.flags)) for b in result.breaths if b.flags]
    assert flagged == [(0, ["truncated"]), (4, ["gap", "truncated"]), (5, ["after_gap"]), (8, ["truncated"])]
    assert result.breaths[4].end_s == pytest.approx(19.99)
    assert result.breaths[5].start_s == pytest.approx(24.5, abs=0.01)


@pytest.mark.parametrize(("missing", "flags"), [(4, set()), (20, {Flag.GAP_SHORT}), (50, {Flag.GAP})])
def test_bridged_samples_flag_the_breath_they_lie_in(missing: int, flags: set[Flag]) -> None:
    wave = Lung().wave(40.0)
    flow = wave.flow.copy()
    flow[1700 : 1700 + missing] = np.nan
    breaths = breaths_of(flow, wave.paw)
    assert len(breaths) == 10
    assert breaths[4].flags == flags
    assert breaths[4].interpolated == missing
    assert all(b.interpolated == 0 and not b.flags for b in breaths[5:9])


def test_pressure_that_comes_and_goes_spoils_the_breath() -> None:
    wave = Lung().wave(40.0)
    parts = [chunk(wave.flow[:1800], wave.paw[:1800]), chunk(wave.flow[1800:], start_s=18.0)]
    breaths = segmented(parts).breaths
    assert [Flag.GAP in b.flags for b in breaths] == [i == 4 for i in range(10)]


def test_flow_alone_is_enough() -> None:
    wave = Lung().wave(40.0)
    breaths = breaths_of(wave.flow)
    assert len(breaths) == 10
    assert np.isnan(breaths[3].paw).all()
    assert breaths[3].pco2 is None
    assert breaths[3].flags == frozenset()


@pytest.mark.parametrize("leak_l_min", [6.0, 12.0, 20.0])
@pytest.mark.parametrize("pcv", [False, True])
def test_a_leak_is_found_and_taken_off(*, leak_l_min: float, pcv: bool) -> None:
    tight = Lung().wave(120.0, pcv=pcv)
    g = leak_l_min / 60 / np.sqrt(tight.paw).mean()
    wave = replace(Lung(), leak=g, noise=0.005).wave(120.0, pcv=pcv)
    breaths = breaths_of(wave.flow, wave.paw)
    assert 29 <= len(breaths) <= 30  # the first onset may be hidden: nothing is known of the leak yet
    settled = breaths[-20:-1]
    assert [b.leak_conductance for b in settled] == pytest.approx([g] * len(settled), rel=0.02)
    assert [b.start_s for b in settled] == pytest.approx(wave.marks_s[-20:-1], abs=0.05)
    vti, vte = np.maximum(wave.flow[850:951], 0).sum(), np.maximum(-wave.flow[951:1250], 0).sum()
    assert settled[-1].leak_frac == pytest.approx(1 - vte / vti, abs=0.03)


def test_the_leak_makes_no_half_breaths_before_it_is_taken_off() -> None:
    """Gas flows through the leak at PEEP; the valve opens where pressure rises."""
    wave = Lung(leak=12.0 / 60 / 2.7).wave(60.0)
    breaths = breaths_of(wave.flow, wave.paw)
    starts = np.array([b.start_s for b in breaths])
    assert not any(Flag.STACKED in b.flags for b in breaths)
    off = np.abs(starts[:, None] - wave.marks_s).min(axis=1)
    assert off.max() < 0.05


def test_leak_fraction_needs_five_breaths() -> None:
    wave = Lung(leak=0.01).wave(60.0)
    known = [not math.isnan(b.leak_frac) for b in breaths_of(wave.flow, wave.paw)]
    assert known == [False] * 5 + [True] * (len(known) - 5)


def test_a_sensor_ratio_is_not_a_leak() -> None:
    wave = Lung().wave(80.0)
    flow = np.where(wave.flow < 0, 1.08 * wave.flow, wave.flow)
    last = breaths_of(flow, wave.paw)[-2]
    assert last.leak_conductance == 0.0
    assert last.leak_frac == pytest.approx(-0.08, abs=0.015)


def test_small_patients_need_their_own_settings() -> None:
    wave = Lung(vt=0.020, period=1.5, ti=0.6, tau=0.2).wave(60.0)
    assert len(segmented([chunk(wave.flow, wave.paw)], segment_settings("neonate")).breaths) == 40
    assert len(breaths_of(wave.flow, wave.paw)) < 5
    assert segment_settings("adult") == segment_settings(None) == SegmentSettings()
