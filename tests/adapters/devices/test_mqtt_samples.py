"""Samples from brokers of our own, on loopback."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import numpy as np
import pytest

from adapters.decoding.json_stream import LIVE_LEARN
from adapters.decoding.stamped_grid import AHEAD
from adapters.devices import json_lines
from adapters.devices.mqtt_samples import Settings, chunks
from adapters.recordings.open import open_recording
from streamer.cli.commands.emulate import play, played
from streamer.cli.emulator_port_kinds import endpoint_at
from streamer.model.chunk import Channel, Chunk
from streamer.model.errors import BrokerError, ConfigError, SourceLost
from streamer.model.records import NoticeKind
from streamer.service.settings import BrokerSettings
from tests.support.adapter_contract import Item, Stream, check, closes_promptly, stream
from tests.support.brokers import Mosquitto, free_port, needs_mosquitto

pytestmark = pytest.mark.broker
N = LIVE_LEARN + 100
PCV = Path(__file__).parents[3] / "replay_data" / "pcv.csv"


def block(first: int, n: int = 10) -> str:
    """Of a ramp of a thousandth of a litre per second more each, at 50 Hz."""
    flow = [k / 1000 for k in range(first, first + n)]
    return json.dumps({"time_s": first / 50, "rate_hz": 50, "flow_l_s": flow})


@asynccontextmanager
async def publishing(broker: BrokerSettings) -> AsyncIterator[aiomqtt.Client]:
    async with aiomqtt.Client(broker.address.host, broker.address.port) as client:
        yield client


async def heard(settings: Settings, broker: BrokerSettings, payloads: list[str], samples: int) -> Stream:
    """What is heard of payloads that are published when we have subscribed, up to so many samples."""
    items: list[Item] = []
    count = 0

    async def talk() -> None:
        async with publishing(broker) as client:
            while not count:  # whether the subscription stands, nothing tells but what comes
                await client.publish(settings.topic, block(-1000, N), qos=1)
                await asyncio.sleep(0.02)
            for payload in payloads:
                await client.publish(settings.topic, payload, qos=1)

    talking = asyncio.create_task(talk())
    try:
        async with asyncio.timeout(10), aclosing(chunks(settings)) as source:
            async for item in source:
                items.append(item)
                count += len(item) if isinstance(item, Chunk) else 0
                if count >= samples:
                    break
    finally:
        talking.cancel()
        await asyncio.wait({talking})
    return check(items)


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@needs_mosquitto
async def test_samples_from_a_topic_and_a_repeated_message(mosquitto_broker: Mosquitto, protocol: Any) -> None:
    broker = mosquitto_broker.settings()
    settings = Settings(url=broker.url, topic=f"test/{protocol}", protocol=protocol)
    blocks = [block(first) for first in range(0, 100, 10)]
    blocks[5:5] = [blocks[4], blocks[3]]  # delivered again, as QoS 1 may
    found = await heard(settings, broker, [*blocks, "\n".join((block(100), block(110)))], N + 100)
    last = found.stretches[-1].joined()[Channel.FLOW]
    assert last[:90].tolist() == [k / 1000 for k in range(90)]
    dropped = [notice for _, notice in found.notices if notice.kind is NoticeKind.DROPPED]
    assert sum(int(notice.values["rows"]) for notice in dropped) >= 20


async def test_the_embedded_broker_and_the_names_of_another_program(embedded_broker: Any) -> None:
    broker = embedded_broker.settings(BrokerSettings())
    columns = {"wave.flow": "flow_l_s", "t": "time_s", "fs": "rate_hz"}
    settings = Settings(url=broker.url, topic="test/columns", columns=columns)

    async def talk() -> None:
        async with publishing(broker) as client:
            for first in range(0, 10_000, 50):
                wave = {"flow": [k / 10_000 for k in range(first, first + 50)]}
                await client.publish(settings.topic, json.dumps({"t": first / 50, "fs": 50, "wave": wave}), qos=1)
                await asyncio.sleep(0.01)

    talking = asyncio.create_task(talk())
    async with asyncio.timeout(10), aclosing(chunks(settings)) as source:
        item = await anext(source)
    talking.cancel()
    await asyncio.wait({talking})
    assert isinstance(item, Chunk)
    assert item.rate_hz == 50.0
    assert np.allclose(np.diff(item.channels[Channel.FLOW]), 1e-4)
    assert len(item) >= LIVE_LEARN - AHEAD
    assert item.received_ns


@needs_mosquitto
async def test_what_is_retained_is_old(mosquitto_broker: Mosquitto) -> None:
    broker = mosquitto_broker.settings()
    async with publishing(broker) as client:
        await client.publish("test/retained", block(-100_000, 1000), qos=1, retain=True)
    found = await heard(Settings(url=broker.url, topic="test/retained"), broker, [block(0)], N - AHEAD)
    assert found.stretches[0].start_s == -1000 / 50


@needs_mosquitto
async def test_it_closes_promptly(mosquitto_broker: Mosquitto) -> None:
    broker = mosquitto_broker.settings()

    async def talk() -> None:
        async with publishing(broker) as client:
            while True:
                await client.publish("test/closes", json.dumps({"flow_l_s": [0.5] * 5}), qos=0)
                await asyncio.sleep(0.02)

    talking = asyncio.create_task(talk())
    await closes_promptly(chunks, Settings(url=broker.url, topic="test/closes", rate_hz=50.0))
    talking.cancel()
    await asyncio.wait({talking})


def login(folder: Path) -> Path:
    """The broker's file of users, and our file with the right password."""
    users = folder / "users"
    subprocess.run(["mosquitto_passwd", "-b", "-c", users, "ward", "right-secret"], check=True, capture_output=True)
    (folder / "right").write_text("right-secret\n")
    return users


