"""Figures of the layout: ``python -m tests.tools.structure [ROOT]``, for this checkout or any other.

A room is a package of ``streamer``, a module beside them, or ``adapters``. An arrow is one room that imports another.
Imports are read as text, those inside functions too; nothing of the checkout is run.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

PACKAGES = ("streamer", "adapters")
LONG = 300
MANY = 15


def modules_of(root: Path) -> dict[str, Path]:
    """Dotted name → file of each module."""
    files = (path for package in PACKAGES for path in sorted((root / package).rglob("*.py")))
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imports_of(tree: ast.AST, modules: Mapping[str, Path]) -> set[str]:
    """The modules of ours that a module imports, or names in a string, as for ``importlib``."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{one.name}" for one in node.names}
            found |= inside if inside <= modules.keys() else {*inside, node.module}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return {name for name in found if name in modules and "." in name}


def room_of(module: str) -> str:
    """``streamer.core.bed`` → ``streamer.core``; all of ``adapters`` is one room."""
    parts = module.split(".")
    return parts[0] if parts[0] == "adapters" or len(parts) == 1 else ".".join(parts[:2])


def circles_of(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of names that reach each other along arrows."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = arrows.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        return seen

    reach = {name: reached(name) for name in arrows}
    groups = {tuple(sorted(other for other in reach[name] if name in reach.get(other, ()))) for name in arrows}
    return [list(group) for group in sorted(groups) if len(group) > 1]


def floors_of(arrows: Mapping[str, set[str]]) -> int:
    """Length of the longest way down, where there is no circle."""
    names = {*arrows, *(other for others in arrows.values() for other in others)}
    height = dict.fromkeys(names, 1)
    for _ in names:
        height = {one: 1 + max((height[other] for other in arrows.get(one, ())), default=0) for one in names}
    return max(height.values(), default=0)


def report(root: Path) -> list[str]:
    """The figures, a line each."""
    modules = modules_of(root)
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in modules.items()}
    inner = {name: imports_of(tree, modules) - {name} for name, tree in trees.items()}
    arrows: dict[str, set[str]] = defaultdict(set)
    for name, others in inner.items():
        arrows[room_of(name)] |= {room_of(other) for other in others} - {room_of(name)}
    folders = Counter(str(path.parent.relative_to(root)) for path in modules.values())
    functions = Counter(
        node.name
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    )
    lengths = {str(path.relative_to(root)): path.read_bytes().count(b"\n") for path in modules.values()}
    circles = circles_of(arrows)
    longest, n = folders.most_common(1)[0]
    same = [f"{name} {times}" for name, times in functions.most_common(MANY) if times > 1]
    return [
        f"rooms {len(arrows)}, arrows {sum(map(len, arrows.values()))}, modules {len(modules)}",
        f"floors {floors_of(arrows)}" if not circles else "floors: none, there are circles",
        f"rooms that import each other: {'; '.join(' '.join(one) for one in circles) or 'none'}",
        f"modules that import each other: {'; '.join(' '.join(one) for one in circles_of(inner)) or 'none'}",
        f"longest folder: {longest}, {n} modules",
        f"public functions of the same name: {', '.join(same) or 'none'}",
        f"files over {LONG} lines: {', '.join(f'{k} {v}' for k, v in lengths.items() if v > LONG) or 'none'}",
    ]


def main() -> None:
    """Print the figures of one checkout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[2])
    print("\n".join(report(parser.parse_args().root)))


if __name__ == "__main__":
    main()
