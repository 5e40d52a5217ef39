"""Runs fuzz targets one after the other and says what came of each; exit status 1 where one found a fault."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import NAMES, inputs

REPO = Path(__file__).parents[2]
TIMEOUT_S, RSS_MB = 25, 1500
NUMBA = {"NUMBA_DISABLE_JIT": "1"}  # so that compiled functions are seen as well
_FACTS = {"inputs": r"number_of_executed_units: +(\d+)", "peak": r"peak_rss_mb: +(\d+)", "edges": r"\bcov: (\d+)"}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", help="a format, 'live NAME' (quoted), or all")
    parser.add_argument("--runs", type=int, default=-1, help="inputs of each target")
    parser.add_argument("--seconds", type=int, default=60, help="time for each target, 0: no end")
    parser.add_argument("--corpus", type=Path, help="folder that keeps what was found, a folder for each target")
    asked = parser.parse_args()
    names = [name for name in NAMES if asked.target in {"all", name, name.split(maxsplit=1)[0]}]
    if not names:
        parser.error(f"no target {asked.target!r}; there are {', '.join(NAMES)}")
    corpus = asked.corpus or Path(tempfile.mkdtemp(prefix="ventstream-fuzz-"))
    faults = 0
    for name in names:
        folder = corpus / name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        for at, text in enumerate(inputs(name)):
            (folder / f"seed-{at}").write_bytes(text)
        faults += _run(name, folder, asked.runs, asked.seconds)
    return int(faults > 0)


def _run(name: str, folder: Path, runs: int, seconds: int) -> int:
    """One target; the number of its faults, 0 or 1, for it ends at the first."""
    options = [
        f"-runs={runs}", f"-max_total_time={seconds}", f"-timeout={TIMEOUT_S}", f"-rss_limit_mb={RSS_MB}",
        "-max_len=12000", "-print_final_stats=1", f"-artifact_prefix={folder.parent}/{folder.name}.",
    ]  # fmt: skip
    engine = [sys.executable, "-m", "tests.fuzz.engine", name, *options, str(folder)]
    log = folder.with_suffix(".log")
    with log.open("wb") as said:
        done = subprocess.run(engine, cwd=REPO, env={**os.environ, **NUMBA}, stdout=said, stderr=said, check=False)
    text = log.read_text(errors="replace")
    facts = {key: int((re.findall(pattern, text) or ["0"])[-1]) for key, pattern in _FACTS.items()}
    summary = f"{name}: {facts['inputs']} inputs, {facts['edges']} edges, {int(done.returncode != 0)} crashes"
    print(f"{summary}, peak {facts['peak']} MB", f"(see {log})" if done.returncode else "", flush=True)
    return int(done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
