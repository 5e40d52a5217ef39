"""Emulated devices, in this process and as a user starts them: pseudo-terminals and loopback ports of our own."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from adapters.decoding.stamped_grid import AHEAD
from adapters.devices import DEVICES, json_lines, pb840
from adapters.recordings.open import open_recording
from streamer.cli import main
from streamer.cli.commands.emulate import play
from streamer.cli.emulator_port_kinds import endpoint_at
from streamer.cli.emulator_ports import Endpoint, Pty, Tcp
from streamer.model.chunk import Channel, Chunk, Emulator
from streamer.model.errors import ConfigError, SourceLost
from streamer.service.config import REPLAYED
from streamer.service.plugins import find_adapter, find_emulator, known_adapters
from tests.support.adapter_contract import Item, Stream, check, stream

REPO = Path(__file__).parents[2]
PCV = REPO / "replay_data" / "pcv.csv"
Captured = pytest.CaptureFixture[str]


def whole(path: Path = PCV) -> Stream:
    return stream(open_recording(path).items())


@asynccontextmanager
async def emulated(
    port: str, device: ModuleType = pb840, *, speed: float = np.inf, path: Path = PCV
) -> AsyncIterator[tuple[Endpoint, str]]:
    """A device that plays once somebody listens; where."""
    found = whole(path).stretches[0]
    emulator: Emulator = device.Emulator(found.rate_hz, frozenset(found.joined()))
    async with endpoint_at(port, device, emulator.hear) as endpoint:
        playing = asyncio.create_task(play(endpoint, emulator, open_recording(path).items(), speed))
        matched = re.search(r'port = "(.*)"', endpoint.about)
        assert matched
        yield endpoint, matched[1]
        playing.cancel()
        await asyncio.wait({playing})
        if not playing.cancelled():
            playing.result()


async def heard(settings: Any, device: ModuleType = pb840, *, samples: float = np.inf) -> tuple[Stream, str]:
    """What a live source gives until it is lost, or so many samples; and how it was lost."""
    items: list[Item] = []
    try:
        async with asyncio.timeout(20), aclosing(device.chunks(settings)) as source:
            async for item in source:
                items.append(item)
                if sum(len(item) for item in items if isinstance(item, Chunk)) >= samples:
                    break
    except SourceLost as error:
        return check(items), str(error)
    return check(items), ""


@pytest.mark.parametrize("port", ["pty", "tcp://127.0.0.1:0", "tcp://localhost:0"])
async def test_what_is_played_is_what_is_heard(port: str) -> None:
    """To the decimals of the device: L/min and cmH2O in hundredths."""
    played = whole()
    async with emulated(port) as (_, where):
        found, error = await heard(pb840.Settings(port=where), samples=played.n if port == "pty" else np.inf)
    assert error == ("" if port == "pty" else f"{where}: the connection ended; is the device still on?")
    assert [(s.start_s, s.rate_hz, s.n) for s in found.stretches] == [(0.0, 50.0, played.n)]
    assert found.notices == []
    for channel, factor in ((Channel.FLOW, 60.0), (Channel.PAW, 1.0)):
        expected = np.array([float(f"{factor * value:.2f}") / factor for value in played.samples(channel)])
        assert np.array_equal(found.samples(channel), expected)


async def test_lines_of_json_are_heard_to_the_last_bit() -> None:
    played = whole()
    async with emulated("tcp://127.0.0.1:0", json_lines) as (_, where):
        found, _ = await heard(json_lines.Settings(port=where), json_lines)
    assert found.n == played.n - AHEAD
    for channel in (Channel.FLOW, Channel.PAW):
        assert np.array_equal(found.samples(channel), played.samples(channel)[:-AHEAD])


@pytest.mark.parametrize("port", ["pty", "tcp://127.0.0.1:0"])
async def test_a_listener_may_leave_and_another_come(port: str) -> None:
    async with emulated(port, speed=20.0) as (_, where):
        first, _ = await heard(pb840.Settings(port=where), samples=100)
        second, _ = await heard(pb840.Settings(port=where), samples=100)
    assert min(first.n, second.n) >= 100
    for found in (first, second):
        assert len(found.stretches) == 1
        assert found.notices == []


async def test_one_listener_at_a_time() -> None:
    async with (
        emulated("tcp://127.0.0.1:0", speed=20.0) as (_, where),
        asyncio.timeout(10),
        aclosing(pb840.chunks(pb840.Settings(port=where))) as source,
    ):
        await anext(source)
        turned_away, error = await heard(pb840.Settings(port=where))
        await anext(source)
    assert turned_away.n == 0
    assert "the connection ended" in error or "the connection is lost" in error


async def test_a_port_that_is_hung_up_is_told() -> None:
    async with emulated("pty", speed=20.0) as (endpoint, where):
        listening = asyncio.create_task(heard(pb840.Settings(port=where)))
        await asyncio.wait_for(endpoint.listener(), 5.0)
    found, error = await listening
    assert error.startswith(f"{where}: the connection is lost: ")
    assert "\n" not in error
    assert found.notices == []


class Answering:
    """A device that is asked."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def hear(self, piece: bytes) -> bytes:
        self.heard.append(piece)
        return b"yes " + piece


