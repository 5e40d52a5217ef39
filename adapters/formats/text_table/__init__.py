"""Text tables: a header with the unit in every name (contract.md §2), then rows of numbers, as programs write them.

Fields may be separated by commas, semicolons, tabs or blanks, decimals by points or commas. Lines may precede the
header, and a row of units may follow it. Times may be date-times; words may stand for missing values. ``dialect.py``
finds how a table is written, ``column_roles.py`` what its columns are. Notes list their assumptions; ``[recording]`` of
the sidecar overrides them. With a time, ``stamped_grid.py`` puts the rows on a grid; without, the row count is the
clock and a rate must be given. A signal with a rate of its own is a source of its own (``rate_groups.py``). Flow that
is missing is the slope of volume (``flow_from_volume.py``). ``channel_rows.py`` turns a table with a channel a row.

The table of any other program is read when its sidecar says which of its columns are which (``columns.py``). The rest
of its columns may hold text, fields in quotes may hold the separator, and it may have no header at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from adapters.decoding.column_names import named
from adapters.decoding.columns import KNOWN
from adapters.decoding.contract import HEAD, ReadOptions, TextTable
from adapters.decoding.text_rows import MAX_LINE
from adapters.formats import FORMATS
from adapters.formats.text_table.channel_rows import LongReader, Places, is_long, long_form
from adapters.formats.text_table.column_roles import knows
from adapters.formats.text_table.dialect import Dialect, find_dialect
from adapters.formats.text_table.fields import BLANK, share_of_values
from adapters.formats.text_table.first_lines import lines_of
from adapters.formats.text_table.rows import REMEDY, RowReader
from streamer.model.chunk import Chunk
from streamer.model.context import Sidecar
from streamer.model.errors import DecodeError, VentstreamError
from streamer.model.records import Notice

__all__ = ["REMEDY", "Decoder", "recognise"]
_NO_TABLES = (".md", ".markdown", ".rst", ".html", ".tex", ".toml", ".yaml", ".yml", ".py", ".r", ".m", ".ipynb")
"""Suffixes of what may speak of tables and is none."""


_CONTROL = bytes({*range(1, 32)} - {*b"\t\n\v\f\r\x1a\x1b"})
_BINARY = 0.02
"""Share of control characters from which it is no text. NUL bytes do not count: disks leave them in text."""


_NOT_TABLES = ("servo_u", "rapidvent", "vscapture")
"""Formats of text whose rows, or whose export of other things, would pass for a table."""


def recognise(head: bytes, name: str) -> bool:
    """Whether a line near the beginning reads like a header of ours; the first one, also if it is only meant to.

    A text that begins as that of another format is never a table, whatever the lines below its beginning look like.
    """
    if name.lower().endswith(_NO_TABLES) or len(head) - len(head.translate(None, _CONTROL)) > _BINARY * len(head):
        return False
    if any(FORMATS[other].load().recognise(head, name) for other in _NOT_TABLES):
        return False
    look = _look(head[:HEAD], 1, TextTable(), (), final=len(head) < HEAD)
    if look.dialect is None:
        return any(knows(look.text.split(delimiter), {}) for delimiter in ",;\t")
    return _is_named(look.dialect, is_long=look.places is not None)


def _is_named(dialect: Dialect, *, is_long: bool) -> bool:
    """Whether some of its names are known."""
    header = dialect.header
    if header is None or "\0" in header.text:
        return False
    has_values = any(share_of_values(row, dialect.point) > 0.0 for row in dialect.rows)  # prose has none
    if dialect.delimiter == BLANK:  # other programs part their own names so
        return has_values and any(one.lower() in KNOWN for one in dialect.names)
    if is_long:
        return True
    if not dialect.above:
        return knows(dialect.names, {})
    units = [*dialect.units, *[""] * len(dialect.names)]
    is_named = any(named(name, unit) for name, unit in zip(dialect.names, units, strict=False))
    return is_named and has_values


class _Look(NamedTuple):
    """What was found at the beginning of a file, the first line of which is ``text``.

    Attributes:
        dialect: How the table is written; None: why not is ``wrong``.
        places: Where time, channel and value are, of a channel a row.
        line: Number of the header, or of the first line that says something; 0: there is none.
        size: Characters of that line.
        after: Number of the line that comes next.
        end: Where it begins.
    """

    text: str
    dialect: Dialect | None
    places: Places | None
    wrong: str
    line: int
    size: int
    after: int
    end: int


@lru_cache(maxsize=4)
def _look(head: bytes, number: int, said: TextTable, mapping: tuple[tuple[str, str], ...], *, final: bool) -> _Look:
    """Look at a beginning, once for all who ask: its first line has that number; it is all there is if ``final``."""
    lines, end = lines_of(head, number, final=final)
    first = next((line for line in lines if not line.is_comment), None)
    text, after = (lines[0].text, lines[-1].number + 1) if lines else ("", number)
    line, size = (first.number, len(first.text)) if first else (0, 0)
    try:
        dialect = find_dialect(lines, said, partial(_knows, mapping=dict(mapping)))
        line = dialect.header.number if dialect.header else dialect.line
        return _Look(text, dialect, long_form(dialect), "", line, size, after, end)
    except DecodeError as error:
        return _Look(text, None, None, str(error), line, size, after, end)


def _knows(names: Sequence[str], mapping: Mapping[str, str]) -> bool:
    """Whether a line is a header, of a column a channel or of a channel a row."""
    return knows(names, mapping) or is_long(names)


def told(head: bytes, options: ReadOptions) -> Sidecar:
    """What a table's beginning says of its gas and its start; nothing where it cannot be read."""
    decoder = Decoder(options)
    try:
        decoder.look(head)
        known = decoder.told
    except VentstreamError:
        return Sidecar()
    return known


