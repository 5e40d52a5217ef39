"""What the simulator is asked to do: a scenario, read by ``_scenario_file`` or built in a test.

Whatever is scheduled for a breath (segments, holds) happens with the first one that begins at or after its ``at_s``, as
a ventilator does it; disconnects, suction and gaps happen at their second.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from adapters._tables import (
    Assist,
    Capnogram,
    Circuit,
    Lung,
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
    "Circuit",
    "Course",
    "Effort",
    "Hold",
    "Lung",
    "Place",
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
    second_compartment: SecondCompartment | None = None
    relaxation: Relaxation | None = None
    tube: Tube | None = None
    valve: Valve | None = None
    assist: Assist | None = None

    @property
    def assisting(self) -> Assist | None:
        """What the patient may decide; pressure support is never without."""
        return self.assist or (Assist() if self.ventilator.mode == "psv" else None)


class Hold(Table, frozen=True, kw_only=True):
    """Both valves closed at the end of inspiration or of expiration."""

    at_s: Second
    kind: Literal["inspiratory", "expiratory"]
    duration_s: Annotated[float, Meta(gt=0, le=20)]


class Span(Table, frozen=True, kw_only=True):
    """A disconnect, or a gap in the recording."""

    at_s: Second
    duration_s: Annotated[float, Meta(gt=0, le=86_400)]


class Suction(Span, frozen=True, kw_only=True):
    """A catheter that pulls the airway down to ``pressure_cmh2o``, so that gas leaves through the sensor."""

    pressure_cmh2o: Annotated[float, Meta(ge=-100, lt=0)] = -12.0


class Effort(Table, frozen=True, kw_only=True):
    """Muscles that pull (positive: inspiratory) or push (negative: a cough, forced expiration), again and again.

    Pmus rises as the first quarter of a sine, stays for ``plateau_s`` and falls as the second quarter: half a sine, if
    there is no plateau and the times are equal. It acts from ``at_s`` on for ``duration_s`` (to the end, if absent),
    either with every ``every``-th breath, ``offset_s`` after its onset (negative: before the onset that is due next
    unless something triggers earlier), or freely ``rate_per_min`` times a minute, the first at ``at_s``.

    Attributes:
        amplitude_cv: Coefficient of variation of the amplitude, drawn from the seed of the scenario, never below zero.
        timing_sd_s: Standard deviation of the time about the planned one, likewise.
    """

    amplitude_cmh2o: Annotated[float, Meta(ge=-200, le=100)]
    at_s: Second = 0.0
    duration_s: Annotated[float, Meta(gt=0, le=1e7)] | None = None
    offset_s: Annotated[float, Meta(ge=-30, le=30)] | None = None
    every: Annotated[int, Meta(ge=1, le=1000)] = 1
    rate_per_min: Annotated[float, Meta(ge=0.5, le=600)] | None = None
    rise_s: Annotated[float, Meta(ge=0.01, le=10)] = 0.4
    plateau_s: Annotated[float, Meta(ge=0, le=30)] = 0.0
    fall_s: Annotated[float, Meta(ge=0.01, le=10)] = 0.4
    amplitude_cv: Annotated[float, Meta(ge=0, le=2)] = 0.0
    timing_sd_s: Annotated[float, Meta(ge=0, le=5)] = 0.0

    @property
    def lasts_s(self) -> float:
        """From its first pull to its last."""
        return self.rise_s + self.plateau_s + self.fall_s


class Course(Table, frozen=True, kw_only=True):
    """What a scenario and its file have in common.

    Attributes:
        about: One line for a reader.
        duration_s: Length of the recording.
        rate_hz: Samples per second.
        seed: Of noise and of jitter; the same seed gives the same samples, bit for bit.
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
