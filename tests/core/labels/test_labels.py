"""O-9: each label on synthetic cycles, and not on the cycle beside it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streamer.core.labels import Labeller
from streamer.core.metrics import extract_features
from streamer.model.flags import Flag
from streamer.model.records import NoticeKind
from tests.support.analytic_breaths import Lung, vcv
from tests.support.labelled_breaths import TRIGGERED, Ward, cycle, features


def test_normal_breaths_have_no_labels() -> None:
    assert not Ward().notices


@pytest.mark.parametrize(
    ("ti", "flag"), [(0.49, Flag.SHORT_CYCLE), (0.51, None), (1.99, None), (2.01, Flag.LONG_CYCLE)]
)
def test_short_and_long_cycles(ti: float, flag: Flag | None) -> None:
    assert Ward().push(cycle(ti=ti)) == ({flag} if flag else set())


def test_no_label_before_there_is_a_mean() -> None:
    ward = Ward(normal=4)
    assert not ward.push(cycle(ti=0.3))


def test_double_trigger_by_a_short_expiration_after_a_triggered_breath() -> None:
    ward = Ward()
    assert ward.push(cycle(te=0.4), **TRIGGERED) == {Flag.DOUBLE_TRIGGER}
    assert ward.push() == {Flag.DOUBLE_TRIGGER}, "the second of the two as well"
    assert not ward.push()


def test_a_short_expiration_of_the_ventilators_own_is_no_double_trigger() -> None:
    assert not Ward().push(cycle(te=0.4))


def test_an_expiration_just_long_enough() -> None:
    assert not Ward().push(cycle(te=0.51), **TRIGGERED)


def test_double_trigger_by_volume_that_stays_in() -> None:
    ward = Ward()
    assert ward.push(cycle(te=0.4), exp_volume=0.04) == {Flag.DOUBLE_TRIGGER}
    assert ward.push() == {Flag.DOUBLE_TRIGGER}


def test_stacked_breath_is_a_double_trigger() -> None:
    ward = Ward()
    stacked = cycle(te=0.0, flags=frozenset({Flag.STACKED}))
    assert ward.push(stacked, exp_volume=0.0) == {Flag.STACKED, Flag.DOUBLE_TRIGGER}
    assert ward.push() == {Flag.DOUBLE_TRIGGER}


def test_a_real_double_trigger_from_waveforms() -> None:
    """Two inflations 0.3 s apart; the first was triggered by an effort of 2 cmH2O."""
    labeller = Labeller("b")
    normal = vcv(rr=15)
    paw = normal.paw.copy()
    paw[-12:] -= np.linspace(0.0, 2.0, 12)
    dip = dataclasses.replace(normal, paw=paw)
    for _ in range(6):
        flags, _ = labeller.add(normal, extract_features(normal))
        assert not flags
    labeller.add(dip, extract_features(dip))
    first = Lung().constant_flow(0.5, 1.0).pressure(0.0, 0.3).breath(1)
    second = vcv(v0=0.2)
    assert [labeller.add(one, extract_features(one))[0] for one in (first, second, normal)] == [
        {Flag.DOUBLE_TRIGGER},
        {Flag.DOUBLE_TRIGGER},
        set(),
    ]


def test_ineffective_effort() -> None:
    """In expiration an effort of 3 cmH2O through 10 cmH2O·s/L stops outflow for a moment and lowers pressure."""
    one = vcv(r=20.0, rr=12)
    t = (np.arange(one.paw.size) - one.insp_end) / 100.0
    shape = np.exp(-(((t - 1.5) / 0.15) ** 2))
    effort = dataclasses.replace(one, paw=one.paw - 1.0 * shape, flow=one.flow + 0.12 * shape)
    assert extract_features(effort).efforts == 1.0
    assert extract_features(one).efforts == 0.0
    assert Labeller("b").add(effort, extract_features(effort))[0] == {Flag.INEFFECTIVE_EFFORT}


def test_heartbeats_are_no_efforts() -> None:
    """4 L/min and 0.6 cmH2O from crest to trough, 75 per minute: as recorded at the airway."""
    one = vcv(r=20.0, rr=12)
    beat = np.sin(2 * np.pi * 1.25 * np.arange(one.paw.size) / 100.0)
    beating = dataclasses.replace(one, paw=one.paw - 0.3 * beat, flow=one.flow + 2 / 60 * beat)
    assert extract_features(beating).efforts == 0.0


def test_autotrigger_suspect() -> None:
    ward = Ward()
    labels = [ward.push(cycle(te=0.6)) for _ in range(6)]
    assert labels[:4] == [frozenset()] * 4
    assert labels[4] == labels[5] == {Flag.AUTOTRIGGER_SUSPECT}


def test_triggered_or_irregular_fast_breathing_is_no_autotrigger() -> None:
    ward = Ward()
    assert not [flags for _ in range(6) if (flags := ward.push(cycle(te=0.6), **TRIGGERED))]
    ward = Ward()
    assert not [flags for k in range(6) if (flags := ward.push(cycle(te=0.6 + 0.2 * (k % 2))))]


def test_leak_makes_untriggered_breaths_suspect() -> None:
    assert Ward().push(cycle(leak_frac=0.25)) == {Flag.AUTOTRIGGER_SUSPECT}
    assert not Ward().push(cycle(leak_frac=0.25), **TRIGGERED)


# ── an open circuit


def test_disconnect_by_pressure_until_three_normal_breaths() -> None:
    ward = Ward()
    assert ward.push(low_paw=1.0) == {Flag.DISCONNECT}
    assert ward.push(low_paw=0.2) == {Flag.DISCONNECT}
    assert [ward.push() for _ in range(3)] == [{Flag.DISCONNECT}] * 3
    assert not ward.push()
    assert ward.kinds == [NoticeKind.DISCONNECT, NoticeKind.RECONNECT]


def test_disconnect_again_before_it_was_normal() -> None:
    ward = Ward()
    for fields in ({"low_paw": 1.0}, {}, {}, {"low_paw": 1.0}, {}, {}, {}):
        assert ward.push(**fields) == {Flag.DISCONNECT}
    assert not ward.push()
    assert ward.kinds == [NoticeKind.DISCONNECT, NoticeKind.RECONNECT]


@pytest.mark.parametrize(
    ("peep", "low", "opens"), [(4.0, 1.1, True), (4.0, 1.3, False), (12.0, 1.9, True), (12.0, 2.1, False)]
)
def test_the_level_follows_peep(peep: float, low: float, opens: bool) -> None:  # noqa: FBT001
    labeller = Labeller("b")
    for _ in range(6):
        labeller.add(cycle(), features(end_paw=peep, end_min_paw=peep, start_min_paw=peep, low_paw=peep))
    flags, _ = labeller.add(cycle(), features(low_paw=low, end_paw=peep))
    assert (Flag.DISCONNECT in flags) is opens


def test_suction_far_below_zero_is_no_open_circuit() -> None:
    assert Flag.DISCONNECT not in Ward().push(low_paw=-15.0)


def test_disconnect_by_volume_that_does_not_come_back_twice() -> None:
    ward = Ward()
    assert Flag.DISCONNECT not in ward.push(exp_volume=0.1)
    assert Flag.DISCONNECT in ward.push(exp_volume=0.1)
    assert ward.kinds == [NoticeKind.DISCONNECT]


def test_double_triggers_are_no_disconnect() -> None:
    ward = Ward()
    for _ in range(3):
        assert ward.push(cycle(te=0.3), exp_volume=0.02) == {Flag.DOUBLE_TRIGGER}
    assert not ward.notices


def test_disconnect_survives_a_gap() -> None:
    ward = Ward()
    ward.push(low_paw=1.0)
    ward.labeller.reset()
    assert Flag.DISCONNECT in ward.push(cycle(flags=frozenset({Flag.AFTER_GAP})))
    assert Flag.DISCONNECT in ward.push()


def test_a_breath_closed_by_force_can_open_the_circuit_but_not_close_it() -> None:
    ward = Ward()
    silent = cycle(te=14.0, flags=frozenset({Flag.APNOEA}))
    assert ward.push(silent, low_paw=0.1) == {Flag.APNOEA, Flag.DISCONNECT}
    for _ in range(3):
        assert Flag.DISCONNECT in ward.push(silent)
    assert ward.kinds == [NoticeKind.DISCONNECT]


@pytest.mark.parametrize("flag", [Flag.TRUNCATED, Flag.AFTER_GAP, Flag.GAP])
def test_incomplete_breaths_get_no_labels_and_teach_nothing(flag: Flag) -> None:
    ward = Ward()
    assert ward.push(cycle(ti=0.2, te=0.1, flags=frozenset({flag})), exp_volume=0.0, low_paw=0.0) == {flag}
    assert not ward.push()
