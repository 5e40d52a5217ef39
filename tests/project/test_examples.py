"""Every file of ``examples/`` runs, offline, and prints what its text promises."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

REPO = Path(__file__).parents[2]
EXAMPLES = REPO / "examples"
NOTEBOOK = EXAMPLES / "recording_to_comparison.ipynb"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPO), "PYTHONDONTWRITEBYTECODE": "1"}
SCRIPTS = {
    "breaths_of_a_recording.py": r"\n +10\.2\d s  VT  \d{3} mL  PEEP +\d+\.\d cmH2O  Crs 3[45]\.\d mL/cmH2O\n",
    "compare_two_periods.py": r"VD/VT, Bohr \[1\]\n(  P\d 1\.2 min prone: +0\.\d\d -> +0\.\d\d  lower\n){4}",
    "lung_against_its_truth.py": r" crs: +3 breaths, largest difference [+-]0\.\d\d\n",
    "own_source_over_tcp.py": r"breath 1: VT 500 mL\n",
    "subscribe_over_mqtt.py": r"online\n(.*\n)+bench breath 5: mechanical power 1\d\.\d J/min\n(.*\n)+bench is offline",
}
"""Script → what its output must contain."""


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == SCRIPTS.keys()
    assert set(EXAMPLES.glob("*.ipynb")) == {NOTEBOOK}
    listed = re.findall(r"\]\((\w+\.\w+)\)", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted([*SCRIPTS, NOTEBOOK.name])


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_prints_what_it_says(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        cwd=tmp_path,  # an example finds its recording wherever it is started, and leaves nothing behind
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,  # the first run compiles the core
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(SCRIPTS[name], done.stdout), done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``nbclient`` starts a kernel of this interpreter, which talks to it over loopback."""
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the kernel's transport, not of ours
        asyncio.run(NotebookClient(notebook, timeout=600, kernel_name="python3").async_execute())
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    text = "".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs)
    assert "parquet vcv 170 cm ['prone', 'settings']" in text
    assert re.search(r"measured +2\n", text), text
    assert len(re.findall(r"vd_vt_bohr.* lower", text)) == 4, text
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3


def test_the_notebook_is_stored_without_its_outputs() -> None:
    """So that a change of it can be read, and nothing stands in it that was not run here."""
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert cell.cell_type == "markdown" or (cell.outputs == [] and cell.execution_count is None)
