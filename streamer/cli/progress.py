"""How far long work is: a line on a terminal, nothing in a pipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from streamer.model.units import S_PER_MIN

S_PER_HOUR = 60.0 * S_PER_MIN


class Bar:
    """Tasks done of all, and of the recording being read how much signal so far. Used as a context manager.

    Args:
        what: What is being done.
        total: How many tasks there are.
    """

    def __init__(self, what: str, total: int = 1) -> None:
        counts = (BarColumn(), MofNCompleteColumn()) if total > 1 else ()
        columns = (TextColumn("{task.description}"), *counts, TimeElapsedColumn())
        console = Console(stderr=True)
        self._bar = Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty())
        self._what = what
        self._task = self._bar.add_task(what, total=total if total > 1 else None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def advance(self) -> None:
        """One more is done."""
        self._bar.advance(self._task)

    def reached(self, name: str, read_s: float) -> None:
        """So much signal of a recording was read."""
        shown = f"{read_s / S_PER_HOUR:.2f} h" if read_s >= S_PER_HOUR else f"{read_s / S_PER_MIN:.1f} min"
        self._bar.update(self._task, description=f"{self._what}  {escape(Path(name).name)}  {shown}")

    def say(self, line: str) -> None:
        """A line above it."""
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
