"""What the operator told of a session, as notices on the device's clock. Floor 1; used by ``bed``."""

from __future__ import annotations

import math

from streamer.context import BloodGas, SessionEvent
from streamer.records import Notice, NoticeKind

EVENT_KINDS = {
    "prone": NoticeKind.POSITION,
    "supine": NoticeKind.POSITION,
    "settings": NoticeKind.SETTINGS,
}
"""Kinds of session events that have a kind of notice; the others are notes."""


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
    known = {name: getattr(gas, name) for name in ("pco2_art_mmhg", "po2_art_mmhg", "fio2", "ph")}
    values = {name: value for name, value in known.items() if value is not None}
    detail = ", ".join(f"{name} {value:g}" for name, value in values.items())
    return Notice(bed="", at_s=gas.at_s, kind=NoticeKind.BLOOD_GAS, detail=detail, values=values)


def _undated(what: str) -> Notice:
    """The core knows the device's clock only."""
    detail = f"{what} left out: give at_s, or start_utc in [recording] so that it can be placed"
    return Notice(bed="", at_s=math.nan, kind=NoticeKind.DROPPED, detail=detail)
