"""A recording replayed through the service, with a clock that a sleeper moves."""

from __future__ import annotations

import asyncio
from pathlib import Path

from streamer.cli.bed_plans import plans_of_recordings
from streamer.service import BedOutcome, BedPlan, Clock, run_beds
from streamer.service.publish import MemoryPublisher
from streamer.wire import Message


def no_time() -> Clock:
    """A clock that a sleeper moves, so that pacing at speed 1 takes no time."""
    at_s = 1000.0

    async def sleep(seconds: float) -> None:
        nonlocal at_s
        at_s += seconds
        await asyncio.sleep(0)

    return Clock(sleep=sleep, now=lambda: at_s, now_ns=lambda: round(at_s * 1e9))


async def published(plan: BedPlan, stop: asyncio.Event | None = None) -> tuple[BedOutcome, list[Message], float]:
    memory, clock = MemoryPublisher(), no_time()
    (outcome,) = await run_beds([plan], memory, clock=clock, stop=stop)
    return outcome, memory.messages, clock.now() - 1000.0


def replayed(path: Path, speed: float) -> BedPlan:
    (plan,) = plans_of_recordings([path], speed=speed, bed="b")
    return plan
