"""A whole service with a stand-in core, for tests that kill it: ``python -m tests.support.service URL|embedded ROOT``.

Says the broker's URL on its first line, plays one endless live bed, and ends on SIGINT or SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator

from streamer.model.chunk import Chunk
from streamer.model.records import Notice
from streamer.service import BedPlan, SourcePlan, run_beds, stop_on_signals
from streamer.service.embedded_broker import EmbeddedBroker
from streamer.service.publish import MqttPublisher
from streamer.service.settings import BrokerSettings
from streamer.wire import WireSettings
from tests.support.fakes import BREATH, RATE_HZ, FakeCore, Settings, chunk


async def endless() -> AsyncGenerator[Chunk | Notice]:
    at_s = 0.0
    while True:
        yield chunk(at_s, BREATH)
        at_s += BREATH / RATE_HZ
        await asyncio.sleep(0.05)


async def serve(settings: BrokerSettings, wire: WireSettings) -> None:
    plan = BedPlan(bed="b", sources=(SourcePlan(adapter="tests.support.fakes", options=Settings(endless)),))
    with stop_on_signals() as stop:
        async with MqttPublisher(settings, wire=wire) as publisher:
            await publisher.wait_connected(5.0)
            print(settings.url, flush=True)
            await run_beds([plan], publisher, wire=wire, stop=stop, make_core=FakeCore)


def main(url: str, root: str) -> None:
    with contextlib.ExitStack() as stack:
        if url == "embedded":
            settings = stack.enter_context(EmbeddedBroker(port=0)).settings()
        else:
            settings = BrokerSettings(url=url)
        asyncio.run(serve(settings, WireSettings(root=root)))


if __name__ == "__main__":
    main(*sys.argv[1:])
