"""``plot``: one breath of a recording as a picture. Drawing needs the extra ``ventstream[plot]``."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from adapters.recordings.open import open_recording
from streamer.analysis.recording_summary import RecordingSummary
from streamer.analysis.recordings import runs_of
from streamer.analysis.run_recording import Job, examine
from streamer.cli.commands.warm_up import compile_once
from streamer.cli.doubt_lines import say_doubts, status_of
from streamer.cli.progress import Bar
from streamer.core.metrics import MeasurementContext
from streamer.files.output import say
from streamer.model.breath import Breath
from streamer.model.errors import ConfigError, DecodeError, OutputError
from streamer.model.flags import NOT_DRAWN
from streamer.model.records import BreathRecord

SUFFIXES = (".png", ".svg", ".pdf")
_MOMENT = re.compile(r"(?:(?P<run>[0-9]{1,6}):)?(?P<at>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))")
Seen: TypeAlias = tuple[Breath, BreathRecord, MeasurementContext]


def plot(
    path: Path,
    *,
    out: Path,
    number: int | None,
    at: str | None,
    context: Path | None,
    format_name: str | None,
    rate_hz: float | None,
    strict: bool = False,
) -> int:
    """Draw a breath; the exit status. ``at`` is seconds, or ``RUN:SECONDS``.

    Raises:
        ConfigError: A picture of another kind, two choices of a breath, no matplotlib.
        DecodeError: The recording cannot be read, or has no such breath.
        OutputError: The picture cannot be written.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{out}: a picture ends in {', '.join(SUFFIXES)}")
    if number is not None and at is not None:
        raise ConfigError("--breath and --at both choose a breath: give one of them")
    moment = None if at is None else _moment(at)
    figure = _figure_module()
    job = Job(path=path, format_name=format_name, rate_hz=rate_hz, context=context)
    wanted = _Wanted(number, None if moment is None else _on_tables_clock(moment, job))
    open_recording(path, format_name=format_name, rate_hz=rate_hz, context=context)  # what it is, before the long part
    compile_once()
    with Bar("reading") as bar:
        found = examine(job, observer=wanted.see, on_progress=bar.reached)
    if wanted.chosen is None:
        raise found.error or DecodeError(f"{path}: {wanted.absent(found)}")
    breath, record, given = wanted.chosen
    caption = f"{path.name} · breath {record.number} · {record.start_s:.2f} s"
    if len(found.runs) > 1:
        caption += f" · run {found.run_of(record.start_s)} of {len(found.runs)}"
    with Bar("drawing"):  # the first time, matplotlib looks for fonts
        drawn = figure.breath_figure(breath, record, given, caption=caption, doubts=found.doubts.codes)
        picture = figure.rendered(drawn, out.suffix.lower())
    try:
        out.write_bytes(picture)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror}") from None
    say(f"{out}: breath {record.number} of {path.name}, {record.start_s:.2f} to {record.end_s:.2f} s")
    say_doubts([found])
    return status_of(0, [found.doubts], strict=strict)


class _Moment(NamedTuple):
    """``--at``: seconds on the table's clock or, with a run, on that run's own."""

    run: int | None
    at_s: float


def _moment(text: str) -> _Moment:
    said = _MOMENT.fullmatch(text.strip())
    if said is None or said["run"] == "0":
        raise ConfigError(f"--at {text!r}: expected seconds, or RUN:SECONDS with runs counted from 1: --at 2:12.5")
    return _Moment(int(said["run"]) if said["run"] else None, float(said["at"]))


def _figure_module() -> Any:
    try:
        return importlib.import_module("streamer.report.breath")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("matplotlib"):
            raise
        raise ConfigError("pictures need matplotlib: pip install 'ventstream[plot]'") from None


def _on_tables_clock(moment: _Moment, job: Job) -> float:
    """Where in the recording it is. Raises ``DecodeError`` where there is no such run, or the run is not so long."""
    if moment.run is None:
        return moment.at_s
    runs, last_s = runs_of(
        open_recording(job.path, format_name=job.format_name, rate_hz=job.rate_hz, context=job.context)
    )
    if moment.run > len(runs):
        raise DecodeError(f"{job.path}: no run {moment.run}; the recording has {len(runs)}, counted from 1")
    run = runs[moment.run - 1]
    end_s = runs[moment.run].start_s if moment.run < len(runs) else last_s
    shift_s = run.start_s - (run.clock_s or 0.0)
    if not run.start_s <= moment.at_s + shift_s < end_s:
        span = f"{run.start_s - shift_s:g} to {end_s - shift_s:g} s"
        raise DecodeError(f"{job.path}: run {moment.run} lasts from {span}, {moment.at_s:g} s is not in it")
    return moment.at_s + shift_s


@dataclass
class _Wanted:
    """Keeps the breath that was asked for; by default the last with a dead space, else the last whole one."""

    number: int | None
    at_s: float | None
    chosen: Seen | None = None

    def see(self, breath: Breath, record: BreathRecord, given: MeasurementContext) -> None:
        """Look at a breath."""
        if self.number is not None:
            is_it = record.number == self.number
        elif self.at_s is not None:
            is_it = record.start_s <= self.at_s < record.end_s
        else:
            has_dead = self.chosen is not None and "vd_aw" in self.chosen[1].values
            is_it = "vd_aw" in record.values or (not has_dead and NOT_DRAWN.isdisjoint(record.flags))
        if is_it and breath.flow.size:
            self.chosen = breath, record, given

    def absent(self, found: RecordingSummary) -> str:
        """Why there is nothing to draw."""
        if self.number is not None:
            return f"no breath {self.number} with flow in it; there are {found.breaths}, from 0"
        if self.at_s is not None:
            return f"no breath with flow at {self.at_s:g} s; the recording ends at {found.last_s:.1f} s"
        return "no whole breath with flow in it"
