"""The outbox: messages that wait to be published. The publisher takes the next one and reports acknowledgements.

Each bed has a lane of its own, so a replay that fills its lane costs a live bed nothing. ``every`` messages keep their
order; a ``latest`` message takes the place of its unsent predecessor on the same topic. The outbox numbers a message
(``seq``) when it enters, per topic and session, from 0 without holes: a hole means that a message was dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from streamer.model.errors import ConfigError
from streamer.wire import Message, Policy


class WhenFull(StrEnum):
    """What happens to a message if the lane of its bed is full.

    Examples:
        >>> WhenFull.WAIT.value
        'wait'
    """

    DROP_OLDEST = "drop_oldest"
    """Live: the oldest waiting ``every`` message is dropped and counted."""
    WAIT = "wait"
    """Replay: the message is refused; the caller tries again later."""
    EXCEED = "exceed"
    """The last few messages of a bed that ends: always accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxSettings:
    """Table ``[outbox]``.

    Attributes:
        max_messages: Breaths and events that wait per bed while the broker is away; at 15 breaths per minute the
            default holds 11 hours, about 20 MB.

    Raises:
        ConfigError: ``max_messages`` is below 1.

    Examples:
        >>> OutboxSettings(max_messages=500).max_messages
        500
    """

    max_messages: int = 10_000

    def __post_init__(self) -> None:
        if self.max_messages < 1:
            raise ConfigError(f"outbox max_messages = {self.max_messages!r}: expected 1 or more")


@dataclass(slots=True)
class Numbers:
    """Numbers messages per topic, from 0 in each session."""

    _next: dict[str, tuple[str, int]] = field(default_factory=dict)

    def give(self, message: Message) -> Message:
        """Return the message with its ``seq``. An empty message, which clears a topic, gets none."""
        if not message.body:
            return message
        session, number = self._next.get(message.topic, (message.session, 0))
        if session != message.session:
            number = 0
        self._next[message.topic] = (message.session, number + 1)
        return replace(message, seq=number)

    def last(self, prefix: str, session: str) -> dict[str, int]:
        """Topic below the prefix → the last number given in the session."""
        return {
            topic.removeprefix(prefix): number - 1
            for topic, (held, number) in self._next.items()
            if held == session and topic.startswith(prefix)
        }


@dataclass(slots=True)
class _Cell:
    """A place in a lane. A newer ``latest`` message may replace the one in it until that is sent."""

    message: Message


@dataclass(slots=True)
class _Lane:
    cells: deque[_Cell] = field(default_factory=deque)
    latest: dict[str, _Cell] = field(default_factory=dict)
    every: int = 0
    dropped: int = 0

    def append(self, message: Message) -> None:
        cell = _Cell(message)
        self.cells.append(cell)
        if message.policy is Policy.LATEST:
            self.latest[message.topic] = cell
        else:
            self.every += 1

    def pop(self) -> Message:
        cell = self.cells.popleft()
        if self.latest.get(cell.message.topic) is cell:
            del self.latest[cell.message.topic]
        if cell.message.policy is Policy.EVERY:
            self.every -= 1
        return cell.message

    def drop_oldest(self) -> None:
        """Drop the first ``every`` message. The few ``latest`` messages before it keep their places."""
        passed: list[_Cell] = []
        while self.cells[0].message.policy is Policy.LATEST:
            passed.append(self.cells.popleft())
        self.cells.popleft()
        self.cells.extendleft(reversed(passed))
        self.every -= 1
        self.dropped += 1


class Outbox:
    """Bounded lanes, one per bed, and the messages in flight (sent, not yet acknowledged).

    Args:
        settings: The bound.

    Examples:
        >>> outbox = Outbox()
        >>> outbox.put(Message(topic="t", body=b"{}", bed="icu-04", session="a1"), WhenFull.WAIT)
        True
        >>> message = outbox.take(now_ns=0)
        >>> message.seq, outbox.in_flight
        (0, 1)
        >>> outbox.settle(message)
        >>> len(outbox)
        0
    """

    def __init__(self, settings: OutboxSettings | None = None) -> None:
        self._settings = settings or OutboxSettings()
        self._lanes: dict[str, _Lane] = {}
        self._turn: deque[str] = deque()
        self._flying: dict[tuple[str, str, int | None], Message] = {}
        self.numbers = Numbers()

    def __len__(self) -> int:
        """Messages that wait or are not yet acknowledged."""
        return sum(len(lane.cells) for lane in self._lanes.values()) + len(self._flying)

    @property
    def in_flight(self) -> int:
        """Messages sent and not yet acknowledged."""
        return len(self._flying)

    def dropped(self, bed: str) -> int:
        """Messages of a bed lost because its lane was full."""
        return self._lanes[bed].dropped if bed in self._lanes else 0

    def has_room(self, bed: str) -> bool:
        """Whether one more ``every`` message of the bed can wait without loss."""
        return bed not in self._lanes or self._lanes[bed].every < self._settings.max_messages

    def put(self, message: Message, when_full: WhenFull) -> bool:
        """Number a message and queue it.

        Returns:
            False if the lane is full and ``when_full`` is ``WAIT``; the message then has no number.
        """
        lane = self._lanes.setdefault(message.bed, _Lane())
        waiting = lane.latest.get(message.topic)
        if message.policy is Policy.LATEST and waiting is not None and waiting.message.session == message.session:
            waiting.message = replace(message, seq=waiting.message.seq)
            return True
        has_turn = bool(lane.cells)
        if message.policy is Policy.EVERY and not self.has_room(message.bed):
            if when_full is WhenFull.WAIT:
                return False
            if when_full is WhenFull.DROP_OLDEST:
                lane.drop_oldest()
        if not has_turn:
            self._turn.append(message.bed)
        lane.append(self.numbers.give(message))
        return True

    def take(self, now_ns: int) -> Message | None:
        """Take the next message to send, beds in turn; None if nothing waits. It is in flight until settled."""
        if not self._turn:
            return None
        bed = self._turn.popleft()
        lane = self._lanes[bed]
        message = lane.pop()
        if lane.cells:
            self._turn.append(bed)
        if message.published_ns is None:
            message = replace(message, published_ns=now_ns)
        self._flying[_identity(message)] = message
        return message

    def settle(self, message: Message) -> None:
        """Forget a message: the broker acknowledged it."""
        self._flying.pop(_identity(message), None)

    def requeue(self) -> None:
        """Put the messages in flight back in front, in order: the connection is lost."""
        for message in reversed(list(self._flying.values())):
            lane = self._lanes[message.bed]
            if not lane.cells:
                self._turn.append(message.bed)
            lane.cells.appendleft(_Cell(message))
            lane.every += message.policy is Policy.EVERY
        self._flying.clear()

    def waiting(self) -> Iterator[Message]:
        """Messages that are not acknowledged, for the report at the end."""
        yield from self._flying.values()
        for lane in self._lanes.values():
            yield from (cell.message for cell in lane.cells)


def _identity(message: Message) -> tuple[str, str, int | None]:
    return message.topic, message.session, message.seq
