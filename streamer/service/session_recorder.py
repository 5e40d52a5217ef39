"""Writes down what reaches a bed's core, so that it can be replayed. The files are ``adapters.recordings.recorder``'s.

A recording that cannot be written any more (a full disk) is told and given up; the bed goes on.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.formats.session_folder import Manifest, SourceNote
from adapters.recordings.recorder import Recorder
from streamer.core.session_events import ContextChange, context_notice
from streamer.model.chunk import Chunk
from streamer.model.context import RecordingInfo, Sidecar
from streamer.model.errors import OutputError
from streamer.model.records import Event, Notice
from streamer.service.plan import BedPlan, Core
from streamer.service.session_patient_file import SessionPatientFile
from streamer.service.settings import RecordSettings
from streamer.service.source_merge import labels
from streamer.wire import EPOCH, Source
from streamer.wire.timebase import LiveTime, RecordedTime

log = logging.getLogger(__name__)


class SessionRecorder:
    """One session's recording, or none where nobody asked for one.

    Args:
        plan: The bed.
        session: Names the folder.
        settings: Where to.
        on_failure: Called once, with the reason, when writing has failed for good.
    """

    def __init__(
        self, plan: BedPlan, session: str, settings: RecordSettings, on_failure: Callable[[str], None]
    ) -> None:
        self._plan, self._session, self._settings, self._on_failure = plan, session, settings, on_failure
        self._recorder: Any = None
        self._is_open = False
        self._first_s: float | None = None
        self._start_ns: int | None = None
        self._retold = SessionPatientFile(plan.bed, plan.events, plan.blood_gases, self._utc_ns)

    def write(self, item: Chunk | Notice) -> None:
        """Keep what came. A folder is made for the first of it: a source that never answers leaves none behind."""
        if not self._is_open and self._settings.folder:
            self._is_open = True
            self._open()
        self._do("write", item)
        if self._recorder is not None and isinstance(item, Notice) and self._retold.hear(item):
            self._do("retell", self._retold.text())

    def date(self, time: LiveTime | RecordedTime, given: Chunk) -> None:
        """Say when the first sample that the core was given was taken, and all that was told, once that is known."""
        if self._start_ns is not None or not len(given):
            return
        self._first_s = given.start_s if self._first_s is None else self._first_s
        first_ns = time.utc_ns(self._first_s)
        if first_ns is None:
            return
        first_us = first_ns // 1000
        self._start_ns = 1000 * first_us
        self._do("describe", self._sidecar(EPOCH + timedelta(microseconds=first_us)))
        self._do("retell", self._retold.text())

    def _utc_ns(self, device_s: float) -> int | None:
        """By the first sample, as who reads the recording reckons, so that all comes back to the sample it was told at.

        Arrivals drift from the device's clock meanwhile. Rounded down to a microsecond: what was told at the very end
        must not come to lie after it.
        """
        if self._start_ns is None or self._first_s is None:
            return None
        return self._start_ns + 1000 * math.floor(1e6 * (device_s - self._first_s))

    def flush(self) -> None:
        """See to it that all of it is in the files."""
        self._do("flush")

    def close(self) -> None:
        """Close the files."""
        self._do("close")
        self._recorder = None

    def _open(self) -> None:
        try:
            self._recorder = Recorder(
                Path(self._settings.folder) / self._plan.bed / self._session,
                _manifest(self._plan, self._session),
                self._sidecar(self._plan.start_utc),
                segment_s=self._settings.segment_s,
            )
            self._recorder.retell(self._retold.text())
        except OutputError as error:
            self._fail(error)

    def _do(self, what: str, *arguments: object) -> None:
        if self._recorder is None:
            return
        try:
            getattr(self._recorder, what)(*arguments)
        except OutputError as error:
            self._fail(error)

    def _fail(self, error: OutputError) -> None:
        if self._recorder is not None:
            self._recorder.abandon()
        self._recorder = None
        log.error("bed %s: not recorded any more: %s", self._plan.bed, error)
        self._on_failure(str(error))

    def _sidecar(self, start_utc: datetime | None) -> Sidecar:
        plan = self._plan
        source = "" if plan.source is Source.LIVE else str(plan.source)
        device = ", ".join(one.adapter for one in plan.sources)
        return Sidecar(
            recording=RecordingInfo(start_utc=start_utc, device=device, source=source),
            context=plan.context,
            event=tuple(event for event in plan.events if event.at_s is not None),
            blood_gas=tuple(gas for gas in plan.blood_gases if gas.at_s is not None),
        )


def _manifest(plan: BedPlan, session: str) -> Manifest:
    sources = [
        SourceNote(label=label, adapter=one.adapter, clock_offset_s=one.clock_offset_s)
        for label, one in zip(labels(plan), plan.sources, strict=True)
    ]
    return Manifest(bed=plan.bed, session=session, sources=tuple(sources))


class RecordingCore:
    """A core for the operator's commands: what they tell it is written down as well."""

    def __init__(self, core: Core, tape: SessionRecorder) -> None:
        self._core, self._tape = core, tape

    def push(self, item: Chunk | Notice) -> list[Event]:
        """As ``Core.push``."""
        self._tape.write(item)
        return self._core.push(item)

    def tell(self, change: ContextChange) -> list[Event]:
        """As ``Core.tell``; a change that is refused has not happened."""
        found = self._core.tell(change)
        self._tape.write(context_notice(change.context, change))
        return found

    def close(self) -> list[Event]:
        """As ``Core.close``."""
        return self._core.close()
