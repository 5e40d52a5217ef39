from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from streamer.model.chunk import Chunk
from streamer.model.records import Notice, NoticeKind
from streamer.service.pacing import MAX_SLICE_S, SLICE_S, paced
from tests.support.fakes import RATE_HZ, chunk


class FreeClock:
    """Sleeping moves the time and costs none."""

    def __init__(self, overhead_s: float = 0.0) -> None:
        self.at = 100.0
        self.overhead_s = overhead_s

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0.0
        self.at += seconds + self.overhead_s


class Source:
    def __init__(self, *items: Chunk | Notice) -> None:
        self.items = items
        self.is_closed = False

    async def __call__(self) -> AsyncGenerator[Chunk | Notice]:
        try:
            for item in self.items:
                yield item
        finally:
            self.is_closed = True


@pytest.mark.parametrize("speed", [1.0, 4.0, 10.0])
async def test_each_piece_comes_when_its_last_sample_is_due(speed: float) -> None:
    clock = FreeClock(overhead_s=0.003)
    source = Source(chunk(50.0, 500), chunk(60.0, 25))
    count = 0
    async for item in paced(source(), speed, sleep=clock.sleep, now=clock.now):
        assert isinstance(item, Chunk)
        count += len(item)
        due = 100.0 + (item.start_s + len(item) / RATE_HZ - 50.0) / speed
        assert due - 1e-9 <= clock.at <= due + 0.003 + 1e-9  # overheads do not add up
        assert len(item) <= max(1, round(SLICE_S * speed * RATE_HZ))
    assert count == 525
    assert source.is_closed


async def test_max_never_waits_but_lets_others_run() -> None:
    clock = FreeClock()
    items = [item async for item in paced(Source(chunk(0.0, 100_000))(), math.inf, sleep=clock.sleep, now=clock.now)]
    assert clock.at == 100.0
    assert sum(len(item) for item in items if isinstance(item, Chunk)) == 100_000
    assert len(items) == 100_000 / (MAX_SLICE_S * RATE_HZ)


async def test_notices_pass_in_their_place() -> None:
    notice = Notice(bed="", at_s=0.2, kind=NoticeKind.DAMAGED)
    clock = FreeClock()
    stream = paced(Source(chunk(0.0, 10), notice, chunk(0.2, 10))(), 1.0, sleep=clock.sleep, now=clock.now)
    kinds = [type(item) async for item in stream]
    assert kinds.index(Notice) == 2
    assert len(kinds) == 5


async def test_a_clock_set_back_is_paced_anew() -> None:
    clock = FreeClock()
    source = Source(chunk(1000.0, 50), chunk(0.0, 50))
    async for _ in paced(source(), 1.0, sleep=clock.sleep, now=clock.now):
        pass
    assert clock.at == pytest.approx(102.0)


async def test_closing_closes_the_source() -> None:
    source = Source(chunk(0.0, 50), chunk(1.0, 50))
    async with aclosing(paced(source(), math.inf)) as stream:
        await anext(stream)
    assert source.is_closed
