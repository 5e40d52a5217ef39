"""From the arrays of breaths to chunks, for one source or two side by side. Used by ``simulator``."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from adapters.simulator.scenario import Scenario
from streamer.model.chunk import Channel, Chunk, FloatArray

VENTILATOR, CAPNOGRAPH = "simulator", "capnograph"


def streams(scenario: Scenario, chunk_s: float) -> list[Stream]:
    """The ventilator's; after it that of a capnograph with a rate of its own, by its own clock."""
    device = scenario.capnograph
    own_hz = device.rate_hz if device else None
    shows_co2 = scenario.segments[0].capnogram is not None and own_hz is None
    there = [channel for channel in Channel if shows_co2 or channel != Channel.PCO2]
    channels = [channel for channel in there if scenario.channels is None or channel.value in scenario.channels]
    cuts = _cuts(scenario, scenario.rate_hz, chunk_s)
    found = [Stream(VENTILATOR, scenario.start_s, (scenario.rate_hz, scenario.rate_hz), channels, cuts)]
    if device and own_hz is not None:
        start_s = scenario.start_s + device.clock_offset_s
        cuts = _cuts(scenario, scenario.co2_rate_hz, chunk_s)
        found.append(Stream(CAPNOGRAPH, start_s, (own_hz, scenario.co2_rate_hz), [Channel.PCO2], cuts))
    return found


def in_order(found: Sequence[Stream]) -> Iterator[Chunk]:
    """The chunks that no other can precede any more, by the time of their first samples; the ventilator's go first."""
    while all(stream.waiting or stream.is_over for stream in found):
        heads = [stream for stream in found if stream.waiting]
        if not heads:
            return
        yield min(heads, key=lambda stream: stream.waiting[0][0]).waiting.popleft()[1]


class Stream:
    """Samples of one source on their way.

    Attributes:
        waiting: Complete chunks, each with the time of its first sample since that of the recording, by the
            ventilator's clock.
        is_over: There will be no more.
    """

    def __init__(
        self,
        source: str,
        start_s: float,
        rates_hz: tuple[float, float],
        channels: Sequence[Channel],
        cuts: Iterator[tuple[int, int]],
    ) -> None:
        self._source, self._start_s, self._cuts = source, start_s, cuts
        self._stated_hz, self._true_hz = rates_hz
        self._strips = {channel: _Strip() for channel in channels}
        self._position = 0
        self._first, self._last = next(cuts, (0, 0))
        self.waiting: deque[tuple[float, Chunk]] = deque()

    @property
    def is_over(self) -> bool:
        """See the class."""
        return self._first >= self._last

    def append(self, samples: Mapping[Channel, FloatArray]) -> None:
        """Add what a breath gave; channels of others are passed over."""
        for channel, strip in self._strips.items():
            strip.append(samples[channel])
        size = min(strip.size for strip in self._strips.values())
        while not self.is_over and self._last <= self._position + size:
            for strip in self._strips.values():
                strip.take(self._first - self._position)
            size -= self._last - self._position
            self.waiting.append((self._first / self._true_hz, self._chunk()))
            self._position = self._last
            self._first, self._last = next(self._cuts, (0, 0))

    def _chunk(self) -> Chunk:
        channels = {channel: strip.take(self._last - self._first) for channel, strip in self._strips.items()}
        start_s = self._start_s + self._first / self._stated_hz
        return Chunk(source=self._source, start_s=start_s, rate_hz=self._stated_hz, channels=channels)


def _cuts(scenario: Scenario, rate_hz: float, chunk_s: float) -> Iterator[tuple[int, int]]:
    """First and last (exclusive) sample of each chunk; a gap is samples that are not there."""
    length = max(round(chunk_s * rate_hz), 1)
    end = round(scenario.duration_s * rate_hz)
    missing = [(gap.at_s, gap.at_s + gap.duration_s) for gap in scenario.gap]
    marks = [0, *(min(math.ceil(at_s * rate_hz), end) for gap in missing for at_s in gap), end]
    for run_start, run_end in list(pairwise(marks))[::2]:
        for first in range(run_start, run_end, length):
            yield first, min(first + length, run_end)


class _Strip:
    """Samples of one channel."""

    def __init__(self) -> None:
        self._parts: list[FloatArray] = []
        self.size = 0

    def append(self, samples: FloatArray) -> None:
        """Add samples at the end."""
        self._parts.append(samples)
        self.size += samples.size

    def take(self, count: int) -> FloatArray:
        """The first ``count`` samples, which are here."""
        joined = np.concatenate(self._parts) if len(self._parts) > 1 else self._parts[0]
        self._parts = [joined[count:]]
        self.size -= count
        return joined[:count]
