"""MEDIBUS bytes: slow frames and realtime records, apart and together. Pure, bounded; used by ``medibus``.

Two kinds of bytes share the line, told apart by bit 7, and may interleave anywhere:

- *Slow* (bit 7 clear): ``ESC`` or ``SOH``, code, data, two hexadecimal digits (sum of all bytes before, modulo 256),
  ``CR``. ``ESC`` begins a command, ``SOH`` the response to one. DC1, DC3 (flow control) belong to no frame.
- *Realtime* (bit 7 set): a sync byte ``1101ssss`` says which of the streams 1-4 follow; then pairs of bytes: sync
  commands ``1100cccc 1100aaaa`` and values ``10llllll 10hhhhhh``, six bits each, the low ones first.

Nothing protects a realtime record, so a damaged one is known by its shape only. It ends where the next sync byte
stands, or, if it announces no stream, with the sync command that ends a sequence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

SOH, CR, ESC, CAN = 0x01, 0x0D, 0x1B, 0x18
DC1, DC3 = 0x11, 0x13
MAX_FRAME = 2048
"""Bytes of a slow frame; the longest asked for, the realtime configuration, has 23 for each of at most 60 streams."""
MAX_BODY = 64
"""Bytes behind a sync byte; more, up to 24 of values and some sync commands, are never one record."""

INITIALISE, IDENTIFY, REALTIME_CONFIG, CONFIGURE = 0x51, 0x52, 0x53, 0x54
NOP, STOP, CONFIG_CHANGED, NOT_UNDERSTOOD = 0x30, 0x55, 0x56, 0x15
"""Codes of commands; the last is the answer to a command whose checksum is wrong."""
SYNC, SYNC_COMMAND, VALUE = 0xD0, 0xC0, 0x80
END_OF_SEQUENCE, STREAMS_1_4, CORRUPT_DATA = 0xC0, 0xC1, 0xCF
ALL_STREAMS = 0x0F


@dataclass(frozen=True, slots=True)
class Frame:
    """A slow frame whose checksum is right: a command, or a response to one."""

    is_command: bool
    code: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A slow frame whose checksum is wrong."""

    is_command: bool


@dataclass(frozen=True, slots=True)
class Noise:
    """So many slow bytes that belong to no frame."""

    size: int


@dataclass(frozen=True, slots=True)
class Record:
    """From one sync byte to the next.

    Attributes:
        streams: Bits of the sync byte; None for bytes that no sync byte stood before.
        values: 12 bits each, in the order of the streams announced.
        commands: Sync commands with their arguments.
        size: Bytes, complete sync commands left out.
        is_whole: Whether all bytes made pairs and the values are as many as announced.
    """

    streams: int | None
    values: tuple[int, ...]
    commands: tuple[tuple[int, int], ...]
    size: int
    is_whole: bool


Item: TypeAlias = Frame | BadFrame | Noise | Record


def command(code: int, data: bytes = b"") -> bytes:
    """A slow frame that asks for something."""
    return _framed(ESC, code, data)


def response(code: int, data: bytes = b"") -> bytes:
    """A slow frame that answers the command ``code``."""
    return _framed(SOH, code, data)


def realtime(streams: int, values: tuple[int, ...] = (), commands: tuple[tuple[int, int], ...] = ()) -> bytes:
    """A realtime record; sync commands end with the one that says so."""
    out = bytearray([SYNC | streams])
    for pair in commands:
        out += bytes(SYNC_COMMAND | part for part in pair)
    if commands:
        out += bytes((END_OF_SEQUENCE, SYNC_COMMAND))
    for value in values:
        out += bytes((VALUE | value & 0x3F, VALUE | value >> 6 & 0x3F))
    return bytes(out)


class Splitter:
    """Bytes in any pieces → frames and records in the order in which they end, the same for every cutting."""

    def __init__(self) -> None:
        self._frame = bytearray()
        self._noise = 0
        self._streams: int | None = None
        self._body = bytearray()

    def feed(self, piece: bytes) -> Iterator[Item]:
        """What the bytes so far complete. A record is complete when the byte after it is known to be another's."""
        for byte in piece:
            item = self._fast(byte) if byte & VALUE else self._slow(byte)
            if item is not None:
                yield item

    def settle(self) -> Record | None:
        """Nothing comes any more: the record so far, if it is whole."""
        is_whole = bool(self._streams) and _record(self._streams, bytes(self._body)).is_whole
        return self._end() if is_whole else None

    def forget(self) -> None:
        """Drop the record so far."""
        self._end()

    def _slow(self, byte: int) -> Item | None:
        if byte in {DC1, DC3}:
            return None
        if byte in {ESC, SOH}:
            cut, self._frame = len(self._frame), bytearray([byte])
            return self._strange(cut)
        if not self._frame:
            return self._strange(1)
        if byte == CR:
            frame, self._frame = bytes(self._frame), bytearray()
            return _unframed(frame)
        self._frame.append(byte)
        if byte == CAN or len(self._frame) > MAX_FRAME:
            size = len(self._frame)
            self._frame = bytearray()
            return self._strange(size)
        return None

    def _strange(self, size: int) -> Noise | None:
        self._noise += size
        if self._noise < MAX_BODY:
            return None
        size, self._noise = self._noise, 0
        return Noise(size)

    def _fast(self, byte: int) -> Record | None:
        if byte & 0xF0 == SYNC:
            done = self._end()
            self._streams = byte & ALL_STREAMS
            return done
        self._body.append(byte)
        is_last = self._streams == 0 and not len(self._body) % 2 and self._body[-2:] == bytes((END_OF_SEQUENCE,) * 2)
        return self._end() if is_last or len(self._body) == MAX_BODY else None

    def _end(self) -> Record | None:
        """The record so far; None where there is none."""
        streams, body = self._streams, bytes(self._body)
        self._streams = None
        self._body.clear()
        return None if streams is None and not body else _record(streams, body)


def _record(streams: int | None, body: bytes) -> Record:
    values: list[int] = []
    commands: list[tuple[int, int]] = []
    broken = len(body) % 2
    for first, second in zip(body[::2], body[1::2], strict=False):
        if first & 0xC0 == second & 0xC0 == VALUE:
            values.append(first & 0x3F | (second & 0x3F) << 6)
        elif first & 0xF0 == second & 0xF0 == SYNC_COMMAND:
            commands.append((first, second))
        else:
            broken += 2
    is_whole = streams is not None and not broken and len(values) == streams.bit_count()
    size = (streams is not None) + 2 * len(values) + broken
    return Record(streams, tuple(values), tuple(commands), size, is_whole)


def _framed(start: int, code: int, data: bytes) -> bytes:
    body = bytes((start, code)) + data
    return body + b"%02X\r" % (sum(body) & 0xFF)


def _unframed(frame: bytes) -> Frame | BadFrame:
    body, digits = frame[:-2], frame[-2:]
    is_command = frame[0] == ESC
    if len(body) < 2 or digits.upper() != b"%02X" % (sum(body) & 0xFF):  # noqa: PLR2004 (start and code)
        return BadFrame(is_command)
    return Frame(is_command, body[1], body[2:])
