"""Text of devices cut into lines, rows of decimal numbers parsed by a compiled scan. Floor 0; used by the text formats.

Rows that follow the strict grammar come out as blocks of numbers; every other line comes out as text for the
format's own careful path, which must accept at least what the scan accepts, with the same value.

A decimal is an integer over a power of ten. Below 2**53 and 10**23 both are doubles, and their quotient, rounded
once, is the nearest double: what Python's ``float`` gives. Integers of up to 18 digits (numbers written in full by
other programs have 17) are divided in two steps, and left to the careful path where those cannot tell the nearest.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import FloatArray
from streamer.jit import kernel

MAX_LINE = 65_536
"""Bytes; a longer line is damaged, and no more of it than this is kept."""
BLOCK = 262_144
"""Bytes parsed at a time."""
MAX_DIGITS, MAX_PLACES, MAX_LENGTH = 18, 22, 40
"""Of a number in a row: digits but for leading zeros, digits behind the point, digits at all."""
ALL, NONE = -2, -1
BOM = b"\xef\xbb\xbf"
"""Programs on Windows begin a text with it."""

_POWERS = np.array([float(10**places) for places in range(MAX_PLACES + 1)])
_EXACT = 2**53
_SPLIT = 2.0**27 + 1.0
_NEWLINE, _RETURN, _BLANK, _TAB = 10, 13, 32, 9
_PLUS, _MINUS, _POINT, _ZERO = 43, 45, 46, 48
_QUOTE, _HASH, _NUL = 34, 35, 0


class Rows(NamedTuple):
    """Consecutive lines that are rows: ``values (n, columns)``."""

    values: FloatArray


class Line(NamedTuple):
    """Any other line that is not empty, without its end; at most ``MAX_LINE + 1`` bytes of it."""

    line: int
    text: bytes


@kernel
def _long_quotient(mantissa: int, power: float) -> float:
    """The double nearest to ``mantissa / power``, or -1 where it lies too near the middle of two.

    First quotient, its exact remainder (Dekker's product), second quotient: together good to some 2**-100, so the
    sum rounds correctly if it does not hang on the last digits of the second.
    """
    high = float(mantissa)
    low = float(mantissa - np.int64(high))
    first = high / power
    a, b = first * _SPLIT, power * _SPLIT
    first_high, power_high = a - (a - first), b - (b - power)
    first_low, power_low = first - first_high, power - power_high
    product = first * power
    error = (
        (first_high * power_high - product) + first_high * power_low + first_low * power_high
    ) + first_low * power_low
    second = ((high - product) - error + low) / power
    above, below = first + second * (1.0 + 1e-9), first + second * (1.0 - 1e-9)
    return above if above == below else -1.0


@kernel
def _field(buf: Any, at: int, end: int, decimals: int, empty: bool, powers: Any) -> tuple[int, float]:  # noqa: FBT001, PLR0917 (compiled)
    """One decimal from ``at``: where it stops and its value, or -1 where the strict grammar does not hold."""
    while at < end and buf[at] == _BLANK:
        at += 1
    negative = False
    first = at
    if at < end and (buf[at] == _MINUS or buf[at] == _PLUS):
        negative = buf[at] == _MINUS
        at += 1
    mantissa, digits, zeros, places, point = 0, 0, 0, 0, False
    while at < end:
        c = int(buf[at])
        if _ZERO <= c <= _ZERO + 9:
            digits += 1
            zeros += mantissa == 0 and c == _ZERO
            if digits - zeros > MAX_DIGITS:
                return -1, 0.0
            mantissa = mantissa * 10 + (c - _ZERO)
            places += point
        elif c == _POINT and not point:
            point = True
        else:
            break
        at += 1
    if digits == 0:
        return (at, np.nan) if empty and at == first else (-1, 0.0)
    if digits > MAX_LENGTH or places > MAX_PLACES or (decimals >= 0 and (places != decimals or digits == places)):
        return -1, 0.0
    while at < end and buf[at] == _BLANK:
        at += 1
    value = mantissa / powers[places] if mantissa < _EXACT else _long_quotient(mantissa, powers[places])
    return at if value >= 0.0 else -1, -value if negative else value


@kernel
def _passed(buf: Any, at: int, end: int, delimiter: int) -> int:
    """Where a field stops that nobody reads, or -1 where it needs the careful path: quotes, comments, NUL."""
    while at < end and buf[at] != delimiter:
        if buf[at] == _QUOTE or buf[at] == _HASH or buf[at] == _NUL:
            return -1
        at += 1
    return at


@kernel
def _row(  # noqa: PLR0917 (compiled)
    buf: Any, at: int, end: int, delimiter: int, decimals: int, filled: int, used: Any, powers: Any, out: Any
) -> bool:
    """Whether ``buf[at:end]`` is a row; its numbers are left in ``out``. ``filled``, ``used``: see ``Scanner``."""
    for column in range(out.size):
        if column > 0:
            if at >= end or buf[at] != delimiter:
                return False
            at += 1
        if used is not None and not used[column]:
            at, out[column] = _passed(buf, at, end, delimiter), np.nan
        else:
            empty = filled not in (ALL, column)
            at, out[column] = _field(buf, at, end, decimals, empty, powers)
        if at < 0:
            return False
    return bool(at == end)


@kernel
def _scan(  # noqa: PLR0917 (compiled)
    buf: Any,
    final: bool,  # noqa: FBT001 (compiled)
    delimiter: int,
    decimals: int,
    filled: int,
    used: Any,
    powers: Any,
    rows: Any,
    odd: Any,
) -> tuple[int, int, int, int]:
    """Walk the complete lines of ``buf``: rows into ``rows``, others as (rows before, start, end, line) into ``odd``.

    Returns how many bytes were used, and the numbers of rows, odd lines and lines. A carriage return at the very
    end is left, unless ``final``: a newline that belongs to it may follow.
    """
    size = buf.size
    start, at, n_rows, n_odd, n_lines = 0, 0, 0, 0, 0
    while start < size:
        at = start
        while at < size and buf[at] != _NEWLINE and buf[at] != _RETURN:
            at += 1
        if not final and (at == size or (at == size - 1 and buf[at] == _RETURN)):
            break
        if at > start:
            if at - start <= MAX_LINE and _row(buf, start, at, delimiter, decimals, filled, used, powers, rows[n_rows]):
                n_rows += 1
            else:
                odd[n_odd, 0], odd[n_odd, 1], odd[n_odd, 2], odd[n_odd, 3] = n_rows, start, at, n_lines
                n_odd += 1
        n_lines += 1
        start = at + (2 if at + 1 < size and buf[at] == _RETURN and buf[at + 1] == _NEWLINE else 1)
    return min(start, size), n_rows, n_odd, n_lines


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
    ) -> None:
        """Say what a row is.

        Args:
            columns: Fields of a row; 0: there are no rows, every line comes as text.
            delimiter: One character between them.
            decimals: Digits that must follow the point; -1 for any number.
            filled: Which field must not be empty: ``ALL``, ``NONE`` or a position; other empty fields are NaN.
            line: Number of the first line.
            used: Positions of the fields that are numbers; the others hold anything and come as NaN. None: all.
        """
        self.line = line
        # None is a type to the compiler, so a table of numbers alone pays nothing for the others.
        some = used is not None and any(at not in used for at in range(columns))
        wanted = np.array([at in (used or ()) for at in range(columns)], dtype=np.bool_) if some else None
        self._grammar = (ord(delimiter), decimals, filled if columns > 1 else ALL, wanted)
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
        used, n_rows, n_odd, n_lines = _scan(buf, final, *self._grammar, _POWERS, rows, odd)
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


def printable(text: str) -> str:
    """A text of somebody else's, with a question mark for whatever would not show in one line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def shown(text: bytes) -> str:
    """A line as an error may show it: quoted, printable, short."""
    cut = text[:40].decode("ascii", "backslashreplace")
    return repr(cut)[:60] + (" …" if len(text) > len(cut) else "")
