"""Scenario files: TOML with the tables of a segment, and changes that name only what differs. Read by ``simulator``.

The tables of a segment (``[lung]``, ``[ventilator]`` …) hold from the beginning; each ``[[change]]`` names, from its
``at_s`` on, those keys that differ from what stands above it. A file with ``[[patient]]`` is a cohort: ``cohort``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import msgspec

from adapters.simulator.course import Course, Segment
from adapters.simulator.scenario import (
    Assist,
    Capnogram,
    Cardiogenic,
    Circuit,
    GasExchange,
    Lung,
    Nebuliser,
    Place,
    Rebreathing,
    Relaxation,
    Ringing,
    Scenario,
    Second,
    SecondCompartment,
    Sensor,
    Transducer,
    Tube,
    Valve,
    Ventilator,
    Water,
    contradictions,
)
from streamer.files.bundled import ROOTS
from streamer.files.toml import Document
from streamer.model.errors import ConfigError

PATIENTS = "patient"
"""Key of the patients of a cohort."""
TABLES = tuple(name for name in Segment.__struct_fields__ if name != "at_s")


class Change(Segment, frozen=True, kw_only=True):
    """Table ``[[change]]``: what differs from the segment before it."""

    at_s: Second


class File(Course, frozen=True, kw_only=True):
    """A scenario file."""

    lung: Lung = Lung()
    ventilator: Ventilator = Ventilator()
    circuit: Circuit = Circuit()
    sensor: Sensor = Sensor()
    capnogram: Capnogram | None = None
    gas_exchange: GasExchange | None = None
    rebreathing: Rebreathing | None = None
    cardiogenic: Cardiogenic | None = None
    second_compartment: SecondCompartment | None = None
    relaxation: Relaxation | None = None
    tube: Tube | None = None
    valve: Valve | None = None
    assist: Assist | None = None
    ringing: Ringing | None = None
    water: Water | None = None
    nebuliser: Nebuliser | None = None
    paw_sensor: Transducer | None = None
    flow_sensor: Transducer | None = None
    pco2_sensor: Transducer | None = None
    change: tuple[Change, ...] = ()


def load(path: Path) -> Scenario:
    """Read a scenario file. Raises ``ConfigError``, one line naming file and line."""
    document = Document.open(path)
    if PATIENTS in document.tree:
        remedy = "ventstream simulate writes the recordings of its patients into a folder"
        raise ConfigError(f"{path}: is a cohort, here one patient is asked for; {remedy}")
    document.read(File)
    return scenario_of(document.tree, document.error)


def scenario_of(tree: Mapping[str, Any], error: Callable[[Place, str], ConfigError]) -> Scenario:
    """What a tree that fits ``File`` describes; ``error`` makes one of a contradiction and its place in the tree."""
    file = msgspec.convert(tree, File, builtin_types=(datetime, date, time))
    tables: dict[str, Any] = {name: tree[name] for name in TABLES if name in tree}
    segments = [msgspec.convert(tables, Segment)]
    for change in tree.get("change", ()):
        tables |= {name: {**tables.get(name, {}), **change[name]} for name in TABLES if name in change}
        segments.append(msgspec.convert({**tables, "at_s": change["at_s"]}, Segment))
    for at, problem in contradictions(file, tuple(segments)):
        raise error(at, problem)
    common = {name: getattr(file, name) for name in Course.__struct_fields__}
    return Scenario(**common, segments=tuple(segments))


def bundled_scenarios() -> dict[str, Path]:
    """The scenarios that come with ventstream, by name."""
    folders = [root / "replay_data" / "scenarios" for root in ROOTS]
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.toml"))}


def load_scenario(scenario: str | Path) -> Scenario:
    """Read a scenario.

    Args:
        scenario: The path of a TOML file or, without a suffix, the name of a bundled scenario.

    Raises:
        ConfigError: There is no such scenario, or it is faulty; the message names the line.

    Examples:
        >>> load_scenario("vcv_hold").rate_hz
        50.0
    """
    return load(find_scenario(scenario))


def find_scenario(scenario: str | Path) -> Path:
    """The file that is meant. Raises ``ConfigError``."""
    path = Path(scenario)
    if path.suffix or path.exists():
        return path
    known = bundled_scenarios()
    if path.name not in known:
        names = ", ".join(known) or "none"
        raise ConfigError(f"{scenario}: no scenario of this name; bundled: {names}; or give a .toml file")
    return known[path.name]
