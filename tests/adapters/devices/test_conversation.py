"""A conversation with a device that is a list of what happens, in a loop whose waits cost no time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import numpy as np
import pytest

from adapters.devices import conversation as _live
from adapters.devices.conversation import check_lost_s, converse
from streamer.model.chunk import Channel, Chunk
from streamer.model.errors import ConfigError, DecodeError, SourceLost
from streamer.model.records import Notice
from tests.support.timeless_loop import JumpingLoop, run_jumping


class Script:
    """A link: waits, bytes, an error, in order; then it is silent for ever."""

    name = "port"

    def __init__(self, *steps: float | bytes | Exception) -> None:
        self._steps = list(steps)
        self.written: list[bytes] = []

    async def read(self) -> bytes:
        while self._steps:
            match self._steps.pop(0):
                case bytes(piece):
                    return piece
                case Exception() as error:
                    raise error
                case wait_s:
                    await asyncio.sleep(wait_s)
        return await asyncio.Event().wait() and b""  # never

    async def write(self, piece: bytes, /) -> None:
        self.written.append(piece)


class Echo:
    """Notes what it is told; a chunk of one sample per byte."""

    def __init__(self) -> None:
        self.told: list[bytes | float] = []
        self._words = b""

    def opening(self) -> bytes:
        self._words = b"!"
        return b"hello"

    def feed(self, piece: bytes) -> Sequence[Chunk | Notice]:
        self.told.append(piece)
        if piece == b"bad":
            raise DecodeError("not spoken here")
        self._words = piece[:1]
        flow = np.zeros(len(piece))
        return [Chunk(source="echo", start_s=0.0, rate_hz=50.0, channels={Channel.FLOW: flow})]

    def silence(self, silent_s: float) -> Sequence[Chunk | Notice]:
        self.told.append(round(silent_s, 3))
        self._words = b"?"
        return []

    def answer(self) -> bytes:
        words, self._words = self._words, b""
        return words


def talk(*steps: float | bytes | Exception, lost_s: float = 30.0) -> tuple[Echo, Script, list[Chunk], str]:
    link, echo = Script(*steps), Echo()
    chunks: list[Chunk] = []

    async def go() -> None:
        async with aclosing(converse(link, echo, lost_s=lost_s)) as items:
            async for item in items:
                assert isinstance(item, Chunk)
                chunks.append(item)

    with pytest.raises((SourceLost, DecodeError)) as caught:
        run_jumping(go())
    return echo, link, chunks, str(caught.value)


def test_what_is_said_and_heard_and_when() -> None:
    echo, link, chunks, error = talk(b"ab", 0.4, b"cd", b"")
    assert echo.told == [b"ab", b"cd"]
    assert link.written == [b"hello!", b"a", b"c"]
    assert [len(chunk) for chunk in chunks] == [2, 2]
    assert all(chunk.received_ns for chunk in chunks)
    assert error == "port: the connection ended; is the device still on?"


def test_silence_is_told_once_a_second_and_in_full_before_what_ends_it() -> None:
    echo, link, _, _ = talk(b"a", 2.5, b"b", 0.9, b"c", b"")
    assert echo.told == [b"a", 1.0, 2.0, 2.5, b"b", b"c"]
    assert link.written[2:4] == [b"?", b"?"]


def test_a_device_that_falls_silent_is_lost() -> None:
    echo, _, _, error = talk(b"a", lost_s=3.0)
    assert echo.told == [b"a", 1.0, 2.0, 3.0]
    assert error == "port: nothing came for 3 s; is the device on and sending?"


def test_a_program_that_was_held_up_has_heard_no_silence() -> None:
    link, echo = Script(b"a", 0.5, b"b", b"c"), Echo()

    async def go() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        async with aclosing(converse(link, echo)) as items:
            await anext(items)
            loop.call_later(0.1, loop.busy, 20.0)
            await anext(items)
            await anext(items)

    run_jumping(go())
    assert [told for told in echo.told if isinstance(told, bytes)] == [b"a", b"b", b"c"]
    assert sum(told for told in echo.told if isinstance(told, float)) <= 1.0


def test_a_reader_that_takes_its_time_misses_nothing_and_makes_no_silence() -> None:
    link, echo = Script(b"a", b"b", b"c"), Echo()

    async def go() -> None:
        async with aclosing(converse(link, echo)) as items:
            for _ in range(3):
                await anext(items)
                await asyncio.sleep(60.0)

    run_jumping(go())
    assert echo.told == [b"a", b"b", b"c"]


def test_errors_name_the_port() -> None:
    assert talk(b"bad")[3] == "port: not spoken here"
    assert talk(b"a", SourceLost("port: unplugged"))[3] == "port: unplugged"


async def test_a_conversation_is_given_up_at_once() -> None:
    async with asyncio.timeout(5):
        items = converse(Script(b"a"), Echo())
        await anext(items)
        waiting = asyncio.create_task(anext(items))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await items.aclose()
    assert {task for task in asyncio.all_tasks() if task.get_name().startswith("read")} == set()


@pytest.mark.parametrize("lost_s", [0.0, float("nan"), 1e9])
def test_a_time_that_is_none(lost_s: float) -> None:
    check_lost_s(_live.LOST_S)
    with pytest.raises(ConfigError, match="lost_s = "):
        check_lost_s(lost_s)
