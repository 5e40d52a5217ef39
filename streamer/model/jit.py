"""The one door to the compiler: ``@kernel`` on every compiled function, and where its machine code is kept.

Numba keys cached code to the file that a function stands in. A kernel that calls another file's function, or reads
another file's constant, would keep its old code after an edit of that file. So each kernel's code is kept in a folder
named by a digest of every source the kernel can reach, of Numba's version and of the processor. An edit, an upgrade or
another machine gets another folder; folders of other environments are never touched. A folder that cannot be read or
written costs time, never an error: the code is compiled again, and ``TALLY.problem`` says why.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from llvmlite import binding
from numba import config
from numba.core.caching import FunctionCache

Function = TypeVar("Function", bound=Callable[..., Any])

VARIABLE = "NUMBA_CACHE_DIR"
PACKAGE = Path(__file__).parents[1]
IMPORTS = re.compile(r"^\s*from ((?:streamer|adapters)[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
"""Kernels and what they use are imported by name, never by a star."""


@dataclass(slots=True)
class Tally:
    """What became of the kernels of this process.

    Attributes:
        compiled: How many were compiled, rather than found in their folder.
        problem: Why machine code cannot be kept or found; empty when all is well.
    """

    compiled: int = 0
    problem: str = ""


TALLY = Tally()


class _Cache(FunctionCache):
    """Numba's, whose failures are told and cost a compilation."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 (a damaged file may raise anything when it is unpickled)
            self._tell("read", error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        TALLY.compiled += 1
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 (as above: the index is read before it is written)
            self._tell("written", error)

    def _tell(self, what: str, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or type(error).__name__
        TALLY.problem = TALLY.problem or f"{self.cache_path} cannot be {what}: {reason}"


def kernel(function: Function) -> Function:
    """Compile a function on its first call, and keep the code on disk; a division by zero gives inf or NaN.

    Plain scalar code over arrays, which also runs uncompiled (``NUMBA_DISABLE_JIT=1``), to the same bits.

    In a module (the compiled code is kept beside its source, so a console has nowhere to keep it)::

        @kernel
        def twice(value: float) -> float:
            return 2.0 * value
    """
    return _compiled(function, {})


def inlined(function: Function) -> Function:
    """A kernel whose code is copied into its callers: for small helpers that run once a sample."""
    return _compiled(function, {"inline": "always"})


def _compiled(function: Function, options: dict[str, Any]) -> Function:
    folder = str(folder_of(Path(function.__code__.co_filename)))
    dispatcher: Any = numba.njit(error_model="numpy", **options)(function)
    if hasattr(dispatcher, "_cache"):  # not where the compiler is switched off
        kept = _kept(function, folder)
        if kept is None:
            TALLY.problem = TALLY.problem or f"{folder} cannot be written"
        else:
            dispatcher._cache = kept  # noqa: SLF001 (as enable_caching does)
    found: Function = dispatcher
    return found


def _kept(function: Callable[..., Any], folder: str) -> _Cache | None:
    """The cache of a function in that folder and no other, where Numba would not see an edit; None if it cannot be."""
    before = config.CACHE_DIR  # type: ignore[attr-defined]
    config.CACHE_DIR = folder  # type: ignore[attr-defined]
    try:  # the folder is read while the cache is made: what others compile keeps its own place
        found = _Cache(function)  # type: ignore[no-untyped-call]
    except (RuntimeError, OSError):
        return None
    finally:
        config.CACHE_DIR = before  # type: ignore[attr-defined]
    return found if found.cache_path.startswith(folder) else None


@cache
def folder_of(source: Path) -> Path:
    """Where the compiled code of one source file belongs."""
    digest = hashlib.sha256(_environment().encode())
    for path in sorted(reachable(source)):
        digest.update(_read(path).encode() + b"\0")
    return _root() / f"ventstream-{digest.hexdigest()[:16]}"


def reachable(source: Path) -> frozenset[Path]:
    """The file itself, and every file of ours that it imports from, directly or not."""
    found: set[Path] = set()
    waiting = {source}
    while waiting:
        path = waiting.pop()
        found.add(path)
        waiting |= _imported(path) - found
    return frozenset(found)


@cache
def _imported(source: Path) -> frozenset[Path]:
    """Files that ``source`` imports names from."""
    found: set[Path] = set()
    for module, names in IMPORTS.findall(_read(source)):
        place = PACKAGE.parent.joinpath(*module.split("."))
        modules = [place, *(place / name for name in re.findall(r"\w+", names))]
        found.update(path for one in modules for path in (one.with_suffix(".py"), one / "__init__.py"))
    return frozenset(path for path in found if path.is_file())


@cache
def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _environment() -> str:
    """What machine code depends on besides its source."""
    named = config.CPU_NAME, config.CPU_FEATURES  # type: ignore[attr-defined]
    host = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    return repr((numba.__version__, binding.llvm_version_info, named, host))


@cache
def _root() -> Path:
    """The folder that was named, or one beside the code, in the user's cache, or else a private one until the end."""
    if config.CACHE_DIR:  # type: ignore[attr-defined]
        return Path(config.CACHE_DIR)  # type: ignore[attr-defined]
    for folder in (PACKAGE / "__pycache__", _user_cache() / "ventstream"):
        if _is_writable(folder):
            return folder
    TALLY.problem = f"neither {PACKAGE / '__pycache__'} nor {_user_cache() / 'ventstream'} can be written"
    try:
        private = tempfile.mkdtemp(prefix="ventstream-cache-")  # only this user may read it: caches are code
    except OSError:
        return PACKAGE / "__pycache__"  # cannot be written: everything is compiled each time; a line says so
    os.environ[VARIABLE] = private  # worker processes share it
    atexit.register(shutil.rmtree, private, ignore_errors=True)
    return Path(private)


def _user_cache() -> Path:
    named = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else Path(os.path.expanduser("~")) / ".cache"  # noqa: PTH111 (never raises)


def _is_writable(folder: Path) -> bool:
    """Whether the folder, or the nearest of its parents that exists, can be written."""
    existing = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    return os.access(existing, os.W_OK)
