"""Where messages go: an MQTT broker, standard output, memory; and where commands come from. Floor 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, Self

from streamer.outbox import WhenFull
from streamer.publish.inbox import Arrived, Inbox, Inboxes
from streamer.publish.link import subscribe
from streamer.publish.mqtt import MqttPublisher, service_version
from streamer.publish.plain import JsonLinesPublisher, MemoryPublisher
from streamer.wire import Message

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
    """What ``run`` needs of a place where messages go; an async context manager."""

    inboxes: Inboxes
    """Commands by bed: filled from the broker, or by whoever calls ``deliver``."""

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
