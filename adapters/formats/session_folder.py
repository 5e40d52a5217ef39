"""Recorded sessions: what ``ventstream run`` writes down while it streams, and how it is read back (contract.md §2).

A session is a folder:

```
session.json             what streams it has: {"ventstream_session": 1, "sources": [...], …}
session.toml             its sidecar: context, events, blood gases, start
SOURCE-0000.parquet      canonical Parquet: the source's samples, a row each, closed by rename
SOURCE-0001.arrows       the part that was open: an Arrow stream, whole up to the last second when the program died
events.jsonl             what sources and operator told, a line each
report.toml              the operator's events and blood gases as a session file, for ``ventstream report``
```

Beside its waveforms each row has ``order`` (its chunk's place among all that came), ``chunk_start_s`` (device clock of
the chunk's first sample) and ``received_ns`` (UTC of arrival). So each Parquet file can be read alone, and all of them
together give the chunks and notices as they came, to the bit: the same events as were published.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pyarrow as pa

from adapters.decoding.contract import ReadOptions
from adapters.decoding.text_rows import printable
from adapters.formats import MANIFEST
from adapters.formats.parquet_table import first_line
from adapters.formats.session_parts import chunks
from streamer.files.sidecar import read_sidecar
from streamer.model.chunk import Chunk
from streamer.model.clocks import OneClock
from streamer.model.context import Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice, NoticeKind

KEEPS_ORDER = True
"""What came first is given first: the same events depend on it."""
SIDECAR, EVENTS, REPORT = "session.toml", "events.jsonl", "report.toml"
PARTS = {".parquet", ".arrows"}
MAGIC = b'{"ventstream_session":'
MAX_MANIFEST = 65_536
MAX_DETAIL = 500

Placed: TypeAlias = tuple[int, Chunk | Notice]
"""An item with its place among all."""


class SourceNote(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of a session; ``clock_offset_s`` as it was declared, null where arrivals decide."""

    label: str
    adapter: str = ""
    clock_offset_s: float | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``session.json``; keys of later versions are passed over."""

    version: int = msgspec.field(default=1, name="ventstream_session")
    bed: str = ""
    session: str = ""
    sources: tuple[SourceNote, ...] = ()


def recognise(head: bytes, name: str) -> bool:
    """Whether it is the manifest of a session."""
    del name
    return head.startswith(MAGIC)


def notes(path: Path, options: ReadOptions) -> Sidecar:
    """The session's own sidecar. Raises ``DecodeError``."""
    del options
    beside = _folder(path) / SIDECAR
    try:
        return read_sidecar(beside) if beside.is_file() else Sidecar()
    except ConfigError as error:
        raise DecodeError(str(error)) from None


def read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]:
    """What came, in the order in which it came, on the clock of the first source. Raises ``DecodeError``."""
    del options
    folder = _folder(path)
    manifest = _manifest(folder)
    sources = _stems(folder)
    streams = [_samples(stems, joined=len(sources) == 1) for _, stems in sorted(sources.items())]
    items = (item for _, item in heapq.merge(*streams, _told(folder), key=lambda placed: placed[0]))
    is_empty = True
    for item in _on_one_clock(items, manifest.sources):
        is_empty = is_empty and isinstance(item, Notice)
        yield item
    if is_empty:
        raise DecodeError("this session holds no samples")


def _on_one_clock(items: Iterator[Chunk | Notice], sources: tuple[SourceNote, ...]) -> Iterator[Chunk | Notice]:
    if len(sources) <= 1:
        yield from items
        return
    declared = {one.label: one.clock_offset_s for one in sources[1:] if one.clock_offset_s is not None}
    clock = OneClock(declared, first=sources[0].label)
    for item in items:
        yield from clock.push(item)
    yield from clock.close()


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _manifest(folder: Path) -> Manifest:
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes()[:MAX_MANIFEST], type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"{MANIFEST} cannot be used: {first_line(error)}") from None


def _stems(folder: Path) -> dict[str, list[Path]]:
    """Source → its files in order, without their suffixes."""
    found: dict[str, set[Path]] = {}
    for part in folder.iterdir():
        if part.suffix in PARTS and part.stem.rpartition("-")[2].isdigit():  # not a table that a user put beside
            found.setdefault(part.stem.rpartition("-")[0], set()).add(part.with_name(part.stem))
    return {source: sorted(stems) for source, stems in found.items()}


def _samples(stems: list[Path], *, joined: bool) -> Iterator[Placed]:
    """The chunks of one source, file by file; a closed file wins over the open one that it was made from."""
    last, end_s = -1, 0.0
    for stem in stems:
        closed = stem.with_name(f"{stem.name}.parquet")
        part = closed if closed.exists() else stem.with_name(f"{stem.name}.arrows")
        try:
            for order, chunk in chunks(part, joined=joined):
                last, end_s = order, chunk.start_s + len(chunk) / chunk.rate_hz
                yield order, chunk
        except (pa.ArrowException, OSError, DecodeError, KeyError, ValueError) as error:
            if part.suffix == ".arrows":
                continue  # the program died while it wrote: what was whole has been given
            what = f"{part.name} cannot be read and is left out: {first_line(error)}"
            yield last, Notice(bed="", at_s=end_s, kind=NoticeKind.DAMAGED, detail=what)


def _told(folder: Path) -> Iterator[Placed]:
    """Notices, a line each; a line that was cut short when the program died is the last."""
    path = folder / EVENTS
    if not path.is_file():
        return
    with path.open("rb") as lines:
        for line in iter(lambda: lines.readline(MAX_MANIFEST), b""):
            try:
                found = json.loads(line)
                yield (
                    int(found["order"]),
                    Notice(
                        bed="",
                        at_s=_finite(found["at_s"]),
                        kind=NoticeKind(found["kind"]),
                        detail=printable(str(found["detail"]))[:MAX_DETAIL],
                        values={key: value for key, value in found["values"].items() if isinstance(value, float | str)},
                    ),
                )
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
                continue


def _finite(value: Any) -> float:
    """A time. Raises ``ValueError``."""
    if not math.isfinite(time_s := float(value)):
        raise ValueError(f"{time_s} is no time")
    return time_s
