"""Live beds that are recorded, with sources that send in a given order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path

from adapters.simulator import load_scenario, simulate
from streamer.model.chunk import Chunk
from streamer.model.context import Context
from streamer.model.records import Notice
from streamer.service import BedPlan, SourcePlan, run_beds
from streamer.service.publish import MemoryPublisher
from streamer.service.settings import RecordSettings, RunSettings
from streamer.wire import Message, Source
from streamer.wire.outbox import WhenFull
from tests.support.fakes import Settings
from tests.support.two_source_scenario import SCENARIO

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
