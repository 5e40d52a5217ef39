"""Units of the columns, in a line beside the header; and headers of several levels."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from adapters.decoding.column_names import plain_of
from adapters.formats.text_table.fields import (
    share_of_values,
)

MOSTLY = 0.5
"""Share of values that makes a line a row: a table may have columns of text."""
Knows = Callable[[Sequence[str]], bool]
"""Whether a line of names has some that are known."""


def units_row(fields: list[str], point: str, width: int, knows: Knows) -> list[str]:
    """The fields of a row of units, or none: no value among them, and units among them."""
    plain = [plain_of(one).strip("[]() ") for one in fields]
    if len(fields) > width + 1 or share_of_values(fields, point) > 0.0 or knows(fields):
        return []
    looks = [one for one in plain if one]
    known = sum(_UNIT.fullmatch(one) is not None for one in looks)
    return plain if looks and known >= MOSTLY * len(looks) else []


def levels(names: list[str], above: Sequence[list[str]], point: str, knows: Knows) -> tuple[list[str], list[str]]:
    """Names and units of a header of several levels, as pandas writes it: an empty name stands in the level above.

    The last level names the index alone. Without empty names nothing changes, and there are no units.
    """
    units: list[str] = []
    for fields in reversed(above):
        if "" not in names or len(fields) != len(names):
            break
        if found := [] if units else units_row(fields, point, len(names), knows):
            units = found
        else:
            names = [name or plain_of(other) for name, other in zip(names, fields, strict=True)]
    return names, units


def units_above(above: Sequence[list[str]], point: str, width: int, knows: Knows) -> list[str]:
    """The units of the columns in a line above the names, behind a word for it or alone; or none."""
    for fields in filter(None, reversed(above)):
        is_labelled = "unit" in fields[0].lower() or "einheit" in fields[0].lower()
        found = units_row(["", *fields[1:]] if is_labelled else fields, point, width, knows)
        if sum(one != "" for one in found) > 1 and (is_labelled or len(found) == width):
            return [*found, *[""] * width][:width]
    return []


_UNIT = re.compile(
    r"s|sec\.?|secs|seconds?|ms|msec|m?l|m?l ?[/·]? ?(?:s|sec|min)(?:-1|⁻¹)?|lpm|slm|slpm|std ?l/min|%|vol ?%|"
    r"cm ?h[2₂]o|mbar|hpa|kpa|pa|mm ?hg|torr|bar|1|-|n/?a|bpm|°c|yyyy.*|hh:.*|date|time",
    re.IGNORECASE,
)
