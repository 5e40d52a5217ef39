"""What leaves a command: files that are there in full or not at all, and lines."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from streamer.model.errors import OutputError


def real(path: Path) -> Path:
    """Where a path leads, links followed; a link that leads to itself is left as it is."""
    return Path(os.path.realpath(path))


def say(line: str) -> None:
    """A line of the answer, on standard output at once. Raises ``BrokenPipeError`` when nobody reads any more."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def warn(line: str) -> None:
    """A line that is not the answer, on standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class _Lines(logging.Formatter):
    """A record as one line; where it carries a traceback, its error only, unless somebody is looking for a bug."""

    def format(self, record: logging.LogRecord) -> str:
        if os.environ.get("VENTSTREAM_DEBUG"):
            return super().format(record)
        cause = record.exc_info[1] if record.exc_info else None
        said = record.getMessage().partition("\n")[0]
        return said if cause is None else f"{said}: {type(cause).__name__}: {cause}".partition("\n")[0]


class _NoRepeats(logging.Filter):
    """A broker that stays away is said once, not at each attempt."""

    def __init__(self) -> None:
        super().__init__()
        self._last = ""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        is_new, self._last = said != self._last, said
        return is_new


def log_in_lines() -> None:
    """Warnings of every module, also of libraries, on standard error."""
    lines = logging.StreamHandler()
    lines.setFormatter(_Lines())
    lines.addFilter(_NoRepeats())
    logging.basicConfig(handlers=[lines], level=logging.WARNING)


class Output:
    """Bytes on their way into a file, written beside it and renamed when the block ends without an error.

    ``-`` is standard output; a device or pipe that already exists is written directly. Used as a context manager.

    Raises:
        OutputError: No such folder, no permission, disk full. The file that stood there before is untouched.
    """

    def __init__(self, out: str) -> None:
        self.name = "standard output" if out == "-" else out
        self._target: Path | None = None
        self._draft: Path | None = None
        self._is_over = False  # a writer of another library that is given up late has nothing to say any more
        self._file = self._open(out)

    def _open(self, out: str) -> IO[bytes]:
        if out == "-":
            return sys.stdout.buffer
        try:
            target = real(Path(out))
            if target.exists() and not target.is_file() and not target.is_dir():
                return target.open("wb")
            if target.is_dir():
                raise OutputError(f"{out}: is a folder; name a file in it")
            if not target.parent.is_dir():
                raise OutputError(f"{out}: the folder {target.parent} does not exist; create it first")
            self._target, self._draft = target, target.with_name(f".{target.name}.{os.getpid()}.part")
            return self._draft.open("wb")
        except (OSError, ValueError) as error:
            raise error if isinstance(error, OutputError) else self._failed(error) from None

    def _failed(self, error: OSError | ValueError) -> OutputError:
        reason = getattr(error, "strerror", None) or str(error)
        return OutputError(f"{self.name}: cannot be written: {reason}")

    def write(self, payload: bytes) -> int:
        """Add bytes. Raises ``OutputError``, and ``BrokenPipeError`` when nobody reads standard output any more."""
        if self._is_over:
            return len(payload)
        try:
            return self._file.write(payload)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._failed(error) from None

    def flush(self) -> None:
        """Hand what is buffered to the system. Raises as ``write``."""
        if self._is_over:
            return
        try:
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._failed(error) from None

    @property
    def is_kept(self) -> bool:
        """Whether it is a file with a name, neither a pipe, a device nor standard output."""
        return self._target is not None

    @property
    def closed(self) -> bool:
        """Whether no more can be written."""
        return self._is_over

    def close(self) -> None:
        """Nothing: the block's end closes and renames (writers of other libraries call this too early)."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
                self._keep()
        finally:
            self._is_over = True
            if self._file is not sys.stdout.buffer:
                with contextlib.suppress(OSError):  # a full disk fails once more when its buffer is given up
                    self._file.close()
            if self._draft is not None:
                self._draft.unlink(missing_ok=True)

    def _keep(self) -> None:
        if self._draft is None or self._target is None:
            return
        try:
            self._file.close()
            self._draft.replace(self._target)
        except OSError as failure:
            raise self._failed(failure) from None
