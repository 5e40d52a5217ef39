"""Compare two periods of four synthetic patients: before and after they were turned prone.

    python examples/compare_two_periods.py [STUDY.toml]

The default is ``replay_data/prone_short/cohort.toml``. A comparison that is not allowed, such as a measured value with
an estimated one, has no change; ``reason`` says why.
"""

from __future__ import annotations

import sys
from pathlib import Path

from streamer.study import QUANTITIES, measure, read_study

PRONE_SHORT = Path(__file__).parents[1] / "replay_data" / "prone_short" / "cohort.toml"
SHOWN = ["vd_vt_bohr", "vd_aw", "crs", "mp"]


def main(path: Path = PRONE_SHORT) -> None:
    """Print the change of each quantity in each patient, then the cohort's median."""
    results = measure(read_study(path))
    changes = results.changes.set_index("quantity")
    for name in SHOWN:
        quantity = QUANTITIES[name]
        print(f"{quantity.label} [{quantity.unit}]")
        for row in changes.loc[[name]].to_dict("records"):
            verdict = row["direction"] or f"not compared: {row['reason']}"
            print(f"  {row['patient']} {row['point']}: {row['baseline']:8.2f} -> {row['value']:8.2f}  {verdict}")
    cohort = results.cohort[results.cohort["quantity"].isin(SHOWN) & results.cohort["pairs"].gt(0)]
    print(
        cohort[["point", "quantity", "pairs", "change_median", "lower", "higher", "unchanged"]].to_string(index=False)
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
