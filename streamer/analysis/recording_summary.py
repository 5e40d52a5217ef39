"""The summary of one recording: counted while it is analysed, printed as a line of ``analyze`` and ``check``."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from streamer.analysis.recordings import Run, run_after
from streamer.core.metrics.display import SHOWN
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.context import Sidecar
from streamer.model.doubts import DoubtList
from streamer.model.errors import VentstreamError
from streamer.model.records import BreathRecord, Event, Notice, NoticeKind

GAPS = frozenset({NoticeKind.GAP, NoticeKind.OVERLAP, NoticeKind.RATE_CHANGE})
MAX_REASONS = 6
MAX_RUNS = 10_000
"""Runs kept of one recording."""


@dataclass(slots=True)
class Extent:
    """Range of one waveform in its canonical unit, and counts of samples and missing samples."""

    low: float = math.inf
    high: float = -math.inf
    samples: int = 0
    missing: int = 0

    def read(self, samples: FloatArray) -> None:
        """Count more samples."""
        low, high = float(np.fmin.reduce(samples)), float(np.fmax.reduce(samples))
        self.low, self.high = min(self.low, low), max(self.high, high)  # NaN, where all are missing, changes nothing
        self.samples += samples.size
        self.missing += int(np.isnan(samples).sum())


@dataclass(slots=True)
class RecordingSummary:
    """Counts and main numbers of one recording.

    Attributes:
        name: The recording as it was named.
        format: Name of its format.
        rates_hz: Sampling rates that occur.
        channels: Waveform → its range and its missing samples.
        units: Waveform → unit in the file, multiplier and divisor to the canonical unit, where they differ.
        first_s: Device clock of the first sample, s.
        last_s: Device clock after the last sample, s.
        samples: Samples read, without filled gaps.
        sidecar: What is known of it beside the samples.
        breaths: Breaths, cut-off ones included.
        values: Key → its numbers, for the median.
        withheld: (reason, key) → number of breaths.
        notices: Kind of notice → count.
        doubts: What is doubtful: suspicions, assumptions, damage, dropped rows.
        runs: Stretches between which the clock of the file returned to its beginning; one at least once it was read.
        error: Why reading ended early, or None.
    """

    name: str
    format: str = ""
    sidecar: Sidecar = field(default_factory=Sidecar)
    rates_hz: set[float] = field(default_factory=set)
    channels: dict[Channel, Extent] = field(default_factory=dict)
    units: dict[Channel, tuple[str, float, float]] = field(default_factory=dict)
    first_s: float | None = None
    last_s: float = 0.0
    samples: int = 0
    breaths: int = 0
    values: dict[str, array[float]] = field(default_factory=dict)
    withheld: Counter[tuple[str, str]] = field(default_factory=Counter)
    notices: Counter[NoticeKind] = field(default_factory=Counter)
    doubts: DoubtList = field(default_factory=DoubtList)
    runs: list[Run] = field(default_factory=list)
    error: VentstreamError | None = None

    def read(self, item: Chunk | Notice) -> None:
        """Count a chunk of the recording."""
        if isinstance(item, Chunk) and len(item):
            self.rates_hz.add(item.rate_hz)
            for channel, samples in item.channels.items():
                self.channels.setdefault(channel, Extent()).read(samples)
            if self.first_s is None:
                self.first_s = item.start_s
                self.runs.insert(0, Run(item.start_s, item.start_s))
            self.last_s = max(self.last_s, item.start_s + len(item) / item.rate_hz)
            self.samples += len(item)

    def found(self, event: Event) -> None:
        """Count an event of the core."""
        if isinstance(event, Notice):
            self.notices[event.kind] += 1
            self.doubts.hear(event)
            if event.kind is NoticeKind.CLOCK_RESET and len(self.runs) < MAX_RUNS:
                self.runs.append(run_after(event))
        elif isinstance(event, BreathRecord):
            self.breaths += 1
            self.withheld.update((reason, key) for key, reason in event.missing.items())
            for key in SHOWN.keys() & event.values.keys():
                self.values.setdefault(key, array("d")).append(event.values[key])

    def run_of(self, at_s: float) -> int:
        """Number of the run, from 1, in which an instant lies."""
        return max(bisect_right(self.runs, at_s, key=lambda run: run.start_s), 1)

    @property
    def duration_s(self) -> float:
        """Time from the first sample to the last, s."""
        return self.last_s - self.first_s if self.first_s is not None else 0.0

    @property
    def gaps(self) -> int:
        """Count of gaps, overlaps and changes of rate. A reset of the clock counts through the gap it leaves."""
        return sum(self.notices[kind] for kind in GAPS)

    @property
    def rate(self) -> str:
        """The sampling rates as text: ``100`` or ``50, 100``."""
        return ", ".join(f"{rate:g}" for rate in sorted(self.rates_hz))

    def reasons(self) -> str:
        """The most frequent reasons with their count of breaths and their keys: ``no_hold 118 (pplat crs), …``."""
        keys: dict[str, list[str]] = {}
        most: Counter[str] = Counter()
        for (reason, key), count in self.withheld.items():
            keys.setdefault(reason, []).append(key)
            most[reason] = max(most[reason], count)
        shown = [
            f"{reason} {count} ({' '.join(_few(keys[reason]))})" for reason, count in most.most_common(MAX_REASONS)
        ]
        return ", ".join(shown)


def _few(keys: Sequence[str], most: int = 5) -> list[str]:
    return [*keys[:most], "…"] if len(keys) > most else list(keys)
