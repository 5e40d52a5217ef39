"""Compiled reading of one date-time or time of day in a line. Used by ``row_kernels.py`` and ``stamps.py``.

Microseconds since 1970 as a double, which is exact until the year 2255. What stands between the numbers does not
matter; which number is which does, and that is given. A time of day alone counts from 1970-01-01. An offset from UTC
is taken off; a time without one stays as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamer.model.jit import kernel

YEAR, MONTH, DAY, HOUR, MINUTE, SECOND = 1, 2, 3, 4, 5, 6
"""Parts of a stamp: their order in the text is what ``stamp`` is given."""
_DIGITS_OF_YEAR, _DIGITS_OF_PART, _DIGITS_OF_MILLIS, _PLACES = 4, 2, 3, 6
_BLANK, _TAB, _QUOTE, _ZERO, _NINE = 32, 9, 34, 48, 57
_COMMA, _MINUS, _POINT, _SLASH, _COLON, _PLUS = 44, 45, 46, 47, 58, 43
_A, _M, _P, _T, _Z, _SMALL_A, _SMALL_Z, _TO_CAPITAL, _LETTER_Z = 65, 77, 80, 84, 90, 97, 122, 32, 90
_D, _S, _Y = 68, 83, 89
_BETWEEN = (_BLANK, _TAB, _COMMA, _MINUS, _POINT, _SLASH, _COLON)
_MONTHS = np.frombuffer(b"JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", np.uint8)
_CENTURY, _PIVOT = 100, 70
"""Years of two digits are those from 1970 to 2069."""


@kernel
def _capital(buf: Any, at: int, end: int) -> int:
    """The letter there as a capital; 0 for anything else."""
    if at >= end:
        return 0
    c = int(buf[at])
    c = c - _TO_CAPITAL if _SMALL_A <= c <= _SMALL_Z else c
    return c if _A <= c <= _LETTER_Z else 0


@kernel
def _month(buf: Any, at: int, end: int) -> tuple[int, int]:
    """A month by its English name: where it ends, and its number; -1 where it is none."""
    for month in range(12):
        same = True
        for i in range(3):
            same = same and _capital(buf, at + i, end) == _MONTHS[3 * month + i]
        if same:
            at += 3
            while _capital(buf, at, end):
                at += 1
            return at, month + 1
    return -1, 0


@kernel
def _number(buf: Any, at: int, end: int, most: int) -> tuple[int, int]:
    """Digits, ``most`` of them at most: where they end, and their value; -1 where there are none or more."""
    first, value = at, 0
    while at < end and _ZERO <= buf[at] <= _NINE and at - first <= most:
        value = value * 10 + (int(buf[at]) - _ZERO)
        at += 1
    return (at, value) if 0 < at - first <= most else (-1, 0)


@kernel
def _apart(buf: Any, at: int, end: int, delimiter: int) -> int:
    """Past what may stand between two numbers of a stamp."""
    while at < end and buf[at] != delimiter:
        c = int(buf[at])
        if c not in _BETWEEN and not (_capital(buf, at, end) == _T and at + 1 < end and _ZERO <= buf[at + 1] <= _NINE):
            break
        at += 1
    return at


@kernel
def _fraction(buf: Any, at: int, end: int, delimiter: int) -> tuple[int, float]:
    """What stands behind a point, a comma or, as three digits, a colon: where it ends, and µs, rounded."""
    if at + 1 >= end or buf[at] == delimiter:
        return at, 0.0
    if buf[at] == _COLON:  # 14:05:09:123
        ends, millis = _number(buf, at + 1, end, _DIGITS_OF_MILLIS)
        return (ends, millis * 1e3) if ends == at + 1 + _DIGITS_OF_MILLIS else (at, 0.0)
    if not (buf[at] == _POINT or buf[at] == _COMMA):
        return at, 0.0
    at += 1
    micros, unit = 0.0, 1e5
    for i in range(at, end):
        if not _ZERO <= buf[i] <= _NINE:
            break
        if i - at < _PLACES:
            micros += (int(buf[i]) - _ZERO) * unit
            unit /= 10.0
        elif i - at == _PLACES and int(buf[i]) - _ZERO >= 5:  # noqa: PLR2004 (half)
            micros += 1.0
    while at < end and _ZERO <= buf[at] <= _NINE:
        at += 1
    return at, np.rint(micros)


@kernel
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of the Gregorian calendar (after H. Hinnant's days_from_civil)."""
    year -= month <= 2  # noqa: PLR2004 (a year that begins in March ends with its odd day)
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1  # noqa: PLR2004
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@kernel
def _half(buf: Any, at: int, end: int, hour: int) -> tuple[int, int]:
    """AM or PM, if it stands there: where it ends, and the hour of the day; -1 for an hour of no such clock."""
    letter = _capital(buf, at, end)
    if letter not in (_A, _P):
        return at, hour
    at += 1
    if at < end and buf[at] == _POINT:
        at += 1
    if _capital(buf, at, end) != _M or not 1 <= hour <= 12:  # noqa: PLR2004
        return -1, hour
    at += 1
    if at < end and buf[at] == _POINT:
        at += 1
    return at, hour % 12 + (12 if letter == _P else 0)


