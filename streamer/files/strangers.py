"""Packages of other distributions that have our names.

Both names are popular; an installer may have written a package of the same name over ours.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from streamer.model.errors import ConfigError

PACKAGES = ("streamer", "adapters")
MARKER = '__distribution__ = "ventstream"'
"""A line of both packages' ``__init__.py``."""


def refuse_strangers() -> None:
    """Stop when another distribution's ``streamer`` or ``adapters`` lies where ours should.

    Raises:
        ConfigError: Which one, where it lies, and what to do.
    """
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)  # does not run the stranger
        where = spec.origin if spec is not None else None
        if where is None:
            raise ConfigError(f"the package {name!r} of ventstream is not installed; install ventstream again")
        if MARKER not in Path(where).read_text(encoding="utf-8", errors="replace"):
            raise ConfigError(
                f"the package {name!r} at {Path(where).parent} is not ventstream's but another of the same name; "
                "install ventstream in a virtual environment of its own"
            )
