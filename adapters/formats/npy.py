"""NumPy arrays saved as ``.npy``: a row is a sample, a column a signal; the sidecar names the columns.

One dimension is one column, two are rows and columns, a structured array has its fields as columns. Read in blocks
of rows, in C order or Fortran order, never through pickle: an array of objects is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np

from adapters.decoding.columns import CANONICAL, VOLUMES, Columns, columns
from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.table_blocks import by_count, by_stamps, measured
from streamer.files.sidecar_files import find_sidecar, sidecar_path
from streamer.model.chunk import Chunk, FloatArray
from streamer.model.errors import DecodeError
from streamer.model.records import Notice

MAGIC = b"\x93NUMPY"
BLOCK_BYTES = 2**20
MAX_BYTES = 2**40
"""A header that claims more is damaged, whatever the file holds."""
MAX_COLUMNS = 64
"""As many as a sidecar may name; a wider array has its signals in rows."""
_SAVE_AGAIN = "save it again as numbers: numpy.save(name, array)"
_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_FAULTS = (ValueError, TypeError, LookupError, SyntaxError, ArithmeticError, AttributeError, MemoryError)
"""What numpy raises for a header that is damaged, besides ``RecursionError`` and ``TokenError``."""


def recognise(head: bytes, name: str) -> bool:
    """Whether it begins as an array does."""
    del name
    return head.startswith(MAGIC)


def read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]:
    """The file's chunks, block by block. Raises ``DecodeError`` or ``ConfigError`` without the file's name."""
    with path.open("rb") as file:
        array = _header(file, path.stat().st_size)
        table = _table(array, path, options)
        samples = Samples("npy", options.rate_hz or 1.0, table.channels, counted="row")
        samples.told(table.notes)
        blocks = _blocks(file, array, sorted(table.used), samples)
        yield from by_count(samples, blocks) if table.time is None else by_stamps(samples, blocks, table, options)


@dataclass(frozen=True, slots=True)
class _Array:
    """What a header says. ``names`` of the columns; ``rows`` there are, of those it has ``claimed``."""

    dtype: Any
    names: Sequence[str]
    claimed: int
    rows: int
    fortran: bool
    offset: int

    @property
    def row_bytes(self) -> int:
        """Of a row."""
        return int(self.dtype.itemsize) * (1 if self.dtype.names else len(self.names))


def _header(file: BinaryIO, size: int) -> _Array:
    """Read the header. Raises ``DecodeError`` for one that is damaged or says what is no table of numbers."""
    shape, fortran, dtype = _told(file)
    _refuse(shape, dtype)
    names = dtype.names or [str(at) for at in range(shape[1] if len(shape) > 1 else 1)]
    found = _Array(dtype, names, shape[0], 0, bool(fortran) and len(names) > 1, file.tell())
    if shape[0] * found.row_bytes > MAX_BYTES:
        raise DecodeError(f"its header is damaged: it claims an array of shape {_shown(shape)}")
    rows = min(max(size - found.offset, 0) // found.row_bytes, shape[0])
    if rows < shape[0] and (found.fortran or not rows):
        raise DecodeError(f"the file is cut short: not enough is left of the {shape[0]} rows its header says")
    return replace(found, rows=rows)


def _told(file: BinaryIO) -> tuple[tuple[int, ...], bool, Any]:
    """Shape, order and type. Raises ``DecodeError``."""
    version = (0, 0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old Pythons' headers
            version = np.lib.format.read_magic(file)
            return _READERS[version](file)
    except (*_FAULTS, RecursionError, TokenError) as error:
        if version not in {(0, 0), *_READERS}:
            raise DecodeError(f"version {version[0]}.{version[1]} of the format is not read; {_SAVE_AGAIN}") from None
        raise DecodeError(f"its header is damaged: {ascii(str(error).partition(chr(10))[0])[1:-1][:120]}") from None


def _shown(shape: tuple[int, ...]) -> str:
    return ascii(shape)[:60]


def _refuse(shape: tuple[int, ...], dtype: Any) -> None:
    """Raise ``DecodeError`` for what is no table of numbers."""
    if len(shape) not in {1, 2} or (dtype.names and len(shape) > 1):
        raise DecodeError(
            f"an array of shape {_shown(shape)} is no table: it needs one row a sample, one column a signal"
        )
    if min(shape) < 1:
        raise DecodeError(f"the array is empty: its shape is {_shown(shape)}")
    if len(shape) > 1 and shape[1] > MAX_COLUMNS:
        turn = "save it transposed: numpy.save(name, numpy.load(name).T)"
        raise DecodeError(
            f"shape {_shown(shape)} means {shape[1]} signals of {shape[0]} samples, not one row a sample; {turn}"
        )
    if dtype.names is None and not _is_number(dtype):
        raise DecodeError(f"the array holds {ascii(str(dtype))[1:-1][:40]}, not numbers; {_SAVE_AGAIN}")
    if dtype.hasobject or dtype.itemsize < 1:
        raise DecodeError(f"the array holds objects, not numbers; {_SAVE_AGAIN}")


def _is_number(dtype: Any) -> bool:
    return dtype.kind in "fiu" and not dtype.shape


def _table(array: _Array, path: Path, options: ReadOptions) -> Columns:
    """What the columns are. Raises ``DecodeError`` that says what to write where."""
    if not options.columns and not (array.dtype.names and set(array.names) <= set(CANONICAL)):
        raise DecodeError(_untold(array, path, options))
    table = columns(array.names, options.columns, options.barometric_mmhg)
    options.units.update(table.names)
    for at in table.used:
        name = array.names[at]
        if array.dtype.names and not _is_number(array.dtype[name]):
            raise DecodeError(f"field {name!r} holds {ascii(str(array.dtype[name]))[1:-1][:40]}, not numbers")
    if table.time is None and options.rate_hz is None:
        where = (find_sidecar(path) or sidecar_path(path)).name
        raise DecodeError(
            f"nothing says its rate: write rate_hz = 100 under [recording] in {where}, or give --rate 100"
        )
    return table


def _untold(array: _Array, path: Path, options: ReadOptions) -> str:
    """Why it cannot be read yet, and the line that would mend it."""
    shape = f"{array.claimed} rows of {len(array.names)}" if len(array.names) > 1 else f"{array.claimed} numbers"
    first = array.names[0] if array.dtype.names else "0"
    keys = [] if options.rate_hz else ["rate_hz = HZ"]
    keys.append(f'columns = {{ "{first}" = "NAME" }}')
    beside = find_sidecar(path)
    if beside:
        write = f"write under [recording] in {beside.name}: {' and '.join(keys)}"
    else:
        write = f"write a file {sidecar_path(path).name} beside it with the line: recording = {{ {', '.join(keys)} }}"
    needs = "what it holds" if options.rate_hz else "how many samples a second it has or what they are"
    known = ", ".join(name for name in CANONICAL if name not in VOLUMES)
    hz = "" if options.rate_hz else "HZ is the number of samples per second, "
    which = f"of field {first!r}" if array.dtype.names else "of column 0, the first"
    return f"the array ({shape}) does not say {needs}; {write} - where {hz}NAME that {which}, one of {known}"


def _blocks(file: BinaryIO, array: _Array, used: Sequence[int], samples: Samples) -> Iterator[FloatArray]:
    """Rows ``(n, columns)``; what is no finite number, and every column that is not used, is NaN."""
    step = max(BLOCK_BYTES // array.row_bytes, 1)
    for first in range(0, array.rows, step):
        n = min(step, array.rows - first)
        values = np.full((n, len(array.names)), np.nan)
        for at, numbers in zip(used, _raw(file, array, first, n, used), strict=True):
            values[:, at] = measured(numbers)
        yield values
    if array.rows < array.claimed:
        samples.damaged(array.rows + 1, f"the file ends here, before row {array.claimed} of the header", slots=0)


def _raw(file: BinaryIO, array: _Array, first: int, n: int, used: Sequence[int]) -> Iterator[Any]:
    """The numbers ``(n,)`` of each used column from row ``first`` on, as they are stored."""
    item = array.dtype.itemsize
    if array.fortran:
        for at in used:
            yield np.frombuffer(_bytes(file, array.offset + (at * array.claimed + first) * item, n * item), array.dtype)
        return
    rows = np.frombuffer(_bytes(file, array.offset + first * array.row_bytes, n * array.row_bytes), array.dtype)
    for at in used:
        yield rows[array.names[at]] if array.dtype.names else rows[at :: len(array.names)]


def _bytes(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    found = file.read(size)
    if len(found) < size:
        raise DecodeError("the file became shorter while it was read")
    return found
