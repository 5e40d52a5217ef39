"""``Bed``: the operators together, in the order of data time, the same for any cutting."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core import bed as bed_module
from streamer.core.align import btps_factor
from streamer.core.bed import Bed, CoreSettings
from streamer.core.metrics import METRICS
from streamer.model.chunk import Chunk
from streamer.model.context import BloodGas, Context, SessionEvent
from streamer.model.errors import ConfigError
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Notice, NoticeKind, Summary
from tests.support.streams import Lung, chunk, cut, pb840, random_cuts, recording

EVENTS = (
    SessionEvent(kind="prone", at_s=70.0),
    SessionEvent(kind="note", at_s=33.3, text="cuff checked"),
    SessionEvent(kind="settings", at_s=500.0),
)
GASES = (BloodGas(at_s=90.0, pco2_art_mmhg=50.0), BloodGas(at_s=41.0, pco2_art_mmhg=60.0, fio2=0.5, po2_art_mmhg=80.0))
PATIENT = Context(sex="male", height_cm=175.0)


def records(events) -> list[BreathRecord]:
    return [event for event in events if isinstance(event, BreathRecord)]


def notices(events, kind: NoticeKind) -> list[Notice]:
    return [event for event in events if isinstance(event, Notice) and event.kind is kind]


def run(items, **options) -> list:
    bed = Bed("icu-04", **options)
    found = [event for item in items for event in bed.push(item)]
    return found + bed.close()


def two_runs(duration_s: float = 120.0) -> list[Chunk]:
    """A recording with noise, a bridged hole, a gap of 3 s and a word of the adapter about it."""
    wave = Lung(noise=0.02, period=3.3).wave(duration_s)
    flow, cut_at = wave.flow.copy(), round(duration_s * 60)
    flow[2000:2015] = np.nan
    flow[4000] = 9.0
    resumed = chunk(flow[cut_at:], wave.paw[cut_at:], start_s=cut_at / 100 + 3.0)
    said = Notice(bed="?", at_s=cut_at / 100 + 0.5, kind=NoticeKind.DAMAGED, detail="line 7")
    return [chunk(flow[:cut_at], wave.paw[:cut_at]), said, resumed]


def parts(items, seed: int, *, single: bool = False):
    for item in items:
        if isinstance(item, Chunk):
            yield from cut(item, random_cuts(len(item), seed, single=single))
        else:
            yield item


def test_breaths_become_records_with_every_key() -> None:
    found = records(run([Lung().wave(60.0).chunk()]))
    assert [record.number for record in found] == list(range(15))
    for record in found:
        assert record.bed == "icu-04"
        assert {*record.values, *record.missing} == set(METRICS)
        assert not {*record.values} & {*record.missing}
    assert found[5].values["vt_insp"] == pytest.approx(500.0, rel=0.02)
    assert found[5].values["ttot"] == pytest.approx(4.0, abs=0.01)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_whole_equals_parts(seed: int) -> None:
    options = {"events": EVENTS, "blood_gases": GASES, "context": PATIENT}
    assert run(parts(two_runs(), seed), **options) == run(two_runs(), **options)


def test_whole_equals_single_samples() -> None:
    options = {"events": EVENTS, "blood_gases": GASES, "context": PATIENT}
    assert run(parts(two_runs(60.0), 0, single=True), **options) == run(two_runs(60.0), **options)


@pytest.mark.recordings
@pytest.mark.parametrize("seed", [1, 2])
def test_whole_equals_parts_on_a_recording(seed: int) -> None:
    items = [pb840(recording("pb840-ventmap/0149*_1.csv_test")).chunk()]
    whole = run(items)
    assert len(records(whole)) > 300
    assert run(parts(items, seed)) == whole


def test_events_come_in_the_order_of_data_time() -> None:
    found = run(two_runs(), events=EVENTS, blood_gases=GASES)
    times = [event.at_s if isinstance(event, Notice) else event.end_s for event in found]
    assert times == sorted(times)
    assert {type(event) for event in found} == {BreathRecord, Summary, Notice}
    assert {event.bed for event in found} == {"icu-04"}


def test_session_events_and_gases_become_notices_at_their_time() -> None:
    found = run(two_runs(), events=EVENTS, blood_gases=GASES)
    (prone,) = notices(found, NoticeKind.POSITION)
    assert (prone.at_s, prone.detail, prone.values["event"]) == (70.0, "prone", "prone")
    assert [note.detail for note in notices(found, NoticeKind.NOTE)] == ["cuff checked"]
    assert [gas.at_s for gas in notices(found, NoticeKind.BLOOD_GAS)] == [41.0, 90.0]
    assert not notices(found, NoticeKind.SETTINGS), (
        "planned for after the last sample: it never happened in this stream"
    )


def test_nothing_is_given_before_its_time() -> None:
    bed = Bed("b", events=(SessionEvent(kind="prone", at_s=5.0),))
    wave = Lung().wave(10.0)
    first, second = cut(wave.chunk(), [490])
    assert not notices(bed.push(first), NoticeKind.POSITION)
    assert notices(bed.push(second), NoticeKind.POSITION)


def test_a_blood_gas_holds_from_its_draw_on() -> None:
    found = records(run([Lung().wave(120.0).chunk()], blood_gases=GASES, context=PATIENT))
    reasons = {record.missing.get("vent_ratio") for record in found if 4.6 < record.end_s < 41.0}
    assert reasons == {"abg_missing"}
    by_gas = {
        pco2: [r.values["vent_ratio"] / r.values["minute_volume"] / pco2 for r in found if first <= r.end_s < last - 1]
        for pco2, first, last in ((60.0, 41.0, 90.0), (50.0, 90.0, 118.0))
    }
    assert by_gas[60.0] == pytest.approx([by_gas[50.0][0]] * len(by_gas[60.0]))


def test_a_blood_gas_may_come_as_a_notice() -> None:
    bed, wave = Bed("b", context=PATIENT), Lung().wave(60.0)
    first, second = cut(wave.chunk(), [3000])
    bed.push(first)
    gas = Notice(bed="", at_s=29.0, kind=NoticeKind.BLOOD_GAS, values={"pco2_art_mmhg": 50.0})
    wrong = Notice(bed="", at_s=29.1, kind=NoticeKind.BLOOD_GAS, values={"pco2_art_mmhg": "much"})
    assert [notice.bed for notice in bed.push(gas) + bed.push(wrong)] == ["b", "b"]
    assert all("vent_ratio" in record.values for record in records(bed.push(second))[1:])


def test_each_breath_is_measured_against_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[int, object] = {}
    folds: dict[int, object] = {}
    real = bed_module.measure

    def spy(breath, features, given, flags):
        seen[breath.number] = given.before
        folds[breath.number] = features
        return real(breath, features, given, flags)

    monkeypatch.setattr(bed_module, "measure", spy)
    found = records(run(two_runs()))
    after_gap = {record.number for record in found if Flag.AFTER_GAP in record.flags}
    assert len(after_gap) == 1
    for number, before in seen.items():
        assert before is (None if number in {0, *after_gap} else folds[number - 1])


def test_gas_conditions_are_converted_once() -> None:
    wave = Lung().wave(60.0)
    plain = records(run([wave.chunk()]))[5]
    context = Context(flow_conditions="ATPS", ambient_c=20.0, barometric_mmhg=760.0)
    warm = records(run([wave.chunk()], context=context))[5]
    assert btps_factor(context) == pytest.approx(1.1017, abs=1e-4)
    for key in ("vt_insp", "vt_exp"):
        assert warm.values[key] == pytest.approx(1.1017 * plain.values[key], rel=1e-3)
    assert btps_factor(Context(flow_conditions="ATPD", ambient_c=20.0)) == pytest.approx(1.1277, abs=1e-4)
    assert btps_factor(Context()) == btps_factor(Context(flow_conditions="BTPS", ambient_c=20.0)) == 1.0
    with pytest.raises(ConfigError, match="ambient_c"):
        Bed("b", context=Context(flow_conditions="ATPD"))


def test_patient_class_chooses_the_thresholds_unless_they_are_set() -> None:
    wave = Lung(vt=0.020, period=1.5, ti=0.6, tau=0.2).wave(60.0)
    assert len(records(run([wave.chunk()], context=Context(patient_class="neonate")))) == 40
    chosen = CoreSettings(segment=bed_module.SegmentSettings(rise_s=0.1))
    assert len(records(run([wave.chunk()], context=Context(patient_class="neonate"), settings=chosen))) < 5


def test_an_apnoea_is_noticed_and_has_no_values() -> None:
    wave = Lung().wave(20.0)
    flow = np.concatenate([wave.flow, np.zeros(3000)])
    found = run([chunk(flow, np.full(flow.size, 5.0))])
    (record,) = [record for record in records(found) if Flag.APNOEA in record.flags]
    assert record.values == {}
    (notice,) = notices(found, NoticeKind.APNOEA)
    assert notice.at_s == record.end_s


def test_the_first_and_the_cut_breath_have_no_values() -> None:
    found = records(run(two_runs()))
    for record in found:
        if record.flags & {Flag.TRUNCATED, Flag.AFTER_GAP}:
            assert record.values == {}
    assert [record.number for record in found] == list(range(len(found)))


def test_close_gives_what_still_waits_and_nothing_from_the_future() -> None:
    bed = Bed("b", events=(SessionEvent(kind="supine", at_s=4.99), SessionEvent(kind="prone", at_s=1e6)))
    bed.push(Lung().wave(5.0).chunk())
    bed.push(Notice(bed="", at_s=7.0, kind=NoticeKind.NOTE))
    assert [event.at_s for event in bed.close() if isinstance(event, Notice)] == [4.99, 7.0]


def test_what_cannot_be_dated_is_said_to_be_left_out() -> None:
    event = SessionEvent(kind="prone", at=datetime(2020, 6, 1, tzinfo=UTC))
    bed = Bed("b", events=(event,), blood_gases=(BloodGas(at=event.at, ph=7.3),))
    left_out = notices(bed.close(), NoticeKind.DROPPED)
    assert len(left_out) == 2
    assert all("at_s" in notice.detail for notice in left_out)


@pytest.mark.parametrize("at_s", [math.nan, math.inf, -math.inf])
def test_a_notice_without_a_time_does_no_harm(at_s: float) -> None:
    bed, wave = Bed("b"), Lung().wave(20.0)
    given = bed.push(Notice(bed="", at_s=at_s, kind=NoticeKind.NOTE, detail="odd"))
    given += bed.push(wave.chunk()) + bed.close()
    assert [notice.detail for notice in notices(given, NoticeKind.NOTE)] == ["odd"]
    assert len(records(given)) == 5
