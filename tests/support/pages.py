"""The pages that users read: their fenced blocks, each with the comment above it, and their links."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPO = Path(__file__).parents[2]
PAGES = (REPO / "README.md", *sorted((REPO / "docs").glob("*.md")))
NOT_RUN = "not run: "
"""Begins a comment above a block that the tests leave out; the reason follows."""

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^()\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<title>.+?) *$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        page: Where it stands.
        line: Its first line in the page, from 1.
        language: As written behind the fence; empty for none.
        mark: The comment directly above it; empty for none.
        text: What is inside.
    """

    page: Path
    line: int
    language: str
    mark: str
    text: str

    @property
    def place(self) -> str:
        """For messages: ``docs/mqtt.md:20``."""
        return f"{self.page.relative_to(REPO)}:{self.line}"


@cache
def blocks_of(page: Path) -> tuple[Block, ...]:
    """The blocks of a page, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    return tuple(
        Block(page, text.count("\n", 0, found.start("text")) + 1, found["language"], found["mark"] or "", found["text"])
        for found in _BLOCK.finditer(text)
    )


def every_block(language: str) -> list[Block]:
    """The blocks of a language in all pages."""
    return [block for page in PAGES for block in blocks_of(page) if block.language == language]


def marked(mark: str) -> Block:
    """The only block below this comment, in all pages."""
    (found,) = [block for page in PAGES for block in blocks_of(page) if block.mark == mark]
    return found


def commands(text: str) -> list[str]:
    """The commands of a block, a line each; a backslash at the end joins lines."""
    joined = text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def broken_links(page: Path) -> Iterator[str]:
    """Links of a page that lead to no file, or to no heading of it."""
    prose = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    for found in _LINK.finditer(prose):
        target, _, anchor = found["target"].partition("#")
        if target.startswith(("https://", "mailto:")):
            continue
        there = page.parent / target if target else page
        if not there.is_file() or (anchor and anchor not in _anchors(there)):
            yield found["target"]


@cache
def _anchors(page: Path) -> frozenset[str]:
    """Names of a page's headings, as Python-Markdown makes them."""
    titles = _HEADING.findall(_BLOCK.sub("", page.read_text(encoding="utf-8")))
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", title) for title in titles)
    ascii_only = (unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode() for title in plain)
    return frozenset(re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in ascii_only)


def named_paths(page: Path) -> Iterator[str]:
    """Files and folders that a page says are there, as ``streamer/core/bed.py``; not those that a recipe writes."""
    written = {block.mark.removeprefix("file: ") for block in blocks_of(page)}
    prose = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    named = re.findall(r"`((?:streamer|adapters|tests|docs|config|examples|replay_data)/[\w./-]*)`", prose)
    yield from (path for path in named if path not in written)
