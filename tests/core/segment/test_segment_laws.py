"""``segment``: nothing but the signal decides; not its cutting, its origin in time, its rate or the compiler."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulator import simulate
from adapters.simulator.scenario import Scenario, Sensor, Ventilator
from streamer.core.align import Aligner
from streamer.core.segment import Segmenter
from streamer.model.chunk import Block, Chunk
from tests.support.segment_waves import RATE, breaths_of, stacked_wave
from tests.support.simulated import lung as simulated_lung
from tests.support.simulated import segment
from tests.support.streams import Lung, chunk, cut, random_cuts, same_breath, segmented


@pytest.mark.parametrize("shift_s", [4096.0, -512.0])
def test_a_shift_in_time_changes_nothing(shift_s: float) -> None:
    wave = Lung(noise=0.01, leak=0.01).wave(60.0)
    here = breaths_of(wave.flow, wave.paw)
    there = breaths_of(wave.flow, wave.paw, start_s=shift_s)
    for one, other in zip(here, there, strict=True):
        assert other.start_s == pytest.approx(one.start_s + shift_s, abs=1e-9)
        times = {"start_s": 0.0, "end_s": 0.0, "onset_s": 0.0, "insp_end_s": 0.0}
        assert same_breath(replace(one, **times), replace(other, **times))


@pytest.mark.parametrize("rate_hz", [25.0, 50.0, 200.0, 500.0])
def test_the_rate_hardly_matters(rate_hz: float) -> None:
    lung = Lung(vt=0.45, period=3.37, tau=0.6, leak=0.01)
    fine, coarse = lung.wave(120.0), lung.wave(120.0, rate_hz)
    ours = [b.start_s for b in breaths_of(fine.flow, fine.paw)]
    theirs = [b.start_s for b in breaths_of(coarse.flow, coarse.paw, rate_hz=rate_hz)]
    assert theirs[5:] == pytest.approx(ours[5:], abs=1.5 / min(rate_hz, RATE))


def assert_same(one, other) -> None:
    assert len(one.breaths) == len(other.breaths)
    assert all(map(same_breath, one.breaths, other.breaths))
    assert one.notices == other.notices


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31), leak=st.sampled_from([0.0, 0.02]), pcv=st.booleans(), noise=st.sampled_from([0, 0.02])
)
def test_whole_equals_parts(seed: int, leak: float, *, pcv: bool, noise: float) -> None:
    wave = Lung(leak=leak, noise=noise, period=2.9).wave(70.0, pcv=pcv)
    flow = wave.flow.copy()
    flow[3000:3030] = np.nan
    flow[5000:5150] = np.nan
    whole = chunk(flow, wave.paw, start_s=3.3)
    assert_same(segmented(cut(whole, random_cuts(flow.size, seed))), segmented([whole]))


def test_whole_equals_single_samples() -> None:
    for wave in (Lung(noise=0.02, leak=0.01).wave(70.0), stacked_wave()):
        whole = wave.chunk()
        assert_same(segmented(cut(whole, range(1, len(whole)))), segmented([whole]))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), noise=st.sampled_from([0.0, 0.05, 0.2]))
def test_no_breath_ends_before_the_watermark(seed: int, noise: float) -> None:
    wave = Lung(noise=noise, period=1.9).wave(40.0)
    aligner, segmenter = Aligner(), Segmenter()
    before = segmenter.watermark_s
    for piece in cut(wave.chunk(), random_cuts(wave.flow.size, seed)):
        for placed in aligner.push(piece):
            assert isinstance(placed, Block)
            assert all(breath.end_s > before for breath in segmenter.push(placed))
        assert segmenter.watermark_s >= before
        before = segmenter.watermark_s
    assert wave.flow.size / RATE - 0.8 < before < wave.flow.size / RATE
    assert all(breath.end_s > before for breath in segmenter.close())


def test_memory_is_bounded_and_breaths_are_read_only() -> None:
    wave = Lung().wave(40.0)
    aligner, segmenter = Aligner(), Segmenter()
    sizes = set()
    for k in range(200):
        for placed in aligner.push(chunk(wave.flow, wave.paw, start_s=40.0 * k)):
            assert isinstance(placed, Block)
            for breath in segmenter.push(placed):
                assert not breath.flow.flags.writeable
                assert breath.flow.base is None
        sizes.add(segmenter._samples.nbytes)
    assert len(sizes) == 1
    assert sizes.pop() < 200_000


PLAIN = """
from tests.support.streams import Lung, segmented
for wave in (Lung(noise=0.02, leak=0.02).wave(60.0), Lung().wave(60.0, pcv=True)):
    for b in segmented([wave.chunk()]).breaths:
        print(b.number, b.start_s, b.end_s, b.insp_end_s, b.leak_conductance, b.leak_frac, sorted(b.flags))
"""


def test_compiled_and_plain_source_agree() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", PLAIN],
            cwd=Path(__file__).parents[3],
            env={**os.environ, "NUMBA_DISABLE_JIT": flag},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for flag in ("0", "1")
    ]
    assert outputs[0].count("\n") > 25
    assert outputs[0] == outputs[1]


NOISY = [
    (seed, noise, rate_hz) for seed in range(12) for noise in (0.0, 1.0, 3.0, 5.0) for rate_hz in (50.0, 100.0, 200.0)
]
"""Seed, SD of white noise on flow in L/min, Hz; the rule was tuned on others."""


def beginning(seed: int, noise: float, rate_hz: float) -> Chunk:
    """Pressure control from its first sample on; flow there is noise."""
    ventilator = Ventilator(
        mode="pcv", rate_per_min=15, inspiratory_pressure_cmh2o=14, ti_s=1.3, rise_s=0.15, peep_cmh2o=5
    )
    part = segment(simulated_lung(0.045, 10.0), ventilator, Sensor(flow_noise_l_min=noise, paw_noise_cmh2o=0.1))
    scenario = Scenario(duration_s=20, rate_hz=rate_hz, seed=3000 + seed, first_onset_s=0.0, segments=(part,))
    return next(iter(simulate(scenario).chunks(100.0)))


@pytest.mark.parametrize(("seed", "noise", "rate_hz"), NOISY)
def test_a_breath_that_begins_with_the_file_is_found_in_noise(seed: int, noise: float, rate_hz: float) -> None:
    starts = [one.start_s for one in segmented([beginning(seed, noise, rate_hz)]).breaths]
    assert starts == pytest.approx([0.0, 4.0, 8.0, 12.0, 16.0], abs=0.1)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("single", [False, True])
def test_cutting_changes_nothing_where_noise_hides_the_first_onset(seed: int, *, single: bool) -> None:
    """Nor does a breath come to end before what was said to be settled."""
    whole = beginning(seed, 5.0, 50.0)
    cuts = [0, *sorted(random_cuts(len(whole), seed, single=single)), len(whole)]
    aligner, segmenter, found = Aligner(), Segmenter(), []
    for first, last in pairwise(cuts):
        settled_s = segmenter.watermark_s
        for block in aligner.push(whole.cut(first, last)):
            breaths = segmenter.push(block) if isinstance(block, Block) else []
            assert all(one.end_s > settled_s for one in breaths)
            found += breaths
    found += segmenter.close()
    expected = segmented([whole]).breaths
    assert [(one.start_s, one.end_s, one.flags) for one in found] == [
        (one.start_s, one.end_s, one.flags) for one in expected
    ]
