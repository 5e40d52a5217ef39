"""Which endpoint ``emulate --port`` names; those that lead elsewhere: a serial port, a topic of a broker."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
from contextlib import suppress
from types import ModuleType
from typing import Any, Self

from adapters.devices.transport import Link as SerialLink
from adapters.devices.transport import open_link
from streamer.cli.commands.broker import Named
from streamer.cli.emulator_ports import Endpoint, Hear, Pty, Tcp
from streamer.files.credentials import read_secrets
from streamer.model.errors import BrokerError, ConfigError, SourceLost
from streamer.service.publish.mqtt_connection import Link, MqttError, absent, connect, plain
from streamer.service.settings import BrokerSettings

LINE = ("baudrate", "bytesize", "parity", "stopbits")
"""Options of a device's ``Settings`` that a serial port has to have too."""


class Serial(Endpoint):
    """A serial port, as an adapter opens one; whether anybody listens cannot be known."""

    def __init__(self, hear: Hear, port: str, line: dict[str, Any]) -> None:
        super().__init__(hear)
        self._port, self._line = port, line
        self._link: SerialLink

    async def __aenter__(self) -> Self:
        self._link = await self._tasks.enter_async_context(open_link(self._port, **self._line))
        self._background(self._listen())
        self.about = f"is at {self._port}, {self._line}"
        return self

    async def listener(self) -> None:
        """Taken to be there."""

    async def send(self, piece: bytes) -> None:
        """Send; waits while the line is slow."""
        if piece:
            await self._link.write(piece)

    async def _listen(self) -> None:
        with suppress(SourceLost):
            while piece := await self._link.read():
                await self.send(self._hear(piece))


class Topic(Endpoint):
    """A topic of an MQTT broker: a message per line; whether anybody listens cannot be known."""

    def __init__(self, hear: Hear, broker: BrokerSettings, topic: str) -> None:
        super().__init__(hear)
        self._broker, self._topic = broker, topic
        self._link: Link | None = None

    async def __aenter__(self) -> Self:
        try:
            self._link = await connect(self._broker, read_secrets(self._broker))
        except (MqttError, OSError) as error:
            raise BrokerError(absent(self._broker.address, plain(error))) from None
        self._tasks.push_async_callback(self._link.close)
        self.about = f'publishes; subscribe with url = "{self._broker.url}", topic = "{self._topic}"'
        return self

    async def listener(self) -> None:
        """Taken to be there."""

    async def send(self, piece: bytes) -> None:
        """Publish; waits until the broker has it."""
        assert self._link is not None
        try:
            for line in piece.splitlines():
                await self._link.publish(self._topic, line, qos=1)
        except MqttError as error:
            address = self._broker.address
            raise BrokerError(f"the connection to the MQTT broker at {address} is lost: {plain(error)}") from None


def endpoint_at(port: str, module: ModuleType, hear: Hear) -> Endpoint:
    """The endpoint that ``--port`` names, for a device of that module. Raises ``ConfigError``."""
    if port == "pty":
        if os.name != "posix":
            raise ConfigError("--port pty: there are no pseudo-terminals on this system; use tcp://127.0.0.1:0")
        return Pty(hear)
    if port.startswith(("mqtt://", "mqtts://")):
        scheme, rest = port.split("://")
        broker, _, topic = rest.partition("/")
        if not topic or set(topic) & {"#", "+"}:
            raise ConfigError(f"--port {port!r}: expected a topic behind the broker: mqtt://127.0.0.1:1883/ward/flow")
        return Topic(hear, Named(url=f"{scheme}://{broker}").settings(), topic)
    if "://" not in port:
        settings: Any = getattr(module, "Settings", None)
        fields = dataclasses.fields(settings) if settings is not None else ()
        line = {field.name: field.default for field in fields if field.name in LINE}
        return Serial(hear, port, {"baudrate": 9600, **line})
    host, number = _loopback(port)
    return Tcp(hear, host, number)


def _loopback(port: str) -> tuple[str, int]:
    scheme, _, rest = port.partition("://")
    host, _, number = rest.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        is_ours = scheme == "tcp" and ipaddress.ip_address(host).is_loopback and 0 <= int(number) <= 65_535  # noqa: PLR2004
    except ValueError:
        is_ours = False
    if not is_ours:
        expected = (
            "pty, tcp://127.0.0.1:PORT (this machine only), mqtt://HOST/TOPIC, or a serial port such as /dev/ttyUSB1"
        )
        raise ConfigError(f"--port {port!r}: expected {expected}")
    return host, int(number)
