"""One run of one bed's source. Feeds the core, gives every event its message, and says how the bed is."""

from __future__ import annotations

import logging
import math
import secrets
from collections import deque
from dataclasses import replace

from streamer.model.chunk import Chunk
from streamer.model.clocks import OneClock
from streamer.model.doubts import DoubtList
from streamer.model.errors import BrokerError, OutputError
from streamer.model.records import Event, Notice, NoticeKind
from streamer.service import service_notices as notices
from streamer.service.command_handler import Orders
from streamer.service.counters import Counters
from streamer.service.plan import BedPlan, Core, Shell
from streamer.service.publish import Arrived
from streamer.service.session_recorder import RecordingCore, SessionRecorder
from streamer.service.source_merge import labels, offsets_s
from streamer.wire import (
    DEFAULT_PERIOD_S,
    BedState,
    Message,
    Origin,
    Policy,
    Presence,
    encode,
    encode_state,
    utc_text,
)
from streamer.wire.outbox import WhenFull
from streamer.wire.timebase import LiveTime, RecordedTime

log = logging.getLogger(__name__)

DRIFT_STEP_S = 1.0


class Session:
    """A bed from the opening of its source to its end.

    Args:
        plan: The bed.
        shell: What it shares with all others.
        told: Lost messages of this bed that were already published as such.
        is_retry: The source was lost, and that was told: nothing more is said until a sample comes.

    Attributes:
        counters: What it has seen.
        retained: Topics on which the broker keeps something of it.
        newest_s: End of the newest sample, on the device's clock.
        orders: What became of its commands, and its context as it stands.
    """

    def __init__(self, plan: BedPlan, shell: Shell, *, told: int = 0, is_retry: bool = False) -> None:
        self.counters, self._doubts = Counters(), DoubtList()
        self.retained: set[str] = set()
        self.newest_s: float | None = None
        self.told, self._is_quiet = told, is_retry
        self._plan, self._source = plan, plan.sources[0]
        self._core: Core = shell.make_core(plan)
        is_alone = len(plan.sources) == 1
        self._first = None if is_alone else labels(plan)[0]
        self._one_clock = None if is_alone else OneClock(offsets_s(plan), first=self._first)
        self._found: deque[Event] = deque()
        self._closed = False
        self._publisher, self._clock = shell.publisher, shell.clock
        self._stall_s = shell.settings.stall_s
        started = (utc_text(self._clock.now_ns()) or "")[:19].replace("-", "").replace(":", "")
        self.origin = Origin(
            prefix=shell.wire.prefix,
            bed=plan.bed,
            session=f"{started}-{secrets.token_hex(3)}",
            source=plan.source,
            min_period_s=plan.core.rolling.min_period_s if plan.core is not None else DEFAULT_PERIOD_S,
        )
        is_live = self._source.speed is None
        self._time = LiveTime() if is_live else RecordedTime(plan.start_utc)
        self._tape = SessionRecorder(plan, self.origin.session, shell.record, self._untaped)
        self.orders = Orders(RecordingCore(self._core, self._tape), self._time, plan.context)
        self._is_live = is_live
        self._when_full = WhenFull.DROP_OLDEST if is_live else WhenFull.WAIT
        self._presence = Presence.ONLINE
        self._rate_hz: float | None = None
        self._heard_s = self._clock.now()
        self._drift_told_s = 0.0
        self._dropped_before = self._publisher.dropped(plan.bed)

    async def start(self) -> None:
        """Say that the bed is there."""
        if not self._is_quiet:
            await self._say()

    async def push(self, item: Chunk | Notice) -> None:
        """Feed the core and publish what it finds; waits while a replay's lane is full."""
        self._tape.write(item)
        for placed in [item] if self._one_clock is None else self._one_clock.push(item):
            if isinstance(placed, Chunk):
                await self._heard(placed)
                self._tape.date(self._time, placed)
            self._found.extend(self._core.push(placed))
        await self._drain()

    async def obey(self, arrived: Arrived) -> None:
        """Do what a command says and answer it; the answer waits for room, so that no flood of them displaces breaths.

        What it leads to goes behind what is being published already, else out at once.
        """
        over = "this session is over" if self._closed else ""
        found, answer = self.orders.obey(arrived, over)
        if self._found:
            self._found.extend(found)
        else:
            for event in found:
                await self._emit(event, WhenFull.EXCEED)
        await self._emit(replace(answer, bed=self._plan.bed), WhenFull.EXCEED if over else WhenFull.WAIT)

    async def tell_unread(self, commands: int) -> None:
        """Publish how many commands were left out."""
        await self._emit(notices.unread(self._plan.bed, self.newest_s or 0.0, commands), WhenFull.EXCEED)

    async def check(self) -> None:
        """What is due by wall time: a stall, the counters, a notice of messages lost."""
        self._tape.flush()
        await self._tell_dropped()
        if self._is_quiet:
            return
        await self._tell_drift()
        if self._is_live and self._presence is Presence.ONLINE:
            silent_s = self._clock.now() - self._heard_s
            if silent_s >= self._stall_s:
                self._presence = Presence.STALLED
                await self._say(f"no sample for {silent_s:.0f} s")
                return
        await self._say(policy=Policy.LATEST)

    async def finish(self, kind: NoticeKind, reason: str, *, at_once: bool = False) -> str:
        """Close the core and say why the bed is gone; may be called again when it was cancelled on the way.

        Args:
            kind: ``SOURCE_END`` or ``SOURCE_LOST``.
            reason: One line for a reader; empty when the source simply ended.
            at_once: Never wait for room: the program is being stopped.

        Returns:
            The reason, or what else went wrong.
        """
        self._when_full = WhenFull.EXCEED if at_once else self._when_full
        self._tape.close()
        if self._is_quiet:  # nothing came, and nothing is new
            self._closed = True
            return reason
        reason = await self._close(reason)
        await self._tell_dropped()
        detail = reason or "the source ended"
        await self._emit(Notice(bed=self._plan.bed, at_s=self.newest_s or 0.0, kind=kind, detail=detail))
        self._presence = Presence.OFFLINE
        await self._say(reason)
        return reason

    async def _close(self, reason: str) -> str:
        """Publish what the core still holds; what cannot be published is logged and left out."""
        while not self._closed or self._found:
            try:
                if not self._closed:
                    self._closed = True
                    for item in self._one_clock.close() if self._one_clock is not None else ():
                        self._found.extend(self._core.push(item))
                    self._found.extend(self._core.close())
                await self._drain()
            except (OutputError, BrokerError):
                raise
            except Exception as error:
                log.exception("bed %s: unexpected, while closing", self._plan.bed)
                reason = reason or f"internal error: {type(error).__name__}"
                if self._found:
                    self._found.popleft()
        return reason

    async def _heard(self, chunk: Chunk) -> None:
        self.counters.samples += len(chunk)
        if not len(chunk) or self._first not in {None, chunk.source}:
            return
        end_s = chunk.start_s + len(chunk) / chunk.rate_hz
        self._time.arrived(chunk.start_s, end_s, chunk.received_ns or self._clock.now_ns())
        self.orders.heard(chunk.start_s, end_s)
        self.newest_s, self._rate_hz, self._heard_s = end_s, chunk.rate_hz, self._clock.now()
        if self._presence is Presence.STALLED or self._is_quiet:
            self._presence, self._is_quiet = Presence.ONLINE, False
            await self._say()

    async def _drain(self) -> None:
        """Publish what was found; an event that still waits for room when the program is stopped is not lost."""
        while self._found:
            await self._emit(self._found[0])
            self._found.popleft()

    async def _emit(self, event: Event, when_full: WhenFull | None = None) -> None:
        await self._publish(encode(event, self.origin, self._time.utc_ns), when_full or self._when_full)
        self.counters.event(event)
        if isinstance(event, Notice):
            self._doubts.hear(event, forget_over=True)

    async def _tell_dropped(self) -> None:
        """Publish how many messages were lost, once the broker is back to hear it."""
        lost = self._publisher.dropped(self._plan.bed) - self.told
        if not lost or not self._publisher.is_connected:
            return
        self.told += lost
        await self._emit(notices.lost(self._plan.bed, self.newest_s or 0.0, lost), WhenFull.EXCEED)

    def _untaped(self, reason: str) -> None:
        self._found.append(notices.untaped(self._plan.bed, self.newest_s or 0.0, reason))

    async def _tell_drift(self) -> None:
        """Publish each further second by which the device's clock and arrivals have parted."""
        drift_s = self._time.drift_s
        if drift_s is None or abs(drift_s - self._drift_told_s) < DRIFT_STEP_S:
            return
        self._drift_told_s = drift_s
        await self._emit(notices.drifted(self._plan.bed, self.newest_s or 0.0, drift_s), WhenFull.EXCEED)

    async def _say(self, reason: str = "", *, policy: Policy = Policy.EVERY) -> None:
        self.counters.dropped = self._publisher.dropped(self._plan.bed) - self._dropped_before
        speed = self._source.speed
        state = BedState(
            state=self._presence,
            at_s=self.newest_s,
            reason=reason,
            adapter=self._source.adapter,
            mode=self.orders.context.mode,
            speed=0.0 if speed is not None and math.isinf(speed) else speed,
            rate_hz=self._rate_hz,
            clock_offset_s=self._time.offset_s,
            clock_drift_ppm=self._time.drift_ppm,
            counters=self.counters.totals(),
            doubts=self._doubts.codes,
            last_seq=self._last_seq() if self._presence is Presence.OFFLINE else {},
        )
        message = encode_state(state, self.origin, self._time.utc_ns, policy=policy)
        await self._publish(message, WhenFull.EXCEED)

    def _last_seq(self) -> dict[str, int]:
        numbers = self._publisher.last_seq(self.origin.topic(""), self.origin.session)
        return {topic: number for topic, number in numbers.items() if topic != "state"}

    async def _publish(self, message: Message, when_full: WhenFull) -> None:
        if message.retain:
            self.retained.add(message.topic)
        await self._publisher.publish(message, when_full)
