"""Encode events as messages. Of its own it adds UTC from the time base, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from streamer.model.records import BreathRecord, Event, Notice, Stat, Summary
from streamer.wire.keys import key_table
from streamer.wire.topics import Message, Origin, Policy, Presence, utc_text

UtcOf: TypeAlias = Callable[[float], int | None]
"""Device seconds → UTC nanoseconds, or None while unknown."""

ENVELOPE = ("schema", "bed", "session", "source", "seq", "published_utc")
BREATH_FIELDS = ("number", "start_s", "end_s", "start_utc", "end_utc", "missing", "quality", "flags")
SUMMARY_FIELDS = ("window", "start_s", "end_s", "start_utc", "end_utc", "breaths", "coverage", "missing")
EVENT_FIELDS = ("kind", "at_s", "at_utc", "detail")
NOT_FINITE = "implausible"
"""Reason on the wire for NaN or an infinite value; the core's gates should not let one through."""
PERIODS_PER_WINDOW = 30.0
"""How often ``rolling`` seals a long window: the summary of a bed that fell silent expires after two periods."""

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class BedState:
    """Content of the topic ``state`` of a bed.

    Attributes:
        state: online, stalled or offline.
        at_s: Newest device time seen, s, or None.
        reason: Why the bed is in this state, in one line; empty when all is well.
        adapter: Name of the source's adapter.
        mode: Ventilation mode stated in the context, or None.
        speed: Speed of a replay (1, 10 …); 0: as fast as possible; None: live.
        rate_hz: Newest sampling rate, samples per second, or None.
        clock_offset_s: UTC minus device clock, s, or None.
        clock_drift_ppm: How much faster the device's clock runs than the arrivals say, in millionths; None in a replay.
        counters: samples, breaths, notices, damaged, gaps … since the session began.
        doubts: Codes of what is doubtful about the source, as in the column ``doubts`` of tables; the texts are
            published on ``event``.
        last_seq: At the end: topic below the bed (``breath``, ``summary/1m``) → its last ``seq``.

    Examples:
        >>> BedState(state=Presence.ONLINE, adapter="pb840", rate_hz=50.0).state.value
        'online'
    """

    state: Presence
    at_s: float | None = None
    reason: str = ""
    adapter: str = ""
    mode: str | None = None
    speed: float | None = None
    rate_hz: float | None = None
    clock_offset_s: float | None = None
    clock_drift_ppm: float | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    doubts: Sequence[str] = ()
    last_seq: Mapping[str, int] = field(default_factory=dict)


def encode(event: Event, origin: Origin, utc_of: UtcOf) -> Message:
    """Encode one event of the core.

    Args:
        event: A breath record, a summary or a notice.
        origin: Bed, session and topic prefix.
        utc_of: Device seconds → UTC nanoseconds, or None while unknown.

    Returns:
        The message, not yet numbered: QoS 1; a summary is retained and expires after two of its periods.

    Examples:
        >>> from streamer.model.records import NoticeKind
        >>> from streamer.wire import Source
        >>> origin = Origin(prefix="ventstream/v1", bed="icu-04", session="a1", source=Source.LIVE)
        >>> message = encode(Notice(bed="icu-04", at_s=12.5, kind=NoticeKind.GAP), origin, lambda device_s: None)
        >>> message.topic, message.retain
        ('ventstream/v1/icu-04/event', False)
    """
    if isinstance(event, BreathRecord):
        return _message(origin, "breath", "breath/1", _breath(event, utc_of))
    if isinstance(event, Summary):
        return _message(
            origin,
            f"summary/{event.window}",
            "summary/1",
            _summary(event, utc_of),
            policy=Policy.LATEST,
            retain=True,
            expiry_s=math.ceil(2.0 * max(origin.min_period_s, (event.end_s - event.start_s) / PERIODS_PER_WINDOW)),
        )
    return _message(origin, "event", "event/1", _notice(event, utc_of))


def encode_state(state: BedState, origin: Origin, utc_of: UtcOf, *, policy: Policy) -> Message:
    """Encode the retained state of a bed.

    Args:
        state: The state.
        origin: Bed, session and topic prefix.
        utc_of: Device seconds → UTC nanoseconds, or None while unknown.
        policy: ``EVERY`` for a change of state, ``LATEST`` where only counters changed.

    Examples:
        >>> from streamer.wire import Source
        >>> origin = Origin(prefix="ventstream/v1", bed="icu-04", session="a1", source=Source.LIVE)
        >>> state = BedState(state=Presence.STALLED, reason="no samples for 5 s")
        >>> encode_state(state, origin, lambda device_s: None, policy=Policy.EVERY).retain
        True
    """
    row: dict[str, Any] = {
        "state": state.state,
        "at_s": _ms(state.at_s),
        "at_utc": _utc(state.at_s, utc_of),
        "reason": state.reason,
        "adapter": state.adapter,
        "mode": state.mode,
        "speed": state.speed,
        "rate_hz": _six(state.rate_hz),
        "clock_offset_s": _ms(state.clock_offset_s),
        "clock_drift_ppm": _six(state.clock_drift_ppm),
        **state.counters,
        "doubts": list(state.doubts),
        **{f"last_seq_{topic.replace('/', '_')}": seq for topic, seq in state.last_seq.items()},
    }
    return _message(origin, "state", "state/2", row, policy=policy, retain=True)


