"""The commands that speak MQTT, as a user starts and stops them. Every broker is on loopback and ours."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest

from streamer.cli import main
from streamer.cli.commands import broker as brokers
from streamer.cli.commands import run_replay as service
from streamer.core.metrics import METRICS
from streamer.service.config import EmbeddedSettings
from tests.support.brokers import Listener, Mosquitto, free_port, needs_mosquitto_sub
from tests.support.processes import REPLAY, started

pytestmark = pytest.mark.broker
Captured = pytest.CaptureFixture[str]


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if re.search(pattern, line):
            return line
    raise AssertionError(f"never said {pattern!r}: {process.communicate()[1]}")


def test_demo_plays_a_session_to_its_end(capsys: Captured) -> None:
    assert main(["demo", "--speed", "100"]) == 0
    said = capsys.readouterr()
    breaths = [int(number) for number in re.findall(r"^demo .* breath (\d+) ", said.out, re.MULTILINE)]
    truth = msgspec.json.decode((REPLAY / "demo.truth.json").read_bytes())
    assert breaths == list(range(len(truth["breaths"])))
    assert re.search(r"breath \d+ .*Pplat \d", said.out)
    assert said.out.splitlines()[-1].startswith("service offline")
    port = re.search(r"MQTT broker mqtt://127\.0\.0\.1:(\d+), topics ventstream/v1/#, beds: demo", said.err)
    assert port is not None
    assert f"mosquitto_sub -h 127.0.0.1 -p {port[1]} -v -t 'ventstream/v1/#'" in said.err
    assert "not a medical device" in said.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_ends_cleanly_when_told_to(number: signal.Signals) -> None:
    with started("demo", "--speed", "10") as process:
        read_until(process, r"breath 3 ")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert re.search(r"^demo  offline", out, re.MULTILINE)
    assert re.search(r"^service offline", out, re.MULTILINE)
    assert "Traceback" not in err
    assert "not delivered" not in err


def test_demo_takes_another_port_and_says_so(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    with taken_port() as port:
        monkeypatch.setattr(brokers, "EmbeddedSettings", partial(EmbeddedSettings, port=port))
        assert main(["demo", "--speed", "max"]) == 0
    err = capsys.readouterr().err
    assert f"port {port} is taken: the broker inside listens on port " in err


def test_run_does_not_move_from_a_taken_port(capsys: Captured, tmp_path: Path) -> None:
    with taken_port() as port:
        (tmp_path / "c.toml").write_text(
            f"[embedded]\nport = {port}\n"
            f"[[bed]]\nid = 'a'\nsources = [{{adapter = 'recording', path = '{REPLAY}/pcv.csv', speed = 'max'}}]\n"
        )
        assert main(["run", str(tmp_path / "c.toml")]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert f"the embedded MQTT broker cannot listen on 127.0.0.1 port {port}" in said.err


def test_run_plays_its_beds_and_one_bad_bed_disturbs_no_other(capsys: Captured, tmp_path: Path) -> None:
    source = "sources = [{{adapter = 'recording', path = '{}', speed = 'max'}}]"
    good = f"[[bed]]\nid = 'good'\n{source.format(REPLAY / 'pcv.csv')}\n"
    lost = f"[[bed]]\nid = 'lost'\n{source.format('none.csv')}\n"
    port = free_port()
    path = tmp_path / "c.toml"
    path.write_text(f"[embedded]\nport = {port}\n{good}{lost}")
    assert main(["run", str(path)]) == 1
    err = capsys.readouterr().err
    assert re.search(r"^bed lost: '?.*none\.csv'?: cannot be read: No such file or directory$", err, re.MULTILINE)
    assert re.findall("^bed good.*", err, re.MULTILINE) == ["bed good: 23 breaths published"]
    path.write_text(f"[embedded]\nport = {port}\n{good}")
    assert main(["run", str(path)]) == 0


def test_a_broker_that_is_not_there(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CONNECT_S", 0.3)
    url = f"mqtt://127.0.0.1:{free_port()}"
    for arguments in (["replay", str(REPLAY / "pcv.csv"), "--broker", url], ["watch", "--broker", url]):
        assert main(arguments) == 1
        err = capsys.readouterr().err
        assert f"no connection to the MQTT broker at {url.removeprefix('mqtt://')}" in err.splitlines()[-1]
        assert "Traceback" not in err


@needs_mosquitto_sub
def test_replay_delivers_what_analyze_finds(mosquitto_broker: Mosquitto, tmp_path: Path) -> None:
    recordings = [REPLAY / "vcv_hold.csv", REPLAY / "disconnect.parquet"]
    out = tmp_path / "o.jsonl"
    assert main(["analyze", *map(str, recordings), "-o", str(out)]) == 0
    table = [msgspec.json.decode(line) for line in out.read_bytes().splitlines()]
    assert len(table) > 50
    # The broker's own retained version comes first and shows that the subscription stands.
    with Listener(mosquitto_broker.url, "ventstream/v1/+/breath", "-t", "$SYS/broker/version") as listener:
        assert listener.lines(1)[0].startswith(b"mosquitto")
        assert main(["replay", *map(str, recordings), "--speed", "max", "--broker", mosquitto_broker.url]) == 0
        rows = [msgspec.json.decode(line) for line in listener.lines(len(table))]
    for row, found in zip(sorted(rows, key=_order), table, strict=True):
        assert (row["bed"], row["number"], row["source"]) == (found["bed"], found["number"], "simulated")
        assert row["missing"] == found["missing"]
        given = {key: found[key] for key in METRICS if found[key] is not None}
        assert {key: row[key] for key in METRICS if row[key] is not None} == pytest.approx(given, rel=1e-5)


@needs_mosquitto_sub
def test_watch_shows_breaths_and_what_it_cannot_read(mosquitto_broker: Mosquitto) -> None:
    strange = ("-r", "-t", "ventstream/v1/strange/state")
    publish(mosquitto_broker, *strange, "-m", "{")
    with started("watch", "--broker", mosquitto_broker.url) as process:
        assert read_until(process, "strange").startswith("ventstream/v1/strange/state: payload is not a JSON object")
        publish(mosquitto_broker, *strange, "-n")
        assert main(["replay", str(REPLAY / "pcv.csv"), "--speed", "max", "--broker", mosquitto_broker.url]) == 0
        assert re.search(r"^pcv  \d+\.\d s  breath 5  RR 18\.", read_until(process, "breath 5 "))
        assert read_until(process, "offline").startswith("pcv  offline")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")


def publish(broker: Mosquitto, *arguments: str) -> None:
    port = broker.url.rsplit(":", 1)[1]
    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", port, *arguments], check=True)


def _order(row: dict[str, object]) -> tuple[bool, object]:
    return row["bed"] != "vcv_hold", row["number"]
