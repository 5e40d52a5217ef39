"""A channel that stands still in one breath: what tells it from one that may."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.core.signal_checks import Standing
from streamer.model.flags import Flag
from tests.support.analytic_breaths import breath

TIME_S = np.arange(400) / 100.0
NOISE = np.random.default_rng(3).standard_normal((2, 400))
FLOW = np.where(TIME_S < 1.0, 0.5, -0.5 * np.exp(3.0 * (1.0 - TIME_S))) + 0.001 * NOISE[1]
PAW = np.where(TIME_S < 1.0, 20.0, 5.0)


def is_suspect(standing: Standing, paw: np.ndarray) -> bool:
    return Flag.PAW_SUSPECT in standing.add(breath(FLOW, paw, 100))


@pytest.mark.parametrize(("still_from", "is_seen"), [(180, True), (250, True), (360, False)])
def test_a_channel_that_falls_silent_at_rest_is_still_for_longer_than_it_ever_was(
    still_from: int, *, is_seen: bool
) -> None:
    standing = Standing()
    assert not is_suspect(standing, PAW + 0.1 * NOISE[0])
    silent = np.where(np.arange(400) < still_from, PAW + 0.1 * NOISE[0], 5.1)  # flow hardly moves any more
    assert is_suspect(standing, silent) == is_seen
    for _ in range(3):  # the noise of the last live breath is remembered
        assert is_suspect(standing, np.full(400, 5.1))


def test_coarse_steps_that_hide_the_noise_at_rest_in_every_breath_are_no_silence() -> None:
    standing = Standing()
    for _ in range(3):
        assert not is_suspect(standing, np.where(TIME_S < 2.1, np.round(PAW + 0.8 * NOISE[0]), 5.0))
