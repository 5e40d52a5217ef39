"""Samples as JSON from a topic of an MQTT broker: the objects of ``json_lines``, one or several lines in a message.

Times make a repeated delivery harmless: its samples do not advance, are left out, and counted. What the broker
retained is old, and left out too. ``ventstream emulate json_lines`` sends them with ``--port mqtt://HOST[:PORT]/TOPIC``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import aiomqtt
from aiomqtt import MqttError

from adapters.decoding.columns import conditions_of
from adapters.decoding.contract import ReadOptions
from adapters.decoding.json_fields import Fields
from adapters.decoding.json_stream import Decoder, check_barometer, check_rate_hz
from adapters.devices.conversation import LOST_S, check_lost_s, conversation
from adapters.devices.json_listener import JsonListener
from adapters.devices.transport import Link
from streamer.files.broker_url import Address, parse_url
from streamer.files.credentials import read_secrets
from streamer.model.chunk import Chunk
from streamer.model.context import Context
from streamer.model.errors import ConfigError, SourceLost
from streamer.model.records import Notice
from streamer.model.units import STANDARD_MMHG

OPEN_S, FAREWELL_S = 10.0, 1.0
WAITING = 1000
"""Messages that wait to be read, at most; newer ones are lost, and show as a gap where they bring times."""
REFUSED = 128
"""A subscription's answer from here on is a refusal (MQTT 3.1.1, 3.9.3)."""
REFUSED_LOGIN = frozenset({4, 5, 134, 135})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of a live source.

    Attributes:
        url: ``mqtt://[user@]host[:port]``, or ``mqtts://…`` for TLS.
        topic: One topic, without wildcards: two devices on one stream would be one.
        columns: Path of a field → canonical name; empty: the fields have canonical names.
        rate_hz: Samples per second, where the objects bring neither times nor rates.
        username: User name; the one in the URL wins.
        password_file: File whose first line is the password.
        password_env: Environment variable that holds the password.
        ca_file: PEM of the authority that signed the broker's certificate; empty: the system's authorities.
        cert_file: PEM of our own certificate, where the broker asks for one.
        key_file: PEM of its key.
        protocol: What the broker speaks.
        client_id: Empty: the library makes one up.
        keepalive_s: Seconds after which a silent connection is probed.
        lost_s: Silence after which the connection is made again.
        barometric_mmhg: What CO2 in % is a share of; None: as the bed's context says, or 760.

    Raises:
        ConfigError: An option that cannot be used.
    """

    url: str
    topic: str
    columns: dict[str, str] = field(default_factory=dict)
    rate_hz: float | None = None
    username: str = ""
    password_file: str = ""
    password_env: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    client_id: str = ""
    keepalive_s: int = 30
    lost_s: float = LOST_S
    barometric_mmhg: float | None = None

    def __post_init__(self) -> None:
        parse_url(self.url)
        if not self.topic or set(self.topic) & {"#", "+", "\0"}:
            raise ConfigError(f"topic = {self.topic!r}: expected one topic, without wildcards")
        if self.password_file and self.password_env:
            raise ConfigError("mqtt_samples: give password_file or password_env, not both")
        if self.key_file and not self.cert_file:
            raise ConfigError("mqtt_samples: key_file needs cert_file")
        if not 0 < self.keepalive_s <= 65_535:  # noqa: PLR2004 (16 bits)
            raise ConfigError(f"keepalive_s = {self.keepalive_s}: expected 1 to 65535 seconds")
        check_rate_hz(self.rate_hz)
        check_lost_s(self.lost_s)
        check_barometer(self.barometric_mmhg)
        Fields(self.columns)

    @property
    def says(self) -> Context:
        """What ``columns`` say of the gas: flow in slm is of dry standard gas."""
        return conditions_of(self.columns.values())

    @property
    def address(self) -> Address:
        """The URL taken apart, with the user name of these settings where the URL has none."""
        return parse_url(self.url, username=self.username)


def chunks(settings: Settings) -> AsyncGenerator[Chunk | Notice]:
    """What comes on the topic, until the broker is gone. Raises ``SourceLost``, ``DecodeError``, ``ConfigError``."""
    options = ReadOptions(
        rate_hz=settings.rate_hz,
        columns=settings.columns,
        barometric_mmhg=settings.barometric_mmhg or STANDARD_MMHG,
    )
    told = JsonListener(Decoder(options, live=True, source="mqtt"))
    return conversation(_open(settings), told, lost_s=settings.lost_s)


class _Topic:
    """Messages of a subscription as lines."""

    def __init__(self, client: aiomqtt.Client, name: str) -> None:
        self.name = name
        self._client = client

    async def read(self) -> bytes:
        """The next message."""
        try:
            async for message in self._client.messages:
                if not message.retain:
                    return _bytes(message.payload) + b"\n"
        except MqttError as error:
            raise SourceLost(f"{self.name}: the connection is lost: {_plain(error)}; is the broker still on?") from None
        return b""

    async def write(self, piece: bytes, /) -> None:
        """Never asked to: the dialogue says nothing."""


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[Link]:
    address, secrets = settings.address, read_secrets(settings, "mqtt_samples")
    name = f"topic {settings.topic!r} at {address}"
    client = aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=secrets.password,
        identifier=settings.client_id or None,
        protocol=aiomqtt.ProtocolVersion.V5 if settings.protocol == "5" else aiomqtt.ProtocolVersion.V311,
        timeout=OPEN_S,
        keepalive=settings.keepalive_s,
        max_queued_incoming_messages=WAITING,
        tls_context=secrets.tls,
    )
    try:
        await _subscribe(client, settings.topic, name)
        yield _Topic(client, name)
    finally:
        client.timeout = FAREWELL_S
        with suppress(MqttError):
            await client.__aexit__(None, None, None)
        client._client._sock_close()  # noqa: SLF001 (aiomqtt leaves a failed connection open, paho has no public way)


async def _subscribe(client: aiomqtt.Client, topic: str, name: str) -> None:
    try:
        await client.__aenter__()
        answer: Any = (await client.subscribe(topic, qos=1))[0]
    except (MqttError, OSError) as error:
        code = getattr(error, "rc", None)
        is_refused = getattr(code, "value", code) in REFUSED_LOGIN
        what = "it refuses the user name or password" if is_refused else _plain(error)
        raise SourceLost(f"{name}: no connection to the MQTT broker: {what}; is the address right?") from None
    if (answer if isinstance(answer, int) else answer.value) >= REFUSED:
        raise SourceLost(f"{name}: the broker refuses the subscription; may this user read the topic?")


def _bytes(payload: object) -> bytes:
    """Of a message; the library makes nothing else of it, but says so in its types only."""
    return payload if isinstance(payload, bytes) else str(payload).encode()


def _plain(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
