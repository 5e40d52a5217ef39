"""What the single values of a scenario cannot show: parts that contradict each other. Used by ``scenario``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from adapters.simulator.co2_delay import DelayCourse
from adapters.simulator.disturbances import Transducer
from adapters.simulator.scenario_events import EARLIEST_S, LATEST_S, Effort
from adapters.simulator.scenario_tables import Ventilator

if TYPE_CHECKING:
    from adapters.simulator.course import Course, Segment

MIN_TE_S = 0.1
"""Shortest expiration the ventilator is allowed."""

Place: TypeAlias = tuple[str | int, ...]


def contradictions(course: Course, segments: tuple[Segment, ...]) -> Iterator[tuple[Place, str]]:
    """What single values cannot show, and where: segment 0 is the file's base, 1 its first ``[[change]]``."""
    for index, segment in enumerate(segments):
        place: Place = ("change", index - 1) if index else ()
        for at, problem in _within(segment):
            yield (*place, *at), problem
        if (segment.capnogram is None) != (segments[0].capnogram is None):
            yield (*place, "capnogram"), "a capnograph is there from the beginning or not at all"
    yield from _of_capnograph(course, segments[0])
    yield from _of_recorder(course)
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
    yield from _of_pattern(ventilator, longest)
    for name in ("paw_sensor", "flow_sensor", "pco2_sensor"):
        for key, problem in _of_transducer(getattr(segment, name)):
            yield (name, key), problem
    if ventilator.mode != "vcv" and ventilator.rise_s > ventilator.ti_s:
        yield ("ventilator", "rise_s"), "the rise is longer than the inspiration (ti_s)"
    if assist and assist.trigger == "pressure" and (segment.valve is None or segment.valve.resistance_cmh2o_s_l == 0):
        problem = "pressure never falls at a valve without resistance: state [valve] resistance_cmh2o_s_l or use flow"
        yield ("assist", "trigger"), problem
    for name in ("gas_exchange", "rebreathing", "cardiogenic", "pco2_sensor"):
        is_felt = name == "cardiogenic" and segment.cardiogenic is not None and segment.cardiogenic.amplitude_cmh2o > 0
        if segment.capnogram is None and getattr(segment, name) is not None and not is_felt:
            yield (name,), "nothing shows it without a [capnogram]"


def _of_pattern(ventilator: Ventilator, longest_s: float) -> Iterator[tuple[Place, str]]:
    """Sighs and SIMV."""
    if ventilator.sigh_every and ventilator.mode == "vcv":
        ti_s = ventilator.ti_total_s - ventilator.pause_s
        if ti_s * ventilator.sigh_factor + ventilator.pause_s > longest_s:
            yield (
                ("ventilator", "sigh_factor"),
                f"inspiration of a sigh takes more than the {longest_s:.2f} s there are",
            )
    if ventilator.simv_support_cmh2o is None:
        return
    if ventilator.mode == "psv":
        yield ("ventilator", "simv_support_cmh2o"), "mandatory breaths are vcv or pcv; pressure support has none"
    if ventilator.rise_s > ventilator.support_ti_s:
        yield ("ventilator", "rise_s"), "the rise is longer than a supported breath (support_ti_s)"


def _of_transducer(sensor: Transducer | None) -> Iterator[tuple[str, str]]:
    if sensor is None:
        return
    if sensor.wraps and sensor.wraps[0] >= sensor.wraps[1]:
        yield "wraps", "the lower end of its range comes first"
    if sensor.lowest is not None and sensor.highest is not None and sensor.lowest >= sensor.highest:
        yield "lowest", "is not below highest"


def _of_recorder(course: Course) -> Iterator[tuple[Place, str]]:
    for index, fault in enumerate(course.fault):
        if fault.every_s is not None and fault.every_s <= fault.duration_s:
            yield ("fault", index, "every_s"), "it comes again before it has ended: lengthen every_s"
    if course.exchanged is None:
        return
    if course.exchanged[0] == course.exchanged[1]:
        yield ("exchanged",), "name two channels"
    if "pco2" in course.exchanged and course.capnograph and course.capnograph.rate_hz is not None:
        yield ("exchanged",), "a device of its own has no column beside the ventilator's"


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
