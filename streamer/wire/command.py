"""Parse commands: a payload of the topic ``command`` becomes a ``Command`` or a ``Refusal``. Input is not trusted.

A command is one flat JSON object with the keys, limits and messages of ``model.context``. It states what is the case or
what happened, never what to do: no command reaches a ventilator.
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
"""Bytes; an ordinary command has about a hundred."""
MAX_ID = 64
NOT_A_COMMAND = 'not a command: send one flat JSON object, {"schema": "command/1", "kind": "note", "text": "…"}'

Schema: TypeAlias = Literal["command/1"]
Id: TypeAlias = Annotated[
    str, Meta(max_length=MAX_ID, description="sent back with the answer; a repeated one is refused")
]


class GasCommand(BloodGas, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An arterial sample, drawn at ``at_s``, at ``at``, or now (neither given).

    Examples:
        >>> GasCommand(schema="command/1", kind="blood_gas", pco2_art_mmhg=52.0).pco2_art_mmhg
        52.0
    """

    schema: Schema
    kind: Literal["blood_gas"]
    id: Id = ""


class EventCommand(SessionEvent, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A change of position or settings, suction, a recruitment manoeuvre or a note, at ``at_s``, at ``at``, or now.

    Examples:
        >>> EventCommand(schema="command/1", kind="prone").kind
        'prone'
    """

    schema: Schema
    id: Id = ""


class ContextCommand(Context, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Facts about patient and sensors that hold from now on; keys that are left out stay as they are.

    Examples:
        >>> ContextCommand(schema="command/1", kind="context", passive="asserted").passive
        'asserted'
    """

    schema: Schema
    kind: Literal["context"]
    id: Id = ""


COMMANDS: dict[str, type[GasCommand | EventCommand | ContextCommand]] = {
    "blood_gas": GasCommand,
    "context": ContextCommand,
    **dict.fromkeys(get_args(EventKind), EventCommand),
}
"""Kind of command → the type of its content."""
_ENVELOPE = frozenset({"schema", "kind", "id"})
_decoder = msgspec.json.Decoder(dict[str, str | float | bool])


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A well-formed command. Whether it can be carried out depends on the bed.

    Attributes:
        kind: As it was sent.
        id: As it was sent; empty when there was none.
        said: Its content.
        keys: The keys that it states, without schema, kind and id.

    Examples:
        >>> command = parse_command(b'{"schema": "command/1", "kind": "prone", "at_s": 2400}')
        >>> command.kind, command.at_s, sorted(command.keys)
        ('prone', 2400.0, ['at_s'])
    """

    kind: str
    id: str
    said: GasCommand | EventCommand | ContextCommand
    keys: frozenset[str] = field(default_factory=frozenset)

    @property
    def at_s(self) -> float | None:
        """When it happened, device clock in s; None if the command does not say so."""
        return None if isinstance(self.said, ContextCommand) else self.said.at_s

    @property
    def at(self) -> datetime | None:
        """When it happened, as an aware date-time; None if the command does not say so."""
        return None if isinstance(self.said, ContextCommand) else self.said.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A payload that is not a command.

    Attributes:
        reason: Why, with the remedy, in one line.
        kind: As far as it could be read.
        id: As far as it could be read.

    Examples:
        >>> parse_command(b'{"schema": "command/1", "kind": "blood_gas", "fio2": 60}').reason
        'fio2 = 60: expected a number <= 1 (a fraction; 60 % is 0.6)'
    """

    reason: str
    kind: str = ""
    id: str = ""


def parse_command(payload: bytes) -> Command | Refusal:
    """Parse one payload of the topic ``command``. Any bytes are accepted; nothing is raised.

    Args:
        payload: What an MQTT client delivered.

    Returns:
        The command, or the refusal with reason and remedy.

    Examples:
        >>> parse_command(b'{"schema": "command/1", "kind": "note", "text": "tube changed"}').said.text
        'tube changed'
        >>> parse_command(b"prone").reason.partition(":")[0]
        'not a command'
    """
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
    """The command, or the reason why the object is not one."""
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
    """The problem of keys that are allowed one by one but not together; empty if there is none."""
    if isinstance(said, ContextCommand):
        return "" if keys else "a context that states nothing: name the keys that change"
    if said.at_s is not None and said.at is not None:
        return "at_s and at both give a time: state one of them, or neither for now"
    if isinstance(said, GasCommand) and all(getattr(said, key) is None for key in GAS_VALUES):
        return f"a blood gas without a value: give one of {', '.join(GAS_VALUES)}"
    return ""


def _cleaned(said: GasCommand | EventCommand | ContextCommand) -> GasCommand | EventCommand | ContextCommand:
    """The same with its text as one printable line, since logs and terminals show it."""
    if isinstance(said, EventCommand):
        return msgspec.structs.replace(said, text=one_line(" ".join(said.text.split())))
    return said


def command_schema() -> dict[str, Any]:
    """JSON Schema of a command, generated from the types that parse it."""
    kinds = dict.fromkeys(COMMANDS.values())
    _, found = msgspec.json.schema_components(kinds, ref_template="{name}")
    return {"title": SCHEMA, "anyOf": [_required(found[kind.__name__]) for kind in kinds]}


def _required(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema without null: an optional key is left out, never null."""
    properties = {}
    for name, rule in schema["properties"].items():
        choices = [one for one in rule.get("anyOf", ()) if one != {"type": "null"}]
        kept = choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else rule
        values = [value for value in kept.get("enum", ()) if value is not None]
        kept = {key: value for key, value in kept.items() if key != "default"}
        properties[name] = kept | ({"enum": values} if values else {})
    return schema | {"properties": properties}
