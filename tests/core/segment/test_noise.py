"""Noise of the signal itself: what the survey finds, and that noise makes, ends and moves no breath."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.model.breath import Breath
from streamer.model.chunk import FloatArray
from streamer.model.units import S_PER_MIN
from tests.support.streams import Capture, Lung, chunk, segmented

SETTLED = 4
"""Breaths until leak and size are known."""


def breaths_of(wave: Capture, added: FloatArray | float = 0.0, paw: FloatArray | None = None) -> list[Breath]:
    given = wave.paw if paw is None else paw
    return segmented([chunk(wave.flow + added, given, rate_hz=wave.rate_hz)]).breaths


def noise_of(breaths: list[Breath]) -> float:
    """L/min, median of what complete breaths carry."""
    return float(np.median([one.flow_noise for one in breaths[1:-1]])) * S_PER_MIN


def white(wave: Capture, sd_l_min: float, seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(0.0, sd_l_min / S_PER_MIN, wave.flow.size)


@pytest.mark.parametrize("sd_l_min", [1.0, 2.5, 5.0, 10.0])
@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 250.0])
def test_white_noise_is_measured(sd_l_min: float, rate_hz: float) -> None:
    wave = Lung().wave(60.0, rate_hz)
    assert noise_of(breaths_of(wave, white(wave, sd_l_min, 11))) == pytest.approx(sd_l_min, rel=0.15)


@pytest.mark.parametrize(("hz", "l_min"), [(1.2, 8.0), (5.0, 4.0), (5.0, 8.0)], ids=["heart", "water", "more water"])
def test_what_is_slow_is_no_noise(hz: float, l_min: float) -> None:
    """Second differences of 5 Hz and 8 L/min at 100 Hz are 0.8 L/min at most: what they pass for is a twentieth."""
    wave = Lung().wave(60.0)
    t = np.arange(wave.flow.size) / wave.rate_hz
    assert noise_of(breaths_of(wave, l_min / S_PER_MIN * np.sin(2 * np.pi * hz * t))) <= 0.06 * l_min


def test_a_clean_signal_has_none() -> None:
    assert noise_of(breaths_of(Lung().wave(60.0))) < 0.01


@pytest.mark.parametrize("pcv", [False, True], ids=["vcv", "pcv"])
@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 200.0])
@pytest.mark.parametrize("sd_l_min", [2.5, 3.5, 5.0])
def test_noise_makes_no_breaths_and_moves_none(sd_l_min: float, rate_hz: float, *, pcv: bool) -> None:
    wave = Lung().wave(162.0, rate_hz, pcv=pcv)
    for seed in (21, 22):
        breaths = breaths_of(wave, white(wave, sd_l_min, seed))[SETTLED:]
        marks = wave.marks_s[-len(breaths) :]
        assert len(breaths) == wave.marks_s.size - SETTLED
        assert [one.start_s for one in breaths] == pytest.approx(marks, abs=0.060)


def test_more_than_a_breath_hides_makes_none_up() -> None:
    """15 L/min at 50 Hz, as high as expiration at its middle: breaths may be missed, but hardly one is invented."""
    wave = Lung().wave(162.0, 50.0)
    breaths = breaths_of(wave, white(wave, 15.0, 23))
    assert 0.9 * wave.marks_s.size <= len(breaths) <= 1.02 * wave.marks_s.size + 1


@pytest.mark.parametrize("sd_l_min", [2.5, 5.0, 10.0])
def test_noise_of_a_patient_who_does_not_breathe(sd_l_min: float) -> None:
    rng = np.random.default_rng(24)
    flow = rng.normal(0.0, sd_l_min / S_PER_MIN, 60_000)
    found = segmented([chunk(flow, 5.0 + rng.normal(0.0, 0.2, flow.size))]).breaths
    assert len(found) <= 1  # one may begin before the noise is known


@pytest.mark.parametrize("l_min", [4.0, 8.0])
@pytest.mark.parametrize("rate_hz", [50.0, 100.0])
def test_water_in_the_tube_makes_no_breaths(l_min: float, rate_hz: float) -> None:
    wave = Lung(period=3.0).wave(90.0, rate_hz)
    wobble = np.sin(2 * np.pi * 5.0 * np.arange(wave.flow.size) / rate_hz)
    breaths = breaths_of(wave, l_min / S_PER_MIN * wobble, wave.paw + l_min / 5.0 * wobble)
    assert len(breaths) == wave.marks_s.size
    assert [one.start_s for one in breaths[SETTLED:]] == pytest.approx(wave.marks_s[SETTLED:], abs=0.1)
