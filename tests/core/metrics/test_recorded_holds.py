"""Plateaus in recorded pauses, and none where there is no pause. Numbers: the recordings' README files."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from streamer.core.bed import Bed
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.records import BreathRecord
from tests.support.streams import recording

pytestmark = pytest.mark.recordings


def breaths(flow: list[float], paw: list[float], rate_hz: float) -> list[BreathRecord]:
    bed = Bed("b")
    channels: dict[Channel, FloatArray] = {Channel.FLOW: np.array(flow) / 60.0, Channel.PAW: np.array(paw)}
    events = bed.push(Chunk(source="v", start_s=0.0, rate_hz=rate_hz, channels=channels)) + bed.close()
    return [event for event in events if isinstance(event, BreathRecord)]


def puritan_bennett(name: str) -> list[BreathRecord]:
    rows = []
    for line in recording(name).read_text(encoding="ascii", errors="replace").splitlines():
        parts = line.strip("\0 ").split(",")
        if len(parts) == 2 and not line.startswith("BS"):
            rows.append([float(part) for part in parts])
    return breaths([row[0] for row in rows], [row[1] for row in rows], 50.0)


def servo(name: str) -> list[BreathRecord]:
    lines = recording(name).read_text(encoding="utf-8-sig").split("[DATA]")[1].strip().splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return breaths([float(row[3]) for row in rows], [float(row[2]) for row in rows], 100.0)


@pytest.mark.parametrize(
    ("name", "pressure", "at_least"), [("1769619974162.txt", 25.3, 13), ("1769620119673.txt", 32.2, 5)]
)
def test_pauses_of_a_slowly_closing_valve(name: str, pressure: float, at_least: int) -> None:
    """0.6 s by the phase column, of which flow is at zero for 0.48 s: short pauses, quality B."""
    found = [record for record in servo(f"getinge-servo-u/{name}") if "pplat" in record.values]
    assert len(found) >= at_least
    assert statistics.median(record.values["pplat"] for record in found) == pytest.approx(pressure, abs=0.3)
    assert [record.methods["pplat"] for record in found].count("pause_short") >= at_least


def test_a_lung_pushed_by_hand_shows_as_an_irregular_hold() -> None:
    found = servo("getinge-servo-u/1769620717174.txt")
    assert not [record for record in found if record.quality.get("pplat") == "A"]
    assert any(record.missing.get("pplat") in {"hold_not_passive", "no_hold"} for record in found)


def test_volume_control_with_and_without_pause() -> None:
    found = puritan_bennett("pb840-ventmap/jimmy-example-data.csv.test")
    held = [record for record in found if "pplat" in record.values]
    assert [record.number for record in held] == [2, 4, 7, 12, 13]  # five, as the README of the folder says
    for record in held:
        assert record.values["pplat"] == pytest.approx(21.15, abs=0.15)
        assert record.values["crs"] == pytest.approx(31.5, abs=1.5)


@pytest.mark.parametrize("name", ["raw_057e1eff*", "raw_dbd6faca*", "raw_70d079e3*"])
def test_no_plateau_in_pressure_support_or_control(name: str) -> None:
    found = puritan_bennett(f"pb840-ventmode/{name}")
    assert len(found) > 1000
    assert not [record.number for record in found if "pplat" in record.values or "peep_total" in record.values]


def test_occlusions_of_proportional_assist_are_mostly_not_passive() -> None:
    """300 ms occlusions every few breaths: pressure rises in nearly all of them, as the patient relaxes or pushes."""
    found = puritan_bennett("pb840-ventmode/raw_c8aed3b6*")
    assert any(record.missing.get("pplat") == "hold_not_passive" for record in found)
    assert all(record.quality["pplat"] == "B" for record in found if "pplat" in record.values)
