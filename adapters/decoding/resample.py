"""Chunks of any rate → rows at a device's own rate; used by the emulators.

The grid starts with the first sample and after each gap; its points come from a global index, so cutting cannot
matter. Between two samples a row is interpolated linearly, and missing where either is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamer.model.chunk import Channel, Chunk, FloatArray

_EXACT = 1e-6
"""Of a sample's step: nearer than this is at it."""


class Regrid:
    """Rows ``(n, channels)`` at ``rate_hz``; a channel that a chunk has not is missing."""

    def __init__(self, rate_hz: float, channels: Sequence[Channel]) -> None:
        self.rate_hz = rate_hz
        self.start_s = 0.0
        """Time of the first row that ``push`` gave last."""
        self._channels = tuple(channels)
        self._origin_s, self._given_hz = 0.0, 0.0
        self._seen = self._made = 0
        self._last = np.empty((0, len(self._channels)))

    def push(self, chunk: Chunk) -> FloatArray:
        """The rows whose neighbours are known now."""
        if not len(chunk):
            return self._last[:0]
        due_s = self._origin_s + self._seen / self._given_hz if self._given_hz else 0.0
        if chunk.rate_hz != self._given_hz or abs(chunk.start_s - due_s) * chunk.rate_hz > 0.5:  # noqa: PLR2004 (half)
            self._origin_s, self._given_hz = chunk.start_s, chunk.rate_hz
            self._seen = self._made = 0
            self._last = self._last[:0]
        missing = np.full(len(chunk), np.nan)
        samples = np.column_stack([chunk.channels.get(name, missing) for name in self._channels])
        known, first = np.concatenate([self._last, samples]), self._seen - len(self._last)
        self._seen += len(chunk)
        step = chunk.rate_hz / self.rate_hz
        made = int((self._seen - 1) / step + _EXACT) + 1
        self.start_s = self._origin_s + self._made / self.rate_hz
        place = np.arange(self._made, made) * step - first
        below = np.floor(place + _EXACT).astype(np.intp)
        share = (place - below)[:, None]
        above = np.minimum(below + 1, len(known) - 1)
        between = known[below] * (1.0 - share) + known[above] * share
        rows: FloatArray = np.where(share > _EXACT, between, known[below])
        self._made, self._last = made, known[-1:]
        return rows
