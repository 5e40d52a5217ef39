"""Windows over breath records, recomputed on a global grid. The last station before the events leave the core.

A window of length L is summarised at the instants ``m · max(10 s, L/30)`` of the device clock: a median over an hour
does not move in ten seconds, and the cost stays linear in time. A breath belongs to a window when it ended within
``(end - L, end]``. A summary is sealed when the watermark has passed its end, so no cutting of the input can change it.
Nothing is subtracted: every window is sorted again, when its statistics are first read (``_stats``).

Ordinary keys get median and quartiles (linear interpolation). Keys weighted by another key get the mean
``sum(v·w)/sum(w)``: weighted by the breath's duration a rate or a power is its total over time. Both need five values
from at least half of the window's breaths, else ``low_coverage``. Held keys keep their last value, with its age.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamer.core.rolling._stats import QUARTILES, Keys, Stats
from streamer.core.rolling._table import Table, Window
from streamer.model.flags import INCOMPLETE
from streamer.model.records import BreathRecord, Summary

__all__ = ["QUARTILES", "Rolling", "RollingSettings"]


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
        self._keys = Keys(
            keys, weighted_by, held, min_breaths=self._settings.min_breaths, min_coverage=self._settings.min_coverage
        )
        self._windows = [
            Window(name, length, max(self._settings.min_period_s, length / 30.0))
            for name, length in sorted(self._settings.windows_s.items(), key=lambda item: item[1])
        ]
        self._table = Table(len(self._keys.names), max((window.length_s for window in self._windows), default=0.0))
        self._last: dict[str, tuple[float, float]] = {}
        self._next_s = math.inf
        """The first boundary of all: most pushes of samples come before it."""

    def add(self, record: BreathRecord) -> list[Summary]:
        """Take a record, in order of ``end_s``; returns the summaries that were sealed before it, to be sent first."""
        if not self._windows:
            return []
        sealed = self.advance(record.end_s)
        for window in self._windows:
            window.wake(record.end_s)
        self._next_s = min(window.next_s for window in self._windows)
        whole_s = record.end_s - record.start_s if INCOMPLETE.isdisjoint(record.flags) else 0.0
        self._table.add(record.end_s, whole_s, [record.values.get(key, math.nan) for key in self._keys.names])
        for key in self._keys.held:
            if key in record.values:
                self._last[key] = (record.values[key], record.end_s)
        return sealed

    def advance(self, watermark_s: float) -> list[Summary]:
        """Seal every boundary before ``watermark_s``: no breath can any more end there or earlier."""
        sealed: list[Summary] = []
        while self._next_s < watermark_s:
            sealed.append(self._seal(min(self._windows, key=_order)))
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
        self._next_s = min(window.next_s for window in self._windows)
        return Summary(
            bed=self._bed,
            window=window.name,
            start_s=start_s,
            end_s=end_s,
            breaths=breaths,
            coverage=covered_s / window.length_s,
            stats=Stats(self._keys, values, end_s, dict(self._last)),
        )


def _order(window: Window) -> tuple[float, float]:
    return window.next_s, window.length_s