@pytest.mark.parametrize("kind", [Pty, Tcp])
async def test_questions_are_answered(kind: type[Endpoint]) -> None:
    device = Answering()
    port = "pty" if kind is Pty else "tcp://127.0.0.1:0"
    async with asyncio.timeout(5), endpoint_at(port, pb840, device.hear) as endpoint:
        matched = re.search(r'port = "(.*)"', endpoint.about)
        assert matched
        from adapters.devices.transport import open_link  # noqa: PLC0415

        async with open_link(matched[1], baudrate=38400) as link:
            await link.write(b"hello?")
            assert await link.read() == b"yes hello?"
    assert device.heard == [b"hello?"]


@pytest.mark.parametrize(
    "port",
    ["tcp://0.0.0.0:1", "tcp://192.168.1.2:1", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "tcp://127.0.0.1:99999",
     "http://127.0.0.1:1", "tcp://example.org:1", "tcp://:5"],
)  # fmt: skip
def test_ports_an_emulator_does_not_open(port: str) -> None:
    with pytest.raises(ConfigError, match="this machine only"):
        endpoint_at(port, pb840, lambda _: b"")


async def test_a_port_that_is_taken() -> None:
    async with Tcp(lambda _: b"", "127.0.0.1", 0) as first:
        taken = int(re.findall(r":(\d+)", first.about)[0])
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {taken}"):
            async with Tcp(lambda _: b"", "127.0.0.1", taken):
                pass


def test_the_table_of_sources_is_what_the_modules_are(capsys: Captured) -> None:
    live = set(known_adapters()) - set(REPLAYED)
    assert live == set(DEVICES)
    for name, source in DEVICES.items():
        assert hasattr(find_adapter(name), "Emulator") == source.emulated
    assert main(["emulate"]) == 0
    listed = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert listed == [name for name, source in DEVICES.items() if source.emulated]
    assert main(["emulate", "--help"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in listed)
    assert main(["formats"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert {row[0]: row[-1] for row in rows if row[0] in live and row[-1] in {"yes", "no"}}.keys() == live


def test_what_cannot_be_emulated(capsys: Captured, tmp_path: Path) -> None:
    flow_only = tmp_path / "flow.csv"
    flow_only.write_text("time_s,flow_l_s\n" + "".join(f"{k / 50},0.5\n" for k in range(50)))
    for arguments, status, says in (
        (["pb480", str(PCV)], 2, "there is no emulator of 'pb480'; did you mean 'pb840'?"),
        (["../x", str(PCV)], 2, "there is no emulator of '../x'; known: "),
        (["recording", str(PCV)], 2, "there is no emulator of 'recording'"),
        (["pb840"], 2, "name a RECORDING to play as well"),
        (["pb840", "none.csv"], 1, "'none.csv': cannot be read: No such file or directory"),
        (["pb840", str(flow_only)], 2, "a PB 840 sends flow and pressure; the recording has no paw"),
        (["pb840", str(PCV), "--port", "tcp://0.0.0.0:1"], 2, "--port 'tcp://0.0.0.0:1': expected pty, "),
        (["pb840", str(PCV), "--port", str(tmp_path / "none")], 1, "No such file or directory; is it plugged in?"),
        (["pb840", str(PCV), "--speed", "no"], 2, "--speed 'no': give a number above 0, or max"),
    ):
        assert main(["emulate", *arguments]) == status
        err = capsys.readouterr().err
        assert says in err
        assert err.count("\n") == 1
    with pytest.raises(ConfigError):
        find_emulator("adapters.recordings.open")


@contextmanager
def started(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and where it says it is."""
    command = [sys.executable, "-m", "streamer", "emulate", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        said = process.stderr.readline()
        found = re.search(r'port = "(.*)"', said)
        assert found, said + process.stderr.read()
        yield process, found[1]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("port", ["pty", "tcp://127.0.0.1:0"])
async def test_the_command_plays_on_and_on_until_told_to_end(number: signal.Signals, port: str) -> None:
    played = whole()
    with started("pb840", PCV, "--port", port, "--speed", "max", "--loop") as (process, where):
        found, _ = await heard(pb840.Settings(port=where), samples=2.5 * played.n)
        process.send_signal(number)
        out, err = await asyncio.to_thread(process.communicate, timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    flow = found.samples(Channel.FLOW)
    assert len(found.stretches) == 1
    assert np.array_equal(flow[: played.n], flow[played.n : 2 * played.n])


async def test_the_command_ends_with_the_recording() -> None:
    played = whole()
    with started("pb840", PCV, "--speed", "max") as (process, where):
        found, error = await heard(pb840.Settings(port=where))
        out, err = await asyncio.to_thread(process.communicate, timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    assert found.n == played.n
    assert "the connection is lost" in error
