"""Days as spreadsheets and MATLAB count them, as date-times. Used by the text tables."""

from __future__ import annotations

from datetime import datetime, timedelta

_FIRST, _LAST = 32_874.0, 73_051.0
"""The years 1990 to 2099 in days of a spreadsheet, which counts from 1899-12-30."""
_MATLAB = 693_960.0
"""That day as MATLAB counts (``datenum``)."""


def date_of(days: float) -> datetime | None:
    """The local date-time of such a number of days, to the millisecond; None where it is none of these years."""
    since = days - _MATLAB if days > _LAST else days
    if not _FIRST <= since < _LAST:
        return None
    return datetime(1899, 12, 30) + timedelta(milliseconds=round(since * 86_400e3))  # noqa: DTZ001 (the file's own)
