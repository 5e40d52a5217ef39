"""The command line of contract.md §1: arguments in, exit status out.

Each command imports its module when it is called.

Exit status: 0 done, 1 the data could not be used, 2 wrong usage or configuration, 130 interrupted. Every error is one
line on standard error; ``VENTSTREAM_DEBUG=1`` shows the traceback of what is a bug.
"""

from __future__ import annotations

import os
import re
import sys

import typer

from streamer.cli._app import app
from streamer.files.output import log_in_lines, warn
from streamer.files.strangers import refuse_strangers
from streamer.model.errors import ConfigError, VentstreamError

DONE, DATA, USAGE, INTERRUPTED = 0, 1, 2, 130
_NUMBER = re.compile("Input should be a valid (number|integer), .*")
"""How the command line parser says it."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command line; the exit status. Whatever goes wrong is one line on standard error."""
    log_in_lines()
    try:
        refuse_strangers()
        status = app(args=arguments, standalone_mode=False)
        sys.stdout.flush()
    except VentstreamError as error:
        return _complain(str(error), USAGE if isinstance(error, ConfigError) else DATA)
    except BrokenPipeError:
        return _nobody_reads()
    except SystemExit as end:  # how the command line parser itself answers a broken pipe
        return _nobody_reads() if isinstance(end.__context__, BrokenPipeError) else USAGE
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 (a traceback shown to a user is a bug)
        return _other(error)
    if status == INTERRUPTED:  # by the command line parser, which says nothing
        warn("interrupted")
    return status if isinstance(status, int) else DONE


def _expected(found: re.Match[str]) -> str:
    return f"expected a {'number' if found[1] == 'number' else 'whole number'}"


def _other(error: Exception) -> int:
    if isinstance(error, typer.Abort):
        return _complain("interrupted", INTERRUPTED)
    if hasattr(error, "format_message"):  # a usage error of the command line parser
        if type(error).__name__ == "NoArgsIsHelpError":
            warn(error.format_message())
            return USAGE
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "ventstream"
        problem = _NUMBER.sub(_expected, error.format_message())
        return _complain(f"{problem} (see {command} --help)", USAGE)
    if isinstance(error, OSError) and error.filename is None and error.errno is not None:
        return _complain(f"standard output: {error.strerror}", DATA)
    if _is_interrupt(error):
        return _complain("interrupted", INTERRUPTED)
    if os.environ.get("VENTSTREAM_DEBUG"):
        raise error
    return _complain(f"internal error: {type(error).__name__}: {error}; please report it", DATA)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether it began as Ctrl-C: compiled code, and classes in the making, raise an error of their own for it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _complain(problem: str, status: int) -> int:
    warn(" ".join(problem.split()))
    return status


def _nobody_reads() -> int:
    """The reader of a pipe is gone, as with ``| head``: end quietly, also when Python flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE
