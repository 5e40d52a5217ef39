"""Simulate a lung, measure it, and compare what was measured with what the simulator knows.

    python examples/lung_against_its_truth.py [SCENARIO]

A scenario is a bundled name (``vcv_hold``, the default) or a TOML file; ``replay_data/scenarios`` has examples.
"""

from __future__ import annotations

import sys

from adapters.simulator import simulate
from streamer import Bed, BreathRecord

PAIRS = {"vt": "vt", "ppeak": "ppeak", "pplat": "pplat", "peep_total": "peep_total"}
"""Key of a breath record -> field of the truth of a breath; the units agree (mL, cmH2O)."""
SAME_BREATH_S = 0.1
"""An onset that was found lies so near to the true one."""


def main(scenario: str = "vcv_hold") -> None:
    """Print the largest difference between measured and true, for each key that was measured."""
    lung = simulate(scenario)
    bed = Bed("bench", context=lung.sidecar.context)
    events = [event for chunk in lung.chunks() for event in bed.push(chunk)] + bed.close()
    measured = [event for event in events if isinstance(event, BreathRecord)]

    found: dict[str, list[float]] = {}
    for true in lung.truth.breaths:
        match = next((breath for breath in measured if abs(breath.start_s - true.start_s) < SAME_BREATH_S), None)
        if match is None:
            continue  # the first and the last breath of a recording are cut off
        for key, field in PAIRS.items():
            truth = getattr(true, field)
            if key in match.values and truth is not None:
                found.setdefault(key, []).append(match.values[key] - truth)
        if "crs" in match.values:
            found.setdefault("crs", []).append(match.values["crs"] - lung.truth.segments[true.segment].crs)
    print(f"{len(measured)} breaths measured, {len(lung.truth.breaths)} simulated")
    for key, differences in found.items():
        print(f"{key:>10}: {len(differences):3} breaths, largest difference {max(differences, key=abs):+.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
