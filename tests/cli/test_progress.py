"""Long work shows how far it is on a terminal, and nothing in a pipe."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamer.cli.commands import warm_up as warm
from streamer.model import jit

pty = pytest.importorskip("pty", reason="no pseudo-terminals on this system")
REPO = Path(__file__).parents[2]
REPLAY = REPO / "replay_data"
SLOW = """
import sys, time
from streamer.model import jit
from streamer.cli.commands import warm_up as warm
def compiling():
    for _ in range(5):
        jit.TALLY.compiled += 1
        time.sleep(0.25)
warm._breathe, warm._mark = compiling, lambda: None
warm.warm_up()
"""


def on_a_terminal(*words: object) -> str:
    """What a command writes on its terminal, without what steers it."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *map(str, words)], cwd=REPO, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 65_536):
            said += piece
    except OSError:
        pass  # the other end is closed
    assert process.wait(timeout=60) == 0, said
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode(errors="replace"))


def test_a_recording_that_is_read(tmp_path: Path) -> None:
    said = on_a_terminal("-m", "streamer", "analyze", REPLAY / "pcv.csv", "-o", tmp_path / "o.csv")
    assert re.search(r"analysing +pcv\.csv +1\.2 min", said)


def test_the_first_compilation_counts_what_is_done() -> None:
    said = on_a_terminal("-c", SLOW)
    counts = [
        int(found) for found in re.findall(r"compiling the core, once after installing: (\d+) of about \d+", said)
    ]
    assert counts == sorted(counts)
    assert counts[-1] >= 4


def test_nothing_in_a_pipe() -> None:
    done = subprocess.run([sys.executable, "-c", SLOW], cwd=REPO, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_what_is_compiled_once_is_not_compiled_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    marker, times = tmp_path / "cache" / "complete", []
    monkeypatch.setattr(warm, "_marker", lambda: marker)
    monkeypatch.setattr(warm, "_breathe", lambda: times.append(time.time()))
    monkeypatch.setattr(jit.TALLY, "problem", "")
    for _ in range(3):
        warm.compile_once()
    assert (len(times), marker.exists()) == (1, True)


def test_a_cache_that_is_not_kept_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marker = tmp_path / "complete"
    monkeypatch.setattr(warm, "_marker", lambda: marker)
    monkeypatch.setattr(warm, "_breathe", lambda: None)
    monkeypatch.setattr(jit.TALLY, "problem", "/x cannot be written")
    warm.compile_once()
    assert (
        "compiled code is not kept, and each start takes a minute: /x cannot be written; name"
        in capsys.readouterr().err
    )
    assert not marker.exists()
