"""Cohort files: what several simulated patients share, and a ``[[patient]]`` for each with what differs.

A patient's table overlays the common one key by key; a list that a patient states (``change``, ``gap`` …) replaces the
common list. All of it is checked as a scenario is, and every fault names the line it stands on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from adapters.simulator.scenario import Place, Scenario
from adapters.simulator.scenario_file import PATIENTS, File, find_scenario, scenario_of
from streamer.files.sidecar import refuse_untold
from streamer.files.sidecar_files import cohort_toml, session_toml
from streamer.files.toml import Document
from streamer.model.context import BloodGas, PointSettings, SessionEvent, Sidecar
from streamer.model.errors import ConfigError

COHORT_FILE = "cohort.toml"
Dated = TypeVar("Dated", SessionEvent, BloodGas)


class _Patient(File, frozen=True, kw_only=True):
    """Table ``[[patient]]``: what differs from what stands above."""

    label: Annotated[
        str,
        Meta(
            pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$", description="letters, digits, - and _; never a patient's name"
        ),
    ]


class _File(File, frozen=True, kw_only=True):
    """A cohort file."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    patient: Annotated[tuple[_Patient, ...], Meta(min_length=1, max_length=100)]
    points: PointSettings = PointSettings()


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient of a cohort, with all that holds for it."""

    label: str
    scenario: Scenario

    @property
    def name(self) -> str:
        """Of its files, without suffix."""
        return self.label.lower()

    @property
    def recording(self) -> Sidecar:
        """What the recording itself says: no patient, events or gases, which the session file tells."""
        return Sidecar(recording=self.scenario.sidecar().recording)

    def session(self, recordings: Sequence[str]) -> str:
        """Its session file, with every time as UTC."""
        told = self.scenario.sidecar()
        assert told.recording.start_utc is not None
        zero = told.recording.start_utc - timedelta(seconds=self.scenario.start_s)
        event = tuple(_dated(one, zero) for one in told.event)
        gases = tuple(_dated(one, zero) for one in told.blood_gas)
        return session_toml(self.label, recordings, Sidecar(context=told.context, event=event, blood_gas=gases))


@dataclass(frozen=True, slots=True)
class Cohort:
    """Simulated patients, in the order of their file."""

    title: str
    patients: tuple[Patient, ...]
    points: PointSettings

    @property
    def text(self) -> str:
        """Its file, which names the sessions."""
        return cohort_toml(self.title, [f"{patient.name}.toml" for patient in self.patients], self.points)


def find_cohort(scenario: str | Path) -> Cohort | None:
    """A cohort by its file or a bundled one's name; None for the scenario of one patient. Raises ``ConfigError``."""
    document = Document.open(find_scenario(scenario))
    return _cohort(document) if PATIENTS in document.tree else None


def _cohort(document: Document) -> Cohort:
    file = document.read(_File)
    refuse_untold(document, (), file)
    patients: list[Patient] = []
    for index, stated in enumerate(file.patient):
        at: Place = (PATIENTS, index)
        refuse_untold(document, at, stated)
        _refuse_name(document, at, stated.label, {patient.name for patient in patients})
        tree = _overlaid(_without(document.tree, "title", "points", PATIENTS), _without(document.value(at), "label"))
        error = partial(_error, document, index)
        patients.append(Patient(stated.label, scenario_of(tree, error)))
        _refuse_unsuitable(patients[-1].scenario, error)
    return Cohort(file.title, tuple(patients), file.points)


def _refuse_name(document: Document, at: Place, label: str, taken: set[str]) -> None:
    """Labels become file names, which some systems hold to be equal in either case."""
    if label.lower() in taken:
        raise document.error((*at, "label"), "another patient has this label; give each its own")
    if f"{label.lower()}.toml" == COHORT_FILE:
        raise document.error((*at, "label"), f"its session would be the cohort's own {COHORT_FILE}; choose another")


def _refuse_unsuitable(scenario: Scenario, error: partial[ConfigError]) -> None:
    """Refuse what a session file cannot tell."""
    if scenario.recording.start_utc is None:
        raise error(("recording", "start_utc"), "a session tells times as UTC: state start_utc in [recording]")
    if scenario.capnograph and scenario.capnograph.rate_hz is not None:
        problem = "a device of its own makes a second recording, a session has one after the other: leave it out"
        raise error(("capnograph", "rate_hz"), problem)


def _error(document: Document, index: int, at: Place, problem: str) -> ConfigError:
    """The error of a place in a patient's tree, at the line that it comes from: the patient's own, or the common."""
    own = document.tree[PATIENTS][index]
    replaced = isinstance(own.get(at[0]), list)
    is_own = replaced or _reach(own, at) >= _reach(document.tree, at)
    return document.error((PATIENTS, index, *at) if is_own else at, f"{own['label']}: {problem}")


def _reach(tree: Any, at: Place) -> int:
    """How many keys of a path are there."""
    for depth, key in enumerate(at):
        try:
            tree = tree[key]
        except (KeyError, IndexError):
            return depth
    return len(at)


def _without(tree: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: found for key, found in tree.items() if key not in keys}


def _overlaid(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Tables key by key; all else replaces."""
    both = {key for key in own if isinstance(own[key], dict) and isinstance(common.get(key), dict)}
    return {**common, **own, **{key: _overlaid(common[key], own[key]) for key in both}}


def _dated(entry: Dated, zero: datetime) -> Dated:
    """The same with a date-time in place of seconds on the device's clock."""
    if entry.at_s is None:
        return entry
    return msgspec.structs.replace(entry, at=zero + timedelta(seconds=entry.at_s), at_s=None)
