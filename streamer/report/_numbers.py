"""Numbers, units and words formatted for a reader; no number is computed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from streamer.model.reasons import Code, Reason
from streamer.study.quantities import QUANTITIES, Quantity
from streamer.study.refusals import Refusal

if TYPE_CHECKING:
    import pandas as pd

Row: TypeAlias = Mapping[str, Any]
"""A row of a data frame; None where it is null."""

NONE = "\u2014"
MINUS = "\u2212"
DIMENSIONLESS = "1"
LEAST_SHARE = 0.0005
_CODES: dict[str, Code] = {code.value: code for kind in (Reason, Refusal) for code in kind}


def rows(frame: pd.DataFrame) -> list[Row]:
    """The rows of a frame, every kind of null as None."""
    nulls = frame.isna().to_numpy()
    found = zip(frame.itertuples(index=False, name=None), nulls, strict=True)
    names = [str(name) for name in frame.columns]
    return [
        {name: None if is_null else value for name, value, is_null in zip(names, values, null, strict=True)}
        for values, null in found
    ]


def quantities_of(*tables: list[Row]) -> list[Quantity]:
    """The quantities that occur in these rows, in the order of tables."""
    named = {row["quantity"] for table in tables for row in table}
    return [quantity for name, quantity in QUANTITIES.items() if name in named]


def number(value: float | None, digits: int) -> str:
    """A number with a true minus sign, or an em dash for None and NaN."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{value:.{digits}f}"
    if float(text) == 0.0:
        return text.lstrip("-")
    return text.replace("-", MINUS)


def signed(value: float | None, digits: int) -> str:
    """The same with a sign, unless it rounds to zero."""
    text = number(value, digits)
    is_up = value is not None and math.isfinite(value) and float(f"{value:.{digits}f}") > 0.0
    return f"+{text}" if is_up else text


def percent(share: float | None, digits: int = 0) -> str:
    """A share, in per cent."""
    return NONE if share is None else f"{number(100.0 * share, digits)} %"


def part(share: float | None) -> str:
    """A share as a percentage; a small one is ``< 0.1 %`` rather than ``0.0 %``."""
    return "< 0.1 %" if share is not None and 0.0 < share < LEAST_SHARE else percent(share, 1)


def count(value: float | None) -> str:
    """A whole number, which a data frame may hold as a float."""
    return number(value, 0)


def typeset(text: str) -> str:
    """``PaO₂``, ``cmH₂O``: for our own labels and units, never for what a user wrote."""
    return re.sub(r"(?<=[OH])2", "\u2082", text)


def unit(quantity: Quantity) -> str:
    """Unit for a reader; empty for a ratio."""
    return "" if quantity.unit == DIMENSIONLESS else typeset(quantity.unit)


def name(quantity: Quantity) -> str:
    """Its label with its unit: ``Pplat (cmH₂O)``."""
    label = typeset(quantity.label)
    return f"{label} ({unit(quantity)})" if unit(quantity) else label


def meaning(code: str) -> str:
    """Meaning of a reason code; empty for an unknown one."""
    return _CODES[code].meaning if code in _CODES else ""


def smallest(quantity: Quantity) -> str:
    """The smallest difference that counts as a change, as text."""
    parts = []
    if quantity.resolves:
        parts.append(f"{number(quantity.resolves, quantity.digits)} {unit(quantity)}".rstrip())
    if quantity.resolves_share:
        parts.append(f"{percent(quantity.resolves_share)} of the value at baseline")
    return " or ".join(parts) + (", the larger" if len(parts) > 1 else "")
