"""What other distributions add: formats, devices, metrics and outputs, by entry points.

A distribution declares ``[project.entry-points."ventstream.formats"]`` with ``acme = "acme_vent.format:FORMAT"``. The
groups, and what each entry must be, stand in ``docs/contributing.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from streamer.model.errors import ConfigError

Kind = TypeVar("Kind")

FORMATS, DEVICES = "ventstream.formats", "ventstream.devices"
METRICS, PUBLISHERS = "ventstream.metrics", "ventstream.publishers"


@cache
def added(group: str) -> Mapping[str, EntryPoint]:
    """Name → entry point of a group, in the order of names. Reading them imports nothing."""
    return {one.name: one for one in sorted(entry_points(group=group), key=lambda one: one.name)}


def loaded(group: str, kind: type[Kind], ours: Collection[str] = ()) -> dict[str, Kind]:
    """Name → object of every entry of a group.

    Args:
        group: The group.
        kind: The type that each object must have.
        ours: Names that are built in; an entry must not have one of them.

    Raises:
        ConfigError: An entry that cannot be imported, is of another type than ``kind``, or has the name of a built-in
            one; the message names the distribution.
    """
    found = {}
    for name, entry in added(group).items():
        if name in ours:
            raise ConfigError(f"{_whose(entry)}: there is one of this name already")
        try:
            one = entry.load()
        except Exception as error:  # noqa: BLE001 (code of others may raise anything)
            raise ConfigError(f"{_whose(entry)} cannot be imported: {type(error).__name__}: {error}") from None
        if not isinstance(one, kind):
            raise ConfigError(f"{_whose(entry)} is {one!r:.80}, expected a {kind.__name__}")
        found[name] = one
    return found


def _whose(entry: EntryPoint) -> str:
    distribution = entry.dist.name if entry.dist else "an installed distribution"
    return f"entry point {entry.name!r} ({entry.group}) of {distribution}"
