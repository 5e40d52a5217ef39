"""Gzip, bytes → plain bytes: bounded, and the same for every cutting, also where they are damaged."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from streamer.model.errors import DecodeError

PIECE = 65_536
"""Plain bytes that come at a time."""
MAX_RATIO, RATIO_FROM = 300, 2**26
"""Plain bytes a compressed one, and from how many plain bytes on: beyond it there is nothing but repetition."""


def check_ratio(plain: int, packed: int) -> None:
    """Raises ``DecodeError`` where so many bytes, of so many compressed ones, can be no recording."""
    if plain > max(RATIO_FROM, MAX_RATIO * packed):
        raise DecodeError(f"it expands more than {MAX_RATIO}-fold: this is no recording")


class Inflater:
    """Compressed bytes in any pieces → plain bytes, up to where they are damaged.

    Attributes:
        fault: Why there is no more, or empty.
        size: Plain bytes so far.
    """

    def __init__(self) -> None:
        self.fault = ""
        self.size = 0
        self._inflate = zlib.decompressobj(31)
        self._began = False
        self._behind = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What the bytes so far give, ``PIECE`` or less at a time."""
        rest, more = piece, False
        while (rest or more) and not self.fault:
            before = self._inflate.copy()
            try:
                plain = self._inflate.decompress(rest, PIECE)
            except zlib.error as error:
                plain = self._up_to(before, rest)
                self.fault = f"the compressed data are damaged ({str(error).rpartition(': ')[2]})"
            self._began = self._began or bool(rest)
            self._behind = self._behind and not plain
            self.size += len(plain)
            yield plain
            more = len(plain) == PIECE
            rest = self._inflate.unconsumed_tail
            if self._inflate.eof:
                rest, more = self._inflate.unused_data, False
                self._inflate = zlib.decompressobj(31)
                self._began, self._behind = False, True

    def close(self) -> None:
        """No more comes."""
        if self._began and not self.fault:
            self.fault = "the file is cut short"
        if self.fault and self._behind:
            self.fault = "what follows the compressed data is not read"

    @staticmethod
    def _up_to(inflate: zlib._Decompress, rest: bytes) -> bytes:
        """All that the bytes before the damaged one give: what came in the same piece must not matter."""
        plain = []
        for at in range(len(rest)):
            try:
                plain.append(inflate.decompress(rest[at : at + 1]))
            except zlib.error:
                break
        return b"".join(plain)
