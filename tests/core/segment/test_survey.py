"""What the survey keeps in order is what a sort would give."""

from __future__ import annotations

import math
from statistics import median

import numpy as np
import pytest

from streamer.core.segment._survey import MEMORY, ORDERED, PAW, RIPPLE, ROWS, _middle, _quantile, _remember


@pytest.mark.parametrize("step", [0.0, 0.25], ids=["all different", "many alike"])
@pytest.mark.parametrize("unknown", [0.0, 0.2, 1.0])
def test_looks_are_kept_in_order(step: float, unknown: float) -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=3 * MEMORY)
    values = np.round(values / step) * step if step else values
    values[rng.random(values.size) < unknown] = math.nan
    memory = np.zeros((ROWS, MEMORY))
    for look, value in enumerate(values):
        _remember(memory, PAW, look, value)
        recent = np.sort(values[max(look + 1 - MEMORY, 0) : look + 1])
        np.testing.assert_array_equal(memory[ORDERED + PAW, : recent.size], recent)
        for share in (0.3, 0.5, 0.9):
            place = int(share * (recent.size - 1))
            np.testing.assert_array_equal(_quantile(memory, PAW, recent.size, share), recent[place])
    assert not memory[[RIPPLE, ORDERED + RIPPLE]].any()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 25, 124, 501])
def test_the_middle_of_many(count: int) -> None:
    rng = np.random.default_rng(count)
    for values in (
        rng.normal(size=count),
        np.sort(rng.normal(size=count)),
        np.round(rng.normal(size=count)),
        np.zeros(count),
    ):
        assert _middle(values.copy(), count) == median(values.tolist())
