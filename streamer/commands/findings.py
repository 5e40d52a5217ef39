"""What one recording came to: counted while it is analysed, shown as a line of the report. Floor 4."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamer.chunk import Channel, Chunk, FloatArray
from streamer.commands.recordings import Run, run_after
from streamer.context import Sidecar
from streamer.doubts import DoubtList
from streamer.errors import VentstreamError
from streamer.faults import one_line
from streamer.records import BreathRecord, Event, Notice, NoticeKind
from streamer.terminal import SHOWN

GAPS = frozenset({NoticeKind.GAP, NoticeKind.OVERLAP, NoticeKind.RATE_CHANGE})
MAX_REASONS = 6
MAX_RUNS = 10_000
"""Kept of one recording."""
PIPE_WIDTH = 160


@dataclass(slots=True)
class Extent:
    """Of one waveform, in its canonical unit."""

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
class Findings:
    """Counts and main numbers of one recording.

    Attributes:
        name: The recording as it was named.
        format: How it was read.
        rates_hz: Sampling rates seen.
        channels: Waveforms seen, each with its lowest, its highest and how many of its samples are missing.
        units: Waveform → the file's own unit, multiplier and divisor to the canonical one, where it is another.
        first_s: Device clock of the first sample.
        last_s: Device clock after the last sample.
        samples: Samples read, filled gaps not among them.
        sidecar: What is known of it beside the samples.
        breaths: Breaths, cut ones included.
        values: Key → its numbers, for the median.
        withheld: (reason, key) → breaths.
        notices: Notices of each kind.
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
        """Count what the recording gave."""
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
        """Count what the core made of it."""
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
        """From the first sample to the last."""
        return self.last_s - self.first_s if self.first_s is not None else 0.0

    @property
    def gaps(self) -> int:
        """Gaps, overlaps and changes of rate; a clock that begins again has its pause, a gap."""
        return sum(self.notices[kind] for kind in GAPS)

    @property
    def rate(self) -> str:
        """``100`` or ``50, 100``."""
        return ", ".join(f"{rate:g}" for rate in sorted(self.rates_hz))

    def reasons(self) -> str:
        """``no_hold: pplat crs (118), …``: the most frequent reasons, and in how many breaths."""
        keys: dict[str, list[str]] = {}
        most: Counter[str] = Counter()
        for (reason, key), count in self.withheld.items():
            keys.setdefault(reason, []).append(key)
            most[reason] = max(most[reason], count)
        shown = [
            f"{reason} {count} ({' '.join(_few(keys[reason]))})" for reason, count in most.most_common(MAX_REASONS)
        ]
        return ", ".join(shown)


def report(console: Console, findings: Sequence[Findings]) -> None:
    """One line per recording that could be read, then what was withheld and why."""
    readable = [found for found in findings if found.samples]
    if not readable:
        return
    names = short_names(readable)
    table = Table(pad_edge=False, box=box.SIMPLE_HEAD)
    table.add_column("recording", overflow="fold")
    for heading in ("Hz", "min", "breaths", "damaged", "dropped", "gaps"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading, unit, _ in SHOWN.values():
        table.add_column(f"{heading}\n[dim]{unit}[/]", justify="right", no_wrap=True)
    for name, found in zip(names, readable, strict=True):
        numbers = (_middle(found, key) for key in SHOWN)
        minutes = f"{found.duration_s / 60:.1f}"
        rows = (str(found.doubts.damaged_rows), str(found.doubts.dropped_rows))
        counts = (str(found.breaths), *rows, str(found.gaps))
        table.add_row(Text(one_line(name)), found.rate, minutes, *counts, *numbers)
    console.print(table)
    console.print("medians over all breaths; withheld, with the number of breaths:", style="dim")
    for name, found in zip(names, readable, strict=True):
        console.print(Text(f"  {one_line(name)}: {found.reasons() or _nothing(found)}"), soft_wrap=True)


def _nothing(found: Findings) -> str:
    """Why no reason is there."""
    if found.breaths:
        return "nothing"
    return "no breath was found" if found.channels.keys() - {Channel.PAW} else "no breaths: there is no flow"


def short_names(findings: Sequence[Findings]) -> list[str]:
    """File names, with their folders where two would be the same."""
    times = Counter(Path(found.name).name for found in findings)
    return [found.name if times[Path(found.name).name] > 1 else Path(found.name).name for found in findings]


def _middle(found: Findings, key: str) -> str:
    numbers = found.values.get(key)
    return f"{median(numbers):.{SHOWN[key][2]}f}" if numbers else "-"


def _few(keys: Sequence[str], most: int = 5) -> list[str]:
    return [*keys[:most], "…"] if len(keys) > most else list(keys)


def plain_console(*, stderr: bool = False) -> Console:
    """A console that does not squeeze tables into 80 columns when nobody looks at a terminal."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console