@kernel
def _offset(buf: Any, at: int, end: int) -> tuple[int, int]:
    """``Z`` or ``+01:00``, if it stands there: where it ends, and minutes; -1 where it is cut short."""
    if _capital(buf, at, end) == _Z:
        return at + 1, 0
    if at >= end or not (buf[at] == _PLUS or buf[at] == _MINUS):
        return at, 0
    sign = -1 if buf[at] == _MINUS else 1
    at, hours = _number(buf, at + 1, min(at + 3, end), _DIGITS_OF_PART)
    if at < 0:
        return -1, 0
    minutes = 0
    if at < end and buf[at] == _COLON:
        at += 1
    if at < end and _ZERO <= buf[at] <= _NINE:
        at, minutes = _number(buf, at, end, _DIGITS_OF_PART)
    return at, sign * (hours * 60 + minutes)


@kernel
def _elapsed_days(buf: Any, at: int, end: int) -> tuple[int, int]:
    """``3 days `` before a time, if it stands there, as pandas and Python write spans: where it ends, and days."""
    ends, days = _number(buf, at, end, _DIGITS_OF_YEAR)
    if ends < 0 or ends >= end or buf[ends] != _BLANK:
        return at, 0
    while ends < end and buf[ends] == _BLANK:
        ends += 1
    for letter in (_D, _A, _Y):
        if _capital(buf, ends, end) != letter:
            return at, 0
        ends += 1
    ends += _capital(buf, ends, end) == _S
    ends += ends < end and buf[ends] == _COMMA
    begin = ends
    while ends < end and buf[ends] == _BLANK:
        ends += 1
    return (ends, days) if ends > begin else (at, 0)


@kernel
def stamp(  # noqa: C901, PLR0912 (compiled)
    buf: Any, at: int, end: int, delimiter: int, order: Any
) -> tuple[int, float]:
    """A stamp whose parts stand in ``order``: where its field stops, and µs; -1 where it is none."""
    parts = np.zeros(7, np.int64)
    parts[YEAR], parts[MONTH], parts[DAY] = 1970, 1, 1
    while at < end and buf[at] == _BLANK:
        at += 1
    quoted = at < end and buf[at] == _QUOTE
    if quoted:
        at, delimiter = at + 1, _QUOTE
    days = 0
    if order[0] == HOUR and delimiter != _BLANK:
        at, days = _elapsed_days(buf, at, end)
    for i in range(order.size):
        part = int(order[i])
        at = _apart(buf, at, end, delimiter) if i else at
        if part == MONTH and _capital(buf, at, end):
            at, parts[part] = _month(buf, at, end)
        else:
            at, parts[part] = _number(buf, at, end, _DIGITS_OF_YEAR if part in (YEAR, HOUR) else _DIGITS_OF_PART)
        if at < 0:
            return -1, np.nan
    if 0 <= parts[YEAR] < _CENTURY:
        parts[YEAR] += 2000 if parts[YEAR] < _PIVOT else 1900
    at, micros = _fraction(buf, at, end, delimiter)
    while at < end and buf[at] == _BLANK and delimiter != _BLANK:
        at += 1
    at, parts[HOUR] = _half(buf, at, end, parts[HOUR])
    if at < 0:
        return -1, np.nan
    while at < end and buf[at] == _BLANK and delimiter != _BLANK:
        at += 1
    at, minutes = _offset(buf, at, end)
    if quoted and (at < 0 or at == end or buf[at] != _QUOTE):
        return -1, np.nan
    at += quoted
    while 0 <= at < end and buf[at] == _BLANK and delimiter != _BLANK:
        at += 1
    elapsed = order[0] == HOUR or order[0] == MINUTE
    is_time = (elapsed or parts[HOUR] <= 24) and parts[SECOND] <= 60  # noqa: PLR2004 (a leap second)
    is_time = is_time and (parts[MINUTE] < 60 or order[0] == MINUTE)  # noqa: PLR2004
    if at < 0 or not is_time or not 1 <= parts[MONTH] <= 12 or not 1 <= parts[DAY] <= 31:  # noqa: PLR2004
        return -1, np.nan
    seconds = (parts[HOUR] * 60 + parts[MINUTE] - minutes) * 60 + parts[SECOND]
    return at, ((_days(parts[YEAR], parts[MONTH], parts[DAY]) + days) * 86_400.0 + seconds) * 1e6 + micros
