"""Samples of one source since its last look, and when they are enough for the next."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamer.core.signal_checks._rules import LEVELS, RULES
from streamer.core.signal_checks._signals import Signals, Spread
from streamer.model.chunk import Channel, Chunk, FloatArray

FIRST_S = 10.0
"""The first look: so long the first breaths wait."""
LOOK_S, LONG_LOOK_S = 5.0, 10.0
"""The next one: the shorter if flow has changed its direction often enough by then, or not at all."""
BALANCE_S = 30.0
SHORT_CHANGES, LONG_CHANGES = 3, 2
"""So often: a breath and a half; one that is slower than ten seconds allow."""
HALF_SAMPLE = 0.5 + 1e-3
ORDER = (Channel.FLOW, Channel.PAW, Channel.PCO2)
BREATHES: FloatArray = np.array([0.03, 3.0, 10.0])
"""L/s, cmH2O, mmHg: a range that no idle sensor shows."""


class Source:
    """One source between two looks, and what was told of it."""

    def __init__(self, chunk: Chunk, before: Source | None, kernels: Any) -> None:
        self.name, self.rate_hz, self.channels = chunk.source, chunk.rate_hz, frozenset(chunk.channels)
        self.first_s = self._origin_s = chunk.start_s
        self.next = self.filled = self.looks = 0
        self._kernels = kernels
        self._length = round(FIRST_S * chunk.rate_hz)
        self._short, self._long = round(LOOK_S * chunk.rate_hz), round(LONG_LOOK_S * chunk.rate_hz)
        self._samples: FloatArray = np.full((len(ORDER), self._long), math.nan)
        self._rows = [(self._samples[i], name) for i, name in enumerate(ORDER) if name in chunk.channels]
        self.rules = [(name, rule) for name, rule in RULES.items() if rule.channel in chunk.channels]
        self.rules_of_levels = [one for one in self.rules if one[0] in LEVELS]
        self._memory: FloatArray = np.full((len(ORDER), kernels.MEMORY_SIZE), math.nan)
        self._seen: FloatArray = np.empty((len(ORDER), kernels.CHANNEL_SIZE))
        self.calm_s: dict[str, float] = before.calm_s if before else {}
        """Rule → seconds without it, for each suspicion that holds."""
        self._is_whole = False
        self._gas_s = self._gas_in = self._gas_out = 0.0
        self.flow_top: float = before.flow_top if before else -math.inf
        self.pco2_top: float = before.pco2_top if before else -math.inf

    @property
    def is_judged(self) -> bool:
        """Whether what is kept is enough to be judged."""
        return self.filled >= (self._short if self.looks else self._length)

    def time_s(self, index: int) -> float:
        """Counted from a chunk as the source gave it, so that times are equal in any cutting."""
        return self._origin_s + index / self.rate_hz

    def place(self, chunk: Chunk) -> None:
        """Count from ``chunk`` where it does not continue."""
        if abs(chunk.start_s - self.time_s(self.next)) * self.rate_hz > HALF_SAMPLE:
            self._origin_s, self.next = chunk.start_s, 0

    def take(self, chunk: Chunk, first: int, size: int) -> int:
        """Keep samples from ``first`` to ``size``, as many as there is room for until the next look may come."""
        count = min(size - first, self._length - self.filled)
        for row, name in self._rows:
            row[self.filled : self.filled + count] = chunk.channels[name][first : first + count]
        self.filled += count
        self.next += count
        return count

    def is_full(self) -> bool:
        """Whether the next look has come; else it waits for more."""
        if self.filled < self._length:
            return False
        changes = int(self._kernels.changes(self._samples[0], self.filled))
        self._is_whole = changes >= (SHORT_CHANGES if self._length == self._short else LONG_CHANGES)
        if self._length != self._short or self._is_whole or (changes <= 0 and Channel.FLOW in self.channels):
            return True
        self._length = self._long
        return False

    def look(self, patient_class: str | None) -> Signals:
        """What the samples kept show; another look begins."""
        pairs = self._kernels.look(self._samples, self.filled, self.rate_hz, BREATHES, self._memory, self._seen)
        flow, paw, pco2 = (Spread(*values) for values in self._seen.tolist())
        paw_step, pco2_step, paw_above, flow_in, flow_out, marked = pairs.tolist()
        self._balance(flow_in, flow_out)
        gas_s = self._gas_s or math.nan
        self.flow_top = max(self.flow_top, flow.most)  # the first where the second is NaN
        self.pco2_top = max(self.pco2_top, pco2.high)
        self.looks, self.filled, self._length = self.looks + 1, 0, self._short
        return Signals(
            flow, paw, pco2, paw_step, pco2_step, paw_above, self._gas_in / gas_s, self._gas_out / gas_s,
            self._gas_s, self.flow_top, self.pco2_top, self.looks == 1, self._is_whole, bool(marked), patient_class,
        )  # fmt: skip

    def _balance(self, flow_in: float, flow_out: float) -> None:
        """Take mean flows of a look; what came before it fades: a few breaths may give more than they took."""
        if math.isnan(flow_in):
            return
        seconds = self.filled / self.rate_hz
        kept = math.exp(-seconds / BALANCE_S)
        self._gas_s = kept * self._gas_s + seconds
        self._gas_in = kept * self._gas_in + flow_in * seconds
        self._gas_out = kept * self._gas_out + flow_out * seconds
