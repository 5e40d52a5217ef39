"""Which end-tidal PCO2 is a breath's own while nothing but the capnogram tells: early falls, dilution, no delay."""

from __future__ import annotations

import dataclasses
import math

import pytest

from streamer.core.align._co2_end import ALIKE_MMHG, DILUTED, EMPTYING_S, SLOWEST_S, UNSEEN_MMHG, shown_of
from streamer.core.align.capnogram import Fall
from tests.support.analytic_breaths import vcv

ONE = dataclasses.replace(vcv(rr=12.0), start_s=0.0, end_s=5.0, insp_end_s=1.0)


class Falls:
    """What a capnogram has heard."""

    def __init__(self, *falls: Fall) -> None:
        self._falls = falls

    def falls(self, since_s: float, until_s: float) -> list[Fall]:
        return [fall for fall in self._falls if fall.at_s >= since_s and fall.told_s <= until_s]

    def last_fall(self, until_s: float) -> Fall | None:
        return next((fall for fall in reversed(self._falls) if fall.told_s <= until_s), None)


def fall(at_s: float, end_tidal: float = 40.0, speed: float = 0.0, tau_s: float = 0.02) -> Fall:
    """``speed``: of PCO2 before it, mmHg/s."""
    return Fall(at_s, end_tidal, 0.0, tau_s, at_s + 0.1, speed * tau_s, 0.0)


def has_end(*falls: Fall, delay_s: float = 0.0, is_prompt: bool = True) -> bool:
    shown = shown_of(ONE, Falls(*falls), ONE.end_s + 0.8, delay_s, is_prompt=is_prompt)  # type: ignore[arg-type]
    assert shown.inspired == 0.0, "what is inspired is seen all the same"
    return not math.isnan(shown.end_tidal)


@pytest.mark.parametrize("delay_s", [0.0, 0.3, math.nan])
@pytest.mark.parametrize(
    ("before_end_s", "speed", "seen"),
    [
        (0.0, 9.0, True),
        (0.55, 9.0, True),
        (0.65, 0.9 * UNSEEN_MMHG / EMPTYING_S, True),
        (0.65, 1.1 * UNSEEN_MMHG / EMPTYING_S, False),
        (2.0, 9.0, False),
        (3.9, 9.0, True),
    ],
)
def test_a_fall_in_expiration_hides_its_end(before_end_s: float, speed: float, delay_s: float, *, seen: bool) -> None:
    """A leak that takes more than the lung gives: PCO2 would have risen on."""
    late_s = 0.0 if math.isnan(delay_s) else delay_s
    assert has_end(fall(ONE.end_s - before_end_s + late_s, speed=speed), delay_s=delay_s) == seen


@pytest.mark.parametrize(("part", "seen"), [(0.9, True), (1.1, False)])
def test_other_gas_dilutes_the_end(part: float, *, seen: bool) -> None:
    """It falls while it lasts, falls slowly at last, or has fallen far within the breath."""
    assert has_end(fall(ONE.end_s, speed=-part * UNSEEN_MMHG / EMPTYING_S)) == seen
    assert has_end(fall(ONE.end_s, tau_s=part * SLOWEST_S)) == seen
    assert has_end(fall(ONE.end_s - 1.0), fall(ONE.end_s, 40.0 * (1.0 - part * (1.0 - DILUTED)))) == seen


@pytest.mark.parametrize(("apart", "seen"), [(0.9, True), (1.1, False)])
def test_without_a_delay_neighbours_have_to_be_alike(apart: float, *, seen: bool) -> None:
    falls = fall(ONE.start_s + 0.1), fall(ONE.end_s, 40.0 + apart * ALIKE_MMHG)
    assert has_end(*falls, delay_s=math.nan, is_prompt=False) == seen
    assert has_end(*falls)


def test_an_end_long_ago_is_none() -> None:
    old = fall(ONE.end_s - 16.0)
    assert math.isnan(shown_of(ONE, Falls(old), 6.0, 0.0, is_prompt=True).end_tidal)  # type: ignore[arg-type]


@pytest.mark.parametrize(("tau_s", "seen"), [(0.09, False), (0.11, True)])
def test_the_fall_before_inspiration_ends_another_breath(tau_s: float, *, seen: bool) -> None:
    """As after a double trigger. A slow sensor's own fall may be told when the breath has left."""
    assert has_end(fall(ONE.insp_end_s - 0.1, tau_s=tau_s)) == seen
    assert has_end(fall(ONE.insp_end_s - 0.1, tau_s=tau_s), fall(ONE.end_s))


@pytest.mark.parametrize("delay_s", [0.0, 0.3])
def test_what_a_heart_draws_in_expiration_is_not_what_was_inspired(delay_s: float) -> None:
    """The first fall of an expiration knows the inspiration before it, later ones a dip between beats."""
    first, last = (fall(at_s + delay_s)._replace(inspired=low, to_fall=low) for at_s, low in ((4.0, 0.3), (4.9, 7.0)))
    before = fall(ONE.start_s)._replace(inspired=-1.0)
    shown = shown_of(ONE, Falls(before, first, last), 6.0, delay_s, is_prompt=True)  # type: ignore[arg-type]
    assert (shown.inspired, shown.to_fall, shown.end_tidal) == (0.3, 0.3, last.end_tidal)
