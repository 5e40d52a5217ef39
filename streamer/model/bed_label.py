"""What a bed may be called. The same rule in TOML, on the command line, in Python and on the wire."""

from __future__ import annotations

import re
from pathlib import Path

from streamer.model.errors import ConfigError

BED_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
RESERVED_BEDS = frozenset({"status", "schema"})


def check_bed_id(text: str) -> str:
    """The text, if it can be a bed's label and a level of a topic.

    Raises:
        ConfigError: Another character, more than 64 of them, or a reserved word.
    """
    if not isinstance(text, str) or not BED_ID.fullmatch(text):
        raise ConfigError(f"bed id {str(text)[:80]!r}: use 1 to 64 letters, digits, '_', '.' or '-'")
    if text in RESERVED_BEDS:
        raise ConfigError(f"bed id {text!r} is the name of a topic; choose another")
    return text


def bed_id(path: Path) -> str:
    """A label for the bed of a recording: its file name, with what no topic may hold replaced."""
    label = re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem)[:64].strip("-.")
    return label if label and label not in {"status", "schema"} else f"bed-{label}".rstrip("-")
