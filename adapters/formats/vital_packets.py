"""VitalDB's ``.vital`` files, bytes → packets: gzip around ``VITA``, a header, then packets of a type and a length.

Pure, and the same for every cutting. Bounded for any bytes: the samples of a record are handed on as they come, and of
all other packets only the short descriptions of tracks are kept.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator
from dataclasses import dataclass

import numpy as np

from adapters.decoding.table_blocks import measured
from streamer.model.chunk import FloatArray
from streamer.model.errors import DecodeError

MAGIC = b"VITA"
MAX_DESCRIPTION = 65_536
"""Bytes; a longer description of a track or a device is passed over."""
MAX_FAULTS = 1000
"""Packets that cannot be used, until the rest is left: it is junk."""
WAVE = 1
_TRACK, _RECORD, _DEVICE = 0, 1, 9
_NAME = 200
_FILE_HEAD, _PACKET_HEAD, _RECORD_HEAD = 10, 5, 16
_PACKED_AT = 26
"""Byte of the header that says whether gaps are filled with a number that stands for none."""
_MAX_TIME = 1e11
_TYPES = {1: "<f4", 2: "<f8", 3: "<i1", 4: "<u1", 5: "<i2", 6: "<u2", 7: "<i4", 8: "<u4"}


@dataclass(frozen=True, slots=True)
class Track:
    """What is said of a waveform track; ``none`` is the number that stands for no sample, where there is one."""

    tid: int
    name: str
    unit: str
    rate_hz: float
    dtype: str
    gain: float
    offset: float

    def values(self, raw: bytes, *, packed: bool) -> FloatArray:
        """Stored samples in the track's unit; NaN where there is none."""
        stored = np.frombuffer(raw, self.dtype)
        plain = measured(stored)
        if stored.dtype.kind == "f":
            return plain
        if packed:
            limits = np.iinfo(stored.dtype)
            plain[stored == (limits.max if stored.dtype.kind == "u" else limits.min)] = np.nan
        with np.errstate(all="ignore"):
            return measured(plain * self.gain + self.offset)


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of a record, from ``first`` on: a record may come in several."""

    tid: int
    time_s: float
    first: int
    raw: bytes


class Packets:
    """Plain bytes in any pieces → the waveform tracks, and the samples of those that are wanted.

    Attributes:
        tracks: By number, in the order of the file.
        began: By number, when the first record of a track begins, Unix time.
        packed: What a number that stands for no sample means, see ``Track.values``.
        records: How many packets were records.
        faults: Packets that could not be used.
        fault: Why the last of them could not.
    """

    def __init__(self, wanted: Container[int] = ()) -> None:
        self.tracks: dict[int, Track] = {}
        self.began: dict[int, float] = {}
        self.packed = False
        self.records = 0
        self.faults = 0
        self.fault = ""
        self._wanted = wanted
        self._devices: dict[int, str] = {}
        self._kept = b""
        self._passed = 0
        self._left = 0
        self._ended = False
        self._record = Piece(0, 0.0, 0, b"")
        self._header = True

    def feed(self, plain: bytes) -> Iterator[Piece]:
        """What the bytes so far complete. Raises ``DecodeError`` for what is no such file."""
        text, at = self._kept + plain, 0
        while not self._ended:
            if self._passed and not self._left:
                step = min(self._passed, len(text) - at)
                self._passed -= step
                at += step
            if self._left:
                piece = self._samples(text[at:])
                at += len(piece.raw)
                if not piece.raw:
                    break
                yield piece
                continue
            used = self._packet(text, at) if not self._passed else 0
            if not used:
                break
            at += used
        self._kept = b"" if self._ended else text[at:]

    def close(self) -> None:
        """No more comes. Raises ``DecodeError`` where there was not even a header."""
        if self._header:
            raise DecodeError("the file ends within its header")

    def _samples(self, text: bytes) -> Piece:
        """Whole samples of the record that is being read."""
        record, size = self._record, np.dtype(self.tracks[self._record.tid].dtype).itemsize
        raw = text[: min(len(text), self._left) // size * size]
        self._left -= len(raw)
        self._record = Piece(record.tid, record.time_s, record.first + len(raw) // size, b"")
        return Piece(record.tid, record.time_s, record.first, raw)

    def _packet(self, text: bytes, at: int) -> int:
        """Take the next packet, or the header before the first: bytes used, 0 while there are too few."""
        if self._header:
            return self._open(text)
        if len(text) - at < _PACKET_HEAD:
            return 0
        kind, size = struct.unpack_from("<BI", text, at)
        body = at + _PACKET_HEAD
        if kind == _RECORD and size:
            return self._take_record(text, body, size)
        if kind in {_TRACK, _DEVICE} and 0 < size <= MAX_DESCRIPTION:
            return self._take_description(kind, text[body : body + size], size)
        self._passed = size
        if size == 0:
            self._fault("a packet has no content; the rest is not read")
            self._ended = True
        return _PACKET_HEAD

    def _fault(self, what: str) -> None:
        self.faults, self.fault = self.faults + 1, what
        if self.faults == MAX_FAULTS:
            self.fault, self._ended = f"{what}; after {MAX_FAULTS} such packets the rest is not read", True

    def _take_description(self, kind: int, body: bytes, size: int) -> int:
        """Of a device or a track."""
        if len(body) < size:
            return 0
        try:
            self._describe(kind, body)
        except struct.error:
            self._fault("the description of a track is cut short")
        return _PACKET_HEAD + size

    def _open(self, text: bytes) -> int:
        """The header."""
        if not text.startswith(MAGIC[: len(text)]):
            raise DecodeError("this is no .vital file: VITA is not at its beginning")
        size = _FILE_HEAD + int.from_bytes(text[_FILE_HEAD - 2 : _FILE_HEAD], "little")
        if len(text) < max(size, _FILE_HEAD):
            return 0
        self.packed = size > _FILE_HEAD + _PACKED_AT and text[_FILE_HEAD + _PACKED_AT] == 1
        self._header = False
        return size

    def _describe(self, kind: int, body: bytes) -> None:
        """A device's name or a waveform track. Raises ``struct.error`` where it is cut short."""
        if kind == _DEVICE:
            (number,) = struct.unpack_from("<I", body)
            model, at = _text(body, 4)
            name = _text(body, at)[0] if len(body) > at else ""
            self._devices[number] = name or model
            return
        tid, sort, form = struct.unpack_from("<HBB", body)
        if sort != WAVE or form not in _TYPES:
            return
        name, at = _text(body, 4)
        unit, at = _text(body, at)
        rate_hz, gain, offset = struct.unpack_from("<fdd", body, at + 12)
        device = struct.unpack_from("<I", body, at + 33)[0] if len(body) >= at + 37 else 0
        label = f"{self._devices[device]}/{name}" if device in self._devices else name
        if tid not in self.tracks and np.isfinite([rate_hz, gain, offset]).all():
            self.tracks[tid] = Track(tid, label, unit, rate_hz, _TYPES[form], gain, offset)

    def _take_record(self, text: bytes, body: int, size: int) -> int:
        """The head of a record; its samples follow where they are wanted."""
        if size >= _RECORD_HEAD and len(text) < body + 12:
            return 0
        if size < _RECORD_HEAD:
            self.records, self._passed = self.records + 1, size
            return _PACKET_HEAD
        info, time_s, tid = struct.unpack_from("<HdH", text, body)
        head = 6 + int(info)
        if tid not in self.tracks or size < head:
            self.records, self._passed = self.records + 1, size
            return _PACKET_HEAD
        if len(text) < body + head:
            return 0
        self.records += 1
        (count,) = struct.unpack_from("<I", text, body + head - 4)
        bytes_ = count * np.dtype(self.tracks[tid].dtype).itemsize
        if not 0 < time_s < _MAX_TIME or bytes_ > size - head:
            self._fault("a record has no time, or fewer samples than it says")
            self._passed = size
            return _PACKET_HEAD
        self.began.setdefault(tid, time_s)
        if tid in self._wanted:
            self._left, self._record = bytes_, Piece(tid, time_s, 0, b"")
        self._passed = size - head - self._left
        return _PACKET_HEAD + head


def _text(body: bytes, at: int) -> tuple[str, int]:
    """A string behind its length, and where it ends. Raises ``struct.error`` where it is cut short."""
    size = int(struct.unpack_from("<I", body, at)[0])
    if size > len(body) - at - 4:
        raise struct.error
    return body[at + 4 : at + 4 + min(size, _NAME)].decode("utf-8", "replace"), at + 4 + size
