"""Faults of a recorder: samples that it repeats, loses, zeroes or replaces by a counter, and columns it exchanges.

A scenario gives their times; the code finds them by sample number, so the size of the chunks makes no difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from adapters.simulator.scenario import Fault, Scenario
from streamer.model.chunk import Channel, FloatArray
from streamer.model.units import S_PER_MIN

COUNTS = 65_536
"""A counter of 16 bits."""
PER_COLUMN = {Channel.FLOW: S_PER_MIN}
"""What a column's number is of the canonical one: flow stands in L/min."""


class Recorder:
    """Samples in, in the order of time; what a file holds of them out."""

    def __init__(self, scenario: Scenario) -> None:
        self._faults, self._exchanged = scenario.fault, scenario.exchanged
        self._rates_hz = {Channel.PAW: scenario.rate_hz, Channel.FLOW: scenario.rate_hz}
        self._rates_hz[Channel.PCO2] = scenario.co2_rate_hz
        self._first = dict.fromkeys(Channel, 0)
        self._last = dict.fromkeys(Channel, math.nan)
        self._longest_s = max((one.duration_s for one in self._faults if one.kind == "packet"), default=0.0)
        self._past: dict[Channel, FloatArray] = dict.fromkeys(Channel, np.zeros(0))

    def record(self, samples: Mapping[Channel, FloatArray]) -> Mapping[Channel, FloatArray]:
        """The next samples of each channel."""
        if not self._faults and not self._exchanged:
            return samples
        written = {channel: self._written(channel, values) for channel, values in samples.items()}
        if self._exchanged:
            one, other = (Channel(name) for name in self._exchanged)
            written[one], written[other] = _renamed(written[other], other, one), _renamed(written[one], one, other)
        return written

    def _written(self, channel: Channel, samples: FloatArray) -> FloatArray:
        rate_hz, first = self._rates_hz[channel], self._first[channel]
        numbers = first + np.arange(samples.size)
        self._first[channel] = first + samples.size
        written = samples.copy()
        for fault in self._faults:
            if channel.value in fault.channels and samples.size:
                is_bad, since = _when(fault, numbers, rate_hz)
                if is_bad.any() and fault.kind == "packet":
                    self._again(written, channel, is_bad, max(round(fault.duration_s * rate_hz), 1))
                elif is_bad.any():
                    self._replace(written, channel, fault.kind, is_bad, since)
        if samples.size:
            self._last[channel] = float(written[-1])
        if self._longest_s:
            kept = round(self._longest_s * rate_hz)
            self._past[channel] = np.concatenate((self._past[channel], written))[-kept:]
        return written

    def _again(self, written: FloatArray, channel: Channel, is_bad: NDArray[np.bool_], length: int) -> None:
        """Write what was written ``length`` samples before; nothing, where that was before the recording."""
        before = self._past[channel][-length:]
        for i in np.flatnonzero(is_bad).tolist():
            place = before.size + i - length
            written[i] = math.nan if place < 0 else before[place] if i < length else written[i - length]

    def _replace(
        self,
        written: FloatArray,
        channel: Channel,
        kind: str,
        is_bad: NDArray[np.bool_],
        since: NDArray[np.int64],
    ) -> None:
        """Write what the fault writes where it is bad; ``since`` counts samples from its begin."""
        if kind == "repeats":
            before = np.where(is_bad, -1, np.arange(written.size))
            source = np.maximum.accumulate(before)[is_bad]
            written[is_bad] = np.where(source < 0, _or_first(self._last[channel], written), written[source])
        elif kind == "counter":
            written[is_bad] = since[is_bad] % COUNTS
        else:
            written[is_bad] = 0.0 if kind == "zero" else math.nan


def _or_first(last: float, written: FloatArray) -> float:
    """The last value written; a recording that begins stuck repeats its first."""
    return float(written[0]) if math.isnan(last) else last


def _when(fault: Fault, numbers: NDArray[np.int64], rate_hz: float) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which samples a fault takes, and how many of its own each lies after its begin."""
    begin, length = round(fault.at_s * rate_hz), max(round(fault.duration_s * rate_hz), 1)
    since = numbers - begin
    if fault.every_s is not None:
        since = np.where(since >= 0, since % max(round(fault.every_s * rate_hz), length + 1), since)
    return (since >= 0) & (since < length), since


def _renamed(samples: FloatArray, was: Channel, is_now: Channel) -> FloatArray:
    """A column's numbers under another name."""
    return samples * PER_COLUMN.get(was, 1.0) / PER_COLUMN.get(is_now, 1.0)
