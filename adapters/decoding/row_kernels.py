"""Compiled scan of lines into rows of decimals. Used by ``_text.Scanner`` alone.

A decimal is an integer over a power of ten. Below 2**53 and 10**23 both are doubles, and their quotient, rounded
once, is the nearest double: what Python's ``float`` gives. Integers of up to 18 digits (numbers written in full by
other programs have 17) are divided in two steps, and left to the careful path where those cannot tell the nearest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adapters.decoding.stamp_kernels import stamp
from streamer.model.jit import kernel

LONGEST_LINE = 65_536
"""Bytes; a longer line is damaged, and no more of it than this is kept."""
MAX_DIGITS, MAX_PLACES, MAX_LENGTH = 18, 22, 40
"""Of a number in a row: digits but for leading zeros, digits behind the point, digits at all."""
ALL = -2
NUMBER, STAMP = 1, 2
"""What a field is read as; 0: not at all."""
MAX_WORD = 12

POWERS = np.array([float(10**places) for places in range(MAX_PLACES + 1)])
_EXACT = 2**53
_SPLIT = 2.0**27 + 1.0
_NEWLINE, _RETURN, _BLANK, _TAB = 10, 13, 32, 9
_PLUS, _MINUS, _ZERO = 43, 45, 48
_QUOTE, _HASH, _NUL = 34, 35, 0
_SMALL_A, _SMALL_Z, _TO_CAPITAL = 97, 122, 32


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
def _word(buf: Any, at: int, end: int, delimiter: int, words: Any) -> int:
    """Where one of ``words (k, MAX_WORD)``, capitals, ends that stands at ``at`` as a whole; -1 where none does."""
    for k in range(words.shape[0]):
        size = 0
        while size < MAX_WORD and words[k, size] != _NUL:
            size += 1
        if at + size > end:
            continue
        equal = True
        for i in range(size):
            c = int(buf[at + i])
            equal = equal and (c - _TO_CAPITAL if _SMALL_A <= c <= _SMALL_Z else c) == words[k, i]
        stop = at + size
        if equal and (
            stop == end
            or buf[stop] == delimiter
            or buf[stop] == _BLANK
            or buf[stop] == _QUOTE
            or (delimiter == _BLANK and buf[stop] == _TAB)
        ):
            return stop
    return -1


@kernel
def _field(  # noqa: C901, PLR0911, PLR0912, PLR0917 (compiled)
    buf: Any,
    at: int,
    end: int,
    delimiter: int,
    point: int,
    decimals: int,
    empty: bool,  # noqa: FBT001 (compiled)
    words: Any,
    powers: Any,
) -> tuple[int, float]:
    """One decimal from ``at``: where it stops and its value, or -1 where the strict grammar does not hold."""
    while at < end and buf[at] == _BLANK:
        at += 1
    quoted = at < end and buf[at] == _QUOTE
    if quoted:
        at += 1
        while at < end and buf[at] == _BLANK:
            at += 1
    negative = False
    first = at
    if at < end and (buf[at] == _MINUS or buf[at] == _PLUS):
        negative = buf[at] == _MINUS
        at += 1
    mantissa, digits, zeros, places, pointed = 0, 0, 0, 0, False
    while at < end:
        c = int(buf[at])
        if _ZERO <= c <= _ZERO + 9:
            digits += 1
            zeros += mantissa == 0 and c == _ZERO
            if digits - zeros > MAX_DIGITS:
                return -1, 0.0
            mantissa = mantissa * 10 + (c - _ZERO)
            places += pointed
        elif c == point and not pointed and (c != delimiter or quoted):
            pointed = True
        else:
            break
        at += 1
    value = np.nan
    if digits == 0:
        if not empty:
            return -1, 0.0
        if at > first or words.shape[0]:
            stop = _word(buf, first, end, delimiter, words)
            if stop < 0 and at > first:
                return -1, 0.0
            at = max(stop, first)
    elif digits > MAX_LENGTH or places > MAX_PLACES or (decimals >= 0 and (places != decimals or digits == places)):
        return -1, 0.0
    else:
        value = mantissa / powers[places] if mantissa < _EXACT else _long_quotient(mantissa, powers[places])
        if value < 0.0:
            return -1, 0.0
    while at < end and buf[at] == _BLANK:
        at += 1
    if quoted:
        if at == end or buf[at] != _QUOTE:
            return -1, 0.0
        at += 1
        while at < end and buf[at] == _BLANK:
            at += 1
    return at, -value if negative and digits else value


@kernel
def _passed(buf: Any, at: int, end: int, delimiter: int) -> int:
    """Where a field stops that is not read, or -1 where it needs the careful path: quotes, comments, NUL."""
    while at < end and buf[at] != delimiter and not (delimiter == _BLANK and buf[at] == _TAB):
        if buf[at] == _QUOTE or buf[at] == _HASH or buf[at] == _NUL:
            return -1
        at += 1
    return at


@kernel
def _over(buf: Any, at: int, end: int, other: int) -> int:
    """The next that is no blank, no tab and not ``other``."""
    while at < end and (buf[at] == _BLANK or buf[at] == _TAB or buf[at] == other):
        at += 1
    return at


@kernel
def _row(  # noqa: C901, PLR0917 (compiled)
    buf: Any, at: int, end: int, grammar: Any, used: Any, order: Any, words: Any, powers: Any, out: Any
) -> bool:
    """Whether ``buf[at:end]`` is a row; its numbers are left in ``out``. ``grammar`` and the rest: see ``Scanner``."""
    delimiter, point, decimals, filled = int(grammar[0]), int(grammar[1]), int(grammar[2]), int(grammar[3])
    for column in range(out.size):
        if delimiter == _BLANK:
            before = at
            at = _over(buf, at, end, _BLANK)
            parted = at > before or (at > 0 and (buf[at - 1] == _BLANK or buf[at - 1] == _TAB))
            if at == end or (column > 0 and not parted):
                return False
        elif column > 0:
            if at >= end or buf[at] != delimiter:
                return False
            at += 1
        if used is None or used[column] == NUMBER:
            empty = filled not in (ALL, column)
            at, out[column] = _field(buf, at, end, delimiter, point, decimals, empty, words, powers)
        elif used[column] == STAMP:
            if order is not None:
                at, out[column] = stamp(buf, at, end, delimiter, order)
        else:
            at, out[column] = _passed(buf, at, end, delimiter), np.nan
        if at < 0:
            return False
    if grammar[4]:
        at = _over(buf, at, end, delimiter)
    return bool(at == end)


@kernel
def scan(  # noqa: PLR0917 (compiled)
    buf: Any,
    final: bool,  # noqa: FBT001 (compiled)
    grammar: Any,
    used: Any,
    order: Any,
    words: Any,
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
            if at - start <= LONGEST_LINE and _row(buf, start, at, grammar, used, order, words, powers, rows[n_rows]):
                n_rows += 1
            else:
                odd[n_odd, 0], odd[n_odd, 1], odd[n_odd, 2], odd[n_odd, 3] = n_rows, start, at, n_lines
                n_odd += 1
        n_lines += 1
        start = at + (2 if at + 1 < size and buf[at] == _RETURN and buf[at + 1] == _NEWLINE else 1)
    return min(start, size), n_rows, n_odd, n_lines
