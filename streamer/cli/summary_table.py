"""Recordings as a table on the terminal: one line each, then what was withheld and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamer.analysis.recording_summary import RecordingSummary
from streamer.core.metrics.display import SHOWN
from streamer.model.chunk import Channel
from streamer.model.validation_errors import one_line

PIPE_WIDTH = 160


def report(console: Console, findings: Sequence[RecordingSummary]) -> None:
    """One line per recording that could be read, then what was withheld and why."""
    readable = [found for found in findings if found.samples]
    if not readable:
        return
    names = short_names(readable)
    table = Table(pad_edge=False, box=box.SIMPLE_HEAD)
    table.add_column("recording", overflow="fold")
    for heading in ("Hz", "min", "breaths", "damaged", "dropped", "gaps"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading, unit, _ in SHOWN.values():
        table.add_column(f"{heading}\n[dim]{unit}[/]", justify="right", no_wrap=True)
    for name, found in zip(names, readable, strict=True):
        numbers = (_middle(found, key) for key in SHOWN)
        minutes = f"{found.duration_s / 60:.1f}"
        rows = (str(found.doubts.damaged_rows), str(found.doubts.dropped_rows))
        counts = (str(found.breaths), *rows, str(found.gaps))
        table.add_row(Text(one_line(name)), found.rate, minutes, *counts, *numbers)
    console.print(table)
    console.print("medians over all breaths; withheld, with the number of breaths:", style="dim")
    for name, found in zip(names, readable, strict=True):
        console.print(Text(f"  {one_line(name)}: {found.reasons() or _nothing(found)}"), soft_wrap=True)


def _nothing(found: RecordingSummary) -> str:
    """Why no reason is there."""
    if found.breaths:
        return "nothing"
    return "no breath was found" if found.channels.keys() - {Channel.PAW} else "no breaths: there is no flow"


def short_names(findings: Sequence[RecordingSummary]) -> list[str]:
    """File names, with their folders where two would be the same."""
    times = Counter(Path(found.name).name for found in findings)
    return [found.name if times[Path(found.name).name] > 1 else Path(found.name).name for found in findings]


def _middle(found: RecordingSummary, key: str) -> str:
    numbers = found.values.get(key)
    return f"{median(numbers):.{SHOWN[key][2]}f}" if numbers else "-"


def plain_console(*, stderr: bool = False) -> Console:
    """A console that keeps tables wide where the output is no terminal."""
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console
