"""Commands over real brokers, sent by a client that shares no code with ours."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from adapters.simulator import simulate
from streamer.model.chunk import Chunk
from streamer.model.context import Context
from streamer.model.records import Notice
from streamer.service import BedPlan, SourcePlan, run_beds
from streamer.service.plan import new_core
from streamer.service.publish import MqttPublisher
from streamer.service.publish.mqtt_connection import Link
from streamer.service.settings import BrokerSettings
from streamer.wire import Source, WireSettings, json_schemas
from tests.support.brokers import Mosquitto, needs_mosquitto
from tests.support.fakes import Settings
from tests.support.json_schema import problems

pytestmark = pytest.mark.broker

GAS = {"kind": "blood_gas", "pco2_art_mmhg": 52, "po2_art_mmhg": 81, "fio2": 0.6}


class Ward:
    """A bed ``a`` that plays a simulated lung in turns of a second, while asked to, and an ordinary client."""

    def __init__(self, settings: BrokerSettings, wire: WireSettings) -> None:
        self.wire, self.publisher = wire, MqttPublisher(settings, wire=wire)
        self.seen: dict[str, list[dict[str, Any]]] = {"breath": [], "event": []}
        self._turns: asyncio.Queue[int] = asyncio.Queue()
        self._settings = settings
        self._client: aiomqtt.Client | None = None

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.seen["event"] if row["kind"] == kind]

    async def until(self, kind: str, count: int = 1) -> dict[str, Any]:
        async with asyncio.timeout(10.0):
            while len(found := self.events(kind)) < count:  # noqa: ASYNC110 (what is awaited has no event)
                await asyncio.sleep(0.005)
        return found[-1]

    async def breath_after(self, end_s: float) -> None:
        async with asyncio.timeout(10.0):
            while not any(row["end_s"] > end_s for row in self.seen["breath"]):  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def more(self, seconds: int) -> None:
        """Let the bed go on; returns when the samples are through."""
        self._turns.put_nowait(seconds)
        async with asyncio.timeout(20.0):
            await self._turns.join()

    async def send(self, payload: bytes, *, retain: bool = False) -> None:
        assert self._client is not None
        await self._client.publish(f"{self.wire.prefix}/a/command", payload, qos=1, retain=retain)

    async def say(self, *, retain: bool = False, **row: object) -> dict[str, Any]:
        answered = len(self.events("command"))
        await self.send(json.dumps({"schema": "command/1"} | row).encode(), retain=retain)
        return await self.until("command", answered + 1)

    async def _play(self) -> AsyncGenerator[Chunk | Notice]:
        """A simulated lung, second by second."""
        pieces = simulate("pcv").chunks(1.0)
        while seconds := await self._turns.get():
            for piece in itertools.islice(pieces, seconds):
                yield piece
            self._turns.task_done()

    async def _collect(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            self.seen[str(message.topic).rsplit("/", 1)[1]].append(json.loads(bytes(message.payload)))

    @asynccontextmanager
    async def watched(self) -> AsyncGenerator[None]:
        """While the block lasts, the client listens and sends."""
        address = self._settings.address
        async with aiomqtt.Client(address.host, address.port) as self._client:
            await self._client.subscribe([(f"{self.wire.prefix}/a/{kind}", 1) for kind in self.seen])
            collector = asyncio.create_task(self._collect(self._client))
            try:
                yield
            finally:
                collector.cancel()
                await asyncio.wait({collector})

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """While the block lasts, the bed runs."""
        source = SourcePlan(adapter="tests.support.fakes", options=Settings(self._play), speed=float("inf"))
        plan = BedPlan(bed="a", sources=(source,), source=Source.SIMULATED, context=Context(mode="pcv"))
        async with self.publisher:
            await self.publisher.wait_connected(5.0)
            beds = asyncio.create_task(run_beds([plan], self.publisher, wire=self.wire, make_core=new_core))
            try:
                yield
            finally:
                self._turns.put_nowait(0)
                await beds


@asynccontextmanager
async def ward(settings: BrokerSettings, wire: WireSettings) -> AsyncGenerator[Ward]:
    found = Ward(settings, wire)
    async with found.watched(), found.running():
        yield found


async def test_a_gas_and_a_position_from_a_stranger_reach_the_breaths(
    any_broker: BrokerSettings, wire: WireSettings
) -> None:
    async with ward(any_broker, wire) as bed:
        await bed.more(10)
        assert (await bed.say(kind="context", sex="female", height_cm=162))["outcome"] == "accepted"
        answer = await bed.say(**GAS, id="gas-1", at_s=9.0)
        assert (answer["outcome"], answer["id"], answer["applied_at_s"]) == ("accepted", "gas-1", 9.0)
        assert (await bed.say(**GAS, id="gas-1", at_s=9.0))["outcome"] == "duplicate"
        await bed.more(8)
        assert (await bed.say(kind="prone"))["applied_at_s"] == 18.0
        refused = await bed.say(kind="blood_gas", fio2=60, id="2")
        assert (refused["outcome"], refused["id"]) == ("refused", "2")
        assert "60 % is 0.6" in refused["reason"]
        await bed.more(10)
        (drawn,) = [await bed.until("blood_gas")]
        assert (drawn["at_s"], drawn["pco2_art_mmhg"]) == (9.0, 52.0)
        assert (await bed.until("position"))["event"] == "prone"
        await bed.breath_after(15.0)
    before = [row for row in bed.seen["breath"] if row["end_s"] < 9.0]
    after = [row for row in bed.seen["breath"] if row["start_s"] > 10.0 and row["end_s"] < 18.0]
    assert before
    assert after
    assert all(row["vent_ratio"] is None for row in before)
    assert all(row["vent_ratio"] is not None for row in after)
    schema = json_schemas()["event/1"]
    assert [text for row in bed.seen["event"] for text in problems(row, schema)] == []


async def test_a_retained_command_is_answered_at_each_connection_and_never_obeyed(
    any_broker: BrokerSettings, wire: WireSettings
) -> None:
    """The connection is lost to another client of the same name, as brokers must see to."""
    address, name = any_broker.address, f"{wire.root}-bed"
    async with ward(replace(any_broker, client_id=name), wire) as bed:
        await bed.more(5)
        with_retain = json.dumps({"schema": "command/1", "kind": "prone"}).encode()
        await bed.say(kind="supine")
        answered = len(bed.events("command"))
        await bed.send(with_retain, retain=True)  # MQTT 3.1.1 does not mark what is sent while one listens
        first = await bed.until("command", answered + 1)
        assert ("without retain" in first.get("reason", "")) == (bed.publisher.protocol == "5")
        async with aiomqtt.Client(address.host, address.port, identifier=name):
            pass
        again = await bed.until("command", answered + 2)
        assert (again["outcome"], "without retain" in again["reason"]) == ("refused", True)
        await bed.more(5)
        await bed.send(b"", retain=True)
    turned = [row["event"] for row in bed.events("position")]
    assert turned == (["supine"] if bed.publisher.protocol == "5" else ["supine", "prone"])


@needs_mosquitto
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_after_a_restart_of_the_broker_commands_are_heard_again(
    tmp_path: Path, wire: WireSettings, protocol: str
) -> None:
    with Mosquitto(tmp_path) as broker:
        bed = Ward(replace(broker.settings(), protocol=protocol), wire)
        async with bed.running():
            await bed.more(5)
            async with bed.watched():
                assert (await bed.say(kind="prone", id="1"))["outcome"] == "accepted"
            broker.stop()
            async with asyncio.timeout(5.0):
                while bed.publisher.is_connected:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            broker.start()
            await bed.publisher.wait_connected(5.0)
            async with bed.watched():
                assert (await bed.say(kind="supine", id="2"))["outcome"] == "accepted"
                assert (await bed.say(kind="prone", id="1"))["outcome"] == "duplicate"


@needs_mosquitto
async def test_in_mqtt_5_what_is_sent_to_be_retained_is_refused_at_once(
    mosquitto_broker: Mosquitto, wire: WireSettings
) -> None:
    async with ward(replace(mosquitto_broker.settings(), protocol="5"), wire) as bed:
        await bed.more(5)
        answer = await bed.say(kind="prone", retain=True)
        assert (answer["outcome"], "without retain" in answer["reason"]) == ("refused", True)
        await bed.send(b"", retain=True)


async def test_a_flood_stalls_no_breath_and_each_command_is_answered_or_counted(
    any_broker: BrokerSettings, wire: WireSettings
) -> None:
    async with ward(any_broker, wire) as bed:
        await bed.more(1)
        flood = [json.dumps({"schema": "command/1", "kind": "note", "id": str(n)}).encode() for n in range(2000)]
        sending = asyncio.gather(*(bed.send(payload) for payload in flood))
        async with asyncio.timeout(5.0):
            await bed.more(19)
        await sending
        last = await bed.say(kind="note", id="last")
        async with asyncio.timeout(10.0):
            while len(bed.events("command")) + sum(row["commands"] for row in bed.events("dropped")) < 2001:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert last["outcome"] == "accepted"
    assert [row["number"] for row in bed.seen["breath"]] == list(range(len(bed.seen["breath"])))
    assert len(bed.seen["breath"]) > 4


@pytest.mark.parametrize("answers", [(128,), [ReasonCode(PacketTypes.SUBACK, identifier=135)]], ids=["3.1.1", "5"])
async def test_a_broker_that_forbids_the_subscription_still_gets_the_breaths(
    any_broker: BrokerSettings,
    wire: WireSettings,
    answers: object,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def refused(*_: object, **__: object) -> object:
        return answers

    monkeypatch.setattr(Link, "subscribe", refused)
    async with ward(any_broker, wire) as bed:
        await bed.more(10)
        await bed.breath_after(5.0)
    assert f"the broker refuses the subscription to {wire.command_filter}" in caplog.text


async def test_without_commands_nothing_is_subscribed(any_broker: BrokerSettings, wire: WireSettings) -> None:
    async with ward(replace(any_broker, commands=False), wire) as bed:
        await bed.more(5)
        await bed.send(json.dumps({"schema": "command/1", "kind": "prone"}).encode())
        await bed.more(5)
        await bed.breath_after(5.0)
    assert bed.events("command") == []
    assert bed.events("position") == []
