"""Imports point down only: the floors of the architecture, read from every import statement."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]

FLOORS: dict[str, int] = {
    # 0 vocabulary
    "chunk": 0, "breath": 0, "records": 0, "units": 0,
    "zones": 0, "errors": 0, "context": 0, "toml": 0, "_toml_lines": 0,
    "reasons": 0, "faults": 0, "sidecar": 0, "clocks": 0, "jit": 0, "bed_label": 0,
    "address": 0, "secret": 0,  # of a broker: adapters may have their samples from one
    # 1 operators
    "align": 1, "segment": 1, "metrics": 1, "labels": 1, "rolling": 1, "rls": 1, "told": 1, "suspicions": 1,
    "doubts": 1,
    # 2 the core in one object
    "bed": 2, "expirogram": 2,
    # 3 boundary
    "wire": 3, "outbox": 3, "timebase": 3, "config": 3, "lookup": 3, "connection": 3, "figure": 3,
    # 4 shell
    "pacing": 4, "publish": 4, "broker": 4, "run": 4, "tables": 4, "rows": 4, "output": 4, "terminal": 4,
    "commands": 4, "cli": 4, "study": 4, "report": 4,
}  # fmt: skip
ASYNC_MODULES = {"asyncio", "aiomqtt", "paho", "socket", "threading"}
CLOCK_MODULES = {"time"}


def family(dotted: str) -> str:
    """``streamer.metrics.power`` → ``metrics``; ``streamer._scan`` → ``_scan``."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else ""


def modules(package: str) -> list[tuple[str, Path]]:
    root = REPO / package
    return sorted(
        (".".join(path.relative_to(REPO).with_suffix("").parts).removesuffix(".__init__"), path)
        for path in root.rglob("*.py")
    )


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found.add(module)
            if module in {"streamer", "adapters"}:
                found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def floor_of(name: str) -> int:
    unit = family(name)
    assert unit in FLOORS, f"{name} has no floor: add {unit!r} to tests/test_floors.py"
    return FLOORS[unit]


STREAMER = [(name, path) for name, path in modules("streamer") if name not in {"streamer", "streamer.__main__"}]
ADAPTERS = modules("adapters")


@pytest.mark.parametrize(("name", "path"), STREAMER, ids=[name for name, _ in STREAMER])
def test_streamer_imports_point_down(name: str, path: Path) -> None:
    floor = floor_of(name)
    for imported in imports(path):
        top = imported.split(".")[0]
        assert top != "adapters", f"{name} imports {imported} statically"
        if floor < 4:
            assert top not in ASYNC_MODULES, f"{name} (floor {floor}) imports {imported}"
            assert top not in CLOCK_MODULES, f"{name} (floor {floor}) reads a clock: {imported}"
        if top == "streamer" and imported != "streamer" and family(imported) != family(name):
            other = floor_of(imported)
            assert other <= floor, f"{name} (floor {floor}) imports {imported} (floor {other})"
            if floor == 1:
                assert other == 0, f"operators do not know each other: {name} imports {imported}"


@pytest.mark.parametrize(("name", "path"), ADAPTERS, ids=[name for name, _ in ADAPTERS])
def test_adapters_see_floor_0_only(name: str, path: Path) -> None:
    for imported in imports(path):
        if imported.startswith("streamer."):
            assert floor_of(imported) == 0, f"{name} imports {imported}"


def test_the_rule_would_catch_a_breach(tmp_path: Path) -> None:
    breach = tmp_path / "align.py"
    breach.write_text("import asyncio\nfrom streamer.bed import Bed\n", encoding="utf-8")
    with pytest.raises(AssertionError):
        test_streamer_imports_point_down("streamer.align", breach)


def test_one_module_speaks_mqtt() -> None:
    assert {name for name, path in STREAMER if "aiomqtt" in imports(path)} <= {"streamer.publish.link"}
