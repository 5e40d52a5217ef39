"""MEDIBUS over a port, and a real recording through both of its sides."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from pathlib import Path

import numpy as np
import pytest

from adapters.devices import medibus
from adapters.devices.medibus import Emulator, Settings, chunks
from adapters.devices.medibus_emulator import RANGES, TOP
from adapters.devices.medibus_frames import (
    command,
)
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.errors import ConfigError
from streamer.model.units import CMH2O_PER_MBAR
from tests.support.adapter_contract import Item, check, closes_promptly, recordings
from tests.support.medibus_dialogue import (
    FLOW,
    PAW,
    STEP,
    Talk,
    breaths,
)


@pytest.mark.parametrize(
    "options", [{"port": ""}, {"port": "udp://x"}, {"port": "/dev/x", "baudrate": 0}, {"port": "/dev/x", "lost_s": 0.0}]
)
def test_settings_that_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Settings(**options)  # type: ignore[arg-type]


@pytest.fixture
async def ventilator() -> AsyncIterator[tuple[bytearray, str]]:
    """What was said to it, and a port on which it answers and streams."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.set_blocking(master, False)
    heard, device = bytearray(), Emulator(100.0, frozenset(Channel))

    async def talk() -> None:
        tick = 0
        while True:
            with suppress(BlockingIOError):
                words = os.read(master, 4096)
                heard.extend(words)
                os.write(master, device.hear(words))
            with suppress(BlockingIOError):
                os.write(master, device.send(breaths(2, start_s=tick / 50)))
            tick += 1
            await asyncio.sleep(0.02)

    talker = asyncio.create_task(talk())
    yield heard, path
    talker.cancel()
    with suppress(asyncio.CancelledError):
        await talker
    os.close(master)
    os.close(slave)


async def test_over_a_port_and_said_goodbye(ventilator: tuple[bytearray, str]) -> None:
    heard, path = ventilator
    items: list[Item] = []
    async with asyncio.timeout(10), aclosing(chunks(Settings(port=path, parity="N"))) as source:
        async for item in source:
            items.append(item)
            if sum(len(each) for each in items if isinstance(each, Chunk)) >= 30:
                break
    found = check(items)
    far = [np.abs(found.samples(FLOW) - breaths(found.n, start_s=at / 100).channels[FLOW]).max() for at in range(300)]
    assert min(far) < STEP[FLOW]
    await asyncio.sleep(0.2)
    assert heard.endswith(command(0x55))


async def test_it_closes_promptly(ventilator: tuple[bytearray, str]) -> None:
    await closes_promptly(chunks, Settings(port=ventilator[1], parity="N"))


def poly5(path: Path) -> FloatArray:
    """Pressure, flow and volume ``(10989, 3)`` of the recording made over MEDIBUS.X: five blocks of 2730."""
    raw = path.read_bytes()
    blocks = [np.frombuffer(raw, "<f4", 2730 * 3, 217 + 6 * 136 + k * (86 + 2730 * 12) + 86) for k in range(5)]
    return np.concatenate(blocks).reshape(-1, 3)[:10_989].astype(np.float64)


@pytest.mark.parametrize("path", recordings("draeger-medibus-testlung/*.Poly5"))
def test_a_real_recording_is_on_the_grid_and_passes_through(path: Path) -> None:
    pressure, flow, volume = poly5(path).T
    for samples, name in ((pressure, PAW), (flow, FLOW)):
        low, high = RANGES[name]
        raw = (samples - low) / (high - low) * TOP
        assert np.abs(raw - np.round(raw)).max() < 0.0015  # rounded to four decimals by the recorder
    assert np.corrcoef(flow, np.gradient(volume))[0, 1] > 0.95
    talk = Talk(channels=(FLOW, PAW))
    own = {FLOW: flow / 60, PAW: pressure * CMH2O_PER_MBAR}
    for chunk in Chunk(source="x", start_s=0, rate_hz=100, channels=own).parts(1.0):
        talk.hear(talk.device.send(chunk))
    found = talk.found()
    assert (found.n, found.notices) == (10_988, [])
    assert np.abs(found.samples(FLOW) * 60 - flow[:-1]).max() < 1e-4
    assert np.abs(found.samples(PAW) / CMH2O_PER_MBAR - pressure[:-1]).max() < 1e-4


def test_the_adapter_has_its_names() -> None:
    assert set(medibus.__all__) == {"Dialogue", "Emulator", "Settings", "chunks"}
