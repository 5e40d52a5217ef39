"""The wheel is whole, starts where it is installed, and says when another distribution has a package of its name."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.installed import REPO, built, environment, install, site_of

VERSION = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment in which only ventstream is installed."""
    python = environment(tmp_path_factory.mktemp("installed"))
    install(python, wheel)
    return python


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that strangers are installed in, too; each test empties it first."""
    return environment(tmp_path_factory.mktemp("shared"))


def emptied(python: Path) -> Path:
    for name in ("streamer", "adapters"):
        shutil.rmtree(site_of(python) / name, ignore_errors=True)
    for listed in site_of(python).glob("*.dist-info"):
        shutil.rmtree(listed)
    return python


def start(python: Path, *words: str, path: Path | None = None) -> tuple[int, str, str]:
    """Status, output and errors of the installed command."""
    place = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    place |= {"PYTHONPATH": str(path)} if path else {}
    command = next(found for found in python.parent.iterdir() if found.stem == "ventstream")
    done = subprocess.run(
        [command, *words], cwd=python.parent, env=place, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def stranger(folder: Path, name: str) -> Path:
    """A wheel of another distribution with a package of that name."""
    path = folder / f"stranger_{name}-1.0-py3-none-any.whl"
    files = [f"{name}/__init__.py"]
    info = f"stranger_{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as made:
        for file in files:
            made.writestr(file, "raise SystemExit('strangers are never run')\n")
        made.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: stranger-{name}\nVersion: 1.0\n")
        made.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        made.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"]))
    return path


def test_the_wheel_has_what_the_checkout_has(wheel: Path) -> None:
    tracked = {
        path.relative_to(REPO).as_posix()
        for root in ("streamer", "adapters")
        for path in (REPO / root).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    extra = {
        f"streamer/{path.relative_to(REPO).as_posix()}"
        for root in ("replay_data", "config")
        for path in (REPO / root).rglob("*")
        if path.is_file()
    }
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if ".dist-info/" not in name}
    assert names == tracked | extra


def test_an_installed_wheel_starts(installed: Path) -> None:
    assert start(installed, "--version") == (0, f"ventstream {VERSION}\n", "")
    status, out, err = start(installed, "formats")
    assert (status, err) == (0, "")
    assert out.startswith("format\tabout")


def test_a_stranger_earlier_on_the_path_is_named(installed: Path, tmp_path: Path) -> None:
    name = "adapters"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise SystemExit('strangers are never run')\n", encoding="utf-8")
    status, out, err = start(installed, "--version", path=tmp_path)
    assert (status, out) == (2, "")
    assert err == (
        f"the package {name!r} at {tmp_path / name} is not ventstream's but another of the same name; "
        "install ventstream in a virtual environment of its own\n"
    )


def test_a_stranger_later_on_the_path_does_no_harm(installed: Path, tmp_path: Path) -> None:
    for name in ("streamer", "adapters"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('strangers are never run')\n", encoding="utf-8")
    later = site_of(installed) / "zzz_later.pth"
    later.write_text(str(tmp_path), encoding="utf-8")
    try:
        assert start(installed, "--version") == (0, f"ventstream {VERSION}\n", "")
    finally:
        later.unlink()


def test_a_stranger_that_pip_wrote_over_ours_is_named(shared: Path, wheel: Path, tmp_path: Path) -> None:
    name = "adapters"
    install(emptied(shared), wheel, stranger(tmp_path, name))
    status, out, err = start(shared, "--version")
    assert (status, out) == (2, "")
    assert err.startswith(f"the package {name!r} at {site_of(shared) / name} is not ventstream's")
