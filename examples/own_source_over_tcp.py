"""Feed samples of your own to ventstream as lines of JSON over TCP.

    python examples/own_source_over_tcp.py

``send_samples`` is what your program has to do: a TCP server that writes one JSON object a line. Replace ``samples`` by
your device. The rest shows the other end, the adapter ``json_lines``; in a configuration it is one line:

    sources = [{ adapter = "json_lines", port = "tcp://127.0.0.1:4001" }]
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator

import numpy as np

from adapters.devices.json_lines import Settings
from streamer import BreathRecord
from streamer.service import BedPlan, SourcePlan, run_beds
from streamer.service.publish import MemoryPublisher
from streamer.wire import Source, decode

RATE_HZ = 100.0
BREATHS = 8


def samples() -> Iterator[dict[str, object]]:
    """A passive lung in volume control, one line a breath: flow in L/min, airway pressure in cmH2O.

    Inspiration is constant flow for 1 s, expiration a monoexponential decay for 2 s: P = V/C + R * flow + PEEP.
    """
    compliance, resistance, peep, flow_in = 0.05, 10.0, 5.0, 0.5  # L/cmH2O, cmH2O*s/L, cmH2O, L/s
    t_in, t_ex = np.arange(0, 1, 1 / RATE_HZ), np.arange(0, 2, 1 / RATE_HZ)
    tau_s = compliance * resistance
    decay = np.exp(-t_ex / tau_s)
    flow = np.concatenate([np.full(t_in.size, flow_in), -flow_in * 1.0 / tau_s * decay])
    volume = np.concatenate([flow_in * t_in, flow_in * 1.0 * decay])
    paw = np.where(flow > 0, volume / compliance + resistance * flow + peep, peep)
    for number in range(BREATHS):
        yield {
            "time_s": number * flow.size / RATE_HZ,
            "rate_hz": RATE_HZ,
            "flow_l_min": np.round(60 * flow, 2).tolist(),
            "paw_cmh2o": np.round(paw, 2).tolist(),
        }


async def send_samples(writer: asyncio.StreamWriter) -> None:
    """Serve one client: one JSON object a line, with one sample or with many."""
    for block in samples():
        writer.write(json.dumps(block).encode() + b"\n")
        await writer.drain()
    writer.close()


async def main() -> None:
    """Serve the samples on a free loopback port, read them as a live bed, print the breaths."""
    calls, stop = itertools.count(), asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if next(calls):  # a live source that ended is opened again: here the second call ends the example
            writer.close()
            stop.set()
        else:
            await send_samples(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    device = SourcePlan(adapter="json_lines", options=Settings(port=f"tcp://127.0.0.1:{port}"))
    publisher = MemoryPublisher()
    async with server, publisher:
        await run_beds([BedPlan(bed="own", sources=(device,), source=Source.SIMULATED)], publisher, stop=stop)
    for message in publisher.messages:
        received = decode(message.payload)
        if received is not None and isinstance(received.event, BreathRecord):
            breath = received.event
            tidal = f"{breath.values['vt']:.0f} mL" if "vt" in breath.values else breath.missing["vt"]
            print(f"breath {breath.number}: VT {tidal}")


if __name__ == "__main__":
    asyncio.run(main())
