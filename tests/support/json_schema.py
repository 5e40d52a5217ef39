"""Just enough of JSON Schema to check payloads against what is published; an unknown keyword is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "null": (type(None),),
    "boolean": (bool,),
}
SILENT = {"$schema", "title", "description", "format", "default"}


def problems(value: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
    return [f"{at}: {text}" if not text.startswith("$") else text for text in _problems(value, schema, at)]


def _problems(value: Any, schema: dict[str, Any], at: str) -> Iterator[str]:
    for keyword, rule in schema.items():
        if keyword in SILENT or keyword in {"patternProperties", "additionalProperties"}:
            continue
        match keyword:
            case "type":
                kinds = [rule] if isinstance(rule, str) else rule
                if not any(isinstance(value, TYPES[k]) and isinstance(value, bool) == (k == "boolean") for k in kinds):
                    yield f"{value!r} is not {rule}"
            case "const":
                if value != rule:
                    yield f"{value!r} is not {rule!r}"
            case "enum":
                if value not in rule:
                    yield f"{value!r} is none of {rule}"
            case "minimum":
                if isinstance(value, int | float) and value < rule:
                    yield f"{value!r} is below {rule}"
            case "maximum":
                if isinstance(value, int | float) and value > rule:
                    yield f"{value!r} is above {rule}"
            case "exclusiveMinimum":
                if isinstance(value, int | float) and value <= rule:
                    yield f"{value!r} is not above {rule}"
            case "maxLength":
                if isinstance(value, str) and len(value) > rule:
                    yield f"{value!r} is longer than {rule}"
            case "anyOf":
                if all(problems(value, one, at) for one in rule):
                    yield f"{value!r} fits none of {len(rule)} choices"
            case "pattern":
                if isinstance(value, str) and not re.search(rule, value):
                    yield f"{value!r} does not match {rule}"
            case "required":
                yield from (f"{name!r} is missing" for name in rule if name not in value)
            case "items":
                for index, item in enumerate(value):
                    yield from problems(item, rule, f"{at}[{index}]")
            case "properties":
                for name in rule.keys() & value.keys():
                    yield from problems(value[name], rule[name], f"{at}.{name}")
            case _:
                raise AssertionError(f"this validator does not know {keyword!r}")
    if isinstance(value, dict):
        yield from _others(value, schema, at)


def _others(value: dict[str, Any], schema: dict[str, Any], at: str) -> Iterator[str]:
    patterns = schema.get("patternProperties", {})
    for name in value.keys() - schema.get("properties", {}).keys():
        fitting = [rule for pattern, rule in patterns.items() if re.search(pattern, name)]
        rest = schema.get("additionalProperties", True)
        if not fitting and rest is False:
            yield f"{name!r} is not foreseen"
        for rule in fitting or ([rest] if isinstance(rest, dict) else []):
            yield from problems(value[name], rule, f"{at}.{name}")
