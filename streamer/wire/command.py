"""What comes in: a payload of the ``command`` topic, understood or refused. Anyone may send anything.

A command is one flat JSON object with the keys, limits and messages of ``context.py``. It says what holds or happened,
never what to do: nothing here reaches a ventilator.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta
from msgspec import inspect as types

from streamer.model.context import GAS_VALUES, BloodGas, Context, EventKind, SessionEvent
from streamer.model.validation_errors import did_you_mean, friendly, literal, one_line, path_of

SCHEMA = "command/1"
MAX_PAYLOAD = 16_384
"""Bytes; a command is some hundred."""
MAX_ID = 64
NOT_A_COMMAND = 'not a command: send one flat JSON object, {"schema": "command/1", "kind": "note", "text": "…"}'

Schema: TypeAlias = Literal["command/1"]
Id: TypeAlias = Annotated[
    str, Meta(max_length=MAX_ID, description="sent back with the answer; a repeated one is refused")
]


class GasCommand(BloodGas, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An arterial sample, drawn at ``at_s``, at ``at``, or now."""

    schema: Schema
    kind: Literal["blood_gas"]
    id: Id = ""


class EventCommand(SessionEvent, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A change of position or settings, suction, a recruitment manoeuvre or a note, likewise."""

    schema: Schema
    id: Id = ""


class ContextCommand(Context, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What holds of patient and sensors from now on; keys that are left out stay as they are."""

    schema: Schema
    kind: Literal["context"]
    id: Id = ""


COMMANDS: dict[str, type[GasCommand | EventCommand | ContextCommand]] = {
    "blood_gas": GasCommand,
    "context": ContextCommand,
    **dict.fromkeys(get_args(EventKind), EventCommand),
}
"""Kind of command → what it holds."""
_ENVELOPE = frozenset({"schema", "kind", "id"})
_decoder = msgspec.json.Decoder(dict[str, str | float | bool])


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that can be understood; whether it can be obeyed depends on the bed.

    Attributes:
        kind: As it was sent.
        id: As it was sent; empty when there was none.
        said: What it says.
        keys: The keys it stated, without schema, kind and id.
    """

    kind: str
    id: str
    said: GasCommand | EventCommand | ContextCommand
    keys: frozenset[str] = field(default_factory=frozenset)

    @property
    def at_s(self) -> float | None:
        """When, on the device's clock."""
        return None if isinstance(self.said, ContextCommand) else self.said.at_s

    @property
    def at(self) -> datetime | None:
        """When, as an aware date-time."""
        return None if isinstance(self.said, ContextCommand) else self.said.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A payload that is none: why, with the remedy; kind and id as far as they could be read."""

    reason: str
    kind: str = ""
    id: str = ""


def parse_command(payload: bytes) -> Command | Refusal:
    """Understand one payload, of any bytes whatever."""
    if len(payload) > MAX_PAYLOAD:
        return Refusal(reason=f"longer than {MAX_PAYLOAD // 1024} KiB")
    try:
        row = _decoder.decode(payload)
    except msgspec.ValidationError as error:
        return Refusal(reason=_not_flat(str(error)))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return Refusal(reason=NOT_A_COMMAND)
    kind, told_id = row.get("kind"), row.get("id")
    known = {"kind": one_line(kind[:MAX_ID]) if isinstance(kind, str) else "", "id": ""}
    if isinstance(told_id, str) and len(told_id) <= MAX_ID:
        known["id"] = told_id
    found = _understood(row)
    return Refusal(reason=one_line(found), **known) if isinstance(found, str) else found


def _not_flat(problem: str) -> str:
    if "`null`" in problem:
        return "a value is null: leave out what is not known"
    return "a number is too large" if "out of range" in problem else NOT_A_COMMAND


def _understood(row: dict[str, str | float | bool]) -> Command | str:
    """The command, or why it is none."""
    if row.get("schema") != SCHEMA:
        return f'expected "schema": "{SCHEMA}"' + (f", not {literal(row['schema'])}" if "schema" in row else "")
    kind = row.get("kind")
    if not isinstance(kind, str) or kind not in COMMANDS:
        shown = "missing key 'kind'" if kind is None else f"unknown kind {literal(kind)}"
        return f"{shown}; {did_you_mean(str(kind or '')[:MAX_ID], COMMANDS)}"
    holder = COMMANDS[kind]
    fields = dict.fromkeys(holder.__struct_fields__)
    for key in row.keys() - fields.keys():
        if kind == "context" and key in {"at_s", "at"}:
            return f"{key}: a context has no time: it holds from now on"
        return f"unknown key {literal(key)}; {did_you_mean(key[:MAX_ID], fields)}"
    try:
        said = msgspec.convert(row, holder)
    except msgspec.ValidationError as error:
        return _fault(str(error), row, holder)
    keys = frozenset(row) - _ENVELOPE
    return _incomplete(said, keys) or Command(kind=kind, id=said.id, said=_cleaned(said), keys=keys)


def _fault(problem: str, row: dict[str, str | float | bool], holder: type) -> str:
    """``fio2 = 60: expected a number <= 1 (a fraction; 60 % is 0.6)``."""
    what, _, place = problem.rpartition(" - at `$")
    where = path_of(place) if what else ()
    text = friendly(what or problem, types.type_info(holder), where)
    if not where:
        return text
    found = row[str(where[0])]
    return f"{where[0]} = {f'{found:g}' if isinstance(found, float) else literal(found)}: {text}"


def _incomplete(said: GasCommand | EventCommand | ContextCommand, keys: frozenset[str]) -> str:
    """What every key by itself allows and all together do not, or nothing."""
    if isinstance(said, ContextCommand):
        return "" if keys else "a context that states nothing: name the keys that change"
    if said.at_s is not None and said.at is not None:
        return "at_s and at both say when: give one of them, or neither for now"
    if isinstance(said, GasCommand) and all(getattr(said, key) is None for key in GAS_VALUES):
        return f"a blood gas without a value: give one of {', '.join(GAS_VALUES)}"
    return ""


def _cleaned(said: GasCommand | EventCommand | ContextCommand) -> GasCommand | EventCommand | ContextCommand:
    """A text in one printable line, since it will stand in logs and on terminals."""
    if isinstance(said, EventCommand):
        return msgspec.structs.replace(said, text=one_line(" ".join(said.text.split())))
    return said


def command_schema() -> dict[str, Any]:
    """JSON Schema of a command, made from what parses it."""
    kinds = dict.fromkeys(COMMANDS.values())
    _, found = msgspec.json.schema_components(kinds, ref_template="{name}")
    return {"title": SCHEMA, "anyOf": [_required(found[kind.__name__]) for kind in kinds]}


def _required(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema in which what may be left out may not be null instead."""
    properties = {}
    for name, rule in schema["properties"].items():
        choices = [one for one in rule.get("anyOf", ()) if one != {"type": "null"}]
        kept = choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else rule
        values = [value for value in kept.get("enum", ()) if value is not None]
        kept = {key: value for key, value in kept.items() if key != "default"}
        properties[name] = kept | ({"enum": values} if values else {})
    return schema | {"properties": properties}
