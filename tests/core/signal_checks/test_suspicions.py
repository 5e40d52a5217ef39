"""Wrong units are asked about, right ones never."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adapters.recordings.open import open_recording
from streamer.core.align import Repeats
from streamer.core.bed import Bed
from streamer.core.metrics import METRICS
from streamer.core.signal_checks import RULES, Doubts, Suspicions
from streamer.core.signal_checks._remedies import REMEDIES
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import Context
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Notice, NoticeKind
from tests.support.adapter_contract import RECORDINGS
from tests.tools.recordings_table import files

REPLAY = Path(__file__).parents[3] / "replay_data"
SHIPPED = sorted(path for path in REPLAY.iterdir() if path.suffix in {".csv", ".parquet"})


F, P, C = Channel.FLOW, Channel.PAW, Channel.PCO2
Fault = Callable[[dict[Channel, np.ndarray]], dict[Channel, np.ndarray]]


def wrapped(samples: np.ndarray, limit: float) -> np.ndarray:
    """As a counter whose range is twice ``limit`` shows it."""
    return (samples + limit) % (2.0 * limit) - limit


def changed(path: Path, fault: Fault, *, from_s: float = -math.inf, until_s: float = math.inf) -> list[Chunk]:
    """The recording with a fault in some of it."""
    found = []
    for chunk in scaled(path, {}):
        at_s = chunk.start_s + np.arange(len(chunk)) / chunk.rate_hz
        within = (at_s >= from_s) & (at_s < until_s)
        bad = fault(dict(chunk.channels))
        channels = {name: np.where(within, bad.get(name, own), own) for name, own in chunk.channels.items()}
        found.append(replace(chunk, channels=channels))
    return found


def scaled(path: Path, scales: Mapping[Channel, float], shift: float = 0.0) -> list[Chunk]:
    found = []
    for item in open_recording(path).items():
        if isinstance(item, Chunk):
            channels = {
                name: own * scales.get(name, 1.0) + (shift if name is Channel.PAW else 0.0)
                for name, own in item.channels.items()
            }
            found.append(replace(item, channels=channels))
    return found


def rules(chunks: list[Chunk]) -> list[str]:
    operator = Suspicions()
    told = [*(notice for chunk in chunks for notice in operator.push(chunk)), *operator.close()]
    assert all(notice.kind is NoticeKind.SUSPICION for notice in told)
    for notice in told:
        rule = str(notice.values["rule"])
        assert notice.detail.endswith(f"? {REMEDIES[rule]}" if "over" not in notice.values else f"{rule}: no longer so")
    return [str(notice.values["rule"]) for notice in told if "over" not in notice.values]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_right_units_are_never_doubted(path: Path) -> None:
    assert rules(scaled(path, {})) == []


@pytest.mark.recordings
@pytest.mark.skipif(not RECORDINGS.exists(), reason="no recordings beside the repository")
def test_recordings_of_others_are_not_doubted_and_lose_no_sample() -> None:
    found, count = {}, 0
    for path in files():
        try:
            chunks = scaled(path, {})
        except (OSError, ValueError):
            continue  # refused: ``test_recordings_read``
        count += 1
        operator = Repeats()
        kept = [one for chunk in chunks for one in operator.push(chunk)[0]] + operator.close()
        lost = missing(kept) - missing(chunks)
        if (told := rules(chunks)) or lost:
            found[path.name] = told, lost
    assert count > 25
    assert found == {}


def missing(chunks: list[Chunk]) -> int:
    return sum(int(np.isnan(chunk.channels[F]).sum()) for chunk in chunks if F in chunk.channels)


UNITS: dict[str, tuple[tuple[Mapping[Channel, float], float], ...]] = {
    "flow_too_large": (({F: 60.0}, 0.0), ({F: 1000.0}, 0.0)),
    "flow_too_small": (({F: 1 / 60}, 0.0),),
    "flow_reversed": (({F: -1.0}, 0.0),),
    "paw_too_large": (({P: 98.0665}, 0.0),),
    "paw_too_small": (({P: 0.0980665}, 0.0),),
    "paw_absolute": (({}, 1033.0),),
    "pco2_too_small": (({C: 0.133322}, 0.0), ({C: 100 / 713}, 0.0)),
    "pco2_too_large": (({C: 133.322}, 0.0),),
}
FAULTS: dict[str, tuple[Fault, ...]] = {
    "flow_outward": (lambda d: {F: np.minimum(d[F], 0.02)},),
    "flow_wraps": (lambda d: {F: wrapped(d[F], 0.35)},),
    "flow_clipped": (lambda d: {F: np.minimum(d[F], 0.3)}, lambda d: {F: np.maximum(d[F], -0.2)}),
    "flow_frozen": (lambda d: {F: np.full_like(d[F], 0.1)},),
    "swapped": (lambda d: {F: d[P] / 60, P: d[F] * 60}, lambda d: {F: d[P], P: d[F]}),
    "paw_wraps": (lambda d: {P: wrapped(d[P], 14.0)},),
    "paw_clipped": (lambda d: {P: np.minimum(d[P], 15.0)},),
    "paw_frozen": (lambda d: {P: np.zeros_like(d[P])},),
    "paw_is_co2": (lambda d: {P: d[C], C: d[P]},),
    "flow_stuck": (lambda d: {F: np.full_like(d[F], 0.1)},),
    "paw_stuck": (lambda d: {P: np.full_like(d[P], 9.0)},),
    "pco2_stuck": (lambda d: {C: np.full_like(d[C], 20.0)},),
    "pco2_wraps": (lambda d: {C: wrapped(d[C], 33.0)},),
    "pco2_clipped": (lambda d: {C: np.minimum(d[C], 35.0)},),
    "pco2_frozen": (lambda d: {C: np.zeros_like(d[C])},),
}

SPELL = {name: {"from_s": 20.0, "until_s": 24.0} for name in ("flow_stuck", "paw_stuck", "pco2_stuck")}
"""When a fault is there, if not throughout."""


@pytest.mark.parametrize("expected", UNITS)
@pytest.mark.parametrize("name", ["vcv_hold.csv", "pcv.csv", "demo.parquet"])
def test_a_wrong_unit_is_asked_about_and_nothing_is_converted(name: str, expected: str) -> None:
    for scales, shift in UNITS[expected]:
        assert rules(scaled(REPLAY / name, scales, shift)) == [expected]


@pytest.mark.parametrize("expected", FAULTS)
def test_a_fault_of_a_channel_is_asked_about(expected: str) -> None:
    for fault in FAULTS[expected]:
        assert expected in rules(changed(REPLAY / "pcv.csv", fault, **SPELL.get(expected, {})))


def test_every_rule_is_tried_above() -> None:
    assert {*UNITS, *FAULTS} == set(RULES)


@pytest.mark.parametrize("expected", [name for name in (*UNITS, *FAULTS) if name not in SPELL])
def test_what_rests_on_a_suspect_channel_is_withheld_from_the_first_breath_on(expected: str) -> None:
    if expected in UNITS:
        chunks = scaled(REPLAY / "pcv.csv", *UNITS[expected][0])
    else:
        chunks = changed(REPLAY / "pcv.csv", FAULTS[expected][0])
    records = [event for event in events_of(chunks) if isinstance(event, BreathRecord)]
    given = {key for record in records for key in record.values}
    withheld = set(RULES[expected].withholds)
    mechanics = {"crs", "crs_est", "mp", "energy", "cdyn", "rrs", "pplat_est"}
    if withheld & {Flag.FLOW_SUSPECT, Flag.PAW_SUSPECT}:
        assert not given & mechanics
    if Flag.FLOW_SUSPECT in withheld:
        assert not given & {"vt_insp", "vt_exp", "minute_volume", "vtco2", "vd_aw"}
    if Flag.TIMES_SUSPECT in withheld:
        assert given <= {"petco2", "pico2", "co2_delay"}
    if Flag.PAW_SUSPECT in withheld:
        assert not given & {"ppeak", "pmean", "peep"}
    if Flag.PCO2_SUSPECT in withheld:
        assert not given & {key for key in METRICS if "co2" in key or key.startswith(("vd_", "slope_"))}
    if withheld == {Flag.PCO2_SUSPECT}:
        assert given >= {"rr", "vt_insp", "ppeak", "mp"}


def events_of(chunks: list[Chunk], seconds: float = 1000.0) -> list[object]:
    bed = Bed("a")
    return [event for chunk in chunks for part in chunk.parts(seconds) for event in bed.push(part)] + bed.close()


def told_of(events: list[object]) -> list[Notice]:
    return [event for event in events if isinstance(event, Notice) and event.kind is NoticeKind.SUSPICION]


@pytest.mark.parametrize("name", [P, C, F])
@pytest.mark.parametrize(("count", "is_seen"), [(24, False), (60, True), (150, True)])
def test_a_channel_that_stands_still_is_seen_in_its_breath_at_once(name: Channel, count: int, *, is_seen: bool) -> None:
    def fault(d: dict[Channel, np.ndarray]) -> dict[Channel, np.ndarray]:
        bad = d[name].copy()
        first = 740 if name is not C else 800  # within an inspiration; a plateau of CO2
        bad[first : first + count] = bad[first]
        return {name: bad}

    def labelled(records: list[BreathRecord]) -> list[BreathRecord]:
        return [record for record in records if record.flags & {Flag.PAW_SUSPECT, Flag.PCO2_SUSPECT, Flag.FLOW_SUSPECT}]

    whole = Chunk(source="x", start_s=0.0, rate_hz=50.0, channels=joined_of(REPLAY / "pcv.csv"))
    bad = replace(whole, channels={**whole.channels, **fault(dict(whole.channels))})
    found = labelled([event for event in events_of([bad]) if isinstance(event, BreathRecord)])
    assert labelled([event for event in events_of([whole]) if isinstance(event, BreathRecord)]) == []
    assert bool(found) == is_seen
    assert len(found) <= 2
    for record in found:
        assert record.start_s < 19.0
        assert record.end_s > 14.0
        assert not record.values.keys() & {P: {"mp", "ppeak"}, C: {"petco2", "vtco2"}, F: {"mp", "vt_insp"}}[name]


def test_a_channel_that_stays_still_is_suspect_in_each_breath_before_the_look_that_finds_it() -> None:
    def fault(d: dict[Channel, np.ndarray]) -> dict[Channel, np.ndarray]:
        return {P: np.full_like(d[P], 9.0)}

    events = events_of(changed(REPLAY / "pcv.csv", fault, from_s=31.0))
    (told,) = told_of(events)
    records = [event for event in events if isinstance(event, BreathRecord) and event.end_s > 31.5]
    assert sum(record.end_s < told.at_s for record in records) >= 2
    assert all(Flag.PAW_SUSPECT in record.flags and "ppeak" not in record.values for record in records)


def test_a_fault_that_begins_and_ends_later_is_found_and_its_end_too() -> None:
    chunks = changed(REPLAY / "demo.parquet", lambda d: {P: 0.0980665 * d[P]}, from_s=45.0, until_s=105.0)
    events = events_of(chunks)
    begun, ended = told_of(events)
    assert begun.values["rule"] == ended.values["rule"] == "paw_too_small"
    assert "over" not in begun.values
    assert "over" in ended.values
    assert 45.0 < begun.at_s <= 105.0 < ended.at_s
    for record in (event for event in events if isinstance(event, BreathRecord)):
        is_held = begun.at_s <= record.end_s < ended.at_s
        assert (Flag.PAW_SUSPECT in record.flags) == is_held
        if is_held:
            assert "ppeak" not in record.values
            assert "mp" not in record.values


LATE = {
    "flow_outward": 35.0,
    "paw_wraps": 20.0,
    "flow_too_small": 20.0,
    "flow_frozen": 20.0,
    "paw_frozen": 20.0,
    "pco2_frozen": 20.0,
}
"""Seconds, where more than 15 pass: a few breaths may give more than they took, few of them may reach the end of a
counter, and without noise a channel may stand still for 10 s."""


@pytest.mark.parametrize("expected", [name for name in (*UNITS, *FAULTS) if name not in {*SPELL, "pco2_too_small"}])
def test_a_fault_that_begins_later_is_found_within_two_looks(expected: str) -> None:
    path = REPLAY / "demo.parquet"
    for begins_s in (41.0, 44.0, 47.5):
        if expected in UNITS:
            scales, shift = UNITS[expected][0]
            bad = iter(scaled(path, scales, shift))
            chunks = changed(path, lambda _, bad=bad: dict(next(bad).channels), from_s=begins_s)  # type: ignore[misc]
        else:
            chunks = changed(path, FAULTS[expected][0], from_s=begins_s)
        operator = Suspicions()
        told = [notice for chunk in chunks for notice in operator.push(chunk)]
        first = next(one for one in told if set(one.values["withholds"].split()) >= set(RULES[expected].withholds))  # type: ignore[union-attr]
        assert begins_s < first.at_s < begins_s + LATE.get(expected, 15.0)


def pushed(coughs: bool = True) -> dict[Channel, np.ndarray]:  # noqa: FBT001, FBT002
    """Pressure control at 100 Hz; from 80 s on, a breath with coughs and one without."""
    time_s = np.arange(11_000) / 100.0
    at_s = time_s % 4.0
    paw = np.where(at_s < 1.0, 18.0, 6.0)
    flow = np.where(at_s < 1.0, 1.0 * np.exp(-at_s), -0.8 * np.exp(-2.0 * (at_s - 1.0)))
    if coughs:
        is_cough = (time_s > 80.2) & (time_s < 81.2) & (np.sin(2.0 * np.pi * 4.0 * time_s) > 0.0)
        flow, paw = np.where(is_cough, -1.7, flow), np.where(is_cough, 25.0, paw)
    soft = np.full(8, 1 / 8)
    return {F: np.convolve(flow, soft, "same"), P: np.convolve(paw, soft, "same") + 0.01 * np.sin(37.0 * time_s)}


@pytest.mark.parametrize("first", range(0, 500, 50))
def test_coughs_reverse_no_flow_and_a_sensor_turned_round_does(first: int) -> None:
    def told(channels: dict[Channel, np.ndarray]) -> list[str]:
        cut = {name: samples[first:] for name, samples in channels.items()}
        return rules([Chunk(source="x", start_s=0.0, rate_hz=100.0, channels=cut)])

    good = pushed()
    assert told(good) == []
    assert told({F: -good[F], P: good[P]}) == ["flow_reversed"]
    assert told({F: -pushed(coughs=False)[F], P: good[P]}) == ["flow_reversed"]


@pytest.mark.parametrize(("below", "is_told"), [(0.1, True), (0.2, True), (0.3, False), (0.5, False)])
def test_a_patient_who_pulls_below_rest_reverses_no_flow(below: float, *, is_told: bool) -> None:
    time_s = np.arange(6000) / 100.0
    at_s = time_s % 4.0
    flow = np.where(at_s < 1.0, 0.6, np.where(at_s < 2.0, -0.6, 0.0)) * np.where(time_s % 0.5 < 0.25, 1.0, 0.9)
    paw = np.where(at_s < 1.0, 6.0 - 3.0 * below, np.where(at_s < 2.0, 9.0 - 3.0 * below, 6.0))
    paw += np.where(at_s < 0.2, 8.0, 0.0) * np.where(at_s > 0.1, 1.0, 0.0)  # it swings, and flow does not belong to it
    chunk = Chunk(source="x", start_s=0.0, rate_hz=100.0, channels={F: flow, P: paw})
    assert ("flow_reversed" in rules([chunk])) == is_told


@pytest.mark.parametrize(
    ("patient_class", "peak", "is_told"),
    [
        ("adult", 0.09, True),
        ("adult", 0.12, False),
        ("paediatric", 0.09, False),
        (None, 0.09, False),
        (None, 0.02, True),
    ],
)
def test_flow_too_small_goes_by_the_declared_class(patient_class: str | None, peak: float, *, is_told: bool) -> None:
    channels = pushed(coughs=False)
    operator = Suspicions(Context(patient_class=patient_class))  # type: ignore[arg-type]
    channels[F] *= peak
    told = operator.push(Chunk(source="x", start_s=0.0, rate_hz=100.0, channels=channels))
    assert [notice.values["rule"] for notice in told] == (["flow_too_small"] if is_told else [])


def test_a_tube_that_is_kinked_later_is_no_wrong_unit() -> None:
    channels = pushed(coughs=False)
    channels[F] = np.where(np.arange(11_000) < 5000, channels[F], 0.08 * channels[F])
    assert (
        Suspicions(Context(patient_class="adult")).push(
            Chunk(source="x", start_s=0.0, rate_hz=100.0, channels=channels)
        )
        == []
    )


@pytest.mark.parametrize("seconds", [0.013, 0.7, 1000.0])
def test_the_question_comes_once_with_the_first_sample_however_the_stream_is_cut(seconds: float) -> None:
    chunks = scaled(REPLAY / "vcv_hold.csv", {Channel.FLOW: 60.0})
    events = events_of(chunks, seconds)
    (question,) = told_of(events)
    assert question.at_s == chunks[0].start_s
    assert question.detail.startswith("flow reaches ")
    assert question.detail.endswith(f"L/s: is it in L/min or mL/s? {REMEDIES['flow_too_large']}")


@pytest.mark.parametrize("seconds", [0.013, 3.3])
def test_cutting_changes_no_suspicion(seconds: float) -> None:
    chunks = changed(
        REPLAY / "demo.parquet", lambda d: {F: -d[F], C: np.minimum(d[C], 30.0)}, from_s=61.0, until_s=99.0
    )
    assert events_of(chunks, seconds) == events_of(chunks)


def test_breaths_wait_for_the_first_look_and_no_longer() -> None:
    (whole,) = [Chunk(source="x", start_s=5.0, rate_hz=50.0, channels=joined_of(REPLAY / "pcv.csv"))]
    bed = Bed("a")
    assert bed.push(whole.cut(0, 499)) == []
    assert sum(isinstance(event, BreathRecord) for event in bed.push(whole.cut(499, 500))) == 2
    short = Bed("a")
    assert short.push(whole.cut(0, 499)) == []
    assert sum(isinstance(event, BreathRecord) for event in short.close()) >= 2


def joined_of(path: Path) -> dict[Channel, np.ndarray]:
    chunks = scaled(path, {})
    return {name: np.concatenate([chunk.channels[name] for chunk in chunks]) for name in chunks[0].channels}


def test_any_operator_may_raise_a_doubt_and_end_it() -> None:
    doubts = Doubts()
    held = {"rule": "x", "withholds": "flow_suspect times_suspect"}
    doubts.hear(Notice(bed="", at_s=0.0, kind=NoticeKind.SUSPICION, values=held))
    doubts.hear(Notice(bed="", at_s=0.0, kind=NoticeKind.SUSPICION, values={"rule": "y", "withholds": "paw_suspect"}))
    doubts.hear(Notice(bed="", at_s=0.0, kind=NoticeKind.SUSPICION, detail="a source's own, which withholds nothing?"))
    assert doubts.flags == {Flag.FLOW_SUSPECT, Flag.TIMES_SUSPECT, Flag.PAW_SUSPECT}
    doubts.hear(Notice(bed="", at_s=1.0, kind=NoticeKind.SUSPICION, values={**held, "over": 1.0}))
    assert doubts.flags == {Flag.PAW_SUSPECT}


def test_too_little_and_too_empty_is_not_judged() -> None:
    def one(flow: np.ndarray) -> list[str]:
        return rules([Chunk(source="x", start_s=0.0, rate_hz=50.0, channels={Channel.FLOW: flow})])

    assert one(np.full(499, 30.0)) == []
    assert one(np.full(500, 30.0)) == ["flow_too_large"]
    assert one(np.full(5000, np.nan)) == []
    assert rules([]) == []
