"""What recent breaths of a bed say about the next one."""

from __future__ import annotations

import math

import pytest

from streamer.core.metrics import BreathFeatures, BreathHistory, no_features
from streamer.core.metrics.breath_history import MEMORY, NO_RECENT_BREATHS
from tests.support.analytic_breaths import breath
from tests.support.breath_snapshots import ONE, BreathSnapshot


def features(inspired: float = 0.5, expired: float = 0.5, **fields: float) -> BreathFeatures:
    return no_features()._replace(tidal_insp=inspired, tidal_exp=expired, **fields)


def test_nothing_is_known_at_first_and_after_a_break() -> None:
    memory = BreathHistory()
    assert memory.past() == NO_RECENT_BREATHS
    memory.add(ONE, features(), BreathSnapshot())
    memory.hold = (49.0, 12.0)
    memory.forget()
    volumes = ((features().tidal_insp, features().tidal_exp),)
    assert memory.past() == NO_RECENT_BREATHS._replace(
        hold_crs=49.0, hold_at_s=12.0, volumes=volumes
    )  # they outlive a gap


def test_medians_and_their_spread() -> None:
    memory = BreathHistory()
    for elastance in (19.0, 20.0, 21.0, 20.0, 20.0):
        memory.add(ONE, features(expired=0.45), BreathSnapshot(elastance))
    past = memory.past()
    assert (past.breaths, past.elastance, past.spread, past.error) == (5, 20.0, 0.0, 0.01)
    assert past.unclosed == pytest.approx(0.1)
    assert past.period_spread == past.ti_spread == 0.0


def test_only_the_newest_count() -> None:
    memory = BreathHistory()
    for elastance in [50.0] * MEMORY + [20.0] * MEMORY:
        memory.add(ONE, features(), BreathSnapshot(elastance))
    assert memory.past().breaths == MEMORY
    assert (memory.past().elastance, memory.past().spread) == (20.0, 0.0)


@pytest.mark.parametrize("wild", [math.nan, -5.0, math.inf])
def test_breaths_without_an_elastance_are_far_off(wild: float) -> None:
    memory = BreathHistory()
    for elastance in (20.0, wild, 20.0, wild, wild):
        memory.add(ONE, features(), BreathSnapshot(elastance))
    assert memory.past().spread == math.inf


def test_gas_blown_in_between_is_no_breath() -> None:
    memory = BreathHistory()
    for inspired in (0.5, 0.06, 0.5, 0.06, 0.5):
        memory.add(ONE, features(inspired), BreathSnapshot())
    assert memory.past().breaths == 3


def test_smaller_breaths_are_the_rule_after_eight() -> None:
    memory = BreathHistory()
    for inspired in [0.8] * 4 + [0.15] * 12:
        memory.add(ONE, features(inspired, inspired), BreathSnapshot())
    assert memory.past().breaths > 4


def test_a_hold_makes_neither_period_nor_inspiration_uneven() -> None:
    memory = BreathHistory()
    held = breath(ONE.flow, ONE.paw, ONE.insp_end, end_s=ONE.end_s + 0.6, insp_end_s=ONE.insp_end_s + 0.6)
    stopped = {"hold_s": 0.6, "hold_stop": 2.0, "hold_share": 1.0}
    for one, fields in ((ONE, {}), (held, stopped), (held, stopped), (ONE, {})):
        memory.add(one, features(**fields), BreathSnapshot())
    assert memory.past().period_spread == pytest.approx(0.0, abs=1e-9)
    assert memory.past().ti_spread == pytest.approx(0.0, abs=1e-9)


def test_efforts_are_counted_by_label_and_by_what_a_breath_shows() -> None:
    memory = BreathHistory()
    for strained, labelled in ((False, False), (True, False), (False, True), (False, False)):
        memory.add(ONE, features(), BreathSnapshot(strained=strained), labelled=labelled)
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
    memory = BreathHistory()
    for period_s in periods:
        memory.add(breath(ONE.flow, ONE.paw, ONE.insp_end, end_s=period_s), features(), BreathSnapshot())
    assert memory.past().period_spread == pytest.approx(spread)


def test_the_spread_of_volumes_counts_breaths_not_gas_blown_in() -> None:
    memory = BreathHistory()
    for inspired in (0.50, 0.51, 0.05, 0.49, 0.50):
        memory.add(ONE, features(inspired, inspired), BreathSnapshot())
    assert memory.past().vt_spread == pytest.approx(1.4826 * 0.005 / 0.5)


def test_a_pause_that_passes_for_a_hold_in_some_breaths_leaves_the_pace_even() -> None:
    memory = BreathHistory()
    paused = {"hold_s": 0.31, "hold_stop": 2.0, "hold_share": 1.0}
    for fields in ({}, paused, {}, {}, paused, paused, {}, {}):
        memory.add(ONE, features(**fields), BreathSnapshot())
    assert memory.past().period_spread == 0.0
