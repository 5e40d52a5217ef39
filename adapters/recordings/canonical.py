"""Writes the canonical recordings that ``text_table.py`` and ``parquet_table.py`` read. Behind ``convert``.

Parquet keeps every bit: what was read from a device and what is read back from the file give equal events. CSV does
too with ``decimals=None``; with a number of decimals it is compact, and still loses nothing that a device wrote with
as many decimals in L/min, cmH2O and mmHg.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from adapters.decoding.columns import EXACT
from adapters.formats.parquet_table import KEY, FileNotes
from streamer.files.sidecar_files import as_toml, sidecar_path
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.context import Sidecar
from streamer.model.errors import ConfigError, OutputError, VentstreamError
from streamer.model.records import Notice
from streamer.model.units import S_PER_MIN

GROUP_ROWS = 65_536
PLAIN: dict[str, Any] = {
    "columns": None,
    "delimiter": None,
    "decimal": None,
    "header_line": None,
    "missing": (),
    "dates": None,
}
"""What a sidecar says of how another file is written."""
_STAMP_DECIMALS = 6


def write_recording(
    path: Path,
    items: Iterable[Chunk | Notice],
    sidecar: Sidecar,
    *,
    decimals: int | None = None,
    dtype: Literal["float64", "float32"] = "float64",
) -> int:
    """Write chunks as ``.parquet``, or as ``.csv`` with its sidecar ``.toml`` beside it; notices are passed over.

    The file is written beside its place and renamed when complete. Memory does not grow with its length.

    Args:
        path: Where; the suffix says which format.
        items: Chunks of one rate and the channels of the first; gaps between them are kept.
        sidecar: Its rate is replaced by that of the chunks.
        decimals: CSV only: round to so many, with flow in L/min; None keeps every bit, with flow in L/s.
        dtype: Parquet only: float32 halves the file and loses bits.

    Returns:
        How many samples were written.

    Raises:
        ConfigError: The suffix is neither ``.csv`` nor ``.parquet``, or the chunks come from two sources.
        OutputError: The file cannot be written, or the items change their rate or gain a channel, or are empty.
    """
    table: _Table
    if path.suffix.lower() == ".csv":
        table = _CsvTable(decimals)
    elif path.suffix.lower() == ".parquet":
        table = _ParquetTable(dtype)
    else:
        raise ConfigError(
            f"{path}: a recording is written as .parquet or .csv, not {path.suffix or 'without suffix'!r}"
        )
    with _drafts(path) as draft, draft(path).open("wb") as file, contextlib.closing(table):
        layout = _write_rows(path, items, table, file)
        known = msgspec.structs.replace(sidecar.recording, rate_hz=layout.rate_hz, **PLAIN)
        sidecar = msgspec.structs.replace(sidecar, recording=known)
        table.finish(FileNotes(rate_hz=layout.rate_hz, segments=tuple(layout.segments), sidecar=sidecar))
        file.flush()
        if isinstance(table, _CsvTable):
            beside = sidecar_path(path)
            draft(beside).write_text(as_toml(sidecar), encoding="utf-8")
    return layout.rows


class _Table(Protocol):
    def open(self, file: IO[bytes], channels: list[Channel]) -> None: ...
    def write(self, stamps: FloatArray, values: list[FloatArray]) -> None: ...
    def finish(self, notes: FileNotes) -> None: ...
    def close(self) -> None: ...


class Layout:
    """Where the samples so far lie in time.

    Attributes:
        source: Of the first chunk, and of all.
        rate_hz: Likewise.
        channels: Those of the first chunk.
        rows: Samples so far.
        segments: ``(start_s, first_row)`` of every contiguous stretch.
    """

    def __init__(self, chunk: Chunk) -> None:
        self.source = chunk.source
        self.rate_hz = chunk.rate_hz
        self.channels = sorted(chunk.channels, key=list(Channel).index)
        self.rows = 0
        self.segments: list[tuple[float, int]] = []

    def place(self, chunk: Chunk) -> FloatArray:
        """Times of the chunk's samples ``(n,)`` s, rounded but where a stretch begins: readers start a grid there."""
        start_s, first = self.segments[-1] if self.segments else (np.inf, 0)
        expected_s = start_s + (self.rows - first) / self.rate_hz
        begins = not abs(chunk.start_s - expected_s) <= 0.5 / self.rate_hz
        if begins:
            self.segments.append((chunk.start_s, self.rows))
        start_s, first = self.segments[-1]
        stamps = np.round(
            start_s + np.arange(self.rows - first, self.rows - first + len(chunk)) / self.rate_hz, _STAMP_DECIMALS
        )
        if begins:
            stamps[0] = chunk.start_s
        self.rows += len(chunk)
        return stamps


