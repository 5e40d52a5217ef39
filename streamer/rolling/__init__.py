"""Windows over breath records, recomputed on a global grid. Floor 1; the last station before the events leave the core.

A window of length L is summarised at the instants ``m · max(10 s, L/30)`` of the device clock: a median over an hour
does not move in ten seconds, and the cost stays linear in time. A breath belongs to a window when it ended within
``(end - L, end]``. A summary is sealed when the watermark has passed its end, so no cutting of the input can change it.
Nothing is subtracted: every window is sorted again.

Ordinary keys get median and quartiles (linear interpolation). Keys weighted by another key get the mean
``sum(v·w)/sum(w)``: weighted by the breath's duration a rate or a power is its total over time. Both need five values
from at least half of the window's breaths, else ``low_coverage``. Held keys keep their last value, with its age.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import FloatArray
from streamer.reasons import Reason
from streamer.records import BreathRecord, Flag, Stat, Summary
from streamer.rolling._table import Table, Window

INCOMPLETE = frozenset({Flag.TRUNCATED, Flag.AFTER_GAP, Flag.GAP, Flag.APNOEA})
LOW_COVERAGE = Reason.LOW_COVERAGE.value
QUARTILES = np.array([0.25, 0.5, 0.75])
NOTHING = Stat(n=0, reason=LOW_COVERAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingSettings:
    """Windows by name, and how often and from how many breaths they are summarised.

    Attributes:
        windows_s: Name → length in seconds.
        min_period_s: A window is summarised every ``max(min_period_s, length / 30)`` seconds.
        min_breaths: Fewer values give no median or mean.
        min_coverage: Nor does a smaller share of the window's breaths.
    """

    windows_s: Mapping[str, float] = field(
        default_factory=lambda: {"1m": 60.0, "5m": 300.0, "15m": 900.0, "60m": 3600.0}
    )
    min_period_s: float = 10.0
    min_breaths: int = 5
    min_coverage: float = 0.5

    def __post_init__(self) -> None:
        if not self.min_period_s > 0.0 or any(not length > 0.0 for length in self.windows_s.values()):
            raise ValueError("windows and their period must be longer than 0 s")


class Rolling:
    """Summaries of one bed.

    Args:
        bed: Label of the bed.
        settings: Windows and thresholds.
        keys: Metric keys, in the order in which they are summarised.
        weighted_by: Key → the key it is weighted by.
        held: Keys whose last value outlives its window.
    """

    def __init__(
        self,
        bed: str,
        settings: RollingSettings | None = None,
        *,
        keys: Sequence[str],
        weighted_by: Mapping[str, str],
        held: frozenset[str],
    ) -> None:
        self._bed = bed
        self._settings = settings or RollingSettings()
        self._keys = tuple(keys)
        place = {key: i for i, key in enumerate(self._keys)}
        weighted = [key for key in self._keys if key in weighted_by]
        self._weighted_rows = [place[key] for key in weighted]
        self._weight_rows = [place[weighted_by[key]] for key in weighted]
        self._weights = [weighted.index(key) if key in weighted_by else -1 for key in self._keys]
        self._is_held = [key in held for key in self._keys]
        self._windows = [
            Window(name, length, max(self._settings.min_period_s, length / 30.0))
            for name, length in sorted(self._settings.windows_s.items(), key=lambda item: item[1])
        ]
        self._table = Table(len(self._keys), max((window.length_s for window in self._windows), default=0.0))
        self._last: list[tuple[float, float] | None] = [None] * len(self._keys)

    def push(self, record: BreathRecord) -> list[Summary]:
        """Take a record, in order of ``end_s``; returns the summaries that were sealed before it, to be sent first."""
        if not self._windows:
            return []
        sealed = self.advance(record.end_s)
        for window in self._windows:
            window.wake(record.end_s)
        whole_s = record.end_s - record.start_s if INCOMPLETE.isdisjoint(record.flags) else 0.0
        self._table.add(record.end_s, whole_s, [record.values.get(key, math.nan) for key in self._keys])
        for i, key in enumerate(self._keys):
            if self._is_held[i] and key in record.values:
                self._last[i] = (record.values[key], record.end_s)
        return sealed

    def advance(self, watermark_s: float) -> list[Summary]:
        """Seal every boundary before ``watermark_s``: no breath can any more end there or earlier."""
        sealed: list[Summary] = []
        while self._windows and (window := min(self._windows, key=_order)).next_s < watermark_s:
            sealed.append(self._seal(window))
        return sealed

    def close(self) -> list[Summary]:
        """One last boundary of each window: the first at or after the last breath, unless it is sealed already."""
        last_s = self._table.newest_s
        sealed = self.advance(last_s)
        open_still = [window for window in self._windows if window.sealed_s < last_s]
        return sealed + [self._seal(window) for window in sorted(open_still, key=_order)]

    def _seal(self, window: Window) -> Summary:
        end_s = window.next_s
        start_s = end_s - window.length_s
        values, covered_s = self._table.since(start_s)
        breaths = values.shape[1]
        window.seal(is_empty=breaths == 0)
        return Summary(
            bed=self._bed,
            window=window.name,
            start_s=start_s,
            end_s=end_s,
            breaths=breaths,
            coverage=covered_s / window.length_s,
            stats=self._stats(values, end_s),
        )

    def _stats(self, values: FloatArray, end_s: float) -> dict[str, Stat]:
        """Statistics of ``values``, (keys, breaths), NaN where missing."""
        breaths = values.shape[1]
        counts = breaths - np.count_nonzero(np.isnan(values), axis=1)
        quartiles = _quartiles(values, counts)
        means = self._means(values)
        enough = max(self._settings.min_breaths, self._settings.min_coverage * breaths)
        newest = values[:, -1].tolist() if breaths else [math.nan] * len(self._keys)
        stats = {}
        for i, (key, n, weight) in enumerate(zip(self._keys, counts.tolist(), self._weights, strict=True)):
            last, age_s = newest[i], None
            if self._is_held[i]:
                last, age_s = self._kept(i, end_s)
            elif math.isnan(last):
                last = _last_of(values[i]) if n else None
            if n < enough:
                stats[key] = NOTHING if last is None else Stat(n=n, last=last, age_s=age_s, reason=LOW_COVERAGE)
                continue
            p25, median, p75 = quartiles[i]
            if weight >= 0:
                stats[key] = Stat(n=n, mean=means[weight], p25=p25, p75=p75, last=last, age_s=age_s)
            else:
                stats[key] = Stat(n=n, median=median, p25=p25, p75=p75, last=last, age_s=age_s)
        return stats

    def _means(self, values: FloatArray) -> list[float]:
        """``sum(v·w)/sum(w)`` of the weighted keys over the breaths that have both."""
        weights = values[self._weight_rows]
        products = values[self._weighted_rows] * weights
        both = ~np.isnan(products)
        above = np.where(both, products, 0.0).sum(axis=1)
        below = np.where(both, weights, 0.0).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (above / below).tolist()  # type: ignore[no-any-return]

    def _kept(self, i: int, end_s: float) -> tuple[float | None, float | None]:
        """The last value of a held key, in or before the window, and its age."""
        kept = self._last[i]
        return (None, None) if kept is None else (kept[0], end_s - kept[1])


def _last_of(row: FloatArray) -> float:
    return float(row[np.flatnonzero(~np.isnan(row))[-1]])


def _quartiles(values: FloatArray, counts: NDArray[np.intp]) -> list[list[float]]:
    """Quartiles of each row of (keys, breaths), between the two nearest values; NaN for an empty row."""
    if not values.shape[1]:
        return [[math.nan] * 3] * len(counts)
    ordered = np.sort(values, axis=1)
    top = np.maximum(counts - 1, 0)[:, np.newaxis]
    place = top * QUARTILES
    below = place.astype(np.intp)
    low = np.take_along_axis(ordered, below, axis=1)
    high = np.take_along_axis(ordered, np.minimum(below + 1, top), axis=1)
    return (low + (high - low) * (place - below)).tolist()  # type: ignore[no-any-return]


def _order(window: Window) -> tuple[float, float]:
    return window.next_s, window.length_s
