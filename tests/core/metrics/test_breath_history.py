"""What recent breaths of a bed say about the next one."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest

from streamer.core.metrics import Fold, Memory, nothing
from streamer.core.metrics.breath_history import MEMORY, NO_PAST
from tests.support.analytic_breaths import breath, vcv

ONE = vcv()


class Seen(NamedTuple):
    plain: float = 20.0
    error: float = 0.01
    strained: bool = False


def folded(inspired: float = 0.5, expired: float = 0.5, **fields: float) -> Fold:
    return nothing()._replace(tidal_insp=inspired, tidal_exp=expired, **fields)


def test_nothing_is_known_at_first_and_after_a_break() -> None:
    memory = Memory()
    assert memory.past() == NO_PAST
    memory.push(ONE, folded(), Seen())
    memory.hold = (49.0, 12.0)
    memory.forget()
    volumes = ((folded().tidal_insp, folded().tidal_exp),)
    assert memory.past() == NO_PAST._replace(hold_crs=49.0, hold_at_s=12.0, volumes=volumes)  # they outlive a gap


def test_medians_and_their_spread() -> None:
    memory = Memory()
    for elastance in (19.0, 20.0, 21.0, 20.0, 20.0):
        memory.push(ONE, folded(expired=0.45), Seen(elastance))
    past = memory.past()
    assert (past.breaths, past.elastance, past.spread, past.error) == (5, 20.0, 0.0, 0.01)
    assert past.unclosed == pytest.approx(0.1)
    assert past.period_spread == past.ti_spread == 0.0


def test_only_the_newest_count() -> None:
    memory = Memory()
    for elastance in [50.0] * MEMORY + [20.0] * MEMORY:
        memory.push(ONE, folded(), Seen(elastance))
    assert memory.past().breaths == MEMORY
    assert (memory.past().elastance, memory.past().spread) == (20.0, 0.0)


@pytest.mark.parametrize("wild", [math.nan, -5.0, math.inf])
def test_breaths_without_an_elastance_are_far_off(wild: float) -> None:
    memory = Memory()
    for elastance in (20.0, wild, 20.0, wild, wild):
        memory.push(ONE, folded(), Seen(elastance))
    assert memory.past().spread == math.inf


def test_gas_blown_in_between_is_no_breath() -> None:
    memory = Memory()
    for inspired in (0.5, 0.06, 0.5, 0.06, 0.5):
        memory.push(ONE, folded(inspired), Seen())
    assert memory.past().breaths == 3


def test_smaller_breaths_are_the_rule_after_eight() -> None:
    memory = Memory()
    for inspired in [0.8] * 4 + [0.15] * 12:
        memory.push(ONE, folded(inspired, inspired), Seen())
    assert memory.past().breaths > 4


def test_a_hold_makes_neither_period_nor_inspiration_uneven() -> None:
    memory = Memory()
    held = breath(ONE.flow, ONE.paw, ONE.insp_end, end_s=ONE.end_s + 0.6, insp_end_s=ONE.insp_end_s + 0.6)
    stopped = {"hold_s": 0.6, "hold_stop": 2.0, "hold_share": 1.0}
    for one, fields in ((ONE, {}), (held, stopped), (held, stopped), (ONE, {})):
        memory.push(one, folded(**fields), Seen())
    assert memory.past().period_spread == pytest.approx(0.0, abs=1e-9)
    assert memory.past().ti_spread == pytest.approx(0.0, abs=1e-9)


def test_efforts_are_counted_by_label_and_by_what_a_breath_shows() -> None:
    memory = Memory()
    for strained, labelled in ((False, False), (True, False), (False, True), (False, False)):
        memory.push(ONE, folded(), Seen(strained=strained), labelled=labelled)
    assert memory.past().efforts == 0.5


@pytest.mark.parametrize(
    ("periods", "spread"),
    [
        ([4.0, 4.0, 5.0, 6.0, 4.0], 0.0),
        ([4.0, 3.9, 3.8], 0.1 / 3.9),
        ([4.0, 4.0, 3.8, 3.0, 4.0], 0.05),
        ([4.0, 4.0, 3.0, 4.0, 4.0, 4.0, 4.0, 4.0], 0.0),
    ],
    ids=["longer", "shortest of three", "shortest but one of five", "one onset"],
)
def test_what_is_uneven_is_shorter(periods: list[float], spread: float) -> None:
    """A hold and a breath that was missed lengthen a period; only a patient shortens it, more than once."""
    memory = Memory()
    for period_s in periods:
        memory.push(breath(ONE.flow, ONE.paw, ONE.insp_end, end_s=period_s), folded(), Seen())
    assert memory.past().period_spread == pytest.approx(spread)


def test_the_spread_of_volumes_counts_breaths_not_gas_blown_in() -> None:
    memory = Memory()
    for inspired in (0.50, 0.51, 0.05, 0.49, 0.50):
        memory.push(ONE, folded(inspired, inspired), Seen())
    assert memory.past().vt_spread == pytest.approx(1.4826 * 0.005 / 0.5)


def test_a_pause_that_passes_for_a_hold_in_some_breaths_leaves_the_pace_even() -> None:
    memory = Memory()
    paused = {"hold_s": 0.31, "hold_stop": 2.0, "hold_share": 1.0}
    for fields in ({}, paused, {}, {}, paused, paused, {}, {}):
        memory.push(ONE, folded(**fields), Seen())
    assert memory.past().period_spread == 0.0
