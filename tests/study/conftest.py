"""Recordings for session files, made once."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from adapters.recordings.canonical import write_recording
from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Hold, Scenario, Ventilator
from streamer.model.context import RecordingInfo, Sidecar


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``all``: ten minutes from 8:00, airway dead space 150 mL, after five 120 mL; ``first`` and ``rest`` of it."""
    found = tmp_path_factory.mktemp("measured")
    ventilator = Ventilator(rate_per_min=20.0, tidal_volume_ml=450.0, flow_l_min=45.0)
    segments = tuple(
        Segment(at_s=at_s, ventilator=ventilator, capnogram=Capnogram(dead_space_ml=dead))
        for at_s, dead in ((0.0, 150.0), (300.0, 120.0))
    )
    holds = tuple(Hold(at_s=at_s, kind="inspiratory", duration_s=0.7) for at_s in (120.0, 450.0))
    whole = Scenario(duration_s=600.0, rate_hz=100.0, segments=segments, hold=holds, first_onset_s=0.3)
    chunks = list(simulate(whole).chunks(10.0))
    for name, picked, start in (
        ("all", chunks, "08:00:00"),
        ("first", [one for one in chunks if one.start_s < 290], "08:00:00"),
        ("rest", [one for one in chunks if one.start_s >= 330], "08:05:30"),
        ("late", [one for one in chunks if one.start_s >= 280], "08:04:40"),
    ):
        start_utc = datetime.fromisoformat(f"2024-03-01T{start}Z")
        known = RecordingInfo(rate_hz=100.0, source="simulated", start_utc=start_utc)
        write_recording(found / f"{name}.parquet", picked, Sidecar(recording=known))
    return found
