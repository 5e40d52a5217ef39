"""MATLAB files of version 5 to 7.2, read by ``scipy.io``: arrays by name, also those in structs (``_arrays.py``).

Known by name and unit, or by the sidecar. Two layouts say all themselves: LabChart's export (``data``, ``datastart``,
``titles``) and AcqKnowledge's (``data``, ``labels``, ``isi``). Files of version 7.3 are HDF5, see ``hdf5.py``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np

from adapters._arrays import MAX_ARRAYS, Array, chunks, conditions
from adapters._matlab_exports import exported
from adapters.formats import ReadOptions
from adapters.npz import table_of
from streamer.chunk import Chunk
from streamer.context import Sidecar
from streamer.errors import DecodeError
from streamer.records import Notice, NoticeKind

MAGIC = b"MATLAB 5.0 MAT-file"
MAX_BYTES, MAX_FILE, MAX_DEPTH = 2**31, 2**31, 4
"""Of what is loaded; of a file; structs in structs."""
_LOADED = frozenset({
    "double", "single", "struct", "char", "cell",
    "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
})  # fmt: skip
_HEADER, _TAG, _VARIABLES = 128, 8, frozenset({14, 15})
"""Bytes before the first variable and before each; kinds of elements that are one."""
_LEAST = 8
"""A shorter array is no waveform."""


def recognise(head: bytes, name: str) -> bool:
    """Whether it begins as MATLAB writes."""
    del name
    return head.startswith(MAGIC)


def notes(path: Path, options: ReadOptions) -> Sidecar:
    """What names and units say of the gas."""
    try:
        return conditions(_arrays(path), options)
    except DecodeError:  # told when its samples are read
        return Sidecar()


def read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]:
    """The samples of the arrays that are used. Raises ``DecodeError`` or ``ConfigError`` without the file's name."""
    yield from chunks("matlab", _arrays(path), options)
    end, size = _whole(path), path.stat().st_size
    if end < size:
        what = f"{size - end} bytes from byte {end} on are no variable, and are not read: is the file cut short?"
        yield Notice(bed="", at_s=0.0, kind=NoticeKind.DAMAGED, detail=what)


def _arrays(path: Path) -> list[Array]:
    """All arrays of numbers that may be waveforms. Raises ``DecodeError``."""
    variables = _loaded(path)
    return exported(variables) or [part for name, value in variables.items() for part in _spread(name, value, 0)]


def _loaded(path: Path) -> dict[str, Any]:
    """The variables of a file. Raises ``DecodeError`` for whatever scipy raises, and it raises anything."""
    from scipy import io  # noqa: PLC0415 (slow to import, and only here)

    size = path.stat().st_size
    if size > MAX_FILE:
        raise DecodeError(f"a MATLAB file of {size >> 20} MiB is more than is read at once; save it with -v7.3")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            end = _whole(path)
            there = path if end == size else BytesIO(path.read_bytes()[:end])
            names = _wanted(io.whosmat(there))
            found: dict[str, Any] = io.loadmat(there, variable_names=names, verify_compressed_data_integrity=True)
    except DecodeError:
        raise
    except Exception as error:  # noqa: BLE001 (see above)
        raise DecodeError(f"not readable as MATLAB: {ascii(str(error))[1:-1][:120] or type(error).__name__}") from None
    return {name: value for name, value in found.items() if not name.startswith("__")}


def _whole(path: Path) -> int:
    """Bytes up to the end of the last variable that is whole."""
    with path.open("rb") as file:
        head = file.read(_HEADER)
        order: Literal["big", "little"] = "big" if head[126:128] == b"MI" else "little"
        at, size = len(head), path.stat().st_size
        for _ in range(MAX_ARRAYS):
            tag = file.read(_TAG)
            kind, length = (int.from_bytes(part, order) for part in (tag[:4], tag[4:]))
            if len(tag) < _TAG or kind not in _VARIABLES or at + _TAG + length > size:
                break
            at += _TAG + length
            file.seek(at)
    return at


def _wanted(known: Sequence[tuple[str, tuple[int, ...], str]]) -> list[str]:
    """Variables that are loaded, of those with a shape and a kind each. Raises ``DecodeError`` for too many."""
    sizes = {name: 8.0 * math.prod(map(float, shape)) for name, shape, kind in known if kind in _LOADED}
    if sum(sizes.values()) > MAX_BYTES or len(known) > MAX_ARRAYS:
        raise DecodeError(f"{len(known)} variables of {sum(sizes.values()):.3g} bytes: more than is read at once")
    return list(sizes)


def _spread(name: str, value: Any, depth: int) -> list[Array]:
    """Arrays of numbers in a variable, and in the structs in it."""
    if not isinstance(value, np.ndarray) or depth > MAX_DEPTH:
        return []
    if value.dtype.names:
        inner: Mapping[str, Any] = {field: value[field].flat[0] for field in value.dtype.names if value.size == 1}
        unit = _text(inner.get("unit", inner.get("units")))
        found = [part for field, one in inner.items() for part in _spread(f"{name}/{field}", one, depth + 1)]
        return [Array(one.name, one.size, one.read, unit or one.unit, one.rate_hz) for one in found]
    if value.dtype.kind not in "fiu" or max(value.shape, default=0) < _LEAST:
        return []
    return table_of(name, value)


def _text(value: Any) -> str:
    """A text of MATLAB's, or empty."""
    return str(value.flat[0])[:64] if isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.size else ""
