"""Share of gas that does not come back: sums over twenty breaths, of which a change leaves the newest three."""

from __future__ import annotations

import math

import pytest

from streamer.core.segment._leak_frac import LeakFraction


def after(*shares: float) -> list[float]:
    """What is found after each breath of 0.5 L, of which such a share does not come back."""
    found = LeakFraction(20, 5)
    values = []
    for share in shares:
        found.add(0.5, 0.5 * (1.0 - share))
        values.append(found.value)
    return values


def test_it_is_known_from_the_fifth_breath_on() -> None:
    values = after(*[0.1] * 6)
    assert [math.isnan(one) for one in values] == [True] * 4 + [False] * 2
    assert values[-1] == pytest.approx(0.1)


def test_an_open_circuit_is_forgotten() -> None:
    """Three breaths after it closes; five are needed for a number."""
    values = after(*[0.02] * 10, *[1.0] * 8, *[0.02] * 5)
    assert math.isnan(values[-2])
    assert values[-1] == pytest.approx(0.02)


@pytest.mark.parametrize(("change", "is_new"), [(0.09, False), (0.15, True)])
def test_a_small_change_is_averaged(change: float, *, is_new: bool) -> None:
    values = after(*[0.05] * 17, *[0.05 + change] * 5)
    assert (values[-1] == pytest.approx(0.05 + change)) is is_new


def test_breaths_that_differ_say_nothing_of_a_change() -> None:
    """Coughs: some keep gas, some return it."""
    values = after(*[0.0] * 15, 0.9, -0.6, 0.8)
    assert values[-1] == pytest.approx(1.1 / 18)
