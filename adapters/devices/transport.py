"""A wire to a device: a serial port, or TCP to a serial-to-network converter; used by the live adapters.

Every wait is bounded but the one for bytes, which the reader may cancel at any time without losing any. What was
received before the wire broke is read first.
"""

from __future__ import annotations

import asyncio
import errno
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol
from urllib.parse import urlsplit

from streamer.model.errors import ConfigError, SourceLost

OPEN_S, WRITE_S, CLOSE_S = 10.0, 5.0, 1.0
PIECE = 65_536
"""Bytes read at a time."""
HELD = 1 << 20
"""Half of the bytes that wait to be read before the sender, or the system's buffer, has to."""

_HOST = re.compile(r"[A-Za-z0-9_.:%-]{1,253}")
_REMEDIES = {
    errno.ENOENT: "is it plugged in? On Linux 'ls /dev/serial/by-id' lists the ports that are",
    errno.ENODEV: "is it plugged in? On Linux 'ls /dev/serial/by-id' lists the ports that are",
    errno.ENXIO: "is it plugged in? On Linux 'ls /dev/serial/by-id' lists the ports that are",
    errno.EACCES: "may you use it? On Linux add yourself to its group, often dialout, and log in again",
    errno.EPERM: "may you use it? On Linux add yourself to its group, often dialout, and log in again",
    errno.EBUSY: "another program has it; end that one first",
    errno.ENOTTY: "that is no serial port; name one such as /dev/ttyUSB0",
    errno.EISDIR: "that is no serial port; name one such as /dev/ttyUSB0",
    errno.EIO: "was it unplugged, or the device switched off?",
}
_NETWORK = "is the converter on, and are its address and port right?"


class Link(Protocol):
    """Bytes both ways."""

    name: str
    """The port, as errors name it."""

    async def read(self) -> bytes:
        """What has come, at least a byte; ``b""`` at the end. Raises ``SourceLost``."""
        ...

    async def write(self, piece: bytes, /) -> None:
        """Send. Raises ``SourceLost``."""
        ...


def check_port(port: str) -> tuple[str, int] | None:
    """Host and TCP port of a ``tcp://HOST:PORT``; None for a serial port.

    Raises:
        ConfigError: It is neither.
    """
    if "://" not in port:
        if not port or not port.isprintable():
            raise ConfigError(f"port {port!r}: expected a serial port such as /dev/ttyUSB0, or tcp://HOST:PORT")
        return None
    try:
        parts = urlsplit(port)
        number = parts.port
    except ValueError as error:
        raise ConfigError(f"port {port!r}: {error}") from None
    is_plain = parts.scheme == "tcp" and parts.username is None and not (parts.path or parts.query or parts.fragment)
    if not is_plain or not number or not _HOST.fullmatch(parts.hostname or ""):
        raise ConfigError(f"port {port!r}: expected a serial port such as /dev/ttyUSB0, or tcp://HOST:PORT")
    return parts.hostname or "", number


def check_tcp(port: str) -> tuple[str, int]:
    """Host and TCP port of what can be listened on. Raises ``ConfigError``."""
    address = check_port(port)
    if address is None:
        raise ConfigError(f"port {port!r}: listening needs tcp://HOST:PORT, such as tcp://127.0.0.1:4001")
    return address


def check_baudrate(baudrate: int) -> None:
    """Raises ``ConfigError`` for a rate no port has."""
    if not 50 <= baudrate <= 12_000_000:  # noqa: PLR2004 (the slowest of POSIX, the fastest of USB converters)
        raise ConfigError(f"baudrate = {baudrate}: expected one such as 9600, 19200, 38400 or 115200")


