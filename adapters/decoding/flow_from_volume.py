"""Flow from volume: the slope of a volume on its even grid. For tables that have a volume and no flow.

Flow at a sample is the mean of the steps of volume around it, over some 40 ms. A volume that is set back between
breaths has one step far beyond its neighbours: it is no gas, and stands for their mean. Noise of volume is noise of
flow, so every number that comes of it is at best of quality B.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.records import Notice, NoticeKind

HALF_S = 0.02
"""Steps are averaged so far to either side, but over one at least."""
RESET_L, RESET_RATIO = 0.005, 2.0
"""A step beyond this, and beyond so many times its neighbours, and quanta, is a volume that was set back."""
FLOW_FROM_VOLUME = "flow_from_volume"
"""The word for it beside every number."""
NOTE = Notice(
    bed="",
    at_s=0.0,
    kind=NoticeKind.NOTE,
    detail="its flow is the slope of a volume (quality B)",
    values={"assumes": FLOW_FROM_VOLUME, "grade": "B"},
)


class FlowFromVolume:
    """Chunks whose channel ``flow`` holds volume in L → chunks with flow in L/s, the notices between in their place."""

    def __init__(self, quantum_l: float = 0.0) -> None:
        """``quantum_l``: the smallest step that the volume makes."""
        self._least_l = max(RESET_L, RESET_RATIO * quantum_l)
        self._first: Chunk | None = None
        self._columns: dict[Channel, FloatArray] = {}
        self._dropped = self._done = 0
        self._waiting: list[tuple[int, Notice]] = []

    def push(self, items: Iterable[Chunk | Notice]) -> Iterator[Chunk | Notice]:
        """What is settled by these."""
        for item in items:
            if isinstance(item, Notice):
                self._waiting.append((self._size, item))
            elif len(item):
                if not self._goes_on(item):
                    yield from self.close()
                    self._first = item
                    self._columns = {channel: item.channels[channel][:0] for channel in item.channels}
                self._columns = {c: np.concatenate([self._columns[c], item.channels[c]]) for c in self._columns}
            if self._first is None:
                yield from self._notices(0)
            else:
                yield from self._settle(self._size - self._half - 2)

    def close(self) -> Iterator[Chunk | Notice]:
        """The last of a stretch, and of all."""
        yield from self._settle(self._size)
        yield from self._notices(self._size)
        self._first, self._columns, self._dropped, self._done = None, {}, 0, 0

    @property
    def _size(self) -> int:
        """Samples of this stretch so far."""
        return self._dropped + (next(iter(self._columns.values())).size if self._columns else 0)

    @property
    def _half(self) -> int:
        assert self._first is not None
        return max(int(HALF_S * self._first.rate_hz), 1)

    def _goes_on(self, chunk: Chunk) -> bool:
        first = self._first
        if first is None or chunk.rate_hz != first.rate_hz or chunk.channels.keys() != self._columns.keys():
            return False
        return abs(chunk.start_s - first.start_s - self._size / first.rate_hz) * first.rate_hz <= 0.5  # noqa: PLR2004

    def _notices(self, until: int) -> Iterator[Notice]:
        while self._waiting and self._waiting[0][0] <= until:
            yield self._waiting.pop(0)[1]

    def _settle(self, until: int) -> Iterator[Chunk | Notice]:
        """Give the samples before ``until``, cut where a notice stands."""
        while self._first is not None and self._done < until:
            yield from self._notices(self._done)
            end = min([until, *(at for at, _ in self._waiting if at > self._done)])
            yield self._chunk(self._done, end)
            self._done = end
            self._forget()

    def _chunk(self, start: int, end: int) -> Chunk:
        first, shift = self._first, self._dropped
        assert first is not None
        channels = {c: values[start - shift : end - shift] for c, values in self._columns.items()}
        channels[Channel.FLOW] = self._flow()[start - shift : end - shift]
        start_s = first.start_s + start / first.rate_hz
        return Chunk(source=first.source, start_s=start_s, rate_hz=first.rate_hz, channels=channels)

    def _forget(self) -> None:
        """Leave what no slope needs any more."""
        spare = self._done - self._dropped - self._half - 3
        if spare > 0:
            self._columns = {channel: values[spare:] for channel, values in self._columns.items()}
            self._dropped += spare

    def _flow(self) -> FloatArray:
        """(n,) L/s of what is held; whole only where its neighbours are held too."""
        assert self._first is not None
        volume, half = self._columns[Channel.FLOW], self._half
        steps = np.diff(volume, prepend=np.nan)  # steps[i]: from the sample before to sample i
        before, after = np.roll(steps, 1), np.roll(steps, -1)
        before[:1] = after[-1:] = np.nan
        beside = np.fmax(np.abs(before), np.abs(after))
        with np.errstate(invalid="ignore"):
            is_set = np.abs(steps) > np.maximum(self._least_l, RESET_RATIO * np.nan_to_num(beside))
        steps = np.where(
            is_set, np.where(np.isnan(before), after, np.where(np.isnan(after), before, 0.5 * (before + after))), steps
        )
        padded = np.concatenate([np.full(half, np.nan), steps, np.full(half + 1, np.nan)])
        total, count = np.zeros(volume.size), np.zeros(volume.size)
        for k in range(1 - half, half + 1):
            part = padded[half + k : half + k + volume.size]
            known = np.isfinite(part)
            total, count = total + np.where(known, part, 0.0), count + known
        with np.errstate(invalid="ignore", divide="ignore"):
            flow: FloatArray = np.where(np.isfinite(volume), total / count * self._first.rate_hz, np.nan)
        return flow
