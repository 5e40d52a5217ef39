"""Where the MQTT broker is and how to speak to it, and how a service runs. Settings only.

A secret is named by the file or the environment variable that holds it, never written into a URL, a configuration
or a log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streamer.files.broker_url import Address, parse_url
from streamer.model.errors import ConfigError

EMBEDDED = "embedded"
"""The broker URL that asks for the broker inside this program."""
MIN_SEGMENT_S = 10.0
LONGEST_16_BIT = 65_535
"""MQTT's keep-alive and receive maximum are 16 bit wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """Table ``[broker]`` of a configuration.

    Attributes:
        url: ``mqtt://[user@]host[:port]``, ``mqtts://…`` for TLS, or ``embedded``.
        username: User name; the one in the URL wins.
        password_file: File whose first line is the password.
        password_env: Environment variable that holds the password.
        ca_file: PEM of the authority that signed the broker's certificate; empty: the system's authorities.
        cert_file: PEM of our own certificate, where the broker asks for one.
        key_file: PEM of its key.
        protocol: ``auto`` tries MQTT 5 and falls back to 3.1.1.
        client_id: Empty: the broker or the library makes one up.
        keepalive_s: Seconds after which a silent connection is probed.
        stall_s: Seconds without any acknowledgement after which a connection counts as lost.
        in_flight: Messages sent and not yet acknowledged, at most.
        backoff_first_s: First wait before connecting again; doubles at each failure, jittered.
        backoff_max_s: Longest such wait.
        flush_s: Longest wait at the end for what is still to be delivered.
        commands: Whether to listen on ``<bed>/command``. Whoever may publish there speaks for the operator: the
            broker's access list says who. False asks for no subscription at all.

    Raises:
        ConfigError: A URL, protocol or number that cannot be used.
    """

    url: str = EMBEDDED
    username: str = ""
    password_file: str = ""
    password_env: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    client_id: str = ""
    keepalive_s: int = 30
    stall_s: float = 10.0
    in_flight: int = 200
    backoff_first_s: float = 0.5
    backoff_max_s: float = 30.0
    flush_s: float = 10.0
    commands: bool = True

    def __post_init__(self) -> None:
        if self.url != EMBEDDED:
            parse_url(self.url, or_else=repr(EMBEDDED))
        if self.protocol not in {"auto", "5", "3.1.1"}:
            raise ConfigError(f"broker protocol {self.protocol!r}: choose 'auto', '5' or '3.1.1'")
        if self.password_file and self.password_env:
            raise ConfigError("broker: give password_file or password_env, not both")
        if self.key_file and not self.cert_file:
            raise ConfigError("broker: key_file needs cert_file")
        for name in ("keepalive_s", "stall_s", "in_flight", "backoff_first_s", "backoff_max_s"):
            if not 0 < getattr(self, name) <= LONGEST_16_BIT:
                raise ConfigError(f"broker {name} = {getattr(self, name)!r}: expected a number above 0, at most 65535")
        if not self.flush_s >= 0:
            raise ConfigError(f"broker flush_s = {self.flush_s!r}: expected 0 or more seconds")

    @property
    def address(self) -> Address:
        """The URL taken apart, with the user name of these settings where the URL has none."""
        return parse_url(self.url, username=self.username)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Table ``[run]`` of a configuration.

    Attributes:
        stall_s: Wall seconds without a sample after which a live bed counts as stalled.
        state_period_s: Wall seconds between two reports of a bed's counters.
        backoff_first_s: First wait before a failed live source is opened again; doubles, jittered.
        backoff_max_s: Longest such wait.

    Raises:
        ConfigError: A time that is not above zero.
    """

    stall_s: float = 5.0
    state_period_s: float = 10.0
    backoff_first_s: float = 1.0
    backoff_max_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("stall_s", "state_period_s", "backoff_first_s", "backoff_max_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"run {name} = {getattr(self, name)!r}: expected seconds above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSettings:
    """Table ``[record]`` of a configuration: whether what arrives is written down.

    Attributes:
        folder: Where each session gets a folder ``BED/SESSION``; empty: nothing is recorded.
        segment_s: Samples of so long make a file.

    Raises:
        ConfigError: A time too short to be of use.
    """

    folder: str = ""
    segment_s: float = 600.0

    def __post_init__(self) -> None:
        if not self.segment_s >= MIN_SEGMENT_S:
            raise ConfigError(f"record segment_s = {self.segment_s!r}: expected {MIN_SEGMENT_S:g} seconds or more")


def backoff_s(failures: int, first_s: float, longest_s: float, chance: float) -> float:
    """Seconds to wait after that many failures in a row: doubling, bounded, spread so that many do not march in step.

    Args:
        failures: 1 after the first.
        first_s: Full wait after the first failure.
        longest_s: Bound.
        chance: Uniform in 0 to 1; the wait is 50 to 100 % of the full one.
    """
    full = min(longest_s, first_s * 2.0 ** min(failures - 1, 30))
    return full * (0.5 + 0.5 * chance)
