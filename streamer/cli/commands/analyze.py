"""``analyze``: recordings through the core as fast as the machine allows, into tables and a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from adapters.recordings.open import open_recording
from streamer.analysis.parallel import examine_all
from streamer.analysis.recording_summary import RecordingSummary
from streamer.analysis.recordings import expand, say_skipped
from streamer.analysis.rows import Row, breath_columns, summary_columns
from streamer.analysis.run_recording import Job
from streamer.analysis.tables import TableWriter, open_table
from streamer.cli.commands.warm_up import compile_once
from streamer.cli.doubt_lines import about_table, say_doubts, status_of, tally
from streamer.cli.progress import Bar
from streamer.cli.summary_table import plain_console, report
from streamer.files.output import real
from streamer.files.sidecar import read_sidecar
from streamer.model.errors import ConfigError, DecodeError


class _NothingRead(Exception):  # noqa: N818 (not an error of its own: each recording's was said)
    """Leaves the outputs unwritten."""


def analyze(
    paths: Sequence[Path],
    *,
    out: str | None,
    summaries: str | None,
    context: Path | None,
    jobs: int,
    format_name: str | None,
    rate_hz: float | None,
    strict: bool = False,
) -> int:
    """Analyse recordings; the exit status."""
    _check_outputs(paths, out, summaries)
    if context is not None:
        read_sidecar(context)  # said once, not for every recording
    recordings, skipped = expand(paths)
    say_skipped(skipped)
    plan = [Job(path=path, format_name=format_name, rate_hz=rate_hz, context=context) for path in recordings]
    if any(map(_opens, plan)):
        compile_once()
    findings: list[RecordingSummary] = []
    with suppress(_NothingRead), ExitStack() as stack:
        breaths = stack.enter_context(open_table(out, breath_columns())) if out else None
        windows = stack.enter_context(open_table(summaries, summary_columns())) if summaries else None
        with Bar("analysing", len(plan)) as bar:
            findings += _followed(examine_all(plan, jobs, _sink(breaths), _sink(windows), bar.reached), bar)
        if not any(found.samples for found in findings):
            raise _NothingRead
        for table in filter(None, (breaths, windows)):
            table.describe(about_table(findings))
    quiet = "-" in (out, summaries)
    console = plain_console(stderr=quiet)
    report(console, findings)
    say_doubts(findings)
    if any(found.samples for found in findings):
        if files := [name for name in (out, summaries) if name not in (None, "-")]:
            console.print(f"written: {', '.join(map(str, files))}", style="dim", soft_wrap=True, markup=False)
        console.print(tally(findings), style="dim", soft_wrap=True)
    errors = [found.error for found in findings if found.error is not None]
    status = 0 if not errors else 2 if all(isinstance(error, ConfigError) for error in errors) else 1
    return status_of(status, [found.doubts for found in findings], strict=strict)


def _check_outputs(paths: Sequence[Path], *outs: str | None) -> None:
    named = [out for out in outs if out is not None]
    if len(named) != len(set(named)):
        raise ConfigError(f"-o and --summaries both name {named[0]}; give each its own")
    inputs = {real(path) for path in paths}
    for out in named:
        if out != "-" and real(Path(out)) in inputs:
            raise ConfigError(f"{out}: is also to be read; name another output")


def _opens(job: Job) -> bool:
    """Whether a recording is recognised; why not is said when its turn comes."""
    try:
        open_recording(job.path, format_name=job.format_name, rate_hz=job.rate_hz, context=job.context)
    except (DecodeError, ConfigError):
        return False
    return True


def _sink(table: TableWriter | None) -> Callable[[Row], None] | None:
    return None if table is None else table.write


def _followed(findings: Iterable[RecordingSummary], bar: Bar) -> Iterator[RecordingSummary]:
    """Say errors as they come."""
    for found in findings:
        if found.error is not None:
            bar.say(str(found.error))
        bar.advance()
        yield found
