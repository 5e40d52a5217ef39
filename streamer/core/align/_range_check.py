"""Samples no airway can have: counted and reported now and then."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from streamer.model.chunk import Channel, FloatArray
from streamer.model.records import Notice, NoticeKind


@dataclass(slots=True, kw_only=True)
class Implausible:
    """The count of one channel.

    Attributes:
        channel: Which.
        low: Lowest believable value, canonical unit.
        high: Highest.
        report_every_s: At most one notice in this time, so that a faulty sensor cannot flood its readers.
    """

    channel: Channel
    low: float
    high: float
    report_every_s: float
    _samples: int = field(default=0, init=False)
    _reported_s: float = field(default=-math.inf, init=False)

    def count(self, samples: FloatArray, first: int, time_s: Callable[[int], float]) -> list[Notice]:
        """Count ``samples`` (n,) beyond the limits; NaN is missing, not implausible.

        Times come from the grid, ``time_s`` of an index, the first being ``first``: so they are equal in any cutting.
        """
        notices = []
        for index in np.flatnonzero((samples < self.low) | (samples > self.high)).tolist():
            self._samples += 1
            at_s = time_s(first + index)
            if at_s - self._reported_s >= self.report_every_s:
                notices += self.report(at_s)
        return notices

    def report(self, at_s: float) -> list[Notice]:
        """A notice of what was counted since the last one, if anything was."""
        if not self._samples:
            return []
        what = "sample" if self._samples == 1 else "samples"
        detail = f"{self.channel.value}: {self._samples} implausible {what} taken as missing"
        values: dict[str, float | str] = {"channel": self.channel.value, "samples": float(self._samples)}
        self._samples, self._reported_s = 0, at_s
        return [Notice(bed="", at_s=at_s, kind=NoticeKind.IMPLAUSIBLE, detail=detail, values=values)]
