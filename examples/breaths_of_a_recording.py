"""Print one line for each breath of a recording: tidal volume, PEEP, compliance, or why there is no compliance.

    python examples/breaths_of_a_recording.py [RECORDING]

Without an argument it reads ``replay_data/vcv_hold.csv``: volume control at 50 Hz with three end-inspiratory holds.
"""

from __future__ import annotations

import sys
from pathlib import Path

from adapters.recordings.open import open_recording
from streamer import Bed, BreathRecord

VCV_HOLD = Path(__file__).parents[1] / "replay_data" / "vcv_hold.csv"


def breaths(path: Path) -> list[BreathRecord]:
    """Run a recording through the core and keep its breath records.

    ``Bed`` reads no file and no clock: it takes chunks of samples and returns events. ``close`` ends the last breath.
    """
    recording = open_recording(path)
    bed = Bed("bench", context=recording.sidecar.context)
    events = [event for item in recording.items() for event in bed.push(item)] + bed.close()
    return [event for event in events if isinstance(event, BreathRecord)]


def line(breath: BreathRecord) -> str:
    """One breath as text. A key stands either in ``values`` or, with its reason, in ``missing``."""
    tidal, peep, crs = (breath.values.get(key) for key in ("vt", "peep", "crs"))
    shown = [
        f"{breath.start_s:7.2f} s",
        f"VT {tidal:4.0f} mL" if tidal is not None else f"VT: {breath.missing['vt']}",
        f"PEEP {peep:4.1f} cmH2O" if peep is not None else f"PEEP: {breath.missing['peep']}",
        f"Crs {crs:4.1f} mL/cmH2O" if crs is not None else f"Crs: {breath.missing['crs']}",
    ]
    return "  ".join(shown)


def main(path: Path = VCV_HOLD) -> None:
    """Print the breaths of one recording."""
    for breath in breaths(path):
        print(line(breath))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
