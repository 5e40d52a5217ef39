"""Events that an operator or a source states of a session, as notices that wait for their time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from streamer.model.context import GAS_VALUES, BloodGas, Context, SessionEvent, doubts
from streamer.model.errors import ConfigError
from streamer.model.records import Event, Notice, NoticeKind, Summary

EVENT_KINDS = {
    "prone": NoticeKind.POSITION,
    "supine": NoticeKind.POSITION,
    "settings": NoticeKind.SETTINGS,
}
"""Kinds of session events that have a kind of notice; the others are notes."""
ACTS_ON_SAMPLES = frozenset(
    {
        "patient_class",
        "flow_sign",
        "flow_conditions",
        "barometric_mmhg",
        "ambient_c",
        "standard_c",
        "co2_kind",
        "co2_delay_s",
        "co2_rise_s",
        "apparatus_volume_ml",
    }
)
"""Keys of a context by which samples are converted, aligned or cut into breaths: fixed for a session."""

MAX_AT_S = 1e10
"""Three hundred years: no device's clock counts further, and a date can still be given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextChange:
    """What the operator says anew: ``keys`` of ``context``, for the breaths that end after ``at_s``."""

    at_s: float
    context: Context
    keys: frozenset[str]


def event_notice(event: SessionEvent) -> Notice:
    """A position change, new settings or a note; one without a place on the device's clock is left out, and said so."""
    if event.at_s is None:
        return _undated(f"event {event.kind!r} at {event.at}")
    kind = EVENT_KINDS.get(event.kind, NoticeKind.NOTE)
    label = "" if event.text and kind == event.kind else event.kind
    detail = ": ".join(filter(None, (label, event.text)))
    return Notice(bed="", at_s=event.at_s, kind=kind, detail=detail, values={"event": event.kind})


def gas_notice(gas: BloodGas) -> Notice:
    """An arterial sample, likewise."""
    if gas.at_s is None:
        return _undated(f"blood gas at {gas.at}")
    known = {name: getattr(gas, name) for name in GAS_VALUES}
    values = {name: value for name, value in known.items() if value is not None}
    detail = "; ".join((", ".join(f"{name} {value:g}" for name, value in values.items()), *doubts(gas).values()))
    return Notice(bed="", at_s=gas.at_s, kind=NoticeKind.BLOOD_GAS, detail=detail, values=values)


def entry_of(notice: Notice) -> SessionEvent | BloodGas | None:
    """Back from ``event_notice`` and ``gas_notice``: what a sidecar would list; None for a notice of anything else.

    Raises:
        ValueError: No sidecar can list it; sources may tell what they like.
    """
    if notice.kind is NoticeKind.BLOOD_GAS:
        said: dict[str, object] = {key: notice.values[key] for key in GAS_VALUES if key in notice.values}
        kind: type[SessionEvent | BloodGas] = BloodGas
    elif "event" in notice.values:
        event = str(notice.values["event"])
        text = "" if notice.detail == event else notice.detail
        if event != notice.kind:  # else the text stands alone
            text = text.removeprefix(f"{event}: ")
        said, kind = {"kind": event, "text": text}, SessionEvent
    else:
        return None
    if not said or not abs(notice.at_s) < MAX_AT_S:
        raise ValueError("says nothing, or not when")
    try:
        return msgspec.convert({"at_s": notice.at_s, **said}, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def context_notice(before: Context, change: ContextChange) -> Notice:
    """The change as a notice, which the core obeys when its time has come (``changed``).

    Raises:
        ConfigError: It changes a key that acts on samples.
    """
    stated = {key: getattr(change.context, key) for key in Context.__struct_fields__ if key in change.keys}
    for key in stated.keys() & ACTS_ON_SAMPLES:
        if stated[key] != getattr(before, key):
            remedy = "write it into the configuration or the sidecar and start a new session"
            raise ConfigError(f"{key} acts on the samples themselves and cannot change within a session: {remedy}")
    values = {key: str(value).lower() if isinstance(value, bool) else value for key, value in stated.items()}
    detail = ", ".join(
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in values.items()
    )
    return Notice(bed="", at_s=change.at_s, kind=NoticeKind.CONTEXT, detail=detail, values=values)


def changed(context: Context, notice: Notice) -> Context:
    """The context after a notice: the same but for the keys that it names; one that does not fit changes nothing."""
    if notice.kind is not NoticeKind.CONTEXT:
        return context
    stated: Mapping[str, object] = {k: v for k, v in notice.values.items() if k in Context.__struct_fields__}
    try:
        found = msgspec.convert(stated, Context, strict=False)  # "true" is the text of a flag
    except msgspec.ValidationError:
        return context
    return msgspec.structs.replace(context, **{key: getattr(found, key) for key in stated})


def _undated(what: str) -> Notice:
    """The core knows the device's clock only."""
    detail = f"{what} left out: give at_s, or start_utc in [recording] so that it can be placed"
    return Notice(bed="", at_s=math.nan, kind=NoticeKind.DROPPED, detail=detail)


class Agenda:
    """Notices of one bed, each given once its time has come.

    Args:
        bed: Label of the bed, which they get.
        events: Session events by device clock.
        blood_gases: Arterial samples by device clock.
    """

    def __init__(self, bed: str, events: Sequence[SessionEvent] = (), blood_gases: Sequence[BloodGas] = ()) -> None:
        self._bed = bed
        self._waiting: list[tuple[float, int, Notice]] = []
        self._arrivals = 0
        told = (*map(event_notice, events), *map(gas_notice, blood_gases))
        for notice in sorted(told, key=lambda notice: notice.kind is NoticeKind.DROPPED):
            self.put(notice, 0.0)
        self._planned = sum(notice.kind is not NoticeKind.DROPPED for notice in told)

    def put(self, notice: Notice, now_s: float) -> None:
        """Keep a notice until its time; one that has none is of ``now_s``."""
        at_s = notice.at_s if math.isfinite(notice.at_s) else max(now_s, 0.0)
        self._arrivals += 1
        heapq.heappush(self._waiting, (at_s, self._arrivals, replace(notice, bed=self._bed, at_s=at_s)))

    def due(self, until_s: float) -> list[Notice]:
        """Those up to an instant, in order of time."""
        found = []
        while self._waiting and self._waiting[0][0] <= until_s:
            found.append(heapq.heappop(self._waiting)[2])
        return found

    def forget_planned(self, after_s: float) -> None:
        """Leave out what was planned for later than ``after_s``: it never happened."""
        self._waiting = [one for one in self._waiting if one[1] > self._planned or one[0] <= after_s]
        heapq.heapify(self._waiting)


def in_order(notices: Iterable[Notice], summaries: Iterable[Summary]) -> list[Event]:
    """Both by time; at the same instant the notice is first."""
    keyed: list[tuple[float, int, Event]] = [(notice.at_s, 0, notice) for notice in notices]
    keyed += [(summary.end_s, 1, summary) for summary in summaries]
    return [event for *_, event in sorted(keyed, key=lambda entry: entry[:2])]
