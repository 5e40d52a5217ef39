"""The embedded MQTT broker: a child process, with nothing to install. It listens on loopback by default.

It is ``iotcore`` (rumqttd), of which only start, stop and port are used, so that it can be swapped. Measured with
iotcore 0.4 (rumqttd 0.20), and the reason for what follows:

- MQTT 3.1.1 and MQTT 5 need a port each. The other protocol on a port is closed on without an answer.
- A message that carries MQTT 5 properties (an expiry, say) breaks the connection of every 3.1.1 subscriber to it. So
  our own client speaks 3.1.1 here, the 3.1.1 port is announced, and an MQTT 5 port is open only when asked for.
- Its own defaults listen on all interfaces, refuse payloads above 20 KB and may hold 1 GiB.
"""

from __future__ import annotations

import logging
import signal
import socket
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import iotcore

from streamer.model.errors import BrokerError
from streamer.service.settings import BrokerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

log = logging.getLogger(__name__)

KILL_AFTER_S = 0.3
"""The child does not hear SIGTERM; it has nothing to save."""
MAX_PAYLOAD = 1 << 20
SEGMENT_BYTES, SEGMENTS = 8 << 20, 4
"""Log per topic filter: 8 MiB x 4 lost nothing to a slow subscriber, 1 MiB x 4 did."""
ATTEMPTS = 3
"""A port found free may be gone a moment later; so another is tried."""


class EmbeddedBroker:
    """An MQTT broker that runs for as long as the ``with`` block lasts.

    Args:
        host: Interface to listen on.
        port: Port for MQTT 3.1.1; 0 for any free one.
        mqtt5_port: Port for MQTT 5; 0 for any free one, None for no such port.

    Raises:
        BrokerError: On entering, if a port is taken or the broker does not start.

    Examples:
        >>> with EmbeddedBroker(port=0) as broker:
        ...     broker.url.rpartition(":")[0]
        'mqtt://127.0.0.1'
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 1883, mqtt5_port: int | None = None) -> None:
        self.host = host
        self.port = port
        self.mqtt5_port = mqtt5_port
        self._wanted = (port, mqtt5_port)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._broker: iotcore.Broker | None = None

    @property
    def url(self) -> str:
        """``mqtt://127.0.0.1:1883``: for any MQTT 3.1.1 client."""
        return f"mqtt://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def settings(self, base: BrokerSettings | None = None) -> BrokerSettings:
        """The settings with which our own client reaches this broker."""
        return replace(base or BrokerSettings(), url=self.url, protocol="3.1.1")

    def __enter__(self) -> Self:
        any_port = 0 in self._wanted
        for attempt in range(ATTEMPTS if any_port else 1):
            try:
                self._start()
            except (OSError, RuntimeError) as error:
                self._stop()
                if not any_port or attempt == ATTEMPTS - 1:
                    raise BrokerError(self._complaint(error)) from None
            else:
                return self
        raise AssertionError

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _start(self) -> None:
        port, mqtt5_port = self._wanted
        self.port = port or _free_port(self.host)
        self.mqtt5_port = _free_port(self.host) if mqtt5_port == 0 else mqtt5_port
        self._folder = tempfile.TemporaryDirectory(prefix="ventstream-broker-")
        config = Path(self._folder.name) / "broker.toml"
        config.write_text(self._config(), encoding="utf-8")
        self._broker = iotcore.Broker(config_path=str(config))
        with _signals_stay_here():
            self._broker.start()
        log.info("embedded MQTT broker on %s", self.url)

    def _stop(self) -> None:
        if self._broker is not None:
            self._broker.stop(timeout=KILL_AFTER_S)
            self._broker = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _config(self) -> str:
        listeners = [("v4", self.port)] + ([("v5", self.mqtt5_port)] if self.mqtt5_port is not None else [])
        host = f"[{self.host}]" if ":" in self.host else self.host
        router = (
            "id = 0\n[router]\nid = 0\nmax_connections = 1000\nmax_outgoing_packet_count = 200\n"
            f"max_segment_size = {SEGMENT_BYTES}\nmax_segment_count = {SEGMENTS}\n"
        )
        return router + "".join(
            f'[{version}.tcp]\nname = "{version}"\nlisten = "{host}:{port}"\nnext_connection_delay_ms = 1\n'
            f"[{version}.tcp.connections]\nconnection_timeout_ms = 10000\nmax_payload_size = {MAX_PAYLOAD}\n"
            "max_inflight_count = 200\ndynamic_filters = true\n"
            for version, port in listeners
        )

    def _complaint(self, error: Exception) -> str:
        ports = str(self.port) if self.mqtt5_port is None else f"{self.port} or {self.mqtt5_port}"
        return (
            f"the embedded MQTT broker cannot listen on {self.host} port {ports}: {error}; "
            "choose another port (0: any free one) or name the running broker with --broker mqtt://HOST:PORT"
        )


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@contextmanager
def _signals_stay_here() -> Iterator[None]:
    """The child inherits blocked signals, so that what is sent to the whole process group does not end it before us.

    Ctrl-C in a terminal and a service manager's SIGTERM are; the last messages, ``offline`` among them, need the
    broker still. It ends when we kill it, or by itself when its standard input closes because we are gone.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
