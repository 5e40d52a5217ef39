"""A lung on a ventilator as a source like any other, and the oracle: it states its truth.

``simulate(scenario)`` gives the same samples to the bit for the same scenario, whatever the chunk length. The model:
one or two compartments that may relax, a tube, the patient's muscles; volume or pressure control and pressure support,
triggered or not; holds, a leak, disconnects, suction, a mainstream capnogram, sensor noise.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from adapters._scenario import Scenario
from adapters._scenario_file import load_scenario
from adapters._truth import BreathTruth, EffortTruth, HoldTruth, SegmentTruth, Truth, rounded
from streamer.chunk import Channel, Chunk, FloatArray
from streamer.context import Sidecar

__all__ = ["DECIMALS", "Settings", "Simulation", "chunks", "load_scenario", "simulate"]

SOURCE = "simulator"
DECIMALS = 2
"""Of pressures (cmH2O, mmHg) and flow (L/min) in a text file: what ventilators write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of the adapter.

    Attributes:
        scenario: A scenario file (TOML), or the name of a bundled one.
        chunk_s: Length of the chunks.
    """

    scenario: Path
    chunk_s: float = 0.1


async def chunks(settings: Settings) -> AsyncIterator[Chunk]:
    """The scenario's samples. Raises ``ConfigError`` where the scenario cannot be used."""
    for chunk in simulate(load_scenario(settings.scenario)).chunks(settings.chunk_s):
        await asyncio.sleep(0)  # so that others run, and a cancellation arrives
        yield chunk


@dataclass(frozen=True)
class Simulation:
    """A scenario that can be run, again and again with the same result."""

    scenario: Scenario
    _truth: list[Truth] = field(default_factory=list, repr=False)

    @property
    def truth(self) -> Truth:
        """What a measurement has to find."""
        if not self._truth:
            for _ in self.chunks(self.scenario.duration_s):
                pass
        return self._truth[0]

    @property
    def sidecar(self) -> Sidecar:
        """What stands beside a recording of it."""
        return self.scenario.sidecar()

    def chunks(self, chunk_s: float = 1.0) -> Iterator[Chunk]:
        """All samples, in chunks of ``chunk_s`` seconds; a gap is samples that are not there."""
        from adapters import _engine  # noqa: PLC0415 (Numba takes a second: only for who simulates)

        scenario = self.scenario
        strips = {channel: _Strip() for channel in Channel if scenario.segments[0].capnogram or channel != Channel.PCO2}
        cuts, position = self._cuts(chunk_s), 0
        first, last = next(cuts, (0, 0))
        breaths: list[BreathTruth] = []
        holds: list[HoldTruth] = []
        efforts: list[EffortTruth] = []
        for stretch in _engine.run(scenario):
            if 0 <= stretch.truth.start_s - scenario.start_s < scenario.duration_s:
                breaths.append(stretch.truth)
                holds += stretch.holds
            efforts += [effort for effort in stretch.efforts if effort.start_s - scenario.start_s < scenario.duration_s]
            for channel, strip in strips.items():
                strip.append({"paw": stretch.paw, "flow": stretch.flow, "pco2": stretch.pco2}[channel])
            while first < last <= position + min(strip.size for strip in strips.values()):
                for strip in strips.values():
                    strip.take(first - position)
                channels = {channel: strip.take(last - first) for channel, strip in strips.items()}
                start_s = scenario.start_s + first / scenario.rate_hz
                yield Chunk(source=SOURCE, start_s=start_s, rate_hz=scenario.rate_hz, channels=channels)
                position = last
                first, last = next(cuts, (0, 0))
        self._truth[:] = [self._told(breaths, holds, efforts)]

    def _cuts(self, chunk_s: float) -> Iterator[tuple[int, int]]:
        """First and last (exclusive) sample of each chunk."""
        rate = self.scenario.rate_hz
        length = max(round(chunk_s * rate), 1)
        end = round(self.scenario.duration_s * rate)
        missing = [(gap.at_s, gap.at_s + gap.duration_s) for gap in self.scenario.gap]
        marks = [0, *(min(math.ceil(at_s * rate), end) for gap in missing for at_s in gap), end]
        for run_start, run_end in list(pairwise(marks))[::2]:
            for first in range(run_start, run_end, length):
                yield first, min(first + length, run_end)

    def _told(self, breaths: list[BreathTruth], holds: list[HoldTruth], efforts: list[EffortTruth]) -> Truth:
        scenario = self.scenario
        segments = tuple(
            SegmentTruth(
                start_s=scenario.start_s + segment.at_s,
                lung=segment.lung,
                ventilator=segment.ventilator,
                circuit=segment.circuit,
                capnogram=segment.capnogram,
                second_compartment=segment.second_compartment,
                relaxation=segment.relaxation,
                tube=segment.tube,
                valve=segment.valve,
                assist=segment.assisting,
            )
            for segment in scenario.segments
        )
        truth = Truth(
            rate_hz=scenario.rate_hz,
            start_s=scenario.start_s,
            duration_s=scenario.duration_s,
            segments=segments,
            breaths=tuple(breaths),
            holds=tuple(holds),
            disconnects=scenario.disconnect,
            suctions=scenario.suction,
            efforts=tuple(efforts),
            gaps=scenario.gap,
        )
        return rounded(truth)


def simulate(scenario: Scenario | Path | str) -> Simulation:
    """A simulation of a scenario, of its file, or of a bundled one by name. Raises ``ConfigError``."""
    return Simulation(scenario if isinstance(scenario, Scenario) else load_scenario(scenario))


class _Strip:
    """Samples of one channel on their way from breaths to chunks."""

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
