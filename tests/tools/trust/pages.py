"""Where generated tables stand in a page: between ``<!-- trust NAME -->`` and ``<!-- /trust -->``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

TRUST = Path(__file__).parents[3] / "docs" / "trust.md"
BLOCK = re.compile(r"(<!-- trust (\w+) -->\n)(.*?)(<!-- /trust -->)", re.DOTALL)


def published(page: Path = TRUST) -> dict[str, list[str]]:
    """Name → lines of the table."""
    return {name: body.strip().splitlines() for _, name, body, _ in BLOCK.findall(page.read_text(encoding="utf-8"))}


def replaced(text: str, name: str, lines: Sequence[str]) -> str:
    """The text with the lines of one table in their place."""
    block = "\n".join(lines)
    return BLOCK.sub(lambda found: f"{found[1]}{block}\n{found[4]}" if found[2] == name else found[0], text)
