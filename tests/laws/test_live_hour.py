"""An hour of a ventilator over a bad serial line, to the subscriber: emulator, service, broker and listener are real.

The line is unplugged, carries garbage, loses bytes and stalls. What was published is afterwards found again in the
recording that the service made meanwhile.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.brokers import MOSQUITTO_SUB, Mosquitto, needs_mosquitto, needs_mosquitto_sub, wait_until

REPO = Path(__file__).parents[2]
SPEED = 400
ROWS_PER_MIN = 50 * 60
LIMIT_S = 120.0
CONFIG = """
[broker]
url = "{url}"
backoff_first_s = 0.1
[run]
stall_s = 0.7
state_period_s = 0.5
backoff_first_s = 0.2
backoff_max_s = 0.4
[record]
folder = "recorded"
segment_s = 300
[[bed]]
id = "icu"
sources = [{{ adapter = "pb840", port = "{port}" }}]
context = {{ passive = "asserted", mode = "vcv" }}
"""


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "streamer", *map(str, arguments)]


@contextmanager
def running(arguments: list[str], **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(arguments, cwd=REPO, **more)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


class Line:
    """From the device's socket to a pseudo-terminal that stands for the serial port, with a pair of pliers."""

    def __init__(self, address: tuple[str, int], port: Path) -> None:
        self._port = port
        self._device = socket.create_connection(address)
        self._device.setblocking(False)  # noqa: FBT003 (the socket's own way)
        self._left = b""
        self.rows = 0
        self.plug_in()

    def plug_in(self) -> None:
        """A new terminal at the old name, as a replugged adapter is."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._port.unlink(missing_ok=True)
        self._port.symlink_to(os.ttyname(self._slave))
        self._is_in = True

    def unplug(self) -> None:
        self._is_in = False
        self._port.unlink()
        os.close(self._slave)
        os.close(self._master)

    def close(self) -> None:
        self._device.close()
        if self._is_in:
            self.unplug()

    def read(self) -> bytes:
        """Some bytes of the device, whole lines of them."""
        if not select.select([self._device], [], [], 5.0)[0]:
            return b""
        whole, end, self._left = (self._left + self._device.recv(2048)).rpartition(b"\n")
        return whole + end

    def write(self, piece: bytes) -> None:
        while piece:
            piece = piece[os.write(self._master, piece) :]

    def carry(self, until_min: float) -> None:
        """Everything, until so many minutes of samples have passed."""
        while self.rows < until_min * ROWS_PER_MIN:
            piece = self.read()
            self.rows += piece.count(b",") - piece.count(b"BS")
            self.write(piece)

    def trickle(self, is_heard: Callable[[], bool]) -> None:
        """A row now and then, until somebody hears."""
        lines: list[bytes] = []
        ends = time.monotonic() + 30.0
        while not is_heard():
            assert time.monotonic() < ends, "nobody heard"
            lines = lines or self.read().splitlines(keepends=True)
            self.write(lines.pop(0))
            time.sleep(0.02)

    def lose(self, silent_s: float) -> None:
        """A time without bytes, and then not what should have come meanwhile."""
        time.sleep(silent_s)
        lines = b""
        while lines.count(b"\n") < 30:
            lines += self.read()
        for line in lines.splitlines(keepends=True)[-3:]:
            self.write(line)
            time.sleep(0.02)


def published(path: Path) -> dict[str, list[dict]]:
    """Topic below the bed → payloads, each once."""
    found: dict[str, dict[tuple[str, int], dict]] = {}
    for line in path.read_bytes().splitlines():
        topic, _, payload = line.partition(b" ")
        if payload.startswith(b"{"):  # an empty one clears what was retained
            row = json.loads(payload)
            found.setdefault(topic.decode().removeprefix("ventstream/v1/icu/"), {})[row["session"], row["seq"]] = row
    return {topic: list(rows.values()) for topic, rows in found.items()}


def on_the_wire(key: str, value: Any) -> Any:
    """Times to the millisecond, other numbers to six digits."""
    if not isinstance(value, float):
        return value
    return round(value, 3) if key in {"start_s", "end_s"} else float(f"{value:.6g}")


@pytest.mark.broker
@needs_mosquitto
@needs_mosquitto_sub
def test_an_hour_over_a_bad_line(tmp_path: Path) -> None:
    port, heard = tmp_path / "ttyV0", tmp_path / "heard"
    rng = random.Random(7)
    emulate = command(
        "emulate", "pb840", "replay_data/demo.parquet", "--speed", SPEED, "--loop", "--port", "tcp://127.0.0.1:0"
    )
    with Mosquitto(tmp_path) as broker, running(emulate, stderr=subprocess.PIPE) as emulator:
        assert emulator.stderr is not None
        said = emulator.stderr.readline().decode()
        address = ("127.0.0.1", int(said.rsplit(":", 1)[1].strip(' "\n')))
        config = tmp_path / "c.toml"
        config.write_text(CONFIG.format(url=broker.url, port=port), encoding="utf-8")
        where = ["-h", "127.0.0.1", "-p", str(broker.port)]
        with (
            closing(Line(address, port)) as line,
            heard.open("wb") as out,
            running([str(MOSQUITTO_SUB), *where, "-q", "1", "-v", "-t", "ventstream/v1/icu/#"], stdout=out),
            running(command("run", config), stderr=subprocess.DEVNULL) as service,
        ):
            wait_until(lambda: b'"online"' in heard.read_bytes(), within_s=60.0)
            line.carry(15)
            line.write(bytes(rng.randrange(128, 256) for _ in range(3000)) + b"\r\n")
            line.carry(25)
            time.sleep(1.5)  # a stall: nothing is lost, the device waits
            line.carry(35)
            line.lose(1.6)
            line.carry(45)
            line.unplug()
            wait_until(lambda: b'"offline"' in heard.read_bytes(), within_s=20.0)
            line.plug_in()
            seen = heard.stat().st_size
            line.trickle(lambda: b'"online"' in heard.read_bytes()[seen:])
            line.carry(60)
            time.sleep(0.4)
            service.send_signal(signal.SIGTERM)
            assert service.wait(timeout=30.0) == 0
            time.sleep(0.5)
    rows = published(heard)
    first, second = dict.fromkeys(row["session"] for row in rows["breath"])

    states = [row["state"] for row in rows["state"]]
    changes = [state for before, state in zip(["", *states], states, strict=False) if state != before]
    assert changes == ["online", "stalled", "online", "stalled", "online", "offline", "online", "offline"]
    ended = [row for row in rows["state"] if row["state"] == "offline"]
    assert str(port) in ended[0]["reason"]
    assert ended[1]["reason"] == "stopped"
    assert (ended[0]["gaps"], ended[0]["clock_resets"], ended[0]["duplicates"]) == (1, 0, 0)
    assert ended[0]["damaged"] >= 1
    # a quarter of a second of this line are two minutes: what was in it as it was unplugged and plugged in is lost
    assert sum(row["samples"] for row in ended) > 0.97 * 60 * ROWS_PER_MIN

    events = [(row["session"], row["kind"]) for row in rows["event"]]
    assert events.count((first, "gap")) == 1
    (gap,) = [row for row in rows["event"] if row["kind"] == "gap"]
    assert 1.0 < gap["duration_s"] < 2.5
    assert (first, "damaged") in events
    assert (first, "source_lost") in events
    assert (second, "source_end") in events
    assert (second, "gap") not in events

    out = tmp_path / "breaths.jsonl"
    again = subprocess.run(
        command("analyze", tmp_path / "recorded", "-o", out), cwd=REPO, check=True, capture_output=True, timeout=LIMIT_S
    )
    assert b"session" not in again.stderr
    recorded: dict[str, list[dict]] = {}
    for text in out.read_text(encoding="utf-8").splitlines():
        row = json.loads(text)
        recorded.setdefault(Path(row["recording"]).name, []).append(row)
    assert set(recorded) == {first, second}
    for session, analysed in recorded.items():
        live = [row for row in rows["breath"] if row["session"] == session]
        assert len(analysed) == len(live) > 200
        labels = {"schema", "bed", "session", "seq", "source", "recording", "start_utc", "end_utc", "published_utc"}
        for one, other in zip(live, analysed, strict=True):
            shared = (one.keys() & other.keys()) - labels
            assert len(shared) > 60
            assert {key: one[key] for key in shared} == {key: on_the_wire(key, other[key]) for key in shared}
