"""Compiled code is kept where an edit of anything it was made of is seen, and where it can be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from streamer.model import jit

PROJECT = Path(__file__).parents[2]
INSPIRED = """
import numpy as np
from streamer.core.metrics.features.capnogram import capnogram  # calls prefix_sums.running_sum
print(capnogram(np.full(100, 2.0), np.ones(100), 100.0, 50, 0)[1])
"""


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The module remembers what it read and decided; each test begins without that."""
    remembered = (jit.folder_of, jit._imported, jit._read, jit._environment, jit._root)
    for one in remembered:
        one.cache_clear()
    yield
    monkeypatch.undo()
    for one in remembered:
        one.cache_clear()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project's sources with a cache folder of its own."""
    for name in ("streamer", "adapters"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(tree: Path, **environment: str) -> float:
    known = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    done = subprocess.run(
        [sys.executable, "-c", INSPIRED],
        cwd=tree,
        env={**known, "PYTHONPATH": str(tree), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def folders(tree: Path) -> set[str]:
    return {path.name for path in (tree / "streamer" / "__pycache__").glob("ventstream-*")}


def test_an_edit_of_a_file_that_a_kernel_uses_is_seen_with_the_cache_kept(tree: Path) -> None:
    assert run(tree) == 2.0
    before = folders(tree)
    other = tree / "streamer" / "__pycache__" / "ventstream-of-another-environment"
    (other / "code").mkdir(parents=True)
    used = tree / "streamer" / "core" / "metrics" / "features" / "prefix_sums.py"
    text = used.read_text(encoding="utf-8")
    assert "total[i] + samples[i]" in text
    used.write_text(text.replace("total[i] + samples[i]", "total[i] + 3.0 * samples[i]"), encoding="utf-8")
    assert run(tree) == 6.0
    assert before < folders(tree)
    assert (other / "code").is_dir()
    used.write_text(text, encoding="utf-8")
    kept = folders(tree)
    assert run(tree) == 2.0
    assert folders(tree) == kept, "the first code was still there"


def test_a_constant_of_another_file_counts_as_source(tree: Path) -> None:
    run(tree)
    before = folders(tree)
    chunk = tree / "streamer" / "model" / "chunk.py"
    chunk.write_text(chunk.read_text(encoding="utf-8") + "\nSPARE = 1\n", encoding="utf-8")
    run(tree)
    assert before < folders(tree)


def test_what_is_unrelated_does_not_count(tree: Path) -> None:
    run(tree)
    before = folders(tree)
    outbox = tree / "streamer" / "wire" / "outbox.py"
    outbox.write_text(outbox.read_text(encoding="utf-8") + "\nSPARE = 1\n", encoding="utf-8")
    run(tree)
    assert folders(tree) == before


def test_another_processor_has_another_folder(tree: Path) -> None:
    run(tree)
    before = folders(tree)
    assert run(tree, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == 2.0
    assert before < folders(tree)


@pytest.mark.parametrize("part", ["__version__", "cpu"])
def test_numba_and_the_processor_are_part_of_the_key(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(jit.__file__)
    before = jit.folder_of(source)
    jit._environment.cache_clear()
    jit.folder_of.cache_clear()
    if part == "cpu":
        monkeypatch.setattr(jit.binding, "get_host_cpu_name", lambda: "another")
    else:
        monkeypatch.setattr(jit.numba, "__version__", "0.0")
    after = jit.folder_of(source)
    assert after != before
    assert after.parent == before.parent


def test_every_kernel_goes_through_the_one_door() -> None:
    compiling = [
        path.relative_to(PROJECT).as_posix()
        for top in ("streamer", "adapters")
        for path in sorted((PROJECT / top).rglob("*.py"))
        if "njit" in path.read_text(encoding="utf-8")
    ]
    assert compiling == ["streamer/model/jit.py"]


def test_imports_are_followed_through_names_parentheses_and_packages() -> None:
    found = {
        path.relative_to(PROJECT).as_posix() for path in jit.reachable(PROJECT / "adapters" / "simulator" / "lung.py")
    }
    assert {
        "adapters/simulator/lung.py",
        "adapters/simulator/array_layout.py",
        "adapters/simulator/valve.py",
        "streamer/model/chunk.py",
    } <= found
    assert {"streamer/model/errors.py", "adapters/simulator/scenario_tables.py"} <= found, "indirectly"
    assert "streamer/core/bed.py" not in found


def test_compiling_leaves_the_place_of_other_programs_alone() -> None:
    before = jit.config.CACHE_DIR
    jit.kernel(lambda value: value)
    assert before == jit.config.CACHE_DIR


def test_a_named_folder_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jit.config, "CACHE_DIR", str(tmp_path))
    assert jit.folder_of(Path(jit.__file__)).parent == tmp_path


def test_where_the_code_cannot_be_written_the_users_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jit.config, "CACHE_DIR", "")
    monkeypatch.setattr(jit, "_is_writable", lambda folder: tmp_path in folder.parents)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert jit.folder_of(Path(jit.__file__)).parent == tmp_path / "ventstream"


def test_where_nothing_can_be_written_there_is_a_private_folder_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[str] = []
    at_exit = SimpleNamespace(register=lambda _remove, folder, **_options: registered.append(folder))
    monkeypatch.setattr(jit, "atexit", at_exit)
    monkeypatch.setattr(jit.config, "CACHE_DIR", "")
    monkeypatch.setenv(jit.VARIABLE, "")
    monkeypatch.setattr(jit.os, "access", lambda _path, _mode: False)
    folder = jit.folder_of(Path(jit.__file__)).parent
    assert registered == [str(folder)]
    assert os.environ[jit.VARIABLE] == str(folder)
    assert folder.stat().st_mode & 0o077 == 0
    folder.rmdir()


KEPT = """
from streamer.model import jit

@jit.kernel
def twice(value):
    return 2.0 * value

print(twice(2.0), jit.TALLY.compiled, jit.TALLY.problem.replace("\\n", " "))
"""


def kept(tmp_path: Path, **environment: str) -> tuple[float, int, str]:
    """A kernel of its own, in another process: its value, how many were compiled, what was wrong with the cache."""
    source = tmp_path / "kernel_of_a_test.py"
    source.write_text(KEPT, encoding="utf-8")
    known = {key: value for key, value in os.environ.items() if not key.startswith(("NUMBA_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, str(source)],
        env={**known, "PYTHONPATH": str(PROJECT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    value, compiled, problem = done.stdout.rstrip("\n").split(" ", 2)
    return float(value), int(compiled), problem


def test_code_that_is_kept_is_not_compiled_again(tmp_path: Path) -> None:
    named = str(tmp_path / "cache")
    assert kept(tmp_path, NUMBA_CACHE_DIR=named) == (4.0, 1, "")
    assert kept(tmp_path, NUMBA_CACHE_DIR=named) == (4.0, 0, "")


@pytest.mark.parametrize("content", [b"", b"\x80", b"garbage", b"\x80\x04N.", bytes(range(256)) * 40])
@pytest.mark.parametrize("kind", [".nbi", ".nbc"])
def test_a_damaged_cache_costs_time_only(tmp_path: Path, content: bytes, kind: str) -> None:
    named = tmp_path / "cache"
    kept(tmp_path, NUMBA_CACHE_DIR=str(named))
    damaged = [path for path in named.rglob(f"*{kind}") if "twice" in path.name]
    assert damaged
    for path in damaged:
        path.write_bytes(content)
    value, _, _ = kept(tmp_path, NUMBA_CACHE_DIR=str(named))
    assert value == 4.0


def test_a_cache_that_is_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    named = tmp_path / "cache"
    kept(tmp_path, NUMBA_CACHE_DIR=str(named))
    (index,) = (path for path in named.rglob("*.nbi") if "twice" in path.name)
    index.unlink()
    index.mkdir()
    value, compiled, problem = kept(tmp_path, NUMBA_CACHE_DIR=str(named))
    assert (value, compiled) == (4.0, 1)
    assert "cannot be read: Is a directory" in problem


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no /dev/null on this system")
def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    value, _, problem = kept(tmp_path, NUMBA_CACHE_DIR="/dev/null/cache")
    assert value == 4.0
    assert "/dev/null/cache" in problem
    assert "cannot be written" in problem
