"""Publishing, against the embedded broker and a real mosquitto."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import shutil
import subprocess
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest

from streamer.model.errors import BrokerError, ConfigError, OutputError
from streamer.service.embedded_broker import EmbeddedBroker
from streamer.service.publish import JsonLinesPublisher, MemoryPublisher, MqttPublisher, subscribe
from streamer.service.settings import BrokerSettings
from streamer.wire import Message, Origin, Policy, Source, WireSettings, asyncapi_document, decode, encode
from streamer.wire.outbox import OutboxSettings, WhenFull
from tests.support.brokers import FAST, Mosquitto, free_port, needs_mosquitto
from tests.support.fakes import breath
from tests.support.json_schema import problems

pytestmark = pytest.mark.broker


def message(wire: WireSettings, number: int, topic: str = "breath", *, retain: bool = False) -> Message:
    body = json.dumps({"schema": "breath/1", "number": number}).encode()
    return Message(topic=f"{wire.prefix}/b/{topic}", body=body, bed="b", session="s", retain=retain)


@asynccontextmanager
async def client(settings: BrokerSettings) -> AsyncGenerator[aiomqtt.Client]:
    """An ordinary MQTT 3.1.1 client."""
    async with aiomqtt.Client(settings.address.host, settings.address.port) as found:
        yield found


@asynccontextmanager
async def collecting(settings: BrokerSettings, topic: str) -> AsyncGenerator[list[tuple[str, bytes]]]:
    """Everything that arrives on a topic while the block lasts."""
    found: list[tuple[str, bytes]] = []

    async def collect(subscriber: aiomqtt.Client) -> None:
        async for one in subscriber.messages:
            found.append((str(one.topic), bytes(one.payload)))  # noqa: PERF401 (read while it grows)

    async with client(settings) as subscriber:
        await subscriber.subscribe(topic, qos=1)
        task = asyncio.create_task(collect(subscriber))
        try:
            yield found
        finally:
            task.cancel()


async def until(is_so, within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not is_so():  # noqa: ASYNC110 (what is awaited has no event)
            await asyncio.sleep(0.01)


def numbers(found: list[tuple[str, bytes]]) -> list[int]:
    return [json.loads(payload)["number"] for _, payload in found]


async def test_every_message_arrives_in_order_with_back_pressure(
    any_broker: BrokerSettings, wire: WireSettings
) -> None:
    """20,000 QoS 1 messages through an outbox of 100 to a subscriber."""
    count = 20_000
    async with collecting(any_broker, f"{wire.prefix}/b/#") as found:
        publisher = MqttPublisher(any_broker, outbox=OutboxSettings(max_messages=100), wire=wire)
        async with publisher:
            await publisher.wait_connected(5.0)
            for number in range(count):
                await publisher.publish(message(wire, number), WhenFull.WAIT)
        await until(lambda: len(found) >= count, within_s=20.0)
    assert numbers(found) == list(range(count))
    assert json.loads(found[-1][1])["seq"] == count - 1
    assert publisher.undelivered == {}
    assert publisher.dropped("b") == 0


async def test_status_is_online_then_offline_and_the_schema_is_retained(
    any_broker: BrokerSettings,
    wire: WireSettings,
) -> None:
    async with collecting(any_broker, wire.status_topic) as found:
        async with MqttPublisher(any_broker, wire=wire) as publisher:
            await publisher.wait_connected(5.0)
            assert publisher.is_connected
        await until(lambda: len(found) == 2)
    assert [json.loads(payload)["status"] for _, payload in found] == ["online", "offline"]
    assert json.loads(found[0][1])["version"]
    async with collecting(any_broker, f"{wire.prefix}/#") as retained:
        await until(lambda: len(retained) == 2)
    kinds = {topic.rsplit("/", 1)[1]: decode(payload) for topic, payload in retained}
    assert kinds["status"].row["status"] == "offline"  # type: ignore[union-attr]
    assert kinds["schema"].row["keys"]  # type: ignore[union-attr]
    schemas = asyncapi_document()["components"]["schemas"]
    assert [text for kind, got in kinds.items() for text in problems(got.row, schemas[kind])] == []  # type: ignore[union-attr]


@needs_mosquitto
async def test_mqtt_5_where_spoken_and_expiry_with_it(mosquitto_broker: Mosquitto, wire: WireSettings) -> None:
    settings = mosquitto_broker.settings()
    async with MqttPublisher(settings, wire=wire) as publisher:
        await publisher.wait_connected(5.0)
        assert publisher.protocol == "5"
        await publisher.publish(replace(message(wire, 1, retain=True), expiry_s=77, policy=Policy.LATEST))
    address = settings.address
    async with aiomqtt.Client(address.host, address.port, protocol=aiomqtt.ProtocolVersion.V5) as subscriber:
        await subscriber.subscribe(f"{wire.prefix}/b/breath")
        received = await anext(subscriber.messages)
        assert 70 <= received.properties.MessageExpiryInterval <= 77  # type: ignore[union-attr]
        await subscriber.publish(f"{wire.prefix}/b/breath", b"", retain=True)


@pytest.mark.parametrize("answer", [b"", b"\x20\x02\x00\x01"], ids=["closes", "refuses version"])
async def test_falls_back_to_3_1_1_at_once(answer: bytes, embedded_broker: EmbeddedBroker, wire: WireSettings) -> None:
    """Two ways in which a 3.1.1 broker turns MQTT 5 away; the second is that of old mosquittos (a stand-in)."""
    settings = replace(embedded_broker.settings(BrokerSettings(**FAST)), protocol="auto")

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.read(10)
        if head[8] == 5:
            writer.write(answer)
        else:
            upstream, down = await asyncio.open_connection("127.0.0.1", embedded_broker.port)
            down.write(head)
            await asyncio.wait({asyncio.create_task(pipe(upstream, writer)), asyncio.create_task(pipe(reader, down))})
        writer.close()

    server = await asyncio.start_server(old, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        target = settings if not answer else replace(settings, url=f"mqtt://127.0.0.1:{port}")
        started = time.monotonic()
        async with MqttPublisher(target, wire=wire) as publisher:
            await publisher.wait_connected(5.0)
            assert publisher.protocol == "3.1.1"
        assert time.monotonic() - started < 2.0


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
    writer.close()


async def test_an_absent_broker_is_one_clear_line() -> None:
    settings = BrokerSettings(url=f"mqtt://127.0.0.1:{free_port()}", **FAST)
    async with MqttPublisher(settings) as publisher:
        with pytest.raises(BrokerError) as error:
            await publisher.wait_connected(0.3)
    assert "Connection refused" in str(error.value)
    assert "--broker" in str(error.value)
    with pytest.raises(BrokerError, match="no connection"):
        async with aclosing(subscribe(settings, ["#"])) as stream:
            await anext(stream)


@needs_mosquitto
async def test_a_broker_that_comes_late_gets_everything(tmp_path: Path, wire: WireSettings) -> None:
    broker = Mosquitto(tmp_path)
    async with MqttPublisher(broker.settings(), wire=wire) as publisher:
        for number in range(500):
            await publisher.publish(message(wire, number), WhenFull.DROP_OLDEST)
        await asyncio.sleep(0.2)
        assert not publisher.is_connected
        with broker:
            async with collecting(broker.settings(), f"{wire.prefix}/b/#") as found:
                await until(lambda: len(found) >= 500)
                assert numbers(found) == list(range(500))


@needs_mosquitto
async def test_a_killed_broker_loses_nothing_that_was_finished_up_to_the_bound(
    tmp_path: Path, wire: WireSettings
) -> None:
    """Killed in the middle of the stream and again; duplicates may come, holes may not."""
    broker, seen = Mosquitto(tmp_path), set()
    publisher = MqttPublisher(broker.settings(), wire=wire)
    broker.start()
    try:
        async with publisher:
            for run in range(3):
                await publisher.wait_connected(5.0)
                async with collecting(broker.settings(), f"{wire.prefix}/b/#") as found:
                    for number in range(run * 1000, run * 1000 + 600):
                        await publisher.publish(message(wire, number))
                        await asyncio.sleep(0)
                    await until(lambda: publisher._outbox.in_flight == 0 and len(publisher._outbox) == 0)
                    await until(lambda: len(found) >= 600)
                    broker.stop()
                    for number in range(run * 1000 + 600, run * 1000 + 1000):
                        await publisher.publish(message(wire, number), WhenFull.DROP_OLDEST)
                seen |= {json.loads(payload)["seq"] for _, payload in found}
                await until(lambda: not publisher.is_connected)
                # A subscriber must be there before our backlog is: it is delivered once.
                backlog = await restarted(broker, wire, publisher)
                seen |= {json.loads(payload)["seq"] for _, payload in backlog}
    finally:
        broker.stop()
    assert seen == set(range(3000))
    assert publisher.dropped("b") == 0
    assert publisher.undelivered == {}


async def restarted(broker: Mosquitto, wire: WireSettings, publisher: MqttPublisher) -> list[tuple[str, bytes]]:
    """Start the broker again and collect what was kept for it, with our publisher held back until we listen."""
    publisher._settings = replace(publisher._settings, backoff_first_s=0.5, backoff_max_s=0.5)
    await asyncio.sleep(0.3)
    broker.start()
    async with collecting(broker.settings(), f"{wire.prefix}/b/#") as found:
        await until(lambda: len(found) >= 400)
        await until(lambda: len(publisher._outbox) == 0)
    return found


@needs_mosquitto
async def test_beyond_the_bound_the_oldest_go_and_are_counted(tmp_path: Path, wire: WireSettings) -> None:
    broker = Mosquitto(tmp_path)
    async with MqttPublisher(broker.settings(), outbox=OutboxSettings(max_messages=100), wire=wire) as publisher:
        for number in range(250):
            await publisher.publish(message(wire, number), WhenFull.DROP_OLDEST)
        assert publisher.dropped("b") == 150
        with broker:
            async with collecting(broker.settings(), f"{wire.prefix}/b/#") as found:
                await until(lambda: len(found) >= 100)
                assert numbers(found) == list(range(150, 250))
                assert [json.loads(payload)["seq"] for _, payload in found] == list(range(150, 250))


async def test_a_broker_that_accepts_and_never_answers_counts_as_absent() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        settings = BrokerSettings(url=f"mqtt://127.0.0.1:{port}", **{**FAST, "stall_s": 0.3, "flush_s": 0.5})
        async with MqttPublisher(settings) as publisher:
            with pytest.raises(BrokerError, match="timed out"):
                await publisher.wait_connected(1.0)
            await publisher.publish(message(WireSettings(), 0))
    assert publisher.undelivered == {"ventstream/v1/b/breath": 1}


async def test_a_broker_that_stops_acknowledging_is_left_and_the_rest_kept(
    embedded_broker: EmbeddedBroker,
    wire: WireSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A relay that swallows what comes back, from the first breath on: a broker that hangs while its port is open."""
    gate = asyncio.Event()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, down = await asyncio.open_connection("127.0.0.1", embedded_broker.port)

        async def back() -> None:
            while piece := await upstream.read(65536):
                if not gate.is_set():
                    writer.write(piece)

        await asyncio.wait({asyncio.create_task(back()), asyncio.create_task(pipe(reader, down))})
        writer.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        base = BrokerSettings(**{**FAST, "stall_s": 0.4, "flush_s": 8.0})
        settings = replace(embedded_broker.settings(base), url=f"mqtt://127.0.0.1:{port}")
        async with collecting(embedded_broker.settings(), f"{wire.prefix}/b/#") as found:
            async with MqttPublisher(settings, wire=wire) as publisher:
                await publisher.wait_connected(5.0)
                gate.set()
                for number in range(3):
                    await publisher.publish(message(wire, number))
                await until(lambda: not publisher.is_connected)
                assert len(publisher._outbox) == 3
                gate.clear()
            await until(lambda: len(found) >= 6)
    assert "no acknowledgement" in caplog.text
    assert publisher.undelivered == {}
    assert set(numbers(found)) == {0, 1, 2}  # delivered twice, told apart by seq
    assert len({payload for _, payload in found}) == 3  # the repetition is the same, to the byte


