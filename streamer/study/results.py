"""What came of a study: data frames.

Every frame is tidy: one row a number, null where it is withheld, with the reason beside it. ``quantity`` is a name of
``QUANTITIES``; ``unit`` is for readers; ``hours`` count from the event that the baseline lies before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from streamer.model.doubts import Doubt

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class PointLabel:
    """A time point: its label, and what it means, for a reader."""

    label: str
    meaning: str
    hours: float
    """Of its middle."""


class Doubted(NamedTuple):
    """A doubt, of which patient and which of its recordings; empty where it is of all."""

    patient: str
    recording: str
    doubt: Doubt

    def __str__(self) -> str:
        return f"{self.patient}: {self.recording}{': ' if self.recording else ''}{self.doubt}"


@dataclass(frozen=True, kw_only=True)
class Results:
    """A study that was measured.

    Attributes:
        title: Of the study.
        is_simulated: At least one recording is no patient's.
        patients: Their labels, in the order of the study.
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
        recordings: patient, path, sha256, format, source, device, rate_hz (text: there may be several), start,
            duration_h, breaths, coverage, gaps, damaged_rows, dropped_rows, doubts (codes), error.
        withheld: patient, key, reason, meaning, breaths, share: of the whole session.
        notes: What a reader has to know, a line each; doubts first.
        doubts: Suspicions, damage, dropped rows and assumptions of all recordings.
        versions: Program or library → version.
        settings: Setting of the time points → value.
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
        """``values`` and ``changes`` as one table: a row for each patient, time point and quantity."""
        keys = ["patient", "point", "quantity"]
        renamed = self.changes.drop(columns=["unit", "value"]).rename(
            columns={"reason": "change_reason", "detail": "change_detail", "settings": "settings_changed"}
        )
        return self.values.merge(renamed, on=keys, how="left")
