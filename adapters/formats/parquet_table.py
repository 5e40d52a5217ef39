"""Canonical Parquet: the columns of contract.md §2 as floating-point numbers, read a batch of rows at a time.

Time is a ``time_s`` column or, as ``canonical.py`` writes it, the file metadata ``ventstream``: JSON with ``rate_hz``,
``segments`` ``[[start_s, first_row], …]`` (or ``t0`` for a single one) and the sidecar's content as ``sidecar``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Meta

from adapters.decoding.columns import Columns, columns, with_conditions
from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.table_blocks import REMEDY, by_stamps
from adapters.decoding.text_rows import printable
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Chunk, FloatArray
from streamer.model.context import Sidecar
from streamer.model.errors import DecodeError
from streamer.model.records import Notice

BATCH_ROWS = 65_536
MAX_ROWS = 10**10
"""Three years at 100 Hz; a few bytes of metadata can claim, and even hold, any number of equal rows."""
MAX_PIECE, MAX_PACKED = 1 << 28, 100
"""Bytes of a group of rows, which may be unpacked at once; more are none where a file is packed so many times."""
KEY = b"ventstream"
MALFORMED = (pa.ArrowException, OSError, UnicodeDecodeError)
"""What pyarrow raises for a file that is not what it should be."""


class FileNotes(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata ``ventstream`` of a canonical Parquet file; keys of later versions are passed over."""

    rate_hz: Annotated[float, Meta(ge=MIN_RATE_HZ, le=MAX_RATE_HZ)] | None = None
    t0: float = 0.0
    segments: tuple[tuple[float, Annotated[int, Meta(ge=0)]], ...] = ()
    sidecar: Sidecar = Sidecar()


def recognise(head: bytes, name: str) -> bool:
    """Whether it begins as Parquet does."""
    del name
    return head.startswith(b"PAR1")


def notes(path: Path, options: ReadOptions) -> Sidecar:
    """What the metadata of a file says, and its names of the gas. Raises ``DecodeError`` without the file's name."""
    with _opened(path) as file:
        return with_conditions(_notes(file).sidecar, [*file.schema_arrow.names, *options.columns.values()])


def read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]:
    """The file's chunks, batch by batch. Raises ``DecodeError`` without the file's name."""
    with _opened(path) as file:
        _check_size(file.metadata, path.stat().st_size)
        schema = file.schema_arrow
        table = columns(schema.names, options.columns, options.barometric_mmhg)
        options.units.update(table.names)
        for field in map(schema.field, sorted(table.used)):
            if not (pa.types.is_floating(field.type) or pa.types.is_integer(field.type)):
                raise DecodeError(f"column {field.name!r} holds {field.type}, not numbers")
        samples = Samples("parquet", options.rate_hz or 1.0, table.channels)
        samples.told(table.notes)
        batches = _batches(file, table)
        if table.time is None:
            yield from _by_segments(samples, batches, _notes(file), options)
        else:
            yield from by_stamps(samples, batches, table, options)


def _opened(path: Path) -> Any:
    try:
        file = pq.ParquetFile(path)
        file.schema_arrow.names  # noqa: B018 (reads what may not be UTF-8)
    except MALFORMED as error:
        raise DecodeError(f"not readable as Parquet: {first_line(error)}") from None
    return file


def _check_size(known: Any, packed: int) -> None:
    """Raises ``DecodeError`` for a file that unpacks to more than any recording."""
    if known.num_rows > MAX_ROWS:
        raise DecodeError(f"it claims {known.num_rows} rows, {MAX_ROWS} can be read; is it damaged? Write it again")
    for at in range(known.num_row_groups):  # not column by column: pyarrow ends the process where one is malformed
        unpacked = known.row_group(at).total_byte_size
        if unpacked > max(MAX_PIECE, MAX_PACKED * packed):
            what = f"{packed} bytes that unpack to {unpacked} and more"
            raise DecodeError(f"it holds {what}: these are no samples")


def _notes(file: Any) -> FileNotes:
    text = (file.metadata.metadata or {}).get(KEY, b"{}")
    try:
        found = msgspec.json.decode(text, type=FileNotes)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"its metadata 'ventstream' cannot be used: {first_line(error)}") from None
    firsts = [row for _, row in found.segments]
    if firsts and (firsts[0] != 0 or sorted(set(firsts)) != firsts):
        raise DecodeError("its metadata 'ventstream' cannot be used: segments must begin at row 0 and rise")
    return found


def _batches(file: Any, table: Columns) -> Iterator[FloatArray]:
    """Rows ``(n, columns)``; null is NaN, and so is every column that is not used."""
    reader = file.iter_batches(batch_size=BATCH_ROWS)
    while True:
        try:
            batch = next(reader, None)
        except MALFORMED as error:
            raise DecodeError(f"damaged Parquet: {first_line(error)}") from None
        if batch is None:
            return
        values = np.full((batch.num_rows, batch.num_columns), np.nan)
        for at in table.used:
            values[:, at] = batch.column(at).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        values[~np.isfinite(values)] = np.nan  # also NaN of a kind that would warn at every use
        yield values


def _by_segments(
    samples: Samples, batches: Iterator[FloatArray], known: FileNotes, options: ReadOptions
) -> Iterator[Chunk | Notice]:
    """The row count is the clock; it starts at 0 in every segment."""
    if options.rate_hz and known.rate_hz and options.rate_hz != known.rate_hz:
        given = f"the rate is given as {options.rate_hz:g} Hz (option, context or sidecar)"
        raise DecodeError(f"{given}, but the file says {known.rate_hz:g} Hz; mend one")
    rate_hz = options.rate_hz or known.rate_hz
    if rate_hz is None:
        raise DecodeError(f"no time_s column and no rate; {REMEDY}")
    samples.rate_hz = rate_hz
    segments = list(known.segments or [(known.t0, 0)])
    done = 0
    for values in batches:
        first, last = done, done + len(values)
        while segments and segments[0][1] < last:
            start_s, row = segments.pop(0)
            samples.rows(values[first - done : row - done])
            samples.restart(start_s)
            first = row
        samples.rows(values[first - done :])
        done = last
        yield from samples.take()
    yield from samples.close()


def first_line(error: Exception) -> str:
    """What a library says went wrong; it shows bytes of the file as they are."""
    return printable(str(error).partition("\n")[0][:200])
