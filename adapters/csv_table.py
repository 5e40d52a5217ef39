"""Canonical CSV: a header with the unit in every name (contract.md §2), then rows of decimal numbers.

Separators comma, semicolon or tab; an empty field or ``nan`` is a missing sample; ``#`` begins a comment line. With
``time_s`` the rows are put on a grid by ``_clock.py``; without, the row count is the clock and a rate must be given.
"""

from __future__ import annotations

import re

import numpy as np

from adapters._clock import Clock
from adapters._columns import Columns, columns, looks_like_header
from adapters._samples import UNKNOWN_GAP_S, Samples
from adapters._text import BOM, MAX_LINE, NONE, Line, Rows, Scanner, shown
from adapters.formats import ReadOptions
from streamer.chunk import Chunk, FloatArray
from streamer.errors import DecodeError
from streamer.records import Notice, NoticeKind

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
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


class Decoder:
    """Bytes of a CSV file → chunks and notices."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._head = b""
        self._line = 1
        self._table: _Table | None = None

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
            at = end.end()
            if self._table is not None:
                break
        rest, self._head = self._head[at:], self._head[at:]
        if self._table is not None:
            return rest
        if final or len(rest) > MAX_LINE:
            self._open(rest)
        return b""

    def _open(self, raw: bytes) -> None:
        line, self._line = self._line, self._line + 1
        if len(raw) > MAX_LINE:
            raise DecodeError(f"line {line}: longer than {MAX_LINE} bytes: this is no header")
        text = (raw.removeprefix(BOM) if line == 1 else raw).decode("utf-8", "replace").strip()
        if not text or text.startswith("#"):
            return
        delimiter = _delimiter(text)
        try:
            table = columns(text.split(delimiter))
        except DecodeError as error:
            raise DecodeError(f"line {line}: {error}") from None
        self._table = _Table(table, text, line, self._options)


class _Table:
    """The rows below a header."""

    def __init__(self, table: Columns, header: str, line: int, options: ReadOptions) -> None:
        self._header = header
        self._delimiter = _delimiter(header)
        self._names = header.split(self._delimiter)
        self._time = table.time
        filled = NONE if table.time is None else table.time
        self._scanner = Scanner(len(self._names), self._delimiter, filled=filled, line=line + 1)
        if table.time is None and options.rate_hz is None:
            raise DecodeError(f"line {line}: no time_s column and no rate; {REMEDY}")
        self.samples = Samples("csv", options.rate_hz or 1.0, table.channels)
        self._clock = Clock(self.samples, options.rate_hz, REMEDY) if table.time is not None else None

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        for part in self._scanner.feed(piece):
            self._take(part)
        if self._clock:
            self._clock.settle()
        return self.samples.take()

    def close(self) -> list[Chunk | Notice]:
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
        if self._clock is None or self._time is None:
            self.samples.rows(values)
        else:
            self._clock.rows(values[:, self._time], values)

    def _second_header(self, part: Line) -> None:
        """Recordings strung together. Stamps say where the second begins; without them nobody knows."""
        if self._clock is None:
            what = f"line {part.line}: the header again, so another recording begins"
            self.samples.note(NoticeKind.GAP, f"{what}; the pause between is unknown and shown as {UNKNOWN_GAP_S:g} s")
            self.samples.restart(self.samples.now_s + UNKNOWN_GAP_S)

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
        fields = raw.decode("utf-8", "replace").split(self._delimiter)
        if len(fields) != len(self._names):
            return none, f"{shown(raw)} has {len(fields)} fields, the header {len(self._names)}"
        numbers = []
        for name, field in zip(self._names, fields, strict=True):
            plain = field.strip().strip('"').strip()
            if plain and plain.lower() != "nan" and not _NUMBER.fullmatch(plain):
                hint = "; decimals need a point" if re.fullmatch(r"[-+]?\d+,\d+", plain) else ""
                return none, f"{plain[:40]!r} in column {name.strip()} is not a number{hint}"
            numbers.append(float(plain or "nan"))
        if self._time is not None and np.isnan(numbers[self._time]):
            return none, f"{shown(raw)} has no time"
        if np.isinf(numbers).any():
            return none, f"{shown(raw)} has a number too large"
        return np.array([numbers]), ""
