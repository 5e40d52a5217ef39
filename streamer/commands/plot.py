"""``plot``: one breath of a recording as a picture. Floor 4; drawing needs the extra ``ventstream[plot]``."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from streamer.breath import Breath
from streamer.commands.examine import Job, examine
from streamer.errors import ConfigError, DecodeError, OutputError
from streamer.metrics import Given
from streamer.output import say
from streamer.records import BreathRecord, Flag

SUFFIXES = (".png", ".svg", ".pdf")
CUT = frozenset({Flag.TRUNCATED, Flag.AFTER_GAP, Flag.NO_FLOW})
"""Labels of a breath that is not drawn unless it was asked for."""
Seen: TypeAlias = tuple[Breath, BreathRecord, Given]


def plot(
    path: Path,
    *,
    out: Path,
    number: int | None,
    at_s: float | None,
    context: Path | None,
    format_name: str | None,
    rate_hz: float | None,
) -> int:
    """Draw a breath; the exit status.

    Raises:
        ConfigError: A picture of another kind, two choices of a breath, no matplotlib.
        DecodeError: The recording cannot be read, or has no such breath.
        OutputError: The picture cannot be written.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{out}: a picture ends in {', '.join(SUFFIXES)}")
    if number is not None and at_s is not None:
        raise ConfigError("--breath and --at both choose a breath: give one of them")
    figure = _figure_module()
    wanted = _Wanted(number, at_s)
    job = Job(path=path, format_name=format_name, rate_hz=rate_hz, context=context)
    found = examine(job, observer=wanted.see)
    if wanted.chosen is None:
        raise found.error or DecodeError(f"{path}: {wanted.absent(found.breaths, found.last_s)}")
    breath, record, given = wanted.chosen
    caption = f"{path.name} · breath {record.number} · {record.start_s:.2f} s"
    picture = figure.rendered(figure.breath_figure(breath, record, given, caption=caption), out.suffix.lower())
    try:
        out.write_bytes(picture)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror}") from None
    say(f"{out}: breath {record.number} of {path.name}, {record.start_s:.2f} to {record.end_s:.2f} s")
    return 0


def _figure_module() -> Any:
    try:
        return importlib.import_module("streamer.figure")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("matplotlib"):
            raise
        raise ConfigError("pictures need matplotlib: pip install 'ventstream[plot]'") from None


@dataclass
class _Wanted:
    """Keeps the breath that was asked for; of its own accord the last with a dead space, else the last whole one."""

    number: int | None
    at_s: float | None
    chosen: Seen | None = None

    def see(self, breath: Breath, record: BreathRecord, given: Given) -> None:
        """Look at a breath."""
        if self.number is not None:
            is_it = record.number == self.number
        elif self.at_s is not None:
            is_it = record.start_s <= self.at_s < record.end_s
        else:
            has_dead = self.chosen is not None and "vd_aw" in self.chosen[1].values
            is_it = "vd_aw" in record.values or (not has_dead and CUT.isdisjoint(record.flags))
        if is_it and breath.flow.size:
            self.chosen = breath, record, given

    def absent(self, breaths: int, last_s: float) -> str:
        """Why there is nothing to draw."""
        if self.number is not None:
            return f"no breath {self.number} with flow in it; there are {breaths}, from 0"
        if self.at_s is not None:
            return f"no breath with flow at {self.at_s:g} s; the recording ends at {last_s:.1f} s"
        return "no whole breath with flow in it"
