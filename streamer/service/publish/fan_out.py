"""One publisher in front of several: MQTT, which the beds wait for, and outputs that never hold it up.

Each output has a queue and a task of its own. A full queue loses its oldest message; an output that fails is left out
from then on. Both are counted and logged, and change nothing for the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Self

from streamer.service.publish import Publisher
from streamer.wire import Message
from streamer.wire.outbox import WhenFull

log = logging.getLogger(__name__)

MAX_WAITING = 10_000
"""Messages that wait for one output; 11 hours of a bed."""
FLUSH_S = 10.0
"""Longest wait at the end for an output."""


class _Output:
    """One output with its queue."""

    def __init__(self, name: str, publisher: Publisher, max_waiting: int) -> None:
        self.name, self.publisher = name, publisher
        self.lost = 0
        self.error = ""
        self._waiting: deque[Message] = deque()
        self._max_waiting = max_waiting
        self._news = asyncio.Event()
        self._is_closing = False
        self._in_flight = 0

    def take(self, message: Message) -> None:
        """Queue one message; never waits."""
        if self.error:
            self.lost += 1
            return
        if len(self._waiting) >= self._max_waiting:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(message)
        self._news.set()

    def end(self) -> None:
        """No more messages come."""
        self._is_closing = True
        self._news.set()

    async def run(self) -> None:
        """Hand messages on until the end, or until the output fails."""
        try:
            async with self.publisher:
                while True:
                    while self._waiting:
                        self._in_flight = 1
                        await self.publisher.publish(self._waiting.popleft(), WhenFull.WAIT)
                        self._in_flight = 0
                    if self._is_closing:
                        return
                    self._news.clear()
                    await self._news.wait()
        except Exception as error:  # noqa: BLE001 (code of others may raise anything; the beds go on)
            self.error = f"{type(error).__name__}: {error}"
            log.error("output %s: nothing more is written: %s", self.name, self.error)  # noqa: TRY400 (one line)
        finally:
            self.lost += len(self._waiting) + self._in_flight
            self._waiting.clear()


class FanOut:
    """``main`` decides what beds wait for, what counts as lost, and where commands come from; others get copies.

    Args:
        main: The publisher of the service.
        others: Name → further output.
        max_waiting: Messages that wait for one output.
        flush_s: Longest wait at the end for one output, s.
    """

    def __init__(
        self,
        main: Publisher,
        others: Mapping[str, Publisher],
        *,
        max_waiting: int = MAX_WAITING,
        flush_s: float = FLUSH_S,
    ) -> None:
        self._main, self._flush_s = main, flush_s
        self.inboxes = main.inboxes
        self._others = [_Output(name, one, max_waiting) for name, one in others.items()]
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._main)
        self._tasks = [asyncio.create_task(one.run()) for one in self._others]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for one in self._others:
            one.end()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._flush_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    async def publish(self, message: Message, when_full: WhenFull = WhenFull.WAIT) -> None:
        """Give a message to all; waits for ``main`` alone."""
        await self._main.publish(message, when_full)
        for one in self._others:
            one.take(message)

    def dropped(self, bed: str) -> int:
        """Messages of a bed that ``main`` lost."""
        return self._main.dropped(bed)

    def last_seq(self, prefix: str, session: str) -> Mapping[str, int]:
        """As ``main`` numbered them."""
        return self._main.last_seq(prefix, session)

    @property
    def is_connected(self) -> bool:
        """Whether messages of ``main`` leave at the moment."""
        return self._main.is_connected

    def problems(self) -> list[str]:
        """A line for each output that failed or lost messages; after the end."""
        return [
            f"output {one.name}: {one.lost} messages are not in it" + (f" ({one.error})" if one.error else "")
            for one in self._others
            if one.lost or one.error
        ]
