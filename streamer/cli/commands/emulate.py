"""``emulate``: a recording played as the device would send it, over a wire a real one could be at.

For trying or testing a live source without a ventilator. Playing begins when a program connects. From then on time goes
on, as a device's does, also while no program is connected. With ``--speed max`` the emulator waits for the reader.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.recordings.open import Recording, open_recording
from streamer.cli.emulator_port_kinds import endpoint_at
from streamer.cli.emulator_ports import Endpoint
from streamer.core.align import inward
from streamer.files.output import warn
from streamer.model.chunk import Chunk, Emulator
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice
from streamer.service import stop_on_signals
from streamer.service.pacing import paced
from streamer.service.plugins import find_emulator


def emulate(device: str, path: Path | None, *, port: str, speed: float, loop: bool, **source: Any) -> int:
    """Play until the recording ends or a signal comes; the exit status."""
    module = find_emulator(device)
    if path is None:
        raise ConfigError("name a RECORDING to play as well")
    recording = open_recording(path, **source)
    first = next((item for item in recording.items() if isinstance(item, Chunk) and len(item)), None)
    if first is None:
        raise DecodeError(f"{path}: no samples")
    emulator: Emulator = module.Emulator(first.rate_hz, frozenset(first.channels))
    endpoint = endpoint_at(port, module, emulator.hear)
    asyncio.run(_until_stopped(device, endpoint, emulator, played(recording, loop=loop), speed))
    return 0


async def _until_stopped(
    device: str, endpoint: Endpoint, emulator: Emulator, items: Iterator[Chunk | Notice], speed: float
) -> None:
    with stop_on_signals() as stop:
        async with endpoint:
            warn(f"{device} {endpoint.about}")
            playing = asyncio.create_task(play(endpoint, emulator, items, speed))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (playing, stopping):
                task.cancel()
            await asyncio.wait({playing, stopping})
        if not playing.cancelled():
            playing.result()


async def play(endpoint: Endpoint, emulator: Emulator, items: Iterator[Chunk | Notice], speed: float) -> None:
    """Send what the device would, at its pace; ends when the listener has it all."""
    await endpoint.listener()
    async with aclosing(paced(_one_by_one(items), speed)) as due:
        async for item in due:
            if math.isinf(speed):
                await endpoint.listener()
            if isinstance(item, Chunk):
                await endpoint.send(emulator.send(item))
    await endpoint.drain()


async def _one_by_one(items: Iterator[Chunk | Notice]) -> AsyncIterator[Chunk | Notice]:
    for item in items:
        yield item


def played(recording: Recording, *, loop: bool) -> Iterator[Chunk | Notice]:
    """A recording, or the same again and again; the device's clock goes on from one time to the next."""
    end_s: float | None = None
    while True:
        shift_s: float | None = None
        for item in recording.items():
            if not isinstance(item, Chunk):
                continue
            if shift_s is None:
                shift_s = 0.0 if end_s is None else end_s - item.start_s
            shifted = replace(inward(item, recording.sidecar.context), start_s=item.start_s + shift_s)
            end_s = shifted.start_s + len(shifted) / shifted.rate_hz
            yield shifted
        if not loop:
            return
