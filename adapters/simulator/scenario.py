"""What the simulator is asked to do: a scenario, read by ``scenario_file`` or built in a test.

Whatever is scheduled for a breath (segments, holds) happens with the first one that begins at or after its ``at_s``, as
a ventilator does it; disconnects, suction and gaps happen at their second.
"""

from __future__ import annotations

import msgspec

from adapters.simulator.co2_delay import DelayCourse
from adapters.simulator.course import Course, Segment
from adapters.simulator.disturbances import Nebuliser, Ringing, Transducer, Water
from adapters.simulator.scenario_checks import MIN_TE_S, Place, contradictions
from adapters.simulator.scenario_events import Delay, Effort, Fault, Hold, Shown, Span, Suction
from adapters.simulator.scenario_tables import (
    Assist,
    Capnogram,
    Capnograph,
    Cardiogenic,
    Circuit,
    GasExchange,
    Lung,
    Rebreathing,
    Relaxation,
    Second,
    SecondCompartment,
    Sensor,
    Tube,
    Valve,
    Ventilator,
)
from streamer.model.context import Sidecar
from streamer.model.errors import ConfigError

__all__ = [
    "MIN_TE_S",
    "Assist",
    "Capnogram",
    "Capnograph",
    "Cardiogenic",
    "Circuit",
    "Course",
    "Delay",
    "Effort",
    "Fault",
    "GasExchange",
    "Hold",
    "Lung",
    "Nebuliser",
    "Place",
    "Rebreathing",
    "Relaxation",
    "Ringing",
    "Scenario",
    "Second",
    "SecondCompartment",
    "Segment",
    "Sensor",
    "Shown",
    "Span",
    "Suction",
    "Transducer",
    "Tube",
    "Valve",
    "Ventilator",
    "Water",
    "contradictions",
]

PPM = 1e-6


class Scenario(Course, frozen=True, kw_only=True):
    """A course with its segments spelt out, the first from the beginning.

    Raises:
        ConfigError: Built from parts that contradict each other.
    """

    segments: tuple[Segment, ...] = (Segment(),)

    def __post_init__(self) -> None:
        for at, problem in contradictions(self, self.segments):
            raise ConfigError(f"scenario: {'.'.join(str(part) for part in at)}: {problem}")

    def tells_co2(self, segment: Segment) -> bool:
        """Its truth tells of CO2 more than the plain expirogram: anything goes beyond that, be it an empty table."""
        patient = segment.gas_exchange, segment.rebreathing, segment.cardiogenic
        return bool(self.co2_delay) or any(part is not None for part in (self.capnograph, *patient))

    @property
    def co2_rate_hz(self) -> float:
        """CO2 samples in a second of the ventilator's clock."""
        device = self.capnograph
        if device is None or device.rate_hz is None:
            return self.rate_hz
        return device.rate_hz * (1.0 + PPM * device.clock_ppm)

    @property
    def delays(self) -> DelayCourse:
        """How late the capnograph is, and when."""
        return DelayCourse(self.co2_delay_s, self.co2_delay, self.duration_s)

    def sidecar(self) -> Sidecar:
        """What stands beside a recording of this scenario."""
        stated = msgspec.structs.replace(
            self.recording,
            rate_hz=self.rate_hz,
            source="simulated",
            device=self.recording.device or "ventstream simulator",
        )
        return Sidecar(recording=stated, context=self.context, event=self.event, blood_gas=self.blood_gas)
