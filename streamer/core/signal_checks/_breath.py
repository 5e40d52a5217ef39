"""One channel that stands still in one breath, while another moves: seen at once, not at the next look."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamer.model.breath import Breath
from streamer.model.chunk import FloatArray
from streamer.model.flags import Flag

STANDS_S = 0.5
MOVES = 0.3
"""Share of a channel's range in the breath through which it goes while the other stands still."""
LONGER = 10
"""It also stands still where it holds a value for so many times as long as it ever did in the last live breath."""
LABELS = Flag.FLOW_SUSPECT, Flag.PAW_SUSPECT, Flag.PCO2_SUSPECT


class Standing:
    """Breaths in; labels of the channels that stood still in them out."""

    def __init__(self) -> None:
        from streamer.core.signal_checks import _look, _runs  # noqa: PLC0415 (loads the compiler)

        self._runs: Any = _runs
        self._look: Any = _look
        self._live: list[FloatArray | None] = [None, None, None]
        """Each channel in the last breath in which it was not suspect and moved through half of the samples."""

    def add(self, breath: Breath) -> frozenset[Flag]:
        """Noise that falls silent for half a second, with a chance below 10⁻⁶, is a sensor that does."""
        channels = breath.flow, breath.paw, breath.pco2
        if breath.flow.size < 2 * STANDS_S * breath.rate_hz:
            return frozenset()
        length = int(STANDS_S * breath.rate_hz) + 1
        found = set()
        for place, samples in enumerate(channels):
            if samples is None or not self._runs.stands(samples, length):
                self._live[place] = samples
                continue
            other = (breath.paw, breath.flow, None)[place]
            free = (0.0, math.nan, float(np.fmin.reduce(samples)))[place]  # where it may: no flow, no CO2
            held = self._stands(place, samples, other, length, free)
            if held is None:
                continue
            found.add(LABELS[place])
            if place == 0 and float(samples.min()) < held < float(samples.max()):  # else clipped, and times are right
                found.add(Flag.TIMES_SUSPECT)
        return frozenset(found)

    def _stands(
        self, place: int, samples: FloatArray, other: FloatArray | None, length: int, free: float
    ) -> float | None:
        """The value that it holds, if it does so while ``other`` moves, or for far longer than it ever did."""
        first, count, turns = self._runs.longest(samples)
        live, is_held, usual = self._live[place], 2 * count > samples.size, math.inf
        if live is not None:
            _, usual, turned = self._runs.longest(live)
            turns = max(turns, turned) if is_held else turns  # too little is left that could turn
        value = float(samples[first])
        is_silent = count >= length and turns >= self._look.NOISY_TURNS and value != free
        if is_silent and count * math.log(1.0 - min(turns, 0.99)) <= self._look.LOG_CHANCE:
            moves = other is None or np.ptp(other[first : first + count]) > MOVES * np.ptp(other)
            if moves or count > LONGER * usual:
                return value
        if not is_held:
            self._live[place] = samples
        return None
