"""``watch``: a subscriber in the terminal. ``demo`` looks through the same eyes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

from streamer.cli.commands.broker import Named
from streamer.cli.terminal import Display
from streamer.model.errors import ConfigError
from streamer.service import stop_on_signals
from streamer.service.config import load_config
from streamer.service.publish import subscribe
from streamer.service.settings import EMBEDDED, BrokerSettings
from streamer.wire import WireSettings

DEFAULT_BROKER = "mqtt://127.0.0.1:1883"
KINDS = ("+/breath", "+/summary/+", "+/event", "+/state", "status")


def watch(named: Named) -> int:
    """Show what a broker delivers until Ctrl-C; the exit status."""
    settings, wire = named.settings(DEFAULT_BROKER), named.wire()
    if settings.url == EMBEDDED:
        if named.config is None or named.url is not None:
            raise ConfigError("--broker: name a running broker, mqtt://HOST[:PORT]")
        inside = load_config(named.config).embedded
        settings = replace(settings, url=f"mqtt://{inside.host}:{inside.port}")
    with Display(wire) as display:
        asyncio.run(_until_stopped(settings, wire, display))
    return 0


async def _until_stopped(settings: BrokerSettings, wire: WireSettings, display: Display) -> None:
    with stop_on_signals() as stop:
        follower = asyncio.create_task(follow(settings, wire, display.take), name="watch")
        stopper = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({follower, stopper}, return_when=asyncio.FIRST_COMPLETED)
        for task in (follower, stopper):
            task.cancel()
        results = await asyncio.gather(follower, stopper, return_exceptions=True)
    if isinstance(results[0], Exception):
        raise results[0]


async def follow(settings: BrokerSettings, wire: WireSettings, take: Callable[[str, bytes], None]) -> None:
    """Hand on every message of the service until cancelled. Raises ``BrokerError``."""
    filters = [f"{wire.prefix}/{kind}" for kind in KINDS]
    async with aclosing(subscribe(settings, filters)) as messages:
        async for topic, payload in messages:
            take(topic, payload)
