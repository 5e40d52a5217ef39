"""When the patient's muscles pull and how strongly: the efforts of a scenario, drawn as its breaths go by.

Every ``[[effort]]`` has random numbers of its own, two for each of its pulls in the order of time, so that one more
effort in a scenario, or a breath triggered early, changes no other number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from adapters.simulator.scenario import Effort, Scenario
from adapters.simulator.ventilator import PlannedBreath
from streamer.model.chunk import FloatArray

MAX_DEVIATIONS = 5.0
"""Jitter is cut here, so that it is known how far ahead to look."""
MUSCLES = 1
"""Tells these random numbers from those of the sensors."""


@dataclass(slots=True, kw_only=True, eq=False)
class Pull:
    """One time that the muscles act; pressure in cmH2O, positive if it inspires."""

    effort: int
    start_s: float
    shape: Effort
    amplitude: float
    precedes: bool
    """It was planned before an onset that may not come."""
    triggered: list[float] = field(default_factory=list)
    """Onsets of breaths that began with it."""

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.start_s + self.shape.lasts_s


class Muscles:
    """The pulls of a scenario, breath by breath."""

    def __init__(self, scenario: Scenario) -> None:
        self._sources = [_Source(index, effort, scenario.seed) for index, effort in enumerate(scenario.effort)]
        self._pulls: list[Pull] = []

    def during(self, breath: PlannedBreath) -> FloatArray:
        """(k, 5) all that act between the breath's onset and its latest end, as the kernel takes them."""
        for source in self._sources:
            self._pulls += source.until(breath)
        rows = [
            (pull.start_s, pull.shape.rise_s, pull.shape.plateau_s, pull.shape.fall_s, pull.amplitude)
            for pull in self._pulls
            if pull.start_s < breath.end_s
        ]
        return np.array(rows) if rows else np.empty((0, 5))

    def ended(self, end_s: float, *, triggered: bool) -> list[Pull]:
        """Those that are over now that a breath has ended, and perhaps the patient began the next."""
        acting = [pull for pull in self._pulls if pull.start_s < end_s < pull.end_s and pull.amplitude > 0.0]
        if triggered and acting:
            max(acting, key=lambda pull: pull.start_s).triggered.append(end_s)
        over = [pull for pull in self._pulls if pull.end_s <= end_s]
        self._pulls = [
            pull for pull in self._pulls if pull.end_s > end_s and not (pull.precedes and pull.start_s >= end_s)
        ]
        return over


class _Source:
    """The pulls of one ``[[effort]]``."""

    def __init__(self, number: int, effort: Effort, seed: int) -> None:
        self._number, self._effort, self._count = number, effort, 0
        self._draw = np.random.default_rng(np.random.SeedSequence([seed, number], spawn_key=(MUSCLES, number)))
        self._until_s = np.inf if effort.duration_s is None else effort.at_s + effort.duration_s

    def until(self, breath: PlannedBreath) -> Iterator[Pull]:
        """Those that this breath calls for, or that come freely before its latest end."""
        effort = self._effort
        if effort.rate_per_min is not None:
            yield from self._free(breath, effort.rate_per_min)
            return
        offset_s = effort.offset_s or 0.0
        onset_s = breath.start_s if offset_s >= 0.0 else breath.end_s
        if effort.at_s <= onset_s < self._until_s:
            if self._count % effort.every == 0:
                yield self._pull(onset_s + offset_s, breath.start_s)
            self._count += 1

    def _free(self, breath: PlannedBreath, rate_per_min: float) -> Iterator[Pull]:
        ahead_s = MAX_DEVIATIONS * self._effort.timing_sd_s
        while True:
            due_s = self._effort.at_s + self._count * 60 / rate_per_min
            if due_s >= min(breath.end_s + ahead_s, self._until_s):
                return
            yield self._pull(due_s, breath.start_s)
            self._count += 1

    def _pull(self, due_s: float, not_before_s: float) -> Pull:
        effort = self._effort
        timing, strength = np.clip(self._draw.standard_normal(2), -MAX_DEVIATIONS, MAX_DEVIATIONS)
        return Pull(
            effort=self._number,
            start_s=max(due_s + effort.timing_sd_s * float(timing), not_before_s),
            shape=effort,
            amplitude=effort.amplitude_cmh2o * max(1.0 + effort.amplitude_cv * float(strength), 0.0),
            precedes=(effort.offset_s or 0.0) < 0.0,
        )
