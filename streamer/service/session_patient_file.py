"""What was told of a session, as a session file: the form that ``report`` reads. ``tape`` keeps it.

The context is left out: the recording carries what held at first, and its notices each change at its time, which one
table for the whole session could not say.

What a session file lists replaces all that the recording tells of it. So it lists every event and gas, or none: then
the recording tells them. A draw or a turn that is told again at once is one: a client that reconnects sends its
command twice, and ``report`` asks about two where there was one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import msgspec

from streamer.core.session_events import EVENT_KINDS, entry_of
from streamer.files.sidecar_files import session_toml
from streamer.model.context import BloodGas, SessionEvent, Sidecar
from streamer.model.records import Notice, NoticeKind
from streamer.wire import EPOCH

Entry = TypeVar("Entry", SessionEvent, BloodGas)
MAX_LISTED = 500
"""Events and gases in one file, which is written anew with each of them; people tell some fifty a day."""
AGAIN_S = 10.0
"""Nobody turns a patient, or draws blood of the same values, twice in so short a time."""
TURNS = frozenset(kind for kind, notice in EVENT_KINDS.items() if notice is NoticeKind.POSITION)
UNLISTED = """\
# More was told of this session than a session file can list: the recording itself tells it.
# Events or blood gases that are listed here replace those.
"""


class SessionPatientFile:
    """Events and gases of a session, those configured and those told since.

    Args:
        label: The bed.
        events: Configured.
        gases: Configured.
        utc_ns: Device seconds → UTC as the recording has it, or None while that is unknown.
    """

    def __init__(
        self,
        label: str,
        events: Sequence[SessionEvent],
        gases: Sequence[BloodGas],
        utc_ns: Callable[[float], int | None],
    ) -> None:
        self._label, self._utc_ns = label, utc_ns
        self._events, self._gases = list(events), list(gases)
        self._is_whole = True

    def hear(self, notice: Notice) -> bool:
        """Take what a notice tells; whether the file says something else now."""
        if not self._is_whole:
            return False
        try:
            entry = entry_of(notice)
        except ValueError:
            self._is_whole = False
            return True
        if isinstance(entry, BloodGas):
            self._gases.append(entry)
        elif entry is not None:
            self._events.append(entry)
        self._is_whole = len(self._events) + len(self._gases) <= MAX_LISTED
        return entry is not None

    def text(self) -> str:
        """The session file, in the order of time; what is dated while nobody knows the date of a sample is left out."""
        told = Sidecar()
        try:
            told = self._listed() if self._is_whole else told
        except OverflowError:  # a configured time, in milliseconds perhaps, that no date can be given
            self._is_whole = False
        heading = "" if self._is_whole else UNLISTED
        return heading + session_toml(self._label, ["."], told)

    def _listed(self) -> Sidecar:
        is_dated = self._utc_ns(0.0) is not None
        events = [self._dated(event) for event in self._events]
        gases = [self._dated(gas) for gas in self._gases]
        return Sidecar(event=_in_order(events, is_dated), blood_gas=_in_order(gases, is_dated))

    def _dated(self, entry: Entry) -> Entry:
        """By UTC, where the clock knows it."""
        utc_ns = None if entry.at_s is None or entry.at is not None else self._utc_ns(entry.at_s)
        if utc_ns is None:
            return entry
        return msgspec.structs.replace(entry, at=EPOCH + timedelta(microseconds=utc_ns // 1000), at_s=None)


def _in_order(entries: Sequence[Entry], is_dated: bool) -> tuple[Entry, ...]:  # noqa: FBT001 (a fact)
    """By time, each turn and draw once."""
    listed: list[Entry] = []
    newest_s: dict[Entry, float] = {}
    for entry in sorted((one for one in entries if (one.at is not None) is is_dated), key=_time_s):
        at_s, said = _time_s(entry), msgspec.structs.replace(entry, at=None, at_s=None)
        is_turn = isinstance(entry, SessionEvent) and entry.kind in TURNS
        if (is_turn or isinstance(entry, BloodGas)) and at_s - newest_s.get(said, -math.inf) < AGAIN_S:
            continue
        if is_turn:
            newest_s.clear()  # back and there again is a turn
        listed.append(entry)
        newest_s[said] = at_s
    return tuple(listed)


def _time_s(entry: SessionEvent | BloodGas) -> float:
    return entry.at.timestamp() if entry.at is not None else entry.at_s or 0.0
