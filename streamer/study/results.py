"""The results of a study, as data frames.

Every frame is tidy: one row a number, null where it is withheld, with the reason beside it. ``quantity`` is a name in
``QUANTITIES``; ``unit`` is for readers; ``hours`` count from the event after the baseline.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from streamer.model.doubts import Doubt

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class PointLabel:
    """A time point.

    Attributes:
        label: Short, as in tables: ``4 h prone``.
        meaning: The same as a sentence.
        hours: From time 0 to the middle of its window, h; NaN if it counts from another event.

    Examples:
        >>> PointLabel("4 h prone", "4 h after the first event of kind prone, 15 min to either side", 4.0).hours
        4.0
    """

    label: str
    meaning: str
    hours: float


class Doubted(NamedTuple):
    """A doubt with its patient and recording; ``recording`` is empty if the doubt concerns all of them."""

    patient: str
    recording: str
    doubt: Doubt

    def __str__(self) -> str:
        return f"{self.patient}: {self.recording}{': ' if self.recording else ''}{self.doubt}"


@dataclass(frozen=True, kw_only=True)
class Results:
    """The numbers of a measured study, one data frame a question.

    Attributes:
        title: Title of the study.
        is_simulated: Whether at least one recording comes from the simulator.
        patients: Labels of the patients, in the order of the study.
        points: The time points, baseline first.
        values: patient, point, hours, from_hours, to_hours, position, start, end, quantity, key, unit, value, n,
            breaths, p25, p75, coverage, method, quality, reason, detail, doubts (codes, of the patient's recordings).
        changes: patient, point, quantity, unit, baseline, value, change, change_pct, smallest, direction (``lower``,
            ``higher``, ``no change`` or null), reason, detail, settings (which of them differ).
        cohort: point, quantity, unit, n, median, low, high, spread (``range`` or ``quartiles``), pairs, change_median,
            change_low, change_high, lower, higher, unchanged, p (null for fewer than ten pairs), methods (how many
            patients by each).
        trend: patient, hours, quantity, unit, value, n, method, sensor: medians or means over the width of the trend's
            bins.
        events: patient, hours, at, kind, detail: positions, settings, blood gases and notes.
        recordings: patient, path, sha256, format, source, device, rate_hz (text, since there may be several), start,
            duration_h, breaths, coverage, gaps, damaged_rows, dropped_rows, doubts (codes), error.
        withheld: patient, key, reason, meaning, breaths, share: over all recordings of the patient.
        notes: Errors, doubts and changes of context, one line each.
        doubts: Suspicions, damage, dropped rows and assumptions of all recordings.
        versions: Program or library → version.
        settings: Setting of the time points → value.

    Examples:
        >>> from pathlib import Path
        >>> from streamer.study import measure, read_study
        >>> results = measure(read_study(Path("replay_data/prone_short/p1.toml")))
        >>> results.is_simulated, [point.label for point in results.points]
        (True, ['baseline', '1 h prone', '4 h prone', '8 h prone'])
    """

    title: str
    is_simulated: bool
    patients: tuple[str, ...]
    points: tuple[PointLabel, ...]
    values: pd.DataFrame
    changes: pd.DataFrame
    cohort: pd.DataFrame
    trend: pd.DataFrame
    events: pd.DataFrame
    recordings: pd.DataFrame
    withheld: pd.DataFrame
    notes: tuple[str, ...] = ()
    doubts: tuple[Doubted, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def numbers(self) -> pd.DataFrame:
        """``values`` joined with ``changes``: one row for each patient, time point and quantity."""
        keys = ["patient", "point", "quantity"]
        renamed = self.changes.drop(columns=["unit", "value"]).rename(
            columns={"reason": "change_reason", "detail": "change_detail", "settings": "settings_changed"}
        )
        return self.values.merge(renamed, on=keys, how="left")
