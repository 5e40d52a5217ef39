"""What a live bed published, and what a replay of its recording publishes, are the same."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.recordings.open import open_recording
from adapters.simulator import load_scenario, simulate
from streamer.analysis.recordings import expand
from streamer.analysis.run_recording import Job, examine
from streamer.cli.bed_plans import plans_of_recordings
from streamer.model.chunk import Chunk
from streamer.model.context import BloodGas, Context, SessionEvent
from streamer.model.errors import SourceLost
from streamer.model.records import Notice
from streamer.service import BedPlan, SourcePlan, run_beds
from streamer.service.publish import MemoryPublisher
from streamer.service.settings import RecordSettings, RunSettings
from streamer.wire import Message, Source
from streamer.wire.outbox import WhenFull
from tests.adapters.formats.test_session_folder import contiguous, record
from tests.service.test_source_merge import SCENARIO
from tests.support.fakes import Settings

FAST = RunSettings(stall_s=5.0, state_period_s=5.0, backoff_first_s=0.01, backoff_max_s=0.02)
UTC_NS = 1_600_000_000 * 10**9
SHELL = {"command", "source_lost", "source_end", "clock_drift"}
"""Kinds of events that are the shell's own; the core knows nothing of them, and a replay has its own."""
TIMES = {"session", "source", "seq", "start_utc", "end_utc", "at_utc", "published_utc"}


def rows(memory: MemoryPublisher, bed: str) -> list[dict]:
    """What the core had to say, without labels of the run."""
    found = []
    for message in memory.messages:
        topic = message.topic.removeprefix(f"ventstream/v1/{bed}/")
        if not message.payload or not topic.startswith(("breath", "event", "summary")):
            continue
        row = json.loads(message.payload)
        if row.get("kind") not in SHELL:
            found.append({key: value for key, value in row.items() if key not in TIMES | {"bed"}})
    return found


def simulated(tmp_path: Path) -> list[Chunk]:
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO.replace("duration_s = 180", "duration_s = 120"), encoding="utf-8")
    items = simulate(load_scenario(str(path))).chunks()
    return [part for item in items if isinstance(item, Chunk) for part in item.parts(0.2)]


def delivered(chunks: Sequence[Chunk], moved_s: float, late_s: float) -> list[Chunk]:
    """As a device whose clock is ``moved_s`` off would have sent them."""
    return [
        replace(
            one,
            start_s=one.start_s + moved_s,
            received_ns=UTC_NS + round((one.start_s + len(one) / one.rate_hz + late_s) * 1e9),
        )
        for one in chunks
    ]


class Gate:
    """Lets two sources send in the order in which they would be delivered."""

    def __init__(self, *streams: Sequence[Chunk]) -> None:
        self.order = sorted(((one.received_ns or 0, n) for n, stream in enumerate(streams) for one in stream))
        self.turn, self.moved, self.done = 0, asyncio.Condition(), asyncio.Event()

    async def play(self, n: int, chunks: Sequence[Chunk], error: Exception | None) -> AsyncGenerator[Chunk | Notice]:
        for one in chunks:
            async with self.moved:
                await self.moved.wait_for(lambda: self.turn >= len(self.order) or self.order[self.turn][1] == n)
                self.turn += 1
                self.moved.notify_all()
            yield one
            await asyncio.sleep(0)
        if error is not None:
            raise error
        await asyncio.Event().wait()


def plan(*plays: object, **more: object) -> BedPlan:
    sources = tuple(SourcePlan(adapter="tests.support.fakes", options=Settings(play)) for play in plays)  # type: ignore[arg-type]
    context = Context(passive="asserted", co2_kind="mainstream", co2_scale="BTPS", co2_delay_s=0.0)
    return BedPlan(bed="icu", source=Source.LIVE, sources=sources, context=context, **more)  # type: ignore[arg-type]


async def live(one: BedPlan, folder: Path, *, commands: Sequence[dict] = ()) -> MemoryPublisher:
    """Run it until its first session is over."""
    stop, sent = asyncio.Event(), False

    class Memory(MemoryPublisher):
        async def publish(self, message: Message, when_full: WhenFull = WhenFull.WAIT) -> None:
            await super().publish(message, when_full)
            if b"source_lost" in message.body and b"unplugged" in message.body:
                stop.set()

    memory = Memory()

    def progress(_: str, device_s: float) -> None:
        nonlocal sent
        if device_s > 60.0 and not sent:
            sent = True
            for command in commands:
                memory.inboxes.deliver("icu", json.dumps(command).encode())

    async with asyncio.timeout(60):
        await run_beds(
            [one], memory, settings=FAST, record=RecordSettings(folder=str(folder), segment_s=30.0), stop=stop,
            on_progress=progress,
        )  # fmt: skip
    return memory


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
