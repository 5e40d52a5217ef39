"""NumPy archives (``.npz``): arrays known by name and unit or by the sidecar (``named_arrays.py``); never pickled."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from adapters.decoding.contract import ReadOptions
from adapters.decoding.inflate import MAX_RATIO, RATIO_FROM
from adapters.decoding.named_arrays import MAX_ARRAYS, Array, chunks, conditions, is_rate, spread
from streamer.model.chunk import Chunk
from streamer.model.context import Sidecar
from streamer.model.errors import DecodeError
from streamer.model.records import Notice

MAGIC = b"PK\x03\x04"
MAX_BYTES = 2**32
"""Of all arrays together; each is unpacked as a whole."""


def recognise(head: bytes, name: str) -> bool:
    """Whether it is a ZIP archive whose first file is an array."""
    del name
    return head.startswith(MAGIC) and head[30 : 30 + int.from_bytes(head[26:28], "little")].endswith(b".npy")


def notes(path: Path, options: ReadOptions) -> Sidecar:
    """What names say of the gas."""
    try:
        return conditions(_arrays(path), options)
    except DecodeError:  # told when its samples are read
        return Sidecar()


def read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]:
    """The samples of the arrays that are used. Raises ``DecodeError`` or ``ConfigError`` without the file's name."""
    yield from chunks("npz", _arrays(path), options)


def _arrays(path: Path) -> list[Array]:
    """All arrays of numbers. Raises ``DecodeError``."""
    found: list[Array] = []
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive, path.stat().st_size)
            for entry in archive.infolist():
                if not entry.filename.endswith(".npy"):
                    continue
                with archive.open(entry) as file:
                    whole = np.lib.format.read_array(file, allow_pickle=False)
                found += _spread(entry.filename[:-4], whole)
    except DecodeError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever damage makes the libraries raise)
        raise DecodeError(f"not readable as a NumPy archive: {ascii(str(error))[1:-1][:120]}") from None
    return found


def _spread(name: str, whole: Any) -> list[Array]:
    if whole.dtype.names:
        return [part for field in whole.dtype.names for part in _spread(f"{name}/{field}", whole[field])]
    if whole.dtype.kind not in "fiu" or (whole.ndim == 0 and not is_rate(name, 1)):
        return []
    return table_of(name, whole)


def table_of(name: str, whole: Any, unit: str = "") -> list[Array]:
    """The signals of an array in memory."""
    plain = np.squeeze(whole)
    plain = plain.reshape(-1, 1) if plain.ndim < 2 else plain  # noqa: PLR2004 (a table)
    rows = plain.T if plain.ndim == 2 and plain.shape[0] < plain.shape[1] else plain  # noqa: PLR2004
    return spread(name, whole.shape, lambda at, first, n: rows[first : first + n, at], unit)


def _check(archive: zipfile.ZipFile, packed: int) -> None:
    """Raises ``DecodeError`` for what unpacks to more than any recording."""
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if size > MAX_BYTES or size > max(RATIO_FROM, MAX_RATIO * packed) or len(entries) > MAX_ARRAYS:
        raise DecodeError(f"{len(entries)} arrays that unpack to {size} bytes: this is no recording")
