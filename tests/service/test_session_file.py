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

from adapters.recordings.recorder import Recorder
from streamer.analysis.run_recording import Job, examine
from streamer.cli import main
from streamer.model.chunk import Chunk
from streamer.model.context import BloodGas, SessionEvent
from streamer.model.errors import SourceLost
from streamer.model.records import Notice, NoticeKind
from streamer.service import SourcePlan, run_beds
from streamer.service.publish import MemoryPublisher
from streamer.service.settings import RecordSettings
from streamer.study import measure, read_study
from streamer.study.collect import Course, collect
from streamer.study.placing import jobs_of
from streamer.wire import Message
from streamer.wire.outbox import WhenFull
from tests.support.brokers import Listener, Mosquitto, needs_mosquitto_sub
from tests.support.fakes import Settings
from tests.support.odd_events import ODD
from tests.support.processes import REPLAY, started
from tests.support.recorded_sessions import FAST, Gate, delivered, live, plan, rows, simulated

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


@pytest.mark.parametrize(("first_late_s", "drift"), [(3.0, 0.0), (0.0, 1e-3), (0.0, -1e-3)])
async def test_what_was_told_is_found_at_its_samples(tmp_path: Path, first_late_s: float, drift: float) -> None:
    chunks = arriving(vent(tmp_path), first_late_s=first_late_s, drift=drift)
    memory = await until_told(
        tmp_path, chunks,
        command("prone", text="head left", at_s=chunks[0].start_s + 60.0),
        command("blood_gas", pco2_art_mmhg=52, fio2=0.6, at_s=chunks[0].start_s + 40.0),
        command("settings", text="settings: PEEP 10"), command("suction"), command("blood_gas", ph=7.31),
    )  # fmt: skip
    found = heard(read(session_file(tmp_path)))
    assert found == published(memory)
    assert len(found) == 5


async def test_a_further_source_that_comes_first_moves_nothing(tmp_path: Path) -> None:
    """The recording begins with its samples, so they date it."""
    chunks = simulated(tmp_path)
    own = delivered([one for one in chunks if one.source == "simulator"][100:], 0.0, 0.01)
    co2 = delivered([one for one in chunks if one.source == "capnograph"], 5000.0, 0.05)
    gate = Gate(own, co2)
    first, further = (
        SourcePlan(adapter="tests.support.fakes", options=Settings(play), clock_offset_s=offset_s)
        for play, offset_s in (
            (lambda: gate.play(0, own, SourceLost("unplugged")), None), (lambda: gate.play(1, co2, None), -5000.0),
        )
    )  # fmt: skip
    told = [command("prone", at_s=50.0), command("blood_gas", ph=7.3)]
    memory = await live(replace(plan(), sources=(first, further)), tmp_path / "rec", commands=told)
    found = heard(read(session_file(tmp_path)))
    assert found == published(memory)
    assert len(found) == 2


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


async def test_commands_of_one_second_and_a_redelivered_one(tmp_path: Path) -> None:
    """What was sent twice without an id was published twice, and is one turn and one draw in a report."""
    twice = [command("prone"), command("blood_gas", pco2_art_mmhg=47), command("suction")]
    memory = await until_told(tmp_path, vent(tmp_path), *twice, *twice[:2], command("note", text="so"))
    path = session_file(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") + POINTS, encoding="utf-8")
    assert sorted(measure(read_study(path), jobs=1).events["kind"]) == ["blood_gas", "note", "prone", "suction"]
    assert sorted(set(published(memory))) == heard(read(path))


async def test_a_bed_told_an_impossible_time_is_run_and_recorded(tmp_path: Path) -> None:
    gate, chunks = Gate(vent(tmp_path)), vent(tmp_path)
    slip = (SessionEvent(kind="note", at_s=1.6e12),)
    memory = await live(plan(lambda: gate.play(0, chunks, SourceLost("unplugged")), events=slip), tmp_path / "rec")
    assert sum("number" in row for row in rows(memory, "icu")) > 25
    assert read(session_file(tmp_path)).findings.error is None


async def test_a_session_file_that_cannot_be_written_is_told_and_the_bed_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retell = Recorder.retell

    def blocked(self: Recorder, text: str) -> None:
        if "[[event]]" in text:
            (self.folder / "report.toml").unlink()
            (self.folder / "report.toml").mkdir()
        retell(self, text)

    monkeypatch.setattr(Recorder, "retell", blocked)
    memory = await until_told(tmp_path, vent(tmp_path), command("prone"), command("suction"))
    found = [row for row in rows(memory, "icu") if row.get("kind") == "dropped"]
    assert [row["detail"].partition(":")[0] for row in found] == ["this session is not recorded any more"]
    assert [kind for kind, *_ in published(memory)] == ["note", "position"]


def test_a_killed_program_leaves_a_whole_file(tmp_path: Path) -> None:
    code = f"""
import os, signal
from streamer.service.settings import RecordSettings
from streamer.model.context import SessionEvent
from streamer.service.session_recorder import SessionRecorder
from streamer.wire.timebase import RecordedTime
from streamer.core.session_events import event_notice
from tests.support.builders.session_folder_files import contiguous
from tests.support.recorded_sessions import plan
tape = SessionRecorder(plan(lambda: None), "s", RecordSettings(folder={str(tmp_path)!r}), print)
for n, item in enumerate(contiguous(4)):
    tape.write(item)
    tape.write(event_notice(SessionEvent(kind="note", at_s=n / 10, text="x" * n)))
os.kill(os.getpid(), signal.SIGKILL)
"""
    died = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False, timeout=120)
    assert died.returncode == -signal.SIGKILL
    path = tmp_path / "icu" / "s" / "report.toml"
    path.write_text(path.read_text(encoding="utf-8") + '[points]\nevent = "note"\n', encoding="utf-8")
    (session,) = read_study(path).sessions
    assert [len(one.text) for one in session.told.event] == list(range(40))


@pytest.mark.broker
@needs_mosquitto_sub
def test_report_works_on_what_run_recorded(tmp_path: Path, mosquitto_broker: Mosquitto) -> None:
    """With processes and a broker that share nothing with the test but sockets and files."""
    config, url = tmp_path / "c.toml", mosquitto_broker.url
    source = f"{{ adapter = 'recording', path = '{REPLAY / 'vcv_hold.csv'}', speed = 10 }}"
    config.write_text(f"broker.url = '{url}'\nrecord.folder = 'rec'\n[[bed]]\nid = 'icu'\nsources = [{source}]\n")
    topic = "ventstream/v1/icu"
    tell = ["mosquitto_pub", "-p", url.rsplit(":", 1)[1], "-q", "1", "-t", f"{topic}/command", "-m"]
    commands = [command("prone"), command("blood_gas", pco2_art_mmhg=52, fio2=0.5), command("suction")]
    with (
        Listener(url, f"{topic}/breath") as breaths,
        Listener(url, f"{topic}/event") as events,
        started("run", config) as service,
    ):
        breaths.lines(3)
        for said in commands:
            subprocess.run([*tell, json.dumps(said)], check=True, timeout=10)
        accepted = 0
        while accepted < len(commands):
            accepted += b'"outcome":"accepted"' in events.lines(1)[0]
        service.send_signal(signal.SIGINT)
        service.wait(10)
    path = session_file(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") + POINTS, encoding="utf-8")
    found = measure(read_study(path), jobs=1)
    assert sorted(found.events["kind"]) == ["blood_gas", "prone", "suction"]
    assert main(["report", str(path), "-o", str(tmp_path / "numbers.csv")]) == 0
    assert "icu" in (tmp_path / "numbers.csv").read_text(encoding="utf-8")
