"""The recipes of docs/contributing.md, followed literally in a copy of the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import REPO, blocks_of, commands

PAGE = REPO / "docs" / "contributing.md"
INSERTED = re.compile(r"in (?P<path>\S+), (?P<where>above|below): (?P<text>.*?)(?P<decorated>, with its decorator)?")
RECIPES = {
    "format": "adapters/formats/acme.py",
    "device": "adapters/devices/acme_live.py",
    "metric": "tests/core/metrics/test_peak_above_peep.py",
    "kernel": "tests/core/metrics/test_paw_rise.py",
    "label": "streamer/core/labels/_sigh.py",
}
"""A name → a file that only this recipe writes."""


def steps_of(recipe: str) -> list[tuple[str, str]]:
    """What the recipe that writes this file says to do: comment above a block, and the block."""
    steps: list[tuple[str, str]] = []
    for block in blocks_of(PAGE):
        if block.mark == "recipe":
            steps.append((block.mark, block.text))
            if any(mark == f"file: {RECIPES[recipe]}" for mark, _ in steps):
                return steps
            steps = []
        elif block.mark.startswith(("file: ", "in ")):
            steps.append((block.mark, block.text))
    raise AssertionError(f"no recipe writes {RECIPES[recipe]}")


def follow(mark: str, text: str, copy: Path) -> None:
    """Write a file, or insert lines at the only place that the page names; a function with two empty lines below it."""
    if mark.startswith("file: "):
        path = copy / mark.removeprefix("file: ")
        assert not path.exists(), path
        path.write_text(text, encoding="utf-8")
        return
    found = INSERTED.fullmatch(mark)
    assert found, mark
    path = copy / found["path"]
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    (at,) = [n for n, line in enumerate(lines) if found["text"] in line]
    at += found["where"] == "below"
    at -= bool(found["decorated"])
    text = f"{text}\n\n" if text.startswith(("@", "def ")) else text
    path.write_text("".join([*lines[:at], text, *lines[at:]]), encoding="utf-8")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_followed_literally_works(recipe: str, tmp_path: Path) -> None:
    """Kernels run as plain Python: the copy need not be compiled."""
    for name in ("streamer", "adapters", "tests", "pyproject.toml"):
        there = REPO / name
        if there.is_dir():
            shutil.copytree(there, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "golden"))
        else:
            shutil.copy(there, tmp_path / name)
    for mark, text in steps_of(recipe):
        if mark != "recipe":
            follow(mark, text, tmp_path)
            continue
        for line in commands(text):
            command = [sys.executable, *line.split()[1:], "-p", "no:cacheprovider"]
            done = subprocess.run(
                command,
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_DISABLE_JIT": "1"},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert done.returncode == 0, done.stdout + done.stderr
    written = [str(tmp_path / mark.split()[1].rstrip(",")) for mark, _ in steps_of(recipe) if mark != "recipe"]
    lint = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "-q", *sorted(set(written))],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert lint.returncode == 0, lint.stdout + lint.stderr
