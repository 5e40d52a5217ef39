"""A source and a core without physiology, for tests of what surrounds them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass

import numpy as np

from streamer.core.session_events import ContextChange, context_notice
from streamer.model.chunk import Channel, Chunk
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Event, Notice, NoticeKind, Stat, Summary
from streamer.service import BedPlan
from streamer.wire.keys import key_table

RATE_HZ = 50.0
BREATH = 100
"""Samples per fake breath: 2 s."""


@dataclass(frozen=True)
class Settings:
    """This module is an adapter: ``tests.support.fakes``."""

    play: Callable[[], AsyncGenerator[Chunk | Notice]]


async def chunks(settings: Settings) -> AsyncIterator[Chunk | Notice]:
    stream = settings.play()
    try:
        async for item in stream:
            yield item
    finally:
        await stream.aclose()


def chunk(start_s: float, count: int, received_ns: int | None = None) -> Chunk:
    samples = {Channel.FLOW: np.zeros(count), Channel.PAW: np.zeros(count)}
    return Chunk(source="fake", start_s=start_s, rate_hz=RATE_HZ, channels=samples, received_ns=received_ns)


def recording(breaths: int, per_chunk: int = 10 * BREATH) -> Settings:
    async def play() -> AsyncGenerator[Chunk | Notice]:
        total = breaths * BREATH
        for first in range(0, total, per_chunk):
            yield chunk(first / RATE_HZ, min(per_chunk, total - first))

    return Settings(play)


def breath(bed: str, number: int, length_s: float = BREATH / RATE_HZ) -> BreathRecord:
    keys = list(key_table())
    return BreathRecord(
        bed=bed,
        number=number,
        start_s=number * length_s,
        end_s=(number + 1) * length_s,
        values=dict.fromkeys(keys[::2], 1.0 + number / 7.0),
        missing=dict.fromkeys(keys[1::2], "no_hold"),
        quality={keys[0]: "B"},
        methods={keys[0]: "standard"},
        flags=frozenset({Flag.HOLD}),
    )


def summary(bed: str, end_s: float, window: str = "1m", length_s: float = 60.0) -> Summary:
    def stat(weighted: object) -> Stat:
        centre = {"mean": 2.0} if weighted else {"median": 2.0}
        return Stat(n=9, **centre, p25=1.0, p75=3.0, last=2.5)

    stats = {key: stat(entry.weighted_by) for key, entry in key_table().items()}
    return Summary(
        bed=bed,
        window=window,
        start_s=end_s - length_s,
        end_s=end_s,
        breaths=9,
        coverage=0.75,
        stats=stats,
    )


class FakeCore:
    """One breath per ``BREATH`` samples, one summary per ten breaths, whatever the chunks."""

    def __init__(self, plan: BedPlan) -> None:
        self.bed, self.context = plan.bed, plan.context
        self.samples = self.breaths = 0

    def push(self, item: Chunk | Notice) -> list[Event]:
        if isinstance(item, Notice):
            return [item]
        self.samples += len(item)
        found: list[Event] = []
        while self.samples >= (self.breaths + 1) * BREATH:
            found.append(breath(self.bed, self.breaths))
            self.breaths += 1
            if self.breaths % 10 == 0:
                found.append(summary(self.bed, self.breaths * BREATH / RATE_HZ))
        return found

    def tell(self, change: ContextChange) -> list[Event]:
        return [context_notice(self.context, change)]

    def close(self) -> list[Event]:
        return [Notice(bed=self.bed, at_s=self.samples / RATE_HZ, kind=NoticeKind.NOTE, detail="closed")]
