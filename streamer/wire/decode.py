"""Decode payloads: JSON → events of the core, for subscribers and tests. The inverse of ``encode``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from streamer.model.errors import DecodeError
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Event, Notice, NoticeKind, Stat, Summary
from streamer.wire.encode import BREATH_FIELDS, ENVELOPE, EVENT_FIELDS, SUMMARY_FIELDS

KINDS = {"breath": 1, "summary": 1, "event": 1, "state": 2, "status": 1, "schema": 1}
"""Kind of payload → newest schema number known here. A higher one only adds fields (contract.md §5)."""

_STATS = ("median", "mean", "p25", "p75", "last", "age_s")
_FLAGS = {flag.value: flag for flag in Flag}
_decoder = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One decoded payload.

    Attributes:
        kind: breath, summary, event, state, status or schema.
        row: The flat JSON object as it arrived.
        event: The core's event rebuilt from it, for breath, summary and event; else None.

    Examples:
        >>> received = decode(b'{"schema": "status/1", "status": "online"}')
        >>> received.kind, received.row["status"], received.event
        ('status', 'online', None)
    """

    kind: str
    row: Mapping[str, Any]
    event: Event | None


def decode(payload: bytes) -> Received | None:
    """Decode one payload of any topic below ``ventstream/v1``.

    Args:
        payload: UTF-8 JSON, as an MQTT client delivers it.

    Returns:
        The payload decoded; None if it is empty, which means that the retained topic was cleared.

    Raises:
        DecodeError: The payload is not a JSON object, or of a kind that this version does not know.

    Examples:
        >>> row = b'{"schema": "event/1", "bed": "icu-04", "kind": "gap", "at_s": 12.5, "detail": "1.2 s are missing"}'
        >>> decode(row).event.at_s
        12.5
        >>> decode(b"") is None
        True
        >>> decode(b"21.3")
        Traceback (most recent call last):
            ...
        streamer.model.errors.DecodeError: payload is not a JSON object: ...
    """
    if not payload:
        return None
    try:
        row = _decoder.decode(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DecodeError(f"payload is not a JSON object: {error}") from None
    kind, _, number = str(row.get("schema", "")).partition("/")
    if kind not in KINDS or not number.isdecimal():
        raise DecodeError(f"payload has unknown schema {row.get('schema')!r}")
    try:
        return Received(kind=kind, row=row, event=_event(kind, row))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DecodeError(f"payload of schema {row['schema']!r} cannot be read: {error!r}") from None


def _event(kind: str, row: Mapping[str, Any]) -> Event | None:
    if kind == "breath":
        return _breath(row)
    if kind == "summary":
        return _summary(row)
    return _notice(row) if kind == "event" else None


def _breath(row: Mapping[str, Any]) -> BreathRecord:
    taken = {*ENVELOPE, *BREATH_FIELDS}
    keys = {key: value for key, value in row.items() if key not in taken}
    return BreathRecord(
        bed=row["bed"],
        number=row["number"],
        start_s=float(row["start_s"]),
        end_s=float(row["end_s"]),
        values={key: float(value) for key, value in keys.items() if value is not None and not key.endswith("_method")},
        missing=dict(row["missing"]),
        quality=dict(row["quality"]),
        methods={key.removesuffix("_method"): str(keys[key]) for key in keys if key.endswith("_method")},
        flags=frozenset(_FLAGS[flag] for flag in row["flags"] if flag in _FLAGS),
    )


def _summary(row: Mapping[str, Any]) -> Summary:
    taken = {*ENVELOPE, *SUMMARY_FIELDS}
    keys = [name.removesuffix("_n") for name in row if name.endswith("_n") and name not in taken]
    missing = row["missing"]
    return Summary(
        bed=row["bed"],
        window=row["window"],
        start_s=float(row["start_s"]),
        end_s=float(row["end_s"]),
        breaths=row["breaths"],
        coverage=float(row["coverage"]),
        stats={
            key: Stat(
                n=row[f"{key}_n"],
                reason=missing.get(key),
                **{stat: row.get(f"{key}_{stat}") for stat in _STATS},
            )
            for key in keys
        },
    )


def _notice(row: Mapping[str, Any]) -> Notice:
    taken = {*ENVELOPE, *EVENT_FIELDS}
    values = {key.removeprefix("value_"): value for key, value in row.items() if key not in taken and value is not None}
    return Notice(
        bed=row["bed"],
        at_s=float(row["at_s"]),
        kind=NoticeKind(row["kind"]),
        detail=row["detail"],
        values=values,
    )
