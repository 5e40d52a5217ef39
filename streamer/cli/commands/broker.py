"""The broker of a command: the one that was named, else the one inside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from streamer.files.credentials import read_secrets
from streamer.files.output import warn
from streamer.model.errors import BrokerError, ConfigError
from streamer.service.config import EmbeddedSettings, load_config
from streamer.service.embedded_broker import EmbeddedBroker
from streamer.service.settings import EMBEDDED, BrokerSettings
from streamer.wire import WireSettings

ANY_PORT = 0
PASSWORD = "VENTSTREAM_PASSWORD"  # noqa: S105 (the variable that holds it)


@contextmanager
def broker_for(
    settings: BrokerSettings, embedded: EmbeddedSettings | None = None, *, may_move: bool = False
) -> Iterator[BrokerSettings]:
    """Settings with which the broker is reached; the one inside runs as long as the block.

    Args:
        settings: As configured; ``url`` may be ``embedded``.
        embedded: Where the broker inside listens.
        may_move: Whether it may take another port when its own is taken, saying so.

    Raises:
        BrokerError: Its port is taken, or it does not start.
    """
    if settings.url != EMBEDDED:
        yield settings
        return
    where = embedded or EmbeddedSettings()
    try:
        broker = EmbeddedBroker(where.host, where.port, where.mqtt5_port or None).__enter__()
    except BrokerError:
        if not may_move:
            raise
        broker = EmbeddedBroker(where.host, ANY_PORT).__enter__()
        warn(f"port {where.port} is taken: the broker inside listens on port {broker.port} instead")
    try:
        yield broker.settings(settings)
    finally:
        broker.__exit__(None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """How a command line names a broker, and what proves to it who we are.

    Attributes:
        url: ``--broker``; None: that of the configuration, else the one that the command takes by itself.
        config: ``--config``: tables ``[broker]`` and ``[wire]`` of a configuration; its beds do not matter.
        password_file: ``--password-file``; else, for a broker with a user name, the variable ``PASSWORD``.
    """

    url: str | None = None
    config: Path | None = None
    password_file: Path | None = None

    def settings(self, or_else: str = EMBEDDED) -> BrokerSettings:
        """The broker's settings. Raises ``ConfigError``."""
        known = load_config(self.config).broker if self.config is not None else BrokerSettings(url=or_else)
        found = replace(known, url=self.url or known.url)
        if self.password_file is not None:
            found = replace(found, password_file=str(self.password_file), password_env="")
        if found.url == EMBEDDED:
            if self.password_file is not None:
                raise ConfigError("--password-file: name the broker as well, --broker mqtt://USER@HOST")
            return found
        if self.password_file is not None and found.address.username is None:
            raise ConfigError("--password-file: the broker needs a user name too, --broker mqtt://USER@HOST")
        names_none = not found.password_file and not found.password_env
        if names_none and found.address.username is not None and os.environ.get(PASSWORD):
            found = replace(found, password_env=PASSWORD)
        read_secrets(found)  # a file that is not there is said before anything is begun
        return found

    def wire(self) -> WireSettings:
        """The root of the topics."""
        return load_config(self.config).wire if self.config is not None else WireSettings()
