"""The broker of a command: the one that was named, else the one inside. Floor 4."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from streamer.broker import EmbeddedBroker
from streamer.config import EmbeddedSettings
from streamer.connection import EMBEDDED, BrokerSettings
from streamer.errors import BrokerError
from streamer.output import warn

ANY_PORT = 0


@contextmanager
def broker_for(
    settings: BrokerSettings, embedded: EmbeddedSettings | None = None, *, may_move: bool = False
) -> Iterator[BrokerSettings]:
    """Settings with which the broker is reached; the one inside runs as long as the block.

    Args:
        settings: As configured; ``url`` may be ``embedded``.
        embedded: Where the broker inside listens.
        may_move: Whether it may take another port when its own is taken, saying so.

    Raises:
        BrokerError: Its port is taken, or it does not start.
    """
    if settings.url != EMBEDDED:
        yield settings
        return
    where = embedded or EmbeddedSettings()
    try:
        broker = EmbeddedBroker(where.host, where.port, where.mqtt5_port or None).__enter__()
    except BrokerError:
        if not may_move:
            raise
        broker = EmbeddedBroker(where.host, ANY_PORT).__enter__()
        warn(f"port {where.port} is taken: the broker inside listens on port {broker.port} instead")
    try:
        yield broker.settings(settings)
    finally:
        broker.__exit__(None, None, None)


def broker_from(url: str | None) -> BrokerSettings:
    """Settings for ``--broker URL``; None is the broker inside. Raises ``ConfigError``."""
    return replace(BrokerSettings(), url=url or EMBEDDED)