async def lost(settings: Settings) -> str:
    with pytest.raises(SourceLost) as caught:
        async with asyncio.timeout(5), aclosing(chunks(settings)) as source:
            await anext(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_no_broker() -> None:
    said = await lost(Settings(url=f"mqtt://127.0.0.1:{free_port()}", topic="a/b"))
    assert said.startswith("topic 'a/b' at 127.0.0.1:")
    assert "no connection to the MQTT broker: " in said


@needs_mosquitto
async def test_a_broker_that_goes(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        settings = Settings(url=broker.url, topic="a/b")
        async with aclosing(chunks(settings)) as source, emulated(broker.url + "/a/b"):
            await asyncio.wait_for(anext(source), 10.0)
            broker.stop()
            with pytest.raises(SourceLost, match="the connection is lost: "):
                async for _ in source:
                    pass


@asynccontextmanager
async def emulated(port: str) -> AsyncIterator[None]:
    """A recording published again and again, as ``ventstream emulate json_lines --port mqtt://…`` does."""
    emulator = json_lines.Emulator(50.0, frozenset(Channel))
    async with endpoint_at(port, json_lines, emulator.hear) as endpoint:
        assert "publishes; subscribe with url = " in endpoint.about
        playing = asyncio.create_task(play(endpoint, emulator, played(open_recording(PCV), loop=True), 20.0))
        yield
        playing.cancel()
        with suppress(asyncio.CancelledError, BrokerError):
            await playing


@needs_mosquitto
async def test_what_is_emulated_is_what_is_heard(mosquitto_broker: Mosquitto) -> None:
    items: list[Item] = []
    settings = Settings(url=mosquitto_broker.url, topic="test/emulated")
    async with (
        asyncio.timeout(20),
        aclosing(chunks(settings)) as source,
        emulated(mosquitto_broker.url + "/test/emulated"),
    ):
        async for item in source:
            items.append(item)
            if sum(len(item) for item in items if isinstance(item, Chunk)) > 1000:
                break
    (stretch,) = check(items).stretches
    recorded = stream(open_recording(PCV).items())
    first = round((stretch.start_s - recorded.stretches[0].start_s) * 50)
    for name, wave in stretch.joined().items():
        if name is not Channel.PCO2:
            assert np.array_equal(wave[:900], np.tile(recorded.samples(name), 9)[first : first + 900])


def test_ports_that_are_no_topic() -> None:
    for port in ("mqtt://127.0.0.1", "mqtt://127.0.0.1/", "mqtt://127.0.0.1/a/#"):
        with pytest.raises(ConfigError, match="expected a topic behind the broker"):
            endpoint_at(port, json_lines, lambda _: b"")


async def test_an_emulator_without_a_broker() -> None:
    with pytest.raises(BrokerError, match=r"no connection to the MQTT broker at 127\.0\.0\.1"):
        async with endpoint_at(f"mqtt://127.0.0.1:{free_port()}/a", json_lines, lambda _: b""):
            pass


@needs_mosquitto
async def test_a_login(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    users = login(tmp_path)
    (tmp_path / "wrong").write_text("wrong-secret\n")
    with Mosquitto(tmp_path, "allow_anonymous false", f"password_file {users}") as broker:
        wrong = Settings(url=broker.url, topic="a/b", username="ward", password_file=str(tmp_path / "wrong"))
        assert "it refuses the user name or password" in await lost(wrong)
        assert "it refuses the user name or password" in await lost(replace(wrong, protocol="5"))
        right = replace(wrong, password_file=str(tmp_path / "right"), lost_s=1.0)
        assert "nothing came for 1 s" in await lost(right)
    assert "secret" not in caplog.text


@needs_mosquitto
async def test_a_topic_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic readwrite open/#\n")
    with Mosquitto(tmp_path, f"acl_file {tmp_path / 'acl'}") as broker:
        said = await lost(Settings(url=broker.url, topic="a/b", protocol="5", lost_s=1.0))
    assert "may this user read the topic?" in said or "nothing came" in said  # mosquitto 2.0 says neither


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://x"}, {"url": "mqtt://u:secret@h"}, {"topic": ""}, {"topic": "a/#"}, {"topic": "+/b"},
        {"password_file": "a", "password_env": "B"}, {"key_file": "k"}, {"keepalive_s": 0}, {"lost_s": 0.0},
        {"rate_hz": 1.0}, {"columns": {"a": "b"}},
    ],
)  # fmt: skip
def test_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(**{"url": "mqtt://127.0.0.1", "topic": "a/b", **wrong})
    assert "secret" not in str(caught.value)


async def test_a_password_file_that_is_not_there() -> None:
    settings = Settings(url="mqtt://127.0.0.1", topic="a/b", password_file="/none")
    with pytest.raises(ConfigError, match="mqtt_samples password_file '/none': No such file"):
        async with asyncio.timeout(5), aclosing(chunks(settings)) as source:
            await anext(source)
