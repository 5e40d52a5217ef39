"""What a scenario describes: segments of a course, and what holds of all of it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from adapters.simulator.disturbances import Nebuliser, Ringing, Transducer, Water
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
from streamer.model.context import BloodGas, Context, RecordingInfo, SessionEvent


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
