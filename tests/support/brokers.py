"""Brokers for tests: the embedded one and a real mosquitto, each on a free loopback port, ended by the test."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest

from streamer.service.settings import BrokerSettings

MOSQUITTO = shutil.which("mosquitto") or next((p for p in ("/usr/sbin/mosquitto",) if Path(p).exists()), None)
MOSQUITTO_SUB = shutil.which("mosquitto_sub")
FAST: dict[str, Any] = {"backoff_first_s": 0.05, "backoff_max_s": 0.1, "flush_s": 5.0}

needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="the mosquitto broker is not installed")
needs_mosquitto_sub = pytest.mark.skipif(MOSQUITTO_SUB is None, reason="mosquitto_sub is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(is_so: Callable[[], bool], within_s: float = 5.0) -> None:
    ends = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < ends, "not within the time"
        time.sleep(0.01)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Mosquitto:
    """A mosquitto of our own. Its default queue limit (1000 per client) would lose messages to a slow subscriber."""

    def __init__(
        self, folder: Path, *lines: str, limits: str = "max_queued_messages 0\nmax_inflight_messages 0"
    ) -> None:
        assert MOSQUITTO is not None
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._config = folder / "mosquitto.conf"
        access = () if any("allow_anonymous" in line for line in lines) else ("allow_anonymous true",)
        user = f"user {getpass.getuser()}"  # started by root it would else become a user who cannot read our files
        text = "\n".join((limits, user, f"listener {self.port} 127.0.0.1", "persistence false", *access, *lines))
        self._config.write_text(text + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [str(MOSQUITTO), "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: is_listening(self.port))
        except AssertionError:
            self.stop()
            raise

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def settings(self, base: BrokerSettings | None = None) -> BrokerSettings:
        return replace(base or BrokerSettings(**FAST), url=self.url)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


class Listener:
    """``mosquitto_sub``: a subscriber that shares no code with ours."""

    def __init__(self, url: str, topic: str, *options: str) -> None:
        port = url.rsplit(":", 1)[1]
        self._process = subprocess.Popen(
            [str(MOSQUITTO_SUB), "-h", "127.0.0.1", "-p", port, "-q", "1", "-t", topic, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def lines(self, count: int) -> list[bytes]:
        assert self._process.stdout is not None
        return [self._process.stdout.readline().rstrip(b"\n") for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
