"""TMSi Poly5, version 2.03: a header, two descriptors a channel, blocks of samples as 32-bit floats.

Little-endian. The header has 217 bytes, a descriptor 136; ``(Lo) X`` and ``(Hi) X`` are the halves of one float of
channel X. A block has 86 bytes of its own, then its samples, one channel after the other; the number of its first
sample comes first, or 0, and a block with another is damaged or out of its place. The last block is padded, so the
header's count of samples is what counts. Channels are known by name and unit (``signal_names.py``). Time is counted
from the first sample; the header's start is of an unknown zone.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.signal_names import Signal, Use, choose
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.context import RecordingInfo, Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice, NoticeKind
from streamer.model.zones import plausible

MAGIC = b"POLY SAMPLE FILE"
VERSION = b"version 2.03\r\n\x1a"
FIXED, DESCRIPTOR, BLOCK_HEAD, STARTED = 217, 136, 86, 129
MAX_SIGNALS = 512
DRIFT = 1e-3
MAX_GAIN = 1e9

_HEADER = struct.Struct("<114xH3xHi18xiHHH64x")
"""Rate, descriptors, samples, blocks, samples and bytes of a block, compression."""
_DESCRIPTOR = struct.Struct("<41p4x11p4f64x")
"""Name, unit; a value's range in its unit, and the range in which it is stored."""


def recognise(head: bytes, name: str) -> bool:
    """Whether it begins as Poly5, of any version."""
    del name
    return head.startswith(MAGIC)


def told(head: bytes, options: ReadOptions) -> Sidecar:
    """When it began, by the recorder's clock, and what the unit of flow says of the gas."""
    try:
        header = _header(head[:FIXED], options)
        end = FIXED + DESCRIPTOR * header.signals
        context = _Blocks(header, head[FIXED:end], options).context
    except (DecodeError, ConfigError, struct.error):  # told when its samples are read
        return Sidecar()
    year, month, day, _, hour, minute, second = struct.unpack_from("<7H", head, STARTED)
    try:
        start = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (its zone is unknown)
    except ValueError:
        start = None
    return Sidecar(recording=RecordingInfo(start_local=plausible(start)), context=context)


