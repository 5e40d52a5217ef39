"""MATLAB files of version 5 to 7.2: arrays by name, also those in structs (``named_arrays.py``, ``mat5.py``).

Known by name and unit, or by the sidecar. Two layouts say all themselves: LabChart's export (``data``, ``datastart``,
``titles``) and AcqKnowledge's (``data``, ``labels``, ``isi``). Files of version 7.3 are HDF5, see ``hdf5.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adapters.decoding.contract import ReadOptions
from adapters.decoding.named_arrays import LEAST, Array, chunks, conditions, is_rate
from adapters.formats.mat5 import MAX_DEPTH, variables
from adapters.formats.matlab_exports import exported
from adapters.formats.npz import table_of
from streamer.model.chunk import Chunk
from streamer.model.context import Sidecar
from streamer.model.errors import DecodeError
from streamer.model.records import Notice, NoticeKind

MAGIC = b"MATLAB 5.0 MAT-file"


def recognise(head: bytes, name: str) -> bool:
    """Whether it begins as MATLAB writes."""
    del name
    return head.startswith(MAGIC)


def notes(path: Path, options: ReadOptions) -> Sidecar:
    """What names and units say of the gas."""
    try:
        return conditions(_arrays(variables(path)[0]), options)
    except DecodeError:  # told when its samples are read
        return Sidecar()


def read(path: Path, options: ReadOptions) -> Iterator[Chunk | Notice]:
    """The samples of the arrays that are used. Raises ``DecodeError`` or ``ConfigError`` without the file's name."""
    found, behind, damaged = variables(path)
    arrays = _arrays(found)
    if not arrays and (behind or damaged):
        raise DecodeError("no variable of it is whole: the file is damaged or cut short; save it again")
    yield from chunks("matlab", arrays, options)
    faults = [f"{behind} bytes at its end are no variable: is the file cut short?"] if behind else []
    for what in [*faults, *([f"{damaged} variables are damaged and left out"] if damaged else [])]:
        yield Notice(bed="", at_s=0.0, kind=NoticeKind.DAMAGED, detail=what)


def _arrays(found: Mapping[str, Any]) -> list[Array]:
    """All arrays of numbers that may be waveforms. Raises ``DecodeError``."""
    return exported(found) or [part for name, value in found.items() for part in _spread(name, value, 0)]


def _spread(name: str, value: Any, depth: int) -> list[Array]:
    """Arrays of numbers in a variable, and in the structs in it."""
    if isinstance(value, dict) and depth < MAX_DEPTH:
        unit = _text(value.get("unit", value.get("units")))
        parts = [part for field, one in value.items() for part in _spread(f"{name}/{field}", one, depth + 1)]
        return [Array(part.name, part.size, part.read, unit or part.unit, part.rate_hz) for part in parts]
    if not isinstance(value, np.ndarray) or not value.size:
        return []
    return table_of(name, value) if max(value.shape) >= LEAST or is_rate(name, value.size) else []


def _text(value: Any) -> str:
    """A text of MATLAB's, or empty."""
    return value[0][:64] if isinstance(value, list) and value and isinstance(value[0], str) else ""
