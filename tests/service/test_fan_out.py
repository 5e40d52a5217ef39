"""Outputs beside MQTT: each gets all, and none that is slow, full or broken changes anything for another."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pytest

from streamer.model.errors import OutputError
from streamer.service.publish import MemoryPublisher, Publisher
from streamer.service.publish.fan_out import FanOut
from streamer.service.publish.outputs import OUTPUTS, JsonLines
from streamer.wire import Message
from streamer.wire.outbox import WhenFull

REPO = Path(__file__).parents[2]


def message(number: int) -> Message:
    return Message(topic="t", body=b'{"n":%d}' % number, bed="b", session="s")


def numbers(publisher: MemoryPublisher) -> list[int]:
    return [json.loads(one.payload)["n"] for one in publisher.messages]


class Slow(MemoryPublisher):
    """Takes a message when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def publish(self, message: Message, when_full: WhenFull = WhenFull.WAIT) -> None:
        await self.let.wait()
        await super().publish(message, when_full)


class Broken(MemoryPublisher):
    """Fails at its third message."""

    async def publish(self, message: Message, when_full: WhenFull = WhenFull.WAIT) -> None:
        if len(self.messages) == 2:
            raise OutputError("disk full")
        await super().publish(message, when_full)


class Unopened(MemoryPublisher):
    """Cannot be opened."""

    async def __aenter__(self) -> Self:
        raise ValueError("no such place")


async def fan(others: Mapping[str, Publisher], n: int = 10, **settings: float) -> tuple[FanOut, MemoryPublisher]:
    main = MemoryPublisher()
    out = FanOut(main, others, **settings)  # type: ignore[arg-type]
    async with out:
        for number in range(n):
            await out.publish(message(number))
    return out, main


async def test_every_output_gets_all_in_order() -> None:
    one, other = MemoryPublisher(), MemoryPublisher()
    out, main = await fan({"one": one, "other": other})
    assert numbers(main) == numbers(one) == numbers(other) == list(range(10))
    assert out.problems() == []
    assert out.last_seq("t", "s") == main.last_seq("t", "s")


async def test_numbers_are_the_same_everywhere() -> None:
    one = MemoryPublisher()
    _, main = await fan({"one": one})
    assert [json.loads(m.payload)["seq"] for m in one.messages] == [json.loads(m.payload)["seq"] for m in main.messages]


async def test_a_slow_output_loses_its_oldest_and_holds_up_no_other() -> None:
    slow, one = Slow(), MemoryPublisher()
    main = MemoryPublisher()
    out = FanOut(main, {"slow": slow, "one": one}, max_waiting=4)
    async with out:
        for number in range(10):
            await out.publish(message(number))
            await asyncio.sleep(0)
        assert numbers(main) == list(range(10)), "before the slow one took any"
        slow.let.set()
    assert numbers(one) == list(range(10))
    assert numbers(slow) == [0, 6, 7, 8, 9], "the first was in flight"
    assert out.problems() == ["output slow: 5 messages are not in it"]


async def test_an_output_that_never_ends_is_left_after_a_while() -> None:
    slow = Slow()
    out, main = await fan({"slow": slow}, flush_s=0.05)
    assert numbers(main) == list(range(10))
    assert out.problems() == ["output slow: 10 messages are not in it"]


@pytest.mark.parametrize(
    ("broken", "lost", "why"),
    [(Broken(), 8, "OutputError: disk full"), (Unopened(), 10, "ValueError: no such place")],
    ids=["while it writes", "when it opens"],
)
async def test_a_broken_output_is_named_and_others_go_on(
    broken: Publisher, lost: int, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    one = MemoryPublisher()
    out, main = await fan({"broken": broken, "one": one})
    assert numbers(main) == numbers(one) == list(range(10))
    assert out.problems() == [f"output broken: {lost} messages are not in it ({why})"]
    assert [record.getMessage() for record in caplog.records] == [f"output broken: nothing more is written: {why}"]


async def test_json_lines_are_added_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    for _ in range(2):
        await fan({"json": OUTPUTS["json_lines"].make(JsonLines(path=path))}, n=3)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(one["n"], one["seq"]) for one in lines] == [(0, 0), (1, 1), (2, 2)] * 2


def test_a_file_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        OUTPUTS["json_lines"].make(JsonLines(path=tmp_path / "none" / "m.jsonl"))


@pytest.mark.broker
def test_run_publishes_to_mqtt_and_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        '[broker]\nurl = "embedded"\n[embedded]\nport = 0\n'
        f'[[output]]\nkind = "json_lines"\npath = "m.jsonl"\n[[bed]]\nid = "b"\n'
        f'sources = [{{ adapter = "recording", path = "{REPO}/replay_data/pcv.csv", speed = "max" }}]\n',
        encoding="utf-8",
    )
    run = [sys.executable, "-m", "streamer", "run", "c.toml"]
    done = subprocess.run(run, cwd=tmp_path, env=None, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    kinds = [json.loads(line)["schema"] for line in (tmp_path / "m.jsonl").read_text(encoding="utf-8").splitlines()]
    assert kinds.count("breath/1") == int(done.stderr.split("bed b: ")[1].split(" ")[0])
