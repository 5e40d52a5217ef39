"""Collect the breaths of one recording for a study. Runs in worker processes.

No samples are kept: memory grows with the number of breaths (at most 1 kB each), so a recording may be larger than
memory.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.analysis.recording_summary import RecordingSummary
from streamer.analysis.run_recording import Job, examine
from streamer.core.metrics import METRICS, MeasurementContext
from streamer.model.breath import Breath
from streamer.model.chunk import FloatArray
from streamer.model.context import Context
from streamer.model.flags import INCOMPLETE
from streamer.model.reasons import Reason
from streamer.model.records import BreathRecord, Notice, NoticeKind
from streamer.study.quantities import KEYS

HASHED_BYTES = 1 << 20
RECORDED = ("session.json", "session.toml", "events.jsonl", "*-[0-9]*.parquet", "*-[0-9]*.arrows")
"""Files that ``run`` records in a folder. A patient file or a report beside them is not part of the recording."""
GRADES = ("", "A", "B", "C")
REASONS = tuple(Reason)
WITHHELD_AS = {reason.value: place for place, reason in enumerate(REASONS)}
METHODS = {key: ("", *METRICS[key].methods) for key in KEYS}
NONE = -1
EVENTS = frozenset({NoticeKind.POSITION, NoticeKind.SETTINGS, NoticeKind.NOTE, NoticeKind.BLOOD_GAS})
TOLD = EVENTS | {NoticeKind.SUSPICION, NoticeKind.CLOCK_RESET, NoticeKind.CONTEXT}
MAX_NOTICES = 100_000
"""Notices kept of one recording; a source that reports more is broken."""


@dataclass(frozen=True, kw_only=True)
class Breaths:
    """The breaths that a study keeps, in order of time.

    Attributes:
        start_s: (n,) onset of each breath, s.
        end_s: (n,) onset of the next breath, s.
        whole: (n,) whether the breath was recorded whole.
        values: (keys, n) values of ``KEYS``, in their order and units; NaN where missing.
        reasons: (keys, n) index into ``REASONS``; ``NONE`` where there is a value.
        methods: (keys, n) index into ``METHODS`` of the key.
        grades: (keys, n) index into ``GRADES``.
        drawn_s: (n,) draw of the blood gas that was used for the breath, s; NaN before the first.
        context: (n,) index into ``contexts``.
        contexts: What was known of patient and sensors, in order of time.
    """

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


@dataclass(frozen=True, kw_only=True)
class Course(Breaths):
    """The breaths of one recording, on the clock of its device.

    Attributes:
        findings: Counts, format, rates, and the error if reading ended early.
        sha256: SHA-256 of the file, or of the files of a folder.
        notices: Events, blood gases, suspicions and clock resets.
        withheld: (key, reason) → number of breaths; of all metrics.
    """

    findings: RecordingSummary
    sha256: str
    notices: tuple[Notice, ...]
    withheld: Counter[tuple[str, str]]


@dataclass
class _Keeper:
    """Growing columns, one breath at a time. Arrays, since a list of floats takes four times as much memory."""

    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))
    codes: array[int] = field(default_factory=lambda: array("b"))
    context: array[int] = field(default_factory=lambda: array("h"))
    contexts: list[Context] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def see(self, _: Breath, record: BreathRecord, given: MeasurementContext) -> None:
        """Keep a breath."""
        drawn_s = math.nan if given.blood_gas is None else record.end_s - given.blood_gas_age_s
        self.times.extend((record.start_s, record.end_s, float(INCOMPLETE.isdisjoint(record.flags)), drawn_s))
        values, missing = record.values, record.missing
        methods, quality = record.methods, record.quality
        self.values.extend([values.get(key, math.nan) for key in KEYS])
        self.codes.extend([WITHHELD_AS.get(missing.get(key, ""), NONE) for key in KEYS])
        self.codes.extend([METHODS[key].index(methods.get(key, "")) for key in KEYS])
        self.codes.extend([GRADES.index(quality.get(key, "")) for key in KEYS])
        if not self.contexts or self.contexts[-1] != given.context:
            self.contexts.append(given.context)
        self.context.append(len(self.contexts) - 1)

    def hear(self, notice: Notice) -> None:
        """Keep a notice that a study needs."""
        is_note = notice.kind is NoticeKind.NOTE and "event" not in notice.values
        if notice.kind in TOLD and not is_note and len(self.notices) < MAX_NOTICES:
            self.notices.append(notice)


def collect(job: Job) -> Course:
    """Run one recording through the core, up to its end or to the first reset of its clock.

    After a reset, times are unknown. An error that ends reading early stands in ``findings.error``.
    """
    keeper = _Keeper()
    findings = examine(job, observer=keeper.see, on_notice=keeper.hear)
    resets = [notice.at_s for notice in keeper.notices if notice.kind is NoticeKind.CLOCK_RESET]
    times = np.frombuffer(keeper.times).reshape(-1, 4).T
    n = int(np.searchsorted(times[1], min(resets, default=math.inf), side="right"))
    times = times[:, :n]
    codes = np.frombuffer(keeper.codes, dtype=np.int8).reshape(-1, 3, len(KEYS))[:n].transpose(1, 2, 0)
    return Course(
        findings=findings,
        sha256=sha256(job.path),
        start_s=times[0],
        end_s=times[1],
        whole=times[2] > 0,
        values=np.frombuffer(keeper.values).reshape(-1, len(KEYS))[:n].T,
        reasons=codes[0],
        methods=codes[1],
        grades=codes[2],
        drawn_s=times[3],
        context=np.array(keeper.context[:n], dtype=np.int16),
        contexts=tuple(keeper.contexts),
        notices=tuple(keeper.notices),
        withheld=Counter({(key, reason): count for (reason, key), count in findings.withheld.items()}),
    )


def sha256(path: Path) -> str:
    """Of a file's content; of a recorded folder's files, with their names, in order. Empty where it cannot be read."""
    digest: Any = hashlib.sha256()
    try:
        for file in sorted(one for pattern in RECORDED for one in path.glob(pattern)) if path.is_dir() else [path]:
            if path.is_dir():
                digest.update(str(file.relative_to(path)).encode())
            for block in _blocks(file):
                digest.update(block)
    except OSError:
        return ""
    return str(digest.hexdigest())


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(HASHED_BYTES):
            yield block
