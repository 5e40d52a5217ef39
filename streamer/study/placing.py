"""Plan what a study reads for one patient, and place events and blood gases on one clock.

This happens before any recording is read through, so a mistake in a patient file is reported at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from adapters.recordings.open import Recording, open_recording
from streamer.analysis.recordings import utc_of_zero_s
from streamer.analysis.run_recording import Job
from streamer.files.patient_files import Session
from streamer.model.context import RecordingInfo, SessionEvent
from streamer.model.doubts import Doubt, DoubtKind
from streamer.model.errors import ConfigError
from streamer.model.units import S_PER_MIN

POSITIONS = ("prone", "supine")
S_PER_DAY = 86_400.0
GAS_HOLDS_S = 300.0
"""A blood gas holds for the breaths of this time after its draw."""


def jobs_of(session: Session, settle_s: float) -> list[Job]:
    """Plan the recordings of a patient, with events and gases placed. Opens each and reads its first samples.

    Raises:
        ConfigError: Times cannot be placed, or contradict each other.
        DecodeError: A recording cannot be opened.
    """
    told = session.told
    restated = frozenset(name for name in ("event", "blood_gas") if getattr(told, name))
    jobs = [_job(session, index, restated) for index in range(len(session.recordings))]
    opened = [_opened(session, index, job) for index, job in enumerate(jobs)]
    zeros = [zero for _, zero in opened]
    is_utc = all(zero is not None for zero in zeros)
    _check_dated(session, zeros, [recording.sidecar.recording.start_local is not None for recording, _ in opened])
    times = times_of(session, zeros[0] if is_utc else None)
    _check_turns(session, times, settle_s)
    return jobs


def _job(session: Session, index: int, restated: frozenset[str]) -> Job:
    recorded = session.recordings[index]
    known = msgspec.structs.asdict(recorded)
    path, form = known.pop("path"), known.pop("format")
    told = msgspec.structs.replace(session.told, recording=RecordingInfo(**known))
    return Job(path=path, format_name=form, context=told, restated=restated)


def _opened(session: Session, index: int, job: Job) -> tuple[Recording, float | None]:
    """Open a recording; also UTC of second 0 of its clock. ``ConfigError`` names the place in the patient file."""
    try:
        recording = open_recording(job.path, format_name=job.format_name, context=job.context)
        return recording, utc_of_zero_s(recording)
    except ConfigError as error:
        raise session.error(("recording", index), str(error)) from None


def _check_dated(session: Session, zeros: Sequence[float | None], are_local: Sequence[bool]) -> None:
    """Refuse recordings of which some have a date and some have none. Raises ``ConfigError``.

    Args:
        session: The patient's recordings.
        zeros: UTC of second 0 of each recording's clock; None if unknown.
        are_local: Whether a recording has a date-time of an unknown zone.
    """
    undated = [index for index, zero in enumerate(zeros) if zero is None]
    remedy = "give it start_utc = 2020-06-01T08:00:00Z"
    if undated and all(are_local[index] for index in undated):
        remedy = (
            'its start time has no zone: set zone = "Europe/Berlin" or "+02:00" at the top of the file, or start_utc'
        )
    if undated and len(undated) < len(zeros):
        raise session.error(("recording", undated[0]), f"has no start time, but other recordings have one: {remedy}")
    for name in ("event", "blood_gas") if undated else ():
        for index, entry in enumerate(getattr(session.told, name)):
            if entry.at is not None:
                problem = f"no recording has a start time in UTC: {remedy} in [[recording]], or use at_s here"
                raise session.error((name, index, "at"), problem)


def times_of(session: Session, zero_s: float | None) -> dict[tuple[str, int], float]:
    """(Table, index) of each event and gas → seconds of the patient's clock."""
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
            raise session.error(place, f"{kinds[1]} already since {above}: is it {other!r}, or should it be deleted?")
        if apart_s < settle_s:
            problem = f"{kinds[1]} only {apart_s / S_PER_MIN:.3g} min after {above}: they overlap"
            raise session.error(place, f"{problem}, since a turn has {settle_s / S_PER_MIN:g} min to settle")
    draws = [place for place in order if place[0] == "blood_gas"]
    for before, place in pairwise(draws):
        if times[place] - times[before] < 1.0:
            raise session.error(place, f"was drawn at the same time as [[blood_gas]] {before[1] + 1}")


def _event(session: Session, place: tuple[str, int]) -> SessionEvent:
    return session.told.event[place[1]]


def check_near(session: Session, times: dict[tuple[str, int], float], spans: Sequence[tuple[float, float]]) -> None:
    """Refuse an event or gas that lies days away from every recording. Raises ``ConfigError``."""
    first_s, last_s = min(start for start, _ in spans), max(end for _, end in spans)
    for place, at_s in times.items():
        away_s = max(first_s - at_s, at_s - last_s)
        if away_s > S_PER_DAY:
            side = "before the recordings begin" if at_s < first_s else "after the recordings end"
            raise session.error(place, f"lies {away_s / S_PER_DAY:.1f} days {side}: is its date right?")


def outside(
    session: Session, times: dict[tuple[str, int], float], spans: Sequence[tuple[float, float]]
) -> Iterator[Doubt]:
    """Doubts for events after the last sample and for draws that no recording covers. Neither affects any number."""
    last_s = max(end for _, end in spans)
    for (table, index), at_s in times.items():
        is_gas = table == "blood_gas"
        covered = any(start - GAS_HOLDS_S <= at_s <= end for start, end in spans) if is_gas else at_s <= last_s
        if not covered:
            entry = getattr(session.told, table)[index]
            when = f"{entry.at_s:g} s" if entry.at is None else entry.at.isoformat()
            side = "after the recordings end" if at_s > last_s else "while nothing was recorded"
            detail = f"[[{table}]] {index + 1} at {when} lies {side}, and takes no part; correct its time or start_utc"
            yield Doubt(DoubtKind.DROPPED, "outside", detail, at_s)
