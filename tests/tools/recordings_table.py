"""Read every recording beside the repository without a hint and print what was found, one row a file.

``python -m tests.tools.recordings_table`` gives format, rate, channels, duration, breaths, gaps, damaged rows and
medians of what a folder's README or the device itself states. A file that is refused shows the line with which it is.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

from streamer.analysis.recording_summary import RecordingSummary
from streamer.analysis.run_recording import Job, examine
from streamer.model.records import Notice, NoticeKind
from tests.support.streams import RECORDINGS

BESIDE = {"README.md", "LICENSE"}
KEYS = ("vt_insp", "vt_exp", "rr", "ppeak", "peep", "pplat")


def files() -> list[Path]:
    """All that is no label table: those have no waveforms."""
    found = sorted(path for path in RECORDINGS.rglob("*") if path.is_file() and path.name not in BESIDE)
    return [path for path in found if not path.name.startswith("labels_")]


def read(path: Path) -> tuple[RecordingSummary, list[Notice], dict[str, float]]:
    """What one recording came to: findings, notices, medians of breaths whose cycle is whole."""
    notices: list[Notice] = []
    rows: list[dict[str, object]] = []
    found = examine(Job(path=path), on_notice=notices.append, on_breath=rows.append)
    middles = {}
    for key in KEYS:
        values = [float(value) for row in rows if isinstance(value := row.get(key), float)]
        if values:
            middles[key] = median(values)
    return found, notices, middles


def line(path: Path) -> str:
    found, notices, middles = read(path)
    name = f"{path.parent.name}/{path.name[:28]}"
    if not found.samples:
        reason = str(found.error).removeprefix(f"{path}: ")
        return f"| {name} | {found.format or '-'} | refused: {reason[:150]} |"
    missing = [
        f"{channel} {100 * one.missing / one.samples:.1f} %" for channel, one in found.channels.items() if one.missing
    ]
    doubts = [str(notice.values["rule"]) for notice in notices if notice.kind is NoticeKind.SUSPICION]
    numbers = " ".join(f"{key} {value:.4g}" for key, value in middles.items())
    cells = (
        name, found.format, found.rate, " ".join(found.channels), f"{found.duration_s:.1f}", found.breaths, found.gaps,
        found.doubts.damaged_rows, ", ".join(missing) or "-", ", ".join(doubts) or "-", numbers,
    )  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    headings = (
        "file",
        "format",
        "Hz",
        "channels",
        "s",
        "breaths",
        "gaps",
        "damaged",
        "missing",
        "suspicions",
        "medians",
    )
    print("| " + " | ".join(headings) + " |")
    print("|" + "---|" * len(headings))
    for path in files():
        print(line(path), flush=True)


if __name__ == "__main__":
    main()
