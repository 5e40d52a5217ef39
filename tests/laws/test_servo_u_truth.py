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

from adapters.recordings.open import open_recording
from streamer.core.bed import Bed
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord
from tests.support.streams import recording

pytestmark = pytest.mark.recordings

NAMES = ("1769619974162.txt", "1769620119673.txt", "1769620717174.txt")
PAUSE = "pausa de ins."
ROW_AFTER_S = (0.2, 1.2)
"""From a breath's end to the stamp of its row: it is written 1.2 s later and its stamp cut to whole seconds. No breath
is shorter than that second, so each has one row; volumes then agree to a few mL, with neighbours' they would not."""
STATED = {"hold_not_passive", "double_trigger", "no_hold"}
"""Why a pause may be without a plateau pressure."""


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
    rr: float | None


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
    """One of our complete breaths with its row and its phases; ``first_s`` is the recording's beginning."""

    record: BreathRecord
    first_s: float
    told: Told
    phases: Phases


def number(field: str) -> float | None:
    return float(field) if re.fullmatch(r"-?[0-9.]+", field.strip()) else None


def trend_rows(name: str) -> list[list[str]]:
    text = recording(f"getinge-servo-u/{name}").read_text(encoding="utf-8-sig")
    return [line.split("\t") for line in text.splitlines() if re.match(r"(\d\d/\d\d/\d\d )?\d\d:\d\d:\d\d\t", line)]


@cache
def told() -> list[Told]:
    """Columns: Tiempo, Cdin, Pei, PEEP, Vce, Vci, Pactividad, I:E, F resp. …"""
    rows = trend_rows("breath_trends_excerpt.txt")
    return [Told(clock_s(row[0]), *(number(row[k]) for k in (2, 3, 4, 5, 8))) for row in rows]


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
            found.append(Case(record, first_s, row, phase))
    return found


def every() -> list[Case]:
    return [case for name in NAMES for case in cases(name)]


def differences(key: str, told_key: str) -> list[float]:
    """Ours less the device's, where both have the number."""
    pairs = [(case.record.values.get(key), getattr(case.told, told_key)) for case in every()]
    return [ours - theirs for ours, theirs in pairs if ours is not None and theirs is not None]


def is_steep(case: Case) -> bool:
    """Whether pressure still fell by more than 2 cmH2O in the 0.2 s around the next inspiration's begin."""
    return case.phases.end_paw[1] - case.phases.end_paw[0] > 2.0


def test_each_complete_breath_has_one_row_and_no_row_is_left_over() -> None:
    for name, count in zip(NAMES, (15, 7, 10), strict=True):
        found = cases(name)
        assert len(found) == count
        stamps = [case.told.at_s for case in found]
        assert stamps == [row.at_s for row in told() if stamps[0] <= row.at_s <= stamps[-1]]


def test_onsets_follow_the_valves_by_what_flow_needs_to_turn() -> None:
    """Valves first, flow later: inspirations begin against the outflow, expirations with an opening valve."""
    for case in every():
        start_s = case.first_s + case.record.start_s
        assert 0.05 <= start_s - case.phases.start_s <= 0.11
        assert 0.03 <= start_s + case.record.values["ti"] - case.phases.exp_s <= 0.07
        assert case.record.values["ttot"] == pytest.approx(case.phases.end_s - case.phases.start_s, abs=0.03)


def test_inspired_volume() -> None:
    """The device rounds to 1 mL. The same sensor: what is left is where inspiration begins and ends."""
    found = differences("vt_insp", "vt_insp")
    assert len(found) == 32
    assert max(map(abs, found)) <= 2.0
    assert abs(statistics.median(found)) <= 0.5


def test_expired_volume() -> None:
    """The most differs where expiration lasted seconds, with next to no flow for most of it."""
    found = differences("vt_exp", "vt_exp")
    assert len(found) == 32
    assert max(map(abs, found)) <= 5.0
    assert abs(statistics.median(found)) <= 0.5


def test_peak_pressure_is_the_highest_of_inspiration_and_pause() -> None:
    """Ours is the highest median of three samples: a spike of one sample is not a peak."""
    for case in every():
        assert -0.5 <= case.record.values["ppeak"] - case.phases.ppeak <= 0.05


