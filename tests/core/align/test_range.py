from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streamer.core.align._range import Range
from streamer.core.align.co2_wait import _with_co2
from streamer.model.breath import Breath, Edge
from tests.support.analytic_breaths import vcv


@pytest.mark.parametrize("digits", [1, 9], ids=["many alike", "all different"])
def test_it_is_that_of_the_values_of_late(digits: int) -> None:
    rng = np.random.default_rng(2)
    times = np.cumsum(rng.choice([0.0, 0.1, 3.0, 40.0], size=800, p=[0.1, 0.5, 0.35, 0.05]))
    values = np.round(np.cumsum(rng.normal(size=800)), digits)
    found = Range(30.0)
    for k, (at_s, value) in enumerate(zip(times.tolist(), values.tolist(), strict=True)):
        late = values[: k + 1][times[: k + 1] >= at_s - 30.0]
        assert found.add(at_s, value) == late.max() - late.min()


def test_it_keeps_no_more_than_it_needs() -> None:
    found = Range(10.0)
    for k in range(5000):
        found.add(0.1 * k, float(k % 2))
    assert len(found._rising) + len(found._falling) < 300


def test_a_capnogram_changes_nothing_else_of_a_breath() -> None:
    one, pco2, edge = vcv(), np.zeros(3), Edge(0.1, 0.2, 0.3)
    moved = _with_co2(one, pco2, edge)
    for field in dataclasses.fields(Breath):
        expected = {"pco2": pco2, "co2_edge": edge}.get(field.name, getattr(one, field.name))
        assert getattr(moved, field.name) is expected
