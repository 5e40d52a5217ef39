"""Several sources of one bed: recorded ones by device time, live ones by arrival, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.recordings.canonical import write_recording
from adapters.simulator import load_scenario, simulate
from streamer.cli.bed_plans import plans_of
from streamer.core.bed import Bed
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import RecordingInfo, Sidecar
from streamer.model.errors import ConfigError, SourceLost
from streamer.model.records import BreathRecord, Notice, NoticeKind
from streamer.service import BedPlan, Clock, SourcePlan, run_beds
from streamer.service.config import load_config
from streamer.service.publish import MemoryPublisher
from streamer.service.settings import RunSettings
from streamer.service.source_merge import BedStreams, by_device_time, labels
from streamer.wire import Source
from tests.support.fakes import FakeCore, Settings
from tests.support.two_source_scenario import SCENARIO

FAST = RunSettings(stall_s=5.0, state_period_s=5.0, backoff_first_s=0.01, backoff_max_s=0.02)


def flow(start_s: float, source: str = "vent", received_ns: int | None = None, count: int = 50) -> Chunk:
    samples = {Channel.FLOW: np.zeros(count)}
    return Chunk(source=source, start_s=start_s, rate_hz=50.0, channels=samples, received_ns=received_ns)


def pco2(start_s: float, source: str = "co2", received_ns: int | None = None) -> Chunk:
    samples = {Channel.PCO2: np.zeros(20)}
    return Chunk(source=source, start_s=start_s, rate_hz=20.0, channels=samples, received_ns=received_ns)


async def given_by(*items: Chunk | Notice) -> AsyncGenerator[Chunk | Notice]:
    for item in items:
        yield item


def test_sources_of_a_bed_are_told_apart() -> None:
    sources = tuple(SourcePlan(adapter=name, options=None) for name in ("recording", "pb840", "recording"))
    assert labels(BedPlan(bed="a", sources=sources)) == ["recording", "pb840", "recording-3"]


async def test_recorded_streams_alternate_by_device_time() -> None:
    vent = given_by(flow(0.0), flow(1.0), flow(2.0))
    other = given_by(pco2(10.4), Notice(bed="", at_s=11.0, kind=NoticeKind.NOTE), pco2(11.4), pco2(12.4))
    merged = [item async for item in by_device_time([vent, other], [0.0, -10.0])]
    assert [item.start_s if isinstance(item, Chunk) else item.at_s for item in merged] == [
        0.0, 10.4, 11.0, 1.0, 11.4, 2.0, 12.4,
    ]  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=12), st.lists(st.integers(0, 30), max_size=12))
def test_merging_loses_nothing_and_keeps_each_streams_order(first: list[int], second: list[int]) -> None:
    async def merged() -> list[Chunk | Notice]:
        streams = [given_by(*map(flow, sorted(first))), given_by(*map(pco2, sorted(second)))]
        return [item async for item in by_device_time(streams, [0.0, 0.0])]

    items = asyncio.run(merged())
    ends = [item.start_s + 1.0 for item in items if isinstance(item, Chunk)]
    assert ends == sorted(ends)
    for source, starts in (("vent", first), ("co2", second)):
        assert [item.start_s for item in items if isinstance(item, Chunk) and item.source == source] == sorted(starts)


def live_plan(*plays: object) -> BedPlan:
    sources = tuple(SourcePlan(adapter="tests.support.fakes", options=Settings(play)) for play in plays)  # type: ignore[arg-type]
    return BedPlan(bed="a", source=Source.LIVE, sources=sources)


def rows(memory: MemoryPublisher, topic: str) -> list[dict]:
    found = [message for message in memory.messages if message.topic.endswith(f"/a/{topic}") and message.payload]
    return [json.loads(message.payload) for message in found]


async def test_a_live_capnograph_may_come_and_go_while_the_bed_goes_on() -> None:
    stop, opened = asyncio.Event(), []
    seen: list[Chunk | Notice] = []

    async def ventilator() -> AsyncGenerator[Chunk | Notice]:
        n = 0
        while not stop.is_set():
            yield flow(n, received_ns=n * 10**9)
            n += 1
            await asyncio.sleep(0.002)

    async def capnograph() -> AsyncGenerator[Chunk | Notice]:
        opened.append(1)
        yield pco2(0.0, received_ns=1)
        if len(opened) == 1:
            raise SourceLost("co2: unplugged")
        stop.set()
        await asyncio.Event().wait()

    class Core(FakeCore):
        def push(self, item: Chunk | Notice) -> list:
            seen.append(item)
            return [item] if isinstance(item, Notice) else []

    memory = MemoryPublisher()
    ended = asyncio.Event()

    def at_end(_: str, _s: float) -> None:
        if stop.is_set():
            ended.set()

    async with asyncio.timeout(20):
        await run_beds(
            [live_plan(ventilator, capnograph)], memory, make_core=Core, settings=FAST, stop=ended, on_progress=at_end
        )
    kinds = [row["kind"] for row in rows(memory, "event")]
    lost, back = kinds.index("source_lost"), kinds.index("source_back")
    assert lost < back
    details = [row["detail"] for row in rows(memory, "event")]
    assert details[lost] == "tests.support.fakes-2: co2: unplugged; the bed goes on without it"
    assert details[back] == "tests.support.fakes-2 is back"
    assert len({row["session"] for row in rows(memory, "state")}) == 1
    assert {item.source for item in seen if isinstance(item, Chunk)} == {"tests.support.fakes", "tests.support.fakes-2"}


async def test_the_first_source_ends_the_session_and_a_source_beyond_repair_is_told_once() -> None:
    async def ventilator() -> AsyncGenerator[Chunk | Notice]:
        yield flow(0.0)
        await asyncio.sleep(0.05)
        yield flow(1.0)
        raise SourceLost("vent: unplugged")

    async def wrong() -> AsyncGenerator[Chunk | Notice]:
        raise ConfigError("needs ventstream[serial]")
        yield flow(0.0)

    streams = BedStreams(live_plan(ventilator, wrong), FAST, Clock())
    items: list[Chunk | Notice] = []

    async def read() -> None:
        async with asyncio.timeout(5):
            async for item in streams.open():
                items.append(item)  # noqa: PERF401 (what came before the error counts)

    with pytest.raises(SourceLost, match="vent: unplugged"):
        await read()
    assert [item.detail for item in items if isinstance(item, Notice)] == [
        "tests.support.fakes-2: needs ventstream[serial]; the bed goes on without it"
    ]
    assert sum(isinstance(item, Chunk) for item in items) == 4  # in pieces of half a second


@pytest.fixture(scope="module")
def two_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ventilator and a capnograph recorded apart, the latter's clock 100 s behind."""
    folder = tmp_path_factory.mktemp("two")
    scenario = folder / "scenario.toml"
    scenario.write_text(SCENARIO, encoding="utf-8")
    simulation = simulate(load_scenario(str(scenario)))
    chunks = [item for item in simulation.chunks() if isinstance(item, Chunk)]
    for source, name, moved_s in (("simulator", "vent", 0.0), ("capnograph", "co2", -100.0)):
        own = [
            Chunk(source=source, start_s=one.start_s + moved_s, rate_hz=one.rate_hz, channels=one.channels)
            for one in chunks
            if one.source == source
        ]
        write_recording(
            folder / f"{name}.parquet", own, Sidecar(recording=RecordingInfo(), context=simulation.sidecar.context)
        )
    return folder


