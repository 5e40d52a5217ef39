"""HDF5 files, MATLAB's of version 7.3 and NetCDF 4 among them: data sets by name (``named_arrays.py``), read in blocks.

Needs the extra ``ventstream[hdf5]``. A data set is known by its name and its attribute ``unit`` or ``units``, or by the
sidecar; ``rate_hz``, ``sampling_rate`` or ``fs`` of it, of its group or of the file is its rate. No link leads out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from adapters.decoding.contract import ReadOptions
from adapters.decoding.named_arrays import LEAST, MAX_ARRAYS, RATES, Array, chunks, conditions, is_rate, spread
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Chunk
from streamer.model.context import Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice

MAX_OBJECTS, MAX_DEPTH = 4000, 50
"""Of a file; those of MATLAB's own (#refs#) do not count."""
MAGIC = b"\x89HDF\r\n\x1a\n"
_PLACES = (0, 512, 1024, 2048)
"""Where it may begin: MATLAB puts 512 bytes before it."""
MAX_PIECE, MAX_SIZE = 2**28, 2**40
"""Bytes of a chunk, which is unpacked at once, and of a data set."""
_UNITS = ("unit", "units", "Unit", "Units", "UNITS")
_RATES = (*RATES, "Fs", "rate", "frequency")


def recognise(head: bytes, name: str) -> bool:
    """Whether it begins as HDF5 does."""
    del name
    return any(head.startswith(MAGIC, at) for at in _PLACES)


def notes(path: Path, options: ReadOptions) -> Sidecar:
    """What names and units say of the gas."""
    try:
        with _opened(path) as arrays:
            return conditions(arrays, options)
    except (DecodeError, ConfigError):  # told when its samples are read
        return Sidecar()


def read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]:
    """The samples of the arrays that are used. Raises ``DecodeError`` or ``ConfigError`` without the file's name."""
    with _opened(path) as arrays:
        yield from chunks("hdf5", arrays, options)


@contextmanager
def _opened(path: Path) -> Iterator[list[Array]]:
    """All data sets of numbers. Raises ``DecodeError`` for whatever the library raises, and it raises anything."""
    try:
        import h5py  # noqa: PLC0415 (an extra)
    except ImportError:
        raise ConfigError("an HDF5 file needs ventstream[hdf5]: pip install 'ventstream[hdf5]'") from None
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield _arrays(h5py, file)
    except (DecodeError, ConfigError, GeneratorExit):
        raise
    except Exception as error:  # noqa: BLE001 (see above)
        said = ascii(str(error).partition("\n")[0])[1:-1][:120]
        raise DecodeError(f"not readable as HDF5: {said or type(error).__name__}") from None


def _arrays(library: Any, file: Any) -> list[Array]:
    names: list[str] = []

    def visit(name: str) -> bool | None:
        """Names alone: to open an object costs a hundred times as much. True ends the walk."""
        if not name.startswith("#"):
            names.append(name)
        return True if len(names) > MAX_OBJECTS or name.count("/") > MAX_DEPTH else None

    if file.visit(visit):
        what = f"it has more than {MAX_OBJECTS} objects, or groups deeper than {MAX_DEPTH}"
        raise DecodeError(f"{what}: copy the arrays of one recording into a file of their own")
    found: list[Array] = []
    for name in names:
        item = file[name] if len(found) < MAX_ARRAYS else None
        if isinstance(item, library.Dataset):
            found.extend(_spread(name, item))
    return found


def _spread(name: str, data: Any) -> list[Array]:
    """The signals of a data set; none of one whose samples stand in another file, or that is no table of numbers."""
    least = 1 if is_rate(name, data.size or 0) else LEAST
    if data.is_virtual or data.external or data.shape is None or max(data.shape, default=1) < least:
        return []
    piece = math.prod(data.chunks or (1,)) * data.dtype.itemsize
    if piece > MAX_PIECE or data.size * data.dtype.itemsize > MAX_SIZE:
        return []
    if data.shape == ():
        return [Array(name, 1, lambda first, n: np.atleast_1d(data[()])[first : first + n])]
    unit, rate_hz = _text(data.attrs, _UNITS), _rate_hz(data)
    if data.dtype.names and len(data.shape) == 1:
        fields = [
            field for field in data.dtype.names if data.dtype[field].kind in "fiu" and not data.dtype[field].shape
        ]
        return [
            part for field in fields for part in spread(f"{name}/{field}", data.shape, _field(data, field), "", rate_hz)
        ]
    is_text = _text(data.attrs, ("MATLAB_class",)) in {"char", "cell", "logical"}
    if data.dtype.kind not in "fiu" or is_text:
        return []
    return spread(name, data.shape, _column(data), unit, rate_hz)


def _field(data: Any, field: str) -> Any:
    def read(at: int, first: int, n: int) -> Any:
        del at
        return data.fields(field)[first : first + n]

    return read


def _column(data: Any) -> Any:
    """Column, first sample, number → numbers; time goes along the longest dimension, another is the column's."""
    axis = max(range(len(data.shape)), key=lambda place: data.shape[place])

    def read(at: int, first: int, n: int) -> Any:
        return data[
            tuple(slice(first, first + n) if place == axis else _other(data, place, at) for place in range(data.ndim))
        ]

    return read


def _other(data: Any, place: int, at: int) -> int:
    return at if data.shape[place] > 1 else 0


def _rate_hz(data: Any) -> float:
    for holder in (data, data.parent, data.file):
        for key in _RATES:
            try:
                rate_hz = float(holder.attrs[key])
            except (KeyError, TypeError, ValueError, OSError):
                continue
            if MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
                return rate_hz
    return 0.0


def _text(attributes: Any, keys: tuple[str, ...]) -> str:
    """The first of these attributes that is text, or empty."""
    for key in keys:
        try:
            value = attributes[key]
        except (KeyError, TypeError, ValueError, OSError):
            continue
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if isinstance(text, str):
            return text[:64]
    return ""
