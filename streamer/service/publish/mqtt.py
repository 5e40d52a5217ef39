"""The MQTT publisher. One task owns the connection.

It connects, sends what the outbox gives, pipelined up to ``in_flight``, and when the connection is lost puts the
unacknowledged back and tries again. A message that was sent and not acknowledged is sent again with the same bytes:
``session`` and ``seq`` tell a duplicate.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self, TypeVar

from streamer.files.credentials import Secrets, read_secrets
from streamer.model.errors import BrokerError
from streamer.service.publish.command_inbox import Inboxes
from streamer.service.publish.mqtt_connection import Link, LoginRefused, MqttError, Will, absent, connect, plain
from streamer.service.settings import BrokerSettings, backoff_s
from streamer.wire import Message, WireSettings, encode_status, schema_document, schema_payload
from streamer.wire.outbox import Outbox, OutboxSettings, WhenFull

log = logging.getLogger(__name__)

RETRY_AT_END_S = 0.2
T = TypeVar("T")


class MqttPublisher:
    """Publishes to an MQTT broker with MQTT 5, or with 3.1.1 if the broker does not speak 5.

    Entering starts to connect and does not wait; messages wait in the outbox until a broker is there. Leaving delivers
    the rest for ``flush_s`` seconds at most, publishes ``offline`` on the status topic and disconnects.

    Args:
        settings: Address of the broker (an ``mqtt://`` URL, not ``embedded``) and how to speak to it.
        outbox: Bounds of the outbox.
        wire: Topic root.
        now_ns: UTC for ``published_utc``, ns.

    Attributes:
        undelivered: After leaving: topic → messages that were not acknowledged.
        inboxes: Commands by bed, filled while connected where ``commands`` is set.
        refused: Messages that the broker acknowledged with a refusal.
        protocol: ``5`` or ``3.1.1`` once connected.

    Raises:
        ConfigError: On entering, if a password or certificate file cannot be read.

    Examples:
        >>> from streamer.service.embedded_broker import EmbeddedBroker
        >>> async def main(settings: BrokerSettings) -> str:
        ...     async with MqttPublisher(settings) as publisher:
        ...         await publisher.wait_connected(timeout_s=5.0)
        ...         await publisher.publish(Message(topic="t", body=b"{}", bed="icu-04", session="a1"))
        ...     return publisher.protocol
        >>> with EmbeddedBroker(port=0) as broker:
        ...     asyncio.run(main(broker.settings()))
        '3.1.1'
    """

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        outbox: OutboxSettings | None = None,
        wire: WireSettings | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._settings = settings
        self._address = settings.address
        self._wire = wire or WireSettings()
        self._outbox = Outbox(outbox)
        self._now_ns = now_ns
        self._session = secrets.token_hex(4)
        self._secrets = Secrets()
        self._up, self._refused_login = asyncio.Event(), asyncio.Event()
        self._wake, self._room, self._closing = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._progress_s = 0.0
        self._problem = "no answer yet"
        self._task: asyncio.Task[None] | None = None
        self.undelivered: dict[str, int] = {}
        self.refused = 0
        self.inboxes = Inboxes()
        self.protocol = ""

    async def __aenter__(self) -> Self:
        self._secrets = read_secrets(self._settings)
        self._task = asyncio.create_task(self._keep_connected(), name=f"mqtt {self._address}")
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._task is not None
        self._closing.set()
        self._wake.set()
        try:
            if self.is_connected or len(self._outbox):
                await asyncio.wait({self._task}, timeout=self._settings.flush_s)
        finally:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for message in self._outbox.waiting():
            self.undelivered[message.topic] = self.undelivered.get(message.topic, 0) + 1
        if self.undelivered:
            total = sum(self.undelivered.values())
            log.warning("%d messages were not delivered to %s: %s", total, self._address, self._problem)

    async def publish(self, message: Message, when_full: WhenFull = WhenFull.WAIT) -> None:
        """Take one message; with ``WhenFull.WAIT`` wait until there is room for it."""
        while not self._outbox.put(message, when_full):
            self._room.clear()
            await self._room.wait()
        self._wake.set()

    def dropped(self, bed: str) -> int:
        """Messages of a bed lost because the broker was away for too long."""
        return self._outbox.dropped(bed)

    def last_seq(self, prefix: str, session: str) -> Mapping[str, int]:
        """Topic below the prefix → its last number in the session."""
        return self._outbox.numbers.last(prefix, session)

    @property
    def is_connected(self) -> bool:
        """Whether a broker is there at the moment."""
        return self._up.is_set()

    async def wait_connected(self, timeout_s: float) -> None:
        """Wait for the first connection.

        Raises:
            BrokerError: None within that time, or the broker refuses the login.
        """
        waits = [asyncio.create_task(event.wait()) for event in (self._up, self._refused_login)]
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if not self._up.is_set():
            raise BrokerError(absent(self._address, self._problem))

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            try:
                await self._one_connection()
            except (MqttError, OSError) as error:
                self._problem = plain(error)
                if isinstance(error, LoginRefused):
                    self._refused_login.set()
                log.warning("MQTT broker at %s: %s", self._address, self._problem)
            except Exception:
                self._problem = "internal error"
                log.exception("MQTT broker at %s: unexpected", self._address)
            failures = 1 if self._progress_s else failures + 1
            self._progress_s = 0.0
            if self._closing.is_set():
                if not len(self._outbox):
                    return
                await asyncio.sleep(RETRY_AT_END_S)
                continue
            delay = backoff_s(failures, self._settings.backoff_first_s, self._settings.backoff_max_s, random.random())  # noqa: S311 (not a secret)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), delay)

    async def _one_connection(self) -> None:
        """From connecting to the loss of the connection, or to the end."""
        will = Will(self._wire.status_topic, self._status(online=False, reason="connection lost"), 1, retain=True)
        link = await connect(self._settings, self._secrets, will=will, on_ack=self._acknowledged)
        self.protocol = link.speaks
        watch = asyncio.create_task(link.watch(self._hear))
        watch.add_done_callback(lambda _: self._wake.set())
        try:
            await self._tell(link, watch, self._wire.status_topic, self._status(online=True))
            await self._tell(link, watch, self._wire.schema_topic, schema_payload(schema_document()))
            await self._listen(link, watch)
            log.info("connected to the MQTT broker at %s, MQTT %s", self._address, self.protocol)
            self._up.set()
            await self._send(link, watch)
            await self._tell(link, watch, self._wire.status_topic, self._status(online=False, reason="ended"))
        finally:
            self._up.clear()
            self._outbox.requeue()
            watch.cancel()
            await link.close()

    async def _tell(self, link: Link, watch: asyncio.Task[None], topic: str, payload: bytes) -> None:
        """Publish what the service itself has to say, retained."""
        await _answered(link.publish(topic, payload, qos=1, retain=True), watch)

    async def _listen(self, link: Link, watch: asyncio.Task[None]) -> None:
        """Subscribe to commands, at each connection anew; a broker that refuses hears of the beds all the same."""
        topic = self._wire.command_filter
        if self._settings.commands and (refusal := await _answered(link.listen(topic), watch)):
            log.warning("the broker refuses the subscription to %s (%s): no commands are heard", topic, refusal)

    def _hear(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001 (as it comes)
        self.inboxes.deliver(self._wire.bed_of_command(topic), payload, retained=retained)

    async def _send(self, link: Link, watch: asyncio.Task[None]) -> None:
        """Keep the line full until it is lost (raises) or all is delivered at the end (returns)."""
        now = asyncio.get_running_loop().time
        self._progress_s = now()
        while not (self._closing.is_set() and not len(self._outbox)):
            if watch.done():
                watch.result()
                raise MqttError("the connection was closed")
            if not self._outbox.in_flight:
                self._progress_s = now()
            while self._outbox.in_flight < self._settings.in_flight and (message := self._outbox.take(self._now_ns())):
                link.send(message)
            self._wake.clear()
            stalled_at = self._progress_s + self._settings.stall_s if self._outbox.in_flight else None
            try:
                async with asyncio.timeout_at(stalled_at):
                    await self._wake.wait()
            except TimeoutError:
                raise MqttError(f"no acknowledgement for {self._settings.stall_s:g} s") from None

    def _acknowledged(self, message: Message, refusal: str) -> None:
        if refusal:
            self.refused += 1
            log.warning("the broker refused a message on %s: %s", message.topic, refusal)
        self._outbox.settle(message)
        self._progress_s = asyncio.get_running_loop().time()
        self._wake.set()
        self._room.set()

    def _status(self, *, online: bool, reason: str = "") -> bytes:
        return encode_status(online=online, session=self._session, version=service_version(), reason=reason)


async def _answered(asked: Coroutine[Any, Any, T], watch: asyncio.Task[None]) -> T:
    """What the broker answers; does not wait for one that is gone."""
    task = asyncio.create_task(asked)
    await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        watch.result()
    return await task


def service_version() -> str:
    """Version of the installed distribution, or ``unknown``.

    Examples:
        >>> bool(service_version())
        True
    """
    try:
        return version("ventstream")
    except PackageNotFoundError:
        return "unknown"
