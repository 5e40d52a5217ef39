"""Canonical CSV: a header with the unit in every name (contract.md §2), then rows of decimal numbers.

Separators comma, semicolon or tab; an empty field or ``nan`` is a missing sample; ``#`` begins a comment line. With
``time_s`` or ``time_ms`` the rows are put on a grid by ``_clock.py``; without, the row count is the clock and a rate
must be given.

The CSV of any other program is read when its sidecar says which of its columns are which (``_columns.py``). The rest
of its columns may hold text, fields in quotes may hold the separator, and it may have no header at all.
"""

from __future__ import annotations

import csv
import re

import numpy as np

from adapters._clock import Clock
from adapters._columns import TIMES, columns, looks_like_header, number
from adapters._samples import Samples
from adapters._text import BOM, MAX_LINE, NONE, Line, Rows, Scanner, shown
from adapters.formats import ReadOptions
from streamer.chunk import Chunk, FloatArray
from streamer.errors import DecodeError
from streamer.records import Notice

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_LINE_END = re.compile(rb"\r\n|\r|\n")
REMEDY = "give --rate HZ, or rate_hz under [recording] in the sidecar"


def recognise(head: bytes, name: str) -> bool:
    """Whether the first line that is no comment reads like a header of ours, or is meant to."""
    del name
    for raw in _LINE_END.split(head.removeprefix(BOM)):
        line = raw.strip()
        if line and not line.startswith(b"#"):
            text = line.decode("utf-8", "replace")
            return looks_like_header(text.split(_delimiter(text)))
    return False


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _is_row(fields: list[str], options: ReadOptions) -> bool:
    """Whether a first line is a row: columns are known by number, and stand in it as numbers that are no names."""
    places = [number(name) for name in options.columns]
    numbers = [at for at in places if at is not None and at < len(fields)]
    if not numbers or len(numbers) < len(places):
        return False
    named = [field for field in fields if field.strip()]
    if named == [str(at) for at in range(len(named))]:
        return False
    return all(_NUMBER.fullmatch(fields[at].strip().strip('"').strip()) for at in numbers)


