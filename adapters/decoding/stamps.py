"""Date-times and times of day as seconds of a recording. Used by the text tables.

Seconds count from the first stamp of the file, whose date-time is the start. Times of day without a date go on past
midnight. A date that can be read in two ways is not used as a start, and refused where it changes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from adapters.decoding.stamp_kernels import DAY, HOUR, MINUTE, MONTH, SECOND, YEAR, stamp
from streamer.model.chunk import FloatArray
from streamer.model.context import RecordingInfo
from streamer.model.errors import DecodeError
from streamer.model.zones import plausible

ORDERS = {"ymd": (YEAR, MONTH, DAY), "dmy": (DAY, MONTH, YEAR), "mdy": (MONTH, DAY, YEAR)}
"""What ``dates`` in the sidecar says → the parts of a date in their order."""
LOCAL_TIME = "local_time"
"""Word of the note on times without an offset; no note where a zone is stated."""
_PART = re.compile(r"\d+|[A-Za-z]+")
_MONTHS, _DAYS, _YEARS = 12, 31, 4
"""Highest numbers; digits of a year written in full."""
_DAY, _HALF_DAY = 86_400e6, 43_200e6
"""µs."""
_END = 2_255
"""The last year whose µs are exact."""


class Stamps:
    """Stamps of one column.

    Attributes:
        order: Parts of a stamp in their order, for ``Scanner`` and ``stamp``.
        start: Of the recording: a date-time with an offset or without, or None where it is not known.
        is_ambiguous: Whether days and months may be exchanged.
    """

    def __init__(self, fields: Sequence[str], dates: str | None, days: Sequence[str] = ()) -> None:
        """Learn from the first stamps, plain, and their dates in a column beside them.

        Raises ``DecodeError`` where none can be read.
        """
        found = [match for one in fields if (match := STAMP.fullmatch(one)) and match["time"]]
        self._shown = next((one for one in fields if STAMP.fullmatch(one)), "")
        dated = [match["date"] for match in found if match["date"]]
        order, self.is_ambiguous = _date_order(dated, dates) if dated else ((), False)
        self._is_dated = bool(order)
        self.order = (*order, *_time_order([match["time"] for match in found]))
        first = next((micros for one in fields if (micros := self.read(one)) is not None), None)
        if first is None:
            raise DecodeError(
                f"times such as {self._shown[:40]!r} cannot be read: write seconds, h:mm:ss or date-times"
            )
        self._first = self._last = first
        self._shift = 0.0
        began = first if self._is_dated else None
        if days and not self._is_dated:
            order, self.is_ambiguous = _date_order(days, dates)
            self._shown = days[0]
            began = _micros(
                f"{days[0]} {next(one for one in fields if self.read(one) is not None)}", (*order, *self.order)
            )
        self.start = _start(found[0]["time"], began) if found and began is not None and not self.is_ambiguous else None

    def read(self, field: str) -> float | None:
        """One field: µs, or None where it is no stamp."""
        return _micros(field, self.order)

    def seconds(self, micros: FloatArray) -> FloatArray:
        """µs of a piece of the file → s from its first stamp. Raises ``DecodeError`` for a date of two readings."""
        if self._is_dated:
            if self.is_ambiguous and (np.floor(micros / _DAY) != np.floor(self._first / _DAY)).any():
                what = f"dates such as {self._shown[:40]!r} can be read in two ways"
                raise DecodeError(f'{what}: say dates = "dmy" or "mdy" under [recording] in the sidecar')
            return (micros - self._first) / 1e6
        steps = np.diff(micros, prepend=self._last)
        turns = (steps < -_HALF_DAY).astype(np.float64) - (steps > _DAY - 3_600e6)
        shift = self._shift + _DAY * np.cumsum(turns)
        if micros.size:
            self._last, self._shift = float(micros[-1]), float(shift[-1])
        return (micros - self._first + shift) / 1e6

    @property
    def told(self) -> RecordingInfo:
        """The start, as a sidecar says it."""
        start = plausible(self.start)
        if start is not None and start.tzinfo is not None:
            return RecordingInfo(start_utc=start)
        return RecordingInfo(start_local=start)

    def notes(self) -> list[tuple[str, str]]:
        """What a reader should know, each behind a word for it."""
        if self.is_ambiguous:
            what = f"days and months of dates such as {self._shown[:40]!r} may be exchanged, so they give no start"
            return [("dates", f'{what}; say dates = "dmy" or "mdy" under [recording] in the sidecar')]
        if self.start is not None and self.start.tzinfo is None:
            what = f"the recording begins at {self.start:%Y-%m-%d %H:%M:%S} local time"
            remedy = 'zone = "Europe/Berlin", or "+02:00", under [recording] in the sidecar gives start_utc'
            return [(LOCAL_TIME, f"the times have no offset from UTC: {what}; {remedy}")]
        return []


def _micros(field: str, order: Sequence[int]) -> float | None:
    """A stamp whose parts stand in this order: µs, or None where it is none."""
    raw = np.frombuffer(field.encode()[:80], np.uint8)
    if raw.size == 0:
        return None
    at, micros = stamp(raw, 0, raw.size, 0, np.array(order, dtype=np.int64))
    return float(micros) if at == raw.size else None


def _start(text: str, micros: float) -> datetime | None:
    offset = re.search(r"(Z|[-+]\d{2}:?(?:\d{2})?)$", text)
    try:
        start = datetime(1970, 1, 1) + timedelta(microseconds=micros)  # noqa: DTZ001 (the file's own)
    except OverflowError:
        return None
    return start.replace(tzinfo=UTC) if offset else start


def _time_order(times: Sequence[str]) -> tuple[int, ...]:
    """Hours, minutes and seconds; two numbers are minutes and seconds where there are decimals."""
    if any(one.count(":") > 1 for one in times):
        return (HOUR, MINUTE, SECOND)
    return (MINUTE, SECOND) if any("." in one or "," in one for one in times) else (HOUR, MINUTE)


def _date_order(dates: Sequence[str], said: str | None) -> tuple[tuple[int, ...], bool]:
    """The order of the numbers, and whether days and months may be exchanged."""
    if said is not None:
        return ORDERS[said], False
    parts = [found for one in dates if len(found := _PART.findall(one)) == 3]  # noqa: PLR2004 (of a date)
    named = [found for found in parts if found[0].isalpha() or found[1].isalpha()]
    if named:
        first = named[0]
        return ORDERS["mdy" if first[0].isalpha() else "ymd" if len(first[0]) == _YEARS else "dmy"], False
    numbers = np.array([[int(one) for one in found] for found in parts] or [[0, 0, 0]])
    if any(len(found[0]) == _YEARS for found in parts) or (numbers[:, 0] > _DAYS).any():
        return ORDERS["ymd"], False
    if "." in dates[0] or (numbers[:, 0] > _MONTHS).any():
        return ORDERS["dmy"], False
    if (numbers[:, 1] > _MONTHS).any():
        return ORDERS["mdy"], False
    return ORDERS["dmy"], True


_DATE = r"(?:\d{1,4}[-/. ](?:\d{1,2}|[A-Za-z]{3,9})[-/. ]\d{1,4}|[A-Za-z]{3,9} \d{1,2},? \d{4})"
_TIME = r"\d{1,4}:\d{2}(?::\d{2})?(?:[.,]\d{1,12}|:\d{3})?(?: ?[AaPp]\.?[Mm]\.?)?(?: ?(?:Z|[-+]\d{2}:?(?:\d{2})?))?"
STAMP = re.compile(rf"(?:\d{{1,4}} +[Dd]ays?,? +)?(?P<date>{_DATE})?(?(date)(?:[T ]|, )?)(?P<time>{_TIME})?")
