"""Files that hold arrays by name (NumPy, MATLAB, HDF5): which are signals, and their samples as chunks.

An array is known by a canonical name, by its name and unit, or by what the sidecar's ``columns`` say of it. All that
are used have one length; the count of samples is the clock, or an array with the times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters.decoding.column_names import named
from adapters.decoding.columns import CANONICAL, TIMES, VOLUMES, Columns, columns, conditions_of, number, suggestion
from adapters.decoding.contract import ReadOptions
from adapters.decoding.flow_from_volume import NOTE, FlowFromVolume
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.table_blocks import by_count, by_stamps, measured
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Chunk, FloatArray
from streamer.model.context import Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice

BLOCK = 2**17
"""Samples read at a time."""
MAX_ARRAYS, MAX_WIDE, SHOWN = 4096, 64, 12
"""Arrays in a file; columns of one; of those that an error names."""
LEAST = 8
"""Samples of a waveform."""
RATES = ("rate_hz", "sampling_rate", "sampling_rate_hz", "sample_rate", "samplerate", "fs", "srate", "sfreq")
"""What programs call samples per second, in small letters; a ``rate`` may be the patient's."""
_SLOPES = {"volume_ml": "flow_ml_s", "volume_l": "flow_l_s"}
"""Volume → what its slope is read as."""


@dataclass(frozen=True, slots=True)
class Array:
    """A signal of a file.

    Attributes:
        name: With the groups that it is in: ``group/flow``.
        size: Samples.
        read: First sample and number of samples → numbers ``(n,)`` of any type.
        unit: What the file says, or empty.
        rate_hz: Likewise, or 0.
    """

    name: str
    size: int
    read: Callable[[int, int], Any]
    unit: str = ""
    rate_hz: float = 0.0

    @property
    def label(self) -> str:
        """The name without groups."""
        return self.name.rpartition("/")[2]


def spread(
    name: str, shape: Sequence[int], read: Callable[[int, int, int], Any], unit: str = "", rate_hz: float = 0.0
) -> list[Array]:
    """The signals of an array of one or two dimensions; the longer one is time.

    ``read``: column, first sample, number of samples → numbers. A column is named ``name:0``, where there are several.
    """
    sizes = [size for size in shape if size != 1] or [1]
    if len(shape) > 2 and len(sizes) > 2:  # noqa: PLR2004 (a table)
        return []
    if len(sizes) == 1:
        return [Array(name, sizes[0], lambda first, n: read(0, first, n), unit, rate_hz)]
    if min(sizes) > MAX_WIDE or min(sizes) == 0:
        return []

    def column(at: int) -> Callable[[int, int], Any]:
        return lambda first, n: read(at, first, n)

    return [Array(f"{name}:{at}", max(sizes), column(at), unit, rate_hz) for at in range(min(sizes))]


def conditions(arrays: Sequence[Array], options: ReadOptions) -> Sidecar:
    """What names and units say of the gas."""
    try:
        found = _meanings(arrays, options.columns)
    except (DecodeError, ConfigError):  # told when its samples are read
        return Sidecar()
    units = [arrays[at].unit for at, name in found.items() if name.startswith("flow_")]
    return Sidecar(context=conditions_of(found.values(), units[0] if units else ""))


def chunks(source: str, arrays: Sequence[Array], options: ReadOptions) -> Iterator[Chunk | Notice]:
    """The samples of the arrays that are used. Raises ``DecodeError`` or ``ConfigError``."""
    found = _meanings(arrays, options.columns)
    used = [arrays[at] for at in found]
    slope = any(name in VOLUMES for name in found.values()) and not any(
        name.startswith("flow_") for name in found.values()
    )
    names = [_SLOPES.get(name, name) if slope else name for name in found.values()]
    table = columns(names, None, options.barometric_mmhg)
    options.units.update(table.names)
    _check_sizes(used)
    notes = list(table.notes)
    rate_hz = options.rate_hz or max((array.rate_hz for array in used), default=0.0) or _scalar_hz(arrays, notes)
    if table.time is None and not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise DecodeError(
            "nothing says its rate: write rate_hz = 100 under [recording] in a sidecar, or give --rate 100"
        )
    samples = Samples(source, rate_hz or 1.0, table.channels, counted="row")
    samples.told(notes)
    items = _items(samples, _blocks(used), table, options)
    yield from _sloped(items) if slope else items


def is_rate(name: str, size: int) -> bool:
    """Whether an array of one number says the rate."""
    return size == 1 and name.rpartition("/")[2].casefold() in RATES


