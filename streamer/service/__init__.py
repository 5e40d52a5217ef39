"""Beds, sources, retries: the wiring diagram as code. Where every sample's walk is set in motion.

One task per bed, and nothing shared between beds but the publisher, in which each has a lane of its own: a source
that fails, stalls or lies disturbs no neighbour. A recording is played once. A live source that is lost is opened
again after a jittered, doubling wait; each opening is a session with a fresh core, since nothing promises that the
device's clock went on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import asdict, replace
from typing import cast

from streamer.model.chunk import Chunk
from streamer.model.errors import BrokerError, ConfigError, DataError, OutputError, SourceLost
from streamer.model.records import Notice, NoticeKind
from streamer.service.command_handler import hear
from streamer.service.plan import BedOutcome, BedPlan, Clock, Core, Shell, SourcePlan, check_plans, new_core
from streamer.service.publish import Publisher
from streamer.service.session import Session
from streamer.service.settings import RecordSettings, RunSettings, backoff_s
from streamer.service.source_merge import BedStreams
from streamer.wire import WireSettings, clear
from streamer.wire.outbox import WhenFull

__all__ = ["BedOutcome", "BedPlan", "Clock", "SourcePlan", "run_beds", "stop_on_signals"]

log = logging.getLogger(__name__)


async def run_beds(
    plans: Sequence[BedPlan],
    publisher: Publisher,
    *,
    settings: RunSettings | None = None,
    record: RecordSettings | None = None,
    wire: WireSettings | None = None,
    stop: asyncio.Event | None = None,
    on_progress: Callable[[str, float], None] | None = None,
    clock: Clock | None = None,
    make_core: Callable[[BedPlan], Core] = new_core,
) -> list[BedOutcome]:
    """Run all beds until their recordings end or ``stop`` is set, then clear what the broker retains of them.

    Args:
        plans: The beds.
        publisher: The caller enters and leaves it; leaving delivers the last messages.
        settings: Stalls and retries.
        record: Where the samples that arrive are recorded, if at all.
        wire: Topic root; the same as the publisher's.
        stop: Set it to end cleanly: cores are closed, beds publish ``offline``. Cancelling does the same.
        on_progress: Called with a bed and its newest device time, s.
        clock: Clocks of the service; tests replace them.
        make_core: Makes the core of a session.

    Returns:
        One outcome per bed, in the order of ``plans``.

    Raises:
        ConfigError: The plans cannot run together, or an adapter is unknown; nothing was started.
        OutputError: The publisher cannot write.

    Examples:
        A simulated bed, as fast as possible, into memory:

        >>> import math
        >>> from pathlib import Path
        >>> from adapters.simulator import Settings
        >>> from streamer.service.publish import MemoryPublisher
        >>> async def main() -> BedOutcome:
        ...     lung = SourcePlan(adapter="simulator", options=Settings(scenario=Path("vcv_hold")), speed=math.inf)
        ...     async with MemoryPublisher() as publisher:
        ...         outcomes = await run_beds([BedPlan(bed="bench", sources=(lung,))], publisher)
        ...     return outcomes[0]
        >>> outcome = asyncio.run(main())
        >>> outcome.breaths, outcome.error
        (22, '')
    """
    check_plans(plans)
    shell = Shell(
        publisher=publisher,
        settings=settings or RunSettings(),
        record=record or RecordSettings(),
        wire=wire or WireSettings(),
        clock=clock or Clock(),
        make_core=make_core,
        on_progress=on_progress,
    )
    runs = [_BedRun(plan, shell) for plan in plans]
    stopper: asyncio.Task[None] | None = None
    listeners: list[asyncio.Task[None]] = []
    try:
        async with asyncio.TaskGroup() as group:
            listeners += [asyncio.create_task(run.listen(), name=f"commands {run.plan.bed}") for run in runs]
            tasks = [group.create_task(run.supervise(), name=f"bed {run.plan.bed}") for run in runs]
            stopper = asyncio.create_task(_cancel_when(stop, tasks)) if stop else None
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    except asyncio.CancelledError:
        await _clear(runs)
        raise
    finally:
        for task in (*listeners, *filter(None, [stopper])):
            task.cancel()
    await _clear(runs)
    return [run.outcome for run in runs]


@contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """Yield an event that the first SIGINT or SIGTERM sets; a second signal has its usual effect.

    Examples:
        >>> async def main() -> bool:
        ...     with stop_on_signals() as stop:
        ...         return stop.is_set()
        >>> asyncio.run(main())
        False
    """
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def first() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    with suppress(NotImplementedError):  # Windows: Ctrl-C then cancels the main task, which also ends cleanly
        for number in signals:
            loop.add_signal_handler(number, first)
    try:
        yield stop
    finally:
        with suppress(NotImplementedError):
            for number in signals:
                loop.remove_signal_handler(number)


async def _cancel_when(stop: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> None:
    await stop.wait()
    for task in tasks:
        task.cancel()


async def _clear(runs: Sequence[_BedRun]) -> None:
    for run in runs:
        await run.clear()


class _BedRun:
    """Keeps one bed running: sessions, one after another."""

    def __init__(self, plan: BedPlan, shell: Shell) -> None:
        self.plan = plan
        self.outcome = BedOutcome(bed=plan.bed)
        self._shell = shell
        self._streams = BedStreams(plan, shell.settings, shell.clock)
        self._is_live = plan.sources[0].speed is None
        self._inbox = shell.publisher.inboxes.of(plan.bed)
        self._session: Session | None = None
        self._retained: set[str] = set()

    async def supervise(self) -> None:
        """Open the source, again and again if it is live, until it ends or cannot be mended."""
        failures, settings = 0, self._shell.settings
        while True:
            told = self._session.told if self._session else 0
            if self._session is not None:  # what the operator said holds until it is said otherwise
                self.plan = replace(self.plan, context=self._session.orders.context)
            try:
                session = self._session = Session(self.plan, self._shell, told=told, is_retry=failures > 0)
            except Exception as error:
                log.exception("bed %s: unexpected, at the start", self.plan.bed)
                self.outcome = replace(self.outcome, error=f"cannot start: {error}")
                return
            reason, may_retry = await self._one_session(session)
            if not (self._is_live and may_retry):
                return
            failures = 1 if session.counters.samples else failures + 1
            chance = random.random()  # noqa: S311 (not a secret)
            wait = backoff_s(failures, settings.backoff_first_s, settings.backoff_max_s, chance)
            log.warning("bed %s: %s; trying again in %.1f s", self.plan.bed, reason, wait)
            await self._shell.clock.sleep(wait)

    async def listen(self) -> None:
        """Obey commands, one after another, until cancelled; also while the source is away, to say so."""
        await hear(self._inbox, lambda: self._session)

    async def clear(self) -> None:
        """Answer the last commands and make the broker forget the bed."""
        if self._session is not None:
            for arrived in self._inbox.rest():
                await self._session.obey(arrived)
            for topic in sorted(self._retained):
                await self._shell.publisher.publish(clear(topic, self._session.origin), WhenFull.EXCEED)

    async def _one_session(self, session: Session) -> tuple[str, bool]:
        """From the opening of the source to its end: the reason it ended, and whether another try makes sense."""
        reason, may_retry = "", True
        try:
            await self._play(session)
        except asyncio.CancelledError:
            await self._end(session, NoticeKind.SOURCE_END, "stopped", at_once=True)
            raise
        except (OutputError, BrokerError):
            raise
        except (DataError, OSError) as error:
            reason = str(error)
        except ConfigError as error:
            reason, may_retry = str(error), False
        except Exception as error:
            log.exception("bed %s: unexpected", self.plan.bed)
            reason = f"internal error: {type(error).__name__}"
        await self._end(session, NoticeKind.SOURCE_LOST if reason else NoticeKind.SOURCE_END, reason)
        return reason, may_retry

    async def _end(self, session: Session, kind: NoticeKind, reason: str, *, at_once: bool = False) -> None:
        try:
            reason = await session.finish(kind, reason, at_once=at_once)
        except asyncio.CancelledError:
            await session.finish(kind, reason, at_once=True)
            raise
        finally:
            self._count(session, "" if at_once else reason)

    async def _play(self, session: Session) -> None:
        stream = self._streams.open()
        pulse = asyncio.create_task(self._pulse(session), name=f"pulse {self.plan.bed}")
        try:
            await session.start()
            async with aclosing(cast("AsyncGenerator[Chunk | Notice]", stream)):
                await self._feed(session, stream)
        finally:
            pulse.cancel()
        if self._is_live:
            raise SourceLost("the live source ended")

    async def _feed(self, session: Session, stream: AsyncIterator[Chunk | Notice]) -> None:
        on_progress = self._shell.on_progress
        async for item in stream:
            await session.push(item)
            if on_progress is not None and session.newest_s is not None:
                on_progress(self.plan.bed, session.newest_s)

    async def _pulse(self, session: Session) -> None:
        settings = self._shell.settings
        period_s = min(settings.state_period_s, settings.stall_s / 2) if self._is_live else settings.state_period_s
        while True:
            await asyncio.sleep(period_s)  # wall time, even where a test's clock costs none
            try:
                await session.check()
            except (OutputError, BrokerError):
                return  # the bed's own task meets it too

    def _count(self, session: Session, error: str) -> None:
        self._retained |= session.retained
        before, after = asdict(self.outcome), session.counters.totals()
        totals = {name: before[name] + after[name] for name in after}
        self.outcome = BedOutcome(bed=self.plan.bed, error=error, **totals)
