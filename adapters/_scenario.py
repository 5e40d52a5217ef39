"""What the simulator is asked to do: a scenario, read by ``_scenario_file`` or built in a test.

Whatever is scheduled for a breath (segments, holds) happens with the first one that begins at or after its ``at_s``, as
a ventilator does it; disconnects, suction and gaps happen at their second.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from adapters._delay import DelayCourse
from adapters._happenings import EARLIEST_S, LATEST_S, Delay, DelayS, Effort, Hold, Span, Suction
from adapters._tables import (
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
from streamer.context import BloodGas, Context, RecordingInfo, SessionEvent, Sidecar
from streamer.errors import ConfigError

__all__ = [
    "Assist",
    "Capnogram",
    "Capnograph",
    "Cardiogenic",
    "Circuit",
    "Course",
    "Delay",
    "Effort",
    "GasExchange",
    "Hold",
    "Lung",
    "Place",
    "Rebreathing",
    "Relaxation",
    "Scenario",
    "Second",
    "SecondCompartment",
    "Segment",
    "Sensor",
    "Span",
    "Suction",
    "Tube",
    "Valve",
    "Ventilator",
    "contradictions",
]

PPM = 1e-6
MIN_TE_S = 0.1
"""Shortest expiration the ventilator is allowed."""

Place: TypeAlias = tuple[str | int, ...]


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

    @property
    def assisting(self) -> Assist | None:
        """What the patient may decide; pressure support is never without."""
        return self.assist or (Assist() if self.ventilator.mode == "psv" else None)


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


def contradictions(course: Course, segments: tuple[Segment, ...]) -> Iterator[tuple[Place, str]]:
    """What single values cannot show, and where: segment 0 is the file's base, 1 its first ``[[change]]``."""
    for index, segment in enumerate(segments):
        place: Place = ("change", index - 1) if index else ()
        for at, problem in _within(segment):
            yield (*place, *at), problem
        if (segment.capnogram is None) != (segments[0].capnogram is None):
            yield (*place, "capnogram"), "a capnograph is there from the beginning or not at all"
    yield from _of_capnograph(course, segments[0])
    shortest_s = min(60 / segment.ventilator.rate_per_min for segment in segments)
    for index, effort in enumerate(course.effort):
        for key, problem in _of_effort(effort, shortest_s):
            yield ("effort", index, key), problem
    for name, spans in (
        ("change", [(segment.at_s, 0.0) for segment in segments[1:]]),
        ("hold", [(hold.at_s, 0.0) for hold in course.hold]),
        ("disconnect", [(span.at_s, span.duration_s) for span in course.disconnect]),
        ("suction", [(span.at_s, span.duration_s) for span in course.suction]),
        ("gap", [(span.at_s, span.duration_s) for span in course.gap]),
        ("co2_delay", [(delay.at_s, 0.0) for delay in course.co2_delay]),
    ):
        for index, ((start_s, lasting_s), (next_s, _)) in enumerate(pairwise(spans)):
            if start_s + lasting_s > next_s:
                yield (name, index + 1, "at_s"), "begins before the one above it has ended; write them in order of time"


def _within(segment: Segment) -> Iterator[tuple[Place, str]]:
    ventilator, assist = segment.ventilator, segment.assist
    longest = 60 / ventilator.rate_per_min - MIN_TE_S
    if ventilator.ti_total_s > longest:
        problem = f"inspiration takes {ventilator.ti_total_s:.2f} s, this rate leaves {longest:.2f} s at most"
        yield ("ventilator", "rate_per_min"), problem
    if ventilator.mode != "vcv" and ventilator.rise_s > ventilator.ti_s:
        yield ("ventilator", "rise_s"), "the rise is longer than the inspiration (ti_s)"
    if assist and assist.trigger == "pressure" and (segment.valve is None or segment.valve.resistance_cmh2o_s_l == 0):
        problem = "pressure never falls at a valve without resistance: state [valve] resistance_cmh2o_s_l or use flow"
        yield ("assist", "trigger"), problem
    for name in ("gas_exchange", "rebreathing", "cardiogenic"):
        if segment.capnogram is None and getattr(segment, name) is not None:
            yield (name,), "nothing shows it without a [capnogram]"


def _of_capnograph(course: Course, first: Segment) -> Iterator[tuple[Place, str]]:
    device, delays = course.capnograph, DelayCourse(course.co2_delay_s, course.co2_delay, course.duration_s)
    if first.capnogram is None and (device or course.co2_delay):
        yield ("capnograph" if device else "co2_delay",), "there is nothing to show without a [capnogram]"
    for index, reached_s in enumerate(delays.ends_s[1:]):
        if not EARLIEST_S <= reached_s <= LATEST_S:
            problem = f"the delay drifts to {reached_s:.2f} s; it may lie between {EARLIEST_S:g} and {LATEST_S:g} s"
            yield ("co2_delay", index, "drift_ms_per_min"), problem
    if device is None:
        return
    if device.flow_per_cmh2o and delays.shortest_s < 0.0:
        yield ("capnograph", "flow_per_cmh2o"), "a sampling line is never early: co2_delay_s or [[co2_delay]] is"
    for name in ("clock_offset_s", "clock_ppm"):
        if device.rate_hz is None and getattr(device, name):
            yield ("capnograph", name), "a clock of its own belongs to a device of its own: state its rate_hz as well"


def _of_effort(effort: Effort, shortest_s: float) -> Iterator[tuple[str, str]]:
    if effort.offset_s is not None and effort.offset_s < -shortest_s:
        yield "offset_s", f"reaches back past the breath before: {-shortest_s:.2f} s at the least"
    if effort.rate_per_min is None:
        return
    if effort.offset_s is not None:
        yield "offset_s", "efforts at a rate of their own know no onset: leave out offset_s or rate_per_min"
    if effort.every > 1:
        yield "every", "efforts at a rate of their own count no breaths: leave out every or rate_per_min"
    if effort.lasts_s > (period_s := 60 / effort.rate_per_min):
        problem = (
            f"one lasts {effort.lasts_s:.2f} s, this rate leaves {period_s:.2f} s: shorten rise_s, plateau_s, fall_s"
        )
        yield "rate_per_min", problem
