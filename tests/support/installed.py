"""A wheel of this project, built from its own source archive, in an environment that has nothing else but libraries."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

REPO = Path(__file__).parents[2]


def built(folder: Path) -> Path:
    """The wheel, built from the source archive (sdist); both lie in ``folder``."""
    _run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder), cwd=REPO)
    (archive,) = folder.glob("ventstream-*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    source = folder / archive.name.removesuffix(".tar.gz")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=source)
    (wheel,) = folder.glob("ventstream-*.whl")
    return wheel


def environment(folder: Path) -> Path:
    """The interpreter of a new environment: the libraries of this one can be imported, its ventstream cannot."""
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = next(path for path in (folder / "bin/python", folder / "Scripts/python.exe") if path.exists())
    libraries = [path for path in sys.path if Path(path).name == "site-packages"]
    # Plain paths: the .pth files in them, an editable installation's too, are not read.
    (site_of(python) / "zz_libraries.pth").write_text("\n".join(libraries), encoding="utf-8")
    return python


def site_of(python: Path) -> Path:
    """Where an environment keeps what is installed."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(_run(str(python), "-c", code).strip())


def install(python: Path, *wheels: Path) -> None:
    """``pip install`` without a network and without dependencies, one wheel after another."""
    for wheel in wheels:
        arguments = "install", "--no-deps", "--no-index", "--no-compile", str(wheel)
        _run(sys.executable, "-m", "pip", "--python", str(python), *arguments)


def _run(*words: str, cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
