"""Runs fuzz targets one after the other and says what came of each; exit status 1 where one found a fault."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.tools.fuzz.targets import NAMES, inputs

REPO = Path(__file__).parents[3]
TIMEOUT_S, RSS_MB = 25, 1500
NUMBA = {"NUMBA_DISABLE_JIT": "1"}  # so that compiled functions are seen as well
_FACTS = (r"number_of_executed_units: +(\d+)", r"\bcov: (\d+)", r"peak_rss_mb: +(\d+)")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.fuzz", description=__doc__)
    parser.add_argument("target", help="a format, 'live NAME' (quoted), or all")
    parser.add_argument("--runs", type=int, default=-1, help="inputs of each target")
    parser.add_argument("--seconds", type=int, default=60, help="time for each target, 0: no end")
    parser.add_argument("--corpus", type=Path, help="folder that keeps what was found, a folder for each target")
    asked = parser.parse_args()
    names = [name for name in NAMES if asked.target in {"all", name, name.split(maxsplit=1)[0]}]
    if not names:
        parser.error(f"no target {asked.target!r}; there are {', '.join(NAMES)}")
    corpus = asked.corpus or Path(tempfile.mkdtemp(prefix="ventstream-fuzz-"))
    found: list[_Found] = []
    for name in names:
        folder = corpus / name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        for at, text in enumerate(inputs(name)):
            (folder / f"seed-{at}").write_bytes(text)
        found.append(_run(name, folder, asked.runs, asked.seconds))
        print(f"{name}: {found[-1]}", flush=True)
    executed, edges, crashes, peaks = zip(*found, strict=True)
    total = _Found(sum(executed), sum(edges), sum(crashes), max(peaks))
    print(f"{len(found)} targets: {total}; logs and what was found are in {corpus}")
    return int(total.crashes > 0)


class _Found(NamedTuple):
    inputs: int
    edges: int
    crashes: int
    peak_mb: int

    def __str__(self) -> str:
        return f"{self.inputs} inputs, {self.edges} edges, {self.crashes} crashes, peak {self.peak_mb} MB"


def _run(name: str, folder: Path, runs: int, seconds: int) -> _Found:
    """One target, which ends at its first crash."""
    options = [
        f"-runs={runs}", f"-max_total_time={seconds}", f"-timeout={TIMEOUT_S}", f"-rss_limit_mb={RSS_MB}",
        "-max_len=12000", "-print_final_stats=1", f"-artifact_prefix={folder.parent}/{folder.name}.",
    ]  # fmt: skip
    engine = [sys.executable, "-m", "tests.tools.fuzz.engine", name, *options, str(folder)]
    log = folder.with_suffix(".log")
    with log.open("wb") as said:
        done = subprocess.run(engine, cwd=REPO, env={**os.environ, **NUMBA}, stdout=said, stderr=said, check=False)
    text = log.read_text(errors="replace")
    executed, edges, peak_mb = (int((re.findall(pattern, text) or ["0"])[-1]) for pattern in _FACTS)
    return _Found(executed, edges, int(done.returncode != 0), peak_mb)


if __name__ == "__main__":
    sys.exit(main())
