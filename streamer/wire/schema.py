"""JSON Schema of every payload and the meaning of each key, generated from the metric table, published retained."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, TypeAlias

from streamer.model.bed_label import BED_ID
from streamer.model.flags import Flag
from streamer.model.records import NoticeKind
from streamer.wire.command import command_schema
from streamer.wire.keys import key_table
from streamer.wire.topics import Presence, Source

Json: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
COUNTERS = ("samples", "breaths", "notices", "damaged", "gaps", "duplicates", "clock_resets", "dropped")

_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "number"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_REASONS: Json = {"type": "object", "additionalProperties": _TEXT}
_UTC: Json = {
    "type": ["string", "null"],
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
}


def _or_null(kind: str, about: str = "") -> Json:
    return {"type": [kind, "null"]} | ({"description": about} if about else {})


_SPAN: Json = {
    "start_s": _NUMBER | {"description": "device clock, s"},
    "end_s": _NUMBER | {"description": "device clock, s"},
    "start_utc": _UTC,
    "end_utc": _UTC,
}


def json_schemas() -> dict[str, Json]:
    """Kind of payload → its JSON Schema (draft 2020-12).

    Examples:
        >>> json_schemas()["breath/1"]["properties"]["pplat"]["type"]
        ['number', 'null']
    """
    return {
        "breath/1": _breath(),
        "summary/1": _summary(),
        "event/1": _event(),
        "state/2": _state(),
        "status/1": _status(),
        "command/1": {"$schema": DIALECT, **command_schema()},
    }


@cache
def schema_document() -> Json:
    """Content of the schema topic: a JSON Schema per kind; unit, UCUM, IEEE 11073 code and one line per key.

    Examples:
        >>> schema_document()["keys"]["crs"]["unit"]
        'mL/cmH2O'
    """
    keys = {
        key: {
            "unit": entry.unit,
            "ucum": entry.ucum,
            "mdc": entry.mdc,
            "about": entry.about,
            "summary": "mean" if entry.weighted_by else "median",
        }
        for key, entry in key_table().items()
    }
    return {"schema": "schema/1", "kinds": json_schemas(), "keys": keys}


def _object(kind: str, properties: Json, *, numbered: bool = True, **extra: Any) -> Json:
    """Schema of a payload with its envelope. All ``properties`` are required; only ``extra`` can allow others."""
    envelope: Json = {
        "schema": {"const": kind},
        "bed": {"type": "string", "pattern": f"^{BED_ID.pattern}$"},
        "session": _TEXT,
        "source": {"enum": [source.value for source in Source]},
        "seq": _COUNT | {"description": "per topic and session, without holes"},
        "published_utc": _UTC,
    }
    fields = (envelope if numbered else {"schema": {"const": kind}}) | properties
    return {
        "$schema": DIALECT,
        "title": kind,
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    } | extra


def _breath() -> Json:
    keys = {key: _or_null("number", f"{entry.about} ({entry.unit})") for key, entry in key_table().items()}
    fields: Json = {
        "number": _COUNT,
        **_SPAN,
        **keys,
        "missing": _REASONS,
        "quality": {"type": "object", "additionalProperties": {"enum": ["A", "B", "C"]}},
        "flags": {"type": "array", "items": {"enum": [flag.value for flag in Flag]}},
    }
    return _object("breath/1", fields, patternProperties={f"^({_any_of(key_table())})_method$": _TEXT})


def _summary() -> Json:
    table = key_table()
    fields: Json = {
        "window": _TEXT,
        **_SPAN,
        "breaths": _COUNT,
        "coverage": _NUMBER,
        "missing": _REASONS,
    }
    optional: Json = {}
    for key, entry in table.items():
        centre = "mean" if entry.weighted_by else "median"
        fields[f"{key}_n"] = _COUNT
        fields |= {f"{key}_{stat}": _or_null("number") for stat in (centre, "p25", "p75", "last")}
        optional[f"^{key}_age_s$"] = _NUMBER
    return _object("summary/1", fields, patternProperties=optional)


def _event() -> Json:
    fields: Json = {
        "kind": {"enum": [kind.value for kind in NoticeKind]},
        "at_s": _NUMBER,
        "at_utc": _UTC,
        "detail": _TEXT,
    }
    return _object("event/1", fields, additionalProperties={"type": ["number", "string", "null"]})


def _state() -> Json:
    fields: Json = {
        "state": {"enum": [state.value for state in Presence]},
        "at_s": _or_null("number", "newest device time seen"),
        "at_utc": _UTC,
        "reason": _TEXT,
        "adapter": _TEXT,
        "mode": _or_null("string", "ventilation mode stated in the context"),
        "speed": _or_null("number", "of a replay; 0: as fast as possible; null: live"),
        "rate_hz": _or_null("number"),
        "clock_offset_s": _or_null("number", "UTC minus device clock"),
        "clock_drift_ppm": _or_null(
            "number", "how much faster the device's clock runs than arrivals say, in millionths"
        ),
        **dict.fromkeys(COUNTERS, _COUNT),
        "doubts": {"type": "array", "items": _TEXT, "description": "what is doubtful about the source"},
    }
    return _object("state/2", fields, patternProperties={"^last_seq_[A-Za-z0-9_]+$": _COUNT})


def _status() -> Json:
    fields: Json = {
        "status": {"enum": ["online", "offline"]},
        "reason": _TEXT,
        "service": {"const": "ventstream"},
        "version": _TEXT,
        "session": _TEXT,
    }
    return _object("status/1", fields, numbered=False)


def _any_of(keys: Iterable[str]) -> str:
    return "|".join(keys)
