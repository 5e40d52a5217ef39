"""Measure a study: read its recordings one after another, then build the data frames."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from streamer.analysis.parallel import spread
from streamer.files.patient_files import Session, Study, no_anchor
from streamer.model.doubts import DoubtKind
from streamer.model.records import NoticeKind
from streamer.model.units import S_PER_MIN
from streamer.study.collect import Course, collect, sha256
from streamer.study.frames import error_of, frames
from streamer.study.placing import jobs_of
from streamer.study.points import anchor, labels
from streamer.study.results import Doubted, Results
from streamer.study.timeline import Timeline, joined

TOLD = {
    NoticeKind.CONTEXT: "",
    NoticeKind.CLOCK_RESET: "; what comes after it is left out, since its time is unknown",
}
"""Notices that the report repeats besides the doubts → what follows from them, for the reader."""
LIBRARIES = ("ventstream", "numpy", "numba", "pandas", "pyarrow", "scipy")


def measure(study: Study, *, jobs: int = 1, on_read: Callable[[Course], None] | None = None) -> Results:
    """Read all recordings of a study and find every quantity at every time point.

    Args:
        study: As ``read_study`` returns it.
        jobs: Number of recordings read at a time. With more than one, each worker process imports the calling script
            again, so a script needs ``if __name__ == "__main__":``.
        on_read: Called with each recording as soon as it has been read.

    Raises:
        ConfigError: Times in a patient file cannot be placed or contradict each other, or an event is missing.
        DataError: A recording cannot be read at all. One that ends early is used, and ``notes`` says so.

    Examples:
        >>> from streamer.study import read_study
        >>> results = measure(read_study(Path("replay_data/prone_short/cohort.toml")))
        >>> results.patients
        ('P1', 'P2', 'P3', 'P4')
        >>> changes = results.changes[results.changes["quantity"] == "vd_vt_bohr"]
        >>> list(changes["direction"])
        ['lower', 'lower', 'lower', 'lower']
    """
    plans = [jobs_of(session, S_PER_MIN * study.points.settle_min) for session in study.sessions]
    plan = [job for plan in plans for job in plan]
    courses: list[Course] = []
    with closing(spread(collect, min(jobs, len(plan)), plan, remedy="; use fewer --jobs")) as found:
        for course in found:
            courses.append(course)
            if on_read is not None:
                on_read(course)
    timelines, zeros = [], []
    for session, own in zip(study.sessions, plans, strict=True):
        mine, courses = courses[: len(own)], courses[len(own) :]
        timelines.append(joined(session, mine))
        zeros.append(_zero_s(session, timelines[-1], study))
    return Results(
        title=study.title,
        is_simulated=any(_is_simulated(timeline) for timeline in timelines),
        patients=tuple(timeline.label for timeline in timelines),
        points=labels(study.points),
        notes=tuple(_notes(timelines)),
        doubts=tuple(sorted((one for timeline in timelines for one in timeline.doubts), key=_gravest_first)),
        versions=_versions(),
        settings=_settings(study),
        **frames(timelines, zeros, study.points),
    )


def _zero_s(session: Session, timeline: Timeline, study: Study) -> float:
    zero = anchor(timeline, study.points)
    if zero is None:
        raise session.error((), no_anchor(study.points))
    return zero.at_s


def _gravest_first(one: Doubted) -> int:
    return list(DoubtKind).index(one.doubt.kind)


def _is_simulated(timeline: Timeline) -> bool:
    return any(course.findings.sidecar.recording.source == "simulated" for course in timeline.courses)


def _notes(timelines: Sequence[Timeline]) -> list[str]:
    """One line for each error and each doubt."""
    found = []
    for timeline in timelines:
        for course in timeline.courses:
            name = f"{timeline.label}: {Path(course.findings.name).name}"
            if course.findings.error is not None:
                found.append(f"{timeline.label}: reading ended early: {error_of(course)}")
            found += [
                f"{name}: {notice.detail}{TOLD[notice.kind]}"
                for notice in course.notices
                if "event" not in notice.values and notice.kind in TOLD
            ]
        found += map(str, timeline.doubts)
    return found


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _settings(study: Study) -> dict[str, str]:
    found = {key: msgspec.json.encode(told).decode() for key, told in msgspec.structs.asdict(study.points).items()}
    return found | {f"sha256 of {path.name}": sha256(path) for path in study.files}
