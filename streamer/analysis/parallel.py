"""Run tasks on several processors, with results in the order of the tasks.

In ``analyze``, one recording is one task. Its rows wait in part files until it has been read to its end; only then are
its doubts known, and each row gets them. Rows do not pass between processes, and the output is the same for any number
of jobs.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import msgspec

from streamer.analysis.recording_summary import RecordingSummary
from streamer.analysis.rows import Row
from streamer.analysis.run_recording import Job, examine
from streamer.files.output import Output
from streamer.model.errors import DataError, OutputError

Found = TypeVar("Found")


def spread(
    work: Callable[..., Found], workers: int, *columns: Sequence[Any], remedy: str = ""
) -> Generator[Found, None, None]:
    """``map(work, *columns)`` on ``workers`` processes; one worker is this process.

    Raises:
        DataError: The system ended a worker process.
    """
    if workers <= 1:
        yield from map(work, *columns)
        return
    # A fresh interpreter per worker: forking a process with threads (Arrow has some) may lock up.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_let_interrupts_kill)
    try:
        yield from pool.map(work, *columns)
    except BrokenProcessPool:
        raise DataError(f"the system ended a worker process, perhaps because memory ran out{remedy}") from None
    finally:
        pool.shutdown(cancel_futures=True)


def examine_all(
    plan: Sequence[Job],
    jobs: int,
    on_breath: Callable[[Row], None] | None,
    on_summary: Callable[[Row], None] | None,
    on_progress: Callable[[str, float], None] | None = None,
) -> Iterator[RecordingSummary]:
    """Examine recordings; findings come in the order of ``plan``, each after its rows.

    ``on_progress`` is as for ``examine``, but called only if there is a single worker.

    Raises:
        DataError: The system ended a worker process.
    """
    workers = min(jobs, len(plan))
    if workers <= 1 and on_breath is None and on_summary is None:
        for job in plan:
            yield examine(job, on_progress=on_progress)
        return
    with _temporary() as folder:
        parts = [Path(folder) / str(number) for number in range(len(plan))]
        wanted = [[on_breath is not None] * len(plan), [on_summary is not None] * len(plan)]
        apart = partial(_examine_apart, on_progress=on_progress if workers <= 1 else None)
        with closing(spread(apart, workers, plan, parts, *wanted, remedy="; use fewer --jobs")) as findings:
            for part, found in zip(parts, findings, strict=True):
                _copy(part.with_suffix(".breaths"), on_breath, found.doubts.codes)
                _copy(part.with_suffix(".summaries"), on_summary, found.doubts.codes)
                yield found


def _temporary() -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="ventstream-")
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"no folder for temporary files can be written: {reason}; name one in TMPDIR") from None


def _let_interrupts_kill() -> None:
    """End a worker without a traceback on Ctrl-C, which reaches the whole process group."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _examine_apart(
    job: Job,
    part: Path,
    want_breaths: bool,  # noqa: FBT001 (from map)
    want_summaries: bool,  # noqa: FBT001
    *,
    on_progress: Callable[[str, float], None] | None,
) -> RecordingSummary:
    encode = msgspec.json.Encoder().encode
    with Output(str(part.with_suffix(".breaths"))) as breaths, Output(str(part.with_suffix(".summaries"))) as summaries:

        def keep_breath(row: Row) -> None:
            breaths.write(encode(row) + b"\n")

        def keep_summary(row: Row) -> None:
            summaries.write(encode(row) + b"\n")

        return examine(
            job,
            on_breath=keep_breath if want_breaths else None,
            on_summary=keep_summary if want_summaries else None,
            on_progress=on_progress,
        )


def _copy(part: Path, keep: Callable[[Row], None] | None, doubts: list[str]) -> None:
    decode = msgspec.json.Decoder(dict).decode
    with part.open("rb") as lines:
        for line in lines:
            assert keep is not None
            keep(decode(line) | {"doubts": doubts})
    part.unlink()
