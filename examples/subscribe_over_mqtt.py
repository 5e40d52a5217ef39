"""Subscribe to the breaths and summaries of every bed with an ordinary MQTT client.

    python examples/subscribe_over_mqtt.py [mqtt://HOST:PORT]

With an address it listens there until Ctrl-C, for example to ``ventstream run`` or ``ventstream demo``. Without one it
starts the embedded broker on a free loopback port, replays a recording into it and ends with the replay.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
from pathlib import Path
from urllib.parse import urlsplit

import aiomqtt

from adapters.recordings.open import Settings
from streamer import BreathRecord, Summary
from streamer.service import BedPlan, SourcePlan, run_beds
from streamer.service.embedded_broker import EmbeddedBroker
from streamer.service.publish import MqttPublisher
from streamer.service.settings import BrokerSettings
from streamer.wire import Source, decode

VCV_HOLD = Path(__file__).parents[1] / "replay_data" / "vcv_hold.csv"


async def listen(url: str, ready: asyncio.Event | None = None) -> None:
    """Print what arrives. Ends when a bed that was online goes offline, which a live bed does only at its end."""
    address, was_online = urlsplit(url), False
    async with aiomqtt.Client(address.hostname or "127.0.0.1", port=address.port or 1883) as client:
        await client.subscribe("ventstream/v1/#", qos=1)
        if ready is not None:
            ready.set()
        async for message in client.messages:
            received = decode(bytes(message.payload))
            if received is None:  # an empty payload: a retained topic was cleared
                continue
            if received.kind == "state":
                print(received.row["bed"], "is", received.row["state"])
                if was_online and received.row["state"] == "offline":
                    return
                was_online |= received.row["state"] == "online"
            elif isinstance(received.event, BreathRecord):
                breath = received.event
                power = f"{breath.values['mp']:.1f} J/min" if "mp" in breath.values else breath.missing["mp"]
                print(f"{breath.bed} breath {breath.number}: mechanical power {power}")
            elif isinstance(received.event, Summary):
                summary = received.event
                print(f"{summary.bed} {summary.window}: {summary.breaths} breaths, PEEP {summary.stats['peep'].median}")


async def replay(broker: BrokerSettings, path: Path) -> None:
    """Publish a recording as fast as possible: one bed, one source, one publisher."""
    source = SourcePlan(adapter="recording", options=Settings(path=path), speed=math.inf)
    async with MqttPublisher(broker) as publisher:
        await publisher.wait_connected(5.0)
        await run_beds([BedPlan(bed="bench", sources=(source,), source=Source.SIMULATED)], publisher)


async def listen_to_a_replay() -> None:
    """Listen first, then publish, so that no breath is missed."""
    with EmbeddedBroker(port=0) as broker:
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listen(broker.url, ready))
            await ready.wait()
            tasks.create_task(replay(broker.settings(), VCV_HOLD))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(listen(sys.argv[1]) if len(sys.argv) > 1 else listen_to_a_replay())
