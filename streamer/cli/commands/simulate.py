"""``simulate``: a recording of the lung simulator, or the sessions of a cohort on all processors."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import track

from adapters import simulator
from adapters.recordings.canonical import write_recording
from adapters.simulator.cohort import COHORT_FILE, Cohort, Patient, find_cohort
from streamer.analysis.parallel import spread
from streamer.cli.commands.convert import say_others, write
from streamer.cli.progress import Bar
from streamer.files.output import Output, say
from streamer.model.errors import ConfigError, OutputError

RECORDINGS = {".csv", ".parquet"}
CHUNK_S = 60.0
"""Hours are written faster in long pieces."""


def simulate(scenario: str, out: Path, truth: Path | None) -> int:
    """Write what a scenario describes, and what is true of it; the exit status."""
    cohort = find_cohort(scenario)
    if cohort is not None:
        return _simulate_cohort(scenario, cohort, out, truth)
    if out.suffix.lower() not in RECORDINGS and (out.is_dir() or not out.suffix):
        raise ConfigError(f"{out}: {scenario} is one patient: name a file, .parquet or .csv; folders are for cohorts")
    loaded = simulator.load_scenario(scenario)
    with Bar(f"simulating {out.name}"):
        simulation = simulator.simulate(loaded)
        written = write(out, simulation.chunks, simulation.sidecar, decimals=simulator.DECIMALS)
    _keep_truth(simulation, truth)
    say(f"{out}: {written[0].rows} samples")
    say_others(written)
    return 0


def _simulate_cohort(scenario: str, cohort: Cohort, out: Path, truth: Path | None) -> int:
    for folder in (out, truth):
        _make_folder(scenario, folder)
    patients, n = cohort.patients, len(cohort.patients)
    rows = spread(_simulate_patient, min(os.cpu_count() or 1, n), patients, [out] * n, [truth] * n)
    console = Console(stderr=True)
    followed = track(rows, "simulating", n, console=console, transient=True, disable=not sys.stderr.isatty())
    for patient, count in zip(patients, followed, strict=True):
        say(f"{out / patient.name}.parquet: {count} samples")
    index = out / COHORT_FILE
    _keep(index, cohort.text.encode())
    say(f"{index}: {n} sessions")
    return 0


def _make_folder(scenario: str, folder: Path | None) -> None:
    if folder is None:
        return
    if folder.suffix.lower() in {*RECORDINGS, ".json"} or (folder.exists() and not folder.is_dir()):
        raise ConfigError(f"{folder}: {scenario} is a cohort, several recordings: name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder}: cannot be made: {getattr(error, 'strerror', None) or error}") from None


def _simulate_patient(patient: Patient, out: Path, truth: Path | None) -> int:
    """Recording, patient file and truth of one patient; how many samples. In a process of its own."""
    simulation = simulator.simulate(patient.scenario)
    path = out / f"{patient.name}.parquet"
    rows = write_recording(path, simulation.chunks(CHUNK_S), patient.recording)
    _keep(out / f"{patient.name}.toml", patient.session([path.name]).encode())
    _keep_truth(simulation, truth / f"{patient.name}.truth.json" if truth else None)
    return rows


def _keep_truth(simulation: simulator.Simulation, path: Path | None) -> None:
    if path is not None:
        _keep(path, msgspec.json.format(msgspec.json.encode(simulation.truth), indent=1) + b"\n")


def _keep(path: Path, content: bytes) -> None:
    with Output(str(path)) as output:
        output.write(content)
