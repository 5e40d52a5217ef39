"""Recorded timing for replays. Wraps any stream of chunks; an adapter itself never waits."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import cast

from streamer.model.chunk import Chunk
from streamer.model.records import Notice

SLICE_S = 0.1
"""Wall time that one piece of a paced chunk covers."""
MAX_SLICE_S = 10.0
"""Signal time between two chances for others to run, when nothing is paced."""


async def paced(
    items: AsyncIterator[Chunk | Notice],
    speed: float,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    now: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[Chunk | Notice]:
    """Give items on when their last sample is due, reckoned from the start so that errors do not add up.

    Args:
        items: What an adapter yields; closed with this generator.
        speed: 1 for the recorded timing, 10 for ten times as fast, ``math.inf`` for no waiting at all.
        sleep: Waits; tests use one that costs no time.
        now: Monotonic seconds.

    Yields:
        The same samples and notices in the same order, long chunks cut into pieces.
    """
    slice_s = MAX_SLICE_S if math.isinf(speed) else SLICE_S * speed
    anchor: tuple[float, float] | None = None
    newest_s = -math.inf
    async with aclosing(cast("AsyncGenerator[Chunk | Notice]", items)):
        async for item in items:
            for piece in _pieces(item, slice_s):
                if isinstance(piece, Chunk) and not math.isinf(speed):
                    if anchor is None or piece.start_s < newest_s - 1.0:  # the first, or the device's clock set back
                        anchor = (piece.start_s, now())
                    newest_s = piece.start_s + len(piece) / piece.rate_hz
                    await sleep(max(0.0, anchor[1] + (newest_s - anchor[0]) / speed - now()))
                else:
                    await sleep(0.0)
                yield piece


def _pieces(item: Chunk | Notice, slice_s: float) -> Iterator[Chunk | Notice]:
    if isinstance(item, Notice):
        yield item
        return
    step = max(1, round(slice_s * item.rate_hz))
    if len(item) <= step:
        yield item
        return
    for first in range(0, len(item), step):
        yield item.cut(first, min(first + step, len(item)))
