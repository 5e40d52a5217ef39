"""Continuous integration and the hooks run what the README and the project file say."""

from __future__ import annotations

import re
import tomllib

import yaml

from tests.support.pages import REPO, marked

PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_matrix_has_every_python_that_is_declared_and_the_readmes_test_command() -> None:
    jobs = yaml.safe_load((REPO / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    matrix = jobs["tests"]["strategy"]["matrix"]
    declared = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert matrix["python"] == declared
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    said = marked("tests").text.rpartition("&& ")[2].removeprefix(".venv/bin/").strip()
    assert said in [step.get("run") for step in jobs["tests"]["steps"]]


def test_the_hooks_are_the_tools_of_the_tests() -> None:
    config = yaml.safe_load((REPO / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = {hook["id"] for repo in config["repos"] for hook in repo["hooks"]}
    assert {"ruff", "ruff-format", "mypy", "end-of-file-fixer", "trailing-whitespace"} <= hooks
    assert {"ruff", "mypy"} <= {re.match(r"[\w-]+", need)[0] for need in PROJECT["optional-dependencies"]["test"]}


def test_the_changelog_has_this_version() -> None:
    assert f"\n## [{PROJECT['version']}]" in (REPO / "CHANGELOG.md").read_text(encoding="utf-8")
