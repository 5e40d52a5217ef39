"""Commands on their way to their beds. Between the one task that reads a connection and the beds' own.

Each bed has a bounded queue; what finds it full is left out, the newest therefore, and counted for the bed to tell.
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
    """A payload of a bed's ``command`` topic, cut where it is too long anyway; ``retained``: kept by the broker."""

    payload: bytes
    retained: bool = False


class Inbox:
    """What waits for one bed.

    Attributes:
        dropped: Commands left out for want of room.
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
        """The oldest, as soon as there is one."""
        return await self._queue.get()

    @property
    def waiting(self) -> int:
        """Commands that are not yet read."""
        return self._queue.qsize()

    def rest(self) -> list[Arrived]:
        """All that still waits, taken out."""
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]


class Inboxes:
    """The inboxes of the beds that run here."""

    def __init__(self) -> None:
        self._inboxes: dict[str, Inbox] = {}
        self._strangers: set[str] = set()

    def of(self, bed: str) -> Inbox:
        """The inbox of a bed; from now on its commands are kept."""
        return self._inboxes.setdefault(bed, Inbox())

    def deliver(self, bed: str, payload: bytes, *, retained: bool = False) -> None:
        """Put a command where its bed finds it. An empty payload only clears what a broker retains."""
        if not payload:
            return
        if bed in self._inboxes:
            self._inboxes[bed].put(Arrived(payload[: MAX_PAYLOAD + 1], retained))
        elif bed not in self._strangers and len(self._strangers) < MAX_LOGGED:
            self._strangers.add(bed)
            log.info("a command for bed %.64r, which does not run here, is left out", bed)