@pytest.mark.parametrize("speed", ["'max'", "5000"])
async def test_two_recordings_make_one_bed(two_files: Path, speed: str) -> None:
    config = two_files / "ward.toml"
    config.write_text(
        "[[bed]]\nid = 'a'\nsources = [\n"
        f"  {{adapter = 'recording', path = 'vent.parquet', speed = {speed}}},\n"
        f"  {{adapter = 'recording', path = 'co2.parquet', speed = {speed}, clock_offset_s = 100.0}},\n]\n",
        encoding="utf-8",
    )
    (plan,) = plans_of(load_config(config))
    memory = MemoryPublisher()
    (outcome,) = await run_beds([plan], memory)
    assert outcome.error == ""
    breaths = rows(memory, "breath")
    bed = Bed("a", context=plan.context)
    direct = []
    for item in simulate(load_scenario(str(two_files / "scenario.toml"))).chunks():
        direct += [event for event in bed.push(item) if isinstance(event, BreathRecord)]
    direct += [event for event in bed.close() if isinstance(event, BreathRecord)]
    assert len(breaths) == len(direct) > 40
    given = [row["vd_aw"] for row in breaths if row["vd_aw"] is not None]
    assert len(given) > 30
    expected = [float(f"{one.values['vd_aw']:.6g}") for one in direct if "vd_aw" in one.values]
    assert given == pytest.approx(expected, abs=0.05)
    assert math.isclose(np.median(given), 150.0, abs_tol=5.0)


def cut(chunks: list[Chunk], rng: np.random.Generator) -> list[Chunk]:
    """The same stream in pieces of any length up to half a second."""
    channels = {name: np.concatenate([one.channels[name] for one in chunks]) for name in chunks[0].channels}
    first = chunks[0]
    whole = Chunk(source=first.source, start_s=first.start_s, rate_hz=first.rate_hz, channels=channels)
    edges = np.cumsum(rng.integers(1, round(0.5 * whole.rate_hz), len(whole)))
    edges = np.array([0, *edges[edges < len(whole)], len(whole)])
    return [whole.cut(a, b) for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]


async def test_events_of_two_sources_are_the_same_however_both_are_cut(two_files: Path) -> None:
    simulation = simulate(load_scenario(str(two_files / "scenario.toml")))
    streams: dict[str, list[Chunk]] = {}
    for item in simulation.chunks():
        if isinstance(item, Chunk):
            streams.setdefault(item.source, []).append(item)
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        pieces = [given_by(*cut(chunks, rng)) for chunks in streams.values()]
        bed = Bed("a", context=simulation.sidecar.context)
        events = [event async for item in by_device_time(pieces, [0.0, 0.0]) for event in bed.push(item)]
        found.append(events + bed.close())
    assert len(found[0]) > 50
    assert all(events == found[0] for events in found)
