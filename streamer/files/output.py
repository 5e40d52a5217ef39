"""Output of a command: files that appear complete or not at all, and lines on the terminal."""

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
    """The path with symbolic links resolved; a link to itself is left as it is."""
    return Path(os.path.realpath(path))


def say(line: str) -> None:
    """Write a line of the result to standard output at once. Raises ``BrokenPipeError`` if the reader has gone."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def warn(line: str) -> None:
    """Write a line that is not part of the result to standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class _Lines(logging.Formatter):
    """A log record as one line, with the error but no traceback unless ``VENTSTREAM_DEBUG`` is set."""

    def format(self, record: logging.LogRecord) -> str:
        if os.environ.get("VENTSTREAM_DEBUG"):
            return super().format(record)
        cause = record.exc_info[1] if record.exc_info else None
        said = record.getMessage().partition("\n")[0]
        return said if cause is None else f"{said}: {type(cause).__name__}: {cause}".partition("\n")[0]


class _NoRepeats(logging.Filter):
    """Drops a record that repeats the one before it, such as each failed attempt to reach a broker."""

    def __init__(self) -> None:
        super().__init__()
        self._last = ""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        is_new, self._last = said != self._last, said
        return is_new


def log_in_lines() -> None:
    """Write warnings of every module and library to standard error, one line each."""
    lines = logging.StreamHandler()
    lines.setFormatter(_Lines())
    lines.addFilter(_NoRepeats())
    logging.basicConfig(handlers=[lines], level=logging.WARNING)


class Output:
    """A file that is written under a temporary name and renamed when the ``with`` block ends without an error.

    ``-`` is standard output; an existing device or pipe is written directly.

    Raises:
        OutputError: No such folder, no permission, disk full. An existing file of that name is left untouched.
    """

    def __init__(self, out: str) -> None:
        self.name = "standard output" if out == "-" else out
        self._target: Path | None = None
        self._draft: Path | None = None
        self._is_over = False  # a library may write once more when its writer is collected: ignored
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
        """Add bytes. Raises ``OutputError``, or ``BrokenPipeError`` if the reader of standard output has gone."""
        if self._is_over:
            return len(payload)
        try:
            return self._file.write(payload)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._failed(error) from None

    def flush(self) -> None:
        """Flush buffered bytes to the system. Raises as ``write``."""
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
        """Whether it is a regular file, not a pipe, a device or standard output."""
        return self._target is not None

    @property
    def closed(self) -> bool:
        """Whether no more can be written."""
        return self._is_over

    def close(self) -> None:
        """Do nothing: the end of the block closes and renames. Writers of other libraries call this too early."""

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
