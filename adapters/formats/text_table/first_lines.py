"""The lines of the beginning of a file, as text."""

from __future__ import annotations

import re

from adapters.decoding.text_rows import BOM
from adapters.formats.text_table.fields import (
    Line,
)

LINES = 80
"""Lines at either end of them that must agree."""
MOST = 1000
"""Lines that are looked at."""
_LINE = re.compile(rb"\r\n|\r|\n")
_MAC = re.compile(rb"[A-Za-z][\x80-\x90\x98-\x9f][a-z]")
"""Within words Macs have é, è, ü here, Windows nothing that a word has."""


def lines_of(head: bytes, first: int, *, final: bool) -> tuple[list[Line], int]:
    """The complete lines of a file's beginning, the first with the number ``first``, and where the next begins.

    Of more than ``MOST`` lines, those in the middle are left out.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for end in _LINE.finditer(head):
        if end.end() == len(head) and end.group() == b"\r" and not final:
            break
        spans.append((start, end.start()))
        start = end.end()
    if final and start < len(head):
        spans.append((start, len(head)))
        start = len(head)
    numbered = list(enumerate(spans, first))
    some = numbered if len(numbered) <= MOST else [*numbered[: MOST - LINES], *numbered[-LINES:]]
    return [_line(number, begin, head[begin:end]) for number, (begin, end) in some], start


def _line(number: int, start: int, raw: bytes) -> Line:
    return Line(number, start, text_of(raw.removeprefix(BOM) if number == 1 else raw))


def text_of(raw: bytes) -> str:
    """A line as text: UTF-8, or what programs on Windows and old Macs write µ, ° and é with."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("mac-roman" if _MAC.search(raw) else "cp1252", "replace")
