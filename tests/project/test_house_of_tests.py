"""Where things of the tests stand: shared helpers in ``tests/support``, tools in ``tests/tools``, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
FILES = sorted(TESTS.rglob("*.py"))
SHARED = re.compile(r"\btests\.(?!support\b|tools\b)[\w.]+")


def test_no_file_imports_a_test_module() -> None:
    for path in FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        imports = [line for line in lines if re.match(r"\s*(?:from|import)\s", line)]
        assert not [line for line in imports if SHARED.search(line)], path


def test_every_test_stands_in_a_folder_named_like_what_it_tests() -> None:
    own = {"laws", "project", "support", "tools"}
    for path in TESTS.rglob("test_*.py"):
        first, *rest = path.relative_to(TESTS).parts[:-1]
        if first not in own:
            there = TESTS.parent.joinpath(*(() if first == "adapters" else ("streamer",)), first, *rest)
            assert there.is_dir() or there.with_suffix(".py").is_file(), path


def test_support_and_tools_hold_no_tests() -> None:
    assert not [path for name in ("support", "tools") for path in (TESTS / name).rglob("test_*.py")]
