"""``report``: a study's recordings into time points, as a page, pictures and tables."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from streamer.analysis.rows import Column
from streamer.analysis.tables import SUFFIXES as TABLES
from streamer.analysis.tables import open_table
from streamer.cli.commands.report_text import show
from streamer.cli.commands.warm_up import compile_once, is_compiled
from streamer.cli.doubt_lines import about_doubt, installed, status_of
from streamer.cli.progress import Bar
from streamer.cli.summary_table import plain_console
from streamer.files.output import Output, real, say, warn
from streamer.model.doubts import DoubtList
from streamer.model.errors import ConfigError
from streamer.model.units import S_PER_MIN
from streamer.model.validation_errors import one_line
from streamer.study import Results, Study, measure, read_study
from streamer.study.collect import Course
from streamer.study.placing import jobs_of

PAGES: Mapping[str, Callable[[Any, Results], bytes]] = {
    ".html": lambda report, results: report.html(results).encode(),
    ".pdf": lambda report, results: report.pdf(results),
    ".png": lambda report, results: report.picture(results, ".png"),
    ".svg": lambda report, results: report.picture(results, ".svg"),
}
"""Suffix → how ``streamer.report`` makes it."""
MAX_DOUBTS = 20
"""Said on standard error."""


def report(path: Path, *, outs: Sequence[str], jobs: int | None, strict: bool = False) -> int:
    """Measure a study and write it down in every form that was asked for; the exit status.

    Raises:
        ConfigError: A faulty patient file, an output of no known kind, no matplotlib.
        DataError: A recording cannot be read, an output cannot be written.
    """
    study = read_study(path)
    _check_outs(outs, study)
    pages = _report_module() if any(_suffix(out) in PAGES for out in outs) else None
    results = measured(study, jobs)
    errors = [error for error in results.recordings["error"] if error]
    for error in errors:
        warn(error)
    for out in outs:
        if _suffix(out) in PAGES:
            with Output(out) as output, Bar(f"drawing {Path(out).name}"):
                output.write(PAGES[_suffix(out)](pages, results))
        else:
            _write_numbers(out, results)
    show(plain_console(stderr="-" in outs), results)
    if "-" not in outs:
        for out in outs:
            say(out)
    for one in results.doubts[:MAX_DOUBTS]:
        warn(one_line(str(one)))
    if len(results.doubts) > MAX_DOUBTS:
        warn(f"… and {len(results.doubts) - MAX_DOUBTS} more doubts; the page and the tables of numbers have all")
    doubts = DoubtList()
    for one in results.doubts:
        doubts.add(one.doubt)
    return status_of(1 if errors else 0, [doubts], strict=strict)


def _suffix(out: str) -> str:
    return ".jsonl" if out == "-" else Path(out).suffix.lower()


def _check_outs(outs: Sequence[str], study: Study) -> None:
    if len(set(outs)) != len(outs):
        raise ConfigError("-o names one output twice; give each its own")
    inputs = {real(file) for file in study.files}
    inputs |= {real(recorded.path) for session in study.sessions for recorded in session.recordings}
    for out in outs:
        if _suffix(out) not in {*PAGES, *TABLES}:
            known = ", ".join((*PAGES, *TABLES))
            raise ConfigError(f"{out}: give the output a suffix: {known}, or '-' for JSON lines on standard output")
        if out != "-" and real(Path(out)) in inputs:
            raise ConfigError(f"{out}: is also to be read; name another output")


def has_pictures() -> bool:
    """Whether pages and pictures can be made with what is installed."""
    return find_spec("matplotlib") is not None


def _report_module() -> Any:
    try:
        return importlib.import_module("streamer.report")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("matplotlib"):
            raise
        raise ConfigError("pages and pictures need matplotlib: pip install 'ventstream[plot]'; tables do not") from None


def measured(study: Study, jobs: int | None) -> Results:
    """The results, with a bar on a terminal meanwhile, and nothing in a pipe. Raises as ``measure``."""
    if not is_compiled():
        for session in study.sessions:  # mistakes in its times, before a minute of compiling
            jobs_of(session, S_PER_MIN * study.points.settle_min)
        compile_once()
    with Bar("reading", sum(len(session.recordings) for session in study.sessions)) as bar:

        def on_read(_: Course) -> None:
            bar.advance()

        return measure(study, jobs=jobs or os.cpu_count() or 1, on_read=on_read)


def _write_numbers(out: str, results: Results) -> None:
    numbers = results.numbers
    columns = [
        Column(str(name), "number" if kind == "f" else "whole" if kind in "iu" else "text")
        for name, kind in ((name, numbers[name].dtype.kind) for name in numbers.columns)
    ]
    with open_table(out, columns) as table:
        table.describe(_about(results))
        for row in numbers.to_dict("records"):
            table.write({str(key): None if _is_nothing(found) else found for key, found in row.items()})


def _about(results: Results) -> dict[str, Any]:
    """Metadata of a table of numbers."""
    recordings = results.recordings.to_dict("records")
    return {
        "schema": "table/1",
        "ventstream": installed(),
        "title": results.title,
        "recordings": [
            {str(key): None if _is_nothing(found) else found for key, found in row.items()} for row in recordings
        ],
        "doubts": [
            {"patient": one.patient, "recording": one.recording, **about_doubt(one.doubt)} for one in results.doubts
        ],
        "notes": list(results.notes),
    }


def _is_nothing(found: object) -> bool:
    return found is None or (isinstance(found, float) and np.isnan(found))
