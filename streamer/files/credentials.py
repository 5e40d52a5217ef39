"""Read passwords and certificates when a connection is made. They are never logged.

For the broker that we publish to, and for brokers that samples come from; ``whose`` names the broker in errors.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from streamer.files.broker_url import Address
from streamer.model.errors import ConfigError

MAX_SECRET = 4096


class Named(Protocol):
    """Settings that name the files and variables with the secrets; an empty text names none."""

    @property
    def address(self) -> Address:
        """Host, port and user name of the broker."""
        ...

    @property
    def password_file(self) -> str:
        """File whose first line is the password."""
        ...

    @property
    def password_env(self) -> str:
        """Environment variable that holds the password."""
        ...

    @property
    def ca_file(self) -> str:
        """PEM file of the authority that signed the broker's certificate."""
        ...

    @property
    def cert_file(self) -> str:
        """PEM file of our own certificate."""
        ...

    @property
    def key_file(self) -> str:
        """PEM file of the key of our certificate."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Our password, and certificates with the authorities we trust. ``repr`` does not show them."""

    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


def read_secrets(settings: Named, whose: str = "broker") -> Secrets:
    """Read the password and the certificates that the settings name.

    Raises:
        ConfigError: A password or certificate file cannot be used.
    """
    return Secrets(
        password=read_password(settings, whose), tls=tls_context(settings, whose) if settings.address.tls else None
    )


def read_password(settings: Named, whose: str = "broker") -> str | None:
    """The password from its file or environment variable, or None when neither is named.

    Raises:
        ConfigError: The file cannot be read or is empty, or the variable is not set.
    """
    if settings.password_env:
        found = os.environ.get(settings.password_env, "")
        if not found:
            raise ConfigError(f"{whose} password_env: the environment variable {settings.password_env!r} is not set")
        return found
    if not settings.password_file:
        return None
    try:
        with Path(settings.password_file).open(encoding="utf-8") as lines:
            found = lines.readline(MAX_SECRET).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{whose} password_file {settings.password_file!r}: {_reason(error)}") from None
    if not found:
        raise ConfigError(f"{whose} password_file {settings.password_file!r}: its first line is empty")
    return found


def tls_context(settings: Named, whose: str = "broker") -> ssl.SSLContext:
    """A TLS context that verifies the certificate and the name of the broker; this cannot be switched off.

    Raises:
        ConfigError: A certificate or key file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{whose} ca_file {settings.ca_file!r}: {_reason(error)}") from None
    if settings.cert_file:
        try:
            context.load_cert_chain(settings.cert_file, settings.key_file or None, password=_no_prompt)
        except (OSError, ssl.SSLError) as error:
            names = " and ".join(filter(None, (settings.cert_file, settings.key_file)))
            raise ConfigError(f"{whose} cert_file and key_file ({names}): {_reason(error)}") from None
    return context


def _no_prompt() -> str:
    raise OSError("the key is encrypted; give one without a passphrase, readable by the service alone")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
