"""Files and folders that travel with the program: ``replay_data/…`` and ``config/…``."""

from __future__ import annotations

from pathlib import Path

from streamer.model.errors import ConfigError

PACKAGE = Path(__file__).parents[1]
ROOTS = PACKAGE, PACKAGE.parent
"""In a wheel these folders lie inside the package, in a checkout beside it."""


def bundled(name: str) -> Path:
    """A file or folder that travels with the program.

    Raises:
        ConfigError: It is not there: an incomplete installation.
    """
    for root in ROOTS:
        if (root / name).exists():
            return root / name
    raise ConfigError(f"{name} is missing from this installation; install ventstream again")
