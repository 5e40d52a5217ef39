"""How a text table is written: delimiter, decimal point, header, units, and where its rows begin.

Found from the beginning of a file, once, whatever the cutting: the delimiter is the one by which the last of these
lines fall into equally many fields, most of them numbers or date-times. The header is the nearest line above the rows
whose names are known, or else the line just above. Lines before it are ignored. A note lists what was found
and is not plain (a line of names, decimal points).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from adapters.decoding.column_names import plain_of
from adapters.decoding.contract import TextTable
from adapters.formats.text_table.fields import (
    BLANK,
    Line,
    is_grouped,
    is_number,
    may_be_grouped,
    share_of_values,
    split,
    without_end,
)
from adapters.formats.text_table.first_lines import LINES
from adapters.formats.text_table.header_units import MOSTLY, Knows, levels, units_above, units_row
from streamer.model.errors import DecodeError

ROWS = 600
"""Rows whose columns are looked at."""
LONG = 16_384
"""Characters of a line; longer ones are not looked at."""
ABOVE = 60
"""Lines among which a header with known names is looked for."""
POINTED = ((",", "."), (";", "."), ("\t", "."), ("|", "."), (BLANK, "."))
WRITTEN = (*POINTED, (";", ","), ("\t", ","), ("|", ","), (BLANK, ","), (",", ","))
"""Delimiter and decimal point, the likely ones first; a comma may be both where fields stand in quotes."""
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", BLANK: "blanks"}
_SEPARATOR = re.compile(r'"?sep=(.)"?[;,\t]*', re.IGNORECASE)
_NOTHING, _FEW = 1e-6, 4
_UNLIKELY = 0.9
"""What blanks weigh against a delimiter that is written: other lines of such a file fall into words by chance."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written.

    Attributes:
        delimiter: One character; a blank stands for any run of blanks and tabs.
        point: What stands before the decimals.
        header: The line of names; None where there is none.
        names: Of its columns: as the header has them, or their numbers from 0.
        units: Of its columns, where a row of units follows the header.
        line: Number of the first line that may be a row.
        start: Place of its first byte; -1 where there is none.
        rows: Fields of the first rows, for a look at what stands in them.
        trailing: Delimiters may follow the last field.
        above: Lines above the header, which may stand above another one later.
        grouped: The thousands of numbers stand apart: 1,234.5.
        notes: What was found and is not plain.
    """

    delimiter: str
    point: str
    header: Line | None
    names: list[str]
    units: list[str]
    line: int
    start: int
    rows: list[list[str]]
    trailing: bool
    above: frozenset[str]
    grouped: bool
    notes: list[str] = field(default_factory=list)


def find_dialect(lines: Sequence[Line], said: TextTable, knows: Knows) -> Dialect:
    """Look at the first lines of a table.

    Args:
        lines: Those of the file's beginning, in order.
        said: What is known of it.
        knows: Whether a line is a header whose names are known.

    Raises:
        DecodeError: There is nothing in it, or its numbers can be read in two ways.
    """
    if lines and (found := _SEPARATOR.fullmatch(lines[0].text.strip(" "))):  # a spreadsheet says its delimiter
        said, lines = replace(said, delimiter=said.delimiter or found[1]), lines[1:]
    written = [line for line in lines if not line.is_comment]
    written = [line for line in written if len(line.text) <= LONG] or written[:1]
    if not written:
        raise DecodeError("there is no header line")
    delimiter, point, width = _written_with([line.text for line in written], said, knows)
    fields = {line.number: split(line.text, delimiter) for line in written}
    first = next((line for line in written if _is_row(fields[line.number], width, point, knows)), None)
    named = _Named(delimiter, width, knows)
    header = named.header(lines, written, first, said)
    least = header.number + 1 if header else first.number if first else written[0].number
    below = [line for line in written if line.number >= least]
    names = split(_bare(header.text), delimiter) if header else [str(at) for at in range(width)]
    units = units_row(fields[below[0].number], point, len(names), knows) if header and below else []
    below = below[bool(units) :]
    if first and units:  # notes on the columns
        below = [line for line in below if line.number >= first.number]
    above = [line for line in written if header and line.number < header.number]
    if header and not units:
        names, units = levels(names, [fields[line.number] for line in above], point, knows)
    if header and not units:
        units = units_above([fields[line.number] for line in above], point, len(names), knows)
    table = [fields[line.number] for line in below[:ROWS]]
    rows = [row for row in table if len(row) == width]
    grouped = _grouped(rows, point, delimiter, said)
    fitted, fitted_units = _fitted(names, units, rows)
    trailing = width > len(fitted) and all(not plain_of(one) for row in rows for one in row[len(fitted) :])
    if width > len(fitted) and not trailing and len(rows) >= _FEW:
        raise DecodeError(_wider(width, len(fitted), delimiter))
    begin = below[0] if below else Line(lines[-1].number + 1, -1, "")
    dialect = Dialect(
        delimiter, point, header, fitted, fitted_units, begin.number, begin.start, table, trailing=trailing,
        above=frozenset(line.text.strip() for line in above), grouped=bool(grouped),
    )  # fmt: skip
    dialect.notes.extend(_notes(dialect, len(above), has_units=bool(units)))
    dialect.notes.extend([f"numbers such as {grouped!r} have their thousands apart"] if grouped else [])
    return dialect


def _bare(text: str) -> str:
    """A header without the sign of a comment before it."""
    plain = text.strip(BLANK)
    return plain.lstrip("#%/").strip(BLANK) if plain.startswith(("#", "%", "//")) else plain


def _written_with(texts: Sequence[str], said: TextTable, knows: Knows) -> tuple[str, str, int]:
    """Delimiter, point and fields of a row: those with which most lines have equally many fields, most of them values.

    A header that is known with a delimiter speaks for it. Damage at either end of these lines has no say.
    """
    some = texts if len(texts) <= 2 * LINES else [*texts[:LINES], *texts[-LINES:]]
    best, choice = 0.0, (max(",;\t", key=texts[0].count), ".", 0)  # no values, no names: as names are written
    for delimiter, point in WRITTEN if said.delimiter is None else [(said.delimiter, "."), (said.delimiter, ",")]:
        if delimiter != BLANK and not any(delimiter in text for text in some) and choice[2]:
            continue
        if said.decimal not in {None, point} or (delimiter == point and not any('"' in text for text in some)):
            continue
        values: dict[int, float] = {}
        for text in some:
            fields = split(text, delimiter)
            values[len(fields)] = values.get(len(fields), 0.0) + share_of_values(fields, point)
        width = max(values, key=lambda size: (values[size], size))
        header = any(knows(split(_bare(text), delimiter)) for text in texts[:ABOVE])
        worth = values[width] + 0.5 * header * len(some) + _NOTHING * width
        worth *= _UNLIKELY if delimiter == BLANK else 1.0
        if values[width] + header and worth > best:
            best, choice = worth, (delimiter, point, width)
    delimiter, point, width = choice
    return said.delimiter or delimiter, said.decimal or point, width or len(split(texts[0], delimiter))


def _is_row(fields: list[str], width: int, point: str, knows: Knows) -> bool:
    return len(fields) == width and share_of_values(fields, point) >= MOSTLY and not knows(fields)


class _Named:
    """Looks for the line of names."""

    def __init__(self, delimiter: str, width: int, knows: Knows) -> None:
        self._delimiter, self._width, self._knows = delimiter, width, knows

    def header(
        self, lines: Sequence[Line], written: Sequence[Line], first: Line | None, said: TextTable
    ) -> Line | None:
        """The line of names above the ``first`` row, a comment too if its names are known; None where there is none."""
        if said.header_line is not None:
            found = next((line for line in lines if line.number == said.header_line), None)
            if found is None and said.header_line:
                raise DecodeError(f"header_line = {said.header_line} is not among its first lines")
            return found
        if first is not None and first is written[0] and self._counts(first):
            return first
        above = [line for line in lines if first is None or line.number < first.number]
        known = [line for line in above if self._is_known(line)]
        known = known or [line for line in written[:ABOVE] if self._is_known(line)][:1]
        if known:
            return ([line for line in known if abs(self._size(line) - self._width) <= 1] or known)[-1]
        plain = [line for line in written if first is None or line.number < first.number]
        if not plain:
            return None
        wide = list(itertools.takewhile(lambda line: self._size(line) >= self._width - 1, reversed(plain)))
        return wide[-1] if first is not None and wide else plain[0]

    def _counts(self, line: Line) -> bool:
        """Whether the names are the columns' own numbers."""
        named = [plain for one in split(line.text, self._delimiter) if (plain := plain_of(one))]
        return len(named) > 1 and named == [str(at) for at in range(len(named))]

    def _is_known(self, line: Line) -> bool:
        return self._knows(split(_bare(line.text), self._delimiter))

    def _size(self, line: Line) -> int:
        return len(split(_bare(line.text), self._delimiter))


