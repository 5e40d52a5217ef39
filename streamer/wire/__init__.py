"""The wire: topics, JSON, schema numbers. Events become messages here and nowhere else."""

from __future__ import annotations

from streamer.model.bed_label import check_bed_id
from streamer.wire.asyncapi import asyncapi_document
from streamer.wire.command import MAX_PAYLOAD, Command, ContextCommand, EventCommand, GasCommand, Refusal, parse_command
from streamer.wire.decode import Received, decode
from streamer.wire.encode import BedState, UtcOf, clear, encode, encode_state, encode_status, schema_payload
from streamer.wire.schema import json_schemas, schema_document
from streamer.wire.topics import (
    DEFAULT_PERIOD_S,
    EPOCH,
    Message,
    Origin,
    Policy,
    Presence,
    Source,
    WireSettings,
    utc_text,
)

__all__ = [
    "DEFAULT_PERIOD_S",
    "EPOCH",
    "MAX_PAYLOAD",
    "BedState",
    "Command",
    "ContextCommand",
    "EventCommand",
    "GasCommand",
    "Message",
    "Origin",
    "Policy",
    "Presence",
    "Received",
    "Refusal",
    "Source",
    "UtcOf",
    "WireSettings",
    "asyncapi_document",
    "check_bed_id",
    "clear",
    "decode",
    "encode",
    "encode_state",
    "encode_status",
    "json_schemas",
    "parse_command",
    "schema_document",
    "schema_payload",
    "utc_text",
]
