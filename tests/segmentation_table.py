"""Print how well breaths are found in recordings with marks: ``python -m tests.segmentation_table``.

Per file and per mode label: marks, found within 0.1 s and 0.3 s, extra breaths, median and 95th percentile of the
offset (ours less the mark's), and what is behind the misses.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np

from streamer.records import Flag
from tests.helpers import RECORDINGS, Capture, cut, match, pb840, segmented, servo_u

MODES = ("vc", "pc", "prvc", "ps", "simv", "pav", "vs", "cpap_sbt", "aprv", "other", "other_mode")


def modes_of(path: Path, numbers: tuple[int, ...]) -> list[str]:
    """The mode that clinicians gave each mark, by the ventilator's breath number."""
    labels = {}
    for file in RECORDINGS.glob(f"pb840-ventmode/labels_{path.name[4:40]}*"):
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                if number := (row.get("vent BN") or "").strip():
                    labels[int(float(number))] = "+".join(m for m in MODES if (row.get(m) or "0").strip() == "1")
    return [labels.get(number) or "-" for number in numbers]


def reason(capture: Capture, mark_s: float, next_s: float, starts: np.ndarray) -> str:
    """What the signal shows at a mark that was missed."""
    here = round(mark_s * capture.rate_hz)
    until = round(min(next_s, mark_s + 2.0) * capture.rate_hz)
    flow_l_min = capture.flow[here:until] * 60
    inspired_ml = np.maximum(flow_l_min, 0).sum() / capture.rate_hz / 60 * 1000
    if here < capture.rate_hz * 0.1:
        return "starts before the file"
    if flow_l_min.size == 0 or flow_l_min.max() < 2.0:
        return "no inspiratory flow"
    if inspired_ml < 40.0:
        return "less than 40 mL inspired"
    nearest = starts[np.abs(starts - mark_s).argmin()] - mark_s
    if abs(nearest) < 0.5:
        return "flow leads by > 0.1 s" if nearest < 0 else "flow lags by > 0.1 s"
    return "other"


def row(name: str, capture: Capture, chosen: list[int], starts: np.ndarray, *, extra: int, why: Counter[str]) -> str:
    marks = capture.marks_s[chosen]
    near = match(marks, starts)
    wide = match(marks, starts, 0.3)
    off = np.array([starts[j] - marks[i] for i, j in near.pairs]) if near.pairs else np.array([np.nan])
    behind = ", ".join(f"{count} {text}" for text, count in why.most_common())
    found, found_wide = (100 * len(one.pairs) / marks.size for one in (near, wide))
    return (
        f"| {name} | {marks.size} | {found:.2f} | {found_wide:.2f} "
        f"| {100 * extra / max(len(near.pairs) + extra, 1):.2f} | {1000 * np.median(off):+.0f} "
        f"| {1000 * np.quantile(np.abs(off), 0.95):.0f} | {behind} |"
    )


def table(name: str, capture: Capture, modes: list[str]) -> list[str]:
    whole = segmented([capture.chunk()])
    starts = np.array([breath.start_s for breath in whole.breaths])
    result = match(capture.marks_s, starts)
    ends = np.append(capture.marks_s[1:], capture.flow.size / capture.rate_hz)
    why = {i: reason(capture, capture.marks_s[i], ends[i], starts) for i in result.missed}
    # An extra breath is counted to the mode of the mark before it.
    before = np.searchsorted(capture.marks_s, starts[result.extra], side="right") - 1
    extras = Counter(modes[max(i, 0)] for i in before)
    lines = [row(name, capture, list(range(len(modes))), starts, extra=len(result.extra), why=Counter(why.values()))]
    for mode in sorted(set(modes)) if len(set(modes)) > 1 else ():
        chosen = [i for i, label in enumerate(modes) if label == mode]
        reasons = Counter(text for i, text in why.items() if modes[i] == mode)
        lines.append(row(f"… {mode}", capture, chosen, starts, extra=extras[mode], why=reasons))
    stacked = sum(Flag.STACKED in breath.flags for breath in whole.breaths)
    lags = np.array(segmented(cut(capture.chunk(), range(1, capture.flow.size))).lags_s)
    lines[0] += f" {stacked} | {np.median(lags):.2f} / {np.quantile(lags, 0.95):.2f} / {lags.max():.2f} |"
    return lines


def main() -> None:
    print("| recording | marks | found % | within 0.3 s | extra % | offset ms | 95 % of offsets | misses ", end="")
    print("| stacked | lag s |\n|---|---|---|---|---|---|---|---|---|---|")
    for path in sorted([*RECORDINGS.glob("pb840-ventmap/0149*_1.csv_test"), *RECORDINGS.glob("pb840-ventmode/raw_*")]):
        capture = pb840(path)
        name = path.name.removeprefix("raw_")[:4]
        print("\n".join(table(name, capture, modes_of(path, capture.numbers))))
    for path in sorted(RECORDINGS.glob("getinge-servo-u/17*.txt")):
        capture = servo_u(path)
        print("\n".join(table(f"Servo-U {path.stem[-4:]}", capture, ["vc"] * capture.marks_s.size)))


if __name__ == "__main__":
    main()
