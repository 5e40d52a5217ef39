"""What the README says is run: every command of the tour, the Python example, the names it lists."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from streamer.core.metrics import METRICS
from streamer.model.context import Context
from streamer.model.reasons import Reason
from streamer.study import QUANTITIES, PointSettings, read_study

REPO = Path(__file__).parents[2]
README = (REPO / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- (\w+) -->\n```\w+\n(.*?)```", re.DOTALL)
BLOCKS = [(match.group(1), match.group(2).strip()) for match in BLOCK.finditer(README)]
TOUR = [line for kind, text in BLOCKS if kind == "tour" for line in text.splitlines()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a clone from outside; the tour may write into it."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("replay_data", "config"):
        (folder / name).symlink_to(REPO / name)
    return folder


def words(line: str) -> list[str]:
    program, *rest = shlex.split(line)
    assert program == "ventstream", line
    return [sys.executable, "-m", "streamer", *rest]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPO)}


def test_the_tour_has_its_stations() -> None:
    assert [line.split()[1] for line in TOUR] == [
        "check", "analyze", "metrics", "formats", "plot", "report", "simulate", "convert", "replay", "check",
    ]  # fmt: skip


def test_every_command_of_the_tour_works(clone: Path) -> None:
    """In order, as a reader would type them: later ones read what earlier ones wrote."""
    for line in TOUR:
        done = subprocess.run(
            words(line), cwd=clone, env=environment(), capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
    assert {path.name for path in clone.iterdir()} >= {
        "breaths.csv",
        "summaries.csv",
        "lung.parquet",
        "lung.json",
        "lung.csv",
    }


def test_the_live_command_runs_until_interrupted(clone: Path) -> None:
    (line,) = [text for kind, text in BLOCKS if kind == "live"]
    config = (REPO / "config" / "ward.toml").read_text(encoding="utf-8").replace("../", f"{REPO}/")
    free_port = clone / "ward.toml"
    free_port.write_text(
        config.replace('url = "embedded"', 'url = "embedded"\n[embedded]\nport = 0\n'), encoding="utf-8"
    )
    running = started(line.replace("config/ward.toml", str(free_port)), clone)
    assert running.stderr
    url = re.search(r"mqtt://[\w.:]+", running.stderr.readline())
    assert url
    watching = started(f"ventstream watch --broker {url.group()}", clone)
    assert watching.stdout
    assert any("breath" in seen for seen in watching.stdout), "watch ended without a breath"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 0, out + err
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=30)
    assert "Traceback" not in err + said


def test_the_bedside_lines_bring_an_emulated_ventilator_to_a_subscriber_and_into_a_recording(clone: Path) -> None:
    (text,) = [text for kind, text in BLOCKS if kind == "bedside"]
    emulate, serve = text.splitlines()
    config = (REPO / "config" / "bedside.toml").read_text(encoding="utf-8")
    emulating = started(emulate.replace(":4001", ":0") + " --speed 20", clone)
    assert emulating.stderr
    port = re.search(r"tcp://[\w.:]+", emulating.stderr.readline())
    assert port
    own = clone / "bedside.toml"
    config = config.replace("tcp://127.0.0.1:4001", port.group()).replace("../recorded", "recorded")
    own.write_text(config.replace('url = "embedded"', 'url = "embedded"\n[embedded]\nport = 0\n'), encoding="utf-8")
    running = started(serve.replace("config/bedside.toml", str(own)), clone)
    assert running.stderr
    url = re.search(r"mqtt://[\w.:]+", running.stderr.readline())
    assert url
    watching = started(f"ventstream watch --broker {url.group()}", clone)
    assert watching.stdout
    assert any("breath" in seen for seen in watching.stdout), "watch ended without a breath"
    for process in (watching, running, emulating):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, out + err
    (session,) = (clone / "recorded" / "bedside-01").iterdir()
    done = subprocess.run(
        words(f"ventstream check {session}"), cwd=clone, env=environment(), capture_output=True, text=True, check=True
    )
    assert "format    session" in done.stdout


def started(line: str, folder: Path) -> subprocess.Popen[str]:
    """A command that goes on; it is ended after a minute, so that no reader waits for ever."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(words(line), cwd=folder, env=environment(), **pipes)
    guard = threading.Timer(60.0, process.kill)
    guard.daemon = True
    guard.start()
    return process


def test_the_python_example_does_what_the_text_says(clone: Path) -> None:
    (code,) = [text for kind, text in BLOCKS if kind == "python"]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=clone, env=environment(), capture_output=True, text=True, check=True
    )
    found = re.fullmatch(r"\[([\d., ]+)\] (\w)\n", done.stdout)
    assert found, done.stdout
    truth = json.loads((REPO / "replay_data" / "vcv_hold.truth.json").read_text(encoding="utf-8"))
    lungs = {segment["lung"]["compliance_ml_cmh2o"] for segment in truth["segments"]}
    for crs in map(float, found.group(1).split(",")):
        assert any(crs == pytest.approx(true, rel=0.03) for true in lungs), (crs, lungs)


def test_the_notebook_example_shows_that_dead_space_fell(clone: Path) -> None:
    (code,) = [text for kind, text in BLOCKS if kind == "notebook"]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=clone, env=environment(), capture_output=True, text=True, check=True
    )
    assert re.findall(r"P\d  1\.2 min prone -0\.\d+ +lower", done.stdout) == [
        line.split(" ", 1)[1].strip() for line in done.stdout.splitlines()[1:]
    ], done.stdout
    assert len(done.stdout.splitlines()) == 5


def test_the_two_commands_name_what_exists() -> None:
    commands = dict(BLOCKS)
    assert "ventstream demo" in commands["demo"]
    assert "[test]" in commands["tests"]
    assert commands["tests"] in README
    assert "<!-- tests -->" in (REPO / ".ci" / "run").read_text(encoding="utf-8")


def test_the_readme_names_only_what_exists() -> None:
    text = README[README.index("## How far to trust") : README.index("## Recordings")]
    named = {word for word in re.findall(r"`(\w+)`", text) if "_" in word or word in METRICS}
    methods = {method for one in METRICS.values() for method in one.methods}
    known = {*METRICS, *(f"{key}_method" for key in METRICS), *methods, *(reason.value for reason in Reason)}
    known |= set(Context.__struct_fields__)
    assert named <= known, named - known


def test_the_session_file_shown_is_one(tmp_path: Path) -> None:
    shown = dict(BLOCKS)
    (tmp_path / "p1.parquet").touch()
    (tmp_path / "p1.session.toml").write_text(f"{shown['session']}\n{shown['points']}\n", encoding="utf-8")
    study = read_study(tmp_path / "p1.session.toml")
    assert study.points == PointSettings()
    assert study.sessions[0].told.event[0].kind == "prone"
    text = " ".join(README.split())
    for name, shown_as in (("vd_vt_bohr", "0.04 for Bohr"), ("vd_vt_enghoff", "0.06 for Enghoff"), ("vd_aw", "16 mL")):
        assert f"{QUANTITIES[name].resolves:g}" in shown_as
        assert shown_as in text
    for name, shown_as in (("crs", "8 % for Crs"), ("mp", "6 % for power")):
        assert f"{100 * QUANTITIES[name].resolves_share:.0f} %" in shown_as
        assert shown_as in text


def test_the_safety_note_stands_first() -> None:
    assert README.index("not a medical device") < README.index("## Two commands")
