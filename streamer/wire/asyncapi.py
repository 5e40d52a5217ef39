"""The interface as an AsyncAPI 3 document, generated from the tables that publish.

``python -m streamer.wire`` prints it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from streamer.model.bed_label import BED_ID
from streamer.wire.schema import json_schemas
from streamer.wire.topics import VERSION, WireSettings

Json: TypeAlias = dict[str, Any]

COMMAND = "command"
"""The channel from which this service receives; it sends on all others."""
CHANNELS: dict[str, tuple[str, str, bool, str]] = {
    # channel: address below the prefix, kind of payload, retained, what it is
    "breath": ("{bed}/breath", "breath/1", False, "One breath: every metric key with a number or null and a reason"),
    "summary": ("{bed}/summary/{window}", "summary/1", True, "One sealed window of breaths"),
    "event": ("{bed}/event", "event/1", False, "Gaps, holds, positions, blood gases and other notices; never an alarm"),
    "state": ("{bed}/state", "state/2", True, "Presence of the bed's source, counters and, at its end, last numbers"),
    COMMAND: (
        "{bed}/command",
        "command/1",
        False,
        "Blood gases, events and context for a bed, never retained; each is answered on its event topic",
    ),
    "status": ("status", "status/1", True, "Presence of the service; its last will says offline"),
    "schema": ("schema", "schema/1", True, "JSON Schema of each kind; unit and codes of each key"),
}
_PARAMETERS: Json = {
    "bed": {"description": f"Label of the bed, {BED_ID.pattern}; never a patient identity"},
    "window": {"description": "Length of the window", "examples": ["1m", "5m", "15m", "60m"]},
}


def asyncapi_document(settings: WireSettings | None = None, *, version: str = "0") -> Json:
    """AsyncAPI 3.0.0: channels, operations, messages and schemas of what this service publishes and receives.

    Args:
        settings: Topic root.
        version: Of the program.

    Examples:
        >>> asyncapi_document()["channels"]["breath"]["address"]
        'ventstream/v1/{bed}/breath'
    """
    wire = settings or WireSettings()
    schemas = json_schemas() | {"schema/1": _schema_of_schema()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "ventstream",
            "version": version,
            "description": (
                f"Breath-by-breath ventilation metrics over MQTT, topics {VERSION}. "
                "Research software: not a medical device, no alarms, no advice."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(name, wire) for name in CHANNELS},
        "operations": {_operation_name(name): _operation(name) for name in CHANNELS},
        "components": {
            "messages": {
                name: {"payload": {"$ref": f"#/components/schemas/{name}"}, "contentType": "application/json"}
                for name in CHANNELS
            },
            "schemas": {name: schemas[kind] for name, (_, kind, _, _) in CHANNELS.items()},
        },
    }


def _channel(name: str, wire: WireSettings) -> Json:
    address, _, retained, about = CHANNELS[name]
    parameters = {key: text for key, text in _PARAMETERS.items() if f"{{{key}}}" in address}
    return {
        "address": f"{wire.prefix}/{address}",
        "description": about + (" (retained)" if retained else ""),
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
    } | ({"parameters": parameters} if parameters else {})


def _operation_name(name: str) -> str:
    return f"{'receive' if name == COMMAND else 'publish'}_{name}"


def _operation(name: str) -> Json:
    return {
        "action": "receive" if name == COMMAND else "send",
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
        "bindings": {"mqtt": {"qos": 1, "retain": CHANNELS[name][2], "bindingVersion": "0.2.0"}},
    }


def _schema_of_schema() -> Json:
    fields: Json = {"schema": {"const": "schema/1"}, "kinds": {"type": "object"}, "keys": {"type": "object"}}
    return {"title": "schema/1", "type": "object", "properties": fields, "required": list(fields)}
