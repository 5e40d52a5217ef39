"""JSON objects in an array, or one after the other, cut out of bytes that come in any pieces.

An object may go over several lines, and an array be one line of any length. Bounded: no object is longer than a line of
text may be. The same for every cutting: what is cut out hangs on the bytes before its end alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from adapters.decoding.text_rows import BOM, MAX_LINE, Line

_STRING = rb'"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*'
_FLAT = re.compile(rb'\{(?:[^{}"]|' + _STRING + rb'")*\}')
_TOKEN = re.compile(rb"[{}]|" + _STRING)
_QUOTE = 0x22


class Objects:
    """Bytes → one ``Line`` an object, with its number among all in place of a line's; what is no object is one too.

    Args:
        flat: No object holds another: one that is not closed ends where the next begins.
    """

    def __init__(self, *, flat: bool) -> None:
        self._flat = flat
        self._bytes = b""
        self._number = 0

    @property
    def is_within_line(self) -> bool:
        """Whether an object has begun whose end did not come."""
        return b"{" in self._bytes

    def feed(self, piece: bytes) -> Iterator[Line]:
        """What the bytes so far complete."""
        text, at = self._bytes + piece, 0
        while (start := text.find(b"{", at)) >= 0:
            end = self._end(text, start)
            if end is None:
                at = start
                break
            yield self._line(text[start : min(end, start + MAX_LINE + 1)])
            at = end
        else:
            at = len(text)
        self._bytes = text[at:]

    def close(self) -> Iterator[Line]:
        """The last, if it was not closed."""
        if self._bytes:
            yield self._line(self._bytes)
        self._bytes = b""

    def _line(self, text: bytes) -> Line:
        self._number += 1
        return Line(self._number, text)

    def _end(self, text: bytes, start: int) -> int | None:
        """Where the object at ``start`` ends, whole or broken; None while that is not known."""
        most = start + MAX_LINE + 1
        if self._flat and (whole := _FLAT.match(text, start, most)):
            return whole.end()
        depth, at = 0, start
        while found := _TOKEN.search(text, at, most):
            at = found.end()
            if text[found.start()] == _QUOTE:
                if at >= min(len(text) - 1, most):  # its end may follow
                    break
                if text[at] != _QUOTE:
                    return at  # no string goes over a line
                at += 1
            elif found[0] == b"}":
                depth -= 1
            elif self._flat and depth:
                return found.start()
            else:
                depth += 1
            if depth == 0:
                return at
        return most if len(text) > most else None


def begins_array(head: bytes) -> bool:
    """Whether the first byte that is no blank opens an array."""
    return head.removeprefix(BOM).lstrip(b" \t\r\n").startswith(b"[")
