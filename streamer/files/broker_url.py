"""Parse the URL of an MQTT broker, of the one we publish to and of those that samples come from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from streamer.model.errors import ConfigError

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_HOST = re.compile(r"[A-Za-z0-9_.:%-]{1,253}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The parts of a broker URL."""

    host: str
    port: int
    tls: bool
    username: str | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_url(url: str, *, username: str = "", or_else: str = "") -> Address:
    """Split ``mqtt://user@host:1883`` into its parts.

    Args:
        url: The URL.
        username: User name if the URL has none.
        or_else: Another accepted value, for the error message.

    Raises:
        ConfigError: Another scheme, no host, a bad port, a password, or a path.

    Examples:
        >>> parse_url("mqtts://icu@broker.example").port
        8883
    """
    alternative = f" or {or_else}" if or_else else ""
    shown = re.sub(r":[^/@:]*@", ":…@", url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"broker URL {shown!r}: {error}") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise ConfigError(f"broker URL {shown!r}: expected mqtt://HOST[:PORT], mqtts://HOST[:PORT]{alternative}")
    if parts.password is not None:
        raise ConfigError(
            f"broker URL {shown!r}: keep the password out of it; use --password-file, password_file or password_env"
        )
    if not _HOST.fullmatch(parts.hostname or "") or port == 0:
        raise ConfigError(f"broker URL {shown!r}: expected {parts.scheme}://HOST[:PORT]")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ConfigError(f"broker URL {shown!r}: nothing may follow the port; topics have their own setting")
    return _address(parts, port, username)


def _address(parts: SplitResult, port: int | None, username: str) -> Address:
    return Address(
        host=parts.hostname or "",
        port=port or DEFAULT_PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        username=unquote(parts.username or "") or username or None,
    )
