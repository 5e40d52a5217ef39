"""Who may import whom: the contract in pyproject.toml, run by import-linter, and that it would catch a breach."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import adapters
import streamer

REPO = Path(__file__).parents[2]
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
CONTRACTS = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    place = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    run = [sys.executable, "-c", LINT]
    return subprocess.run(run, cwd=folder, env=place, capture_output=True, text=True, check=False, timeout=120)


def test_the_contract_is_kept() -> None:
    done = lint(REPO)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_has_its_floor() -> None:
    layers = CONTRACTS[0]["layers"]
    named = {name.strip() for layer in layers for name in layer.split("|")}
    ours = {f"streamer.{found.name}" for found in pkgutil.iter_modules(streamer.__path__) if found.name != "__main__"}
    assert named == ours | {"adapters"}
    inside = {f"adapters.{found.name}" for found in pkgutil.iter_modules(adapters.__path__)}
    assert set(CONTRACTS[2]["layers"]) | {"adapters.simulator"} == inside


BREACHES = {
    "streamer/core/align.py": ("from adapters.decoding import columns", "The floors of the house"),
    "streamer/model/units.py": ("from streamer.files import toml", "The floors of the house"),
    "streamer/study/points.py": ("from streamer.report import page", "The floors of the house"),
    "streamer/analysis/rows.py": ("from streamer.service import plan", "The floors of the house"),
    "streamer/wire/encode.py": ("from adapters.devices import pb840", "The floors of the house"),
    "adapters/formats/edf.py": ("from streamer.core import align", "Adapters see the vocabulary"),
    "adapters/decoding/columns.py": ("from adapters.formats import edf", "Inside adapters"),
    "adapters/formats/npy.py": ("from adapters.devices import pb840", "Inside adapters"),
    "adapters/recordings/open.py": ("from adapters import simulator", "The simulator stands apart"),
    "streamer/core/bed.py": ("import time", "The core has no clock"),
    "streamer/core/rolling.py": ("from pathlib import Path", "The core has no clock"),
    "streamer/service/plan.py": ("import rich", "Studies load no command line"),
}


@pytest.mark.parametrize(("file", "line", "contract"), [(f, *rest) for f, rest in BREACHES.items()], ids=BREACHES)
def test_a_breach_is_caught(file: str, line: str, contract: str, tmp_path: Path) -> None:
    packages = [
        path.relative_to(REPO) for name in ("streamer", "adapters") for path in (REPO / name).rglob("__init__.py")
    ]
    for path in (*packages, *map(Path, BREACHES), Path("streamer/files/toml.py"), Path("adapters/devices/pb840.py")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_bytes((REPO / "pyproject.toml").read_bytes())
    (tmp_path / file).write_text(f"{line}\n", encoding="utf-8")
    done = lint(tmp_path)
    broken = [text for text in done.stdout.splitlines() if text.endswith("BROKEN")]
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(text.startswith(contract) for text in broken), done.stdout
