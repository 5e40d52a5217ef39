"""The bundled recordings are what their stated commands make, small, documented, and readable as any recording is."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec
import numpy as np
import pytest

from adapters import simulator
from adapters.recordings.open import open_recording
from adapters.simulator.scenario_file import bundled_scenarios
from adapters.simulator.truth import Truth
from streamer.cli.commands.simulate import simulate
from streamer.model.chunk import Channel, Chunk
from tests.support import adapter_contract as contract

REPO = Path(__file__).parents[2]
FOLDER = REPO / "replay_data"
COHORTS = {"prone_cohort", "prone_short"}
"""Several patients; the hours of the first are made by who wants them, not kept."""
NAMES = sorted({path.stem for path in (FOLDER / "scenarios").glob("*.toml")} - COHORTS)
MAX_BYTES = 100_000


def recording_of(name: str) -> Path:
    found = [path for path in FOLDER.glob(f"{name}.*") if path.suffix in {".csv", ".parquet"}]
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


def test_every_file_belongs_to_a_scenario() -> None:
    assert set(NAMES) == {"dead_space", "demo", "disconnect", "effort", "leak", "pcv", "vcv_hold"}
    assert {path.name.partition(".")[0] for path in FOLDER.iterdir() if path.is_file()} <= {*NAMES, "README"}
    assert {name: path.parent for name, path in bundled_scenarios().items()} == dict.fromkeys(
        {*NAMES, *COHORTS}, FOLDER / "scenarios"
    )
    assert all(path.stat().st_size < MAX_BYTES for path in FOLDER.rglob("*"))


@pytest.mark.parametrize("name", NAMES)
def test_the_stated_command_makes_it_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = recording_of(name)
    stated = open_recording(recording).sidecar.recording.command
    program, verb, scenario, *options = shlex.split(stated)
    truth = f"replay_data/{name}.truth.json"
    assert (program, verb, options) == (
        "ventstream",
        "simulate",
        ["-o", f"replay_data/{recording.name}", "--truth", truth],
    )
    assert f"`{recording.name}`" in (readme := (FOLDER / "README.md").read_text(encoding="utf-8"))
    assert f"`{stated}`" in readme
    (tmp_path / "replay_data").mkdir()
    monkeypatch.chdir(tmp_path)
    assert simulate(scenario, Path(options[1]), Path(options[3])) == 0
    capsys.readouterr()
    made = sorted((tmp_path / "replay_data").iterdir())
    assert [path.name for path in made] == sorted(path.name for path in FOLDER.glob(f"{name}.*"))
    for path in made:
        kept = FOLDER / path.name
        if path.suffix == ".parquet":  # its bytes tell the version of the library that wrote it
            assert (
                contract.stream(open_recording(path).items()).form()
                == contract.stream(open_recording(kept).items()).form()
            )
            assert open_recording(path).sidecar == open_recording(kept).sidecar
        else:
            assert path.read_bytes() == kept.read_bytes(), path.name


def test_the_short_cohort_is_what_its_command_makes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = FOLDER / "prone_short"
    assert f"`{open_recording(kept / 'p1.parquet').sidecar.recording.command}`" in (FOLDER / "README.md").read_text()
    assert simulate("prone_short", tmp_path / "made", None) == 0
    capsys.readouterr()
    made = sorted((tmp_path / "made").iterdir())
    assert [path.name for path in made] == sorted(path.name for path in kept.iterdir())
    for path in made:
        if path.suffix == ".toml":
            assert path.read_bytes() == (kept / path.name).read_bytes(), path.name
            continue
        again, before = open_recording(path), open_recording(kept / path.name)
        assert contract.stream(again.items()).form() == contract.stream(before.items()).form()
        assert again.sidecar == before.sidecar


@pytest.mark.parametrize("name", NAMES)
def test_it_says_where_it_comes_from(name: str) -> None:
    recording = open_recording(recording_of(name))
    known = recording.sidecar.recording
    assert (known.source, known.licence, known.device) == ("simulated", "Apache-2.0", "ventstream simulator")
    chunks = [item for item in recording.items() if isinstance(item, Chunk)]
    assert recording.damaged_rows == 0
    truth = msgspec.json.decode((FOLDER / f"{name}.truth.json").read_bytes(), type=Truth)
    assert recording.sidecar.context.passive == ("not_asserted" if truth.efforts else "asserted")
    assert {chunk.rate_hz for chunk in chunks} == {truth.rate_hz} == {known.rate_hz}
    missing_s = sum(gap.duration_s for gap in truth.gaps)
    assert sum(map(len, chunks)) == round((truth.duration_s - missing_s) * truth.rate_hz)
    assert len(truth.breaths) > 15


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_what_was_simulated(name: str) -> None:
    """To the converter's step: a file holds decimal steps, and so does the scenario."""
    simulated = contract.stream(simulator.simulate(name).chunks())
    kept = contract.stream(open_recording(recording_of(name)).items())
    assert kept.n == simulated.n
    for channel in (Channel.PAW, Channel.FLOW):
        assert np.allclose(kept.samples(channel), simulated.samples(channel), rtol=0, atol=1e-9)
