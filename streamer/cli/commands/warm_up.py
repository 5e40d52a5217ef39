"""The compiled core, made ready before samples are waiting for it, with its progress."""

from __future__ import annotations

import hashlib
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from adapters.recordings.open import open_recording
from streamer.core.bed import Bed
from streamer.files.bundled import bundled
from streamer.files.output import warn
from streamer.model import jit

PLAYED = tuple(f"replay_data/{name}" for name in ("vcv_hold.csv", "demo.parquet", "leak.parquet", "dead_space.parquet"))
LOOK_S = 0.2
_IS_PLAIN = bool(jit.config.DISABLE_JIT)  # type: ignore[attr-defined]
_KERNEL = re.compile(r"^@kernel$", re.MULTILINE)


def warm_up() -> None:
    """Compile or load every kernel, so that samples do not wait: a minute or two once, a second or two later."""
    with _followed():
        _breathe()
    _mark()


def compile_once() -> None:
    """Compile every kernel if that was never done here; else they are loaded as they are needed."""
    if not is_compiled():
        warm_up()


def is_compiled() -> bool:
    """Whether the kernels were compiled here before, or are not to be."""
    return _IS_PLAIN or _marker().exists()


def _breathe() -> None:
    """Bundled recordings through a core that is then forgotten: reading a table, holds, capnograms, windows."""
    for name in PLAYED:
        recording = open_recording(bundled(name))
        bed = Bed("warm-up", context=recording.sidecar.context)
        for item in recording.items():
            bed.push(item)
        bed.close()


@contextmanager
def _followed() -> Iterator[None]:
    """How many kernels are compiled, on a terminal; a line in the end where their code cannot be kept."""
    columns = (TextColumn("{task.description}"), TimeElapsedColumn())
    total = sum(len(_KERNEL.findall(text)) for text in _sources().values())
    over = threading.Event()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("preparing the core", total=None)

        def look() -> None:
            while not over.wait(LOOK_S):
                if jit.TALLY.compiled:
                    count = f"{jit.TALLY.compiled} of about {max(total, jit.TALLY.compiled)} functions"
                    bar.update(task, description=f"compiling the core, once after installing: {count}")

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
    if jit.TALLY.problem:
        remedy = f"name a folder of yours in {jit.VARIABLE}, or delete that one"
        warn(f"compiled code is not kept, and each start takes a minute: {jit.TALLY.problem}; {remedy}")


def _marker() -> Path:
    """Stands beside the kernels once all of them are compiled; an edit, an upgrade or a move needs another one."""
    folders = sorted({str(jit.folder_of(path)) for path, text in _sources().items() if _KERNEL.search(text)})
    digest = hashlib.sha256("".join(folders).encode()).hexdigest()[:16]
    return Path(folders[0]).parent / f"complete-{digest}"


@cache
def _sources() -> dict[Path, str]:
    folders = jit.PACKAGE, jit.PACKAGE.parent / "adapters"
    return {path: path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py")}


def _mark() -> None:
    if not jit.TALLY.problem and not _IS_PLAIN:
        with suppress(OSError):
            marker = _marker()
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()
