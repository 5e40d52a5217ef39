"""MATLAB files of version 5 to 7.2: bytes → variables.

Ours because scipy's reader ends the process where a file is damaged. Numbers, texts, structs of one element and cells
are read, in either byte order, packed or not; what else there is (objects, functions, sparse arrays) is passed over. A
variable that is damaged costs itself; bounded in size and depth.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from adapters.decoding.inflate import check_ratio
from streamer.model.errors import DecodeError

HEADER, TAG = 128, 8
"""Bytes before the first variable, and before each element."""
MAX_VARIABLES, MAX_DEPTH, MAX_BYTES, MAX_SHAPE = 4096, 6, 2**31, 16
_MATRIX, _PACKED = 14, 15
_TYPES = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8", 16: "u1", 17: "u2",
    18: "u4",
}  # fmt: skip
"""Kind of an element → type of its numbers; letters are numbers."""
_CELL, _STRUCT, _CHAR, _NUMBERS = 1, 2, 4, range(6, 16)
Order: TypeAlias = Literal["little", "big"]
Part: TypeAlias = tuple[int, bytes, int]
"""Kind of an element, its content, where the next begins."""


class Malformed(ValueError):  # noqa: N818 (named by what it is)
    """An element that is none."""


def variables(path: Path) -> tuple[dict[str, Any], int, int]:
    """All variables; bytes behind the last element that is whole; variables that could not be read.

    A value is an array, a list of texts, a dict (a struct) or a list (a cell). Raises ``DecodeError``.
    """
    found: dict[str, Any] = {}
    damaged = read_bytes = 0
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DecodeError(f"a MATLAB file of {size >> 20} MiB is more than is read at once; save it with -v7.3")
    raw = path.read_bytes()
    order: Order = "big" if raw[126:HEADER] == b"MI" else "little"
    at = HEADER
    for _ in range(MAX_VARIABLES):
        try:
            kind, content, end = _element(raw, at, order, pads=False)
        except Malformed:
            break
        if kind not in {_MATRIX, _PACKED}:
            break
        at = end
        try:
            content = _unpacked(content, order) if kind == _PACKED else content
            read_bytes += len(content)
            check_ratio(read_bytes, size)
            name, value = _matrix(content, order, 0)
        except DecodeError:
            raise
        except (ValueError, zlib.error):  # also numpy's, of a shape that no array has
            damaged += 1
            continue
        if value is not None and name:
            found[name] = value
    return found, max(size - at, 0), damaged


def _unpacked(content: bytes, order: Order) -> bytes:
    """The matrix in a packed element."""
    inflate = zlib.decompressobj()
    tag = inflate.decompress(content, TAG)
    if len(tag) < TAG or int.from_bytes(tag[:4], order) != _MATRIX:
        raise Malformed
    length = int.from_bytes(tag[4:], order)
    if length > MAX_BYTES:
        raise DecodeError(f"a variable of {length >> 20} MiB is more than is read at once; save it with -v7.3")
    check_ratio(length, len(content))
    plain = inflate.decompress(inflate.unconsumed_tail, length) if length else b""
    if len(plain) < length:
        raise Malformed
    return plain


def _element(raw: bytes, at: int, order: Order, *, pads: bool = True) -> Part:
    """The element at ``at``. Raises ``Malformed``."""
    if at + TAG > len(raw):
        raise Malformed
    word, length = (int.from_bytes(raw[start : start + 4], order) for start in (at, at + 4))
    if word >> 16:  # up to four bytes, within the tag
        kind, length, first, end = word & 0xFFFF, word >> 16, at + 4, at + TAG
    else:
        kind, first, end = word, at + TAG, at + TAG + length + (-length % TAG if pads else 0)
    if first + length > len(raw):
        raise Malformed
    return kind, raw[first : first + length], end


def _numbers(part: Part, order: Order) -> Any:
    kind, content, _ = part
    if kind not in _TYPES:
        raise Malformed
    dtype = np.dtype(("<" if order == "little" else ">") + _TYPES[kind])
    return np.frombuffer(content, dtype, len(content) // dtype.itemsize)


def _matrix(raw: bytes, order: Order, depth: int) -> tuple[str, Any]:
    """Name and value of a matrix; None for what is passed over. Raises ``Malformed``."""
    if depth > MAX_DEPTH or not raw:
        return "", None
    flags = _element(raw, 0, order)
    sizes = _element(raw, flags[2], order)
    name = _element(raw, sizes[2], order)
    words, shape = _numbers(flags, order), [int(size) for size in _numbers(sizes, order)]
    if not words.size or not 2 <= len(shape) <= MAX_SHAPE or min(shape) < 0:  # noqa: PLR2004 (nothing is flatter)
        raise Malformed
    kind, at = int(words[0]) & 0xFF, name[2]
    return name[1].decode("latin-1")[:64], _value(raw, at, kind, shape, order, depth)


def _value(raw: bytes, at: int, kind: int, shape: list[int], order: Order, depth: int) -> Any:  # noqa: PLR0917 (its place)
    count = 1
    for size in shape:
        count *= size
    if kind in _NUMBERS or kind == _CHAR:
        numbers = _numbers(_element(raw, at, order), order) if count else np.empty(0, "u1")
        if numbers.size != count or (kind == _CHAR and numbers.dtype.kind == "f"):
            raise Malformed
        table = numbers.reshape(shape, order="F")
        return table if kind != _CHAR else _texts(table)
    if kind == _STRUCT and count == 1:
        return _struct(raw, at, order, depth)
    if kind == _CELL and count <= MAX_VARIABLES:
        return [value for value, _ in _matrices(raw, at, count, order, depth)]
    return None


def _texts(table: Any) -> list[str]:
    """A row of letters each."""
    rows = table.reshape(table.shape[0], -1)[:MAX_VARIABLES, :256]
    return ["".join(chr(code) if 0 <= code < 0xD800 else "?" for code in row.tolist()).strip() for row in rows]  # noqa: PLR2004


def _struct(raw: bytes, at: int, order: Order, depth: int) -> dict[str, Any]:
    width = _element(raw, at, order)
    names = _element(raw, width[2], order)
    step = int(_numbers(width, order)[0]) if _numbers(width, order).size else 0
    if not 0 < step <= 256:  # noqa: PLR2004 (MATLAB allows 63 letters)
        raise Malformed
    fields = [
        names[1][first : first + step].split(b"\0")[0].decode("latin-1") for first in range(0, len(names[1]), step)
    ]
    if len(fields) > MAX_VARIABLES:
        raise Malformed
    values = _matrices(raw, names[2], len(fields), order, depth)
    return {field: value for field, (value, _) in zip(fields, values, strict=False)}


def _matrices(raw: bytes, at: int, count: int, order: Order, depth: int) -> Iterator[tuple[Any, int]]:
    """Values of matrices that follow one another."""
    for _ in range(count):
        kind, content, at = _element(raw, at, order)
        if kind != _MATRIX:
            raise Malformed
        yield _matrix(content, order, depth + 1)[1], at
