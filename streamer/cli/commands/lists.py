"""``metrics`` and ``formats``: what is measured, what can be read or emulated. Loads no compiled core."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adapters.devices import devices
from adapters.formats import formats as recorded_formats
from streamer.cli.terminal import SAFETY
from streamer.core.metrics import METRICS
from streamer.files.output import say


def metrics() -> int:
    """Every key with its unit, codes, meaning and source."""
    headings = ("key", "unit", "UCUM", "IEEE 11073", "about", "source")
    rows = [(key, m.unit, m.ucum, m.mdc, m.about, m.source) for key, m in METRICS.items()]
    _show(headings, rows)
    if sys.stdout.isatty():
        Console().print(SAFETY, style="dim italic")
    return 0


def formats() -> int:
    """Every format that can be read, in the order in which it is tried; then the live sources."""
    rows = [(name, known.about, " ".join(known.suffixes), known.needs) for name, known in recorded_formats().items()]
    _show(("format", "about", "suffix", "needs"), rows)
    say("")
    _show(
        ("live source", "about", "needs", "emulator"),
        [(name, known.about, known.needs, "yes" if known.emulated else "no") for name, known in devices().items()],
    )
    return 0


def emulators() -> int:
    """Every device that can be emulated."""
    _show(("device", "about"), [(name, known.about) for name, known in devices().items() if known.emulated])
    return 0


def _show(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on a terminal, tab-separated lines in a pipe."""
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in (headings, *texts):
            say("\t".join(row))
        return
    table = Table(pad_edge=False, box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in texts:
        table.add_row(*map(Text, row))
    Console().print(table)