def _scalar_hz(arrays: Sequence[Array], notes: list[str]) -> float:
    """The rate in an array of its own, told; 0 where there is none, or several say different things."""
    scalars = [array for array in arrays if is_rate(array.name, array.size)]
    found = {float(measured(array.read(0, 1))[0]) for array in scalars}
    if len(found) != 1:
        return 0.0
    rate_hz = found.pop()
    if scalars[0].label != RATES[0]:
        notes.append(f"{_shown(scalars[0].name)} is taken as samples per second: {rate_hz:g}")
    return rate_hz


def _items(
    samples: Samples, blocks: Iterator[FloatArray], table: Columns, options: ReadOptions
) -> Iterator[Chunk | Notice]:
    return by_count(samples, blocks) if table.time is None else by_stamps(samples, blocks, table, options)


def _sloped(items: Iterator[Chunk | Notice]) -> Iterator[Chunk | Notice]:
    volume = FlowFromVolume()
    yield NOTE
    yield from volume.push(items)
    yield from volume.close()


def _blocks(used: Sequence[Array]) -> Iterator[FloatArray]:
    size = used[0].size
    for first in range(0, size, BLOCK):
        n = min(BLOCK, size - first)
        yield np.column_stack([measured(array.read(first, n)) for array in used])


def _check_sizes(used: Sequence[Array]) -> None:
    for array in used[1:]:
        if array.size != used[0].size:
            sizes = f"{_shown(used[0].name)} has {used[0].size} samples, {_shown(array.name)} {array.size}"
            raise DecodeError(f"{sizes}: bring them to one rate, or save that one as a recording of its own")


def _meanings(arrays: Sequence[Array], mapping: Mapping[str, str]) -> dict[int, str]:
    """Position → canonical name of the arrays that are used. Raises ``DecodeError`` or ``ConfigError``."""
    if mapping:
        found = _mapped(arrays, mapping)
    else:
        told = ((at, named(array.label, array.unit)) for at, array in enumerate(arrays))
        found = {at: name for at, name in told if name in CANONICAL}
        found = {at: name for at, name in found.items() if _is_time_of(arrays, found, at)}
    if any(name not in {*TIMES, *VOLUMES} for name in found.values()) or set(found.values()) & set(VOLUMES):
        return found
    raise DecodeError(_nothing(arrays))


def _is_time_of(arrays: Sequence[Array], found: Mapping[int, str], at: int) -> bool:
    """Whether an array is as long as a waveform, or is one: each group of a file may have a time of its own."""
    sizes = {arrays[other].size for other, name in found.items() if name not in TIMES}
    return found[at] not in TIMES or arrays[at].size in sizes


def _mapped(arrays: Sequence[Array], mapping: Mapping[str, str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for key, name in mapping.items():
        if name not in CANONICAL:
            raise ConfigError(f"columns maps {key!r} to the unknown {name[:40]!r}; {suggestion(name)}")
        plain = key.strip().strip("/")
        places = [at for at, array in enumerate(arrays) if array.name == plain]
        places = places or [at for at, array in enumerate(arrays) if array.label == plain]
        at = number(plain)
        places = places or ([at] if at is not None and at < len(arrays) else [])
        if len(places) != 1:
            there = "two arrays are named" if places else "no array is named"
            raise DecodeError(f"columns: {there} {key[:40]!r}; there are {_listed(arrays)}")
        if places[0] in found:
            raise DecodeError(f"columns maps {key[:40]!r} twice, to {found[places[0]]} and {name}; leave one")
        found[places[0]] = name
    return found


def _nothing(arrays: Sequence[Array]) -> str:
    """Why there is nothing to read, and the line that would mend it."""
    arrays = [array for array in arrays if not is_rate(array.name, array.size)]
    if not arrays:
        return "it holds no arrays of numbers"
    first = _shown(arrays[0].name)[1:-1]
    write = f'recording = {{ rate_hz = HZ, columns = {{ "{first}" = "flow_l_s" }} }}'
    what = f"nothing says which of its arrays are flow and pressure: write in a sidecar {write}"
    return f"{what}; there are {_listed(arrays)}"


def _listed(arrays: Sequence[Array]) -> str:
    some = [f"{_shown(array.name)} ({array.size})" for array in arrays[:SHOWN]]
    return ", ".join(some) + (" …" if len(arrays) > SHOWN else "")


def _shown(text: str) -> str:
    return ascii(text[:40])[:60]
