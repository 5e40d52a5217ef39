"""The commands: what they print, where, and with which exit status. Brokers and signals: ``test_cli_live.py``."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from adapters.recordings.open import open_recording
from streamer import cli
from streamer.analysis.tables import read_table
from streamer.cli import app, main
from streamer.cli.bed_plans import plans_of_recordings
from streamer.cli.commands import lists
from streamer.core.bed import Bed
from streamer.core.metrics import METRICS
from streamer.model.chunk import Chunk
from streamer.model.errors import BrokerError, ConfigError, DecodeError
from streamer.model.records import BreathRecord
from tests.support.builders.session_folder_files import TWO, co2, record, vent

REPO = Path(__file__).parents[2]
REPLAY = REPO / "replay_data"
COMMANDS = (
    "demo", "run", "replay", "analyze", "report", "plot", "simulate", "convert", "emulate", "watch", "metrics",
    "formats", "check",
)  # fmt: skip
Captured = pytest.CaptureFixture[str]


def ventstream(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamer", *map(str, arguments)]
    return subprocess.run(command, cwd=REPO, text=True, capture_output=True, check=False, timeout=60, **options)


def run(capsys: Captured, *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.csv"
    path.write_text("paw_cmh2o,flow_l_s\n1,2\n")  # no time, no rate
    return path


def test_every_command_has_help_with_an_example(capsys: Captured) -> None:
    assert {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    } == set(COMMANDS)
    for command in COMMANDS:
        status, out, err = run(capsys, command, "--help")
        assert (status, err) == (0, "")
        assert f"Example: ventstream {command}" in re.sub(r"\s+", " ", out)
    assert "not a medical device" in re.sub(r"\s+", " ", run(capsys, "--help")[1])


def test_version(capsys: Captured) -> None:
    status, out, err = run(capsys, "--version")
    assert (status, err) == (0, "")
    assert re.fullmatch(r"ventstream [\w., ]+\n", out) or out == "ventstream, not installed\n"


@pytest.mark.parametrize("argument", ["--help", "--version", "metrics", "formats"])
def test_quick_commands_load_nothing_slow(argument: str) -> None:
    slow = {"numba", "pandas", "pyarrow", "scipy", "aiomqtt", "iotcore"}
    code = f"import sys\nfrom streamer.cli import main\nassert main([{argument!r}]) == 0\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}sys.exit(', '.join({slow!r} & sys.modules.keys()))"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "\n"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["frob"], 2, "No such command 'frob'."),
        (["analyze"], 2, "Missing argument 'RECORDING...'."),
        (["analyze", "--frob", "x"], 2, "No such option"),
        (["analyze", "x.csv", "--jobs", "0"], 2, "Invalid value for '--jobs'"),
        (["analyze", "x.csv", "-o", "x.xls"], 2, "x.xls: give the table a suffix: .parquet, .csv, .jsonl, or '-'"),
        (["analyze", "x.csv", "-o", "-", "--summaries", "-"], 2, "-o and --summaries both name -; give each its own"),
        (["analyze", "x.csv", "-o", "x.csv"], 2, "x.csv: is also to be read; name another output"),
        (["analyze", "none.csv"], 1, "'none.csv': cannot be read: No such file or directory"),
        (["analyze", "x.csv", "-o", "nowhere/x.csv"], 1, "nowhere/x.csv: the folder "),
        (["analyze", str(REPLAY / "pcv.csv"), "--format", "frob"], 2, "unknown format 'frob': known are servo_u, "),
        (["analyze", str(REPLAY / "pcv.csv"), "--rate", "1e9"], 2, "a rate of 1e+09 Hz cannot be used"),
        (["analyze", "x.csv", "--context", "none.toml"], 2, "none.toml: cannot be read: No such file or directory"),
        (["demo", "--speed", "fast"], 2, "--speed 'fast': give a number above 0, or max"),
        (["demo", "--speed", "nan"], 2, "--speed 'nan': give a number above 0, or max"),
        (["demo", "--speed", "inf"], 2, "--speed 'inf': give a number above 0, or max"),
        (["demo", "--broker", "http://x"], 2, "broker URL 'http://x': expected mqtt://HOST[:PORT]"),
        (["replay", "none.csv"], 1, "'none.csv': cannot be read: No such file or directory"),
        (["replay", str(REPLAY / "pcv.csv"), "--bed", "a/b"], 2, "bed id 'a/b': use 1 to 64 letters"),
        (["run", "none.toml"], 2, "none.toml: cannot be read: No such file or directory"),
        (["run", str(REPO / "config" / "default.toml")], 2, f"{REPO}/config/default.toml: names no bed; add a [[bed]]"),
        (["simulate", "frob", "-o", "x.csv"], 2, "frob: no scenario of this name; bundled: "),
        (["simulate", "pcv", "-o", "x.wav"], 2, "x.wav: a recording is written as .parquet or .csv"),
        (["convert", "none.csv", "-o", "x.csv"], 1, "'none.csv': cannot be read: No such file or directory"),
        (["convert", "x.csv", "-o", "x.csv"], 2, "x.csv: is the recording itself; name another file"),
        (["watch", "--broker", "embedded"], 2, "--broker: name a running broker, mqtt://HOST[:PORT]"),
        (["check", "none.csv"], 1, "'none.csv': cannot be read: No such file or directory"),
        (["check", "none.toml"], 2, "none.toml: cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    capsys: Captured, empty: Path, arguments: list[str], status: int, message: str
) -> None:
    found, out, err = run(capsys, *arguments)
    assert (found, out) == (status, "")
    assert err.startswith(message)
    assert err.count("\n") == 1
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (ConfigError("c"), 2, "c\n"),
        (DecodeError("d\nd"), 1, "d d\n"),
        (BrokerError("b"), 1, "b\n"),
        (OSError(28, "No space left on device"), 1, "standard output: No space left on device\n"),
        (TypeError("x"), 1, "internal error: TypeError: x; please report it\n"),
    ],
)
def test_status_of_errors(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, line: str
) -> None:
    def fail() -> int:
        raise error

    monkeypatch.delenv("VENTSTREAM_DEBUG", raising=False)
    monkeypatch.setattr(lists, "metrics", fail)
    found, _, err = run(capsys, "metrics")
    assert (found, err) == (status, line)


@pytest.mark.parametrize("compiled", [False, True])
def test_an_interrupt_is_no_traceback(capsys: Captured, monkeypatch: pytest.MonkeyPatch, *, compiled: bool) -> None:
    def fail() -> int:
        if compiled:  # what comes of it within compiled code
            raise SystemError("returned a result with an exception set") from KeyboardInterrupt()
        raise KeyboardInterrupt

    monkeypatch.setattr(lists, "metrics", fail)
    status, _, err = run(capsys, "metrics")
    assert status == 130
    assert err.strip() in {"", "interrupted"}  # versions of the command line parser differ


def test_a_bug_can_be_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise TypeError

    monkeypatch.setenv("VENTSTREAM_DEBUG", "1")
    monkeypatch.setattr(lists, "metrics", fail)
    with pytest.raises(TypeError):
        main(["metrics"])


def test_a_stranger_of_the_same_name_stops_everything(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> None:
        raise ConfigError("the package 'adapters' at /x is not ventstream's")

    monkeypatch.setattr(cli, "refuse_strangers", found)
    assert run(capsys, "--version") == (2, "", "the package 'adapters' at /x is not ventstream's\n")


def test_metrics_and_formats(capsys: Captured) -> None:
    status, out, err = run(capsys, "metrics")
    assert (status, err) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows[1:]] == list(METRICS)
    assert next(row for row in rows if row[0] == "crs")[1] == "mL/cmH2O"
    status, out, err = run(capsys, "formats")
    assert (status, err) == (0, "")
    assert {"pb840", "servo_u", "csv", "parquet"} <= {line.split("\t")[0] for line in out.splitlines()}


def true_breaths(name: str) -> int:
    return len(msgspec.json.decode((REPLAY / f"{name}.truth.json").read_bytes())["breaths"])


def test_analyze_shows_a_line_per_recording(capsys: Captured) -> None:
    status, out, err = run(capsys, "analyze", REPLAY / "vcv_hold.csv", REPLAY / "disconnect.parquet")
    assert (status, err) == (0, "")
    row = next(line.split() for line in out.splitlines() if line.split()[:1] == ["vcv_hold.csv"])
    assert row[1:4] == ["50", "1.2", str(true_breaths("vcv_hold"))]
    assert re.search(r"vcv_hold.csv: .*no_hold \d+ \(pplat", out)
    assert next(line.split()[6] for line in out.splitlines() if line.split()[:1] == ["disconnect.parquet"]) == "1"


def test_analyze_writes_what_the_core_finds(capsys: Captured, tmp_path: Path) -> None:
    path = REPLAY / "vcv_hold.csv"
    out = tmp_path / "breaths.parquet"
    assert run(capsys, "analyze", path, "-o", out, "--summaries", tmp_path / "s.csv")[0] == 0
    recording = open_recording(path)
    bed = Bed("vcv_hold", context=recording.sidecar.context)
    events = [event for item in recording.items() for event in bed.push(item)] + bed.close()
    records = [event for event in events if isinstance(event, BreathRecord)]
    table = read_table(out)
    assert len(table) == len(records) == true_breaths("vcv_hold")
    for (_, row), found in zip(table.iterrows(), records, strict=True):
        assert {key: row[key] for key in METRICS if row[key] == row[key]} == dict(found.values)
        assert row["missing"] == dict(found.missing)
        assert (row["number"], row["start_s"], row["end_s"]) == (found.number, found.start_s, found.end_s)
        assert (row["bed"], row["recording"]) == ("vcv_hold", str(path))
    assert set(read_table(tmp_path / "s.csv")["window"]) >= {"1m"}


def test_the_number_of_jobs_changes_nothing(capsys: Captured, tmp_path: Path, bad: Path) -> None:
    said = []
    for jobs in (1, 3):
        outs = tmp_path / f"{jobs}.csv", tmp_path / f"{jobs}.jsonl"
        paths = [REPLAY / "pcv.csv", bad, REPLAY / "leak.parquet"]
        said.append(run(capsys, "analyze", *paths, "-o", outs[0], "--summaries", outs[1], "--jobs", jobs))
        said.append((outs[0].read_bytes(), outs[1].read_bytes()))
    assert said[1] == said[3]
    shown = [
        (status, table.replace(f"{tmp_path}/{jobs}.", ""), err)
        for (status, table, err), jobs in zip(said[::2], (1, 3), strict=True)
    ]
    assert shown[0] == shown[1]
    assert shown[0][0] == 1
    assert "written: csv, jsonl" in shown[0][1]
    assert shown[0][1].splitlines()[-1].startswith("2 recordings, ")
    assert shown[0][1].splitlines()[-1].endswith(", 1 not read")
    rows = [msgspec.json.decode(line) for line in (tmp_path / "1.jsonl").read_bytes().splitlines()]
    assert [row["bed"] for row in rows] == sorted((row["bed"] for row in rows), reverse=True)


def test_one_bad_recording_among_many(capsys: Captured, tmp_path: Path, bad: Path) -> None:
    out = tmp_path / "o.csv"
    status, shown, err = run(capsys, "analyze", bad, REPLAY / "pcv.csv", "-o", out)
    assert status == 1
    assert err.startswith(f"{bad}: ")
    assert err.count("\n") == 1
    assert "pcv.csv" in shown
    assert set(read_table(out)["bed"]) == {"pcv"}


def test_nothing_readable_leaves_no_table(capsys: Captured, tmp_path: Path, bad: Path) -> None:
    out = tmp_path / "o.csv"
    out.write_text("before")
    status, shown, err = run(capsys, "analyze", bad, "-o", out)
    assert (status, shown, err.count("\n")) == (1, "", 1)
    assert out.read_text() == "before"


def test_a_bad_sidecar_is_the_users(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes((REPLAY / "pcv.csv").read_bytes())
    (tmp_path / "a.toml").write_text("[context]\nheight_cm = 3000\n")
    status, _, err = run(capsys, "analyze", tmp_path / "a.csv")
    assert (status, err) == (
        2,
        f"{tmp_path}/a.toml:2: [context] height_cm = 3000: expected a number <= 250 (cm; 1.62 m is 162)\n",
    )


def test_a_session_file_is_no_context(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "p1.toml").write_text('label = "P1"\n[[recording]]\npath = "pcv.csv"\n')
    status, _, err = run(capsys, "analyze", REPLAY / "pcv.csv", "--context", tmp_path / "p1.toml")
    assert (status, err.count("\n")) == (2, 1)
    assert "p1.toml:2: [[recording]]: a patient file is for report" in err


def test_a_context_that_contradicts_itself(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[context]\nflow_conditions = 'ATPS'\n")
    status, _, err = run(capsys, "analyze", REPLAY / "pcv.csv", "--context", tmp_path / "c.toml")
    assert status == 2
    assert "needs ambient_c" in err


def test_context_and_dated_entries_reach_the_core(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        "[recording]\nstart_utc = 2020-06-01T08:00:00Z\n[[blood_gas]]\nat = 2020-06-01T08:00:30Z\npco2_art_mmhg = 50\n"
    )
    out = tmp_path / "o.jsonl"
    assert run(capsys, "analyze", REPLAY / "pcv.csv", "--context", tmp_path / "c.toml", "-o", out)[0] == 0
    rows = [msgspec.json.decode(line) for line in out.read_bytes().splitlines()]
    assert rows[1]["start_utc"].startswith("2020-06-01T08:00:0")
    assert rows[1]["missing"]["vent_ratio"] == "abg_missing"
    assert [row["vent_ratio"] is not None for row in rows if 35 < row["start_s"] < 70] != []
    assert all(row["vent_ratio"] is not None for row in rows if 35 < row["start_s"] < 70)


def test_a_context_file_wins_over_the_sidecar_key_by_key_and_list_by_list(capsys: Captured, tmp_path: Path) -> None:
    """As ``--help`` says, for every command that takes one."""
    for command in ("analyze", "replay", "demo", "convert", "check"):
        told = " ".join(run(capsys, command, "--help")[1].split())
        assert "Its keys win over the sidecar's; its list of events, or of gases, replaces the sidecar's." in told
    shutil.copy(REPLAY / "pcv.csv", tmp_path / "a.csv")
    (tmp_path / "a.toml").write_text(
        "[context]\nmode = 'vcv'\nsex = 'male'\nallow_sidestream_vcap = true\n"
        "[[event]]\nkind = 'prone'\nat_s = 3\n[[event]]\nkind = 'supine'\nat_s = 4\n[[blood_gas]]\nat_s = 5\nph = 7.2\n"
    )
    context = tmp_path / "c.toml"
    context.write_text("[context]\nmode = 'pcv'\nallow_sidestream_vcap = false\n[[event]]\nkind = 'note'\nat_s = 6\n")
    plans = plans_of_recordings([tmp_path / "a.csv"], speed=1.0, bed=None, context=context)
    found = plans[0].context
    assert (found.mode, found.sex, found.allow_sidestream_vcap) == ("pcv", "male", False)
    assert [event.kind for event in plans[0].events] == ["note"]
    assert [gas.ph for gas in plans[0].blood_gases] == [7.2]


def test_damaged_rows_are_counted_and_the_good_ones_kept(capsys: Captured, tmp_path: Path) -> None:
    lines = (REPLAY / "pcv.csv").read_text().splitlines()
    lines[500] = lines[900] = "#!?"
    lines[500] = "1,2"
    lines[900] = "x,y,z,w"
    path = tmp_path / "hurt.csv"
    path.write_text("\n".join(lines) + "\n")
    status, out, _ = run(capsys, "analyze", path)
    row = next(line.split() for line in out.splitlines() if line.split()[:1] == ["hurt.csv"])
    assert (status, row[3:5]) == (0, [str(true_breaths("pcv")), "2"])
    status, out, _ = run(capsys, "check", path)
    assert status == 0
    assert "damaged   2 rows" in out


def test_a_folder_is_its_recordings(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "pcv.csv").write_bytes((REPLAY / "pcv.csv").read_bytes())
    (tmp_path / "sub" / "pcv.toml").write_bytes((REPLAY / "pcv.toml").read_bytes())
    (tmp_path / "sub" / "pcv.truth.json").write_bytes((REPLAY / "pcv.truth.json").read_bytes())
    (tmp_path / "notes.txt").write_text("Tuesday: rain\n")
    (tmp_path / ".hidden").write_text("x")
    for name in ("README.md", "LICENSE", "sub/readme.txt", "load.py"):
        (tmp_path / name).write_text("a,b,c\n- 1, 2, 3\n")
    status, out, err = run(capsys, "analyze", tmp_path)
    assert status == 0
    assert "pcv.csv" in out
    assert err.splitlines() == [err.strip()]
    assert err.startswith(f"skipped: {tmp_path}/notes.txt: not a recording")
    assert run(capsys, "analyze", tmp_path / "sub", "--jobs", "1")[0] == 0
    (tmp_path / "empty").mkdir()
    assert run(capsys, "analyze", tmp_path / "empty")[::2] == (
        1,
        f"{tmp_path}/empty: there is no recording in this folder\n",
    )


def test_many_files_that_are_no_recordings_are_counted(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "pcv.csv").write_bytes((REPLAY / "pcv.csv").read_bytes())
    for number in range(9):
        (tmp_path / f"{number}.log").write_text("Tuesday: rain\n")
    status, _, err = run(capsys, "check", tmp_path)
    said = err.splitlines()
    assert status == 0
    assert len(said) == 6
    assert said[-1] == "skipped: … and 4 more files of unknown format; name one to see why"


def test_convert_keeps_every_number(capsys: Captured, tmp_path: Path) -> None:
    assert run(capsys, "convert", REPLAY / "vcv_hold.csv", "-o", tmp_path / "vcv_hold.parquet")[0] == 0
    tables = []
    for path in (REPLAY / "vcv_hold.csv", tmp_path / "vcv_hold.parquet"):
        assert run(capsys, "analyze", path, "-o", tmp_path / "o.parquet")[0] == 0
        tables.append(read_table(tmp_path / "o.parquet").drop(columns=["recording", "session"]))
    assert tables[0].equals(tables[1])


def test_convert_writes_a_file_for_each_rate(capsys: Captured, tmp_path: Path) -> None:
    items = [item for n in range(40) for item in (vent(n / 10, 10), co2(n / 10 - 0.4, 4))]
    record(tmp_path / "s", items, TWO)
    status, said, err = run(capsys, "convert", tmp_path / "s", "-o", tmp_path / "o.parquet")
    assert (status, err) == (0, "")
    assert said.splitlines() == [
        f"{tmp_path}/o.parquet: 400 samples from {tmp_path}/s (session)",
        f"{tmp_path}/o.co2.parquet: 160 samples of co2, which has a rate of its own",
    ]
    for name, rate_hz in (("o", 100.0), ("o.co2", 20.0)):
        (first, *_) = open_recording(tmp_path / f"{name}.parquet").items()
        assert isinstance(first, Chunk)
        assert first.rate_hz == rate_hz


def test_simulate_writes_a_recording_and_its_truth(capsys: Captured, tmp_path: Path) -> None:
    out, truth = tmp_path / "s.csv", tmp_path / "s.truth.json"
    status, said, err = run(capsys, "simulate", "pcv", "-o", out, "--truth", truth)
    assert (status, err) == (0, "")
    assert said == f"{out}: 3750 samples\n"
    assert truth.read_bytes() == (REPLAY / "pcv.truth.json").read_bytes()
    assert sum(len(item) for item in open_recording(out).items() if isinstance(item, Chunk)) == 3750


def test_simulate_writes_a_capnograph_of_its_own_beside(capsys: Captured, tmp_path: Path) -> None:
    scenario = tmp_path / "s.toml"
    scenario.write_text("duration_s = 20\n[capnogram]\n[capnograph]\nrate_hz = 25\n", encoding="utf-8")
    status, said, err = run(capsys, "simulate", scenario, "-o", tmp_path / "o.csv")
    assert (status, err) == (0, "")
    assert (
        said.splitlines()[1] == f"{tmp_path}/o.capnograph.csv: 500 samples of capnograph, which has a rate of its own"
    )
    assert open_recording(tmp_path / "o.capnograph.csv").sidecar.recording.rate_hz == 25.0


def test_check_explains(capsys: Captured) -> None:
    status, out, err = run(capsys, "check", REPLAY / "disconnect.parquet")
    assert (status, err) == (0, "")
    for line in (
        "format    parquet",
        "rate      100 Hz",
        "paw       -0.3 to 27.2 cmH2O",
        "gaps      1",
        "damaged   0 rows",
    ):
        assert line in out
    assert re.search(r"72\.4\d s  gap: ", out)
    status, out, err = run(capsys, "check", REPO / "config" / "ward.toml")
    assert (status, err) == (0, "")
    assert "bed ward-02: recording" in out
    assert run(capsys, "check", REPLAY / "pcv.toml")[1] == f"{REPLAY}/pcv.toml: a sidecar or context file, correct\n"


def test_check_refuses(capsys: Captured, tmp_path: Path, bad: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[[bed]]\nid = 'a'\nsources = [{adapter = 'recording', path = 'none.csv'}]\n")
    status, _, err = run(capsys, "check", config)
    assert (status, err) == (1, f"bed a: '{tmp_path}/none.csv': cannot be read: No such file or directory\n")
    status, _, err = run(capsys, "check", bad)
    assert status == 1
    assert err.startswith(f"{bad}: ")


def test_from_the_shell(tmp_path: Path) -> None:
    done = ventstream("analyze", REPLAY / "pcv.csv", "-o", "-")
    assert (done.returncode, done.stderr) == (0, done.stderr)
    assert [msgspec.json.decode(line)["number"] for line in done.stdout.splitlines()] == list(
        range(true_breaths("pcv"))
    )
    assert "pcv.csv" in done.stderr
    done = ventstream("analyze", tmp_path / "none.csv")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("arguments", [("metrics",), ("analyze", REPLAY / "pcv.csv", "-o", "-"), ("--help",)])
def test_a_full_disk_behind_standard_output(arguments: tuple[object, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "streamer", *map(str, arguments)]
        done = subprocess.run(command, cwd=REPO, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("metrics",), ("analyze", REPLAY / "pcv.csv", "-o", "-")])
def test_a_reader_that_leaves_early(arguments: tuple[object, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "streamer", *map(str, arguments)]
    done = subprocess.run(command, cwd=REPO, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode == 0
    assert "Error" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize(
    "command", ["analyze a.csv", "check a.csv", "convert a.csv -o b.parquet", "analyze . -o a.csv"]
)
def test_a_link_to_itself_is_one_line(
    command: str, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").symlink_to("a.csv")
    status, _, err = run(capsys, *command.split())
    assert status == 1
    assert "internal error" not in err
    assert err.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("after_s", [0.7, 1.5, 3.0])
def test_an_interrupt_leaves_no_half_of_a_table(tmp_path: Path, after_s: float) -> None:
    """Also amid imports and compiled code, which raise errors of their own for it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("run in the background, where no process hears Ctrl-C")
    rows = (REPO / "replay_data" / "pcv.csv").read_text().splitlines(keepends=True)
    (tmp_path / "a.csv").write_text("".join([rows[0], *rows[1:] * 400]))
    command = [sys.executable, "-m", "streamer", "analyze", "a.csv", "-o", "out.csv", "--summaries", "s.parquet"]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPO)}, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60.0)
    assert process.returncode in {130, -signal.SIGINT}  # a shell shows both as 130
    assert "Traceback" not in said
    assert "internal error" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_an_interrupt_is_known_by_its_cause(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrapped(**_: object) -> None:
        raise RuntimeError("Error calling __set_name__") from KeyboardInterrupt()

    monkeypatch.setattr("streamer.cli.app", wrapped)
    assert run(capsys, "formats") == (130, "", "interrupted\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("command", ["convert pcv.csv -o", "simulate vcv_hold -o", "analyze pcv.csv -o"])
def test_a_device_is_no_file(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pcv.csv", "pcv.toml"):
        shutil.copy(REPO / "replay_data" / name, name)
    (tmp_path / f"full.{suffix}").symlink_to("/dev/full")
    status, _, err = run(capsys, *command.split(), f"full.{suffix}")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith(f"full.{suffix}: ")
    assert (tmp_path / f"full.{suffix}").is_symlink()


def test_a_link_is_written_through(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert run(capsys, "convert", str(REPO / "replay_data" / "pcv.csv"), "-o", str(tmp_path / "link.csv"))[0] == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").is_file()


def test_what_lists_and_helps_loads_no_core(tmp_path: Path) -> None:
    """Help, version and lists answer at once: no compiler, no tables, no broker's client."""
    heavy = "{'numba', 'pyarrow', 'pandas', 'scipy', 'aiomqtt', 'matplotlib'} & set(sys.modules)"
    for arguments in (["--version"], ["--help"], ["formats"], ["metrics"]):
        lines = f"import sys\nfrom streamer.cli import main\nmain({arguments!r})\nprint(sorted({heavy}))"
        done = subprocess.run(
            [sys.executable, "-c", lines], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60
        )
        assert done.stdout.splitlines()[-1] == "[]", (arguments, done.stdout, done.stderr)