class Decoder:
    """Bytes of a file → chunks and notices."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._bytes = bytearray()
        self._header: _Header | None = None
        self._blocks: _Blocks | None = None

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete. Raises ``DecodeError`` for a header that cannot be used."""
        self._bytes += piece
        if self._blocks is None and not self._open():
            return []
        assert self._blocks is not None
        size, at = self._blocks.size, 0
        while len(self._bytes) - at >= size:
            self._blocks.take(bytes(self._bytes[at : at + size]))
            at += size
        del self._bytes[:at]
        return self._blocks.samples.take()

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when the header was cut short or there was no sample."""
        if self._blocks is None:
            raise DecodeError(f"the file ends after {len(self._bytes)} bytes, within its header")
        return self._blocks.close(bytes(self._bytes))

    def _open(self) -> bool:
        """Read header and descriptors once they are whole."""
        if self._header is None:
            if len(self._bytes) < FIXED:
                return False
            self._header = _header(bytes(self._bytes[:FIXED]), self._options)
        size = FIXED + DESCRIPTOR * self._header.signals
        if len(self._bytes) < size:
            return False
        self._blocks = _Blocks(self._header, bytes(self._bytes[FIXED:size]), self._options)
        del self._bytes[:size]
        return True


@dataclass(frozen=True, slots=True)
class _Header:
    """What the first 217 bytes say; ``signals`` are descriptors, two a channel; ``samples`` is 0 where unknown."""

    rate_hz: float
    signals: int
    samples: int
    per_block: int


class _Blocks:
    """What follows the descriptors."""

    def __init__(self, header: _Header, descriptors: bytes, options: ReadOptions) -> None:
        self._header = header
        self._channels = header.signals // 2
        self.size = BLOCK_HEAD + 2 * header.signals * header.per_block
        entries = [_DESCRIPTOR.unpack_from(descriptors, at) for at in range(0, len(descriptors), DESCRIPTOR)]
        names = [_name(lo, hi, at) for at, (lo, hi) in enumerate(zip(entries[::2], entries[1::2], strict=True))]
        units = [_text(lo[1]) for lo in entries[::2]]
        signals = [Signal(name, unit, header.rate_hz) for name, unit in zip(names, units, strict=True)]
        chosen = choose(signals, options)
        self._uses = chosen.uses
        self.context = chosen.context
        self._scales = {channel: _scale(entries[2 * use.at], names[use.at]) for channel, use in chosen.uses.items()}
        self.samples = Samples("poly5", header.rate_hz, self._canonical, counted="block")
        self._seen = self._done = self._extra = 0
        self.samples.told(chosen.notes)

    def take(self, raw: bytes) -> None:
        """One block, or what there is of the last."""
        left = self._header.samples - self._done if self._header.samples else self._header.per_block
        if left <= 0:
            self._extra += len(raw)
            return
        self._seen += 1
        width = 4 * self._channels
        there = max(len(raw) - BLOCK_HEAD, 0) // width
        wanted = min(self._header.per_block, left)
        rows = min(there, wanted)
        index = int.from_bytes(raw[:4], "little")
        if rows and index not in {self._done, 0}:
            what = f"it says that it begins with sample {index}, but {self._done} are before it"
            self.samples.damaged(self._seen, what, slots=rows, rows=rows)
        elif rows:
            stored = np.frombuffer(raw, "<f4", rows * self._channels, BLOCK_HEAD)
            values = np.where(np.isfinite(stored), stored, np.float32(np.nan)).astype(np.float64)
            self.samples.rows(values.reshape(rows, self._channels))
        self._done += rows

    def close(self, rest: bytes) -> list[Chunk | Notice]:
        """The rest of the file, shorter than a block."""
        if rest:
            self.take(rest)
        counted = self._header.samples
        if self._done == 0:
            raise DecodeError("the file ends behind its descriptors, without a sample")
        if self._done < counted:
            what = f"the file ends after {self._done} of the {counted} samples that its header counts"
            self.samples.note(NoticeKind.DAMAGED, what)
        if counted == 0:
            what = "the header does not count the samples, so the last ones may be padding"
            self.samples.note(NoticeKind.NOTE, what)
        if self._extra:
            self.samples.note(NoticeKind.NOTE, f"{self._extra} bytes behind the {counted} samples are not read")
        return self.samples.close()

    def _canonical(self, values: FloatArray) -> Mapping[Channel, FloatArray]:
        return {
            channel: _physical(values[:, use.at], use, self._scales[channel]) for channel, use in self._uses.items()
        }


def _physical(stored: FloatArray, use: Use, scale: tuple[float, float]) -> FloatArray:
    """Stored numbers in the canonical unit."""
    gain, offset = scale
    plain = stored if (gain, offset) == (1.0, 0.0) else stored * gain + offset
    return plain * use.multiplier / use.divisor


def _header(raw: bytes, options: ReadOptions) -> _Header:
    """Read the first 217 bytes. Raises ``DecodeError``."""
    if not raw.startswith(MAGIC):
        raise DecodeError(f"byte 0: not a Poly5 file, which begins with {MAGIC.decode()}")
    if not raw.startswith(VERSION, len(MAGIC)) or raw[31:33] != b"\xcb\x00":
        version = ascii(raw[16:28].decode("latin-1"))[:60]
        raise DecodeError(f"byte 16: Poly5 {version}; only version 2.03 can be read")
    rate, signals, samples, _, per_block, size, packed = _HEADER.unpack(raw)
    if packed:
        raise DecodeError("byte 151: the samples are delta-compressed; export the recording uncompressed")
    if not 0 < signals <= MAX_SIGNALS or signals % 2:
        raise DecodeError(f"byte 119: {signals} descriptors; 2 to {MAX_SIGNALS}, two a channel, can be read")
    if samples < 0:
        raise DecodeError(f"byte 121: {samples} samples")
    if per_block == 0 or size != 2 * signals * per_block:
        made = f"{per_block} samples of {signals // 2} channels"
        raise DecodeError(f"byte 147: a block of {size} bytes does not hold {made} as 32-bit floats")
    if options.rate_hz is not None and abs(rate / options.rate_hz - 1.0) > DRIFT:
        given = f"the rate is given as {options.rate_hz:g} Hz (option, context or sidecar)"
        raise DecodeError(f"{given}, but the header says {rate} Hz; mend one")
    return _Header(float(rate), signals, samples, per_block)


def _name(lo: tuple[bytes, ...], hi: tuple[bytes, ...], channel: int) -> str:
    """A channel's name from its two descriptors. Raises ``DecodeError``."""
    first, second = _text(lo[0]), _text(hi[0])
    if not (first.startswith("(Lo)") and second.startswith("(Hi)") and first[4:] == second[4:]):
        names = f"{ascii(first)[:30]} and {ascii(second)[:30]}"
        at = FIXED + 2 * DESCRIPTOR * channel
        raise DecodeError(f"byte {at}: {names} are not the halves (Lo) and (Hi) of one channel of 32-bit floats")
    return first[4:].strip()


def _scale(entry: tuple[float, ...], name: str) -> tuple[float, float]:
    """Gain and offset from a stored number to its unit. Raises ``DecodeError``."""
    low, high, stored_low, stored_high = entry[2:]
    if (low, high) == (stored_low, stored_high):  # what recorders write, in whatever form: stored in its unit
        return 1.0, 0.0
    span = stored_high - stored_low
    gain = (high - low) / span if span else np.inf
    if not 0.0 < abs(gain) < MAX_GAIN or not abs(low) < MAX_GAIN or not abs(stored_low) < MAX_GAIN:
        raise DecodeError(
            f"channel {ascii(name)[:30]} has no scale: {stored_low:g} to {stored_high:g} is {low:g} to {high:g}"
        )
    return gain, low - stored_low * gain


def _text(raw: bytes) -> str:
    return raw.decode("latin-1").strip(" \0")
