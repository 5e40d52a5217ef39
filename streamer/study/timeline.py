"""The recordings of one patient on one clock, with what was told of them. Floor 4, inside ``study``.

The clock is UTC (seconds since 1970) where every recording says when it began, else that of the one device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.chunk import FloatArray
from streamer.commands.examine import Job
from streamer.commands.recordings import open_recording, utc_of_zero_s
from streamer.context import BloodGas, Context, SessionEvent, Sidecar
from streamer.errors import ConfigError
from streamer.records import Notice, NoticeKind
from streamer.study.collect import Course
from streamer.study.files import Session
from streamer.units import S_PER_MIN

POSITIONS = ("prone", "supine")
S_PER_DAY = 86_400.0
SAME_S = 1e-3
"""Two times of one draw, by way of sums and differences."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An event, or a blood gas with its values, at ``at_s`` of the patient's clock."""

    at_s: float
    kind: str
    detail: str = ""
    gas: BloodGas | None = None


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """One patient.

    Attributes:
        label: Of the session.
        is_utc: Times are seconds since 1970, else of the device's clock.
        start_s, end_s, whole, values, reasons, methods, grades, drawn_s: As in ``Course``, of all recordings in order.
        context: (n,) place in ``contexts``.
        contexts: What was known of patient and sensors.
        devices: Of each of ``contexts``: what the recording says it was made with, else its format.
        events: In order of time, without blood gases.
        gases: Blood gases in order of time.
        courses: What each recording came to.
    """

    label: str
    is_utc: bool
    start_s: FloatArray
    end_s: FloatArray
    whole: NDArray[np.bool_]
    values: FloatArray
    reasons: NDArray[np.int8]
    methods: NDArray[np.int8]
    grades: NDArray[np.int8]
    drawn_s: FloatArray
    context: NDArray[np.int16]
    contexts: tuple[Context, ...]
    devices: tuple[str, ...]
    events: tuple[Happening, ...]
    gases: tuple[Happening, ...]
    courses: tuple[Course, ...]

    def text(self, at_s: float) -> str:
        """An instant for a reader."""
        if self.is_utc:
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
    def positions(self) -> tuple[Happening, ...]:
        """Changes of position; one that says what holds already is none."""
        found: list[Happening] = []
        for event in self.events:
            if event.kind in POSITIONS and (not found or found[-1].kind != event.kind):
                found.append(event)
        return tuple(found)


def jobs_of(session: Session, settle_s: float) -> list[Job]:
    """What is to be read, events and gases placed; opens every recording and reads its first samples.

    Raises:
        ConfigError: Times that cannot be placed, or contradict each other.
        DecodeError: A recording cannot be opened.
    """
    told = session.told
    restated = frozenset(name for name in ("event", "blood_gas") if getattr(told, name))
    jobs = [_job(session, index, restated) for index in range(len(session.recordings))]
    zeros = [_zero_s(session, index, job) for index, job in enumerate(jobs)]
    is_utc = all(zero is not None for zero in zeros)
    _check_dated(session, zeros)
    times = _times(session, zeros[0] if is_utc else None)
    _check_turns(session, times, settle_s)
    return jobs


def _job(session: Session, index: int, restated: frozenset[str]) -> Job:
    recorded = session.recordings[index]
    known = msgspec.structs.asdict(recorded)
    path, form = known.pop("path"), known.pop("format")
    told = msgspec.structs.replace(session.told, recording=type(Sidecar().recording)(**known))
    return Job(path=path, format_name=form, context=told, restated=restated)


def _zero_s(session: Session, index: int, job: Job) -> float | None:
    try:
        return utc_of_zero_s(open_recording(job.path, format_name=job.format_name, context=job.context))
    except ConfigError as error:
        raise session.error(("recording", index), str(error)) from None


def _check_dated(session: Session, zeros: Sequence[float | None]) -> None:
    """Everything is dated or nothing is. Raises ``ConfigError``."""
    undated = [index for index, zero in enumerate(zeros) if zero is None]
    remedy = "give it start_utc = 2020-06-01T08:00:00Z"
    if undated and len(undated) < len(zeros):
        raise session.error(("recording", undated[0]), f"does not say when it began, as others do: {remedy}")
    for name in ("event", "blood_gas") if undated else ():
        for index, entry in enumerate(getattr(session.told, name)):
            if entry.at is not None:
                problem = f"no recording says when it began: {remedy} in [[recording]], or at_s here"
                raise session.error((name, index, "at"), problem)


def _times(session: Session, zero_s: float | None) -> dict[tuple[str, int], float]:
    """Table and place → seconds of the session's clock."""
    placed: dict[tuple[str, int], float] = {}
    for name in ("event", "blood_gas"):
        for index, entry in enumerate(getattr(session.told, name)):
            placed[name, index] = entry.at.timestamp() if entry.at is not None else entry.at_s + (zero_s or 0.0)
    return placed


