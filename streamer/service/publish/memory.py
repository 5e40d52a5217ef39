"""Publishers without a network: memory for tests, JSON lines for a pipe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import BinaryIO, Self

from streamer.model.errors import OutputError
from streamer.service.publish.command_inbox import Inboxes
from streamer.wire import Message
from streamer.wire.outbox import Numbers, WhenFull


class MemoryPublisher:
    """Keeps every message, numbered and stamped, in ``messages``.

    Args:
        now_ns: UTC for ``published_utc``, ns.

    Examples:
        >>> async def main() -> bytes:
        ...     async with MemoryPublisher(now_ns=lambda: 0) as publisher:
        ...         await publisher.publish(Message(topic="t", body=b'{"bed":"icu-04"}', bed="icu-04", session="a1"))
        ...     return publisher.messages[0].payload
        >>> asyncio.run(main())
        b'{"bed":"icu-04","seq":0,"published_utc":"1970-01-01T00:00:00.000Z"}'
    """

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self.messages: list[Message] = []
        self.inboxes = Inboxes()
        self._numbers = Numbers()
        self._now_ns = now_ns

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def publish(self, message: Message, when_full: WhenFull = WhenFull.WAIT) -> None:  # noqa: ARG002 (never full)
        """Number and keep one message."""
        self.messages.append(replace(self._numbers.give(message), published_ns=self._now_ns()))
        await asyncio.sleep(0)

    def dropped(self, bed: str) -> int:  # noqa: ARG002 (never drops)
        """Messages of a bed lost for want of room."""
        return 0

    def last_seq(self, prefix: str, session: str) -> Mapping[str, int]:
        """Topic below the prefix → its last number in the session."""
        return self._numbers.last(prefix, session)

    @property
    def is_connected(self) -> bool:
        """Whether messages leave at the moment."""
        return True


class JsonLinesPublisher:
    r"""Writes each payload as one line, for a pipe. Empty payloads, which clear retained topics, are left out.

    Args:
        stream: A binary stream.
        now_ns: UTC for ``published_utc``, ns.

    Raises:
        OutputError: From ``publish``, if the stream cannot be written (disk full, reader gone).

    Examples:
        >>> import io
        >>> async def main(stream: io.BytesIO) -> int:
        ...     async with JsonLinesPublisher(stream) as publisher:
        ...         await publisher.publish(Message(topic="t", body=b'{"bed":"icu-04"}', bed="icu-04", session="a1"))
        ...     return stream.getvalue().count(b"\n")
        >>> asyncio.run(main(io.BytesIO()))
        1
    """

    def __init__(self, stream: BinaryIO, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._stream = stream
        self._memory = MemoryPublisher(now_ns)
        self.inboxes = self._memory.inboxes

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._write(b"")

    async def publish(self, message: Message, when_full: WhenFull = WhenFull.WAIT) -> None:
        """Write one line."""
        await self._memory.publish(message, when_full)
        payload = self._memory.messages.pop().payload
        if payload:
            self._write(payload + b"\n")

    def dropped(self, bed: str) -> int:
        """Messages of a bed lost for want of room."""
        return self._memory.dropped(bed)

    def last_seq(self, prefix: str, session: str) -> Mapping[str, int]:
        """Topic below the prefix → its last number in the session."""
        return self._memory.last_seq(prefix, session)

    @property
    def is_connected(self) -> bool:
        """Whether messages leave at the moment."""
        return True

    def _write(self, line: bytes) -> None:
        try:
            self._stream.write(line)
            self._stream.flush()
        except OSError as error:
            raise OutputError(f"cannot write JSON lines: {error.strerror or error}") from None
