"""The cohort at each time point: medians, ranges, counts of directions (algorithms §8.2).

Fewer than ten patients: median and range, no test. Ten or more: median and quartiles, and for the changes Wilcoxon's
signed-rank test, two-sided, one quantity and one time point at a time, without adjustment for multiple testing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.model.chunk import FloatArray
from streamer.study.changes import HIGHER, LOWER, SAME
from streamer.study.quantities import QUANTITIES

if TYPE_CHECKING:
    import pandas as pd

ENOUGH = 10
COLUMNS = (
    "point",
    "quantity",
    "unit",
    "n",
    "median",
    "low",
    "high",
    "spread",
    "pairs",
    "change_median",
    "change_low",
    "change_high",
    "lower",
    "higher",
    "unchanged",
    "p",
    "methods",
)


def cohort_frame(values: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """One row for each time point and quantity that at least one patient has. ``p`` is NaN for fewer than ten pairs."""
    import pandas as pd  # noqa: PLC0415 (half a second to load)

    pairs = {key: rows.dropna(subset=["change"]) for key, rows in changes.groupby(["point", "quantity"], sort=False)}
    no_rows = changes.iloc[:0]
    rows = []
    for (point, name), group in values.groupby(["point", "quantity"], sort=False):
        numbers = group["value"].dropna().to_numpy(dtype=float)
        if numbers.size:
            rows.append(
                (
                    point,
                    name,
                    QUANTITIES[str(name)].unit,
                    *_spread(numbers),
                    *_changed(pairs.get((point, name), no_rows)),
                    _methods(group.dropna(subset=["value"])),
                )
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _methods(group: pd.DataFrame) -> str:
    """Methods behind one median, with the number of patients: ``vs_set_peep 3, vs_total_peep 1``."""
    counts = group["method"][group["method"] != ""].value_counts()
    return ", ".join(f"{method} {count}" for method, count in sorted(counts.items()))


def _spread(numbers: FloatArray) -> tuple[int, float, float, float, str]:
    return numbers.size, *_middle(numbers), "range" if numbers.size < ENOUGH else "quartiles"


def _middle(numbers: FloatArray) -> tuple[float, float, float]:
    """Median, and range or quartiles; NaN without a number."""
    if not numbers.size:
        return np.nan, np.nan, np.nan
    ends = (0.0, 1.0) if numbers.size < ENOUGH else (0.25, 0.75)
    low, high = np.quantile(numbers, ends)
    return float(np.median(numbers)), float(low), float(high)


def _changed(rows: pd.DataFrame) -> tuple[object, ...]:
    numbers = rows["change"].to_numpy(dtype=float)
    counts = [int((rows["direction"] == direction).sum()) for direction in (LOWER, HIGHER, SAME)]
    return numbers.size, *_middle(numbers), *counts, _signed_rank(numbers)


def _signed_rank(numbers: FloatArray) -> float:
    if numbers.size < ENOUGH or not np.any(numbers):
        return np.nan
    from scipy import stats  # noqa: PLC0415 (slow to load)

    return float(stats.wilcoxon(numbers).pvalue)
