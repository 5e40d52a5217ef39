"""Topics and the envelope around every payload. What leaves is named here and nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from streamer.model.errors import ConfigError

VERSION = "v1"
"""Level of every topic that changes when a field is removed or its unit changes."""
DEFAULT_PERIOD_S = 10.0
"""As in ``rolling.RollingSettings``."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Policy(StrEnum):
    """What may be left out while the broker is away."""

    EVERY = "every"
    """Each message counts: breaths, events, changes of state."""
    LATEST = "latest"
    """The newest replaces what still waits on its topic: summaries, counters."""


class Source(StrEnum):
    """Where the samples come from; stands in every payload of a bed."""

    LIVE = "live"
    RECORDED = "recorded"
    SIMULATED = "simulated"


class Presence(StrEnum):
    """State of a bed."""

    ONLINE = "online"
    STALLED = "stalled"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireSettings:
    """Table ``[wire]``: the first level of every topic.

    Raises:
        ConfigError: A root that MQTT forbids in a topic.
    """

    root: str = "ventstream"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}(/[A-Za-z0-9_.-]{1,64}){0,4}", self.root):
            raise ConfigError(f"topic root {self.root!r}: use letters, digits, '_', '.', '-', and '/' between levels")

    @property
    def prefix(self) -> str:
        """``ventstream/v1``."""
        return f"{self.root}/{VERSION}"

    @property
    def status_topic(self) -> str:
        """The service's presence, retained, and its last will."""
        return f"{self.prefix}/status"

    @property
    def command_filter(self) -> str:
        """Where the commands of all beds arrive, and nothing else."""
        return f"{self.prefix}/+/command"

    def bed_of_command(self, topic: str) -> str:
        """The bed for which a command is meant."""
        return topic.removeprefix(f"{self.prefix}/").removesuffix("/command")

    @property
    def schema_topic(self) -> str:
        """The retained description of all payloads."""
        return f"{self.prefix}/schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who speaks: one run of one bed's source.

    Attributes:
        prefix: ``WireSettings.prefix``.
        bed: Label of the bed, never a patient identity.
        session: One id per run of a source; with ``seq`` the key to de-duplicate by.
        source: live, recorded or simulated.
        min_period_s: Shortest time between two summaries of a window; the longest is a 30th of the window.
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
    """One MQTT message, before and after it was given its number.

    Attributes:
        topic: Full topic.
        body: JSON object without ``seq`` and ``published_utc``; empty to clear a retained topic.
        bed: Label of the bed, which is also its lane in the outbox.
        session: The run that speaks.
        qos: MQTT quality of service.
        retain: Kept by the broker for later subscribers.
        policy: What may happen to it while the broker is away.
        expiry_s: MQTT 5 message expiry, or None.
        seq: Number on its topic within the session, given by the outbox.
        published_ns: UTC of the first attempt to send, given by the outbox.
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
        """UTF-8 JSON with its number; a repeated attempt carries the same bytes."""
        if not self.body:
            return b""
        published = utc_text(self.published_ns)
        stamp = f',"seq":{self.seq if self.seq is not None else "null"},"published_utc":'
        return self.body[:-1] + stamp.encode() + (f'"{published}"}}'.encode() if published else b"null}")


def utc_text(utc_ns: int | None) -> str | None:
    """ISO 8601 in UTC to the millisecond, or None outside the years 1 to 9999."""
    if utc_ns is None:
        return None
    try:
        instant = EPOCH + timedelta(milliseconds=(utc_ns + 500_000) // 1_000_000)
    except OverflowError:
        return None
    return instant.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
