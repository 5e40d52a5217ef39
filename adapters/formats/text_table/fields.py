"""What a field of a text table is: a number, nothing, a date-time, or other text. Used to find its dialect."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import NamedTuple

from adapters.decoding.column_names import plain_of
from adapters.decoding.stamps import STAMP
from adapters.decoding.text_rows import FAMILIAR

BLANK = " "
"""As a delimiter it stands for any run of blanks and tabs."""
COMMENTS = ("#", "%", "//")
"""What a line of comment begins with."""
_NUMBERS = {
    ".": re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?"),
    ",": re.compile(r"[-+]?(\d+(,\d*)?|,\d+)([eE][-+]?\d+)?"),
}
_THOUSANDS = {
    ".": re.compile(r"[-+]?[1-9]\d{0,2}(?:[,'\u2019\u00a0\u2009\u202f]\d{3})+(\.\d*)?"),
    ",": re.compile(r"[-+]?[1-9]\d{0,2}(?:[.'\u2019\u00a0\u2009\u202f]\d{3})+(,\d*)?"),
}
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:[.,]\d{3})+")
_MISSING = frozenset({"", *FAMILIAR})


class Line(NamedTuple):
    """A line at the beginning of a file.

    Attributes:
        number: From 1.
        start: Place of its first byte.
        text: Without its end.
    """

    number: int
    start: int
    text: str

    @property
    def is_comment(self) -> bool:
        """Whether it is empty or a comment."""
        plain = self.text.strip(" \t\0;,")
        return not plain or (plain.startswith(COMMENTS) and not plain.startswith("#N"))


def split(text: str, delimiter: str) -> list[str]:
    """The fields of a line; a delimiter between quotes parts nothing."""
    if delimiter == BLANK and '"' not in text:
        return text.split()
    if '"' not in text:
        return text.split(delimiter)
    plain = re.sub(r"[ \t]+", BLANK, text.strip()) if delimiter == BLANK else text
    try:
        return next(csv.reader([plain], delimiter=delimiter, skipinitialspace=True), [""])
    except csv.Error:  # a field longer than any number
        return plain.split(delimiter)


def is_number(plain: str, point: str) -> bool:
    """Whether it is a number whose decimals stand behind ``point``."""
    return len(plain) < 400 and _NUMBERS[point].fullmatch(plain) is not None  # noqa: PLR2004 (longer ones are none)


def is_grouped(plain: str, point: str) -> bool:
    """Whether it is a number with thousands apart: 1,234.5 or 1'234 where the decimals stand behind a point."""
    return len(plain) < 60 and _THOUSANDS[point].fullmatch(plain) is not None  # noqa: PLR2004 (longer ones are none)


def value_of(plain: str, point: str) -> float:
    """The number of a field that ``is_number`` or ``is_grouped``."""
    if is_number(plain, point):
        return float(plain.replace(",", "."))
    return float(re.sub(rf"[^-+\d{point}]", "", plain).replace(",", "."))


def is_missing(plain: str, words: Sequence[str] = ()) -> bool:
    """Whether it stands for a missing value."""
    return plain.upper() in _MISSING or plain.upper() in words


def is_stamp(plain: str) -> bool:
    """Whether it looks like a date-time or a time of day."""
    found = STAMP.fullmatch(plain) if 4 <= len(plain) <= 60 else None  # noqa: PLR2004 (1:23, and names of months)
    return bool(found and found["time"])


def is_date(plain: str) -> bool:
    """Whether it looks like a date without a time."""
    found = STAMP.fullmatch(plain) if 6 <= len(plain) <= 20 else None  # noqa: PLR2004 (1.1.24, and names of months)
    return bool(found and found["date"] and not found["time"])


def may_be_grouped(plain: str) -> bool:
    """Whether it is an integer with separated thousands, or a number of exactly three decimals: 1,234."""
    return _GROUPED.fullmatch(plain) is not None and not ("," in plain and "." in plain)


def share_of_values(fields: Sequence[str], point: str) -> float:
    """Share of numbers and date-times among the fields that say something; 0 where none does."""
    said = [plain for field in fields if not is_missing(plain := plain_of(field))]
    if not said:
        return 0.0
    return sum(is_number(plain, point) or is_stamp(plain) or is_grouped(plain, point) for plain in said) / len(said)


def without_end(fields: list[str]) -> list[str]:
    """The fields but for empty ones at the end: a line may end in delimiters."""
    last = len(fields)
    while last > 1 and not fields[last - 1].strip():
        last -= 1
    return fields[:last]
