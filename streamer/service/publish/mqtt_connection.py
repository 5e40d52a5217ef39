"""One connection to a broker. The only module that knows the MQTT library."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import aiomqtt
from aiomqtt import MqttError, Will
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from streamer.files.broker_url import Address
from streamer.files.credentials import Secrets, read_secrets
from streamer.model.errors import BrokerError
from streamer.service.settings import BrokerSettings
from streamer.wire import Message

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

__all__ = ["Link", "LoginRefused", "MqttError", "Will", "connect", "subscribe"]

UNSUPPORTED_VERSION = 132
REFUSED_LOGIN = frozenset({4, 5, 134, 135})
REFUSED = 128
"""A subscription's answer from here on is a refusal (MQTT 3.1.1, 3.9.3)."""
FAREWELL_S = 2.0
MAX_INCOMING = 100_000
"""Messages a subscriber may lag behind before newer ones are left out."""


class LoginRefused(MqttError):  # noqa: N818 (named by what happened)
    """The broker does not accept who we say we are."""

    def __str__(self) -> str:
        return "it refuses the user name or password"


class ClosedEarly(MqttError):  # noqa: N818 (named by what happened)
    """The broker closed before it answered: what some do to a protocol they do not speak."""

    def __str__(self) -> str:
        return "the broker closed the connection without an answer"


