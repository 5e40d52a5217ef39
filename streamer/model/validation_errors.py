"""What is wrong with a value, in the words of a person who has never heard of msgspec.

For every reader of what people write: ``toml`` for files, ``wire.command`` for commands.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from msgspec import inspect as types

KeyPath: TypeAlias = tuple[str | int, ...]
"""``("bed", 0, "sources", 1, "path")``: table keys and places in arrays."""

MAX_SHOWN = 60
_FRIENDLY = {
    "float": "a number",
    "int": "a whole number",
    "str": "text",
    "bool": "true or false",
    "datetime": "a date-time with an offset, such as 2020-06-01T08:00:00Z",
    "date": "a date",
    "time": "a time of day",
    "array": "an array",
    "object": "a table",
}


def did_you_mean(word: str, known: Mapping[str, object]) -> str:
    """The remedy of a misspelt word: the nearest known one, else the list."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"


def out_of_range(key: str, found: object) -> str:
    """Why a threshold cannot be so, or nothing: durations, flows and volumes are not below 0, counts not below 1."""
    least = 1 if isinstance(found, int) and key.endswith("_breaths") else 0
    is_limit = key.startswith("min_p")  # of a pressure, which may be below zero
    return "" if is_limit or not isinstance(found, int | float) or found >= least else f"expected a number >= {least}"


def friendly(problem: str, kind: types.Type, where: KeyPath) -> str:
    """What msgspec says, in the words of a person who has never heard of it."""
    if missing := re.match("Object missing required field `(.*)`", problem):
        return f"missing key {missing[1]!r}"
    if invalid := re.match("Invalid enum value '?(.*?)'?$", problem):
        known = {str(option): None for option in _options(kind, where)}
        near = difflib.get_close_matches(invalid[1], known, n=1)
        return f"expected one of {', '.join(known)}" + (f"; did you mean {near[0]!r}?" if near else "")
    text = re.sub(", got `(?!array|object).*", "", problem.replace(" | null", "")).replace(", got ", ", not ")
    text = re.sub(r"`[^`]+`(?: with a timezone component)?", lambda name: _words(name.group()), text)
    hint = next(_hints(kind, where), "")
    if text.lower() == "expected an array, not a table" and where:
        text += f": write [[{where[-1]}]], one for each"
    return re.sub(r"(\d)\.0\b", r"\1", text.replace("Expected", "expected", 1)) + (f" ({hint})" if hint else "")


def _words(name: str) -> str:
    """``a number or text`` for msgspec's "`float | str`"."""
    named, _, rest = name[1:].partition("`")
    return " or ".join(
        _FRIENDLY.get(part + rest.replace(" with a timezone component", ""), part) for part in named.split(" | ")
    )


def _options(kind: types.Type, where: KeyPath) -> Iterator[object]:
    """The words allowed at a place within a type."""
    for part in _found_at(kind, where):
        if isinstance(part, types.LiteralType):
            yield from part.values
        elif isinstance(part, types.EnumType):
            yield from (member.value for member in part.cls)


def _hints(kind: types.Type, where: KeyPath) -> Iterator[str]:
    """What ``Meta(description=…)`` says of a place: the unit, and the mistake that is made first."""
    for part in _found_at(kind, where):
        if isinstance(part, types.Metadata) and part.extra_json_schema:
            yield str(part.extra_json_schema.get("description", ""))


def _found_at(kind: types.Type, where: KeyPath) -> Iterator[types.Type]:
    """The types that may stand at a place within a type."""
    for part in kind.types if isinstance(kind, types.UnionType) else (kind,):
        if not where:
            yield part
        elif isinstance(part, types.StructType | types.DataclassType):
            for field in part.fields:
                if field.encode_name == where[0]:
                    yield from _found_at(field.type, where[1:])
        elif (item := getattr(part, "item_type", None)) is not None:
            yield from _found_at(item, where[1:])


def path_of(place: str) -> KeyPath:
    """The ``.event[0].kind`` of msgspec as keys; what follows a ``[...]`` is unknown."""
    found = re.findall(r"\.(\w+)|\[(\d+)\]", place.partition("[...]")[0])
    return tuple(key or int(index) for key, index in found)


def literal(found: object) -> str:
    """A value as it was written, not at any length."""
    text = str(found).lower() if isinstance(found, bool) else repr(found) if isinstance(found, str) else str(found)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def one_line(text: str) -> str:
    """Keys and names may hold anything; a message stays one printable line."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
