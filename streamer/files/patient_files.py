"""Read patient files and cohort files: TOML → ``Study``. Every mistake is one line that names its place.

A patient file belongs to one patient: recordings, and what holds for all of them (``[context]``, ``[[event]]``,
``[[blood_gas]]`` as in a sidecar). A list that it states replaces that list of the recordings. A cohort file names
patient files. Either may choose the time points (``[points]``); those of a cohort file hold for all its patients.
Paths are relative to the folder of the file.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias, get_args

import msgspec
from msgspec import Meta

from streamer.files.sidecar import refuse_untold
from streamer.files.toml import Document
from streamer.model.bed_label import bed_id
from streamer.model.context import (
    BloodGas,
    Context,
    EventKind,
    PointSettings,
    RecordingInfo,
    SessionEvent,
    Sidecar,
    doubts,
)
from streamer.model.errors import ConfigError
from streamer.model.validation_errors import one_line

Label: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64, description="a label, never a patient's name")]
MAX_SESSIONS = 1000
EVENT_KINDS = dict.fromkeys(get_args(EventKind))


class Recorded(RecordingInfo, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Table ``[[recording]]``: a file, and what it does not say itself."""

    path: Path
    format: str | None = None


class _SessionFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    recording: Annotated[tuple[Recorded, ...], Meta(min_length=1, max_length=10_000)]
    label: Label = ""
    context: Context = Context()
    event: tuple[SessionEvent, ...] = ()
    blood_gas: tuple[BloodGas, ...] = ()
    points: PointSettings = PointSettings()
    zone: Annotated[str, Meta(max_length=64, description="of clocks that say none: Europe/Berlin, +02:00")] = ""


class _CohortFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    sessions: Annotated[tuple[Path, ...], Meta(min_length=1, max_length=MAX_SESSIONS)]
    title: Annotated[str, Meta(max_length=200)] = ""
    points: PointSettings = PointSettings()