class Link(aiomqtt.Client):
    """One connection, with two things that aiomqtt 2.5 has not.

    It sends without a task per message (twice as fast), and tells at once when the broker closes before it answers.
    """

    def __init__(
        self, speaks: Literal["5", "3.1.1"], on_ack: Callable[[Message, str], None], *args: Any, **kw: Any
    ) -> None:
        version = aiomqtt.ProtocolVersion.V5 if speaks == "5" else aiomqtt.ProtocolVersion.V311
        super().__init__(*args, protocol=version, **kw)
        self.speaks = speaks
        self._on_ack = on_ack
        self._sent: dict[int, Message] = {}

    def send(self, message: Message) -> None:
        """Send a message; ``on_ack(message, refusal)`` follows when the broker has it."""
        properties = _expiry(message.expiry_s) if self.speaks == "5" and message.expiry_s else None
        sent = self._client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        if sent.rc:
            raise aiomqtt.MqttCodeError(sent.rc, "could not send")
        if message.qos == 0:
            self._on_ack(message, "")
        else:
            self._sent[sent.mid] = message

    async def watch(self, take: Callable[[str, bytes, bool], None] = lambda _topic, _payload, _retained: None) -> None:
        """Hand on topic, payload and whether it is retained; ends with ``MqttError`` when the connection is lost."""
        async for message in self.messages:
            take(str(message.topic), bytes(message.payload), message.retain)

    async def listen(self, topic: str) -> str:
        """Subscribe, QoS 1; returns why the broker refuses, empty when it does not. Raises ``MqttError``.

        In MQTT 5 a message keeps the mark that it was sent to be retained; in 3.1.1 only one that comes from the store.
        """
        if self.speaks == "5":
            answers = await self.subscribe(topic, options=SubscribeOptions(qos=1, retainAsPublished=True))
        else:
            answers = await self.subscribe(topic, qos=1)
        answer = answers[0]
        refused = answer >= REFUSED if isinstance(answer, int) else answer.is_failure
        return str(answer) if refused else ""

    async def close(self) -> None:
        """Disconnect in order if the broker still answers, else just hang up."""
        self.timeout = FAREWELL_S
        try:
            with suppress(MqttError):
                await self.__aexit__(None, None, None)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the socket, which aiomqtt leaves open after a failed connection."""
        self._client._sock_close()  # noqa: SLF001 (paho has no public way)

    def _on_publish(
        self,
        client: Any,
        userdata: Any,
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        message = self._sent.pop(mid, None)
        if message is None:
            super()._on_publish(client, userdata, mid, reason_code, properties)
        else:
            self._on_ack(message, str(reason_code) if reason_code.is_failure else "")

    def _on_disconnect(
        self,
        client: Any,
        userdata: Any,
        flags: Any,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if not self._connected.done():
            self._connected.set_exception(ClosedEarly())
            self._connected.exception()  # retrieved, even if nobody waits any more
        else:
            super()._on_disconnect(client, userdata, flags, reason_code, properties)


async def connect(
    settings: BrokerSettings,
    secrets: Secrets,
    *,
    will: Will | None = None,
    on_ack: Callable[[Message, str], None] = lambda _message, _refusal: None,
) -> Link:
    """A connection in MQTT 5 or, if the broker does not speak it, in 3.1.1; to be closed with ``Link.close``.

    Raises:
        MqttError: No broker, no answer, or a refusal (``LoginRefused`` for a bad user name or password).
    """
    wanted: tuple[Literal["5", "3.1.1"], ...] = ("5", "3.1.1") if settings.protocol == "auto" else (settings.protocol,)
    for speaks in wanted:
        link = _link(settings, secrets, speaks, will, on_ack)
        try:
            await link.__aenter__()
        except BaseException as error:
            link.abandon()
            code = _code(error)
            if code in REFUSED_LOGIN:
                raise LoginRefused from None
            if speaks == wanted[-1] or not (isinstance(error, ClosedEarly) or code == UNSUPPORTED_VERSION):
                raise
        else:
            return link
    raise AssertionError


async def subscribe(settings: BrokerSettings, filters: Iterable[str]) -> AsyncGenerator[tuple[str, bytes]]:
    """Subscribe to topic filters, QoS 1. The generator ends with an error or when the caller closes it.

    Args:
        settings: Address of the broker and how to speak to it.
        filters: Topic filters, such as ``ventstream/v1/+/breath``.

    Yields:
        Topic and payload; retained messages first.

    Raises:
        BrokerError: There is no connection, or it was lost.
        ConfigError: A password or certificate file cannot be read.

    Examples:
        >>> import asyncio
        >>> from contextlib import aclosing
        >>> from streamer.service.embedded_broker import EmbeddedBroker
        >>> from streamer.service.publish import MqttPublisher
        >>> async def main(settings: BrokerSettings) -> str:
        ...     async with MqttPublisher(settings), aclosing(subscribe(settings, ["ventstream/v1/status"])) as messages:
        ...         topic, payload = await anext(messages)
        ...     return topic
        >>> with EmbeddedBroker(port=0) as broker:
        ...     asyncio.run(main(broker.settings()))
        'ventstream/v1/status'
    """
    try:
        link = await connect(settings, read_secrets(settings))
    except (MqttError, OSError) as error:
        raise BrokerError(absent(settings.address, plain(error))) from None
    try:
        for topic in filters:
            await link.subscribe(topic, qos=1)
        async for message in link.messages:
            yield str(message.topic), bytes(message.payload)
    except MqttError as error:
        raise BrokerError(f"the connection to the MQTT broker at {settings.address} is lost: {plain(error)}") from None
    finally:
        await link.close()


def absent(address: Address, problem: str) -> str:
    """One line for a broker that cannot be used."""
    remedy = "start the broker, or name another with --broker mqtt://HOST:PORT"
    if problem == str(LoginRefused()):
        remedy = "name the user in --broker mqtt://USER@HOST:PORT, and the file of the password in --password-file"
    return f"no connection to the MQTT broker at {address}: {problem}; {remedy}"


def plain(error: BaseException) -> str:
    """The first line of what went wrong."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _code(error: BaseException) -> int | None:
    code = getattr(error, "rc", None)
    return getattr(code, "value", code)


def _link(
    settings: BrokerSettings,
    secrets: Secrets,
    speaks: Literal["5", "3.1.1"],
    will: Will | None,
    on_ack: Callable[[Message, str], None],
) -> Link:
    address = settings.address
    return Link(
        speaks,
        on_ack,
        address.host,
        address.port,
        username=address.username,
        password=secrets.password,
        identifier=settings.client_id or None,
        will=will,
        timeout=settings.stall_s,
        keepalive=settings.keepalive_s,
        max_inflight_messages=settings.in_flight,
        max_queued_incoming_messages=MAX_INCOMING,
        tls_context=secrets.tls,
    )


@lru_cache
def _expiry(seconds: int) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = seconds
    return properties
