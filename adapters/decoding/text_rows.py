"""Text of devices cut into lines, rows of decimal numbers parsed by a compiled scan. Used by the text formats.

Rows that follow the strict grammar of ``row_kernels.py`` come out as blocks of numbers; every other line comes out as
text for the format's own careful path, which must accept at least what the scan accepts, with the same value.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.decoding.row_kernels import ALL, LONGEST_LINE, MAX_WORD, NUMBER, POWERS, STAMP, scan
from streamer.model.chunk import FloatArray

MAX_LINE = LONGEST_LINE
NONE = -1
"""``filled``: any field may be empty."""
BLOCK = 262_144
"""Bytes parsed at a time."""
BOM = b"\xef\xbb\xbf"
"""Programs on Windows begin a text with it."""

FAMILIAR: tuple[str, ...] = (
    "NA", "N/A", "NAN", "NULL", "NONE", "NIL", "<NA>", "#N/A", "#NA", "#N/D", "#NV", "#DIV/0!", "#VALUE!", "#NUM!",
    "#REF!", "-", "--", "---", "?", ".",
)  # fmt: skip
"""What programs write for a missing value, besides nothing; capitals and small letters are alike."""


class Rows(NamedTuple):
    """Consecutive lines that are rows: ``values (n, columns)``."""

    values: FloatArray


class Line(NamedTuple):
    """Any other line that is not empty, without its end; at most ``MAX_LINE + 1`` bytes of it."""

    line: int
    text: bytes


class Scanner:
    """Bytes in any pieces → ``Rows`` and ``Line`` in order, the same for every cutting (blocks of rows apart).

    A byte order mark before the first line is passed over.

    Attributes:
        line: Number of the line that comes next, from 1.
    """

    def __init__(
        self,
        columns: int,
        delimiter: str,
        *,
        decimals: int = -1,
        filled: int = ALL,
        line: int = 1,
        used: Container[int] | None = None,
        point: str = ".",
        words: Sequence[str] = (),
        trailing: bool = False,
        stamp: tuple[int, Sequence[int]] | None = None,
    ) -> None:
        """Say what a row is.

        Args:
            columns: Fields of a row; 0: there are no rows, every line comes as text.
            delimiter: One character between them; a blank stands for any run of blanks and tabs.
            decimals: Digits that must follow the point; -1 for any number.
            filled: Which field must not be empty: ``ALL``, ``NONE`` or a position; other empty fields are NaN.
            line: Number of the first line.
            used: Positions of the fields that are numbers; the others hold anything and come as NaN. None: all.
            point: What stands before the decimals.
            words: Capitals, each of which stands for a missing value.
            trailing: Whether delimiters may follow the last field.
            stamp: Position of the field that is a date-time, and the order of its parts; it comes in µs.
        """
        self.line = line
        filled = filled if columns > 1 else ALL
        kinds = np.array([NUMBER * (used is None or at in used) for at in range(columns)], dtype=np.uint8)
        order = None if stamp is None else np.array(stamp[1], dtype=np.int64)
        if stamp is not None and columns:
            kinds[stamp[0]] = STAMP
        grammar = np.array([ord(delimiter), ord(point), decimals, filled, trailing], dtype=np.int64)
        # None is a type to the compiler, so a table of numbers alone pays nothing for the others.
        self._grammar = (grammar, None if (kinds == NUMBER).all() else kinds, order, _packed(words))
        self._columns = columns
        self._kept = b""
        self._begins = line == 1

    def feed(self, piece: bytes) -> Iterator[Rows | Line]:
        """What the bytes so far complete."""
        for first in range(0, len(piece), BLOCK):
            yield from self._walk(self._kept + piece[first : first + BLOCK], final=False)
            if len(self._kept) > MAX_LINE + 1:  # too long to be a line: its first part stands for it until it ends
                self._kept = self._kept[: MAX_LINE + 1] + (b"\r" if self._kept.endswith(b"\r") else b"")

    def close(self) -> Iterator[Rows | Line]:
        """The last line, if it has no end."""
        yield from self._walk(self._kept, final=True)

    @property
    def is_within_line(self) -> bool:
        """Whether a line has begun whose end did not come."""
        return bool(self._kept) and not self._kept.endswith(b"\r")

    def forget(self) -> None:
        """Leave out a line that is not complete: its rest never comes."""
        self._kept = b""

    def _walk(self, text: bytes, *, final: bool) -> Iterator[Rows | Line]:
        if self._begins and len(text) < len(BOM) and not final:
            self._kept = text
            return
        if self._begins:
            self._begins, text = False, text.removeprefix(BOM)
        size = len(text)
        buf = np.frombuffer(text, np.uint8)
        rows = np.empty(
            (size // max(self._columns, 1) + 2, self._columns)
        )  # a row of empty fields is its delimiters and an end
        odd = np.empty((size // 2 + 2, 4), np.int64)
        used, n_rows, n_odd, n_lines = scan(buf, final, *self._grammar, POWERS, rows, odd)
        self._kept = text[used:]
        line, done = self.line, 0
        self.line += n_lines
        places: NDArray[np.int64] = odd[:n_odd]
        for before, start, end, lines in places.tolist():
            if before > done:
                yield Rows(rows[done:before])
            done = before
            yield Line(line + lines, text[start : min(end, start + MAX_LINE + 1)])
        if n_rows > done:
            yield Rows(rows[done:n_rows])


def _packed(words: Sequence[str]) -> NDArray[np.uint8]:
    """Words as the compiled scan has them ``(k, MAX_WORD)``, those that are longer left out."""
    plain = [word.encode() for word in words]
    short = [word.ljust(MAX_WORD, b"\0") for word in plain if 0 < len(word) <= MAX_WORD]
    return np.frombuffer(b"".join(short), np.uint8).reshape(len(short), MAX_WORD)


def printable(text: str) -> str:
    """A text of somebody else's, with a question mark for whatever would not show in one line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


_WORD = re.compile(rb"[A-Za-z\x80-\xff]{2,}")
_LONG = re.compile(rb"\d{5,}")
_NUMBERS = frozenset({b"nan", b"inf", b"na", b"null", b"none"})
"""Words that stand for numbers."""


def shown(text: bytes) -> str:
    """A line as an error may show it: quoted, printable, short; words, which may name somebody, are crosses.

    So are long numbers beside words.
    """
    crossed = _WORD.sub(_crossed, text[:64])
    cut = (crossed if crossed == text[:64] else _LONG.sub(_crossed, crossed))[:40].decode("ascii", "backslashreplace")
    return repr(cut)[:60] + (" …" if len(text) > len(cut) else "")


def _crossed(found: re.Match[bytes]) -> bytes:
    return found[0] if found[0].lower() in _NUMBERS else b"x" * len(found[0])
