"""Commands that wait for their beds, between the task that reads a connection and the tasks of the beds.

Each bed has a bounded queue. A command that finds it full is dropped and counted, and the bed reports the count.
"""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from streamer.wire import MAX_PAYLOAD

log = logging.getLogger(__name__)

MAX_WAITING = 100
"""Commands of a bed that wait to be read; an operator sends a few in an hour."""
MAX_LOGGED = 20


class Arrived(NamedTuple):
    """A payload of a bed's ``command`` topic.

    Attributes:
        payload: Its bytes, cut just above the allowed length.
        retained: Whether the broker retains it; such a command is refused.

    Examples:
        >>> Arrived(b"{}").retained
        False
    """

    payload: bytes
    retained: bool = False


class Inbox:
    """Commands that wait for one bed.

    Attributes:
        dropped: Commands dropped because the queue was full.

    Examples:
        >>> inbox = Inbox()
        >>> inbox.put(Arrived(b"{}"))
        >>> inbox.waiting, inbox.dropped
        (1, 0)
    """

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Arrived] = asyncio.Queue(MAX_WAITING)
        self.dropped = 0

    def put(self, arrived: Arrived) -> None:
        """Keep it, or count it as dropped."""
        try:
            self._queue.put_nowait(arrived)
        except asyncio.QueueFull:
            self.dropped += 1

    async def get(self) -> Arrived:
        """Wait for the oldest command and take it."""
        return await self._queue.get()

    @property
    def waiting(self) -> int:
        """Commands that are not yet read."""
        return self._queue.qsize()

    def rest(self) -> list[Arrived]:
        """Take all commands that wait."""
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]


class Inboxes:
    """The inboxes of the beds that run here.

    Examples:
        >>> inboxes = Inboxes()
        >>> inbox = inboxes.of("icu-04")
        >>> inboxes.deliver("icu-04", b'{"schema": "command/1", "kind": "prone"}')
        >>> inbox.waiting
        1
    """

    def __init__(self) -> None:
        self._inboxes: dict[str, Inbox] = {}
        self._strangers: set[str] = set()

    def of(self, bed: str) -> Inbox:
        """The inbox of a bed. From the first call on, commands for the bed are kept."""
        return self._inboxes.setdefault(bed, Inbox())

    def deliver(self, bed: str, payload: bytes, *, retained: bool = False) -> None:
        """Put a command into the inbox of its bed. An empty payload, which only clears a retained topic, is ignored."""
        if not payload:
            return
        if bed in self._inboxes:
            self._inboxes[bed].put(Arrived(payload[: MAX_PAYLOAD + 1], retained))
        elif bed not in self._strangers and len(self._strangers) < MAX_LOGGED:
            self._strangers.add(bed)
            log.info("a command for bed %.64r, which does not run here, is left out", bed)
