"""What the simulator is asked to do: a scenario, read by ``_scenario_file`` or built in a test.

Whatever is scheduled for a breath (segments, holds) happens with the first one that begins at or after its ``at_s``, as
a ventilator does it; disconnects and gaps happen at their second.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from streamer.context import BloodGas, Context, RecordingInfo, SessionEvent, Sidecar
from streamer.errors import ConfigError

MIN_TE_S = 0.1
"""Shortest expiration the ventilator is allowed."""

Second: TypeAlias = Annotated[float, Meta(ge=0, le=1e7)]
Place: TypeAlias = tuple[str | int, ...]
Noise: TypeAlias = Annotated[float, Meta(ge=0, le=20)]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all tables. Every key has a default, so that a ``[[change]]`` may name any subset of them."""


class Lung(Table, frozen=True, kw_only=True):
    """One compartment: Paw = V/C + R·F. Expiratory resistance is the inspiratory one unless stated."""

    compliance_ml_cmh2o: Annotated[float, Meta(ge=1, le=500)] = 50.0
    resistance_cmh2o_s_l: Annotated[float, Meta(ge=0.5, le=200)] = 10.0
    resistance_exp_cmh2o_s_l: Annotated[float, Meta(ge=0.5, le=200)] | None = None

    @property
    def expiratory(self) -> float:
        """Resistance to expiration, cmH2O·s/L."""
        return self.resistance_cmh2o_s_l if self.resistance_exp_cmh2o_s_l is None else self.resistance_exp_cmh2o_s_l


class Ventilator(Table, frozen=True, kw_only=True):
    """``vcv``: square flow, then a pause. ``pcv``: pressure above PEEP for ``ti_s``, rising over ``rise_s``.

    Expiration: airway pressure falls linearly over ``fall_s`` from the lung's to PEEP, as the valve opens.
    """

    mode: Literal["vcv", "pcv"] = "vcv"
    rate_per_min: Annotated[float, Meta(ge=1, le=150)] = 15.0
    peep_cmh2o: Annotated[float, Meta(ge=0, le=50)] = 5.0
    tidal_volume_ml: Annotated[float, Meta(ge=1, le=3000)] = 500.0
    flow_l_min: Annotated[float, Meta(ge=1, le=180)] = 30.0
    pause_s: Annotated[float, Meta(ge=0, le=10)] = 0.0
    inspiratory_pressure_cmh2o: Annotated[float, Meta(ge=1, le=80)] = 15.0
    ti_s: Annotated[float, Meta(ge=0.1, le=10)] = 1.0
    rise_s: Annotated[float, Meta(ge=0, le=2)] = 0.0
    fall_s: Annotated[float, Meta(ge=0, le=1)] = 0.05

    @property
    def ti_total_s(self) -> float:
        """Inspiratory time with the pause and without holds."""
        if self.mode == "pcv":
            return self.ti_s
        return self.tidal_volume_ml / 1000 / (self.flow_l_min / 60) + self.pause_s


class Circuit(Table, frozen=True, kw_only=True):
    """Leak on the patient's side of the flow sensor, an orifice: leak flow = g·sqrt(Paw)."""

    leak_l_min_per_sqrt_cmh2o: Annotated[float, Meta(ge=0, le=30)] = 0.0


class Sensor(Table, frozen=True, kw_only=True):
    """What measuring adds: white noise (standard deviations), steps of the converter (0: none), errors of flow."""

    paw_noise_cmh2o: Noise = 0.0
    flow_noise_l_min: Noise = 0.0
    pco2_noise_mmhg: Noise = 0.0
    paw_step_cmh2o: Noise = 0.0
    flow_step_l_min: Noise = 0.0
    pco2_step_mmhg: Noise = 0.0
    flow_gain: Annotated[float, Meta(ge=0.1, le=10)] = 1.0
    flow_gain_exp: Annotated[float, Meta(ge=0.1, le=10)] | None = None
    flow_offset_l_min: Annotated[float, Meta(ge=-20, le=20)] = 0.0


