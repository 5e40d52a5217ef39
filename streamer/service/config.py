"""A configuration file → frozen settings. Floor 3, pure but for reading the file and importing the adapters it names.

Each table is the settings dataclass of one module, so a default stands in one place; ``config/default.toml`` shows them
all and a test keeps it equal. Unknown keys are errors that name their line. Relative paths start at the file's folder.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from streamer.core.align import AlignSettings
from streamer.core.bed import CoreSettings
from streamer.core.rolling import RollingSettings
from streamer.core.segment import SegmentSettings
from streamer.files.sidecar import read_sidecar, refuse_untold
from streamer.files.toml import Document
from streamer.model.context import BloodGas, Context, SessionEvent, Sidecar
from streamer.model.errors import ConfigError
from streamer.model.validation_errors import out_of_range
from streamer.service.plugins import find_adapter
from streamer.service.publish.outputs import find_output
from streamer.service.settings import BrokerSettings, RecordSettings, RunSettings
from streamer.wire import WireSettings, check_bed_id
from streamer.wire.outbox import OutboxSettings

T = TypeVar("T")
REPLAYED = {"recording": "recorded", "simulator": "simulated"}
"""Adapters whose samples are not from a patient at this moment, and what their payloads say of them."""
RESERVED = ("adapter", "speed", "clock_offset_s")
"""Keys of a source that are the runner's, not the adapter's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """Table ``[embedded]``: the broker inside, used when ``[broker] url`` is ``embedded``.

    Attributes:
        host: Interface to listen on. It asks nobody for a password: leave it on loopback unless the network is yours.
        port: MQTT 3.1.1; 0 for any free one.
        mqtt5_port: MQTT 5; 0 for none.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    mqtt5_port: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535 or not 0 <= self.mqtt5_port <= 65_535:  # noqa: PLR2004 (a port has 16 bits)
            raise ConfigError("a port is a number from 0 to 65535")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """One source of a bed.

    Attributes:
        adapter: The name that was configured.
        options: An instance of the adapter's ``Settings``.
        kind: ``live``, ``recorded`` or ``simulated``.
        speed: 1 for recorded timing, ``math.inf`` for none, None for a live source.
        clock_offset_s: Seconds from its device time to that of the bed's first source; None: not said.
    """

    adapter: str
    options: Any
    kind: Literal["live", "recorded", "simulated"]
    speed: float | None
    clock_offset_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BedConfig:
    """One bed: a label, its sources, and what the operator knows.

    ``context_keys`` are the keys of ``context`` that were written down; a recording's sidecar fills in the others.
    """

    id: str
    sources: tuple[SourceConfig, ...]
    context: Context
    context_keys: frozenset[str]
    events: tuple[SessionEvent, ...]
    blood_gases: tuple[BloodGas, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig:
    """One output besides MQTT.

    Attributes:
        kind: The name that was configured.
        options: An instance of the kind's settings.
    """

    kind: str
    options: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole configuration, checked."""

    name: str
    beds: tuple[BedConfig, ...]
    broker: BrokerSettings
    embedded: EmbeddedSettings
    wire: WireSettings
    outbox: OutboxSettings
    run: RunSettings
    record: RecordSettings
    core: CoreSettings
    outputs: tuple[OutputConfig, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Bed:
    id: str
    sources: tuple[dict[str, Any], ...]
    context: Context = field(default_factory=Context)
    context_file: Path | None = None
    event: tuple[SessionEvent, ...] = ()
    blood_gas: tuple[BloodGas, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _File:
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    embedded: EmbeddedSettings = field(default_factory=EmbeddedSettings)
    wire: WireSettings = field(default_factory=WireSettings)
    outbox: OutboxSettings = field(default_factory=OutboxSettings)
    run: RunSettings = field(default_factory=RunSettings)
    record: RecordSettings = field(default_factory=RecordSettings)
    align: AlignSettings = field(default_factory=AlignSettings)
    segment: SegmentSettings = field(default_factory=SegmentSettings)
    summaries: RollingSettings = field(default_factory=RollingSettings)
    output: tuple[dict[str, Any], ...] = ()
    bed: tuple[_Bed, ...] = ()


def load_config(path: Path) -> Config:
    """Read and check a configuration; adapters are imported, nothing is opened.

    Raises:
        ConfigError: One line that names the file, the line and the remedy.
    """
    document, folder = Document.open(path), path.parent
    file = document.read(_File)
    for table in ("align", "segment"):
        _refuse_negative(document, table)
    beds = [_bed(document, index, bed, folder) for index, bed in enumerate(file.bed)]
    for index, bed in enumerate(beds):
        if bed.id in {other.id for other in beds[:index]}:
            raise document.error(("bed", index, "id"), "another bed has this id")
    return Config(
        name=str(path),
        beds=tuple(beds),
        broker=_anchored(file.broker, folder),
        embedded=file.embedded,
        wire=file.wire,
        outbox=file.outbox,
        run=file.run,
        record=file.record
        if not file.record.folder
        else dataclasses.replace(file.record, folder=str(folder / file.record.folder)),
        core=CoreSettings(align=file.align, segment=file.segment, rolling=file.summaries),
        outputs=tuple(_output(document, ("output", index), folder) for index in range(len(file.output))),
    )


def _refuse_negative(document: Document, table: str) -> None:
    """Of thresholds that cannot be so, the line."""
    for key, found in document.tree.get(table, {}).items():
        if problem := out_of_range(key, found):
            raise document.error((table, key), problem)


def _bed(document: Document, index: int, bed: _Bed, folder: Path) -> BedConfig:
    at = ("bed", index)
    try:
        check_bed_id(bed.id)
    except ConfigError as error:
        problem = str(error).removeprefix(f"bed id {bed.id!r}").removeprefix(":").strip()
        raise document.error((*at, "id"), problem) from None
    if not bed.sources:
        raise document.error((*at, "sources"), "expected a source at least")
    known = read_sidecar(folder / bed.context_file) if bed.context_file else Sidecar()
    refuse_untold(document, at, bed)
    sources = tuple(_source(document, (*at, "sources", n), folder) for n in range(len(bed.sources)))
    if len({source.speed for source in sources}) > 1:
        raise document.error((*at, "sources"), "a bed's sources must be all live, or all played at one speed")
    own = frozenset(document.value(at).get("context", ()))
    return BedConfig(
        id=bed.id,
        sources=sources,
        context=merged(known.context, bed.context, own),
        context_keys=own | _stated(known.context),
        events=(*known.event, *bed.event),
        blood_gases=(*known.blood_gas, *bed.blood_gas),
    )


def merged(below: Context, above: Context, keys: frozenset[str]) -> Context:
    """A context in which ``keys`` come from ``above`` and the rest from ``below``."""
    return msgspec.structs.replace(below, **{key: getattr(above, key) for key in keys})


def _stated(context: Context) -> frozenset[str]:
    return frozenset(key for key in context.__struct_fields__ if getattr(context, key) != getattr(Context(), key))


def _output(document: Document, at: tuple[str | int, ...], folder: Path) -> OutputConfig:
    table: dict[str, Any] = document.value(at)
    kind = table.pop("kind", None)
    if not isinstance(kind, str):
        raise document.error(at, 'name the kind of output: kind = "json_lines"')
    try:
        settings = find_output(kind).settings
    except ConfigError as error:
        raise document.error(at, str(error)) from None
    return OutputConfig(kind=kind, options=_anchored(document.read(settings, at), folder))


def _source(document: Document, at: tuple[str | int, ...], folder: Path) -> SourceConfig:
    table: dict[str, Any] = document.value(at)
    name = table.get("adapter")
    if not isinstance(name, str):
        raise document.error((*at, "adapter") if name is not None else at, 'name the adapter: adapter = "recording"')
    try:
        module = find_adapter(name)
    except ConfigError as error:
        raise document.error((*at, "adapter"), str(error)) from None
    speed = _speed(document, at, table.get("speed"), name)
    offset_s = table.get("clock_offset_s")
    if offset_s is not None and (type(offset_s) not in {int, float} or not math.isfinite(offset_s)):
        raise document.error((*at, "clock_offset_s"), "expected seconds, to add to its clock")
    for key in RESERVED:
        table.pop(key, None)
    options = _anchored(document.read(module.Settings, at), folder)
    kind = REPLAYED.get(name, "live" if speed is None else "recorded")
    return SourceConfig(adapter=name, options=options, kind=kind, speed=speed, clock_offset_s=offset_s)  # type: ignore[arg-type]


def _speed(document: Document, at: tuple[str | int, ...], found: object, adapter: str) -> float | None:
    if found is None:
        return 1.0 if adapter in REPLAYED else None
    if found == "max":
        return math.inf
    if isinstance(found, int | float) and not isinstance(found, bool) and found > 0:
        return float(found)
    raise document.error((*at, "speed"), 'expected a number above 0, or "max"')


def _anchored(settings: T, folder: Path) -> T:
    """The settings with each relative path, and each text named ``…_file``, starting at ``folder``."""
    changes: dict[str, Any] = {}
    for option in dataclasses.fields(settings):  # type: ignore[arg-type]
        found = getattr(settings, option.name)
        is_name = (
            isinstance(found, Path) and len(found.parts) == 1 and not found.suffix
        )  # of something bundled, perhaps
        if isinstance(found, Path) and not (is_name and not (folder / found).exists()):
            changes[option.name] = folder / found
        elif isinstance(found, str) and found and option.name.endswith("_file"):
            changes[option.name] = str(folder / found)
    return dataclasses.replace(settings, **changes) if changes else settings  # type: ignore[type-var]
