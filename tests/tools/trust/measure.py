"""Cases through the public path, and what the errors of their estimates come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from adapters.simulator import simulate
from streamer.core.bed import Bed, CoreSettings
from streamer.core.rolling import RollingSettings
from streamer.model.context import Context
from streamer.model.records import BreathRecord
from tests.tools.trust.lungs import ISOLATED, MAX_PAW, SETTLED, Case

NO_WINDOWS = CoreSettings(rolling=RollingSettings(windows_s={}))


def breaths(case: Case, *, asserted: bool = False) -> Iterator[tuple[int, BreathRecord]]:
    """Complete breaths after the first few, with their place in the train."""
    context = Context(passive="asserted" if asserted else None)
    bed = Bed("trust", context=context, settings=NO_WINDOWS)
    events = [event for chunk in simulate(case.scenario).chunks(600.0) for event in bed.push(chunk)] + bed.close()
    records = [event for event in events if isinstance(event, BreathRecord)]
    for record in records[1:-1]:
        place = round((record.start_s - case.scenario.first_onset_s) / case.period_s)
        if place >= SETTLED:
            yield place, record


@dataclass
class Errors:
    """Signed errors of one key over many breaths: as shares of the truth, or in its own unit."""

    wrong_from: float = 0.10
    total: int = 0
    found: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    methods: Counter[str] = field(default_factory=Counter)

    def add(self, record: BreathRecord, key: str, true: float, *, share: bool = True) -> None:
        self.total += 1
        if key in record.values:
            error = record.values[key] - true
            self.found.append(error / true if share else error)
            self.methods[record.methods.get(key, "")] += 1
        else:
            self.reasons[str(record.missing[key])] += 1

    @property
    def given(self) -> float:
        return len(self.found) / self.total if self.total else 0.0

    @property
    def wrong(self) -> float:
        """Share of all breaths that carry a number which is wrong by more than ``wrong_from``."""
        return sum(abs(error) > self.wrong_from for error in self.found) / self.total if self.total else 0.0

    @property
    def bias(self) -> float:
        return float(np.median(self.found)) if self.found else np.nan

    @property
    def spread(self) -> float:
        return float(np.std(self.found)) if self.found else np.nan

    def size(self, quantile: float) -> float:
        """Quantile of the magnitude of the error."""
        return float(np.quantile(np.abs(self.found), quantile)) if self.found else np.nan


def compliance(cases: Iterable[Case], *, asserted: bool = False, isolated: bool = False) -> Errors:
    """Errors of ``crs_est`` over all breaths of all cases, or over the one breath with an isolated effort."""
    errors = Errors()
    for case in cases:
        if max(breath.ppeak for breath in simulate(case.scenario).truth.breaths) > MAX_PAW:
            continue
        for place, record in breaths(case, asserted=asserted):
            if not isolated or place == ISOLATED:
                errors.add(record, "crs_est", case.crs)
    return errors
