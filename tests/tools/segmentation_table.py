"""Print how well breaths are found in recordings with marks: ``python -m tests.tools.segmentation_table``.

Per file and per mode label, of the onsets of inspiration: marks, found within 0.1 s and 0.3 s, extra breaths, the error
(ours less the mark's: median, 5th and 95th percentile), and what is behind the misses. *Uneven* are the marks of a
stretch in which breaths are asynchronous: the breath from the mark, or the one before it, lasts less than half as long
as the middle one of the file. The labels name no asynchrony.

Of the onsets of expiration in breaths that were found: found within 0.1 s, and the error. The Servo-U marks them. The
PB 840 does not (its ``BE`` lies on the next ``BS``): there they are what the tool that came with the labels read from
flow (``e-time``), which is no truth but another opinion.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from streamer.model.breath import Breath
from streamer.model.chunk import FloatArray
from streamer.model.flags import Flag
from tests.support.streams import RECORDINGS, Capture, cut, match, pb840, segmented, servo_u

MODES = ("vc", "pc", "prvc", "ps", "simv", "pav", "vs", "cpap_sbt", "aprv", "other", "other_mode")
NEAR_S, NO_EXPIRATION_S = 0.1, 0.03
UNEVEN = 0.5
HEAD = (
    "recording", "marks", "found %", "within 0.3 s", "extra %", "error ms", "5…95 %", "uneven", "found %",
    "exp. onsets", "found %", "error ms", "5…95 %", "misses",
)  # fmt: skip
LAST = "stacked", "lag s"


def labels_of(path: Path, numbers: tuple[int, ...]) -> list[dict[str, str]]:
    """What clinicians and their tool say of each mark, by the ventilator's breath number; empty where nothing."""
    labels = {}
    for file in RECORDINGS.glob(f"pb840-ventmode/labels_{path.name[4:40]}*"):
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                if number := (row.get("vent BN") or "").strip():
                    labels[int(float(number))] = row
    return [labels.get(number, {}) for number in numbers]


def mode_of(label: dict[str, str]) -> str:
    return "+".join(mode for mode in MODES if (label.get(mode) or "0").strip() == "1") or "-"


def with_turns(capture: Capture, labels: list[dict[str, str]]) -> Capture:
    """Onsets of expiration: the next mark less the time of expiration; of one sample it is none."""
    lasted = np.array([float(label.get("e-time") or "nan") for label in labels])
    lasted[lasted < NO_EXPIRATION_S] = np.nan
    return replace(capture, turns_s=np.append(capture.marks_s[1:], np.nan) - lasted)


def is_uneven(marks_s: FloatArray) -> FloatArray:
    """Whether the breath from each mark, or the one before it, is less than half as long as the middle one."""
    lasts = np.diff(marks_s)
    is_short = np.concatenate([[False], lasts < UNEVEN * np.median(lasts), [False]])
    return is_short[:-1] | is_short[1:]


def reason(capture: Capture, mark_s: float, next_s: float, starts: FloatArray) -> str:
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


def error(off_s: FloatArray) -> tuple[str, str]:
    """Median, and the 5th and 95th percentile, ms."""
    if off_s.size == 0:
        return "", ""
    low, middle, high = (round(1000 * value) for value in np.quantile(off_s, (0.05, 0.5, 0.95)))
    return f"{middle:+d}", f"{low:+d}…{high:+d}"


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else ""


def expirations(capture: Capture, chosen: list[int], found: dict[int, Breath]) -> Iterator[str]:
    """Cells of the onsets of expiration: of breaths that were found, and that expire according to the reference."""
    turns = np.full(capture.marks_s.size, np.nan) if capture.turns_s is None else capture.turns_s
    pairs = [(found[i], turns[i]) for i in chosen if i in found and np.isfinite(turns[i])]
    off = np.array([one.insp_end_s - turn for one, turn in pairs if Flag.STACKED not in one.flags])
    near = off[np.abs(off) <= NEAR_S]
    yield from (str(len(pairs)), share(near.size, len(pairs)), *error(near))


def row(  # noqa: PLR0917
    name: str, capture: Capture, chosen: list[int], breaths: list[Breath], extra: int, why: Counter[str]
) -> str:
    starts = np.array([breath.start_s for breath in breaths])
    marks = capture.marks_s[chosen]
    near, wide = match(marks, starts), match(marks, starts, 0.3)
    found = {chosen[i]: breaths[j] for i, j in near.pairs}
    off = np.array([found[i].start_s - capture.marks_s[i] for i in found])
    uneven = {*np.flatnonzero(is_uneven(capture.marks_s))} & {*chosen}
    cells = [
        name, str(marks.size), share(len(near.pairs), marks.size), share(len(wide.pairs), marks.size),
        share(extra, max(len(near.pairs) + extra, 1)), *error(off),
        str(len(uneven)), share(len(uneven & {*found}), len(uneven)), *expirations(capture, chosen, found),
        ", ".join(f"{count} {text}" for text, count in why.most_common()),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def table(name: str, capture: Capture, modes: list[str]) -> list[str]:
    whole = segmented([capture.chunk()])
    starts = np.array([breath.start_s for breath in whole.breaths])
    result = match(capture.marks_s, starts)
    ends = np.append(capture.marks_s[1:], capture.flow.size / capture.rate_hz)
    why = {i: reason(capture, capture.marks_s[i], ends[i], starts) for i in result.missed}
    # An extra breath is counted to the mode of the mark before it.
    before = np.searchsorted(capture.marks_s, starts[result.extra], side="right") - 1
    extras = Counter(modes[max(i, 0)] for i in before)
    every = list(range(len(modes)))
    lines = [row(name, capture, every, whole.breaths, len(result.extra), Counter(why.values()))]
    for mode in sorted(set(modes)) if len(set(modes)) > 1 else ():
        chosen = [i for i, label in enumerate(modes) if label == mode]
        reasons = Counter(text for i, text in why.items() if modes[i] == mode)
        lines.append(row(f"… {mode}", capture, chosen, whole.breaths, extras[mode], reasons))
    stacked = sum(Flag.STACKED in breath.flags for breath in whole.breaths)
    lags = np.array(segmented(cut(capture.chunk(), range(1, capture.flow.size))).lags_s)
    lines[0] += f" {stacked} | {np.median(lags):.2f} / {np.quantile(lags, 0.95):.2f} / {lags.max():.2f} |"
    return lines


def main() -> None:
    heads = (*HEAD, *LAST)
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for path in sorted([*RECORDINGS.glob("pb840-ventmap/0149*_1.csv_test"), *RECORDINGS.glob("pb840-ventmode/raw_*")]):
        capture = pb840(path)
        labels = labels_of(path, capture.numbers)
        name = path.name.removeprefix("raw_")[:4]
        print("\n".join(table(name, with_turns(capture, labels), [mode_of(label) for label in labels])))
    for path in sorted(RECORDINGS.glob("getinge-servo-u/17*.txt")):
        capture = servo_u(path)
        print("\n".join(table(f"Servo-U {path.stem[-4:]}", capture, ["vc"] * capture.marks_s.size)))


if __name__ == "__main__":
    main()
