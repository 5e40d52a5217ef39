"""Where an emulated device is plugged in, on this machine: a pseudo-terminal, TCP on loopback.

An endpoint has one listener at a time, who may leave and come back. What is sent while there is none is lost, as on
any wire.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import select
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import Any, Self

from streamer.model.errors import ConfigError

Hear = Callable[[bytes], bytes]
PIECE = 65_536
LOOK_S = 0.02
"""Interval between two looks at a state that gives no signal when it changes."""
SETTLE_S = 0.2
"""A program that opens a port first throws away what came before it was ready."""
DRAIN_S = 2.0
"""Longest wait at the end for a listener to take the last bytes."""


class Endpoint(ABC):
    """One end of a wire, used as an asynchronous context manager.

    Args:
        hear: Gives the answers to what the listener says.
    """

    about = ""
    """Where to connect, in words; known once it is entered."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._tasks = AsyncExitStack()

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None:
        await self._tasks.aclose()

    @abstractmethod
    async def listener(self) -> None:
        """Wait until somebody is there."""

    @abstractmethod
    async def send(self, piece: bytes) -> None:
        """Send; waits while the listener is slow, and returns when there is none."""

    async def drain(self) -> None:  # noqa: B027 (most have nothing to do)
        """Wait until the listener has all of it, but not for long."""

    def _background(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)

        async def stop() -> None:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()  # the sending task gets the same error

        self._tasks.push_async_callback(stop)


class Tcp(Endpoint):
    """Listens on loopback; a second listener is turned away."""

    def __init__(self, hear: Hear, host: str, port: int) -> None:
        super().__init__(hear)
        self._address = (host, port)
        self._writer: asyncio.StreamWriter | None = None
        self._is_there = asyncio.Event()

    async def __aenter__(self) -> Self:
        host, port = self._address
        try:
            server = await asyncio.start_server(self._serve, host, port)
        except OSError as error:
            reason = error.strerror or error
            raise ConfigError(f"--port: cannot listen on {host} port {port}: {reason}; name another, or 0") from None
        self._tasks.push_async_callback(server.wait_closed)
        self._tasks.callback(self._hang_up)
        self._tasks.callback(server.close)
        shown = f"[{host}]" if ":" in host else host
        self.about = f'listens; connect with port = "tcp://{shown}:{server.sockets[0].getsockname()[1]}"'
        return self

    async def listener(self) -> None:
        """Wait until somebody has connected."""
        await self._is_there.wait()

    async def send(self, piece: bytes) -> None:
        """Send; waits while the listener is slow."""
        writer = self._writer
        if writer is not None and piece:
            with suppress(OSError):
                writer.write(piece)
                await writer.drain()

    async def drain(self) -> None:
        """Wait until the listener has read to the end and hung up, but not for long."""
        if self._writer is not None:
            with suppress(OSError, TimeoutError):
                self._writer.write_eof()
                async with asyncio.timeout(DRAIN_S):
                    await self._writer.wait_closed()

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:
            writer.close()
            return
        self._writer = writer
        self._is_there.set()
        try:
            while piece := await reader.read(PIECE):
                await self.send(self._hear(piece))
        except OSError:
            pass  # gone, as at the end
        finally:
            self._writer = None
            self._is_there.clear()
            writer.close()


class Pty(Endpoint):
    """A pseudo-terminal: to a program, a serial port.

    Nothing tells when a program opens or leaves it but a look at whether the line is hung up.
    """

    async def __aenter__(self) -> Self:
        pty, tty = (importlib.import_module(name) for name in ("pty", "tty"))  # there is none on Windows
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self._path = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        self._tasks.callback(os.close, self._master)
        self._background(self._listen())
        self.about = f'is at {self._path}; connect with port = "{self._path}"'
        return self

    def _is_there(self) -> bool:
        looking = select.poll()
        looking.register(self._master, 0)
        return not any(found & select.POLLHUP for _, found in looking.poll(0))

    async def listener(self) -> None:
        """Wait until a program has opened it and is ready."""
        if not self._is_there():
            while not self._is_there():  # noqa: ASYNC110 (nothing tells but looking)
                await asyncio.sleep(LOOK_S)
            await asyncio.sleep(SETTLE_S)

    async def send(self, piece: bytes) -> None:
        """Send; waits while the program is slow."""
        while piece and self._is_there():
            try:
                piece = piece[os.write(self._master, piece) :]
            except BlockingIOError:
                await asyncio.sleep(LOOK_S)

    async def drain(self) -> None:
        """What is left in the line is lost when it is hung up: wait until the program has read it."""
        fcntl, termios = (importlib.import_module(name) for name in ("fcntl", "termios"))
        line = os.open(self._path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            for _ in range(int(DRAIN_S / LOOK_S)):
                await asyncio.sleep(LOOK_S)
                if not int.from_bytes(fcntl.ioctl(line, termios.FIONREAD, bytes(4)), "little"):
                    return
        finally:
            os.close(line)

    async def _listen(self) -> None:
        while True:
            try:
                heard = os.read(self._master, PIECE)
            except OSError:  # nothing was sent, or no program has the port open
                await asyncio.sleep(LOOK_S)
            else:
                await self.send(self._hear(heard))
