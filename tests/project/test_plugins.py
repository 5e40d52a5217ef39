"""What another distribution adds by entry points is found, listed and used; one that is broken is named."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel, Chunk

REPO = Path(__file__).parents[2]
SAMPLE = REPO / "tests" / "support" / "sample_plugin"


def installed(folder: Path, groups: dict[str, dict[str, str]]) -> None:
    """Make a distribution of entry points as an installer leaves it; its modules are found beside."""
    info = folder / "acme_vent-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-vent\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()) for group, entries in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """The sample distribution, installed, and a log of its monitor in ``x.txt``."""
    groups = tomllib.loads((SAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    installed(tmp_path, groups)
    recording = open_recording(REPO / "replay_data" / "pcv.csv")
    chunks = [item for item in recording.items() if isinstance(item, Chunk)]
    rows = [
        f"{60 * flow:.4f},{paw:.4f}\n"
        for chunk in chunks
        for flow, paw in zip(chunk.channels[Channel.FLOW], chunk.channels[Channel.PAW], strict=True)
    ]
    (tmp_path / "x.txt").write_text("#acme\n" + "".join(rows), encoding="utf-8")
    return tmp_path


def ventstream(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    place = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (REPO, SAMPLE, folder)))}
    run = [sys.executable, "-m", "streamer", *arguments]
    return subprocess.run(run, cwd=folder, env=place, capture_output=True, text=True, check=False, timeout=300)


def test_a_format_a_device_and_a_metric_are_listed(acme: Path) -> None:
    formats = ventstream(acme, "formats").stdout
    assert "acme\tAcme monitor, text log: flow, pressure; 50 Hz" in formats
    assert "acme_live\tAcme monitor, 50 Hz\tpath\tno" in formats
    assert "acme_duty\t1\t" in ventstream(acme, "metrics").stdout


def test_they_are_used_like_ours(acme: Path) -> None:
    said = ventstream(acme, "check", "x.txt")
    assert "format    acme" in said.stdout, said.stderr
    done = ventstream(acme, "analyze", "x.txt", "-o", "out.csv", "--summaries", "s.jsonl")
    assert done.returncode == 0, done.stderr
    with (acme / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    given = [row for row in rows if row["acme_duty"]]
    assert len(given) > 10
    for row in given:
        assert float(row["acme_duty"]) == pytest.approx(float(row["ti"]) / (float(row["ti"]) + float(row["te"])))
    summaries = [json.loads(line) for line in (acme / "s.jsonl").read_text(encoding="utf-8").splitlines()]
    assert any(row.get("acme_duty_median") for row in summaries)
    (acme / "bed.toml").write_text(
        '[broker]\nurl = "embedded"\n[[bed]]\nid = "b"\nsources = [{ adapter = "acme_live", path = "x.txt" }]\n',
        encoding="utf-8",
    )
    checked = ventstream(acme, "check", "bed.toml")
    assert checked.returncode == 0, checked.stderr
    assert "acme_live" in checked.stdout


@pytest.mark.broker
def test_its_device_runs_into_its_output(acme: Path) -> None:
    (acme / "bed.toml").write_text(
        '[broker]\nurl = "embedded"\n[embedded]\nport = 0\n[[output]]\nkind = "acme"\npath = "breaths.txt"\n'
        '[[bed]]\nid = "b"\nsources = [{ adapter = "acme_live", path = "x.txt", speed = "max" }]\n',
        encoding="utf-8",
    )
    done = ventstream(acme, "run", "bed.toml")
    assert done.returncode == 0, done.stderr
    lines = (acme / "breaths.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == int(done.stderr.split("bed b: ")[1].split(" ")[0]) > 10
    assert all(line.startswith("b ") for line in lines)


@pytest.mark.parametrize(
    ("group", "entry", "said"),
    [
        ("formats", "no_such_module:FORMAT", "cannot be imported: ModuleNotFoundError"),
        ("formats", "acme_vent.live:DEVICE", "expected a Format"),
        ("devices", "acme_vent.log:FORMAT", "expected a Device"),
        ("metrics", "no_such_module", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_broken_entry_is_named(tmp_path: Path, group: str, entry: str, said: str) -> None:
    installed(tmp_path, {f"ventstream.{group}": {"acme": entry}})
    done = ventstream(tmp_path, "metrics" if group == "metrics" else "formats")
    assert done.returncode == 2
    assert f"entry point 'acme' (ventstream.{group}) of acme-vent" in done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("group", "entry"), [("formats", "acme_vent.log:FORMAT"), ("devices", "acme_vent.live:DEVICE")]
)
def test_a_name_of_ours_is_not_taken_over(tmp_path: Path, group: str, entry: str) -> None:
    installed(tmp_path, {f"ventstream.{group}": {"pb840": entry}})
    done = ventstream(tmp_path, "formats")
    assert done.returncode == 2
    assert "of this name already" in done.stderr
