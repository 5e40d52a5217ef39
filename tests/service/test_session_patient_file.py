"""What was told of a bed while it ran, as a session file that ``report`` reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamer.core.session_events import entry_of, event_notice, gas_notice
from streamer.model.context import BloodGas, SessionEvent
from streamer.model.errors import SourceLost
from streamer.model.records import Notice, NoticeKind
from streamer.service import session_patient_file as retold_module
from streamer.service.session_patient_file import SessionPatientFile
from streamer.study import measure, read_study
from tests.support.odd_events import ODD
from tests.support.recorded_sessions import Gate, delivered, live, plan, rows, simulated

EPOCH_NS = 1_700_000_000 * 10**9


def utc_ns(device_s: float) -> int:
    return EPOCH_NS + round(device_s * 1e9)


def test_events_and_gases_in_the_order_of_time() -> None:
    retold = SessionPatientFile(
        "icu-04", [SessionEvent(kind="supine", at_s=5.0)], [BloodGas(at_s=50.0, ph=7.3)], utc_ns
    )
    assert retold.hear(Notice(bed="", at_s=60.5, kind=NoticeKind.POSITION, detail="prone", values={"event": "prone"}))
    told = Notice(bed="", at_s=20.0, kind=NoticeKind.NOTE, detail="suction: thick", values={"event": "suction"})
    assert retold.hear(told)
    late = {"pco2_art_mmhg": 50.0, "fio2": 0.6}
    assert retold.hear(Notice(bed="", at_s=30.0, kind=NoticeKind.BLOOD_GAS, detail="…", values=late))
    assert not retold.hear(Notice(bed="", at_s=1.0, kind=NoticeKind.GAP, detail="gap"))
    lines = retold.text().splitlines()
    assert lines[:4] == ['label = "icu-04"', "", "[[recording]]", 'path = "."']
    assert [line for line in lines if line.startswith(("kind", "text", "at"))] == [
        'kind = "supine"', "at = 2023-11-14T22:13:25+00:00",
        'kind = "suction"', "at = 2023-11-14T22:13:40+00:00", 'text = "thick"',
        'kind = "prone"', "at = 2023-11-14T22:14:20.500000+00:00",
        "at = 2023-11-14T22:13:50+00:00", "at = 2023-11-14T22:14:10+00:00",
    ]  # fmt: skip


def test_a_clock_without_a_date_gives_device_seconds() -> None:
    dated = SessionEvent(kind="prone", at=datetime(2024, 3, 1, 8, tzinfo=UTC))
    retold = SessionPatientFile("b", [SessionEvent(kind="supine", at_s=5.0), dated], [], lambda _: None)
    assert "at_s = 5.0" in retold.text()
    assert "prone" not in retold.text()  # nobody can place it


def test_what_was_told_before_the_first_sample_is_dated_by_it() -> None:
    known: list[int] = []
    retold = SessionPatientFile(
        "b", [SessionEvent(kind="supine", at_s=5.0)], [], lambda at_s: utc_ns(at_s) if known else None
    )
    assert "at_s = 5.0" in retold.text()
    known.append(1)
    assert "at = 2023-11-14T22:13:25+00:00" in retold.text()
    assert "at_s" not in retold.text()


COMMANDS = [
    {"schema": "command/1", "kind": "prone", "text": "head left", "at_s": 58.0},
    {"schema": "command/1", "kind": "blood_gas", "pco2_art_mmhg": 52, "po2_art_mmhg": 81, "fio2": 0.6, "at_s": 40.0},
    {"schema": "command/1", "kind": "settings"},
    {"schema": "command/1", "kind": "note", "text": 'a "quoted" word'},
    {"schema": "command/1", "kind": "context", "passive": "asserted"},
]
POINTS = "[points]\nbaseline_min = [-0.7, 0]\nhours = { prone = [0.01] }\nhalf_width_min = 0.4\nsettle_min = 0.1\n"


async def test_a_live_bed_leaves_a_session_file(tmp_path: Path) -> None:
    chunks = delivered([one for one in simulated(tmp_path) if one.source == "simulator"], 0.0, 0.05)
    gate = Gate(chunks)
    planned = plan(lambda: gate.play(0, chunks, SourceLost("unplugged")))
    memory = await live(planned, tmp_path / "out", commands=COMMANDS)
    (folder,) = (tmp_path / "out" / "icu").iterdir()
    session = folder / "report.toml"
    published = [row for row in rows(memory, "icu") if row.get("kind") in {"position", "settings", "note", "blood_gas"}]
    study = read_study(session)
    assert study.sessions[0].label == "icu"
    told = study.sessions[0].told
    assert [event.kind for event in told.event] == ["prone", "settings", "note"]
    assert [event.text for event in told.event] == ["head left", "", 'a "quoted" word']
    assert (told.blood_gas[0].pco2_art_mmhg, told.blood_gas[0].fio2) == (52, 0.6)
    session.write_text(session.read_text(encoding="utf-8") + POINTS, encoding="utf-8")
    results = measure(read_study(session), jobs=1)
    assert results.recordings["error"].tolist() == [""]
    assert sorted(results.events["kind"]) == ["blood_gas", "note", "prone", "settings"]  # each counted once
    turned = next(row for row in published if row["kind"] == "position")["at_s"]
    hours = {row["kind"]: row["hours"] for row in results.events.to_dict("records")}
    for row in published:
        kind = {"position": "prone"}.get(row["kind"], row["kind"])
        assert 3600 * hours[kind] == pytest.approx(row["at_s"] - turned, abs=0.005)
    assert results.numbers.set_index(["point", "quantity"]).loc[("baseline", "pco2_art_mmhg"), "value"] == 52
    assert json.loads((folder / "session.json").read_text())["bed"] == "icu"


@pytest.mark.parametrize(
    "one",
    [
        SessionEvent(kind=kind, at_s=3.0, text=text)  # type: ignore[arg-type]
        for kind in ("prone", "supine", "recruitment", "settings", "suction", "note")
        for text in ("", "x", f"{kind}: x", kind)
    ],
)
def test_a_notice_of_an_event_comes_back(one: SessionEvent) -> None:
    entry = entry_of(event_notice(one))
    assert isinstance(entry, SessionEvent)
    assert event_notice(entry) == event_notice(one)


def test_a_notice_of_a_gas_comes_back_and_no_other() -> None:
    gas = BloodGas(at_s=1.0, pco2_art_mmhg=5.5, ph=7.4)
    assert entry_of(gas_notice(gas)) == gas
    assert entry_of(Notice(bed="", at_s=1.0, kind=NoticeKind.GAP, detail="gap")) is None


@pytest.mark.parametrize("odd", ODD)
def test_what_cannot_be_listed_leaves_all_to_the_recording(odd: Notice) -> None:
    """A list replaces what the recording tells, so half a list would lose the rest."""
    retold = SessionPatientFile("b", [SessionEvent(kind="prone", at_s=5.0)], [], utc_ns)
    assert "[[event]]" in retold.text()
    assert retold.hear(odd)
    assert "[[event]]" not in retold.text()
    assert "the recording itself tells" in retold.text()
    assert not retold.hear(event_notice(SessionEvent(kind="prone", at_s=9.0)))


def test_a_flood_is_left_to_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retold_module, "MAX_LISTED", 3)
    retold = SessionPatientFile("b", [], [], lambda _: None)
    written = [retold.hear(event_notice(SessionEvent(kind="note", at_s=float(n)))) for n in range(6)]
    assert written == [True, True, True, True, False, False]
    assert "[[event]]" not in retold.text()


def test_what_is_told_again_at_once_is_one_turn_and_one_draw() -> None:
    """A client that reconnects sends its command twice; two turns or draws would be refused by ``report``."""
    retold = SessionPatientFile("b", [], [], utc_ns)
    for at_s in (20.0, 20.4, 29.9):
        retold.hear(event_notice(SessionEvent(kind="prone", at_s=at_s, text="head left")))
        retold.hear(event_notice(SessionEvent(kind="suction", at_s=at_s)))
        retold.hear(gas_notice(BloodGas(at_s=at_s, ph=7.3)))
    retold.hear(gas_notice(BloodGas(at_s=20.4, ph=7.31)))  # another value is another draw
    retold.hear(event_notice(SessionEvent(kind="prone", at_s=2000.0, text="head left")))  # a slip: it is asked about
    lines = retold.text().splitlines()
    assert [lines.count(one) for one in ('kind = "prone"', 'kind = "suction"', "ph = 7.3", "ph = 7.31")] == [2, 3, 1, 1]


def test_back_and_there_again_are_turns() -> None:
    turns = [SessionEvent(kind=kind, at_s=at_s) for at_s, kind in enumerate(("prone", "supine", "prone"))]  # type: ignore[arg-type]
    assert SessionPatientFile("b", turns, [], utc_ns).text().count("[[event]]") == 3


@pytest.mark.parametrize("at_s", [1.6e12, 1e300, -1.6e12, 1e305])
def test_a_time_without_a_date_leaves_all_to_the_recording(at_s: float) -> None:
    """Milliseconds where seconds belong must not stop a bed."""
    retold = SessionPatientFile("b", [SessionEvent(kind="note", at_s=at_s)], [BloodGas(at_s=1.0, ph=7.3)], utc_ns)
    assert "the recording itself tells" in retold.text()
    assert "[[" not in retold.text().replace("[[recording]]", "")
    assert not retold.hear(event_notice(SessionEvent(kind="prone", at_s=9.0)))
