"""A dialogue with a device that only sends lines of samples, at one rate, without a clock and without a memory.

We come in the middle of a line, so what stands before the first line end is left out: the end of a row may look like
one. Silence of more than ``GAP_S`` is time whose samples are lost, and the next chunk starts later by it; a shorter
one, or the part of it that is made up for by lines that come all at once, was only a delay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from adapters.devices.conversation import OneWay
from streamer.model.chunk import Chunk
from streamer.model.records import Notice, NoticeKind

GAP_S = 1.0
STRANGE = 4096
"""Bytes without a row after which somebody should look at the port's settings."""

_LINE_END = re.compile(rb"[\r\n]+")


class Lines(Protocol):
    """A decoder that can be interrupted."""

    @property
    def good_rows(self) -> int:
        """Rows kept, ever."""
        ...

    @property
    def now_s(self) -> float:
        """Time of the next row."""
        ...

    def feed(self, piece: bytes, /) -> list[Chunk | Notice]:
        """What the bytes so far complete."""
        ...

    def interrupt(self, lost_s: float, /) -> None:
        """Samples of so long a time will never come, nor the rest of a line that has begun."""
        ...


class LineListener(OneWay):
    """The dialogue; ``expected`` says in a notice what should come."""

    def __init__(self, decoder: Lines, rate_hz: float, expected: str) -> None:
        self._decoder, self._rate_hz, self._expected = decoder, rate_hz, expected
        self._in_line, self._in_ends = True, False
        self._strange = 0

    def feed(self, piece: bytes) -> Sequence[Chunk | Notice]:
        """What the bytes so far complete."""
        ends = len(_LINE_END.findall(piece))
        lost_s = self._silent_s - max(ends - 1, 0) / self._rate_hz
        if self._silent_s and lost_s > GAP_S:
            self._in_line = True
            if self._decoder.good_rows:
                self._decoder.interrupt(lost_s)
        self._silent_s = 0.0
        before = self._decoder.good_rows
        items = self._decoder.feed(self._from_a_line_on(piece))
        self._strange = self._strange + len(piece) if self._decoder.good_rows == before else 0
        if self._strange >= STRANGE > self._strange - len(piece):
            items.append(self._strangeness())
        return items

    def _strangeness(self) -> Notice:
        what = f"{STRANGE} bytes came without a single row; expected are {self._expected}: check the port's settings"
        at_s = self._decoder.now_s
        return Notice(bed="", at_s=at_s, kind=NoticeKind.DAMAGED, detail=what, values={"rows": 0.0})

    def _from_a_line_on(self, piece: bytes) -> bytes:
        if self._in_line:
            end = _LINE_END.search(piece)
            if end is None:
                return b""
            self._in_line, self._in_ends = False, True
            piece = piece[end.end() :]
        if self._in_ends:  # of which some may have been in the piece before
            piece = piece.lstrip(b"\r\n")
            self._in_ends = not piece
        return piece
