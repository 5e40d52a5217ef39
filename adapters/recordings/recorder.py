"""Record a session to disk while it streams, in the form that ``session_folder.py`` reads.

Every item is on disk after one second at the latest, so a crash loses no more. The open part is an Arrow stream. After
``segment_s`` of samples, or when rate or channels change, the recorder writes that part as Parquet and renames it; no
finished file is ever rewritten.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.decoding.columns import EXACT
from adapters.formats import MANIFEST
from adapters.formats.parquet_table import KEY, FileNotes
from adapters.formats.session_folder import EVENTS, REPORT, SIDECAR, Manifest
from adapters.formats.session_parts import ORDER, RECEIVED, START
from adapters.recordings.canonical import Layout
from streamer.files.sidecar_files import as_toml
from streamer.model.chunk import Chunk
from streamer.model.context import Sidecar
from streamer.model.errors import OutputError
from streamer.model.records import Notice

FLUSH_S = 1.0
FLUSH_ROWS = 65_536


@contextlib.contextmanager
def _named(folder: Path) -> Iterator[None]:
    """What goes wrong while writing, as one line that names the folder."""
    try:
        yield
    except (OSError, pa.ArrowException, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise OutputError(f"{folder}: cannot be written: {what}") from None


class Recorder:
    """One session's folder.

    Args:
        folder: Made with its parents; must not exist.
        manifest: What the session is.
        sidecar: What is known of it.
        segment_s: Samples of so long make a file.
        now: Monotonic seconds.

    Raises:
        OutputError: From here and from every method: it cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        sidecar: Sidecar,
        *,
        segment_s: float = 600.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._sidecar, self._segment_s, self._now = sidecar, segment_s, now
        self._parts: dict[str, _Part] = {}
        self._numbers: dict[str, int] = {}
        self._order = 0
        self._flushed_s = now()
        with _named(folder):
            folder.mkdir(parents=True)
            (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest) + b"\n")
            self._events = (folder / EVENTS).open("ab", buffering=0)
        self.describe(sidecar)

    def describe(self, sidecar: Sidecar) -> None:
        """What is known by now: the sidecar is replaced at once."""
        self._sidecar = sidecar
        self._replace(SIDECAR, as_toml(sidecar))

    def retell(self, session_file: str) -> None:
        """What operators told by now, as a session file, which is replaced at once."""
        self._replace(REPORT, session_file)

    def _replace(self, name: str, text: str) -> None:
        """A small file, there as it was or as it is to be, never half, even if the power fails."""
        with _named(self.folder):
            draft = self.folder / f"{name}.part"
            with draft.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.folder / name)

    def write(self, item: Chunk | Notice) -> None:
        """Keep what came; it is in the files within a second."""
        with _named(self.folder):
            if isinstance(item, Notice):
                self._events.write(_line(self._order, item))
            elif len(item):
                self._keep(item)
            else:
                return
            self._order += 1
            if self._now() - self._flushed_s >= FLUSH_S:
                self.flush()

    def flush(self) -> None:
        """Hand everything to the operating system."""
        with _named(self.folder):
            self._flushed_s = self._now()
            for part in self._parts.values():
                part.flush()

    def close(self) -> None:
        """Close all files for good."""
        with _named(self.folder):
            for part in self._parts.values():
                part.seal(self._sidecar)
            self._parts.clear()
            self._events.close()

    def abandon(self) -> None:
        """Let go of the files as they are, after an error."""
        for file in (self._events, *(part.file for part in self._parts.values())):
            with contextlib.suppress(OSError):
                file.close()
        self._parts.clear()

    def _keep(self, chunk: Chunk) -> None:
        part = self._parts.get(chunk.source)
        if part is not None and not part.fits(chunk, self._segment_s):
            part.seal(self._sidecar)
            part = None
        if part is None:
            name = re.sub(r"[^A-Za-z0-9_.]+", "_", chunk.source) or "source"
            number = self._numbers[name] = self._numbers.get(name, -1) + 1
            part = self._parts[chunk.source] = _Part(self.folder / f"{name}-{number:04d}.arrows", chunk)
        part.add(chunk, self._order)


class _Part:
    """One file while it is open."""

    def __init__(self, path: Path, chunk: Chunk) -> None:
        self._path = path
        self._layout = Layout(chunk)
        metadata = {"source": chunk.source, "rate_hz": repr(chunk.rate_hz)}
        columns = [(EXACT[channel], pa.float64()) for channel in self._layout.channels]
        own = [(ORDER, pa.int64()), (START, pa.float64()), (RECEIVED, pa.int64())]
        self._schema = pa.schema([*columns, *own], metadata=metadata)
        self._chunks: list[tuple[Chunk, int]] = []
        self._waiting = 0
        self.file = path.open("xb")
        self._stream = pa.ipc.new_stream(self.file, self._schema)

    def fits(self, chunk: Chunk, segment_s: float) -> bool:
        """Whether it may hold the chunk too."""
        same = set(chunk.channels) == set(self._layout.channels) and chunk.rate_hz == self._layout.rate_hz
        return same and self._layout.rows < segment_s * self._layout.rate_hz

    def add(self, chunk: Chunk, order: int) -> None:
        self._layout.place(chunk)
        self._chunks.append((chunk, order))
        self._waiting += len(chunk)
        if self._waiting >= FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        if not self._chunks:
            return
        chunks, self._chunks, self._waiting = self._chunks, [], 0
        lengths = [len(chunk) for chunk, _ in chunks]
        arrays = [
            pa.array(np.concatenate([chunk.channels[channel] for chunk, _ in chunks]))
            for channel in self._layout.channels
        ]
        arrays.append(_each([order for _, order in chunks], lengths, pa.int64()))
        arrays.append(_each([chunk.start_s for chunk, _ in chunks], lengths, pa.float64()))
        arrays.append(_each([chunk.received_ns for chunk, _ in chunks], lengths, pa.int64()))
        self._stream.write_batch(pa.record_batch(arrays, schema=self._schema))
        self.file.flush()

    def seal(self, sidecar: Sidecar) -> None:
        """From the open stream to a closed Parquet file, which takes its place."""
        self.flush()
        self._stream.close()
        self.file.close()
        known = msgspec.structs.replace(sidecar.recording, rate_hz=self._layout.rate_hz)
        notes = FileNotes(
            rate_hz=self._layout.rate_hz,
            segments=tuple(self._layout.segments),
            sidecar=msgspec.structs.replace(sidecar, recording=known),
        )
        draft = self._path.with_name(f"{self._path.stem}.part")
        with pa.ipc.open_stream(self._path) as stream:
            table = stream.read_all().combine_chunks()
        metadata = {**(table.schema.metadata or {}), KEY: msgspec.json.encode(notes)}
        with draft.open("wb") as file:
            pq.write_table(table.replace_schema_metadata(metadata), file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path.with_name(f"{self._path.stem}.parquet"))
        self._path.unlink()


def _each(values: Sequence[float | None], lengths: Sequence[int], kind: Any) -> Any:
    """Each value as often as its chunk is long."""
    return pa.array(values, kind).take(pa.array(np.repeat(np.arange(len(values)), lengths)))


def _line(order: int, notice: Notice) -> bytes:
    row = {
        "order": order,
        "at_s": notice.at_s,
        "kind": notice.kind,
        "detail": notice.detail,
        "values": dict(notice.values),
    }
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"
