"""README and docs say what is: every command, script, table and payload in them is run, read or checked here."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from adapters.simulator.scenario_file import load_scenario
from streamer.cli._app import app
from streamer.core.metrics import METRICS
from streamer.files.sidecar import read_sidecar
from streamer.model import entry_points
from streamer.model.context import BloodGas, Context, RecordingInfo
from streamer.model.reasons import Reason
from streamer.model.records import Flag, NoticeKind
from streamer.service.config import load_config
from streamer.study import QUANTITIES, PointSettings, read_study
from streamer.wire import Refusal, parse_command
from streamer.wire.schema import json_schemas
from tests.support.json_schema import problems
from tests.support.pages import (
    NOT_RUN,
    PAGES,
    REPO,
    Block,
    blocks_of,
    broken_links,
    commands,
    every_block,
    marked,
    named_paths,
)

README = (REPO / "README.md").read_text(encoding="utf-8")
TESTED_ELSEWHERE = {"demo", "tests", "live", "bedside", "study", "recipe"}
"""Commands that go on until they are ended, take minutes, or install: a test of their own has each."""
TOML_KINDS = {"sidecar", "config", "scenario", "patient", "points", "cohort", "entry points"}
BASH_OF_README = [block for block in blocks_of(PAGES[0]) if block.language == "bash" and not block.mark]
RUN_PAGES = [
    page for page in PAGES if any(block.language in {"bash", "python"} and not block.mark for block in blocks_of(page))
]


CTRL_C = pytest.mark.skipif(sys.platform == "win32", reason="a test cannot press Ctrl-C for one program on Windows")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder that looks like a clone from outside; commands may write into it."""
    for name in ("replay_data", "config"):
        if sys.platform == "win32":  # links need a right there that users seldom have
            shutil.copytree(REPO / name, tmp_path / name)
        else:
            (tmp_path / name).symlink_to(REPO / name)
    return tmp_path


def words(line: str) -> list[str]:
    program, *rest = shlex.split(line, comments=True)
    assert program in {"ventstream", "python"}, f"{line}: mark the block, with the reason, if it cannot be run"
    return [sys.executable, *(["-m", "streamer"] if program == "ventstream" else []), *rest]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPO)}


def run(command: list[str], folder: Path, what: str) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"{what}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr, what
    return done.stdout


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    """A command that is not run says why, in words a reader can judge."""
    for page in PAGES:
        for block in blocks_of(page):
            if block.mark.startswith(NOT_RUN):
                assert len(block.mark.split()) > 6, f"{block.place}: {block.mark}"
            elif block.language == "bash":
                assert block.mark in {"", *TESTED_ELSEWHERE}, block.place
            elif block.language == "toml":
                assert block.mark in TOML_KINDS, block.place
            elif block.language == "json":
                assert block.mark.partition(": ")[0] in {"", "shortened"}, block.place
            elif block.mark.startswith(("file: ", "in ")):
                assert block.page.name == "contributing.md", block.place  # test_recipes.py follows it
            else:
                assert (block.language, block.mark) in {("python", ""), ("", "")}, block.place


