"""The shell around the core: sessions, retries, presence. Without a network; the core is a stand-in."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import signal
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest

from streamer.core.bed import CoreSettings
from streamer.core.rolling import RollingSettings
from streamer.model.chunk import Chunk
from streamer.model.context import Context
from streamer.model.errors import ConfigError, DecodeError, OutputError, SourceLost
from streamer.model.records import Event, Notice, NoticeKind
from streamer.service import BedOutcome, BedPlan, Clock, SourcePlan, run_beds, stop_on_signals
from streamer.service.publish import MemoryPublisher
from streamer.service.settings import RunSettings
from streamer.wire import Message, Source, asyncapi_document, decode
from streamer.wire.outbox import WhenFull
from tests.support.fakes import BREATH, RATE_HZ, FakeCore, Settings, chunk, recording
from tests.support.json_schema import problems

FAST = RunSettings(stall_s=0.1, state_period_s=0.05, backoff_first_s=0.01, backoff_max_s=0.02)


def plan(bed: str, options: Settings, speed: float | None = math.inf, **more) -> BedPlan:
    source = Source.LIVE if speed is None else Source.RECORDED
    return BedPlan(
        bed=bed,
        source=source,
        sources=(SourcePlan(adapter="tests.support.fakes", options=options, speed=speed),),
        **more,
    )


async def play(
    *plans: BedPlan, publisher: MemoryPublisher | None = None, **more
) -> tuple[list[BedOutcome], list[Message]]:
    memory = publisher or MemoryPublisher()
    outcomes = await run_beds(plans, memory, make_core=FakeCore, **{"settings": FAST, **more})
    return outcomes, memory.messages


def rows(messages: list[Message], topic: str) -> list[dict]:
    return [
        json.loads(found.payload) for found in messages if found.topic == f"ventstream/v1/{topic}" and found.payload
    ]


def lines(*items: Chunk | Notice, error: BaseException | None = None) -> Settings:
    async def stream() -> AsyncGenerator[Chunk | Notice]:
        for item in items:
            yield item
        if error is not None:
            raise error

    return Settings(stream)


async def test_a_recording_from_its_first_breath_to_its_last_word() -> None:
    start = datetime(2020, 6, 1, 8, tzinfo=UTC)
    outcomes, messages = await play(plan("a", recording(25), start_utc=start, context=Context(mode="vcv")))
    assert outcomes == [BedOutcome(bed="a", samples=2500, breaths=25, notices=2)]
    breaths = rows(messages, "a/breath")
    assert [row["number"] for row in breaths] == [row["seq"] for row in breaths] == list(range(25))
    assert {row["source"] for row in breaths} == {"recorded"}
    assert breaths[2]["start_utc"] == "2020-06-01T08:00:04.000Z"
    assert len({row["session"] for row in breaths}) == 1
    assert [row["kind"] for row in rows(messages, "a/event")] == ["note", "source_end"]
    states = rows(messages, "a/state")
    assert [row["state"] for row in states] == ["online", "offline"]
    last = states[-1]
    assert (last["last_seq_breath"], last["last_seq_summary_1m"], last["last_seq_event"]) == (24, 1, 1)
    assert (last["samples"], last["breaths"], last["dropped"]) == (2500, 25, 0)
    assert (last["mode"], last["rate_hz"], last["adapter"], last["speed"]) == (
        "vcv",
        RATE_HZ,
        "tests.support.fakes",
        0.0,
    )
    assert last["clock_offset_s"] == start.timestamp()


async def test_what_the_broker_retains_of_a_bed_is_cleared_at_the_end() -> None:
    _, messages = await play(plan("a", recording(10)))
    cleared = [found.topic for found in messages if not found.payload]
    assert cleared == ["ventstream/v1/a/state", "ventstream/v1/a/summary/1m"]
    assert all(found.retain for found in messages if found.topic in cleared)
    assert [found.topic for found in messages][-2:] == cleared


@pytest.mark.parametrize("per_chunk", [1, 7, BREATH, 100_000])
async def test_breaths_do_not_depend_on_the_chunks(per_chunk: int) -> None:
    _, messages = await play(plan("a", recording(12, per_chunk)))
    assert [row["number"] for row in rows(messages, "a/breath")] == list(range(12))


async def test_one_bad_bed_never_disturbs_another() -> None:
    class Broken(FakeCore):
        def push(self, item: Chunk | Notice) -> list[Event]:
            if self.bed == "bug" and self.samples:
                raise ZeroDivisionError
            return super().push(item)

    plans = [
        plan("bad", lines(chunk(0.0, 250), error=DecodeError("x.csv:12: not a number"))),
        plan("bug", recording(100)),
        plan("good", recording(100)),
        plan("gone", lines(error=OSError("device vanished"))),
    ]
    memory = MemoryPublisher()
    outcomes = await run_beds(plans, memory, make_core=Broken, settings=FAST)
    errors = {outcome.bed: outcome.error for outcome in outcomes}
    assert errors == {
        "bad": "x.csv:12: not a number",
        "bug": "internal error: ZeroDivisionError",
        "good": "",
        "gone": "device vanished",
    }
    assert len(rows(memory.messages, "good/breath")) == 100
    assert len(rows(memory.messages, "bad/breath")) == 2  # what was good before is kept
    for bed in ("bad", "bug", "gone"):
        last = rows(memory.messages, f"{bed}/state")[-1]
        assert (last["state"], last["reason"]) == ("offline", errors[bed])
        assert rows(memory.messages, f"{bed}/event")[-1]["kind"] == "source_lost"


async def test_a_core_that_fails_while_closing_still_says_offline() -> None:
    class Broken(FakeCore):
        def close(self) -> list[Event]:
            raise ZeroDivisionError

    memory = MemoryPublisher()
    (outcome,) = await run_beds([plan("a", recording(3))], memory, make_core=Broken, settings=FAST)
    assert outcome.error == "internal error: ZeroDivisionError"
    assert [row["state"] for row in rows(memory.messages, "a/state")] == ["online", "offline"]


async def test_a_core_that_cannot_be_made_leaves_the_others_alone() -> None:
    def make(found: BedPlan) -> FakeCore:
        if found.bed == "a":
            raise ValueError("no")
        return FakeCore(found)

    outcomes = await run_beds([plan("a", recording(3)), plan("b", recording(3))], MemoryPublisher(), make_core=make)
    assert [outcome.error for outcome in outcomes] == ["cannot start: no", ""]
    assert outcomes[1].breaths == 3


async def test_a_live_source_is_opened_again_as_a_new_session() -> None:
    openings = 0
    stop = asyncio.Event()

    async def stream() -> AsyncGenerator[Chunk | Notice]:
        nonlocal openings
        openings += 1
        if openings == 2:
            raise SourceLost("connection refused")
        for index in range(3):
            yield chunk(index * 2.0, BREATH, received_ns=round((1e9 + index * 2.0) * 1e9))
        if openings == 4:
            stop.set()
            await asyncio.sleep(10.0)

    (outcome,), messages = await play(plan("a", Settings(stream), speed=None), stop=stop)
    assert openings == 4
    assert (outcome.breaths, outcome.error) == (9, "")
    breaths = rows(messages, "a/breath")
    assert [row["seq"] for row in breaths] == [0, 1, 2] * 3
    assert len({row["session"] for row in breaths}) == 3
    assert len({(row["session"], row["seq"]) for row in breaths}) == 9
    kinds = [row["kind"] for row in rows(messages, "a/event")]
    assert kinds == ["note", "source_lost"] * 2 + ["note", "source_end"]
    states = [(row["state"], row["reason"]) for row in rows(messages, "a/state")]
    lost = [("online", ""), ("offline", "the live source ended")]  # a try that brings no sample is not told again
    assert states == [*lost, *lost, ("online", ""), ("offline", "stopped")]


async def test_silence_is_a_stall_by_wall_time_and_alters_no_result() -> None:
    stop = asyncio.Event()

    async def stream() -> AsyncGenerator[Chunk | Notice]:
        yield chunk(0.0, BREATH)
        await asyncio.sleep(0.25)
        yield chunk(2.0, BREATH)
        stop.set()
        await asyncio.sleep(10.0)

    _, messages = await play(plan("a", Settings(stream), speed=None), stop=stop)
    states = [row["state"] for row in rows(messages, "a/state")]
    changes = [state for index, state in enumerate(states) if index == 0 or states[index - 1] != state]
    assert changes == ["online", "stalled", "online", "offline"]
    assert "no sample for" in next(row["reason"] for row in rows(messages, "a/state") if row["state"] == "stalled")
    assert len(rows(messages, "a/breath")) == 2


async def test_counters_are_told_as_time_goes_by() -> None:
    async def stream() -> AsyncGenerator[Chunk | Notice]:
        yield chunk(0.0, BREATH)
        await asyncio.sleep(0.12)

    _, messages = await play(plan("a", Settings(stream)))
    assert [row["breaths"] for row in rows(messages, "a/state")][:3] == [0, 1, 1]


async def test_doubts_stand_in_the_state_until_they_are_over() -> None:
    def told(kind: NoticeKind, **values: float | str) -> Notice:
        return Notice(bed="", at_s=0.5, kind=kind, detail="x", values=values)

    def stream(*items: Chunk | Notice) -> Settings:
        return lines(chunk(0.0, BREATH), *items)

    doubted = (
        told(NoticeKind.SUSPICION, rule="flow_reversed"),
        told(NoticeKind.NOTE),
        told(NoticeKind.DROPPED, rows=3.0),
    )
    _, messages = await play(plan("a", stream(*doubted)))
    assert rows(messages, "a/state")[0]["doubts"] == []
    assert rows(messages, "a/state")[-1]["doubts"] == ["flow_reversed", "dropped_rows", "assumption"]
    assert [row["kind"] for row in rows(messages, "a/event")][:3] == ["suspicion", "note", "dropped"]
    _, messages = await play(plan("a", stream(*doubted, told(NoticeKind.SUSPICION, rule="flow_reversed", over=1.0))))
    assert rows(messages, "a/state")[-1]["doubts"] == ["dropped_rows", "assumption"]


class Narrow(MemoryPublisher):
    """A publisher whose lane is full until ``open`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.lost = 0
        self.connected = True

    async def publish(self, message: Message, when_full: WhenFull = WhenFull.WAIT) -> None:
        if when_full is WhenFull.WAIT and len(self.messages) > 4:
            await self.open.wait()
        await super().publish(message, when_full)

    def dropped(self, bed: str) -> int:  # noqa: ARG002 (one bed)
        return self.lost

    @property
    def is_connected(self) -> bool:
        return self.connected


async def test_stopping_a_replay_that_waits_for_room_loses_no_finished_breath() -> None:
    stop, publisher = asyncio.Event(), Narrow()

    async def halt() -> None:
        await asyncio.sleep(0.05)
        stop.set()

    task = asyncio.create_task(halt())
    (outcome,), messages = await play(plan("a", recording(8)), publisher=publisher, stop=stop)
    await task
    # The first piece of the recording held five breaths: all of them were found, three before there was no room.
    assert [row["number"] for row in rows(messages, "a/breath")] == list(range(5))
    assert (outcome.breaths, outcome.error) == (5, "")
    assert rows(messages, "a/state")[-1]["reason"] == "stopped"
    assert rows(messages, "a/state")[-1]["last_seq_breath"] == 4


async def test_stopping_while_a_recording_says_its_last_words() -> None:
    stop, publisher = asyncio.Event(), Narrow()

    async def halt() -> None:
        await asyncio.sleep(0.05)
        stop.set()

    task = asyncio.create_task(halt())
    _, messages = await play(plan("a", recording(4)), publisher=publisher, stop=stop)
    await task
    assert [row["kind"] for row in rows(messages, "a/event")] == ["note", "source_end"]
    assert rows(messages, "a/state")[-1]["state"] == "offline"


async def test_losses_are_published_once_the_broker_is_back() -> None:
    publisher, stop = Narrow(), asyncio.Event()

    async def stream() -> AsyncGenerator[Chunk | Notice]:
        yield chunk(0.0, BREATH)
        publisher.connected, publisher.lost = False, 7
        await asyncio.sleep(0.12)
        assert not [row for row in rows(publisher.messages, "a/event") if row["kind"] == "dropped"]
        publisher.connected = True
        await asyncio.sleep(0.12)
        stop.set()
        await asyncio.sleep(10.0)

    _, messages = await play(plan("a", Settings(stream), speed=None), publisher=publisher, stop=stop)
    (dropped,) = [row for row in rows(messages, "a/event") if row["kind"] == "dropped"]
    assert dropped["messages"] == 7.0
    assert rows(messages, "a/state")[-1]["dropped"] == 7


async def test_cancelling_ends_as_cleanly_as_stopping() -> None:
    closed = asyncio.Event()

    async def stream() -> AsyncGenerator[Chunk | Notice]:
        try:
            yield chunk(0.0, BREATH)
            await asyncio.sleep(10.0)
        finally:
            closed.set()

    memory = MemoryPublisher()
    task = asyncio.create_task(run_beds([plan("a", Settings(stream))], memory, make_core=FakeCore))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()
    assert rows(memory.messages, "a/state")[-1]["state"] == "offline"
    assert memory.messages[-1].payload == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_sets_stop_once(number: signal.Signals) -> None:
    with stop_on_signals() as stop:
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), 1.0)
        assert signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}  # the next one acts as ever
    assert signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}


async def test_a_replay_at_speed_follows_the_clock_it_is_given() -> None:
    at = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal at
        at += seconds
        await asyncio.sleep(0)

    clock = Clock(sleep=sleep, now=lambda: at, now_ns=lambda: round(at * 1e9))
    _, messages = await play(plan("a", recording(10), speed=2.0), clock=clock)
    assert at == pytest.approx(10.0)
    assert rows(messages, "a/state")[-1]["speed"] == 2.0


async def test_progress_is_told() -> None:
    told: list[tuple[str, float]] = []
    await play(plan("a", recording(10)), on_progress=lambda bed, at_s: told.append((bed, at_s)))
    assert told[-1] == ("a", 20.0)
    assert told == sorted(told)


async def test_a_publisher_that_cannot_write_stops_everything_with_its_own_error() -> None:
    class Full(MemoryPublisher):
        async def publish(self, message: Message, when_full: WhenFull = WhenFull.WAIT) -> None:
            if len(self.messages) == 5:
                raise OutputError("cannot write: No space left on device")
            await super().publish(message, when_full)

    with pytest.raises(OutputError, match="No space left"):
        await play(plan("a", recording(100)), plan("b", recording(100)), publisher=Full())


async def test_damaged_rows_are_counted() -> None:
    def damaged(**values: float) -> Notice:
        return Notice(bed="a", at_s=0.0, kind=NoticeKind.DAMAGED, detail="line 12", values=values)

    (outcome,), _ = await play(plan("a", lines(damaged(rows=3.0), chunk(0.0, 50), damaged())))
    assert (outcome.damaged, outcome.notices, outcome.samples) == (4, 4, 50)
    (outcome,), _ = await play(plan("a", lines(damaged(rows=3.0), damaged(damaged_rows=70.0))))
    assert outcome.damaged == 70  # an adapter's last notice tells the total, the unreported runs included


async def test_a_summary_outlives_the_period_that_was_configured() -> None:
    core = CoreSettings(rolling=RollingSettings(min_period_s=45.0))
    _, messages = await play(plan("a", recording(10), core=core))
    assert {found.expiry_s for found in messages if found.topic.endswith("summary/1m") and found.payload} == {90}


@pytest.mark.parametrize(
    ("plans", "says"),
    [
        ([], "no bed"),
        ([plan("a", recording(1)), plan("a", recording(1))], "twice"),
        ([plan("a/b", recording(1))], "bed id"),
        ([BedPlan(bed="a", sources=())], "no source"),
        (
            [
                BedPlan(
                    bed="a", sources=(SourcePlan(adapter="x", options=0, speed=1.0), SourcePlan(adapter="x", options=0))
                )
            ],
            "one speed",
        ),
        ([plan("a", recording(1), speed=0.0)], "speed"),
        ([plan("a", recording(1), speed=math.nan)], "speed"),
        ([BedPlan(bed="a", sources=(SourcePlan(adapter="nonesuch", options=None),))], "nonesuch"),
        ([BedPlan(bed="a", sources=(SourcePlan(adapter="json", options=None),))], "json"),
    ],
)
async def test_plans_that_cannot_run_are_refused_before_anything_starts(plans: list[BedPlan], says: str) -> None:
    memory = MemoryPublisher()
    with pytest.raises(ConfigError, match=says):
        await run_beds(plans, memory)
    assert memory.messages == []


async def test_every_payload_fits_the_published_schema_and_a_channel_of_the_asyncapi_document() -> None:
    document = asyncapi_document()
    lost = lines(chunk(0.0, 1000), error=DecodeError("x.csv:12: not a number"))
    _, messages = await play(plan("icu-04", recording(25)), plan("b", lost))
    used = set()
    for found in messages:
        fitting = [
            name
            for name, channel in document["channels"].items()
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", channel["address"]), found.topic)
        ]
        (name,) = fitting
        used.add(name)
        assert found.retain == document["operations"][f"publish_{name}"]["bindings"]["mqtt"]["retain"]
        assert found.qos == document["operations"][f"publish_{name}"]["bindings"]["mqtt"]["qos"]
        if found.payload:
            assert not problems(json.loads(found.payload), document["components"]["schemas"][name]), found.topic
            assert decode(found.payload).kind == name  # type: ignore[union-attr]
    assert used == {"breath", "summary", "event", "state"}
