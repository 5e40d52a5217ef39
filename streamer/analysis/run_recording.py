"""Run one recording through the core and turn its events into rows, for ``analyze``, ``check`` and studies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from adapters.recordings.open import Recording, open_recording
from streamer.analysis.recording_summary import RecordingSummary
from streamer.analysis.recordings import fingerprint, on_device_clock
from streamer.analysis.rows import Row, breath_row, summary_row
from streamer.core.bed import Bed, CoreSettings
from streamer.core.metrics import MeasurementContext
from streamer.core.rolling import RollingSettings
from streamer.model.bed_label import bed_id
from streamer.model.breath import Breath
from streamer.model.chunk import Chunk
from streamer.model.context import Sidecar
from streamer.model.doubts import kept, never_reached
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import BreathRecord, Event, Notice, NoticeKind, Summary
from streamer.wire.timebase import RecordedTime

NO_WINDOWS = RollingSettings(windows_s={})
"""No windows: breaths do not depend on them, and they double the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One recording to read, and what the user states of it.

    Attributes:
        path: The file, or a recorded folder.
        format_name: Name of the format; None recognises it.
        rate_hz: Samples per second, where the file does not say.
        context: Overrides the sidecar: a TOML file with its tables, or a ``Sidecar``.
        restated: ``event`` or ``blood_gas``: lists that ``context`` replaces, so those of the recording are skipped.

    Examples:
        >>> Job(path=Path("replay_data/vcv_hold.csv")).context is None
        True
    """

    path: Path
    format_name: str | None = None
    rate_hz: float | None = None
    context: Path | Sidecar | None = None
    restated: frozenset[str] = frozenset()


class _Rows:
    """Turns events into rows and passes them to the callbacks."""

    def __init__(
        self,
        job: Job,
        found: RecordingSummary,
        on_breath: Callable[[Row], None] | None,
        on_summary: Callable[[Row], None] | None,
        on_notice: Callable[[Notice], None] | None,
    ) -> None:
        self._name, self._session, self._found = str(job.path), fingerprint(job.path), found
        self._on_breath, self._on_summary, self._on_notice = on_breath, on_summary, on_notice

    @property
    def wants_summaries(self) -> bool:
        return self._on_summary is not None

    def take(self, event: Event, clock: RecordedTime) -> None:
        if self._on_breath is not None and isinstance(event, BreathRecord):
            run = self._found.run_of(event.start_s)
            row = breath_row(event, **self._source(clock), run=run)
            self._on_breath(row)
        elif self._on_summary is not None and isinstance(event, Summary):
            run = self._found.run_of(event.end_s)
            row = summary_row(event, **self._source(clock), run=run)
            self._on_summary(row)
        elif self._on_notice is not None and isinstance(event, Notice):
            self._on_notice(event)

    def _source(self, clock: RecordedTime) -> dict[str, Any]:
        """Columns that all rows of the recording share, and its clocks."""
        return {
            "recording": self._name,
            "session": self._session,
            "utc_of": clock.utc_ns,
            "local_of": clock.local,
        }


def examine(
    job: Job,
    *,
    on_breath: Callable[[Row], None] | None = None,
    on_summary: Callable[[Row], None] | None = None,
    on_notice: Callable[[Notice], None] | None = None,
    observer: Callable[[Breath, BreathRecord, MeasurementContext], None] | None = None,
    on_progress: Callable[[str, float], None] | None = None,
) -> RecordingSummary:
    """Run one recording through the core.

    An error that ends reading early stands in ``RecordingSummary.error``; what came before it is kept.

    Args:
        job: The recording, and what the user states of it.
        on_breath: Called with each breath as a flat row (``rows.breath_row``).
        on_summary: Called with each summary as a flat row; windows are computed only if it is given.
        on_notice: Called with each notice.
        observer: Called with each breath's samples, its record, and what it was measured with.
        on_progress: Called with the name of the recording and the seconds read so far.

    Returns:
        Counts, medians and doubts of the recording.

    Examples:
        >>> rows = []
        >>> findings = examine(Job(path=Path("replay_data/vcv_hold.csv")), on_breath=rows.append)
        >>> findings.breaths, findings.format, round(findings.duration_s)
        (22, 'csv', 75)
        >>> round(rows[3]["crs"]), rows[4]["crs"], rows[4]["missing"]["crs"]
        (35, None, 'no_hold')
    """
    found = RecordingSummary(str(job.path))
    try:
        recording = open_recording(job.path, format_name=job.format_name, rate_hz=job.rate_hz, context=job.context)
        found.format, found.sidecar = recording.format, recording.sidecar
        for doubt in kept(recording.sidecar.recording.doubts):
            found.doubts.add(doubt)
        items: Iterable[Chunk | Notice]
        items = (item for item in recording.items() if not (isinstance(item, Notice) and _kind(item) in job.restated))
        items = items if on_progress is None else _followed(items, found, on_progress)
        _through_core(recording, items, found, _Rows(job, found, on_breath, on_summary, on_notice), observer)
        told = dict.fromkeys(job.restated, ())  # a study has more than one recording, and looks at all of them
        for doubt in never_reached(msgspec.structs.replace(found.sidecar, **told), found.last_s):
            found.doubts.add(doubt)
    except (DecodeError, ConfigError) as error:
        found.error = error
    return found


def _followed(
    items: Iterable[Chunk | Notice], found: RecordingSummary, on_progress: Callable[[str, float], None]
) -> Iterator[Chunk | Notice]:
    for item in items:
        yield item
        on_progress(found.name, found.duration_s)


def _kind(notice: Notice) -> str:
    """``blood_gas`` or ``event`` for a notice that repeats an entry of a sidecar, else empty."""
    return "blood_gas" if notice.kind is NoticeKind.BLOOD_GAS else "event" if "event" in notice.values else ""


def _through_core(
    recording: Recording,
    items: Iterable[Chunk | Notice],
    found: RecordingSummary,
    rows: _Rows,
    observer: Callable[[Breath, BreathRecord, MeasurementContext], None] | None,
) -> None:
    sidecar = found.sidecar = on_device_clock(recording)
    bed = Bed(
        bed_id(recording.path),
        context=sidecar.context,
        events=sidecar.event,
        blood_gases=sidecar.blood_gas,
        settings=CoreSettings(rolling=RollingSettings() if rows.wants_summaries else NO_WINDOWS),
        on_breath=observer,
    )
    clock = RecordedTime(sidecar.recording.start_utc, sidecar.recording.start_local)

    def keep(events: Sequence[Event]) -> None:
        for event in events:
            found.found(event)
            rows.take(event, clock)

    try:
        for item in items:
            if isinstance(item, Chunk):
                clock.arrived(item.start_s, item.start_s, 0)
            found.read(item)
            keep(bed.push(item))
    finally:
        keep(bed.close())
        found.units = dict(recording.units)
        found.doubts.settle(recording.damaged_rows, recording.dropped_rows)
