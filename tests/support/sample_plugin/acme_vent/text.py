"""Acme's output: a line for each breath in a text file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamer.service.publish.memory import MemoryPublisher
from streamer.service.publish.outputs import OutputKind
from streamer.wire import Message
from streamer.wire.outbox import WhenFull


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of the output: where its lines go."""

    path: Path


class TextPublisher(MemoryPublisher):
    """Writes bed and size of each message of a breath."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    async def publish(self, message: Message, when_full: WhenFull = WhenFull.WAIT) -> None:
        """Write one line."""
        await super().publish(message, when_full)
        if message.topic.endswith("/breath"):
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{message.bed} {len(message.body)}\n")


OUTPUT = OutputKind(about="a line a breath", settings=Settings, make=lambda settings: TextPublisher(settings.path))
