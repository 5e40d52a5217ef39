"""What the simulator is asked to do: a scenario, read by ``scenario_file`` or built in a test.

Whatever is scheduled for a breath (segments, holds) happens with the first one that begins at or after its ``at_s``, as
a ventilator does it; disconnects, suction and gaps happen at their second.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from adapters.simulator.co2_delay import DelayCourse
from adapters.simulator.disturbances import Nebuliser, Ringing, Transducer, Water
from adapters.simulator.scenario_checks import MIN_TE_S, Place, contradictions
from adapters.simulator.scenario_events import Delay, DelayS, Effort, Fault, Hold, Shown, Span, Suction
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
    Table,
    Tube,
    Valve,
    Ventilator,
)
from streamer.model.context import BloodGas, Context, RecordingInfo, SessionEvent, Sidecar
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


class Segment(Table, frozen=True, kw_only=True):
    """Everything that holds from ``at_s`` until the next segment."""

    at_s: Second = 0.0
    lung: Lung = Lung()
    ventilator: Ventilator = Ventilator()
    circuit: Circuit = Circuit()
    sensor: Sensor = Sensor()
    capnogram: Capnogram | None = None
    gas_exchange: GasExchange | None = None
    rebreathing: Rebreathing | None = None
    cardiogenic: Cardiogenic | None = None
    second_compartment: SecondCompartment | None = None
    relaxation: Relaxation | None = None
    tube: Tube | None = None
    valve: Valve | None = None
    assist: Assist | None = None
    ringing: Ringing | None = None
    water: Water | None = None
    nebuliser: Nebuliser | None = None
    paw_sensor: Transducer | None = None
    flow_sensor: Transducer | None = None
    pco2_sensor: Transducer | None = None

    @property
    def assisting(self) -> Assist | None:
        """What the patient may decide; pressure support is never without."""
        supports = self.ventilator.mode == "psv" or self.ventilator.simv_support_cmh2o is not None
        return self.assist or (Assist() if supports else None)


class Course(Table, frozen=True, kw_only=True):
    """What a scenario and its file have in common.

    Attributes:
        about: One line for a reader.
        duration_s: Length of the recording.
        rate_hz: Samples per second.
        seed: Of noise and of jitter; the same seed gives the same samples, bit for bit.
        start_s: Device clock of the first sample; all other times count from that sample.
        first_onset_s: Time of the first inspiration; need not fall on a sample.
        co2_delay_s: How much later (earlier, if negative) the capnograph shows what passes the wye, until a
            ``[[co2_delay]]``.
        channels: Those that are recorded; None: all there are.
        exchanged: Two whose columns are interchanged: each shows the other's numbers (cmH2O, L/min, mmHg) as its own.
    """

    about: str = ""
    duration_s: Annotated[float, Meta(gt=0, le=604_800)] = 60.0
    rate_hz: Annotated[float, Meta(ge=10, le=1000)] = 100.0
    seed: Annotated[int, Meta(ge=0)] = 0
    start_s: float = 0.0
    first_onset_s: Second = 0.0
    co2_delay_s: DelayS = 0.0
    capnograph: Capnograph | None = None
    co2_delay: tuple[Delay, ...] = ()
    hold: tuple[Hold, ...] = ()
    disconnect: tuple[Span, ...] = ()
    suction: tuple[Suction, ...] = ()
    gap: tuple[Span, ...] = ()
    effort: tuple[Effort, ...] = ()
    fault: tuple[Fault, ...] = ()
    channels: Annotated[tuple[Shown, ...], Meta(min_length=1, max_length=3)] | None = None
    exchanged: tuple[Shown, Shown] | None = None
    recording: RecordingInfo = RecordingInfo()
    context: Context = Context()
    event: tuple[SessionEvent, ...] = ()
    blood_gas: tuple[BloodGas, ...] = ()


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