class Capnogram(Table, frozen=True, kw_only=True):
    """Mainstream CO2 at the wye, by expired volume: (p0 + s·(V - VDaw))·Phi((V - VDaw)/sd), from algorithms §11.3.

    A standard deviation of zero makes phase II a step. In inspiration the sensor's volume is washed out.
    """

    dead_space_ml: Annotated[float, Meta(ge=0, le=500)] = 150.0
    phase2_sd_ml: Annotated[float, Meta(ge=0, le=200)] = 18.0
    plateau_mmhg: Annotated[float, Meta(ge=0, le=150)] = 36.0
    slope_mmhg_l: Annotated[float, Meta(ge=0, le=200)] = 10.0
    inspired_mmhg: Annotated[float, Meta(ge=0, le=50)] = 0.0
    sensor_volume_ml: Annotated[float, Meta(ge=0.1, le=50)] = 6.0


class Segment(Table, frozen=True, kw_only=True):
    """Everything that holds from ``at_s`` until the next segment."""

    at_s: Second = 0.0
    lung: Lung = Lung()
    ventilator: Ventilator = Ventilator()
    circuit: Circuit = Circuit()
    sensor: Sensor = Sensor()
    capnogram: Capnogram | None = None


class Hold(Table, frozen=True, kw_only=True):
    """Both valves closed at the end of inspiration or of expiration."""

    at_s: Second
    kind: Literal["inspiratory", "expiratory"]
    duration_s: Annotated[float, Meta(gt=0, le=20)]


class Span(Table, frozen=True, kw_only=True):
    """A disconnect, or a gap in the recording."""

    at_s: Second
    duration_s: Annotated[float, Meta(gt=0, le=86_400)]


class Course(Table, frozen=True, kw_only=True):
    """What a scenario and its file have in common.

    Attributes:
        about: One line for a reader.
        duration_s: Length of the recording.
        rate_hz: Samples per second.
        seed: Of the noise; the same seed gives the same samples, bit for bit.
        start_s: Device clock of the first sample; all other times count from that sample.
        first_onset_s: Time of the first inspiration; need not fall on a sample.
        co2_delay_s: How much later (earlier, if negative) the capnograph shows what passes the wye.
    """

    about: str = ""
    duration_s: Annotated[float, Meta(gt=0, le=604_800)] = 60.0
    rate_hz: Annotated[float, Meta(ge=10, le=1000)] = 100.0
    seed: Annotated[int, Meta(ge=0)] = 0
    start_s: float = 0.0
    first_onset_s: Second = 0.0
    co2_delay_s: Annotated[float, Meta(ge=-1, le=10)] = 0.0
    hold: tuple[Hold, ...] = ()
    disconnect: tuple[Span, ...] = ()
    gap: tuple[Span, ...] = ()
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

    def sidecar(self) -> Sidecar:
        """What stands beside a recording of this scenario."""
        stated = msgspec.structs.replace(
            self.recording,
            rate_hz=self.rate_hz,
            source="simulated",
            device=self.recording.device or "ventstream simulator",
        )
        return Sidecar(recording=stated, context=self.context, event=self.event, blood_gas=self.blood_gas)


def contradictions(course: Course, segments: tuple[Segment, ...]) -> Iterator[tuple[Place, str]]:
    """What single values cannot show, and where: segment 0 is the file's base, 1 its first ``[[change]]``."""
    for index, segment in enumerate(segments):
        place: Place = ("change", index - 1) if index else ()
        ventilator = segment.ventilator
        longest = 60 / ventilator.rate_per_min - MIN_TE_S
        if ventilator.ti_total_s > longest:
            problem = f"inspiration takes {ventilator.ti_total_s:.2f} s, this rate leaves {longest:.2f} s at most"
            yield (*place, "ventilator", "rate_per_min"), problem
        if ventilator.mode == "pcv" and ventilator.rise_s > ventilator.ti_s:
            yield (*place, "ventilator", "rise_s"), "the rise is longer than the inspiration (ti_s)"
        if (segment.capnogram is None) != (segments[0].capnogram is None):
            yield (*place, "capnogram"), "a capnograph is there from the beginning or not at all"
    for name, spans in (
        ("change", [(segment.at_s, 0.0) for segment in segments[1:]]),
        ("hold", [(hold.at_s, 0.0) for hold in course.hold]),
        ("disconnect", [(span.at_s, span.duration_s) for span in course.disconnect]),
        ("gap", [(span.at_s, span.duration_s) for span in course.gap]),
    ):
        for index, ((start_s, lasting_s), (next_s, _)) in enumerate(pairwise(spans)):
            if start_s + lasting_s > next_s:
                yield (name, index + 1, "at_s"), "begins before the one above it has ended; write them in order of time"
