"""Situation by key: how often a number is given, and how often one is wrong by more than its tolerance.

    python -m tests.tools.trust --situations [--tune] [--write] [--only TEXT]

prints the tables of docs/accuracy.md and a line for every wrong figure; half of the seeds, ``--tune``, are for work
on a rule, the reported ones are others. Every breath of every run counts, but the first and the last.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from adapters.simulator import simulate
from adapters.simulator.truth import Truth
from streamer.core.bed import Bed
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord, Notice, NoticeKind
from tests.support.streams import match
from tests.tools.trust.draws import Draw, Run
from tests.tools.trust.judge import JUDGES, Known
from tests.tools.trust.listed_gas import GAS
from tests.tools.trust.listed_lies import LIES
from tests.tools.trust.listed_lungs import LUNGS
from tests.tools.trust.listed_signals import SIGNALS
from tests.tools.trust.listed_today import TODAY, Make
from tests.tools.trust.measure import NO_WINDOWS

GROUPS: Mapping[str, Mapping[str, Make]] = MappingProxyType(
    {
        "Ordinary": TODAY,
        "Hard to segment": SIGNALS,
        "Mechanics": LUNGS,
        "CO2": GAS,
        "Signals that lie": LIES,
    }
)
RUNS = 3
"""Recordings of a situation, each of another patient."""
TUNED, REPORTED = 1, 2
"""Which half of the seeds."""
CHUNK_S, SIDE_BY_SIDE_S = 600.0, 0.25
"""Length of the chunks; that of two sources, which a bed joins as they come."""
NEAR_S = 0.1
"""An onset this close to the valve's is found."""
TOLD = frozenset({NoticeKind.SUSPICION, NoticeKind.IMPLAUSIBLE, NoticeKind.DISCONNECT})
"""Notices that say something of the signal."""


@dataclass
class Figure:
    """One key in one situation, over all breaths of all runs."""

    breaths: int = 0
    judged: int = 0
    wrong: int = 0
    doubtful: int = 0
    """Of them those graded C."""
    grades: Counter[str] = field(default_factory=Counter)
    worst: tuple[float, float, float, str] = (0.0, 0.0, 0.0, "")
    """By how many tolerances, given, true, grade."""
    reasons: Counter[str] = field(default_factory=Counter)
    errors: list[float] = field(default_factory=list)
    """As shares of the truth, where that is not zero."""

    @property
    def given(self) -> int:
        return sum(self.grades.values())

    def add(self, key: str, record: BreathRecord, known: Known | None) -> None:
        """Judge one breath."""
        self.breaths += 1
        if key not in record.values:
            self.reasons[str(record.missing.get(key, "unknown key"))] += 1
            return
        grade, value = record.quality.get(key, "A"), record.values[key]
        self.grades[grade] += 1
        error = None if known is None else JUDGES[key].error(value, known)
        if known is None or error is None:
            return
        self.judged += 1
        if value != error:
            self.errors.append(error / (value - error))
        excess = abs(error) / max(JUDGES[key].allowed(grade, known), 1e-9)
        if excess > 1.0:
            self.wrong += 1
            self.doubtful += grade == "C"
        if excess > self.worst[0]:
            self.worst = excess, value, value - error, grade


@dataclass
class Result:
    """One situation."""

    figures: dict[str, Figure] = field(default_factory=lambda: {key: Figure() for key in JUDGES})
    breaths: int = 0
    true: int = 0
    near: int = 0
    """True onsets with a found one within ``NEAR_S``, one to one."""
    extra: int = 0
    """Found onsets without a true one."""
    has_co2: bool = False
    told: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, run: Run) -> None:
        """Measure one recording and compare it with its truth."""
        simulation = simulate(run.scenario)
        bed = Bed("trust", context=run.context, settings=NO_WINDOWS)
        chunk_s = CHUNK_S if run.scenario.co2_rate_hz == run.scenario.rate_hz else SIDE_BY_SIDE_S
        events = [event for chunk in simulation.chunks(chunk_s) for event in bed.push(chunk)] + bed.close()
        self.has_co2 = run.scenario.segments[0].capnogram is not None
        told = {_told(event) for event in events if isinstance(event, Notice) and event.kind in TOLD}
        self.told.update(told)
        records = [event for event in events if isinstance(event, BreathRecord)]
        whole = [record for record in records if Flag.TRUNCATED not in record.flags]
        self._count(simulation.truth, whole)
        for record in whole:
            self.labels.update(str(flag) for flag in record.flags)
            known = true_of(record, simulation.truth, run)
            if known is not None and known.is_disturbed:
                continue
            for key, figure in self.figures.items():
                figure.add(key, record, known)

    def _count(self, truth: Truth, records: list[BreathRecord]) -> None:
        """Breaths that are whole in the truth, against those found in the same time."""
        starts = np.array([breath.start_s for breath in truth.breaths])[1:-1]
        found = np.array([record.start_s for record in records])
        if not starts.size:
            return
        self.true += starts.size
        found = found[(found > starts[0] - 0.5) & (found < starts[-1] + 0.5)]
        pairs = match(starts, found, NEAR_S)
        self.breaths += found.size
        self.near += len(pairs.pairs)
        self.extra += len(pairs.extra)


def _told(notice: Notice) -> str:
    return str(notice.values.get("rule", notice.kind))


def true_of(record: BreathRecord, truth: Truth, run: Run) -> Known | None:
    """The true breath that begins nearest."""
    if not truth.breaths:
        return None
    place = min(range(len(truth.breaths)), key=lambda k: abs(truth.breaths[k].start_s - record.start_s))
    breath = truth.breaths[place]
    before = truth.breaths[place - 1] if place else None
    return Known(breath, truth.segments[breath.segment], run.context, before)


def named() -> dict[str, Make]:
    """All situations in order."""
    return {name: make for group in GROUPS.values() for name, make in group.items()}


def drawn(name: str, number: int, half: int = REPORTED) -> Run:
    """One recording of a situation; the same name, number and half give the same one."""
    kind, make = named()[name]
    rng = np.random.default_rng([zlib.crc32(name.encode()), number, half])
    return make(Draw(rng, kind))


def measured(name: str, *, half: int = REPORTED, runs: int = RUNS) -> Result:
    """All runs of a situation."""
    result = Result()
    for number in range(runs):
        result.add(drawn(name, number, half))
    return result


def results(names: Iterable[str], *, half: int = REPORTED, runs: int = RUNS) -> Iterator[tuple[str, Result]]:
    """Situation after situation."""
    for name in names:
        yield name, measured(name, half=half, runs=runs)


def why_lines(name: str, result: Result) -> Iterator[str]:
    """A line for every key that was withheld, with the reasons."""
    for key, figure in result.figures.items():
        if figure.reasons:
            reasons = ", ".join(f"{reason} {count}" for reason, count in figure.reasons.most_common())
            yield f"{name} · {key}: {figure.given} given of {figure.breaths}; {reasons}"


def wrong_lines(name: str, result: Result) -> Iterator[str]:
    """A line for every key that was wrong."""
    for key, figure in result.figures.items():
        if figure.wrong:
            times, given, true, grade = figure.worst
            yield (
                f"{name} · {key}: {given:.4g} for {true:.4g} ({grade}, {times:.1f} tolerances), "
                f"{figure.wrong} wrong of {figure.given} given of {figure.breaths}"
            )
