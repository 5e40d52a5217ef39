"""A Servo-U's own numbers against ours, breath by breath. Columns and their worth: the recordings' README.

Two truths are independent of our code: the phase column, which comes from the ventilator's valve control, and what the
device measured itself, a row a breath (``breath_trends_excerpt.txt``) and a row a minute (``trends_excerpt.txt``).
The lung is artificial; a hand pushed it in parts of the recordings, which makes the breaths differ and is welcome here.
"""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from adapters.recording import open_recording
from streamer.bed import Bed
from streamer.records import BreathRecord, Flag
from tests.helpers import recording

pytestmark = pytest.mark.recordings

NAMES = ("1769619974162.txt", "1769620119673.txt", "1769620717174.txt")
PAUSE = "pausa de ins."
ROW_AFTER_S = (0.2, 1.2)
"""From a breath's end to the stamp of its row, which is cut to whole seconds: over the 29 breaths nothing else fits, and no
breath is shorter than this second, so that each has one row."""


def clock_s(stamp: str) -> float:
    """``HH:MM:SS`` or ``HH:MM:SS:mmm`` → seconds of the day."""
    hours, minutes, seconds, *millis = (int(part) for part in stamp.split(":"))
    return hours * 3600.0 + minutes * 60.0 + seconds + sum(millis) / 1000.0


@dataclass(frozen=True)
class Told:
    """What the device says of one breath; None where it doubts the number itself (``#``, ``***``)."""

    at_s: float
    pei: float | None
    peep: float | None
    vt_exp: float | None
    vt_insp: float | None


@dataclass(frozen=True)
class Phases:
    """One breath of the phase column: where the valves opened and closed, seconds of the day; its highest pressure."""

    start_s: float
    pause_s: float
    exp_s: float
    end_s: float
    ppeak: float
    end_paw: tuple[float, float]
    """Lowest and highest pressure from 0.1 s before the next inspiration is begun to 0.1 s after."""


@dataclass(frozen=True)
class Case:
    """Our complete breaths, on the device's clock of the day, each with its row and its phases."""

    record: BreathRecord
    end_s: float
    told: Told
    phases: Phases


def number(field: str) -> float | None:
    return float(field) if re.fullmatch(r"-?[0-9.]+", field.strip()) else None


def trend_rows(name: str) -> list[list[str]]:
    text = recording(f"getinge-servo-u/{name}").read_text(encoding="utf-8-sig")
    return [line.split("\t") for line in text.splitlines() if re.match(r"(\d\d/\d\d/\d\d )?\d\d:\d\d:\d\d\t", line)]


@cache
def told() -> list[Told]:
    """Columns: Tiempo, Cdin, Pei, PEEP, Vce, Vci …"""
    rows = trend_rows("breath_trends_excerpt.txt")
    return [Told(clock_s(row[0]), *(number(row[k]) for k in (2, 3, 4, 5))) for row in rows]


def phases(path: Path) -> tuple[float, list[Phases]]:
    """When the recording begins, and its complete breaths by the phase column."""
    text = path.read_text(encoding="utf-8-sig")
    rows = [line.split("\t") for line in text.splitlines() if re.match(r"\d\d:\d\d:\d\d:\d", line)]
    at_s = [clock_s(row[0]) for row in rows]
    paw = np.array([float(row[2]) for row in rows])
    runs = []
    first = 0
    for name, run in groupby(row[1] for row in rows):
        runs.append((name, first))
        first += len(list(run))
    found = []
    for k in range(len(runs) - 3):
        (a, i), (b, pause), (c, out), (_, end) = runs[k : k + 4]
        if (a, b, c) == ("insp.", PAUSE, "esp."):
            near = paw[end - 10 : end + 11]
            times = (at_s[i], at_s[pause], at_s[out], at_s[end])
            found.append(Phases(*times, paw[i:out].max(), (near.min(), near.max())))
    return at_s[0], found


@cache
def cases(name: str) -> list[Case]:
    path = recording(f"getinge-servo-u/{name}")
    first_s, marked = phases(path)
    bed = Bed("b")
    events = [event for item in open_recording(path).items() for event in bed.push(item)] + bed.close()
    found = []
    for record in events:
        if isinstance(record, BreathRecord) and Flag.TRUNCATED not in record.flags:
            end_s = first_s + record.end_s
            (row,) = [row for row in told() if ROW_AFTER_S[0] < row.at_s - end_s <= ROW_AFTER_S[1]]
            (phase,) = [phase for phase in marked if abs(phase.start_s - first_s - record.start_s) < 0.2]
            found.append(Case(record, end_s, row, phase))
    return found


def every() -> list[Case]:
    return [case for name in NAMES for case in cases(name)]


def differences(key: str, told_key: str) -> list[float]:
    """Ours less the device's, where both have the number."""
    pairs = [(case.record.values.get(key), getattr(case.told, told_key)) for case in every()]
    return [ours - theirs for ours, theirs in pairs if ours is not None and theirs is not None]


def test_each_complete_breath_has_one_row_and_no_row_is_left_over() -> None:
    for name, count in zip(NAMES, (15, 7, 10), strict=True):
        found = cases(name)
        assert len(found) == count
        stamps = [case.told.at_s for case in found]
        assert stamps == [row.at_s for row in told() if stamps[0] <= row.at_s <= stamps[-1]]


def test_inspired_volume() -> None:
    """Rounded to 1 mL by the device; the same sensor, so what is left is where inspiration begins and ends."""
    found = differences("vt_insp", "vt_insp")
    assert len(found) == 32
    assert max(map(abs, found)) <= 5.0
    assert abs(statistics.median(found)) <= 1.0
