"""From chunk to subscriber, over real brokers, seen by a client that shares no code with ours."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from adapters.recordings.open import open_recording
from streamer.core.bed import Bed
from streamer.model.chunk import Chunk
from streamer.model.records import Notice, Summary
from streamer.service import BedPlan, SourcePlan, run_beds
from streamer.service.publish import MqttPublisher
from streamer.service.settings import BrokerSettings
from streamer.wire import Origin, Source, WireSettings, encode
from streamer.wire.outbox import OutboxSettings
from tests.support.brokers import Listener, needs_mosquitto_sub
from tests.support.fakes import BREATH, RATE_HZ, FakeCore, Settings, recording

pytestmark = [pytest.mark.broker, needs_mosquitto_sub]

REPO = Path(__file__).parents[2]


def plan(bed: str, breaths: int, speed: float) -> BedPlan:
    source = SourcePlan(adapter="tests.support.fakes", options=recording(breaths), speed=speed)
    return BedPlan(bed=bed, source=Source.SIMULATED, sources=(source,))


async def run(settings: BrokerSettings, wire: WireSettings, *plans: BedPlan, bound: int = 10_000) -> MqttPublisher:
    async with MqttPublisher(settings, wire=wire, outbox=OutboxSettings(max_messages=bound)) as publisher:
        await publisher.wait_connected(5.0)
        outcomes = await run_beds(plans, publisher, wire=wire, make_core=FakeCore)
    assert not any(outcome.error for outcome in outcomes)
    assert publisher.undelivered == {}
    return publisher


async def test_a_breath_is_seen_within_a_second_of_its_end(any_broker: BrokerSettings, wire: WireSettings) -> None:
    with Listener(any_broker.url, f"{wire.prefix}/b/breath") as listener:
        await asyncio.sleep(0.2)

        def arrivals() -> list[tuple[float, dict]]:
            rows = (json.loads(listener.lines(1)[0]) for _ in range(2))
            return [(time.monotonic(), row) for row in rows]

        seen = asyncio.create_task(asyncio.to_thread(arrivals))
        started = time.monotonic()
        await run(any_broker, wire, plan("b", 2, speed=1.0))
        for number, (at, row) in enumerate(await seen):
            assert row["number"] == number
            lag_s = at - started - (number + 1) * BREATH / RATE_HZ
            assert -0.1 < lag_s < 1.0


async def test_four_beds_as_fast_as_possible_and_every_breath_is_there(
    any_broker: BrokerSettings,
    wire: WireSettings,
) -> None:
    """An hour of four beds, 15 breaths per minute each, through lanes of 50."""
    count, beds = 900, [f"bed-{index}" for index in range(4)]
    with (
        Listener(any_broker.url, f"{wire.prefix}/+/breath") as breaths,
        Listener(
            any_broker.url,
            f"{wire.prefix}/+/state",
        ) as states,
    ):
        await asyncio.sleep(0.2)
        seen = asyncio.create_task(asyncio.to_thread(breaths.lines, count * len(beds)))
        await run(any_broker, wire, *(plan(bed, count, math.inf) for bed in beds), bound=50)
        rows = [json.loads(line) for line in await asyncio.wait_for(seen, 20.0)]
        said = await asyncio.to_thread(last_words, states, len(beds))
    assert Counter(row["bed"] for row in rows) == dict.fromkeys(beds, count)
    for bed in beds:
        assert [row["seq"] for row in rows if row["bed"] == bed] == list(range(count))
        assert said[bed]["last_seq_breath"] == count - 1  # so that any subscriber can check


def last_words(states: Listener, beds: int) -> dict[str, dict]:
    """The offline state of each bed."""
    found: dict[str, dict] = {}
    while len(found) < beds:
        (line,) = states.lines(1)
        row = json.loads(line) if line else {}
        if row.get("state") == "offline":
            found[row["bed"]] = row
    return found


def service(url: str, root: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.service", url, root],
        cwd=REPO,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def test_a_killed_service_leaves_its_last_will(any_broker: BrokerSettings, wire: WireSettings) -> None:
    process = service(any_broker.url, wire.root)
    with (
        process,
        Listener(any_broker.url, f"{wire.prefix}/b/breath") as breaths,
        Listener(
            any_broker.url,
            wire.status_topic,
        ) as status,
    ):
        breaths.lines(1)
        assert json.loads(status.lines(1)[0])["status"] == "online"
        process.kill()
        killed = time.monotonic()
        row = json.loads(status.lines(1)[0])
        assert (row["status"], row["reason"]) == ("offline", "connection lost")
        assert time.monotonic() - killed < 2.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_service_says_so_and_clears_what_is_retained(number: signal.Signals) -> None:
    """The signal reaches the whole group, embedded broker included, as Ctrl-C and a service manager's SIGTERM do."""
    process = service("embedded", "stop")
    assert process.stdout
    with process:
        url = process.stdout.readline().decode().strip()
        with Listener(url, "stop/v1/#", "-v", "-W", "15") as everything:
            while not everything.lines(1)[0].startswith(b"stop/v1/b/breath"):
                pass
            os.killpg(process.pid, number)
            seen, until = [], time.monotonic() + 15.0
            while not seen or not seen[-1].startswith(b"stop/v1/status"):
                assert time.monotonic() < until, "the broker went before the last word"
                seen += everything.lines(1)
        assert process.wait(10.0) == 0
    said = [line.partition(b" ") for line in seen]
    states = [payload for topic, _, payload in said if topic == b"stop/v1/b/state"]
    offline = json.loads(states[-2])
    assert (offline["state"], offline["reason"]) == ("offline", "stopped")
    assert states[-1] in {b"", b"(null)"}  # cleared
    assert json.loads(said[-1][2])["status"] == "offline"


