"""Outputs besides MQTT, by the ``kind`` that a configuration names: ours, and those of other distributions.

An entry point ``ventstream.publishers`` whose object is an ``OutputKind`` adds one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from streamer.model import entry_points
from streamer.model.errors import ConfigError, OutputError
from streamer.model.validation_errors import did_you_mean
from streamer.service.publish import Publisher
from streamer.service.publish.memory import JsonLinesPublisher


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputKind:
    """One kind of output.

    Attributes:
        about: What it is, in one line.
        settings: Frozen dataclass of its options, as ``[[output]]`` of a configuration gives them.
        make: Settings → publisher. It may raise ``OutputError``.
    """

    about: str
    settings: type[Any]
    make: Callable[[Any], Publisher]


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLines:
    """Options of ``json_lines``.

    Attributes:
        path: The file; lines are added at its end.
    """

    path: Path


class _File(JsonLinesPublisher):
    """Closes its file at the end."""

    async def __aexit__(self, *exc: object) -> None:
        try:
            await super().__aexit__(*exc)
        finally:
            self._stream.close()


def _json_lines(settings: JsonLines) -> Publisher:
    try:
        return _File(settings.path.open("ab"))
    except OSError as error:
        raise OutputError(f"{settings.path}: cannot be written: {error.strerror or error}") from None


OUTPUTS: Mapping[str, OutputKind] = MappingProxyType(
    {
        "json_lines": OutputKind(
            about="every message as a line of JSON in a file", settings=JsonLines, make=_json_lines
        ),
    }
)
"""Kind → ours."""


@cache
def outputs() -> Mapping[str, OutputKind]:
    """Every kind that is installed.

    Raises:
        ConfigError: An entry point that is no ``OutputKind``, or has the name of one of ours.
    """
    others = entry_points.loaded(entry_points.PUBLISHERS, OutputKind, OUTPUTS)
    return MappingProxyType({**OUTPUTS, **others})


def find_output(kind: str) -> OutputKind:
    """The kind of that name. Raises ``ConfigError``."""
    known = outputs()
    if kind not in known:
        raise ConfigError(f"there is no output {kind!r}; {did_you_mean(kind, known)}")
    return known[kind]