def _write_rows(path: Path, items: Iterable[Chunk | Notice], table: _Table, file: IO[bytes]) -> Layout:
    layout: Layout | None = None
    for chunk in items:
        if isinstance(chunk, Notice) or len(chunk) == 0:
            continue
        if layout is None:
            layout = Layout(chunk)
            table.open(file, layout.channels)
        if chunk.source != layout.source:
            what = f"a file holds one stream, these samples are two, of {layout.source!r} and of {chunk.source!r}"
            raise ConfigError(f"{path}: {what}; write a file for each")
        if chunk.rate_hz != layout.rate_hz:
            what = f"the rate changes from {layout.rate_hz:g} to {chunk.rate_hz:g} Hz at {chunk.start_s:.3f} s"
            raise OutputError(f"{path}: {what}; a canonical recording has one rate")
        if new := set(chunk.channels) - set(layout.channels):
            what = f"the channel {min(new)} begins at {chunk.start_s:.3f} s"
            raise OutputError(f"{path}: {what}; a canonical recording has the same channels throughout")
        none = np.full(len(chunk), np.nan)
        table.write(layout.place(chunk), [chunk.channels.get(channel, none) for channel in layout.channels])
    if layout is None:
        raise OutputError(f"{path}: there are no samples to write")
    return layout


class _CsvTable:
    def __init__(self, decimals: int | None) -> None:
        self._decimals = decimals
        self._flow: int | None = None

    def open(self, file: IO[bytes], channels: list[Channel]) -> None:
        names = ["time_s", *(EXACT[channel] for channel in channels)]
        if self._decimals is not None and Channel.FLOW in channels:
            self._flow = channels.index(Channel.FLOW)
            names[1 + self._flow] = "flow_l_min"
        file.write(",".join(names).encode() + b"\n")
        self._file = file
        self._schema = pa.schema([(name, pa.float64()) for name in names])

    def write(self, stamps: FloatArray, values: list[FloatArray]) -> None:
        if self._decimals is not None:
            scaled = [value * S_PER_MIN if at == self._flow else value for at, value in enumerate(values)]
            values = [np.round(value, self._decimals) for value in scaled]
        arrays = [pa.array(value, from_pandas=True) for value in (stamps, *values)]  # NaN becomes an empty field
        batch = pa.record_batch(arrays, schema=self._schema)
        pc.write_csv(batch, self._file, pc.WriteOptions(include_header=False, quoting_style="none"))

    def finish(self, notes: FileNotes) -> None:
        """Nothing more: what is known stands in the sidecar."""

    def close(self) -> None:
        """Nothing: the file is closed by who opened it."""


class _ParquetTable:
    def __init__(self, dtype: str) -> None:
        self._type = pa.float64() if dtype == "float64" else pa.float32()
        self._held: list[list[FloatArray]] = []
        self._rows = 0
        self._writer: Any = None

    def open(self, file: IO[bytes], channels: list[Channel]) -> None:
        self._schema = pa.schema([(EXACT[channel], self._type) for channel in channels])
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, stamps: FloatArray, values: list[FloatArray]) -> None:
        self._held.append(values)
        self._rows += len(stamps)
        if self._rows >= GROUP_ROWS:
            self._flush()

    def finish(self, notes: FileNotes) -> None:
        self._flush()
        self._writer.add_key_value_metadata({KEY: msgspec.json.encode(notes)})
        self._writer.close()

    def close(self) -> None:
        """Give up a file that was not finished: nothing is written when the writer is collected later."""
        if self._writer is not None and self._writer.is_open:
            with contextlib.suppress(OSError, pa.ArrowException):
                self._writer.close()
            self._writer.is_open = False

    def _flush(self) -> None:
        if not self._held:
            return
        arrays = [pa.array(np.concatenate(column), self._type) for column in zip(*self._held, strict=True)]
        self._writer.write_table(pa.table(arrays, schema=self._schema))
        self._held, self._rows = [], 0


@contextlib.contextmanager
def _drafts(path: Path) -> Iterator[Any]:
    """Files written under a name of their own and renamed together at the end, or removed when anything fails.

    Links are followed, and stay.
    """
    drafts: dict[Path, Path] = {}

    def draft(target: Path) -> Path:
        target = Path(os.path.realpath(target))
        drafts[target] = target.with_name(f".{target.name}.{os.getpid()}.part")
        return drafts[target]

    try:
        if not path.parent.is_dir():
            raise OutputError(f"{path}: the folder {path.parent} does not exist; create it first")
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; name a file in it")
        if path.exists() and not path.is_file():
            raise OutputError(f"{path}: is a device or a pipe; name a file")
        yield draft
        for target, written in drafts.items():
            written.replace(target)
    except VentstreamError:
        raise
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise OutputError(f"{path}: cannot be written: {reason}") from None
    finally:
        for written in drafts.values():
            with contextlib.suppress(OSError):
                written.unlink(missing_ok=True)
