"""The recordings of one patient on one clock, with what was told of them.

The clock is UTC (seconds since 1970) where every recording says when it began, else that of the one device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.files.patient_files import Session
from streamer.model.context import BloodGas, Context
from streamer.model.doubts import Doubt
from streamer.model.errors import ConfigError
from streamer.model.records import Notice, NoticeKind
from streamer.study.collect import Breaths, Course
from streamer.study.placing import POSITIONS, check_near, outside, times_of
from streamer.study.results import Doubted

LAST_S = 6e10
"""Year 3871: beyond what any date can be is a slip in ``start_utc``, and still not to end a report."""
SAME_S = 1e-3
"""Two times of one draw, by way of sums and differences."""


@dataclass(frozen=True, slots=True)
class StudyEvent:
    """An event, or a blood gas with its values, at ``at_s`` of the patient's clock."""

    at_s: float
    kind: str
    detail: str = ""
    gas: BloodGas | None = None


@dataclass(frozen=True, kw_only=True)
class Timeline(Breaths):
    """One patient: the breaths of all recordings on one clock.

    Attributes:
        label: Of the session.
        is_utc: Times are seconds since 1970, else of the device's clock.
        devices: Of each of ``contexts``: what the recording says it was made with, else its format.
        events: In order of time, without blood gases.
        gases: Blood gases in order of time.
        courses: What each recording came to.
        outside: Events and gases of the session that no recording covers.
    """

    label: str
    is_utc: bool
    devices: tuple[str, ...]
    events: tuple[StudyEvent, ...]
    gases: tuple[StudyEvent, ...]
    courses: tuple[Course, ...]
    outside: tuple[Doubt, ...] = ()

    @property
    def doubts(self) -> list[Doubted]:
        """What is doubtful about any recording, or about what the session file tells."""
        found = [
            Doubted(self.label, Path(course.findings.name).name, doubt)
            for course in self.courses
            for doubt in (*course.findings.doubts, *course.findings.doubts.rest)
        ]
        return [*found, *(Doubted(self.label, "", doubt) for doubt in self.outside)]

    @property
    def codes(self) -> str:
        """The words of the column ``doubts``."""
        return " ".join(dict.fromkeys(one.doubt.code for one in self.doubts))

    def text(self, at_s: float) -> str:
        """An instant for a reader."""
        if self.is_utc and abs(at_s) < LAST_S:
            return datetime.fromtimestamp(round(at_s), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        return f"{at_s:.0f} s"

    def sensors(self, keys: Sequence[str]) -> list[tuple[object, ...]]:
        """What ``contexts`` say of a sensor, by keys of ``Context`` and ``device``."""
        told = [
            {**msgspec.structs.asdict(one), "device": device}
            for one, device in zip(self.contexts, self.devices, strict=True)
        ]
        return [tuple(one[key] for key in keys) for one in told]

    @property
    def positions(self) -> tuple[StudyEvent, ...]:
        """Changes of position; one that says what holds already is none."""
        found: list[StudyEvent] = []
        for event in self.events:
            if event.kind in POSITIONS and (not found or found[-1].kind != event.kind):
                found.append(event)
        return tuple(found)


def joined(session: Session, courses: Sequence[Course]) -> Timeline:
    """The recordings of a session, read, on one clock.

    Raises:
        ConfigError: Recordings overlap, or an event lies days away from all of them.
        DataError: Nothing could be read of a recording.
    """
    for course in courses:
        if not course.findings.samples:
            raise course.findings.error or ConfigError(f"{course.findings.name}: no samples")
    zeros = [_shift_s(course) for course in courses]
    is_utc = all(zero is not None for zero in zeros)
    shifts = [zero if is_utc and zero is not None else 0.0 for zero in zeros]
    told = _told(courses, shifts)
    placed = _in_order(session, courses, shifts)
    times, spans = times_of(session, shifts[0] if is_utc else None), [one.span_s for one in placed]
    check_near(session, times, spans)
    contexts, devices, places = _contexts([one.course for one in placed])

    def together(name: str, *, is_time: bool = False) -> Any:
        parts = [getattr(one.course, name) + one.shift_s if is_time else getattr(one.course, name) for one in placed]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    return Timeline(
        label=session.label,
        is_utc=is_utc,
        **{name: together(name, is_time=True) for name in ("start_s", "end_s", "drawn_s")},
        **{name: together(name) for name in ("whole", "values", "reasons", "methods", "grades")},
        context=places,
        contexts=contexts,
        devices=devices,
        events=tuple(one for one in told if one.gas is None),
        gases=tuple(one for one in told if one.gas is not None),
        courses=tuple(courses),
        outside=tuple(outside(session, times, spans)),
    )


class _Placed(NamedTuple):
    """A recording, what its clock lacks, and from when to when it lasts on the patient's."""

    course: Course
    shift_s: float
    span_s: tuple[float, float]


def _in_order(session: Session, courses: Sequence[Course], shifts: Sequence[float]) -> list[_Placed]:
    """By their beginnings. Raises ``ConfigError`` where one begins before another has ended."""
    numbered = []
    for number, (course, shift_s) in enumerate(zip(courses, shifts, strict=True)):
        span_s = shift_s + (course.findings.first_s or 0.0), shift_s + course.findings.last_s
        numbered.append((number, _Placed(course, shift_s, span_s)))
    numbered.sort(key=lambda entry: entry[1].span_s)
    for (i, before), (j, after) in pairwise(numbered):
        over_s = before.span_s[1] - after.span_s[0]
        if over_s > 1.0:
            problem = f"begins {over_s:.0f} s before [[recording]] {i + 1} ends: correct start_utc"
            raise session.error(("recording", j), problem)
    return [placed for _, placed in numbered]


def _contexts(courses: Sequence[Course]) -> tuple[tuple[Context, ...], tuple[str, ...], NDArray[np.int16]]:
    """Contexts and devices of all recordings, and the place of each breath's among them."""
    contexts: list[Context] = []
    devices: list[str] = []
    places = []
    for course in courses:
        device = course.findings.sidecar.recording.device or f"{course.findings.format} file"
        places.append(course.context + len(contexts))
        contexts += course.contexts
        devices += [device] * len(course.contexts)
    return tuple(contexts), tuple(devices), np.concatenate(places).astype(np.int16)


def _shift_s(course: Course) -> float | None:
    """What added to the device's clock makes UTC."""
    start_utc = course.findings.sidecar.recording.start_utc
    return None if start_utc is None else start_utc.timestamp() - (course.findings.first_s or 0.0)


def _told(courses: Sequence[Course], shifts: Sequence[float]) -> list[StudyEvent]:
    """Events and gases as the core heard them, each once, although every recording of a session is told all."""
    heard = [
        _happening(notice, shift_s)
        for course, shift_s in zip(courses, shifts, strict=True)
        for notice in course.notices
        if notice.kind is NoticeKind.BLOOD_GAS or "event" in notice.values
    ]
    found: dict[tuple[str, str], list[StudyEvent]] = {}
    for one in sorted(heard, key=lambda one: one.at_s):
        same = found.setdefault((one.kind, one.detail), [])
        if not same or one.at_s - same[-1].at_s > SAME_S:
            same.append(one)
    return sorted((one for same in found.values() for one in same), key=lambda one: one.at_s)


def _happening(notice: Notice, shift_s: float) -> StudyEvent:
    at_s = notice.at_s + shift_s
    if notice.kind is NoticeKind.BLOOD_GAS:
        known = {key: notice.values[key] for key in BloodGas.__struct_fields__ if key in notice.values}
        return StudyEvent(at_s, "blood_gas", notice.detail, msgspec.convert(known, BloodGas))
    return StudyEvent(at_s, str(notice.values["event"]), notice.detail)
