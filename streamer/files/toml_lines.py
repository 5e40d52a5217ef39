"""Find the line of each key of a TOML text, for the messages of ``files.toml``.

``tomllib`` does not report where a key stands. This module scans the text a second time, knowing that it is correct
TOML: it follows brackets, strings and line breaks, and interprets no value.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from streamer.model.validation_errors import KeyPath

_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+|\#[^\n]*)"""
    r'''|"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*\''''
    r"""|[\w\-+:]+|.""",
    re.DOTALL,
)


def find_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of each key path of a text that ``tomllib`` accepts; arrays count from 0."""
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}  # how many [[table]] headers each array of tables has had
    tokens = _Tokens(text)
    table: KeyPath = ()
    while tokens.skip_breaks():
        line = tokens.line
        if not tokens.take("["):
            _key_value(tokens, table, lines, "")
            continue
        is_array, table = tokens.take("["), ()
        *parents, last = tokens.keys("]")
        for part in parents:
            table = (*table, part)
            lines.setdefault(table, line)
            table = (*table, counts[table] - 1) if table in counts else table
        table = (*table, last)
        if is_array and tokens.take("]"):
            lines.setdefault(table, line)
            counts[table] = counts.get(table, 0) + 1
            table = (*table, counts[table] - 1)
        lines[table] = line
    return lines


def _key_value(tokens: _Tokens, table: KeyPath, lines: dict[KeyPath, int], end: str) -> None:
    line, path = tokens.line, table
    for part in tokens.keys("="):
        path = (*path, part)
        lines.setdefault(path, line)
    _value(tokens, path, lines, end)


def _value(tokens: _Tokens, path: KeyPath, lines: dict[KeyPath, int], end: str) -> None:
    """Skip one value and the comma after it; ``end`` closes the array or inline table that holds it."""
    if tokens.take("["):
        index = 0
        while tokens.skip_breaks() and not tokens.take("]"):
            lines[*path, index] = tokens.line
            _value(tokens, (*path, index), lines, "]")
            index += 1
    elif tokens.take("{"):
        while tokens.skip_breaks() and not tokens.take("}"):
            _key_value(tokens, path, lines, "}")
    while not tokens.at("\n", ",", end, ""):
        tokens.next()
    if end and tokens.skip_breaks():
        tokens.take(",")


class _Tokens:
    """A cursor over the tokens of a TOML text, spaces and comments left out; ``""`` is the end of the text."""

    def __init__(self, text: str) -> None:
        self._tokens = self._scan(text)
        self.line, self._word = next(self._tokens)

    @staticmethod
    def _scan(text: str) -> Iterator[tuple[int, str]]:
        line = 1
        for match in _TOKEN.finditer(text):
            if match["blank"] is None:
                yield line, match.group()
            line += match.group().count("\n")
        yield line, ""

    def at(self, *words: str) -> bool:
        """Whether the next token is one of these."""
        return self._word in words

    def next(self) -> str:
        """Take the next token."""
        word = self._word
        self.line, self._word = next(self._tokens, (self.line, ""))
        return word

    def take(self, word: str) -> bool:
        """Take the next token if it is this one; whether it was."""
        return self.at(word) and bool(self.next())

    def skip_breaks(self) -> bool:
        """Skip line breaks; False at the end of the text."""
        while self.take("\n"):
            pass
        return not self.at("")

    def keys(self, end: str) -> Iterator[str]:
        """The parts of a dotted key, up to and including ``end``."""
        while not self.at(""):
            word = self.next()
            yield next(iter(tomllib.loads(f"{word}=0"))) if word[0] in "\"'" else word
            if self.take(end):
                return
            self.take(".")
