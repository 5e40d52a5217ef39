"""Notices of holds: which are told, and that their readings are the simulated lung's own."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pytest

from adapters.simulator import simulate
from adapters.simulator.scenario import Hold, Scenario, Sensor, Ventilator
from streamer.core.bed import Bed
from streamer.core.labels import Labeller, completed
from streamer.core.metrics import extract_features
from streamer.model.breath import Breath
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Notice, NoticeKind
from streamer.wire import Origin, Source, encode, json_schemas
from tests.support.analytic_breaths import Lung, vcv
from tests.support.json_schema import problems
from tests.support.labelled_breaths import Ward
from tests.support.simulated import PASSIVE, lung, segment

FAST = Ventilator(rate_per_min=20, tidal_volume_ml=500, flow_l_min=30, peep_cmh2o=5)
"""With a resistance of 25, gas is trapped."""
ROOM = Ventilator(rate_per_min=12, tidal_volume_ml=500, flow_l_min=30, peep_cmh2o=5)


def run(*held: Hold, ventilator: Ventilator = ROOM, r: float = 10.0) -> tuple[list[Notice], list[BreathRecord]]:
    """Notices of holds, and the records that have the label."""
    sensor = Sensor(paw_noise_cmh2o=0.05, flow_noise_l_min=0.2)
    part = segment(lung(0.05, r), ventilator, sensor)
    bed = Bed("b", context=PASSIVE)
    chunks = simulate(Scenario(duration_s=70, segments=(part,), hold=held)).chunks(1.0)
    events = [event for chunk in chunks for event in bed.push(chunk)] + bed.close()
    told = [event for event in events if isinstance(event, Notice) and event.kind is NoticeKind.HOLD]
    return told, [event for event in events if isinstance(event, BreathRecord) and Flag.HOLD in event.flags]


def insp(duration_s: float, at_s: float = 34.0) -> Hold:
    return Hold(at_s=at_s, kind="inspiratory", duration_s=duration_s)


def test_a_hold_of_0_4_s_gives_a_short_plateau_and_no_notice() -> None:
    told, (record,) = run(insp(0.4))
    assert told == []
    assert record.methods["pplat"] == "pause_short"


def test_a_hold_of_0_7_s_among_breaths_without_pause() -> None:
    (notice,), (record,) = run(insp(0.7))
    assert notice.detail == "end-inspiratory hold"
    assert notice.at_s == pytest.approx(36.0, abs=0.03)
    assert set(notice.values) == {"duration_s", "p1_cmh2o", "pplat_cmh2o", "r_init_cmh2o_s_l"}
    assert notice.values["duration_s"] == pytest.approx(0.7, abs=0.03)
    assert notice.values["pplat_cmh2o"] == record.values["pplat"] == pytest.approx(15.0, abs=0.1)
    assert notice.values["p1_cmh2o"] == pytest.approx(15.0, abs=0.15)
    assert notice.values["r_init_cmh2o_s_l"] == pytest.approx(10.0, abs=0.4)


def test_a_hold_of_2_5_s_has_a_second_pressure() -> None:
    (notice,), (record,) = run(insp(2.5))
    keys = {"duration_s", "p1_cmh2o", "pplat_cmh2o", "p2_cmh2o", "r_init_cmh2o_s_l"}
    assert set(notice.values) == keys
    assert notice.values["p2_cmh2o"] == pytest.approx(15.0, abs=0.1)
    assert not {"p2", "p1", "r_init"} & set(record.values), "in no trend"


def test_the_readings_are_on_the_wire_under_their_own_names() -> None:
    told, _ = run(insp(2.5), Hold(at_s=50.0, kind="expiratory", duration_s=2.0), ventilator=FAST, r=25.0)
    assert len(told) == 2
    for notice in told:
        message = encode(notice, Origin(prefix="p", bed="b", session="s", source=Source.SIMULATED), lambda _: None)
        row = json.loads(replace(message, seq=0, published_ns=0).payload)
        assert problems(row, json_schemas()["event/1"]) == []
        assert {key: row[key] for key in notice.values} == pytest.approx(notice.values, rel=1e-5)


def test_an_expiratory_hold() -> None:
    (notice,), (record,) = run(Hold(at_s=34.0, kind="expiratory", duration_s=3.0), ventilator=FAST, r=25.0)
    assert notice.detail == "end-expiratory hold"
    assert set(notice.values) == {"duration_s", "peep_total_cmh2o", "auto_peep_cmh2o"}
    assert notice.values["duration_s"] == pytest.approx(3.0, abs=0.1)
    assert notice.values["peep_total_cmh2o"] == record.values["peep_total"] > 6.5
    assert notice.values["auto_peep_cmh2o"] == record.values["auto_peep"] > 1.0


@pytest.mark.parametrize(("hold_s", "told"), [(0.5, 0), (0.9, 1), (2.5, 1)])
def test_pauses_of_the_mode_are_no_notices(hold_s: float, told: int) -> None:
    """Of 0.5 s in every breath; a hold adds to one of them."""
    paused = Ventilator(rate_per_min=12, tidal_volume_ml=500, flow_l_min=30, peep_cmh2o=5, pause_s=0.5)
    notices, labelled = run(insp(hold_s), ventilator=paused)
    assert len(notices) == told
    assert len(labelled) >= 10


def test_a_new_pause_of_the_mode_is_told_once() -> None:
    ward = Ward()
    held = {"hold_s": 0.8, "hold_stop": 2.0, "hold_share": 1.0, "hold_at_s": 1.0}
    for _ in range(6):
        assert ward.push(**held) == {Flag.HOLD}
    assert ward.kinds == [NoticeKind.HOLD]


@pytest.mark.parametrize(
    ("usual", "hold_s", "is_told"),
    [(0.4, 0.61, True), (0.4, 0.59, False), (0.0, 0.5, True), (0.0, 0.49, False), (1.5, 2.0, True), (1.5, 1.99, False)],
)
def test_which_holds_are_told(usual: float, hold_s: float, is_told: bool) -> None:  # noqa: FBT001
    ward = Ward(normal=0)
    held = {"hold_stop": 2.0, "hold_share": 1.0, "hold_at_s": 1.0}
    for _ in range(5):
        ward.push(hold_s=usual, **held)
    ward.push(hold_s=hold_s, **held)
    assert bool(ward.notices) is is_told


def test_only_a_manoeuvre_of_2_s_is_told_before_the_usual_pause_is_known() -> None:
    ward = Ward(normal=4)
    held = {"hold_stop": 2.0, "hold_share": 1.0, "hold_at_s": 1.0}
    ward.push(hold_s=1.0, **held)
    assert ward.notices == []
    ward.push(hold_s=2.1, **held)
    assert ward.kinds == [NoticeKind.HOLD]


def notice_of(one: Breath) -> Notice:
    _, (notice,) = Labeller("b").add(one, extract_features(one))
    return notice


def test_a_hold_that_was_not_passive_has_neither_plateau_nor_p2() -> None:
    notice = notice_of(vcv(pause_s=2.5, rr=8))
    assert set(completed(notice, {}, {}).values) == {"duration_s", "p1_cmh2o", "r_init_cmh2o_s_l"}
    short = completed(notice, {"pplat": 15.0}, {"pplat": "pause_short"})
    assert "pplat_cmh2o" not in short.values
    assert completed(notice, {"pplat": 15.0}, {"pplat": "standard"}).values["pplat_cmh2o"] == 15.0


def test_no_initial_resistance_without_constant_flow_or_with_a_starved_patient() -> None:
    falling = Lung().falling_flow(0.9, 0.1, 1.0).constant_flow(0.0, 2.5).pressure(0.0, 3.0).breath(2)
    assert "r_init_cmh2o_s_l" not in notice_of(falling).values
    one = vcv(pause_s=2.5, rr=8)
    share = np.clip(np.arange(one.paw.size) / 60, 0, 1)
    starved = dataclasses.replace(one, paw=one.paw - 6.0 * np.sin(np.pi * share))
    assert Labeller("b").add(starved, extract_features(starved))[0] == {Flag.HOLD, Flag.FLOW_STARVATION}
    assert "r_init_cmh2o_s_l" not in notice_of(starved).values


def test_other_notices_stay_as_they_are() -> None:
    notice = Notice(bed="b", at_s=1.0, kind=NoticeKind.NOTE, values={"p2_cmh2o": 1.0})
    assert completed(notice, {"pplat": 15.0}, {"pplat": "standard"}) is notice