def clear(topic: str, origin: Origin) -> Message:
    """Make the empty message that clears what the broker retains on a topic.

    Examples:
        >>> from streamer.wire import Source
        >>> origin = Origin(prefix="ventstream/v1", bed="icu-04", session="a1", source=Source.LIVE)
        >>> clear("ventstream/v1/icu-04/summary/1m", origin).payload
        b''
    """
    return Message(topic=topic, body=b"", bed=origin.bed, session=origin.session, retain=True)


def encode_status(*, online: bool, session: str, version: str, reason: str = "") -> bytes:
    """Payload of the service's own presence; it has no ``seq``, since the broker sends the last will by itself.

    Examples:
        >>> encode_status(online=False, session="a1", version="1.0")[:38]
        b'{"schema":"status/1","status":"offline'
    """
    return _encoder.encode(
        {
            "schema": "status/1",
            "status": "online" if online else "offline",
            "reason": reason,
            "service": "ventstream",
            "version": version,
            "session": session,
        },
    )


def schema_payload(document: Mapping[str, Any]) -> bytes:
    """Payload of the schema topic: the document as JSON.

    Examples:
        >>> schema_payload({"schema": "schema/1"})
        b'{"schema":"schema/1"}'
    """
    return _encoder.encode(document)


def _message(
    origin: Origin,
    kind: str,
    schema: str,
    row: dict[str, Any],
    *,
    policy: Policy = Policy.EVERY,
    retain: bool = False,
    expiry_s: int | None = None,
) -> Message:
    envelope = {"schema": schema, "bed": origin.bed, "session": origin.session, "source": origin.source}
    return Message(
        topic=origin.topic(kind),
        body=_encoder.encode(envelope | row),
        bed=origin.bed,
        session=origin.session,
        policy=policy,
        retain=retain,
        expiry_s=expiry_s,
    )


def _breath(record: BreathRecord, utc_of: UtcOf) -> dict[str, Any]:
    missing = dict(record.missing)
    row: dict[str, Any] = {
        "number": record.number,
        "start_s": _ms(record.start_s),
        "end_s": _ms(record.end_s),
        "start_utc": _utc(record.start_s, utc_of),
        "end_utc": _utc(record.end_s, utc_of),
    }
    for key, value in record.values.items():
        row[key] = shown = _six(value)
        if shown is None:
            missing[key] = NOT_FINITE
    row |= dict.fromkeys(record.missing)
    row |= {f"{key}_method": method for key, method in record.methods.items()}
    row |= {"missing": missing, "quality": dict(record.quality), "flags": sorted(record.flags)}
    return row


def _summary(summary: Summary, utc_of: UtcOf) -> dict[str, Any]:
    missing: dict[str, str] = {}
    row: dict[str, Any] = {
        "window": summary.window,
        "start_s": _ms(summary.start_s),
        "end_s": _ms(summary.end_s),
        "start_utc": _utc(summary.start_s, utc_of),
        "end_utc": _utc(summary.end_s, utc_of),
        "breaths": summary.breaths,
        "coverage": _six(summary.coverage),
    }
    for key, stat in summary.stats.items():
        centre = centre_of(key, stat)
        row[f"{key}_n"] = stat.n
        row[f"{key}_{centre}"] = shown = _six(stat.mean if centre == "mean" else stat.median)
        row |= {f"{key}_p25": _six(stat.p25), f"{key}_p75": _six(stat.p75), f"{key}_last": _six(stat.last)}
        if stat.age_s is not None:
            row[f"{key}_age_s"] = _ms(stat.age_s)
        if shown is None:
            missing[key] = stat.reason or NOT_FINITE
    row["missing"] = missing
    return row


def centre_of(key: str, stat: Stat) -> str:
    """Name of a statistic's centre: ``mean`` for totals over time and fractions, ``median`` for every other metric."""
    if stat.mean is not None:
        return "mean"
    if stat.median is not None:
        return "median"
    found = key_table().get(key)
    return "mean" if found is not None and found.weighted_by else "median"


def _notice(notice: Notice, utc_of: UtcOf) -> dict[str, Any]:
    taken = {*ENVELOPE, *EVENT_FIELDS}
    values = {f"value_{name}" if name in taken else name: value for name, value in notice.values.items()}
    return {
        "kind": notice.kind,
        "at_s": _ms(notice.at_s),
        "at_utc": _utc(notice.at_s, utc_of),
        "detail": notice.detail,
        **{name: value if isinstance(value, str) else _six(value) for name, value in values.items()},
    }


def _ms(seconds: float | None) -> float | None:
    """To the millisecond."""
    return round(seconds, 3) if seconds is not None and math.isfinite(seconds) else None


def _six(value: float | None) -> float | None:
    """To six significant digits; never NaN or infinite, which JSON does not know."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None


def _utc(seconds: float | None, utc_of: UtcOf) -> str | None:
    return utc_text(utc_of(seconds)) if seconds is not None and math.isfinite(seconds) else None
