"""Serial ports and TCP as links. Ports are pseudo-terminals and loopback sockets of our own."""

from __future__ import annotations

import asyncio
import os
import pty
import socket
import sys
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from adapters.devices import transport as _link
from adapters.devices.transport import check_baudrate, check_port, open_link
from streamer.model.errors import ConfigError, SourceLost
from tests.support.brokers import free_port


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """The device's end, and the port's path."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.close(slave)
    yield master, path
    with suppress(OSError):
        os.close(master)


@asynccontextmanager
async def peer(says: bytes = b"", *, hears: bool = True) -> AsyncIterator[tuple[str, asyncio.StreamReader]]:
    """A TCP server that says something, and what it hears until we hang up; or it hangs up itself."""
    heard, over = asyncio.StreamReader(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        while hears and (piece := await reader.read(100)):
            heard.feed_data(piece)
        writer.close()
        await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
        await over.wait()


@pytest.mark.parametrize(
    ("port", "address"),
    [
        ("/dev/ttyUSB0", None),
        ("COM3", None),
        ("tcp://10.0.0.7:4001", ("10.0.0.7", 4001)),
        ("tcp://[::1]:4001", ("::1", 4001)),
    ],
)
def test_ports(port: str, address: tuple[str, int] | None) -> None:
    assert check_port(port) == address


@pytest.mark.parametrize(
    "port",
    ["", "a\nb", "tcp://", "tcp://host", "tcp://host:0", "tcp://host:99999", "tcp://me@host:1", "tcp://host:1/x",
     "udp://host:1", "socket://host:1", "tcp://[::1:5", "tcp://a b:5"],
)  # fmt: skip
def test_ports_that_are_none(port: str) -> None:
    with pytest.raises(ConfigError, match=r"^port .*") as caught:
        check_port(port)
    assert "\n" not in str(caught.value)


def test_a_baudrate_that_is_none() -> None:
    check_baudrate(38400)
    with pytest.raises(ConfigError, match="baudrate = 0: expected one such as 9600"):
        check_baudrate(0)


async def test_a_serial_port_both_ways_and_again(terminal: tuple[int, str]) -> None:
    master, path = terminal
    for _ in range(2):
        async with asyncio.timeout(5), open_link(path, baudrate=38400) as link:
            assert link.name == path
            os.write(master, b"1.00, 5.00\n")
            assert await link.read() == b"1.00, 5.00\n"
            await link.write(b"\x1bQ41\r")
            assert os.read(master, 100) == b"\x1bQ41\r"


async def test_an_unplugged_port(terminal: tuple[int, str]) -> None:
    master, path = terminal
    async with asyncio.timeout(5), open_link(path, baudrate=38400) as link:
        os.close(master)
        with pytest.raises(SourceLost) as caught:
            await link.read()
        with pytest.raises(SourceLost):
            await link.write(b"x")
    assert str(caught.value).startswith(f"{path}: the connection is lost: ")
    assert str(caught.value).endswith("was it unplugged, or the device switched off?")


async def test_a_port_in_use(terminal: tuple[int, str]) -> None:
    _, path = terminal
    async with asyncio.timeout(5), open_link(path, baudrate=9600):
        with pytest.raises(SourceLost, match="another program has it; end that one first"):
            async with open_link(path, baudrate=9600):
                pass


async def test_ports_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for port, says in (
        (tmp_path / "none", "cannot be opened: No such file or directory; is it plugged in?"),
        (tmp_path / "file", "cannot be opened: Inappropriate ioctl for device; that is no serial port"),
        (tmp_path, "cannot be opened: Is a directory; that is no serial port"),
        (Path("/dev/null"), "that is no serial port; name one such as /dev/ttyUSB0"),
    ):
        with pytest.raises(SourceLost) as caught:
            async with asyncio.timeout(5), open_link(str(port), baudrate=38400):
                pass
        assert f"{port}: " in str(caught.value)
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)


async def test_no_permission(monkeypatch: pytest.MonkeyPatch, terminal: tuple[int, str]) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SourceLost, match=r"Permission denied; may you use it.* dialout"):
        async with asyncio.timeout(5), open_link(terminal[1], baudrate=38400):
            pass


async def test_settings_no_port_has(terminal: tuple[int, str]) -> None:
    with pytest.raises(ConfigError, match="not a valid Parity"):
        async with asyncio.timeout(5), open_link(terminal[1], baudrate=38400, parity="X"):
            pass


async def test_without_the_serial_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serialx", None)
    with pytest.raises(ConfigError, match=r"needs ventstream\[serial\]: pip install 'ventstream\[serial\]'"):
        async with open_link("/dev/ttyUSB0", baudrate=38400):
            pass


async def test_tcp_both_ways_and_its_end() -> None:
    async with asyncio.timeout(5), peer(b"hello") as (port, heard), open_link(port, baudrate=1) as link:
        assert await link.read() == b"hello"
        await link.write(b"there")
        assert await heard.readexactly(5) == b"there"
    async with asyncio.timeout(5), peer(b"bye", hears=False) as (port, _), open_link(port, baudrate=1) as link:
        assert await link.read() == b"bye"
        assert await link.read() == b""


async def test_tcp_that_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    port = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(SourceLost, match=r"cannot be opened: .*is the converter on, and are its address and port"):
        async with asyncio.timeout(5), open_link(port, baudrate=1):
            pass
    with pytest.raises(SourceLost, match=r"cannot be opened: .*is the converter on"):
        async with asyncio.timeout(5), open_link("tcp://no-such-host.invalid:1", baudrate=1):
            pass
    monkeypatch.setattr(_link, "OPEN_S", 0.0)
    with pytest.raises(SourceLost, match="no answer within 0 s; is the converter on"):
        async with open_link(port, baudrate=1):
            pass


async def test_a_peer_that_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_link, "WRITE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
        async with asyncio.timeout(5), open_link(port, baudrate=1) as link:
            with pytest.raises(SourceLost, match=r"takes no bytes for 0\.05 s"):
                await link.write(b"x" * 50_000_000)


async def test_what_came_before_the_line_broke_is_read_first() -> None:
    reader = _link._Reader(limit=100)
    reader.feed_data(b"last words")
    reader.set_exception(OSError(5, "gone"))
    nowhere: Any = None
    stream = _link._Stream("p", reader, nowhere)
    assert await stream.read() == b"last words"
    with pytest.raises(SourceLost, match="p: the connection is lost: gone"):
        await stream.read()