@pytest.mark.parametrize("per_chunk", [None, 7])
async def test_what_arrives_is_what_the_core_found(
    any_broker: BrokerSettings,
    wire: WireSettings,
    per_chunk: int | None,
) -> None:
    """The real core on a recording: over MQTT at full speed, and pushed whole without any shell."""
    recorded = open_recording(REPO / "replay_data" / "pcv.csv")
    items = list(recorded.items())
    bed = Bed("b", context=recorded.sidecar.context)
    found = [event for item in items for event in bed.push(item)] + bed.close()
    origin = Origin(prefix=wire.prefix, bed="b", session="", source=Source.SIMULATED)
    expected = [encode(event, origin, lambda _: None) for event in found if not isinstance(event, Summary)]

    async def stream() -> AsyncGenerator[Chunk | Notice]:
        for item in items:
            pieces = [item]
            if per_chunk and isinstance(item, Chunk):
                pieces = [item.cut(first, first + per_chunk) for first in range(0, len(item), per_chunk)]
            for piece in pieces:
                yield piece

    source = SourcePlan(adapter="tests.support.fakes", options=Settings(stream), speed=math.inf)
    replay = BedPlan(bed="b", source=Source.SIMULATED, sources=(source,), context=recorded.sidecar.context)
    with Listener(any_broker.url, f"{wire.prefix}/b/+", "-F", "%t %p") as listener:
        await asyncio.sleep(0.2)
        seen = asyncio.create_task(asyncio.to_thread(until_offline, listener))
        async with MqttPublisher(any_broker, wire=wire) as publisher:
            await publisher.wait_connected(5.0)
            await run_beds([replay], publisher, wire=wire)
        arrived = await asyncio.wait_for(seen, 20.0)
    assert [bare(line.partition(b" ")[2]) for line in arrived if b"/state " not in line][:-1] == [
        bare(message.body) for message in expected
    ]
    assert sum(b"/breath " in line for line in arrived) > 20


def until_offline(listener: Listener) -> list[bytes]:
    seen: list[bytes] = []
    while not (seen and b'"state":"offline"' in seen[-1]):
        seen += listener.lines(1)
    return seen


def bare(payload: bytes) -> dict:
    """A row without what only the way adds."""
    return {key: value for key, value in json.loads(payload).items() if key not in {"session", "seq", "published_utc"}}
