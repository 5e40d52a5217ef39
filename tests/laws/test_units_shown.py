"""What ``check`` shows of a waveform is in the file's own unit: every format, every seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel, Chunk
from tests.support.format_seeds import SEEDS

PLAIN = {"json_lines", "csv", "parquet", "session", "npy"}
"""Formats whose seeds are in canonical units, unless named below."""
SHOWN: dict[str, dict[str, str]] = {
    "servo_u": {"flow": "L/min"},
    "pb840": {"flow": "L/min"},
    "pirds": {"flow": "slm"},
    "pirds array": {"flow": "slm"},
    "rapidvent": {"flow": "L/min"},
    "vscapture": {"flow": "L/min"},
    "vscapture draeger": {"flow": "L/min"},
    "csv counted": {"flow": "L/min", "paw": "mbar"},
    "csv of a spreadsheet": {"paw": "mbar"},
    "csv of volume": {"flow": "mL/s"},
    "csv a channel a row": {"flow": "L/min", "paw": "mbar"},
    "csv mapped": {"flow": "L/min", "paw": "mbar"},
    "respiraworks": {"flow": "mL/s"},
    "respiraworks_json": {"flow": "mL/s"},
    "edf": {},
    "edf discontinuous": {},
    "edf narrow": {"flow": "L/min", "paw": "hPa"},
    "wfdb": {"flow": "L/min", "paw": "mbar"},
    "wfdb signals": {"flow": "L/min", "paw": "mbar"},
    "vital": {"flow": "L/min", "paw": "hPa"},
    "poly5": {"flow": "L/min"},
    "npz": {"flow": "L/min"},
    "matlab": {"flow": "L/min"},
    "matlab packed": {"flow": "L/min"},
    "hdf5": {"flow": "L/min"},
    "hdf5 packed": {"flow": "L/min"},
    "excel": {"flow": "L/min"},
    "labchart": {"flow": "L/min"},
}
"""Seed → channel → its unit in the file, where that is not the canonical one."""


@pytest.mark.parametrize("name", SEEDS)
def test_a_waveform_is_shown_in_the_unit_of_its_file(name: str, tmp_path: Path) -> None:
    seed = SEEDS[name]
    recording = seed.opened(tmp_path)
    for _ in recording.items():
        pass
    expected = SHOWN[name] if name in SHOWN or seed.format not in PLAIN else {}
    assert {channel.value: unit.label for channel, unit in recording.units.items()} == expected


@pytest.mark.parametrize(
    ("unit", "value"), [("mL/s", 0.5), ("mL/min", 30.0), ("L/s", 0.0005), ("L/min", 0.03), ("slm", 0.03)]
)
def test_a_number_of_the_file_is_shown_as_it_stands(unit: str, value: float, tmp_path: Path) -> None:
    """The scale that is shown undoes the one that was read."""
    path = tmp_path / "x.csv"
    path.write_text(f"time_s,flow ({unit})\n" + "".join(f"{k / 50:.2f},{value}\n" for k in range(200)))
    recording = open_recording(path)
    flow = [item.channels[Channel.FLOW] for item in recording.items() if isinstance(item, Chunk)]
    label, multiplier, divisor = recording.units.get(Channel.FLOW, ("L/s", 1.0, 1.0))
    assert label == unit
    assert flow[0] * divisor / multiplier == pytest.approx(value)
