"""Acme monitor, live: here a source of the samples of an Acme log, as fast as they are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from acme_vent.log import Decoder
from adapters.decoding.contract import ReadOptions
from adapters.devices import Device
from streamer.model.chunk import Chunk
from streamer.model.records import Notice

DEVICE = Device(module=__name__, about="Acme monitor, 50 Hz", needs="path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of the device: where its log is."""

    path: Path


async def chunks(settings: Settings) -> AsyncIterator[Chunk | Notice]:
    """What the monitor sends."""
    decoder = Decoder(ReadOptions())
    for item in (*decoder.feed(settings.path.read_bytes()), *decoder.close()):
        yield item