def _check_turns(session: Session, times: dict[tuple[str, int], float], settle_s: float) -> None:
    """Refuse turns that overlap or repeat each other, and two draws at one time. Raises ``ConfigError``."""
    order = sorted(times, key=lambda place: (times[place], place))
    turns = [place for place in order if place[0] == "event" and _event(session, place).kind in POSITIONS]
    for before, place in pairwise(turns):
        apart_s = times[place] - times[before]
        kinds = _event(session, before).kind, _event(session, place).kind
        above = f"[[event]] {before[1] + 1} ({kinds[0]})"
        if kinds[0] == kinds[1]:
            other = POSITIONS[kinds[0] == POSITIONS[0]]
            raise session.error(place, f"{kinds[1]} already since {above}: is it {other!r}, or one too many?")
        if apart_s < settle_s:
            problem = f"{kinds[1]} only {apart_s / S_PER_MIN:.3g} min after {above}: they overlap"
            raise session.error(place, f"{problem}, since a turn has {settle_s / S_PER_MIN:g} min to settle")
    draws = [place for place in order if place[0] == "blood_gas"]
    for before, place in pairwise(draws):
        if times[place] - times[before] < 1.0:
            raise session.error(place, f"was drawn at the same time as [[blood_gas]] {before[1] + 1}")


def _event(session: Session, place: tuple[str, int]) -> SessionEvent:
    return session.told.event[place[1]]


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
    order = sorted(range(len(courses)), key=lambda index: shifts[index] + (courses[index].findings.first_s or 0.0))
    spans = [(shifts[i] + (courses[i].findings.first_s or 0.0), shifts[i] + courses[i].findings.last_s) for i in order]
    for (i, (_, end_s)), (j, (start_s, _)) in pairwise(zip(order, spans, strict=True)):
        if start_s < end_s - 1.0:
            problem = f"begins {end_s - start_s:.0f} s before [[recording]] {i + 1} ends: correct start_utc"
            raise session.error(("recording", j), problem)
    told = _told(courses, shifts)
    _check_near(session, _times(session, shifts[0] if is_utc else None), spans)
    contexts: list[Context] = []
    devices: list[str] = []
    places = []
    for index in order:
        found = courses[index].findings
        places.append(courses[index].context + len(contexts))
        contexts += courses[index].contexts
        devices += [found.sidecar.recording.device or f"{found.format} file"] * len(courses[index].contexts)
    both = [(courses[index], shifts[index]) for index in order]

    def in_time(of: Callable[[Course], FloatArray]) -> FloatArray:
        return np.concatenate([of(course) + shift_s for course, shift_s in both])

    return Timeline(
        label=session.label,
        is_utc=is_utc,
        start_s=in_time(lambda course: course.start_s),
        end_s=in_time(lambda course: course.end_s),
        drawn_s=in_time(lambda course: course.drawn_s),
        whole=np.concatenate([courses[index].whole for index in order]),
        values=np.concatenate([courses[index].values for index in order], axis=1),
        reasons=np.concatenate([courses[index].reasons for index in order], axis=1),
        methods=np.concatenate([courses[index].methods for index in order], axis=1),
        grades=np.concatenate([courses[index].grades for index in order], axis=1),
        context=np.concatenate(places).astype(np.int16),
        contexts=tuple(contexts),
        devices=tuple(devices),
        events=tuple(one for one in told if one.gas is None),
        gases=tuple(one for one in told if one.gas is not None),
        courses=tuple(courses),
    )


def _shift_s(course: Course) -> float | None:
    """What added to the device's clock makes UTC."""
    start_utc = course.findings.sidecar.recording.start_utc
    return None if start_utc is None else start_utc.timestamp() - (course.findings.first_s or 0.0)


def _told(courses: Sequence[Course], shifts: Sequence[float]) -> list[Happening]:
    """Events and gases as the core heard them, each once, although every recording of a session is told all."""
    heard = [
        _happening(notice, shift_s)
        for course, shift_s in zip(courses, shifts, strict=True)
        for notice in course.notices
        if notice.kind is NoticeKind.BLOOD_GAS or "event" in notice.values
    ]
    found: dict[tuple[str, str], list[Happening]] = {}
    for one in sorted(heard, key=lambda one: one.at_s):
        same = found.setdefault((one.kind, one.detail), [])
        if not same or one.at_s - same[-1].at_s > SAME_S:
            same.append(one)
    return sorted((one for same in found.values() for one in same), key=lambda one: one.at_s)


def _happening(notice: Notice, shift_s: float) -> Happening:
    at_s = notice.at_s + shift_s
    if notice.kind is NoticeKind.BLOOD_GAS:
        known = {key: notice.values[key] for key in BloodGas.__struct_fields__ if key in notice.values}
        return Happening(at_s, "blood_gas", notice.detail, msgspec.convert(known, BloodGas))
    return Happening(at_s, str(notice.values["event"]), notice.detail)


def _check_near(session: Session, times: dict[tuple[str, int], float], spans: Sequence[tuple[float, float]]) -> None:
    """Refuse a date that is days away from every recording. Raises ``ConfigError``."""
    first_s, last_s = min(start for start, _ in spans), max(end for _, end in spans)
    for place, at_s in times.items():
        away_s = max(first_s - at_s, at_s - last_s)
        if away_s > S_PER_DAY:
            side = "before the recordings begin" if at_s < first_s else "after the recordings end"
            raise session.error(place, f"lies {away_s / S_PER_DAY:.1f} days {side}: is its date right?")
