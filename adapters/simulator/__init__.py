"""The lung simulator: a lung on a ventilator as a source, with its truth.

``simulate(scenario)`` gives the same samples, bit for bit, for the same scenario and any chunk length. The model:
one or two compartments that may relax, a tube, the patient's muscles; volume or pressure control, pressure support and
SIMV, triggered or not; holds, a leak, disconnects, suction, a ringing valve, water in the tube, a nebuliser; a
mainstream capnogram, or one that is late and slow, drawn through a line, or a device of its own; sensors that are noisy
or wrong, and a recorder that repeats, loses or exchanges what they say.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from adapters.simulator.chunking import in_order, streams
from adapters.simulator.course import Segment
from adapters.simulator.recorder_faults import Recorder
from adapters.simulator.scenario import Scenario
from adapters.simulator.scenario_file import load_scenario
from adapters.simulator.truth import BreathTruth, EffortTruth, HoldTruth, SegmentTruth, Truth, rounded
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import Sidecar

__all__ = ["DECIMALS", "Settings", "Simulation", "chunks", "load_scenario", "simulate"]

DECIMALS = 2
"""Of pressures (cmH2O, mmHg) and flow (L/min) in a text file: what ventilators write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of the adapter ``simulator``.

    Attributes:
        scenario: A scenario file (TOML), or the name of a bundled one.
        chunk_s: Length of the chunks, s.

    Examples:
        >>> Settings(scenario=Path("vcv_hold")).chunk_s
        0.1
    """

    scenario: Path
    chunk_s: float = 0.1


async def chunks(settings: Settings) -> AsyncIterator[Chunk]:
    """Yield the samples of a scenario.

    Raises:
        ConfigError: The scenario cannot be used.

    Examples:
        >>> async def first() -> float:
        ...     async for chunk in chunks(Settings(scenario=Path("vcv_hold"), chunk_s=0.5)):
        ...         return len(chunk) / chunk.rate_hz
        >>> asyncio.run(first())
        0.5
    """
    for chunk in simulate(load_scenario(settings.scenario)).chunks(settings.chunk_s):
        await asyncio.sleep(0)  # so that others run, and a cancellation arrives
        yield chunk


@dataclass(frozen=True)
class Simulation:
    """A scenario that is ready to run. Every run gives the same samples and the same truth.

    Attributes:
        scenario: Lung, ventilator, sensors and events.

    Examples:
        >>> lung = simulate("vcv_hold")
        >>> chunk = next(lung.chunks(chunk_s=2.0))
        >>> {channel.value: samples.shape for channel, samples in chunk.channels.items()}
        {'paw': (100,), 'flow': (100,), 'pco2': (100,)}
        >>> lung.truth.segments[0].crs, len(lung.truth.breaths)
        (35.0, 22)
    """

    scenario: Scenario
    _truth: list[Truth] = field(default_factory=list, repr=False)

    @property
    def truth(self) -> Truth:
        """What a measurement should find: constants of the lung, breaths, holds, efforts. Runs the scenario once."""
        if not self._truth:
            for _ in self.chunks(self.scenario.duration_s):
                pass
        return self._truth[0]

    @property
    def sidecar(self) -> Sidecar:
        """Context, events and blood gases, as a recording of the scenario has them in its sidecar."""
        return self.scenario.sidecar()

    def chunks(self, chunk_s: float = 1.0) -> Iterator[Chunk]:
        """Run the scenario.

        Args:
            chunk_s: Length of a chunk, s. A gap in the signal ends a chunk early.

        Yields:
            Chunks in canonical units. A separate capnograph has chunks of its own (source ``capnograph``) between those
            of the ventilator, in the order of time.
        """
        from adapters.simulator import engine as _engine  # noqa: PLC0415 (Numba takes a second: only for who simulates)

        scenario = self.scenario
        found, recorder = streams(scenario, chunk_s), Recorder(scenario)
        breaths: list[BreathTruth] = []
        holds: list[HoldTruth] = []
        efforts: list[EffortTruth] = []
        for stretch in _engine.run(scenario):
            if 0 <= stretch.truth.start_s - scenario.start_s < scenario.duration_s:
                breaths.append(stretch.truth)
                holds += stretch.holds
            efforts += [effort for effort in stretch.efforts if effort.start_s - scenario.start_s < scenario.duration_s]
            samples = recorder.record(
                {Channel.PAW: stretch.paw, Channel.FLOW: stretch.flow, Channel.PCO2: stretch.pco2}
            )
            for stream in found:
                stream.append(samples)
            yield from in_order(found)
        self._truth[:] = [self._told(breaths, holds, efforts)]

    def _told(self, breaths: list[BreathTruth], holds: list[HoldTruth], efforts: list[EffortTruth]) -> Truth:
        scenario = self.scenario
        segments = tuple(_constants(segment, scenario.start_s) for segment in scenario.segments)
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
            capnograph=scenario.capnograph,
            co2_delays=scenario.co2_delay,
            faults=scenario.fault,
            channels=scenario.channels,
            exchanged=scenario.exchanged,
        )
        return rounded(truth)


def _constants(segment: Segment, start_s: float) -> SegmentTruth:
    told = {name: getattr(segment, name) for name in SegmentTruth.__struct_fields__ if name != "start_s"}
    return SegmentTruth(start_s=start_s + segment.at_s, **{**told, "assist": segment.assisting})


def simulate(scenario: Scenario | Path | str) -> Simulation:
    """Prepare a simulation.

    Args:
        scenario: A scenario, the path of its TOML file, or the name of a bundled one (``demo``, ``vcv_hold`` …).

    Raises:
        ConfigError: There is no such scenario, or its tables contradict each other.

    Examples:
        >>> simulate("vcv_hold").scenario.duration_s
        75.0
    """
    return Simulation(scenario if isinstance(scenario, Scenario) else load_scenario(scenario))
