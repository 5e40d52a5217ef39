"""The examples in docstrings run, and every name that a user of Python touches has one."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
PACKAGES = ("streamer", "adapters")


def dotted(path: Path) -> str:
    parts = path.relative_to(REPO).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = sorted(
    dotted(path)
    for package in PACKAGES
    for path in (REPO / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
"""The modules with an example."""


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the top of a clone, as a reader would type them."""
    monkeypatch.chdir(REPO)
    module = importlib.import_module(name)
    failures: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    tests = [test for test in doctest.DocTestFinder().find(module, name) if test.examples]
    assert tests, f"{name}: doctest finds none of its examples"
    for test in tests:
        runner.run(test, out=failures.append)
    assert not failures, "".join(failures)


CONSTANTS = {"DECIMALS", "DEFAULT_PERIOD_S", "EPOCH", "Event", "MAX_PAYLOAD", "QUANTITIES", "UtcOf"}
"""Names of values and unions, which cannot carry a docstring of their own."""
PUBLIC = {
    "streamer": (),
    "streamer.study": (),
    "streamer.report": (),
    "streamer.report.breath": ("breath_figure",),
    "streamer.wire": (),
    "streamer.wire.outbox": ("OutboxSettings", "WhenFull"),
    "streamer.service": (),
    "streamer.service.embedded_broker": ("EmbeddedBroker",),
    "streamer.service.publish": (),
    "streamer.analysis.run_recording": ("Job", "examine"),
    "streamer.core.metrics.registry": ("Graded", "Metric", "NotMeasurable", "metric"),
    "streamer.model.chunk": ("Adapter",),
    "streamer.model.context": ("Sidecar",),
    "streamer.files.sidecar": ("read_sidecar",),
    "adapters.decoding.contract": ("Decoder", "ReadOptions", "TextTable"),
    "adapters.devices": ("Device", "devices"),
    "adapters.formats": ("Format", "formats", "named"),
    "adapters.recordings.open": ("Recording", "Settings", "open_recording"),
    "adapters.simulator": (),
    "adapters.simulator.truth": ("Truth",),
}
"""Module → the names in it that a user of Python touches; none given: all of ``__all__``."""


@pytest.mark.parametrize("module_name", PUBLIC)
def test_every_public_name_has_an_example(module_name: str) -> None:
    module = importlib.import_module(module_name)
    names = set(PUBLIC[module_name] or module.__all__) - CONSTANTS
    assert names
    bare = {name for name in names if ">>> " not in (getattr(module, name).__doc__ or "")}
    assert not bare


def test_every_public_name_is_in_the_reference() -> None:
    """docs/api.md has an entry for each module, or for the one that the name is defined in."""
    text = (REPO / "docs" / "api.md").read_text(encoding="utf-8")
    entries = re.findall(r"^::: ([\w.]+)$", text, re.MULTILINE)
    missing = set()
    for module_name, chosen in PUBLIC.items():
        module = importlib.import_module(module_name)
        for name in set(chosen or module.__all__) - CONSTANTS:
            home = getattr(getattr(module, name), "__module__", module_name)
            if not {f"{home}.{name}", f"{module_name}.{name}", home, module_name} & set(entries):
                missing.add(f"{module_name}.{name}")
    assert not missing


def documented(node: ast.AST, name: str) -> Iterator[tuple[str, bool]]:
    """Name, and whether it has a docstring, of a module, its classes and functions, their members likewise."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield name, ast.get_docstring(node) is not None
    if isinstance(node, ast.Module | ast.ClassDef):
        for inner in node.body:
            inner_name = getattr(inner, "name", "_")
            if not inner_name.startswith("_"):
                yield from documented(inner, f"{name}.{inner_name}")


def test_every_module_class_and_function_has_a_docstring() -> None:
    """Also in modules whose name starts with an underscore, which ruff's D rules take for private."""
    found = [
        one
        for package in PACKAGES
        for path in (REPO / package).rglob("*.py")
        for one in documented(ast.parse(path.read_text(encoding="utf-8")), dotted(path))
    ]
    assert len(found) > 1000
    assert [name for name, has_one in found if not has_one] == []