@asynccontextmanager
async def open_link(
    port: str, *, baudrate: int, bytesize: int = 8, parity: str = "N", stopbits: float = 1
) -> AsyncIterator[Link]:
    """A link to ``port``, a serial port or ``tcp://HOST:PORT``, open within the block.

    Args:
        port: Path of the serial port, or where the converter listens; the rest is for serial ports only.
        baudrate: Bits per second.
        bytesize: Data bits.
        parity: ``N``, ``E`` or ``O``.
        stopbits: 1 or 2.

    Raises:
        ConfigError: ``port`` names none, or the serial library is not installed.
        SourceLost: It cannot be opened.
    """
    address = check_port(port)
    reader = _Reader(limit=HELD)
    protocol = asyncio.StreamReaderProtocol(reader)
    try:
        async with asyncio.timeout(OPEN_S):
            if address is None:
                transport = await _open_serial(protocol, port, baudrate, bytesize, parity, stopbits)
            else:
                loop = asyncio.get_running_loop()
                transport, _ = await loop.create_connection(lambda: protocol, *address)
    except TimeoutError:
        remedy = "is the device's driver well?" if address is None else _NETWORK
        raise SourceLost(f"{port}: no answer within {OPEN_S:g} s; {remedy}") from None
    except OSError as error:
        remedy = _NETWORK if address else _REMEDIES.get(error.errno or 0, "check the port and its cable")
        raise SourceLost(f"{port}: cannot be opened: {_reason(error)}; {remedy}") from None
    stream = _Stream(port, reader, asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop()))
    try:
        yield stream
    finally:
        await stream.close()


@asynccontextmanager
async def await_link(port: str) -> AsyncIterator[Link]:
    """Listen at ``tcp://HOST:PORT``; a link to the first program that connects. Others are refused.

    A program that reaches the port speaks for the device: use loopback, or a network of its own.

    Raises:
        ConfigError: ``port`` is none to listen on.
        SourceLost: It is taken, or not ours.
    """
    address = check_tcp(port)
    loop = asyncio.get_running_loop()
    first: asyncio.Future[asyncio.StreamWriter] = loop.create_future()
    reader = _Reader(limit=HELD)

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep the first connection; close any other."""
        if first.done():
            writer.transport.abort()
        else:
            first.set_result(writer)

    def protocol() -> asyncio.Protocol:
        """Give the first connection the shared reader, and any other one of its own."""
        own = _Reader(limit=HELD) if first.done() else reader
        return asyncio.StreamReaderProtocol(own, connected, loop=loop)

    try:
        server = await loop.create_server(protocol, *address)
    except OSError as error:
        raise SourceLost(f"{port}: cannot listen: {_reason(error)}; does another program?") from None
    async with server:
        stream = _Stream(port, reader, await first)
        try:
            yield stream
        finally:
            await stream.close()


async def _open_serial(  # noqa: PLR0917 (what a port has)
    protocol: asyncio.Protocol, port: str, baudrate: int, bytesize: int, parity: str, stopbits: float
) -> asyncio.Transport:
    try:
        import serialx  # noqa: PLC0415 (only who has a serial port needs it)
    except ImportError:
        raise ConfigError(
            f"a serial port ({port}) needs ventstream[serial]: pip install 'ventstream[serial]'"
        ) from None
    check_baudrate(baudrate)
    try:
        transport, _ = await serialx.create_serial_connection(
            asyncio.get_running_loop(),
            lambda: protocol,
            port,
            baudrate=baudrate,
            byte_size=bytesize,
            parity=serialx.Parity(parity),
            stopbits=serialx.StopBits(stopbits),
        )
    except (serialx.SerialException, ValueError) as error:  # a setting that this system has not
        raise ConfigError(f"port {port}: {error}".partition("\n")[0]) from None
    return transport


class _Reader(asyncio.StreamReader):
    """Gives what came before the connection broke, then the end; the plain one throws it away."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit=limit)
        self.broken: Exception | None = None

    def set_exception(self, exc: Exception) -> None:
        self.broken = exc
        self.feed_eof()


class _Stream:
    """An open link."""

    def __init__(self, name: str, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self.name = name
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        piece = await self._reader.read(PIECE)
        if not piece and self._reader.broken is not None:
            raise self._lost(self._reader.broken)
        return piece

    async def write(self, piece: bytes, /) -> None:
        try:
            async with asyncio.timeout(WRITE_S):
                self._writer.write(piece)
                await self._writer.drain()
        except TimeoutError:
            raise SourceLost(f"{self.name}: takes no bytes for {WRITE_S:g} s; is the device there?") from None
        except OSError as error:
            raise self._lost(error) from None

    async def close(self) -> None:
        """Hang up; what was written goes out first, if that does not take long."""
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    def _lost(self, error: Exception) -> SourceLost:
        remedy = _REMEDIES[errno.EIO]
        return SourceLost(f"{self.name}: the connection is lost: {_reason(error)}; {remedy}")


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.partition("\n")[0]
