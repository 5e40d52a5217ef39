"""What a live bed published, and what a replay of its recording publishes, are the same."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from adapters.recordings.open import open_recording
from streamer.analysis.recordings import expand
from streamer.analysis.run_recording import Job, examine
from streamer.cli.bed_plans import plans_of_recordings
from streamer.model.context import BloodGas, SessionEvent
from streamer.model.errors import SourceLost
from streamer.service import run_beds
from streamer.service.publish import MemoryPublisher
from tests.support.builders.session_folder_files import contiguous, record
from tests.support.recorded_sessions import Gate, delivered, live, plan, rows, simulated


async def replayed(session: Path) -> MemoryPublisher:
    memory = MemoryPublisher()
    await run_beds(plans_of_recordings([session], speed=math.inf, bed=None), memory)
    return memory


@pytest.mark.parametrize("sources", [1, 2])
async def test_a_replay_of_what_was_recorded_publishes_what_was_published(tmp_path: Path, sources: int) -> None:
    chunks = simulated(tmp_path)
    vent = delivered([one for one in chunks if one.source == "simulator"], 0.0, 0.01)
    co2 = delivered([one for one in chunks if one.source == "capnograph"], 5000.0, 0.05)
    gate = Gate(vent, co2) if sources == 2 else Gate(vent)
    plays = [lambda: gate.play(0, vent, SourceLost("unplugged")), lambda: gate.play(1, co2, None)][:sources]
    commands = [
        {"schema": "command/1", "kind": "prone", "text": "turned"},
        {"schema": "command/1", "kind": "blood_gas", "pco2_art_mmhg": 41.5, "at_s": 55.0},
        {"schema": "command/1", "kind": "context", "passive": "not_asserted"},
    ]
    told = plan(
        *plays,
        events=(SessionEvent(kind="note", at_s=20.0, text="x"),),
        blood_gases=(BloodGas(at_s=30.0, pco2_art_mmhg=40.0),),
    )
    first = await live(told, tmp_path / "rec", commands=commands)
    session = (tmp_path / "rec" / "icu") / json.loads(first.messages[0].payload)["session"]
    published, again = rows(first, "icu"), rows(await replayed(session), session.name)
    answers = [json.loads(one.payload) for one in first.messages if b'"kind":"command"' in one.payload]
    assert [row["outcome"] for row in answers] == ["accepted"] * 3
    assert sum("number" in row for row in published) > 25
    if sources == 2:
        assert sum(row.get("vd_aw") is not None for row in published) > 15
        assert [row["clock_offset_s"] for row in published if row.get("kind") == "clock_offset"] == [
            pytest.approx(-5000.0, abs=0.1)
        ]
    assert {"position", "blood_gas", "context", "note"} <= {row.get("kind") for row in published}
    end = len(again)
    assert published[:end] == again
    assert len(published) >= end


async def test_analysis_of_a_session_gives_the_breaths_that_were_published(tmp_path: Path) -> None:
    vent = delivered([one for one in simulated(tmp_path) if one.source == "simulator"], 0.0, 0.01)
    gate = Gate(vent)
    first = await live(plan(lambda: gate.play(0, vent, SourceLost("unplugged"))), tmp_path / "rec")
    (session,), skipped = expand([tmp_path / "rec"])
    assert skipped == []
    found = examine(Job(path=session))
    published = [row for row in rows(first, "icu") if "number" in row]
    assert found.breaths == len(published) > 25
    assert found.format == "session"
    start_utc = open_recording(session).sidecar.recording.start_utc
    assert start_utc is not None
    assert start_utc.timestamp() == pytest.approx(1_600_000_000.01, abs=1e-3)


async def test_a_recording_that_cannot_be_written_is_told_and_the_bed_goes_on(tmp_path: Path) -> None:
    (tmp_path / "rec").write_text("a file where the folder should be", encoding="utf-8")
    vent = delivered([one for one in simulated(tmp_path) if one.source == "simulator"], 0.0, 0.01)
    gate = Gate(vent)
    first = await live(plan(lambda: gate.play(0, vent, SourceLost("unplugged"))), tmp_path / "rec")
    published = rows(first, "icu")
    assert sum("number" in row for row in published) > 25
    told = [row["detail"] for row in published if row.get("kind") == "dropped"]
    assert told[0].startswith("this session is not recorded any more: ")


def test_a_session_is_one_recording_among_the_files_of_a_folder(tmp_path: Path) -> None:
    record(tmp_path / "a" / "s1", contiguous(1))
    record(tmp_path / "b" / "s2", contiguous(1))
    (tmp_path / "x.csv").write_text("time_s,flow_l_s\n0,1\n0.01,1\n", encoding="utf-8")
    recordings, skipped = expand([tmp_path])
    assert [path.relative_to(tmp_path).as_posix() for path in recordings] == ["a/s1", "b/s2", "x.csv"]
    assert skipped == []
    assert expand([tmp_path / "a" / "s1"]) == ([tmp_path / "a" / "s1"], [])
