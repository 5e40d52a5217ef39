"""The label of a bed: one rule for TOML, the command line, Python and the wire."""

from __future__ import annotations

import re
from pathlib import Path

from streamer.model.errors import ConfigError

BED_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
RESERVED_BEDS = frozenset({"status", "schema"})


def check_bed_id(text: str) -> str:
    """Return the text if it can be the label of a bed, and so a level of a topic.

    Raises:
        ConfigError: It is not 1 to 64 letters, digits, ``_``, ``.`` or ``-``, or it is a reserved word.

    Examples:
        >>> check_bed_id("icu-04")
        'icu-04'
        >>> check_bed_id("bed 4")
        Traceback (most recent call last):
            ...
        streamer.model.errors.ConfigError: bed id 'bed 4': use 1 to 64 letters, digits, '_', '.' or '-'
    """
    if not isinstance(text, str) or not BED_ID.fullmatch(text):
        raise ConfigError(f"bed id {str(text)[:80]!r}: use 1 to 64 letters, digits, '_', '.' or '-'")
    if text in RESERVED_BEDS:
        raise ConfigError(f"bed id {text!r} is the name of a topic; choose another")
    return text


def bed_id(path: Path) -> str:
    """Make a label for the bed of a recording from its file name; other characters become ``-``.

    Examples:
        >>> bed_id(Path("ward 3/night (2).csv"))
        'night-2'
    """
    label = re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem)[:64].strip("-.")
    return label if label and label not in {"status", "schema"} else f"bed-{label}".rstrip("-")