@needs_mosquitto
async def test_a_refused_login_says_so_and_shows_no_password(
    tmp_path: Path,
    wire: WireSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    passwords = login(tmp_path)
    with Mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}") as broker:
        good = replace(broker.settings(), username="ward", password_file=str(tmp_path / "secret"))
        async with MqttPublisher(good, wire=wire) as publisher:
            await publisher.wait_connected(5.0)
        for protocol in ("auto", "3.1.1"):
            bad = replace(good, password_file=str(tmp_path / "wrong"), protocol=protocol)
            async with MqttPublisher(bad, wire=wire) as publisher:
                started = time.monotonic()
                with pytest.raises(BrokerError, match="refuses the user name or password"):
                    await publisher.wait_connected(5.0)
                assert time.monotonic() - started < 2.0
    assert "right-secret" not in caplog.text
    assert "wrong-secret" not in caplog.text


def login(folder: Path) -> Path:
    """The broker's file of users, and our files with the right and a wrong password."""
    passwords = folder / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "ward", "right-secret"], check=True, capture_output=True)
    (folder / "secret").write_text("right-secret\n")
    (folder / "wrong").write_text("wrong-secret\n")
    return passwords


def certificates(folder: Path) -> Path:
    """A certificate authority of our own and a certificate for 127.0.0.1, valid for a day."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test", "-keyout", "ca.key",
            "-out", "ca.pem", "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=broker", "-keyout", "key.pem", "-out", "request.pem")
    openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1",
            "-extfile", "ext", "-out", "cert.pem")  # fmt: skip
    return folder


@needs_mosquitto
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl, which makes the certificates, is not installed")
@pytest.mark.filterwarnings(
    "ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning"
)  # paho leaves a failed one to us
async def test_tls_with_an_authority_of_ones_own(tmp_path: Path, wire: WireSettings) -> None:
    folder = certificates(tmp_path)
    with Mosquitto(tmp_path, f"certfile {folder}/cert.pem", f"keyfile {folder}/key.pem") as broker:
        url = broker.url.replace("mqtt://", "mqtts://")
        trusted = BrokerSettings(url=url, ca_file=str(folder / "ca.pem"), **FAST)
        async with MqttPublisher(trusted, wire=wire) as publisher:
            await publisher.wait_connected(5.0)
            await publisher.publish(message(wire, 1))
        assert publisher.undelivered == {}
        async with MqttPublisher(BrokerSettings(url=url, **FAST), wire=wire) as publisher:
            with pytest.raises(BrokerError, match="certificate verify failed"):
                await publisher.wait_connected(0.5)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"ca_file": "nowhere.pem"}, "ca_file"),
        ({"password_file": "nowhere"}, "password_file"),
        ({"password_env": "VENTSTREAM_TEST_NOT_SET"}, "VENTSTREAM_TEST_NOT_SET"),
        ({"cert_file": "nowhere.pem"}, "cert_file"),
    ],
)
async def test_unreadable_secrets_are_one_clear_line(bad: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        async with MqttPublisher(BrokerSettings(url="mqtts://127.0.0.1", **bad)):
            pass


async def test_our_subscriber_gets_what_is_retained_and_what_comes(
    any_broker: BrokerSettings, wire: WireSettings
) -> None:
    async with MqttPublisher(any_broker, wire=wire) as publisher:
        await publisher.wait_connected(5.0)
        async with aclosing(subscribe(any_broker, [wire.status_topic, f"{wire.prefix}/+/breath"])) as stream:
            topic, payload = await anext(stream)
            assert topic == wire.status_topic
            assert decode(payload).row["status"] == "online"  # type: ignore[union-attr]
            origin = Origin(prefix=wire.prefix, bed="b", session="s", source=Source.SIMULATED)
            await publisher.publish(encode(breath("b", 4), origin, lambda _: None))
            topic, payload = await anext(stream)
            assert topic == f"{wire.prefix}/b/breath"
            assert decode(payload).event.number == 4  # type: ignore[union-attr]


@needs_mosquitto
async def test_our_subscriber_says_when_the_broker_goes(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        async with aclosing(subscribe(broker.settings(), ["#"])) as stream:
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.2)
            broker.stop()
            with pytest.raises(BrokerError, match="is lost"):
                await waiting


async def test_memory_and_json_lines(wire: WireSettings) -> None:
    async with MemoryPublisher() as memory:
        for number in range(3):
            await memory.publish(message(wire, number))
    assert [found.seq for found in memory.messages] == [0, 1, 2]
    assert memory.last_seq(f"{wire.prefix}/b/", "s") == {"breath": 2}
    stream = io.BytesIO()
    async with JsonLinesPublisher(stream) as lines:
        await lines.publish(message(wire, 0))
        await lines.publish(Message(topic="t", body=b"", bed="b", session="s", retain=True))
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["seq"] == 0


def test_json_lines_into_a_full_disk(wire: WireSettings) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with full.open("wb", buffering=0) as stream, pytest.raises(OutputError, match="No space left"):
        asyncio.run(JsonLinesPublisher(stream).publish(message(wire, 0)))
