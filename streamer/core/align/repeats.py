"""A recorder that writes what it has written before: such samples are missing. Floor 1, before every aligner.

When flow and pressure repeat one value to the last bit for longer than 0.5 s while gas should move, no gas was seen: a
recorder, a link or a buffer was stuck, and integrating the repeats would make litres of a breath. The same holds where
a packet of samples comes again, to the last bit in all channels, although the signal has moved since, or with its
noise; and of a single sample far outside its neighbours. What repeats rightly passes: a closed valve (no flow), a
quantised signal at the end of its decay, a device in standby, a slower signal that is sampled faster, breaths that are
the same. Samples are held back only while they may be copies, 2 s at most, so that nothing has to be taken back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.core.align._settings import AlignSettings
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.records import Notice, NoticeKind

HALF_SAMPLE = 0.5 + 1e-3
CHANNELS = 3


class _Source:
    """What is known of one source between two chunks."""

    def __init__(self, chunk: Chunk, kernels: Any) -> None:
        self.rate_hz = chunk.rate_hz
        self.channels = frozenset(chunk.channels)
        self.state: FloatArray = np.zeros(kernels.STATE_SIZE)
        self.past: FloatArray = np.zeros((CHANNELS, int(kernels.PAST_S * chunk.rate_hz)))
        self.held: Chunk | None = None
        self.told_s = self.spike_told_s = -math.inf
        self.spikes = 0
        self.was_stuck = False
        self.begin(chunk)

    def begin(self, chunk: Chunk) -> None:
        """Count samples from here."""
        self.origin_s, self.next = chunk.start_s, 0

    def is_next(self, chunk: Chunk) -> bool:
        return abs(chunk.start_s - self.time_s(self.next)) * self.rate_hz <= HALF_SAMPLE

    def time_s(self, index: int) -> float:
        """Counted from a chunk as the source gave it, so that times are equal in any cutting."""
        return self.origin_s + index / self.rate_hz


class Repeats:
    """Chunks in; the same samples out, missing where a source was stuck, and notices. One per bed."""

    def __init__(self, settings: AlignSettings | None = None) -> None:
        from streamer.core.align import _repeat_scan  # noqa: PLC0415 (loads the compiler: settings alone should not)

        self._kernels: Any = _repeat_scan
        self._every_s = (settings or AlignSettings()).report_every_s
        self._sources: dict[str, _Source] = {}

    def push(self, chunk: Chunk) -> tuple[list[Chunk], list[Notice]]:
        """What is settled by ``chunk``; the end of it waits while flow and pressure repeat."""
        if Channel.FLOW not in chunk.channels or not len(chunk):
            return [chunk], []
        source = self._sources.get(chunk.source)
        settled: list[Chunk] = []
        if source is None or source.rate_hz != chunk.rate_hz or source.channels != chunk.channels.keys():
            settled = [source.held] if source is not None and source.held is not None else []
            source = self._sources[chunk.source] = _Source(chunk, self._kernels)
        elif not source.is_next(chunk):
            settled = [source.held] if source.held is not None else []
            source.held = None
            source.begin(chunk)
        source.next += len(chunk)
        whole = chunk if source.held is None else _joined(source.held, chunk)
        good, notices = self._scan(whole, source)
        return ([*settled, good] if len(good) else settled), notices

    def close(self) -> list[Chunk]:
        """What still waits."""
        return [source.held for source in self._sources.values() if source.held is not None]

    def _scan(self, whole: Chunk, source: _Source) -> tuple[Chunk, list[Notice]]:
        size, flow = len(whole), whole.channels[Channel.FLOW]
        paw, pco2 = whole.channels.get(Channel.PAW), whole.channels.get(Channel.PCO2)
        has_paw, has_pco2 = paw is not None, pco2 is not None
        stuck = np.zeros(size, dtype=np.int8)
        was_stuck = source.was_stuck
        settled, missing = self._kernels.repeats(
            flow, paw if has_paw else flow, pco2 if has_pco2 else flow, has_paw, has_pco2, whole.rate_hz,
            source.state, source.past, stuck,
        )  # fmt: skip
        source.held = whole.cut(settled, size) if settled < size else None
        good = whole if source.held is None else whole.cut(0, settled)
        if settled:
            source.was_stuck = bool(stuck[settled - 1] > 0)
        if not missing:
            return good, []
        stuck = stuck[:settled]
        channels = {
            name: np.where(stuck >= self._kernels.SAME if name is Channel.PCO2 else stuck != 0, np.nan, samples)
            for name, samples in good.channels.items()
        }
        first = source.next - size
        notices = self._told(source, first, _starts(stuck, was_stuck=was_stuck))
        return replace(good, channels=channels), notices + self._spikes(source, first, stuck)

    def _told(self, source: _Source, first: int, starts: Sequence[int]) -> list[Notice]:
        """A notice of each stretch, but not more often than every ten seconds."""
        notices = []
        for at_s in (source.time_s(first + start) for start in starts):
            if at_s - source.told_s >= self._every_s:
                source.told_s = at_s
                detail = "flow and pressure are repeated to the last digit: taken as missing samples"
                notices.append(Notice(bed="", at_s=at_s, kind=NoticeKind.IMPLAUSIBLE, detail=detail))
        return notices

    def _spikes(self, source: _Source, first: int, stuck: NDArray[np.int8]) -> list[Notice]:
        """How many single samples were taken out since the last notice of them, every ten seconds at most."""
        notices = []
        for index in np.flatnonzero(stuck == self._kernels.SPIKE).tolist():
            source.spikes += 1
            at_s = source.time_s(first + index)
            if at_s - source.spike_told_s >= self._every_s:
                single = source.spikes == 1
                what = "single sample far outside its" if single else "single samples far outside their"
                detail = f"{source.spikes} {what} neighbours: taken as missing"
                values: dict[str, float | str] = {"samples": float(source.spikes)}
                notices.append(Notice(bed="", at_s=at_s, kind=NoticeKind.IMPLAUSIBLE, detail=detail, values=values))
                source.spikes, source.spike_told_s = 0, at_s
        return notices


def _starts(stuck: NDArray[np.int8], *, was_stuck: bool) -> list[int]:
    """Where a stretch of missing samples begins; ``was_stuck``: the first one may continue another chunk's."""
    is_stuck = stuck > 0
    return np.flatnonzero(is_stuck & ~np.append(was_stuck, is_stuck[:-1])).tolist()


def _joined(held: Chunk, chunk: Chunk) -> Chunk:
    channels = {name: np.concatenate((samples, chunk.channels[name])) for name, samples in held.channels.items()}
    return replace(held, channels=channels, received_ns=chunk.received_ns)