class Decoder:
    """Bytes of a CSV file → chunks and notices."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._head = b""
        self._line = 1
        self._table: _Table | None = None
        self._headless = False

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete."""
        if self._table is None:
            self._head += piece
            piece = self._find_header(final=False)
        return self._table.feed(piece) if self._table else []

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when there was no header or no usable row."""
        rest = b""
        if self._table is None:
            rest = self._find_header(final=True)
        if self._table is None:
            raise DecodeError("there is no header line")
        return self._table.feed(rest) + self._table.close()

    def _find_header(self, *, final: bool) -> bytes:
        """Open the table at the first line that is neither empty nor a comment; what follows it."""
        at = 0
        for end in _LINE_END.finditer(self._head):
            if end.end() == len(self._head) and end.group() == b"\r" and not final:
                break  # its newline may follow
            self._open(self._head[at : end.start()])
            if not self._headless:
                at = end.end()
            if self._table is not None:
                break
        rest, self._head = self._head[at:], self._head[at:]
        if self._table is not None:
            return rest
        if final or len(rest) > MAX_LINE:
            self._open(rest)
        return rest if self._headless else b""

    def _open(self, raw: bytes) -> None:
        line, self._line = self._line, self._line + 1
        if len(raw) > MAX_LINE:
            raise DecodeError(f"line {line}: longer than {MAX_LINE} bytes: this is no header")
        text = (raw.removeprefix(BOM) if line == 1 else raw).decode("utf-8", "replace")
        text = text.strip(" ") if self._options.columns else text.strip()
        if not text.strip() or text.startswith("#"):
            return
        try:
            self._table = _Table(text, line, self._options)
        except DecodeError as error:
            raise DecodeError(f"line {line}: {error}") from None
        self._headless = self._table.headless


class _Table:
    """The rows below a header, or from the first line on.

    Attributes:
        headless: The line it was made from is no header but the first row.
    """

    def __init__(self, header: str, line: int, options: ReadOptions) -> None:
        """Raises ``DecodeError`` or ``ConfigError`` for a header that cannot be used."""
        self._delimiter = _delimiter(header)
        self._quotes = bool(options.columns)
        names = self._fields(header)
        self.headless = _is_row(names, options)
        self._header = "" if self.headless else header
        self._names = [str(at) for at in range(len(names))] if self.headless else names
        self._columns = table = columns(self._names, options.columns, options.barometric_mmhg)
        if table.time is None and options.rate_hz is None:
            raise DecodeError(f"no {' or '.join(TIMES)} column and no rate; {REMEDY}")
        filled = NONE if table.time is None else table.time
        first = line if self.headless else line + 1
        self._scanner = Scanner(len(names), self._delimiter, filled=filled, line=first, used=table.used)
        self.samples = Samples("csv", options.rate_hz or 1.0, table.channels)
        self._clock = Clock(self.samples, options.rate_hz, REMEDY) if table.time is not None else None

    def _fields(self, text: str) -> list[str]:
        if self._quotes and '"' in text:
            return next(csv.reader([text], delimiter=self._delimiter))
        return text.split(self._delimiter)

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        with self.samples.good_first():
            for part in self._scanner.feed(piece):
                self._take(part)
            if self._clock:
                self._clock.settle()
        return self.samples.take()

    def close(self) -> list[Chunk | Notice]:
        with self.samples.good_first():
            for part in self._scanner.close():
                self._take(part)
            if self._clock:
                self._clock.settle(final=True)
        return self.samples.close()

    def _take(self, part: Rows | Line) -> None:
        if isinstance(part, Rows):
            self._rows(part.values)
            return
        text = part.text.strip(b"\0 \t" if self._delimiter != "\t" else b"\0 ")
        if not text.strip() or text.startswith(b"#"):
            if b"\0" in part.text:
                self._damaged(part, "NUL bytes")
            return
        if text == self._header.encode():
            self._second_header(part)
            return
        values, wrong = self._careful(part.text)
        if wrong:
            self._damaged(part, wrong)
        else:
            self._rows(values)

    def _rows(self, values: FloatArray) -> None:
        if self._clock is None:
            self.samples.rows(values)
        else:
            self._clock.rows(self._columns.seconds(values), values)

    def _second_header(self, part: Line) -> None:
        """Recordings strung together. Stamps say where the second begins; without them nobody knows."""
        if self._clock is None:
            self.samples.pause(f"line {part.line}: the header again, so another recording begins")

    def _damaged(self, part: Line, what: str) -> None:
        """NUL bytes stand where a disk lost that many bytes of rows, here of some six bytes a field."""
        if self._clock:
            self._clock.damaged(part.line, what, len(self._names))
            return
        lost = part.text.count(b"\0") // (6 * len(self._names)) if self.samples.good_rows else 0
        self.samples.damaged(part.line, what, slots=max(lost, 1))

    def _careful(self, raw: bytes) -> tuple[FloatArray, str]:
        """One line with Python's own means: exponents, quotes, ``nan``, many digits. Values, and what is wrong."""
        none = np.empty((0, len(self._names)))
        if len(raw) > MAX_LINE:
            return none, f"longer than {MAX_LINE} bytes"
        fields = self._fields(raw.decode("utf-8", "replace"))
        if len(fields) != len(self._names):
            return none, f"{shown(raw)} has {len(fields)} fields, the header {len(self._names)}"
        numbers = [float("nan")] * len(fields)
        for at in sorted(self._columns.used):
            name, field = self._names[at], fields[at]
            plain = field.strip().strip('"').strip()
            if plain and plain.lower() != "nan" and not _NUMBER.fullmatch(plain):
                hint = "; decimals need a point" if re.fullmatch(r"[-+]?\d+,\d+", plain) else ""
                return none, f"{plain[:40]!r} in column {name.strip()} is not a number{hint}"
            numbers[at] = float(plain or "nan")
        if self._columns.time is not None and np.isnan(numbers[self._columns.time]):
            return none, f"{shown(raw)} has no time"
        if np.isinf(numbers).any():
            return none, f"{shown(raw)} has a number too large"
        return np.array([numbers]), ""
