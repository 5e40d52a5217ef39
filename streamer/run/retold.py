"""What was told of a session, as a session file: the form that ``report`` reads. Floor 4; ``tape`` keeps it.

The context is left out: the recording carries what held at first, and its notices each change at its time, which one
table for the whole session could not say.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from streamer.context import BloodGas, SessionEvent, Sidecar
from streamer.records import Notice, NoticeKind
from streamer.wire import EPOCH

Entry = TypeVar("Entry", SessionEvent, BloodGas)


class Retold:
    """Events and gases of a session, those configured and those told since.

    Args:
        label: The bed.
        events: Configured.
        gases: Configured.
        utc_ns: Device seconds → UTC, or None while that is unknown.
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

    def hear(self, notice: Notice) -> bool:
        """Take what a notice tells; whether it was an event or a gas."""
        if notice.kind is NoticeKind.BLOOD_GAS:
            known = {key: value for key, value in notice.values.items() if key in BloodGas.__struct_fields__}
            self._gases.append(self._dated(msgspec.convert({**known, "at_s": notice.at_s}, BloodGas)))
        elif "event" in notice.values:
            kind = str(notice.values["event"])
            text = "" if notice.detail == kind else notice.detail.removeprefix(f"{kind}: ")
            told = {"kind": kind, "at_s": notice.at_s, "text": text}
            self._events.append(self._dated(msgspec.convert(told, SessionEvent)))
        else:
            return False
        return True

    def text(self) -> str:
        """The session file, in the order of time; what is dated while nobody knows the date of a sample is left out."""
        self._events = [self._dated(event) for event in self._events]
        self._gases = [self._dated(gas) for gas in self._gases]
        is_dated = self._utc_ns(0.0) is not None
        told = Sidecar(event=_in_order(self._events, is_dated), blood_gas=_in_order(self._gases, is_dated))
        writer: Any = importlib.import_module("adapters._sidecar")
        return str(writer.session_toml(self._label, ["."], told))

    def _dated(self, entry: Entry) -> Entry:
        """By UTC, as the clock knows it by now; once dated it stays so."""
        utc_ns = None if entry.at_s is None or entry.at is not None else self._utc_ns(entry.at_s)
        if utc_ns is None:
            return entry
        return msgspec.structs.replace(entry, at=EPOCH + timedelta(microseconds=utc_ns // 1000), at_s=None)


def _in_order(entries: Sequence[Entry], is_dated: bool) -> tuple[Entry, ...]:  # noqa: FBT001 (a fact)
    kept = [entry for entry in entries if (entry.at is not None) is is_dated]
    return tuple(sorted(kept, key=lambda entry: entry.at.timestamp() if entry.at is not None else entry.at_s or 0.0))
