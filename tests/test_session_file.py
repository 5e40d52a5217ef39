"""The session file of a recorded session: the same events and gases, at the same samples, whatever the clocks did."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.chunk import Chunk
from streamer.commands.examine import Job, examine
from streamer.connection import RecordSettings
from streamer.context import BloodGas, SessionEvent
from streamer.errors import SourceLost
from streamer.outbox import WhenFull
from streamer.publish import MemoryPublisher
from streamer.records import Notice, NoticeKind
from streamer.run import retold as retold_module
from streamer.run import run_beds
from streamer.run.retold import Retold
from streamer.study import measure, read_study
from streamer.study.collect import Course, collect
from streamer.study.timeline import jobs_of
from streamer.told import entry_of, event_notice, gas_notice
from streamer.wire import Message
from tests.test_tape import FAST, UTC_NS, Gate, delivered, live, plan, rows, simulated

KINDS = {"position", "settings", "note", "blood_gas"}
POINTS = "[points]\nbaseline_min = [-0.9, 0]\nhours = { prone = [0.005] }\nhalf_width_min = 0.25\nsettle_min = 0\n"


def command(kind: str, **said: object) -> dict[str, object]:
    return {"schema": "command/1", "kind": kind, **said}


def vent(tmp_path: Path, moved_s: float = 812.37) -> list[Chunk]:
    return delivered([one for one in simulated(tmp_path) if one.source == "simulator"], moved_s, 0.01)


def arriving(chunks: Sequence[Chunk], *, first_late_s: float, drift: float) -> list[Chunk]:
    """The first one late, as from a buffer, and then a device whose clock loses time."""
    late = [round(1e9 * (drift * (one.start_s - chunks[0].start_s))) for one in chunks]
    late[0] = round(1e9 * first_late_s)
    return [replace(one, received_ns=(one.received_ns or 0) + ns) for one, ns in zip(chunks, late, strict=True)]


async def until_told(tmp_path: Path, chunks: Sequence[Chunk], *commands: dict[str, object]) -> MemoryPublisher:
    """A bed whose commands come when its last sample has come, and whose source is lost then."""
    stop, answered = asyncio.Event(), asyncio.Event()

    class Memory(MemoryPublisher):
        async def publish(self, message: Message, when_full: WhenFull = WhenFull.WAIT) -> None:
            await super().publish(message, when_full)
            if sum(b'"outcome"' in one.body for one in self.messages) == len(commands):
                answered.set()
            if b"unplugged" in message.body:
                stop.set()

    memory = Memory()

    async def play() -> AsyncGenerator[Chunk | Notice]:
        for one in chunks:
            yield one
            await asyncio.sleep(0)
        for said in commands:
            memory.inboxes.deliver("icu", json.dumps(said).encode())
        await answered.wait()
        raise SourceLost("unplugged")

    record = RecordSettings(folder=str(tmp_path / "rec"))
    async with asyncio.timeout(60):
        await run_beds([plan(play)], memory, settings=FAST, record=record, stop=stop)
    return memory


def session_file(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "rec" / "icu").iterdir()
    return folder / "report.toml"


def read(path: Path) -> Course:
    (session,) = read_study(path).sessions
    (job,) = jobs_of(session, 0.0)
    return collect(job)


def happened(found: Sequence[tuple[str, float, str]]) -> list[tuple[str, str, int]]:
    """To two milliseconds."""
    return sorted((kind, detail, round(at_s / 2e-3)) for kind, at_s, detail in found)


def heard(course: Course) -> list[tuple[str, str, int]]:
    return happened([(str(one.kind), one.at_s, one.detail) for one in course.notices if one.kind in KINDS])


def published(memory: MemoryPublisher) -> list[tuple[str, str, int]]:
    told = [row for row in rows(memory, "icu") if row.get("kind") in KINDS]
    return happened([(row["kind"], row["at_s"], row["detail"]) for row in told])


@pytest.mark.parametrize("drift", [0.0, 1e-3, -1e-3])
async def test_what_was_told_is_found_at_its_samples(tmp_path: Path, drift: float) -> None:
    chunks = arriving(vent(tmp_path), first_late_s=3.0, drift=drift)
    memory = await until_told(
        tmp_path, chunks,
        command("prone", text="head left", at_s=chunks[0].start_s + 60.0),
        command("blood_gas", pco2_art_mmhg=52, fio2=0.6, at_s=chunks[0].start_s + 40.0),
        command("settings", text="settings: PEEP 10"), command("suction"), command("blood_gas", ph=7.31),
    )  # fmt: skip
    found = heard(read(session_file(tmp_path)))
    assert found == published(memory)
    assert len(found) == 5


async def test_measures_are_as_those_of_the_recording_itself(tmp_path: Path) -> None:
    """Nothing is counted twice, and no breath changes because its events come from the session file."""
    chunks = vent(tmp_path, 0.0)
    gate, first_s = Gate(chunks), chunks[0].start_s
    one = plan(
        lambda: gate.play(0, chunks, SourceLost("unplugged")),
        events=(SessionEvent(kind="note", at_s=first_s + 20.0, text="x"),),
        blood_gases=(BloodGas(at_s=first_s + 30.0, pco2_art_mmhg=40.0),),
    )
    memory = await live(
        one, tmp_path / "rec",
        commands=[command("prone"), command("blood_gas", pco2_art_mmhg=47), command("context", passive="not_asserted")],
    )  # fmt: skip
    path = session_file(tmp_path)
    alone, course = collect(Job(path=path.parent)), read(path)
    assert heard(course) == published(memory)
    for name in ("start_s", "values", "reasons", "grades", "drawn_s", "context"):
        assert getattr(course, name) == pytest.approx(getattr(alone, name), abs=1e-5, nan_ok=True), name
    assert [one.passive for one in course.contexts] == ["asserted", "not_asserted"]
    path.write_text(path.read_text(encoding="utf-8") + POINTS, encoding="utf-8")
    found = measure(read_study(path), jobs=1)
    assert sorted(found.events["kind"]) == ["blood_gas", "blood_gas", "note", "prone"]


async def test_a_session_file_is_read_from_its_own_folder_and_its_outputs_are_no_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until_told(tmp_path, vent(tmp_path), command("prone"))
    path = session_file(tmp_path)
    before = read(path)
    path.write_text(path.read_text(encoding="utf-8") + 'text = "edited"\n', encoding="utf-8")
    (path.parent / "numbers.parquet").write_bytes(b"PAR1")
    monkeypatch.chdir(path.parent)
    course = read(Path(path.name))
    assert (course.findings.error, course.findings.name) == (None, str(path.parent))
    assert (course.sha256, course.findings.samples) == (before.sha256, before.findings.samples)
    assert examine(Job(path=Path())).samples == before.findings.samples
    assert [one.detail for one in course.notices if one.kind in KINDS] == ["prone: edited"]


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


ODD = [
    Notice(bed="", at_s=1.0, kind=NoticeKind.NOTE, detail="", values={"event": "tracheotomy"}),
    Notice(bed="", at_s=1.0, kind=NoticeKind.NOTE, detail="x" * 501, values={"event": "note"}),
    Notice(bed="", at_s=float("nan"), kind=NoticeKind.NOTE, detail="", values={"event": "note"}),
    Notice(bed="", at_s=1e15, kind=NoticeKind.NOTE, detail="", values={"event": "note"}),
    Notice(bed="", at_s=1.0, kind=NoticeKind.BLOOD_GAS, detail="", values={}),
    Notice(bed="", at_s=1.0, kind=NoticeKind.BLOOD_GAS, detail="", values={"ph": 74.0}),
]


@pytest.mark.parametrize("odd", ODD)
def test_what_cannot_be_listed_leaves_all_to_the_recording(odd: Notice) -> None:
    """A list replaces what the recording tells, so half a list would lose the rest."""
    retold = Retold("b", [SessionEvent(kind="prone", at_s=5.0)], [], lambda at_s: UTC_NS + round(at_s * 1e9))
    assert "[[event]]" in retold.text()
    assert retold.hear(odd)
    assert "[[event]]" not in retold.text()
    assert "the recording itself tells" in retold.text()
    assert not retold.hear(event_notice(SessionEvent(kind="prone", at_s=9.0)))


def test_a_flood_is_left_to_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retold_module, "MAX_LISTED", 3)
    retold = Retold("b", [], [], lambda _: None)
    written = [retold.hear(event_notice(SessionEvent(kind="note", at_s=float(n)))) for n in range(6)]
    assert written == [True, True, True, True, False, False]
    assert "[[event]]" not in retold.text()


async def test_a_source_that_tells_the_unheard_of_disturbs_nobody(tmp_path: Path) -> None:
    chunks = vent(tmp_path)
    items = [*chunks[:50], *ODD, *chunks[50:]]
    memory = await until_told(tmp_path, items, command("prone"))  # type: ignore[arg-type]
    assert sum("number" in row for row in rows(memory, "icu")) > 25
    assert sum(one.kind == "position" for one in collect(Job(path=session_file(tmp_path).parent)).notices) == 1


async def test_after_the_session_the_file_is_the_users(tmp_path: Path) -> None:
    await until_told(tmp_path, vent(tmp_path), command("prone"))
    path = session_file(tmp_path)
    assert list(path.parent.glob("*.part")) == []
    gas = "\n[[blood_gas]]\nat = 2020-09-13T12:28:00Z\npco2_art_mmhg = 44\n"
    path.write_text(path.read_text(encoding="utf-8") + gas, encoding="utf-8")
    assert [one.detail for one in read(path).notices if one.kind is NoticeKind.BLOOD_GAS] == ["pco2_art_mmhg 44"]


def test_a_killed_program_leaves_a_whole_file(tmp_path: Path) -> None:
    code = f"""
import os, signal
from streamer.connection import RecordSettings
from streamer.context import SessionEvent
from streamer.run.tape import Tape
from streamer.timebase import RecordedTime
from streamer.told import event_notice
from tests.adapters.test_session import contiguous
from tests.test_tape import plan
tape = Tape(plan(lambda: None), "s", RecordSettings(folder={str(tmp_path)!r}), print)
for n, item in enumerate(contiguous(4)):
    tape.write(item)
    tape.write(event_notice(SessionEvent(kind="note", at_s=n / 10, text="x" * n)))
os.kill(os.getpid(), signal.SIGKILL)
"""
    died = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=False, timeout=120)
    assert died.returncode == -signal.SIGKILL
    path = tmp_path / "icu" / "s" / "report.toml"
    path.write_text(path.read_text(encoding="utf-8") + '[points]\nevent = "note"\n', encoding="utf-8")
    (session,) = read_study(path).sessions
    assert [len(one.text) for one in session.told.event] == list(range(40))