def _fitted(names: list[str], units: list[str], rows: Sequence[list[str]]) -> tuple[list[str], list[str]]:
    """Names and units of the columns that the rows have: a header may leave out that of row names, or of nothing."""
    plain = without_end(names)
    used = max((len(without_end(row)) for row in rows), default=len(plain))
    if used == len(plain) + 1 and all(_is_label(row[0]) for row in rows):
        return ["", *plain], ["", *units][: len(plain) + 1]
    if 1 < used < len(plain) and all(_REMARK.fullmatch(plain_of(one)) for one in plain[used:]):
        plain = plain[:used]  # rows end before remarks that they do not have
    plain = names[: max(min(used, len(names)), len(plain))]  # columns without a name
    return plain, units[: len(plain)]


_REMARK = re.compile(r"(?:comment|remark|note|annotation|marker|kommentar|bemerkung|commentaire)s?", re.IGNORECASE)


def _is_label(text: str) -> bool:
    """Whether it may name or count a row."""
    plain = plain_of(text)
    return plain.isdigit() or not any(letter.isdigit() for letter in plain) or text.strip().startswith('"')


def _grouped(rows: Sequence[list[str]], point: str, delimiter: str, said: TextTable) -> str:
    """A number whose thousands stand apart, if there is one.

    Raises ``DecodeError`` where every number with a comma or point may be an integer with thousands apart.
    """
    fields = [plain for row in rows for one in row if "," in (plain := plain_of(one)) or "." in plain or "'" in plain
              or not plain.isascii()]  # fmt: skip
    pointed = [one for one in fields if point in one and (is_number(one, point) or is_grouped(one, point))]
    apart = [one for one in fields if is_grouped(one, point) and not is_number(one, point)]
    doubted = [one for one in apart if may_be_grouped(one)]
    is_plain = point == "." and delimiter != ";" and not doubted
    if said.decimal is None and not is_plain and (doubted or pointed) and all(map(may_be_grouped, pointed)):
        shown = (doubted or pointed)[0][:20]
        what = f"numbers such as {shown!r} have decimals or thousands behind the {'comma' if ',' in shown else 'point'}"
        raise DecodeError(f'{what}: say decimal = "," or "." under [recording] in the sidecar')
    return apart[0][:20] if apart else ""


def _wider(fields: int, names: int, delimiter: str) -> str:
    """What is wrong where rows have more fields than there are names: which is which is not known."""
    hint = "with decimal commas, fields need semicolons or tabs between them" if delimiter == "," else "name them all"
    return f"rows have {fields} fields, the header {names}: {hint}; or say header_line under [recording] in the sidecar"


def _notes(dialect: Dialect, above: int, *, has_units: bool) -> list[str]:
    found = []
    if dialect.point == ",":
        found.append("decimals stand behind a comma")
    if dialect.delimiter in {BLANK, "|"}:
        found.append(f"fields stand between {NAMES[dialect.delimiter]}")
    if above:
        assert dialect.header
        found.append(f"the header is line {dialect.header.number}; {above} lines above it are not read")
    if has_units:
        found.append("a line beside the header is one of units")
    return found
