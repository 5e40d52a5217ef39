"""``demo``: a recorded session through everything, with nothing to install or configure."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from streamer.cli.bed_plans import plans_of_recordings
from streamer.cli.commands.broker import Named, broker_for
from streamer.cli.commands.run_replay import CONNECT_S, announce, status_of
from streamer.cli.commands.warm_up import is_compiled, warm_up
from streamer.cli.commands.watch import follow
from streamer.cli.terminal import SAFETY, Display
from streamer.files.bundled import bundled
from streamer.files.output import warn
from streamer.model.errors import BrokerError
from streamer.service import BedPlan, run_beds, stop_on_signals
from streamer.service.publish import MqttPublisher
from streamer.service.settings import BrokerSettings
from streamer.wire import WireSettings

SESSION = "replay_data/demo.parquet"
BED = "demo"
FAREWELL_S = 2.0
"""Longest wait for the viewer to see the last messages."""


def demo(*, speed: float, named: Named, context: Path | None = None) -> int:
    """Play the bundled session; the exit status."""
    settings, wire = named.settings(), named.wire()
    plans = plans_of_recordings([bundled(SESSION)], speed=speed, bed=BED, context=context)
    warn(f"ventstream demo. {SAFETY}")
    if not is_compiled():
        warn("compiling the core, once after installing: this takes a minute or two …")
    warm_up()
    with broker_for(settings, may_move=True) as broker, Display(wire, rolling_of=BED) as display:
        return asyncio.run(_play(plans, broker, wire, display))


async def _play(plans: list[BedPlan], broker: BrokerSettings, wire: WireSettings, display: Display) -> int:
    publisher = MqttPublisher(broker, wire=wire)
    listening, over = asyncio.Event(), asyncio.Event()

    def take(topic: str, payload: bytes) -> None:
        display.take(topic, payload)
        listening.set()
        if display.board.service.get("status") == "offline":
            over.set()

    with stop_on_signals() as stop:
        async with publisher:
            await publisher.wait_connected(CONNECT_S)
            announce(broker, wire, plans)
            warn("Ctrl-C ends it; a session takes about three minutes at real speed")
            viewer = asyncio.create_task(follow(broker, wire, take), name="viewer")
            try:
                await _first(viewer, listening)
                outcomes = await run_beds(plans, publisher, wire=wire, stop=stop)
            except BaseException:
                viewer.cancel()
                raise
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), FAREWELL_S)
        viewer.cancel()
        await asyncio.gather(viewer, return_exceptions=True)
    return status_of(outcomes, publisher)


async def _first(viewer: asyncio.Task[None], listening: asyncio.Event) -> None:
    """Wait until the viewer got the retained status, so that it misses no breath. Raises ``BrokerError``."""
    heard = asyncio.create_task(listening.wait())
    await asyncio.wait({viewer, heard}, timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED)
    heard.cancel()
    if viewer.done():
        viewer.result()
    if not listening.is_set():
        raise BrokerError(
            "the MQTT broker delivers nothing to a subscriber; try another with --broker mqtt://HOST:PORT"
        )