@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: page.name)
def test_every_command_and_script_of_a_page_works(page: Path, clone: Path) -> None:
    """From top to bottom, as a reader would type them; later ones read what earlier ones wrote.

    What README has is run once.
    """
    plain = [block for block in blocks_of(page) if not block.mark]
    seen = [] if page == PAGES[0] else [words(line) for block in BASH_OF_README for line in commands(block.text)]
    for block in plain:
        for line in commands(block.text) if block.language == "bash" else ():
            if (command := words(line)) not in seen:
                run(command, clone, f"{block.place}: {line}")
    if script := "\n".join(block.text for block in plain if block.language == "python"):
        run([sys.executable, "-W", "error", "-c", script], clone, f"the Python of {page.name}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    assert [path for path in named_paths(page) if not (REPO / path).exists()] == []


def test_the_contract_lists_every_key_reason_flag_event_and_command() -> None:
    """Keys with their units, in a table's row each; nothing that is not there any more."""
    text = (REPO / "docs" / "contract.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text, re.MULTILINE))
    assert {key: rows.get(key) for key in METRICS} == {key: metric.unit for key, metric in METRICS.items()}
    words = {*Reason, *Flag, *NoticeKind}
    assert rows.keys() == {*METRICS, *(word.value for word in words)}
    for reason in Reason:
        assert f"| `{reason.value}` | {reason.meaning} |" in text
    for kind in json_schemas():
        assert f"`{kind}`" in text
    named = set(re.findall(r"^\| `ventstream (\w+)", text, re.MULTILINE))
    assert named == {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }
    stated = {*Context.__struct_fields__, *RecordingInfo.__struct_fields__, *BloodGas.__struct_fields__}
    assert [key for key in stated if f"`{key}`" not in text] == []


def test_tables_that_users_write_are_read(tmp_path: Path) -> None:
    """Sidecars, configurations, scenarios; patient and cohort files have a test of their own."""
    for number, block in enumerate(every_block("toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(block.text, encoding="utf-8")
        match block.mark:
            case "sidecar":
                read_sidecar(path)
            case "config":
                assert load_config(path).beds, block.place
            case "scenario":
                load_scenario(path)


def test_payloads_are_what_the_schema_says() -> None:
    schemas = json_schemas()
    for block in every_block("json"):
        payload = json.loads(block.text)
        schema = schemas[payload["schema"]]
        if payload["schema"] == "command/1":
            assert not isinstance(parse_command(block.text.encode()), Refusal), block.place
        if block.mark.startswith("shortened"):
            schema = {key: rule for key, rule in schema.items() if key != "required"}
        assert problems(payload, schema) == [], block.place


def test_the_readme_is_one_screen_and_its_picture_is_small() -> None:
    assert len(README.splitlines()) <= 120
    (picture,) = re.findall(r"!\[[^\]]*\]\((.*?)\)", README)
    assert (REPO / picture).stat().st_size < 100_000
    assert README.index("not a medical device") < README.index("## Two commands")


def test_the_two_commands_name_what_exists() -> None:
    assert "ventstream demo" in marked("demo").text
    assert "[test]" in marked("tests").text
    assert marked("tests").page == REPO / "README.md"
    assert "<!-- tests -->" in (REPO / ".ci" / "run").read_text(encoding="utf-8")


def test_the_entry_points_shown_are_those_that_are_read() -> None:
    shown = tomllib.loads(marked("entry points").text)["project"]["entry-points"]
    assert set(shown) == {entry_points.FORMATS, entry_points.DEVICES, entry_points.METRICS, entry_points.PUBLISHERS}


def script_of(name: str) -> str:
    """The Python of a page."""
    return "\n".join(block.text for block in blocks_of(REPO / name) if block.language == "python")


def test_the_python_example_does_what_the_text_says(clone: Path) -> None:
    said = run([sys.executable, "-c", script_of("README.md")], clone, "README")
    found = re.fullmatch(r"\[([\d., ]+)\] (\w)\n", said)
    assert found, said
    truth = json.loads((REPO / "replay_data" / "vcv_hold.truth.json").read_text(encoding="utf-8"))
    lungs = {segment["lung"]["compliance_ml_cmh2o"] for segment in truth["segments"]}
    for crs in map(float, found.group(1).split(",")):
        assert any(crs == pytest.approx(true, rel=0.03) for true in lungs), (crs, lungs)


def test_the_notebook_example_shows_that_dead_space_fell(clone: Path) -> None:
    said = run([sys.executable, "-c", script_of("docs/study.md")], clone, "docs/study.md")
    assert re.findall(r"P\d  1\.2 min prone -0\.\d+ +lower", said) == [
        line.split(" ", 1)[1].strip() for line in said.splitlines()[1:]
    ], said
    assert len(said.splitlines()) == 5


def test_the_page_on_trust_names_only_what_exists() -> None:
    text = re.sub(
        r"<!-- trust .*?<!-- /trust -->", "", (REPO / "docs" / "trust.md").read_text("utf-8"), flags=re.DOTALL
    )
    named = {word for word in re.findall(r"`(\w+)`", text) if "_" in word or word in METRICS}
    methods = {method for one in METRICS.values() for method in one.methods}
    known = {*METRICS, *(f"{key}_method" for key in METRICS), *methods, *(reason.value for reason in Reason)}
    known |= set(Context.__struct_fields__)
    assert named <= known, named - known


def test_the_patient_and_cohort_files_shown_are_read(tmp_path: Path) -> None:
    (tmp_path / "p1.parquet").touch()
    (tmp_path / "p1.toml").write_text(f"{marked('patient').text}\n{marked('points').text}\n", encoding="utf-8")
    study = read_study(tmp_path / "p1.toml")
    assert study.points == PointSettings()
    assert study.sessions[0].told.event[0].kind == "prone"
    other = marked("patient").text.replace('"P1"', '"P2"')
    (tmp_path / "p2.toml").write_text(other, encoding="utf-8")
    (tmp_path / "cohort.toml").write_text(marked("cohort").text, encoding="utf-8")
    assert [session.label for session in read_study(tmp_path / "cohort.toml").sessions] == ["P1", "P2"]


def test_the_limits_of_comparisons_are_as_shown() -> None:
    text = " ".join((REPO / "docs" / "study.md").read_text(encoding="utf-8").split())
    for name, shown_as in (("vd_vt_bohr", "0.04 for Bohr"), ("vd_vt_enghoff", "0.06 for Enghoff"), ("vd_aw", "16 mL")):
        assert f"{QUANTITIES[name].resolves:g}" in shown_as
        assert shown_as in text
    for name, shown_as in (("crs", "8 % for Crs"), ("mp", "6 % for power")):
        assert f"{100 * QUANTITIES[name].resolves_share:.0f} %" in shown_as
        assert shown_as in text


@CTRL_C
def test_the_live_commands_run_until_interrupted(clone: Path) -> None:
    serve, watch = commands(marked("live").text)
    config = (REPO / "config" / "ward.toml").read_text(encoding="utf-8").replace("../", f"{REPO}/")
    free_port = clone / "ward.toml"
    free_port.write_text(
        config.replace('url = "embedded"', 'url = "embedded"\n[embedded]\nport = 0\n'), encoding="utf-8"
    )
    running = started(serve.replace("config/ward.toml", str(free_port)), clone)
    assert running.stderr
    url = re.search(r"mqtt://[\w.:]+", running.stderr.readline())
    assert url
    watching = started(f"{watch} --broker {url.group()}", clone)
    assert watching.stdout
    assert any("breath" in seen for seen in watching.stdout), "watch ended without a breath"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 0, out + err
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=30)
    assert "Traceback" not in err + said


@CTRL_C
def test_the_bedside_lines_bring_an_emulated_ventilator_to_a_subscriber_and_into_a_recording(clone: Path) -> None:
    emulate, serve = commands(marked("bedside").text)
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
    assert "format    session" in run(words(f"ventstream check {session}"), clone, "check")


def started(line: str, folder: Path) -> subprocess.Popen[str]:
    """A command that goes on; it is ended after a minute, so that no reader waits for ever."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(words(line), cwd=folder, env=environment(), **pipes)
    guard = threading.Timer(60.0, process.kill)
    guard.daemon = True
    guard.start()
    return process


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", str(REPO / ".mkdocs.yml"), "-d"]
    quiet = {**environment(), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [*build, str(tmp_path)], cwd=REPO, env=quiet, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {page.stem for page in tmp_path.glob("*.html")} >= {page.stem for page in PAGES[1:]}
    for page in tmp_path.glob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|iframe)[^>]+src=\"([^\"]+)|<link[^>]+href=\"([^\"]+)", page.read_text("utf-8")
        )
        assert not [one for pair in loaded for one in pair if "//" in one], page.name


def names_of(blocks: list[Block]) -> list[str]:
    return [line.split()[1] for block in blocks for line in commands(block.text) if line.startswith("ventstream ")]


def test_the_tour_has_its_stations() -> None:
    tour = [block for block in blocks_of(REPO / "docs" / "index.md") if block.language == "bash"]
    assert set(names_of(tour)) == {
        "check", "analyze", "metrics", "formats", "plot", "report", "simulate", "convert", "replay", "run", "watch",
    }  # fmt: skip
