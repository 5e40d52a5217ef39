"""What a source yields: chunks of samples. The first station of every sample's walk."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamer.model.records import Notice
from streamer.model.validation_errors import did_you_mean

FloatArray: TypeAlias = NDArray[np.float64]

MIN_RATE_HZ, MAX_RATE_HZ = 5.0, 2000.0
"""Rates a chunk may carry. Full function needs 50 Hz or more; accepted for breaths: 25-500 Hz."""


class Channel(StrEnum):
    """A waveform at the airway opening, in its canonical unit.

    A member is a string: ``{"flow": samples}`` and ``{Channel.FLOW: samples}`` are the same.

    Examples:
        >>> [channel.value for channel in Channel]
        ['paw', 'flow', 'pco2']
    """

    PAW = "paw"
    """Airway pressure relative to atmosphere, cmH2O."""
    FLOW = "flow"
    """Gas flow, L/s, positive into the patient."""
    PCO2 = "pco2"
    """CO2 partial pressure at the airway, mmHg."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Consecutive samples of one source on the device's clock.

    Attributes:
        source: Label of the device stream.
        start_s: Device clock of the first sample, seconds.
        rate_hz: Samples per second.
        channels: Arrays ``(n,)`` of equal length, float64, read-only, canonical units; NaN is a missing sample.
        received_ns: UTC of arrival in nanoseconds, for the time base only; None in recordings.

    Raises:
        ValueError: A channel is unknown or not an array of numbers; arrays differ in length or are not
            one-dimensional; the rate is outside 5-2000 Hz; the start is not finite.

    Examples:
        >>> import numpy as np
        >>> chunk = Chunk(source="vent", start_s=12.0, rate_hz=100.0, channels={"flow": np.zeros(250)})
        >>> len(chunk), chunk.channels[Channel.FLOW].dtype.name, chunk.channels[Channel.FLOW].flags.writeable
        (250, 'float64', False)
        >>> [part.start_s for part in chunk.parts(1.0)]
        [12.0, 13.0, 14.0]
    """

    source: str
    start_s: float
    rate_hz: float
    channels: Mapping[Channel, FloatArray]
    received_ns: int | None = None

    def __post_init__(self) -> None:
        if not MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ:
            raise ValueError(f"rate {self.rate_hz!r} Hz is outside {MIN_RATE_HZ:g}-{MAX_RATE_HZ:g} Hz")
        if not math.isfinite(self.start_s):
            raise ValueError(f"start {self.start_s!r} s is not a time")
        if not isinstance(self.channels, Mapping):
            found = type(self.channels).__name__  # type: ignore[unreachable]
            raise ValueError(f"channels is a {found}: expected {{'flow': array, 'paw': array}}")  # noqa: TRY004 (one kind)
        locked = {_channel(name): _locked(samples, name) for name, samples in self.channels.items()}
        if len({samples.size for samples in locked.values()}) > 1:
            sizes = {name.value: samples.size for name, samples in locked.items()}
            raise ValueError(f"channels differ in length: {sizes}")
        object.__setattr__(self, "channels", MappingProxyType(locked))
        object.__setattr__(self, "rate_hz", float(self.rate_hz))  # compiled code is compiled again for an integer
        object.__setattr__(self, "start_s", float(self.start_s))

    def __len__(self) -> int:
        for samples in self.channels.values():
            return samples.size
        return 0

    def cut(self, first: int, last: int) -> Chunk:
        """The samples from index ``first`` up to ``last`` (exclusive), as a chunk that starts at the former."""
        return Chunk(
            source=self.source,
            start_s=self.start_s + first / self.rate_hz,
            rate_hz=self.rate_hz,
            channels={name: samples[first:last] for name, samples in self.channels.items()},
            received_ns=self.received_ns,
        )

    def parts(self, longest_s: float) -> Iterator[Chunk]:
        """The chunk in pieces of at most ``longest_s`` seconds; an empty chunk has none."""
        length = max(int(longest_s * self.rate_hz), 1)
        if 0 < len(self) <= length:
            yield self
            return
        for first in range(0, len(self), length):
            yield self.cut(first, min(first + length, len(self)))


def _channel(name: str) -> Channel:
    try:
        return name if isinstance(name, Channel) else Channel(name)
    except ValueError:
        raise ValueError(
            f"unknown channel {name!r}; {did_you_mean(str(name), {known.value: None for known in Channel})}"
        ) from None


def _locked(samples: FloatArray, name: str) -> FloatArray:
    if not isinstance(samples, np.ndarray) or samples.dtype.kind not in "fiu":
        what = f"an array of {samples.dtype}" if isinstance(samples, np.ndarray) else f"a {type(samples).__name__}"
        raise ValueError(f"channel {str(name)!r} is {what}: give it as np.asarray(samples, dtype=float)")
    array = np.ascontiguousarray(samples, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"samples must be one-dimensional, not {array.ndim}-dimensional")
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


class Adapter(Protocol):
    """The interface of a source: a module with ``Settings`` and ``chunks``.

    ``Settings`` is a frozen dataclass whose fields are the adapter's options in a configuration. ``chunks`` yields
    chunks, and notices of what it had to leave out, as fast as it can; the caller paces a replay.

    Examples:
        >>> from adapters import simulator
        >>> adapter: Adapter = simulator
        >>> adapter.Settings.__name__
        'Settings'
    """

    Settings: type[Any]

    def chunks(self, settings: Any, /) -> AsyncIterator[Chunk | Notice]:
        """Read the source until it ends. Raises ``DecodeError`` or ``SourceLost``."""
        ...


class Emulator(Protocol):
    """What a device's module may have: it says what the device would, played from samples. No I/O, no clock.

    Made with the rate and the channels of the samples; raises ``ConfigError`` when the device could not say them.
    """

    def __init__(self, rate_hz: float, channels: frozenset[Channel], /) -> None: ...

    def hear(self, piece: bytes, /) -> bytes:
        """Its answers to what the host says; ``b""`` for a device that only sends."""
        ...

    def send(self, chunk: Chunk, /) -> bytes:
        """What it says of these samples; ``b""`` while the host has not asked."""
        ...


class Mark(IntEnum):
    """What became of a sample on the grid."""

    MEASURED = 0
    FILLED = 1
    """Missing for at most 40 ms: interpolated, not worth a flag."""
    GAP_SHORT = 2
    """Missing for 40-200 ms: interpolated, the breath is flagged."""
    GAP = 3
    """Missing for 0.2-1 s: interpolated so that time goes on, the breath keeps only its timing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Consecutive samples on a source's grid: what ``align`` makes of chunks and ``segment`` reads.

    Attributes:
        run: Grows by one wherever the signal was interrupted; nothing is known across runs.
        origin_s: Device clock of index 0 of the grid, seconds. Sample ``i`` is at ``origin_s + i / rate_hz``.
        rate_hz: Samples per second.
        first: Index of the first sample.
        flow: (n,) L/s BTPS, without NaN.
        paw: (n,) cmH2O; None where the source measures no pressure.
        mark: How all of these samples came to be.
    """

    run: int
    origin_s: float
    rate_hz: float
    first: int
    flow: FloatArray
    paw: FloatArray | None
    mark: Mark
