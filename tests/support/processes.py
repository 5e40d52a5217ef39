"""Commands of ours as processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPO = Path(__file__).parents[2]
REPLAY = REPO / "replay_data"


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A command of ours, as from a shell; killed if the test leaves it running."""
    command = [sys.executable, "-m", "streamer", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
