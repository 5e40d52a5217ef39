"""The sources of one bed as one stream. By device time where they are recorded, by arrival where live.

A bed's first source is its own: with it a session begins and ends. A further one (a capnograph beside the ventilator)
may come and go: its loss is told, and it is opened again, while the bed goes on.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

from streamer.model.chunk import Adapter, Chunk
from streamer.model.errors import ConfigError, DataError
from streamer.model.records import Notice, NoticeKind
from streamer.service.pacing import paced
from streamer.service.plan import BedPlan, Clock
from streamer.service.plugins import find_adapter
from streamer.service.settings import RunSettings, backoff_s

log = logging.getLogger(__name__)

Item: TypeAlias = Chunk | Notice
PART_S = 0.5
"""Pieces in which recorded streams alternate: breaths wait for their capnogram, but not for minutes."""
MAX_WAITING = 256
"""Items of a live bed between its sources and its core; a source that finds no room is not read meanwhile."""


def labels(plan: BedPlan) -> list[str]:
    """What the chunks of each source are called where a bed has several; of one, as its adapter calls them."""
    names = [source.adapter for source in plan.sources]
    return [name if names.index(name) == n else f"{name}-{n + 1}" for n, name in enumerate(names)]


def offsets_s(plan: BedPlan) -> dict[str, float]:
    """Label → declared offset of a further source's clock."""
    pairs = zip(labels(plan)[1:], plan.sources[1:], strict=True)
    return {label: source.clock_offset_s for label, source in pairs if source.clock_offset_s is not None}


class BedStreams:
    """Opens the sources of a bed.

    Args:
        plan: The bed; all of its sources are recorded, or all live.
        settings: Retries of further live sources.
        clock: The shell's clocks.

    Raises:
        ConfigError: An unknown adapter.
    """

    def __init__(self, plan: BedPlan, settings: RunSettings, clock: Clock) -> None:
        self._adapters = [cast("Adapter", find_adapter(source.adapter)) for source in plan.sources]
        self._plan, self._settings, self._clock = plan, settings, clock

    def open(self) -> AsyncIterator[Item]:
        """One run of the first source, and of the others meanwhile, in the order in which the core gets them."""
        plan, clock = self._plan, self._clock
        openers = [
            _Opener(adapter, source.options, label if len(plan.sources) > 1 else "")
            for adapter, source, label in zip(self._adapters, plan.sources, labels(plan), strict=True)
        ]
        speed = plan.sources[0].speed
        if speed is None:
            first, *others = openers
            return by_arrival(first, others, self._settings, clock) if others else first.open()
        streams = [opener.open() for opener in openers]
        known = offsets_s(plan)
        stream = by_device_time(streams, [known.get(label, 0.0) for label in labels(plan)])
        return paced(stream if len(streams) > 1 else streams[0], speed, sleep=clock.sleep, now=clock.now)


@dataclass(frozen=True, slots=True)
class _Opener:
    adapter: Adapter
    options: object
    label: str

    async def open(self) -> AsyncGenerator[Item]:
        stream = cast("AsyncGenerator[Item]", self.adapter.chunks(self.options))
        async with aclosing(stream):
            async for item in stream:
                if not self.label or isinstance(item, Notice):
                    yield item
                    continue
                for part in item.parts(PART_S):
                    yield replace(part, source=self.label)


async def by_device_time(streams: Sequence[AsyncIterator[Item]], offsets: Sequence[float]) -> AsyncGenerator[Item]:
    """Recorded streams in the order in which their last samples were taken; the same every time.

    Args:
        streams: Closed with this generator.
        offsets: Seconds to add to the device time of each before they are compared; chunks are not changed.
    """
    generators = [cast("AsyncGenerator[Item]", stream) for stream in streams]
    waiting: dict[int, Item] = {}
    try:
        for n, stream in enumerate(generators):
            await _advance(n, stream, waiting)
        while waiting:
            n = min(waiting, key=lambda which: (_end_s(waiting[which]) + offsets[which], which))
            yield waiting.pop(n)
            await _advance(n, generators[n], waiting)
    finally:
        for stream in generators:
            await stream.aclose()


async def _advance(n: int, stream: AsyncIterator[Item], waiting: dict[int, Item]) -> None:
    try:
        waiting[n] = await anext(stream)
    except StopAsyncIteration:
        return


def _end_s(item: Item) -> float:
    """A notice goes before the samples of its time."""
    return item.at_s if isinstance(item, Notice) else item.start_s + len(item) / item.rate_hz


async def by_arrival(
    first: _Opener, others: Sequence[_Opener], settings: RunSettings, clock: Clock
) -> AsyncGenerator[Item]:
    """Live streams as they come, until the first one ends, with whose error this ends too."""
    queue: asyncio.Queue[Item | BaseException | None] = asyncio.Queue(MAX_WAITING)

    async def lead() -> None:
        """Pass on the first stream, then its error or its end."""
        try:
            await _pour(first, queue)
        except Exception as error:  # noqa: BLE001 (raised again by the reader)
            await queue.put(error)
        else:
            await queue.put(None)

    tasks = [asyncio.create_task(lead(), name=f"source {first.label}")]
    tasks += [asyncio.create_task(_keep(one, queue, settings, clock), name=f"source {one.label}") for one in others]
    try:
        now_s = 0.0
        while (item := await queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            if isinstance(item, Chunk) and item.source == first.label:
                now_s = _end_s(item)
            if isinstance(item, Notice) and not math.isfinite(item.at_s):
                yield replace(item, at_s=now_s)
            else:
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pour(
    opener: _Opener,
    queue: asyncio.Queue[Item | BaseException | None],
    on_first: Callable[[], Notice | None] = lambda: None,
) -> int:
    """Everything a source gives, into the queue; how many chunks."""
    chunks = 0
    async with aclosing(opener.open()) as stream:
        async for item in stream:
            if isinstance(item, Chunk):
                back = on_first() if chunks == 0 else None
                chunks += 1
                if back is not None:
                    await queue.put(back)
            await queue.put(item)
    return chunks


async def _keep(
    opener: _Opener, queue: asyncio.Queue[Item | BaseException | None], settings: RunSettings, clock: Clock
) -> None:
    """A further source, opened again and again until it is cancelled or cannot be mended."""
    failures, lost = 0, False

    def heard() -> Notice | None:
        nonlocal failures, lost
        was_lost, failures, lost = lost, 0, False
        return _notice(NoticeKind.SOURCE_BACK, f"{opener.label} is back") if was_lost else None

    while True:
        may_retry = True
        try:
            await _pour(opener, queue, heard)
            reason = "the live source ended"
        except (DataError, OSError) as error:
            reason = str(error)
        except ConfigError as error:
            reason, may_retry = str(error), False
        except Exception as error:
            log.exception("source %s: unexpected", opener.label)
            reason = f"internal error: {type(error).__name__}"
        if not lost:
            await queue.put(_notice(NoticeKind.SOURCE_LOST, f"{opener.label}: {reason}; the bed goes on without it"))
        if not may_retry:
            return
        failures, lost = failures + 1, True
        wait = backoff_s(failures, settings.backoff_first_s, settings.backoff_max_s, random.random())  # noqa: S311
        log.warning("source %s: %s; trying again in %.1f s", opener.label, reason, wait)
        await clock.sleep(wait)


def _notice(kind: NoticeKind, detail: str) -> Notice:
    """Of the moment at which the bed is."""
    return Notice(bed="", at_s=math.nan, kind=kind, detail=detail)
