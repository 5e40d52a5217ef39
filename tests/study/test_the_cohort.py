"""The whole study as a user runs it: two commands, four patients of nine hours, against the simulator's own truth."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from adapters.simulator.cohort import find_cohort
from streamer.analysis.tables import read_table

TOLERANCES = {
    "vd_aw": (8.0, 0.0),
    "vd_vt_bohr": (0.02, 0.0),
    "vd_vt_enghoff": (0.03, 0.0),
    "crs": (0.0, 0.04),
    "pplat": (0.5, 0.0),
    "mp": (0.0, 0.03),
}
"""Quantity → how far it may be off at any time point: absolutely, as a share."""
POINTS = ("baseline", "1 h prone", "4 h prone", "8 h prone")
WORKER_MB = 450
"""Of which numpy, numba, Arrow and pandas take 250, where nothing has to be compiled any more."""
SAMPLES_MB = 78
"""Of one patient, were they kept."""


REPO = Path(__file__).parents[2]
SHOWN = re.search(r"<!-- study -->\n```bash\n(.*)\n(.*)\n```", (REPO / "docs" / "study.md").read_text(encoding="utf-8"))


def ventstream(line: str, folder: Path) -> str:
    """What a command line as in docs/study.md says; it must succeed."""
    program, *arguments = shlex.split(line)
    assert program == "ventstream"
    command = [sys.executable, "-m", "streamer", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def true_at(truth: dict[str, Any], from_s: float, to_s: float) -> dict[str, float]:
    """The truth of the breaths that ended in a window, by the rules of a time point."""
    breaths = [breath for breath in truth["breaths"] if from_s < breath["end_s"] <= to_s]
    segments = truth["segments"]
    exhaling = [breath for breath in breaths if "co2" in breath]  # not the one that suction took
    gases = [breath["co2"] for breath in exhaling]
    volumes = [breath["vt_exp"] for breath in exhaling]
    return {
        "vd_aw": float(np.median([gas["vd_aw"] for gas in gases])),
        "vd_vt_bohr": float(np.average([gas["vd_vt_bohr"] for gas in gases], weights=volumes)),
        "vd_vt_enghoff": float(np.average([gas["vd_vt_enghoff"] for gas in gases], weights=volumes)),
        "crs": float(np.median([segments[b.get("segment", 0)]["lung"]["compliance_ml_cmh2o"] for b in breaths])),
        "pplat": float(np.median([breath["pplat"] for breath in breaths])),
        "mp": 60 * sum(b["energy"] for b in breaths) / sum(b["end_s"] - b["start_s"] for b in breaths),
    }


def truths(folder: Path, numbers: pd.DataFrame) -> Iterator[tuple[str, str, dict[str, float]]]:
    cohort = folder / "cohort"
    for patient, rows in numbers.groupby("patient"):
        truth = json.loads((cohort / "truth" / f"{str(patient).lower()}.truth.json").read_bytes())
        session = tomllib.loads((cohort / f"{str(patient).lower()}.toml").read_text())
        turned = next(event["at"] for event in session["event"] if event["kind"] == "prone")
        turned_s = (turned - find_cohort("prone_cohort").patients[0].scenario.recording.start_utc).total_seconds()
        for point, at in rows.groupby("point"):
            edges = (turned_s + 3600 * float(at[name].iloc[0]) for name in ("from_hours", "to_hours"))
            yield str(patient), str(point), true_at(truth, *edges)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first command of docs/study.md was run."""
    assert SHOWN
    found = tmp_path_factory.mktemp("study")
    ventstream(SHOWN[1], found)
    return found


def test_the_report_recovers_the_truth_at_every_time_point(folder: Path) -> None:
    assert SHOWN
    assert "Four synthetic patients turned prone (synthetic: simulated)" in ventstream(SHOWN[2], folder)
    numbers = read_table(folder / "numbers.parquet")
    assert sorted(numbers["patient"].unique()) == ["P1", "P2", "P3", "P4"]
    assert tuple(numbers["point"].unique()) == POINTS
    found = numbers.set_index(["patient", "point", "quantity"])["value"]
    compared = 0
    for patient, point, true in truths(folder, numbers):
        for name, (absolute, share) in TOLERANCES.items():
            limit = absolute + share * abs(true[name])
            assert found[patient, point, name] == pytest.approx(true[name], abs=limit), (patient, point, name)
            compared += 1
    assert compared == 4 * 4 * len(TOLERANCES)
    later = numbers[numbers["point"] == "8 h prone"].set_index("quantity")
    for name in ("vd_vt_bohr", "vd_vt_enghoff"):
        assert list(later.loc[name, "direction"]) == ["lower"] * 4
    assert list(later.loc["mp", "direction"]) == ["no change"] * 4
    assert len(set(later.loc["crs", "direction"])) > 1  # mechanics without a pattern
    baseline = numbers[numbers["point"] == "baseline"].set_index("quantity")["value"]
    assert (baseline.loc["pf_ratio"] < 150).all()
    fractions = baseline.loc[["vd_vt_bohr", "vd_vt_enghoff"]]
    assert fractions.min() == pytest.approx(0.27, abs=0.015)
    assert fractions.max() == pytest.approx(0.60, abs=0.015)
    assert "Synthetic" in (folder / "report.html").read_text(encoding="utf-8")
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")
    written = read_table(folder / "numbers.csv")
    assert written["value"].tolist() == pytest.approx(numbers["value"].tolist(), nan_ok=True)


PEAK = r"""
import re, sys
from pathlib import Path
from streamer.analysis.run_recording import Job
from streamer.study.collect import collect
assert collect(Job(path=Path(sys.argv[1]))).findings.samples
print(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])
"""
"""The process tells its own peak: what the system tells of a child counts the parent's memory at its birth as well."""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_hours_need_no_more_memory_than_minutes(folder: Path) -> None:
    """A worker keeps breaths; the samples of nine hours pass through."""
    peaks = {}
    long = folder / "cohort" / "p4.parquet"
    for path in (long, REPO / "replay_data" / "dead_space.parquet", long):  # the first may have to compile
        command = [sys.executable, "-c", PEAK, str(path)]
        done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True, timeout=120)
        peaks[path.stem] = int(done.stdout) / 1024
    assert peaks["p4"] < WORKER_MB
    assert peaks["p4"] - peaks["dead_space"] < SAMPLES_MB, peaks
