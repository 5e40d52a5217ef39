"""The timeline of one patient: all recordings, events and blood gases on one clock.

The clock is UTC (seconds since 1970) if every recording states when it began, else the clock of the one device.
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
"""Year 3871: a later time is a mistake in ``start_utc``. It is shown in seconds, so that the report goes on."""
SAME_S = 1e-3
"""Two times of one draw may differ this much by rounding, s."""


@dataclass(frozen=True, slots=True)
class StudyEvent:
    """An event, or a blood gas with its values, at ``at_s`` on the patient's clock."""

    at_s: float
    kind: str
    detail: str = ""
    gas: BloodGas | None = None


@dataclass(frozen=True, kw_only=True)
class Timeline(Breaths):
    """One patient: the breaths of all recordings on one clock.

    Attributes:
        label: Label of the patient.
        is_utc: Whether times are seconds since 1970; else they are of the device's clock.
        devices: Device of each of ``contexts`` as the recording states it, else the format of the file.
        events: Events in order of time, without blood gases.
        gases: Blood gases in order of time.
        courses: The breaths and findings of each recording.
        outside: Events and gases that no recording covers.
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
        """Doubts about any recording, and about the times in the patient file."""
        found = [
            Doubted(self.label, Path(course.findings.name).name, doubt)
            for course in self.courses
            for doubt in (*course.findings.doubts, *course.findings.doubts.rest)
        ]
        return [*found, *(Doubted(self.label, "", doubt) for doubt in self.outside)]

    @property
    def codes(self) -> str:
        """The codes for the column ``doubts``, separated by spaces."""
        return " ".join(dict.fromkeys(one.doubt.code for one in self.doubts))

    def text(self, at_s: float) -> str:
        """An instant for a reader: date and time, or seconds of the device's clock."""
        if self.is_utc and abs(at_s) < LAST_S:
            return datetime.fromtimestamp(round(at_s), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        return f"{at_s:.0f} s"

    def sensors(self, keys: Sequence[str]) -> list[tuple[object, ...]]:
        """For each of ``contexts``, the values of some keys of ``Context`` (or ``device``) that describe a sensor."""
        told = [
            {**msgspec.structs.asdict(one), "device": device}
            for one, device in zip(self.contexts, self.devices, strict=True)
        ]
        return [tuple(one[key] for key in keys) for one in told]

    @property
    def positions(self) -> tuple[StudyEvent, ...]:
        """Changes of position. An event that states the present position is left out."""
        found: list[StudyEvent] = []
        for event in self.events:
            if event.kind in POSITIONS and (not found or found[-1].kind != event.kind):
                found.append(event)
        return tuple(found)


def joined(session: Session, courses: Sequence[Course]) -> Timeline:
    """Join the recordings of a patient on one clock.

    Raises:
        ConfigError: Recordings overlap, or an event lies days away from all of them.
        DataError: A recording has no samples that can be read.
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
    """A recording, the shift from its clock to the patient's, and its span on the patient's clock."""

    course: Course
    shift_s: float
    span_s: tuple[float, float]


def _in_order(session: Session, courses: Sequence[Course], shifts: Sequence[float]) -> list[_Placed]:
    """Sort recordings by their beginning. Raises ``ConfigError`` if two overlap."""
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
    """Contexts and devices of all recordings, and for each breath the index of its context."""
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
    """UTC minus device clock, s; None if the recording has no date."""
    start_utc = course.findings.sidecar.recording.start_utc
    return None if start_utc is None else start_utc.timestamp() - (course.findings.first_s or 0.0)


def _told(courses: Sequence[Course], shifts: Sequence[float]) -> list[StudyEvent]:
    """Events and gases as the core reported them, without repeats: each recording of a patient gets all of them."""
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
