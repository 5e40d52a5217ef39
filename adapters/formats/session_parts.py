"""The files that hold the samples of one source of a recorded session, read back into chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from adapters.decoding.columns import ARRIVAL, EXACT
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Chunk

ORDER, START, RECEIVED = ARRIVAL
CHANNELS = {column: channel for channel, column in EXACT.items()}
SAME_S = 1e-6
MAX_ROWS = 1_000_000
"""Held for one chunk; no source sends so many at once."""


def chunks(part: Path, *, joined: bool) -> Iterator[tuple[int, Chunk]]:
    """The chunks of one file. ``joined``: those that follow one another at once as one; the core cannot tell."""
    open_batches = _closed if part.suffix == ".parquet" else _open
    held: _Rows | None = None
    for batch, source, rate_hz in open_batches(part):
        rows = _Rows(source, rate_hz, _columns(batch))
        held = rows if held is None else held.joined(rows)
        edges = held.edges(joined=joined)
        if held.size - edges[-1] > MAX_ROWS:
            edges.append(held.edges(joined=False)[-1])
            if edges[-1] == edges[-2]:
                raise ValueError(f"a chunk of more than {MAX_ROWS} samples")
        yield from map(held.chunk, edges, edges[1:])
        held = held.since(edges[-1])
    if held is not None and held.size:
        yield held.chunk(0, held.size)


def _columns(batch: Any) -> dict[str, NDArray[Any]]:
    """Arrays by name; no time of arrival is -1, so that the others stay whole numbers."""
    return {
        name: np.array(column.fill_null(-1) if name == RECEIVED else column)
        for name, column in zip(batch.schema.names, batch, strict=True)
    }


@dataclass(frozen=True, slots=True)
class _Rows:
    """Consecutive rows of a part, as arrays by column."""

    source: str
    rate_hz: float
    columns: dict[str, NDArray[Any]]

    @property
    def size(self) -> int:
        return int(self.columns[ORDER].size)

    def joined(self, after: _Rows) -> _Rows:
        both = {name: np.concatenate([own, after.columns[name]]) for name, own in self.columns.items()}
        return _Rows(self.source, self.rate_hz, both)

    def since(self, first: int) -> _Rows:
        return _Rows(self.source, self.rate_hz, {name: own[first:] for name, own in self.columns.items()})

    def edges(self, *, joined: bool) -> list[int]:
        """Rows where a chunk begins."""
        order, start_s = self.columns[ORDER], self.columns[START]
        begins = np.flatnonzero(np.diff(order)) + 1
        if joined and begins.size:
            firsts = np.concatenate([[0], begins])
            expected_s = start_s[firsts[:-1]] + np.diff(firsts) / self.rate_hz
            breaks = (np.abs(start_s[begins] - expected_s) > SAME_S) | (np.diff(order[firsts]) > 1)
            begins = begins[breaks]
        return [0, *begins.tolist()]

    def chunk(self, first: int, last: int) -> tuple[int, Chunk]:
        received = self.columns[RECEIVED][last - 1]
        chunk = Chunk(
            source=self.source,
            start_s=float(self.columns[START][first]),
            rate_hz=self.rate_hz,
            channels={CHANNELS[name]: own[first:last] for name, own in self.columns.items() if name in CHANNELS},
            received_ns=None if received < 0 else int(received),
        )
        return int(self.columns[ORDER][first]), chunk


def _closed(part: Path) -> Iterator[tuple[Any, str, float]]:
    with pq.ParquetFile(part) as file:
        source, rate_hz = _stream(file.schema_arrow)
        for batch in file.iter_batches():
            yield batch, source, rate_hz


def _open(part: Path) -> Iterator[tuple[Any, str, float]]:
    # Mapped, so that a length that damage makes up is beyond the end of the file, and not memory to be had.
    with pa.memory_map(str(part)) as file, pa.ipc.open_stream(file) as reader:
        source, rate_hz = _stream(reader.schema)
        for batch in reader:
            batch.validate(full=True)
            yield batch, source, rate_hz


def _stream(schema: Any) -> tuple[str, float]:
    """Source and rate of a part, all of whose columns are of the right kind. Raises ``KeyError``, ``ValueError``."""
    for field in schema:
        kind = pa.int64() if field.name in {ORDER, RECEIVED} else pa.float64()
        if field.type != kind:
            raise ValueError(f"column {field.name[:40]!a} holds {str(field.type)[:40]}, not {kind}")
    known = schema.metadata or {}
    rate_hz = float(known[b"rate_hz"])
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise ValueError(f"a rate of {rate_hz:g} Hz")
    return known[b"source"].decode(), rate_hz
