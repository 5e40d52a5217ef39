"""Topics and the envelope around every payload. Every topic of the service is named here and nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from streamer.model.errors import ConfigError

VERSION = "v1"
"""Level of every topic that changes when a field is removed or its unit changes."""
DEFAULT_PERIOD_S = 10.0
"""Shortest time between two summaries of a window, s; as ``RollingSettings.min_period_s``."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Policy(StrEnum):
    """Which messages may be left out while the broker is away.

    Examples:
        >>> Policy.LATEST.value
        'latest'
    """

    EVERY = "every"
    """Each message counts: breaths, events, changes of state."""
    LATEST = "latest"
    """The newest replaces what still waits on its topic: summaries, counters."""


class Source(StrEnum):
    """Where the samples come from; part of every payload of a bed.

    Examples:
        >>> [source.value for source in Source]
        ['live', 'recorded', 'simulated']
    """

    LIVE = "live"
    RECORDED = "recorded"
    SIMULATED = "simulated"


class Presence(StrEnum):
    """State of a bed.

    Examples:
        >>> [state.value for state in Presence]
        ['online', 'stalled', 'offline']
    """

    ONLINE = "online"
    STALLED = "stalled"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireSettings:
    """Table ``[wire]``: the first levels of every topic.

    Attributes:
        root: Up to five levels of letters, digits, ``_``, ``.`` and ``-``.

    Raises:
        ConfigError: The root is not such a name.

    Examples:
        >>> WireSettings(root="ward-3").prefix
        'ward-3/v1'
    """

    root: str = "ventstream"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}(/[A-Za-z0-9_.-]{1,64}){0,4}", self.root):
            raise ConfigError(f"topic root {self.root!r}: use letters, digits, '_', '.', '-', and '/' between levels")

    @property
    def prefix(self) -> str:
        """Root and version: ``ventstream/v1``."""
        return f"{self.root}/{VERSION}"

    @property
    def status_topic(self) -> str:
        """Topic of the service's own presence: retained, and the topic of its last will."""
        return f"{self.prefix}/status"

    @property
    def command_filter(self) -> str:
        """Topic filter that matches the commands of all beds and nothing else."""
        return f"{self.prefix}/+/command"

    def bed_of_command(self, topic: str) -> str:
        """The bed that a command topic names: ``icu-04`` of ``ventstream/v1/icu-04/command``."""
        return topic.removeprefix(f"{self.prefix}/").removesuffix("/command")

    @property
    def schema_topic(self) -> str:
        """Topic of the retained description of all payloads."""
        return f"{self.prefix}/schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The sender of a message: one run of one bed's source.

    Attributes:
        prefix: ``WireSettings.prefix``.
        bed: Label of the bed, never a patient identity.
        session: One id per run of a source; with ``seq`` the key to de-duplicate by.
        source: live, recorded or simulated.
        min_period_s: Shortest time between two summaries of a window, s; a long window has one each 30th of its length.

    Examples:
        >>> Origin(prefix="ventstream/v1", bed="icu-04", session="a1", source=Source.LIVE).topic("breath")
        'ventstream/v1/icu-04/breath'
    """

    prefix: str
    bed: str
    session: str
    source: Source
    min_period_s: float = DEFAULT_PERIOD_S

    def topic(self, kind: str) -> str:
        """``ventstream/v1/<bed>/<kind>``."""
        return f"{self.prefix}/{self.bed}/{kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One MQTT message; the outbox adds ``seq`` and ``published_ns``.

    Attributes:
        topic: Full topic.
        body: JSON object without ``seq`` and ``published_utc``; empty to clear a retained topic.
        bed: Label of the bed, which is also its lane in the outbox.
        session: The run that sends it.
        qos: MQTT quality of service.
        retain: Whether the broker keeps it for later subscribers.
        policy: Whether a newer one may replace it while the broker is away.
        expiry_s: MQTT 5 message expiry, s, or None.
        seq: Number on its topic within the session.
        published_ns: UTC of the first attempt to send, ns.

    Examples:
        >>> message = Message(topic="t", body=b'{"detail":"x"}', bed="icu-04", session="a1", seq=4)
        >>> message.payload
        b'{"detail":"x","seq":4,"published_utc":null}'
    """

    topic: str
    body: bytes
    bed: str
    session: str
    qos: int = 1
    retain: bool = False
    policy: Policy = Policy.EVERY
    expiry_s: int | None = None
    seq: int | None = None
    published_ns: int | None = None

    @property
    def payload(self) -> bytes:
        """UTF-8 JSON with ``seq`` and ``published_utc``; a repeated attempt to send has the same bytes."""
        if not self.body:
            return b""
        published = utc_text(self.published_ns)
        stamp = f',"seq":{self.seq if self.seq is not None else "null"},"published_utc":'
        return self.body[:-1] + stamp.encode() + (f'"{published}"}}'.encode() if published else b"null}")


def utc_text(utc_ns: int | None) -> str | None:
    """UTC nanoseconds as ISO 8601 to the millisecond; None if unknown or outside the years 1 to 9999.

    Examples:
        >>> utc_text(1_700_000_000_123_000_000)
        '2023-11-14T22:13:20.123Z'
    """
    if utc_ns is None:
        return None
    try:
        instant = EPOCH + timedelta(milliseconds=(utc_ns + 500_000) // 1_000_000)
    except OverflowError:
        return None
    return instant.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
