"""What the operator sends while a bed runs: judged, given its time, handed to the core, answered.

Everything is told to the core as a notice on the device's clock, so that a replay to which the same is sent at the
same sample comes to the same events. What was sent without a time happens at the end of the newest sample.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol, assert_never

from msgspec import structs

from streamer.core.session_events import ContextChange, event_notice, gas_notice
from streamer.model.context import BloodGas, Context, doubts
from streamer.model.errors import BrokerError, ConfigError, OutputError
from streamer.model.records import Event, Notice, NoticeKind
from streamer.service.plan import Core
from streamer.service.publish import Arrived, Inbox
from streamer.wire import EPOCH, Command, ContextCommand, EventCommand, GasCommand, Refusal, parse_command
from streamer.wire.timebase import LiveTime, RecordedTime, device_s

log = logging.getLogger(__name__)

AHEAD_S = 10.0
"""How far ahead of the newest sample a time may lie: clocks differ, samples are on their way."""
BEFORE_S = 24 * 3600.0
"""How long before the session something may have happened that still says anything of it."""
REMEMBERED = 1000
"""Ids of accepted commands by which a repeated one is known."""


class Obedient(Protocol):
    """The shape of ``Session``, for ``hear``."""

    async def obey(self, arrived: Arrived) -> None:
        """Do what it says, and answer."""
        ...

    async def tell_unread(self, commands: int) -> None:
        """Publish how many were left out."""
        ...


async def hear(inbox: Inbox, session_of: Callable[[], Obedient | None]) -> None:
    """Hand each command to the bed's session; ends when it is cancelled."""
    told = 0
    while True:
        arrived, session = await inbox.get(), session_of()
        try:
            if session is not None:
                await session.obey(arrived)
            if session is not None and inbox.dropped > told and not inbox.waiting:
                unread, told = inbox.dropped - told, inbox.dropped
                await session.tell_unread(unread)
        except (OutputError, BrokerError):
            return  # the bed's own task meets it too
        except Exception:
            log.exception("unexpected, at a command")


class _Refused(Exception):  # noqa: N818 (as Refusal)
    """Carries the reason."""


class Orders:
    """What a session makes of commands.

    Args:
        core: The session's.
        time: Its time base.
        context: What was said of the bed before.

    Attributes:
        context: What holds of the bed, as changed by what was accepted.
    """

    def __init__(self, core: Core, time: LiveTime | RecordedTime, context: Context) -> None:
        self.context = context
        self._core, self._time = core, time
        self._first_s: float | None = None
        self._newest_s = 0.0
        self._accepted: OrderedDict[str, None] = OrderedDict()

    def heard(self, start_s: float, end_s: float) -> None:
        """Samples of this time have come."""
        self._first_s = start_s if self._first_s is None else self._first_s
        self._newest_s = end_s

    def obey(self, arrived: Arrived, over: str = "") -> tuple[list[Event], Notice]:
        """Do what a payload says; what the core finds by it, and the answer.

        Args:
            arrived: The payload.
            over: Why nothing can be obeyed any more; empty while the session lasts.
        """
        command = parse_command(arrived.payload)
        if isinstance(command, Refusal):
            return [], self._answer("refused", command, command.reason)
        if command.id in self._accepted:
            reason = "a command with this id was accepted before: give another one an id of its own"
            return [], self._answer("duplicate", command, reason)
        try:
            self._refuse(arrived, over)
            at_s = self._at_s(command)
            found = self._told(command, at_s)
        except (_Refused, ConfigError) as refused:
            return [], self._answer("refused", command, str(refused))
        except Exception as error:
            log.exception("unexpected, at a command of kind %s", command.kind)
            return [], self._answer("refused", command, f"internal error: {type(error).__name__}; please report it")
        if command.id:
            self._accepted[command.id] = None
            if len(self._accepted) > REMEMBERED:
                self._accepted.popitem(last=False)
        doubt = "; ".join(doubts(command.said).values()) if isinstance(command.said, BloodGas) else ""
        return found, self._answer("accepted", command, doubt, {"applied_at_s": at_s})

    def _refuse(self, arrived: Arrived, over: str) -> None:
        """Refuse what may not be obeyed, whatever it says."""
        if arrived.retained:
            raise _Refused("it is retained, and would come again at every connection: publish it without retain")
        if over:
            raise _Refused(f"{over}: send it again when the bed is online")
        if self._first_s is None:
            raise _Refused("the bed has no samples yet: send it again when it has")

    def _at_s(self, command: Command) -> float:
        """When it happened or happens, on the device's clock."""
        at_s = self._newest_s if command.at_s is None else command.at_s
        if command.at is not None:
            at_s = self._placed(command.at)
        if at_s > self._newest_s + AHEAD_S:
            raise _Refused(
                f"{at_s:.1f} s lies in the future: the newest sample is of {self._newest_s:.1f} s; "
                "give the time when it happened, or none for now"
            )
        first_s = self._newest_s if self._first_s is None else self._first_s
        if at_s < first_s - BEFORE_S:
            raise _Refused(f"{at_s:.1f} s lies more than 24 h before this session, which began at {first_s:.1f} s")
        return at_s

    def _placed(self, at: datetime) -> float:
        placed_s = device_s(self._time, (at - EPOCH) // timedelta(microseconds=1) * 1000)
        if placed_s is None:
            raise _Refused("the date and time of this bed's samples are not known: give at_s, on the device's clock")
        return placed_s

    def _told(self, command: Command, at_s: float) -> list[Event]:
        """Tell the core. Raises ``ConfigError`` for what it cannot change any more."""
        said = command.said
        match said:
            case GasCommand():
                return self._core.push(gas_notice(structs.replace(said, at_s=at_s)))
            case EventCommand():
                return self._core.push(event_notice(structs.replace(said, at_s=at_s)))
            case ContextCommand():
                found = self._core.tell(ContextChange(at_s=at_s, context=said, keys=command.keys))
                stated = {key: getattr(said, key) for key in command.keys}
                self.context = structs.replace(self.context, **stated)
                return found
            case _:
                assert_never(said)

    def _answer(
        self, outcome: str, command: Command | Refusal, reason: str, more: Mapping[str, float] | None = None
    ) -> Notice:
        detail = f"{command.kind or 'command'} {outcome}" + (f": {reason}" if reason else "")
        said = {"outcome": outcome, "command": command.kind, "id": command.id, "reason": reason}
        values: dict[str, float | str] = {key: text for key, text in said.items() if text or key == "outcome"}
        return Notice(
            bed="", at_s=self._newest_s, kind=NoticeKind.COMMAND, detail=detail, values=values | dict(more or {})
        )
