"""Statistics of a window: a view on the table of breaths, worked out when first read.

A summary is sealed every few breaths, of each window, and costs as much as a breath; most are never looked into. What a
view needs does not change any more: columns of the table are written once, and a table that grows is another array.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.model.chunk import FloatArray
from streamer.model.reasons import Reason
from streamer.model.records import Stat

LOW_COVERAGE = Reason.LOW_COVERAGE.value
QUARTILES = np.array([0.25, 0.5, 0.75])
NOTHING = Stat(n=0, reason=LOW_COVERAGE)


class Keys:
    """Which keys are summarised and how; rows of the table in this order.

    Args:
        names: Metric keys.
        weighted_by: Key → the key it is weighted by.
        held: Keys whose last value outlives its window.
        min_breaths: Fewer values give no median or mean.
        min_coverage: Nor does a smaller share of the window's breaths.
    """

    def __init__(
        self,
        names: Sequence[str],
        weighted_by: Mapping[str, str],
        held: frozenset[str],
        *,
        min_breaths: int,
        min_coverage: float,
    ) -> None:
        self.names = tuple(names)
        self.held = held.intersection(names)
        self._min_breaths, self._min_coverage = min_breaths, min_coverage
        weighted = [key for key in self.names if key in weighted_by]
        self._weighted_rows = [self.names.index(key) for key in weighted]
        self._weight_rows = [self.names.index(weighted_by[key]) for key in weighted]
        self._weights = [weighted.index(key) if key in weighted_by else -1 for key in self.names]

    def stats(self, values: FloatArray, end_s: float, kept: Mapping[str, tuple[float, float]]) -> dict[str, Stat]:
        """Statistics of ``values``, (keys, breaths), NaN where missing; ``kept``: last value of held keys, and when."""
        breaths = values.shape[1]
        counts = breaths - np.count_nonzero(np.isnan(values), axis=1)
        quartiles = _quartiles(values, counts)
        means = self._means(values)
        enough = max(self._min_breaths, self._min_coverage * breaths)
        newest = values[:, -1].tolist() if breaths else [math.nan] * len(self.names)
        stats = {}
        for i, (key, n, weight) in enumerate(zip(self.names, counts.tolist(), self._weights, strict=True)):
            last, age_s = newest[i], None
            if key in self.held:
                last, age_s = (kept[key][0], end_s - kept[key][1]) if key in kept else (None, None)
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


class Stats(Mapping[str, Stat]):
    """Key → statistics of one window.

    Args:
        keys: What is summarised, and how.
        values: (keys, breaths) of the window; NaN where missing.
        end_s: End of the window, device clock.
        kept: Held key → its last value until then, and when that was.
    """

    __slots__ = ("_found", "_given")

    def __init__(self, keys: Keys, values: FloatArray, end_s: float, kept: Mapping[str, tuple[float, float]]) -> None:
        self._given: tuple[Keys, FloatArray, float, Mapping[str, tuple[float, float]]] | None
        self._given = keys, values, end_s, kept
        self._found: dict[str, Stat] = {}

    def __getitem__(self, key: str) -> Stat:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return repr(self._read())

    def __reduce__(self) -> tuple[type[dict[str, Stat]], tuple[dict[str, Stat]]]:
        """Another process gets the statistics, not the table."""
        return dict, (self._read(),)

    def _read(self) -> dict[str, Stat]:
        if self._given is not None:
            keys, values, end_s, kept = self._given
            self._found = keys.stats(values, end_s, kept)
            self._given = None
        return self._found


def _last_of(row: FloatArray) -> float:
    return float(row[np.flatnonzero(~np.isnan(row))[-1]])


def _quartiles(values: FloatArray, counts: NDArray[np.intp]) -> list[list[float]]:
    """Quartiles of each row of (keys, breaths), between the two nearest values; NaN for an empty row."""
    if not values.shape[1]:
        return [[math.nan] * 3] * len(counts)
    top = np.maximum(counts - 1, 0)[:, np.newaxis]
    place = top * QUARTILES
    below = place.astype(np.intp)
    ordered = np.sort(values, axis=1)
    rows = np.arange(0, ordered.size, ordered.shape[1])[:, np.newaxis]
    low, high = ordered.ravel()[rows + below], ordered.ravel()[rows + np.minimum(below + 1, top)]
    return (low + (high - low) * (place - below)).tolist()  # type: ignore[no-any-return]
