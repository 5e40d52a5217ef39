"""Text tables: a header with the unit in every name (contract.md §2), then rows of numbers, as programs write them.

Commas, semicolons, tabs or blanks part the fields, points or commas the decimals; lines may stand above the header, a
row of units below it; date-times may stand for seconds, and words for missing values. ``_dialect.py`` finds how a
table is written, ``_table_names.py`` what its columns are; what they assumed is told, and ``[recording]`` of the
sidecar overrides it. With a time the rows are put on a grid by ``_clock.py``; without, the row count is the clock and
a rate must be given. A signal with a rate of its own is a source of its own (``_lanes.py``); flow that is missing is
the slope of volume (``_from_volume.py``). A table with a channel a row is turned by ``_long_form.py``.

The table of any other program is read when its sidecar says which of its columns are which (``_columns.py``). The rest
of its columns may hold text, fields in quotes may hold the separator, and it may have no header at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from adapters._columns import KNOWN
from adapters._dialect import HEAD, find_dialect, lines_of
from adapters._fields import BLANK, share_of_values
from adapters._long_form import LongReader, is_long, long_form
from adapters._rows import REMEDY, RowReader
from adapters._table_names import knows, named
from adapters._text import MAX_LINE
from adapters.formats import ReadOptions
from streamer.chunk import Chunk
from streamer.context import Sidecar
from streamer.errors import DecodeError, VentstreamError
from streamer.records import Notice

__all__ = ["REMEDY", "Decoder", "recognise"]
_NO_TABLES = (".md", ".markdown", ".rst", ".html", ".tex", ".toml", ".yaml", ".yml", ".py", ".r", ".m", ".ipynb")
"""Suffixes of what may speak of tables and is none."""


def recognise(head: bytes, name: str) -> bool:
    """Whether a line near the beginning reads like a header of ours; the first one, also if it is only meant to."""
    return not name.lower().endswith(_NO_TABLES) and _recognise(head)


def _recognise(head: bytes) -> bool:
    lines, _ = lines_of(head[:HEAD], 1, final=True)
    try:
        dialect = find_dialect(lines, ReadOptions().table, partial(_knows, mapping={}))
    except DecodeError:
        return any(knows(line.text.split(delimiter), {}) for line in lines[:1] for delimiter in ",;\t")
    header = dialect.header
    if header is None or "\0" in header.text:
        return False
    has_values = any(share_of_values(row, dialect.point) > 0.0 for row in dialect.rows)  # prose has none
    if dialect.delimiter == BLANK:  # other programs part their own names so
        return has_values and any(one.lower() in KNOWN for one in dialect.names)
    if long_form(dialect) is not None:
        return True
    if not dialect.above:
        return knows(dialect.names, {})
    units = [*dialect.units, *[""] * len(dialect.names)]
    is_named = any(named(name, unit) for name, unit in zip(dialect.names, units, strict=False))
    return is_named and has_values


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
        lines, end = lines_of(self._head[:HEAD], self._line, final=final)
        first = next((line for line in lines if not line.is_comment), None)
        if first is None and lines and not final:
            self._line += len(lines)
            self._head = self._head[end:]
            return
        if (not lines and not final) or (first is not None and len(first.text) > MAX_LINE):
            raise DecodeError(f"line {self._line}: longer than {MAX_LINE} bytes: this is no header")
        line = first.number if first else 0
        try:
            dialect = find_dialect(lines, self._options.table, partial(_knows, mapping=self._options.columns))
            line = dialect.header.number if dialect.header else dialect.line
            places = long_form(dialect)
            self._reader = LongReader(dialect, self._options, places) if places else RowReader(dialect, self._options)
        except DecodeError as error:
            raise DecodeError(f"line {line}: {error}" if line else str(error)) from None
        self._head = self._head[end if dialect.start < 0 else dialect.start :]
