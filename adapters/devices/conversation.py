"""A conversation with a device: bytes of a link in, chunks out; used by the live adapters.

What is said and understood is a ``Dialogue``, a class without I/O and clock; when it is said is decided here. Time
that passes without bytes counts as silence only while we listened: a program that was held up, or a reader that took
its time, finds the bytes waiting and has lost nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from typing import Protocol

from adapters.devices.transport import Link
from streamer.model.chunk import Chunk
from streamer.model.errors import ConfigError, DecodeError, SourceLost
from streamer.model.records import Notice

LOST_S = 30.0
"""Silence after which a device counts as gone, unless the configuration says otherwise."""
TICK_S = 1.0
"""Between two reports of silence."""
SLACK_S = 0.25
"""A tick that took so much longer was not waited for: the program was held up."""


class Dialogue(Protocol):
    """A device's protocol: what to say and what was said. No I/O, no clock."""

    def opening(self) -> bytes:
        """What to say first; ``b""`` for a device that only sends."""
        ...

    def feed(self, piece: bytes, /) -> Sequence[Chunk | Notice]:
        """What the bytes so far complete. Raises ``DecodeError``."""
        ...

    def silence(self, silent_s: float, /) -> Sequence[Chunk | Notice]:
        """Nothing came for so long while we listened.

        Called about once a second with the growing time, and once with all of it before the bytes that end it. May
        raise ``SourceLost`` without the port's name.
        """
        ...

    def answer(self) -> bytes:
        """Bytes to write now, each once; asked for after ``opening``, ``feed`` and ``silence``."""
        ...


class OneWay:
    """What dialogues with senders that only send have in common."""

    _silent_s = 0.0

    def opening(self) -> bytes:
        """Nothing: it sends by itself."""
        return b""

    def answer(self) -> bytes:
        """Nothing, likewise."""
        return b""

    def silence(self, silent_s: float) -> Sequence[Chunk | Notice]:
        """Kept until it is over."""
        self._silent_s = silent_s
        return ()


def check_lost_s(lost_s: float) -> None:
    """Raises ``ConfigError`` for a time that is none."""
    if not TICK_S <= lost_s <= 86_400.0:  # noqa: PLR2004 (a day)
        raise ConfigError(f"lost_s = {lost_s!r}: expected seconds from {TICK_S:g} to 86400")


async def converse(link: Link, dialogue: Dialogue, *, lost_s: float = LOST_S) -> AsyncGenerator[Chunk | Notice]:
    """Talk until the device is gone; chunks carry when they came.

    Yields:
        What the dialogue makes of the bytes.

    Raises:
        SourceLost: The link ended, or nothing came for ``lost_s`` seconds.
        DecodeError: The device does not speak what it should.
    """
    ears = _Ears(link)
    try:
        await _say(link, dialogue.opening() + dialogue.answer())
        while True:
            piece, silent_s, was_told = await ears.hear()
            arrived_ns = time.time_ns()
            try:
                items = list(dialogue.silence(silent_s)) if piece is None or was_told else []
                items += dialogue.feed(piece) if piece else []
            except (DecodeError, SourceLost) as error:
                raise type(error)(f"{link.name}: {error}") from None
            await _say(link, dialogue.answer())
            for item in items:
                yield replace(item, received_ns=arrived_ns) if isinstance(item, Chunk) else item
            if piece == b"":
                raise SourceLost(f"{link.name}: the connection ended; is the device still on?")
            if piece is None and silent_s >= lost_s:
                raise SourceLost(f"{link.name}: nothing came for {silent_s:.0f} s; is the device on and sending?")
    finally:
        await ears.close()


async def conversation(
    opening: AbstractAsyncContextManager[Link], dialogue: Dialogue, *, lost_s: float
) -> AsyncGenerator[Chunk | Notice]:
    """What an adapter's ``chunks`` returns: a link opened, talked over, and closed with this generator."""
    async with opening as link, aclosing(converse(link, dialogue, lost_s=lost_s)) as items:
        async for item in items:
            yield item


async def _say(link: Link, words: bytes) -> None:
    if words:
        await link.write(words)


class _Ears:
    """Reads a link, and reckons for how long nothing came. One reading is under way at any time, never cut short."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._reading: asyncio.Task[bytes] | None = None
        self._silent_s = 0.0
        self._was_told = False

    async def hear(self) -> tuple[bytes | None, float, bool]:
        """Bytes, or None after a tick without; the silence so far; whether any of it was told before."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._link.read(), name=f"read {self._link.name}")
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await asyncio.wait({self._reading}, timeout=TICK_S)
        passed_s = loop.time() - began_s
        self._silent_s += passed_s if passed_s < TICK_S + SLACK_S else TICK_S
        silent_s, was_told = self._silent_s, self._was_told
        if not self._reading.done():
            self._was_told = True
            return None, silent_s, was_told
        piece = self._reading.result()
        self._reading = None if not piece else asyncio.create_task(self._link.read(), name=f"read {self._link.name}")
        self._silent_s, self._was_told = 0.0, False
        return piece, silent_s, was_told

    async def close(self) -> None:
        """Give up reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
            if not self._reading.cancelled():
                self._reading.exception()  # known already, or nobody's business any more