class Decoder:
    """Bytes of a table → chunks and notices."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._head = b""
        self._line = 1
        self._reader: RowReader | LongReader | None = None

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete."""
        if self._reader is not None:
            return self._reader.feed(piece)
        self.look(piece)
        return self._begin() if self._reader is not None else []

    def look(self, piece: bytes) -> None:
        """Open the table as soon as enough of it is there."""
        self._head += piece
        while self._reader is None and len(self._head) >= HEAD:
            self._look(final=False)

    @property
    def told(self) -> Sidecar:
        """What the file says of itself, as far as it was looked at."""
        if self._reader is None:
            self._look(final=True)
        return self._reader.told if self._reader is not None else Sidecar()

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when there was no header or no usable row."""
        found: list[Chunk | Notice] = []
        if self._reader is None:
            self._look(final=True)
            found = self._begin()
        assert self._reader is not None
        return found + self._reader.close()

    def _begin(self) -> list[Chunk | Notice]:
        assert self._reader is not None
        head, self._head = self._head, b""
        return self._reader.feed(head)

    def _look(self, *, final: bool) -> None:
        """Open the table at its first lines; comments alone are passed over."""
        said, mapping = self._options.table, tuple(self._options.columns.items())
        head = self._head[:HEAD]
        look = _look(head, self._line, said, mapping, final=final)
        if look.size == 0 and look.after > self._line and not final:
            self._line = look.after
            self._head = self._head[look.end :]
            return
        if (look.after == self._line and not final) or look.size > MAX_LINE:
            raise DecodeError(f"line {self._line}: longer than {MAX_LINE} bytes: this is no header")
        where = f"line {look.line}: " if look.line else ""
        if look.dialect is None:
            raise DecodeError(where + look.wrong)
        start = look.end if look.dialect.start < 0 else look.dialect.start
        try:
            if look.places is not None:
                self._reader = LongReader(look.dialect, self._options, look.places)
            else:
                self._reader = RowReader(look.dialect, self._options, head[start : look.end])
        except DecodeError as error:
            raise DecodeError(f"{where}{error}") from None
        self._head = self._head[start:]
