"""What is around a recording and can be taken off while it is read: gzip, and UTF-16 or UTF-32 around text.

Bounded: what expands more than any recording does is refused.
"""

from __future__ import annotations

import codecs
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from adapters.decoding.inflate import Inflater, check_ratio
from adapters.decoding.text_rows import BLOCK
from streamer.model.errors import DecodeError

GZIP = b"\x1f\x8b\x08"
MAX_UNPACKED = 2**33
"""Bytes of a compressed file that has to be unpacked as a whole."""
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order mark → encoding; four bytes before two."""
_SEEN, _LEAST, _TEXT = 64, 8, 0.9
"""Bytes at most and at least, and the share of them that is printable, by which text without a mark is known."""


@dataclass
class Plain:
    """A file without what is around it.

    Attributes:
        path: The file.
        is_packed: It is compressed with gzip.
        encoding: Of its text, or empty: as it is.
        fault: After ``pieces``: why there is no more, or empty.
    """

    path: Path
    is_packed: bool = False
    encoding: str = ""
    fault: str = field(default="", init=False)

    @property
    def name(self) -> str:
        """Of what is inside."""
        return self.path.name[:-3] if self.is_packed and self.path.suffix.lower() == ".gz" else self.path.name

    def pieces(self) -> Iterator[bytes]:
        """From the beginning. Raises ``DecodeError`` for what expands more than any recording."""
        self.fault = ""
        plain = self._unpacked() if self.is_packed else self._bytes()
        yield from _recoded(plain, self.encoding) if self.encoding else plain

    @contextmanager
    def file(self) -> Iterator[Path]:
        """A file that holds it, for formats that need the whole at hand. Raises ``DecodeError``."""
        if not (self.is_packed or self.encoding):
            yield self.path
            return
        with tempfile.TemporaryDirectory(prefix="ventstream-") as folder:
            path, size = Path(folder) / self.name, 0
            with path.open("wb") as file:
                for piece in self.pieces():
                    size += file.write(piece)
                    if size > MAX_UNPACKED:
                        raise DecodeError(f"it unpacks to more than {MAX_UNPACKED >> 30} GiB; unpack it first")
            yield path

    def _bytes(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while block := file.read(BLOCK):
                yield block

    def _unpacked(self) -> Iterator[bytes]:
        inflater, read_bytes = Inflater(), 0
        for block in self._bytes():
            read_bytes += len(block)
            for plain in inflater.feed(block):
                check_ratio(inflater.size, read_bytes)
                yield plain
            if inflater.fault:
                break
        inflater.close()
        self.fault = inflater.fault


def _recoded(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Text as UTF-8; what is none shows as a replacement character."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for piece in pieces:
        yield decoder.decode(piece).encode()
    yield decoder.decode(b"", final=True).encode()


def unwrapped(path: Path, head: bytes, size: int) -> tuple[Plain, bytes]:
    """What is around a file, and the first ``size`` bytes of what is inside. Raises as ``Plain.pieces``."""
    plain = Plain(path, is_packed=head.startswith(GZIP))
    if plain.is_packed:
        head = _first(plain, size)
    plain.encoding = encoding_of(head)
    return plain, _first(plain, size) if plain.encoding else head


def _first(plain: Plain, size: int) -> bytes:
    found = bytearray()
    for piece in islice(plain.pieces(), size):
        found += piece
        if len(found) >= size:
            break
    return bytes(found[:size])


def encoding_of(head: bytes) -> str:
    """The encoding of text that is no UTF-8, by its mark or by its zeros; empty for anything else."""
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    seen = head[: min(_SEEN, len(head)) // 4 * 4]
    if len(seen) < _LEAST:
        return ""
    columns = [any(seen[at::4]) for at in range(4)]
    for used, name in (
        ([True, False, False, False], "utf-32-le"),
        ([False, False, False, True], "utf-32-be"),
        ([True, False, True, False], "utf-16-le"),
        ([False, True, False, True], "utf-16-be"),
    ):
        text = seen.decode(name, "replace") if columns == used else ""
        shown = sum((letter.isprintable() and letter != "\ufffd") or letter in "\t\r\n" for letter in text)
        if text and shown >= _TEXT * len(text):
            return name
    return ""
