"""Decoded rows on their way into chunks: time slots of damaged rows, gaps, notices. Used by every format.

What comes out does not depend on how the input was cut, the cutting of the chunks apart: a slot is a matter of
counting rows, and a notice stands between the last slot of its run and the first good row after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.errors import DecodeError
from streamer.model.records import Notice, NoticeKind

MAX_NOTICES = 20
"""Runs of damage with a notice each; one notice at the end counts the rest."""
LIVE_REFILL_S = 60.0
"""A live stream has no end at which the rest could be counted: this much device time allows one more notice."""
MAX_FILL_S = 10.0
"""Damage longer than this is a declared gap, not missing samples one by one: memory stays bounded."""
UNKNOWN_GAP_S = 2.0
"""Stands for a pause of unknown length: long enough that no breath is joined across it."""

ToChannels = Callable[[FloatArray], Mapping[Channel, FloatArray]]


@dataclass
class _Run:
    """Consecutive flaws of one kind with no good row between."""

    kind: NoticeKind
    at_s: float
    what: str
    lines: int = 0


@dataclass
class Samples:
    """Collects rows, damage and gaps in the order of the input; ``take`` gives chunks and notices.

    Attributes:
        source: Label of the chunks.
        rate_hz: Samples per second.
        to_channels: ``(n, columns)`` numbers of the file → channels in canonical units, each ``(n,)``.
        start_s: Device clock of the first sample of this contiguous stretch.
        count: Slots since ``start_s``, damaged ones included.
        good_rows: Rows kept, ever.
        damaged_rows: Lines that should have been rows and were not, ever.
        dropped_rows: Rows left out because their time does not advance, ever.
        counted: What is numbered in notices of damage: lines of a file, records of a device.
        refill_s: Device time after which one more run of damage may be told; only a live stream has any.
    """

    source: str
    rate_hz: float
    to_channels: ToChannels
    start_s: float = 0.0
    count: int = 0
    good_rows: int = 0
    damaged_rows: int = 0
    dropped_rows: int = 0
    counted: str = "line"
    refill_s: float = math.inf
    _pieces: list[FloatArray] = field(default_factory=list)
    _ready: list[Chunk | Notice] = field(default_factory=list)
    _pending: int = 0
    _run: _Run | None = None
    _told: int = 0
    _refilled_s: float = 0.0
    _untold: int = 0
    _untold_lines: int = 0
    _first_flaw: str = ""
    _usable: bool = False
    _failed: DecodeError | None = None

    @property
    def now_s(self) -> float:
        """Device clock of the next slot."""
        return self.start_s + (self.count + self._pending) / self.rate_hz

    def rows(self, values: FloatArray) -> None:
        """Good rows ``(n, columns)`` in the next slots."""
        if len(values) == 0:
            return
        self._fill(values.shape[1])
        self._close_run()
        self._usable = self._usable or bool(np.isfinite(values).any())
        self._pieces.append(values)
        self.count += len(values)
        self.good_rows += len(values)

    def damaged(self, line: int, what: str, slots: int = 1, rows: int = 1) -> None:
        """A line, or a record of ``rows``, that cannot be used, in place of ``slots`` samples."""
        self.damaged_rows += rows
        self._flaw(NoticeKind.DAMAGED, f"{self.counted} {line}: {what}")
        self._pending += slots

    def dropped(self, what: str) -> None:
        """A row left out: it takes no slot."""
        self.dropped_rows += 1
        self._flaw(NoticeKind.DROPPED, what)

    def restart(self, at_s: float) -> None:
        """The next slot is at ``at_s``, whatever was counted: its chunk's start declares it."""
        self._flush()
        self.start_s, self.count, self._pending = at_s, 0, 0

    def pause(self, why: str, clock_s: float | None = None) -> float:
        """A clock that begins again, at ``clock_s``, after an unknown time. Device time goes on, and is returned."""
        values: dict[str, float | str] = {"start_s": self.now_s + UNKNOWN_GAP_S}
        if clock_s is not None:
            values["clock_s"] = clock_s
        self.note(NoticeKind.CLOCK_RESET, f"{why}; the pause is unknown and shown as {UNKNOWN_GAP_S:g} s", values)
        self.restart(self.now_s + UNKNOWN_GAP_S)
        return self.now_s

    def note(self, kind: NoticeKind, detail: str, values: Mapping[str, float | str] | None = None) -> None:
        """A notice at the next slot."""
        self._flush()
        self._ready.append(Notice(bed="", at_s=self.now_s, kind=kind, detail=detail, values=values or {}))

    def told(self, notes: Iterable[str]) -> None:
        """What a reader of the recording should know, a notice each."""
        for what in notes:
            self.note(NoticeKind.NOTE, what)

    @contextmanager
    def good_first(self) -> Iterator[None]:
        """Around the reading of a piece: its error waits for the next one where there is something good to give before.

        So where a file is cut does not decide about what stands before the error.
        """
        if self._failed:
            raise self._failed
        try:
            yield
        except DecodeError as error:
            self._flush()
            if not self._ready:
                raise
            self._failed = error

    def take(self) -> list[Chunk | Notice]:
        """What is ready."""
        self._flush()
        ready, self._ready = self._ready, []
        return ready

    def close(self) -> list[Chunk | Notice]:
        """The last of it. Raises ``DecodeError`` when no row had a number, or an error still waits."""
        if self._failed:
            raise self._failed
        if not self._usable:
            raise DecodeError(
                f"{self._first_flaw or 'there are no rows with numbers'}; no usable row in the whole file"
            )
        self._close_run()
        if self.damaged_rows + self.dropped_rows:
            detail = f"and {self._untold} more runs; " if self._untold else ""
            detail += f"{self.damaged_rows} damaged, {self.dropped_rows} dropped, {self.good_rows} good rows in all"
            values: dict[str, float | str] = {
                "damaged_rows": float(self.damaged_rows),
                "dropped_rows": float(self.dropped_rows),
            }
            self.note(NoticeKind.DAMAGED, detail, values)
        return self.take()

    def _flaw(self, kind: NoticeKind, what: str) -> None:
        self._first_flaw = self._first_flaw or what
        if self._run is None or self._run.kind is not kind:
            self._close_run()
            self._run = _Run(kind, self.now_s, what)
        self._run.lines += 1

    def _close_run(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        self._refill()
        if self._told == MAX_NOTICES:
            self._untold += 1
            self._untold_lines += run.lines
            return
        self._told += 1
        self._flush()
        more = f" (and {run.lines - 1} more)" if run.lines > 1 else ""
        more += f"; {self._untold} runs before were not told" if self._untold else ""
        values: dict[str, float | str] = {"rows": float(run.lines + self._untold_lines)}
        self._untold = self._untold_lines = 0
        self._ready.append(Notice(bed="", at_s=run.at_s, kind=run.kind, detail=run.what + more, values=values))

    def _refill(self) -> None:
        passed = self.now_s - self._refilled_s
        if passed >= self.refill_s:
            self._told = max(self._told - int(passed / self.refill_s), 0)
            self._refilled_s = self.now_s

    def _fill(self, columns: int) -> None:
        """Missing samples for the damaged slots before a good row."""
        slots, self._pending = self._pending, 0
        if slots > MAX_FILL_S * self.rate_hz:
            self.restart(self.start_s + (self.count + slots) / self.rate_hz)
        elif slots:
            self._pieces.append(np.full((slots, columns), np.nan))
            self.count += slots

    def _flush(self) -> None:
        if self._pieces:
            values = np.concatenate(self._pieces)
            self._pieces.clear()
            start_s = self.start_s + (self.count - len(values)) / self.rate_hz
            channels = self.to_channels(values)
            self._ready.append(Chunk(source=self.source, start_s=start_s, rate_hz=self.rate_hz, channels=channels))
