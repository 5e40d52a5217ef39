"""Both sides of MEDIBUS, for its tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from adapters.devices.medibus import Dialogue, Emulator
from adapters.devices.medibus_emulator import TOP
from adapters.devices.medibus_frames import (
    Splitter,
)
from streamer.model.chunk import Channel, Chunk
from streamer.model.errors import SourceLost
from streamer.model.units import CMH2O_PER_MBAR
from tests.support.adapter_contract import Item, Stream, check, pieces, stream

FLOW, PAW, PCO2 = Channel.FLOW, Channel.PAW, Channel.PCO2
STEP = {PAW: 200 / TOP * CMH2O_PER_MBAR, FLOW: 360 / TOP / 60, PCO2: 150 / TOP}


def breaths(n: int, rate_hz: float = 100.0, start_s: float = 0.0, channels: Iterable[Channel] = Channel) -> Chunk:
    phase = 2 * math.pi * (start_s + np.arange(n) / rate_hz) / 3
    known = {FLOW: 0.5 * np.sin(phase), PAW: 12 - 6 * np.cos(phase), PCO2: 20 - 19 * np.sin(phase)}
    return Chunk(source="x", start_s=start_s, rate_hz=rate_hz, channels={name: known[name] for name in channels})


def greeted(device: Emulator, dialogue: Dialogue) -> bytes:
    """All that the device says until it streams."""
    said, words = b"", dialogue.opening()
    while words:
        heard = device.hear(words)
        said += heard
        assert dialogue.feed(heard) == []
        words = dialogue.answer()
    return said


class Talk:
    """A dialogue with an emulator, up and streaming."""

    def __init__(self, rate_hz: float = 100.0, channels: Iterable[Channel] = Channel) -> None:
        self.device, self.dialogue = Emulator(rate_hz, frozenset(channels)), Dialogue()
        self.greeting = greeted(self.device, self.dialogue)
        self.items: list[Item] = []
        self.said = b""

    def hear(self, words: bytes) -> None:
        self.items += self.dialogue.feed(words)
        self.answer()

    def silence(self, seconds: float) -> None:
        self.items += self.dialogue.silence(seconds)
        self.answer()

    def answer(self) -> None:
        said = self.dialogue.answer()
        self.said += said
        replies = self.device.hear(said)
        if replies:
            self.hear(replies)

    def found(self) -> Stream:
        return check(self.items)


def lost(do: Callable[[Any], object], what: Any) -> str:
    """The error that comes when it is done again and again."""
    try:
        for _ in range(1000):
            do(what)
    except SourceLost as error:
        return str(error)
    return ""


def split(text: bytes) -> list[object]:
    return list(Splitter().feed(text))


def streaming(n: int = 12) -> tuple[bytes, list[bytes]]:
    """What a device says until it streams, and its records."""
    talk = Talk(channels=(FLOW, PAW))
    records = talk.device.send(breaths(n, channels=(FLOW, PAW)))
    return talk.greeting, [records[at : at + 5] for at in range(0, len(records), 5)]


def played(text: bytes, cuts: Iterable[int] = ()) -> tuple[Stream, bytes]:
    """What comes out, and what was said on the way."""
    said: list[bytes] = []

    def items() -> Iterable[Item]:
        dialogue = Dialogue()
        said.append(dialogue.opening())
        for piece in pieces(text, cuts):
            yield from dialogue.feed(piece)
            said.append(dialogue.answer())

    return stream(items()), b"".join(said)


def places(found: Stream) -> list[int]:
    return np.flatnonzero(np.isnan(found.samples(FLOW))).tolist()