@dataclass(frozen=True, kw_only=True)
class Session:
    """One patient: recordings, and what holds for all of them.

    Attributes:
        label: Label of the patient, never an identity.
        recordings: Files with what they do not state themselves.
        told: Context, events and blood gases of the patient file.
        document: The patient file, for messages; None for a recording that was named by itself.

    Examples:
        >>> patient = read_study(Path("replay_data/prone_short/p1.toml")).sessions[0]
        >>> patient.label, [event.kind for event in patient.told.event]
        ('P1', ['prone', 'settings'])
    """

    label: str
    recordings: tuple[Recorded, ...]
    told: Sidecar
    document: Document | None = None

    def error(self, at: tuple[str | int, ...], problem: str) -> ConfigError:
        """An error to raise for a mistake at a place of the patient file."""
        if self.document is None:
            return ConfigError(one_line(f"{self.recordings[0].path}: {problem}"))
        return self.document.error(at, problem)


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study as its files describe it, before any recording is read.

    Attributes:
        title: Of the cohort file, else the label of the patient.
        sessions: The patients.
        points: The time points.
        files: The cohort and patient files that were read.

    Examples:
        >>> study = read_study(Path("replay_data/prone_short/cohort.toml"))
        >>> [patient.label for patient in study.sessions], study.points.hours
        (['P1', 'P2', 'P3', 'P4'], {'prone': (0.02,)})
    """

    title: str
    sessions: tuple[Session, ...]
    points: PointSettings
    files: tuple[Path, ...] = ()


def read_study(path: Path) -> Study:
    """Read a study: a cohort file, a patient file, or a single recording by itself.

    Args:
        path: A TOML file, or a recording whose sidecar has the events.

    Raises:
        ConfigError: The file is faulty; the message is one line with file, line and remedy.

    Examples:
        >>> read_study(Path("replay_data/prone_short/p1.toml")).title
        'P1'
    """
    if path.suffix.lower() != ".toml":
        told = Session(label=bed_id(path), recordings=(Recorded(path=path),), told=Sidecar())
        return Study(title=path.name, sessions=(told,), points=PointSettings())
    document = Document.open(path)
    if "sessions" in document.tree:
        return _cohort(document, path)
    points = document.read(_SessionFile).points if "points" in document.tree else PointSettings()
    _check_points(document, points)
    session = _session(document, path, points)
    return Study(title=session.label, sessions=(session,), points=points, files=(path,))


def _cohort(document: Document, path: Path) -> Study:
    file = document.read(_CohortFile)
    _check_points(document, file.points)
    sessions: list[Session] = []
    for index, named in enumerate(file.sessions):
        found = path.parent / named
        if not found.is_file():
            raise document.error(("sessions", index), _absent(found))
        inner = Document.open(found)
        if "sessions" in inner.tree:
            raise document.error(("sessions", index), "is a cohort file itself; name the patient files")
        session = _session(inner, found, file.points)
        if session.label in {other.label for other in sessions}:
            raise inner.error(("label",), f"another patient of {path.name} has this label")
        sessions.append(session)
    files = (path, *(path.parent / named for named in file.sessions))
    return Study(title=file.title or path.stem, sessions=tuple(sessions), points=file.points, files=files)


def _session(document: Document, path: Path, points: PointSettings) -> Session:
    if not isinstance(document.tree.get("recording"), list):
        raise document.error(
            ("recording",) if "recording" in document.tree else (),
            'a patient file names its recordings: [[recording]] with path = "…"',
        )
    file = document.read(_SessionFile)
    refuse_untold(document, (), file)
    recordings = []
    for index, recorded in enumerate(file.recording):
        found = path.parent / recorded.path
        if not found.exists():
            raise document.error(("recording", index, "path"), _absent(found))
        named = found if found.name else found.absolute()  # ".", the folder that the file itself lies in
        recordings.append(msgspec.structs.replace(recorded, path=named, zone=recorded.zone or file.zone))
    told = Sidecar(context=file.context, event=file.event, blood_gas=file.blood_gas)
    session = Session(label=file.label or path.stem, recordings=tuple(recordings), told=told, document=document)
    _check_times(session)
    _check_gases(session)
    if file.event and points.event not in {event.kind for event in file.event}:
        raise session.error(("event",), no_anchor(points))
    return session


def no_anchor(points: PointSettings) -> str:
    """Message for a patient without the event that follows the baseline."""
    return f"there is no event of kind {points.event!r}, which ends the baseline: add it, or set event in [points]"


def _absent(path: Path) -> str:
    """Message for a file that does not exist, with the name that was probably meant."""
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}; paths start at the folder of this file"
    near = difflib.get_close_matches(path.name, [one.name for one in folder.iterdir()], n=1)
    remedy = f"did you mean {near[0]!r}?" if near else "paths start at the folder of this file"
    return f"there is no such file in {folder}; {remedy}"


def _check_points(document: Document, points: PointSettings) -> None:
    start, end = points.baseline_min
    if not start < end:
        raise document.error(("points", "baseline_min"), "the window ends before it begins: [from, to] in minutes")
    if end > 0:
        raise document.error(("points", "baseline_min"), "the baseline lies before the event: minutes below zero")
    if not any(points.hours.values()):
        raise document.error(("points", "hours"), "expected at least one time point: hours = { prone = [1, 4, 8] }")
    for kind, hours in points.hours.items():
        if kind not in EVENT_KINDS:
            raise document.unknown(("points", "hours", kind), EVENT_KINDS)
        if list(hours) != sorted(set(hours)):
            raise document.error(("points", "hours", kind), "write each hour once, in order")


def _check_times(session: Session) -> None:
    """Refuse an entry with two times, and device seconds where each recording has a clock of its own."""
    tables: dict[str, Sequence[SessionEvent | BloodGas]] = {
        "event": session.told.event,
        "blood_gas": session.told.blood_gas,
    }
    for name, entries in tables.items():
        for index, entry in enumerate(entries):
            if entry.at is not None and entry.at_s is not None:
                raise session.error((name, index), "has two times: give at or at_s")
            if entry.at_s is not None and len(session.recordings) > 1:
                problem = "each recording has a clock of its own: give at = 2020-06-01T08:00:00Z instead of at_s"
                raise session.error((name, index, "at_s"), problem)


def _check_gases(session: Session) -> None:
    for index, gas in enumerate(session.told.blood_gas):
        for key, doubt in doubts(gas).items():
            raise session.error(("blood_gas", index, key), doubt.partition(" is ")[2])