def test_plateau_is_the_end_inspiratory_pressure() -> None:
    """``Pei`` is rounded to 1 cmH2O, so 0.5 is as close as agreement can be told."""
    found = differences("pplat", "pei")
    assert len(found) >= 24
    assert max(map(abs, found)) <= 0.55


def test_plateaus_are_found_in_pauses() -> None:
    """A pause by the phase column begins when the valve begins to close, some 0.13 s before flow is at zero.

    Of 0.60 s (files 1 and 2) 0.47 s are left, a short hold: each has its plateau but two, in which the pressed lung
    makes pressure rise. Of 0.40 s (file 3) some 0.3 s are left, which is as long as a hold must last.
    """
    for name, most_without in zip(NAMES, (1, 1, 6), strict=True):
        found = cases(name)
        assert all(case.phases.exp_s - case.phases.pause_s >= 0.3 for case in found)
        without = [case.record for case in found if "pplat" not in case.record.values]
        assert len(without) <= most_without
        assert {record.missing["pplat"] for record in without} <= STATED
        assert name == NAMES[2] or {record.missing["pplat"] for record in without} == {"hold_not_passive"}


def test_end_expiratory_pressure() -> None:
    """All but two. Least alike are expirations of 0.3 s, which never come to rest (ours is up to 0.7 lower), and one
    that ends with a trigger's dip, which ours leaves out (12.9 against 12). Where they lasted seconds, 0.15 is enough.
    """
    settled = [case for case in every() if not is_steep(case)]
    assert len(settled) == 30
    for case in settled:
        assert case.told.peep is not None
        assert case.record.values["peep"] == pytest.approx(case.told.peep, abs=1.0)
    long = [case for case in cases(NAMES[1]) if case.phases.end_s - case.phases.exp_s > 1.0]
    assert len(long) == 6
    for case in long:
        assert case.record.values["peep"] == pytest.approx(case.told.peep, abs=0.15)


def test_end_expiratory_pressure_of_a_breath_that_was_cut_short() -> None:
    """Two of 32. Pressure is falling steeply, so that 50 ms are 1.5 cmH2O and the two readings differ by up to 2: ours
    lies within what the pressure column does there, is not graded A, and no compliance is made of it.
    """
    falling = [case for case in every() if is_steep(case)]
    assert len(falling) == 2
    for case in falling:
        low, high = case.phases.end_paw
        assert low <= case.record.values["peep"] <= high
        assert case.record.quality["peep"] == "B"
        assert "crs" not in case.record.values


def test_rate() -> None:
    """The device's is a mean over some half minute: compared half a minute after the last breath of another length."""
    steady = [case for case in cases(NAMES[0]) if clock_s("17:06:00") < case.told.at_s <= clock_s("17:06:06")]
    assert len(steady) == 4
    theirs = statistics.fmean(case.told.rr for case in steady if case.told.rr is not None)
    assert statistics.fmean(case.record.values["rr"] for case in steady) == pytest.approx(theirs, abs=0.5)


def test_the_minute_that_the_first_recording_shares() -> None:
    """The row of 17:06:06 covers the minute before; the recording has its last third, all breaths alike.

    ``Ppico`` is below ``Ppausa``: it is read when flow ends, before the pause, where pressure still rises by 0.6 cmH2O.
    """
    (row,) = [row for row in trend_rows("trends_excerpt.txt") if row[0] == "28/01/26 17:06:06"]
    rr, vt_insp, vt_exp, ppico, ppausa, peep = (float(row[k]) for k in (2, 3, 4, 5, 6, 8))
    shared = [case.record.values for case in cases(NAMES[0]) if case.told.at_s <= clock_s("17:06:06")]
    assert len(shared) == 12
    ours = {key: statistics.fmean(values[key] for values in shared) for key in ("vt_insp", "vt_exp", "ppeak", "pplat")}
    assert ours["vt_insp"] == pytest.approx(vt_insp, abs=1.0)
    assert ours["vt_exp"] == pytest.approx(vt_exp, abs=2.0)
    assert ours["pplat"] == pytest.approx(ppausa, abs=0.15)
    assert ppico < ppausa
    assert 0.0 <= ours["ppeak"] - ppico <= 1.0
    assert statistics.fmean(values["peep"] for values in shared) == pytest.approx(peep, abs=0.6)
    assert statistics.fmean(values["rr"] for values in shared) == pytest.approx(rr, rel=0.05)
