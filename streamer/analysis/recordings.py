"""Recordings named on a command line: expand folders, place events on the device's clock, label."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from adapters.formats import MANIFEST
from adapters.recordings.open import Recording, open_recording
from streamer.files.output import warn
from streamer.model.chunk import Chunk
from streamer.model.context import BloodGas, SessionEvent, Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice, NoticeKind
from streamer.wire import Source

Dated = TypeVar("Dated", SessionEvent, BloodGas)
FINGERPRINT_BYTES = 1 << 16
BESIDE = frozenset({".toml", ".md", ".rst", ".py", ".ipynb", ".html"})
ABOUT = re.compile(r"(readme|licen[cs]e|copying|notice|changelog)(\.txt)?")
"""Files of a folder that are not recordings, by suffix and by name in lower case."""
MAX_SKIPPED = 5
"""Skipped files that are named one by one; further ones are counted."""


class Run(NamedTuple):
    """A stretch of a recording between two resets of the device's clock.

    Attributes:
        start_s: Its beginning on the clock of the table, which continues from run to run, s.
        clock_s: The same instant on the clock of the file, s; None if unknown.
    """

    start_s: float
    clock_s: float | None


def expand(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Replace each folder by the recordings in it, sorted. A file that is named itself stays, readable or not.

    Returns:
        The recordings, and a line for each file in a folder that is not one.

    Raises:
        DecodeError: A folder has no recording in it.
    """
    recordings: list[Path] = []
    skipped: list[str] = []
    for path in paths:
        if not path.is_dir() or _is_session(path):
            recordings.append(path)
            continue
        inside = sorted(_inside(path))
        if not inside:
            raise DecodeError(f"{path}: there is no recording in this folder")
        for found in inside:
            reason = _why_not(found)
            if reason is None:
                recordings.append(found)
            else:
                skipped.append(reason)
    if not recordings and skipped:
        count = f"{len(skipped)} files, " if len(skipped) > 1 else ""
        raise DecodeError(f"{paths[0]}: there is no recording in this folder: {count}{skipped[0]}")
    return recordings, skipped


def say_skipped(skipped: Sequence[str]) -> None:
    """Warn about the files in folders that are not recordings: the first by name, the rest as a count."""
    for reason in skipped[:MAX_SKIPPED]:
        warn(f"skipped: {reason}")
    if len(skipped) > MAX_SKIPPED:
        warn(f"skipped: … and {len(skipped) - MAX_SKIPPED} more files of unknown format; name one to see why")


def _is_session(folder: Path) -> bool:
    """Whether a folder is itself a recording, written by ``run``."""
    return (folder / MANIFEST).is_file()


def _inside(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """The files and recorded sessions in a folder that may be recordings. Links back to a parent are not followed."""
    above = *above, folder.resolve()
    for found in folder.iterdir():
        if found.is_dir() and not found.name.startswith("."):
            if _is_session(found):
                yield found
            elif not any(seen.is_relative_to(found.resolve()) for seen in above):
                yield from _inside(found, above)
        elif found.is_file() and _may_be_one(found, folder):
            yield found


def _may_be_one(path: Path, folder: Path) -> bool:
    """Whether a file may be a recording: not hidden, and not a sidecar, a truth, a README or a licence."""
    is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    is_beside = path.suffix.lower() in BESIDE or path.name.endswith(".truth.json")
    return not is_hidden and not is_beside and not ABOUT.fullmatch(path.name.lower())


def _why_not(path: Path) -> str | None:
    """Why a file in a folder is not a recording, or None. Its rows are not checked here."""
    try:
        open_recording(path)
    except DecodeError as error:
        return str(error)
    except ConfigError:
        return None
    return None


def on_device_clock(recording: Recording) -> Sidecar:
    """The sidecar with the device time of each dated event and blood gas, if ``start_utc`` is known."""
    sidecar = recording.sidecar
    start_utc = sidecar.recording.start_utc
    entries: list[SessionEvent | BloodGas] = [*sidecar.event, *sidecar.blood_gas]
    if start_utc is None or all(entry.at is None for entry in entries):
        return sidecar
    first_s = _first_s(recording)
    return msgspec.structs.replace(
        sidecar,
        event=tuple(_placed(event, start_utc, first_s) for event in sidecar.event),
        blood_gas=tuple(_placed(gas, start_utc, first_s) for gas in sidecar.blood_gas),
    )


def utc_of_zero_s(recording: Recording) -> float | None:
    """UTC (seconds since 1970) of second 0 of the device's clock; None if ``start_utc`` is unknown."""
    start_utc = recording.sidecar.recording.start_utc
    return None if start_utc is None else start_utc.timestamp() - _first_s(recording)


def _first_s(recording: Recording) -> float:
    return next((item.start_s for item in recording.items() if isinstance(item, Chunk)), 0.0)


def _placed(entry: Dated, start_utc: datetime, first_s: float) -> Dated:
    if entry.at is None or entry.at_s is not None:
        return entry
    return msgspec.structs.replace(entry, at_s=first_s + (entry.at - start_utc).total_seconds())


def run_after(reset: Notice) -> Run:
    """The run that begins with a reset of the clock."""
    start_s, clock_s = reset.values.get("start_s", reset.at_s), reset.values.get("clock_s")
    return Run(float(start_s), None if clock_s is None else float(clock_s))


def runs_of(recording: Recording) -> tuple[list[Run], float]:
    """The runs of a recording, from its samples alone, and when it ends. Raises ``DecodeError``."""
    runs: list[Run] = []
    last_s = 0.0
    for item in recording.items():
        if isinstance(item, Notice):
            runs += [run_after(item)] if item.kind is NoticeKind.CLOCK_RESET else []
        elif len(item):
            if not last_s:
                runs.insert(0, Run(item.start_s, item.start_s))
            last_s = max(last_s, item.start_s + len(item) / item.rate_hz)
    return runs, last_s


def fingerprint(path: Path) -> str:
    """The session id of an analysis: a hash of the content, the same wherever the recording lies."""
    digest = hashlib.blake2b(digest_size=6)
    path = path / MANIFEST if path.is_dir() else path
    try:
        with path.open("rb") as file:
            digest.update(file.read(FINGERPRINT_BYTES))
            digest.update(str(path.stat().st_size).encode())
    except OSError:
        pass  # unreadable: opening it reports the error
    return digest.hexdigest()


def source_of(sidecar: Sidecar) -> Source:
    """The ``source`` that payloads state for the samples of a recording."""
    return Source.SIMULATED if sidecar.recording.source == "simulated" else Source.RECORDED
