"""Publishers: messages go to an MQTT broker, to memory or to a stream; commands come from the broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, Self

from streamer.service.publish.command_inbox import Arrived, Inbox, Inboxes
from streamer.service.publish.memory import JsonLinesPublisher, MemoryPublisher
from streamer.service.publish.mqtt import MqttPublisher, service_version
from streamer.service.publish.mqtt_connection import subscribe
from streamer.wire import Message
from streamer.wire.outbox import WhenFull

__all__ = [
    "Arrived",
    "Inbox",
    "Inboxes",
    "JsonLinesPublisher",
    "MemoryPublisher",
    "MqttPublisher",
    "Publisher",
    "service_version",
    "subscribe",
]


class Publisher(Protocol):
    """The interface of a publisher, an async context manager. ``MemoryPublisher`` is the shortest implementation.

    Attributes:
        inboxes: Commands by bed; the publisher fills them, the beds read them.

    Examples:
        >>> import asyncio
        >>> from streamer.wire import Message
        >>> async def main(publisher: Publisher) -> int:
        ...     async with publisher:
        ...         await publisher.publish(Message(topic="t", body=b"{}", bed="icu-04", session="a1"))
        ...     return publisher.dropped("icu-04")
        >>> asyncio.run(main(MemoryPublisher()))
        0
    """

    inboxes: Inboxes

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...
    async def publish(self, message: Message, when_full: WhenFull = ...) -> None:
        """Take one message; wait for room only with ``WhenFull.WAIT``."""
        ...

    def dropped(self, bed: str) -> int:
        """Messages of a bed lost for want of room."""
        ...

    def last_seq(self, prefix: str, session: str) -> Mapping[str, int]:
        """Topic below the prefix → its last number in the session."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether messages leave at the moment."""
        ...
