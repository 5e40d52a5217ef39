"""``check`` of a configuration: what each bed reads from, and whether that is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from streamer.cli.bed_plans import open_recorded, plans_of
from streamer.files.credentials import read_secrets
from streamer.files.output import say
from streamer.model.chunk import Chunk
from streamer.model.context import Sidecar
from streamer.model.doubts import Doubt, DoubtList, never_reached
from streamer.model.errors import ConfigError, DataError
from streamer.service import BedPlan, SourcePlan
from streamer.service.config import Config, load_config
from streamer.service.settings import EMBEDDED

PLACES = ("path", "scenario", "port", "url")
"""Options that say where a source is."""


def check_config(path: Path) -> DoubtList:
    """Explain a configuration; what is doubtful about its beds' events and gases.

    Raises:
        ConfigError: It cannot be used as it is written, or not with what is installed.
        DataError: A recording cannot be read, or a device is not there.
    """
    config = load_config(path)
    plans = plans_of(config)
    if config.broker.url != EMBEDDED:
        read_secrets(config.broker)
    broker = f"inside, on {config.embedded.host}:{config.embedded.port}"
    lines = [
        f"  broker   {broker if config.broker.url == EMBEDDED else config.broker.url}",
        f"  topics   {config.wire.prefix}/<bed>/…",
        *(line for plan in plans for line in _bed_lines(plan)),
        *_record_lines(config),
    ]
    say(f"{path}: a configuration, correct")
    for line in lines:
        say(line)
    doubts = DoubtList()
    for plan in plans:
        for doubt in _outside(plan):
            say(f"  doubt    bed {plan.bed}: {doubt}")
            doubts.add(doubt)
    return doubts


def _bed_lines(plan: BedPlan) -> Iterator[str]:
    for n, source in enumerate(plan.sources):
        speed = "live" if source.speed is None else f"speed {source.speed:g}"
        place = next((getattr(source.options, name) for name in PLACES if hasattr(source.options, name)), "")
        bed = f"bed {plan.bed}:" if n == 0 else " " * len(f"bed {plan.bed}") + "+"
        yield f"  {bed} {source.adapter} {place} ({plan.source}, {speed})"
        if source.adapter == "recording":
            yield f"    recognised as {_readable(plan.bed, source)}"
        _check_port(plan, source)


def _readable(bed: str, source: SourcePlan) -> str:
    """Format of a recording whose first samples can be read, with what is installed.

    Raises:
        DataError: They cannot; it names the bed.
        ConfigError: Something is not installed, or its sidecar is wrong.
    """
    try:
        recording = open_recorded(source.options)
        next((item for item in recording.items() if isinstance(item, Chunk) and len(item)), None)
    except DataError as error:
        raise DataError(f"bed {bed}: {error}") from None
    return recording.format


def _check_port(plan: BedPlan, source: SourcePlan) -> None:
    """A serial port that is there, and what it takes to open it. Raises ``ConfigError``, ``DataError``."""
    port = str(getattr(source.options, "port", ""))
    if not port or "://" in port:
        return
    where = f"bed {plan.bed}: serial port {port}"
    if find_spec("serialx") is None:
        raise ConfigError(f"{where} needs ventstream[serial]: pip install 'ventstream[serial]'")
    if os.name == "posix" and not Path(port).exists():
        raise DataError(f"{where}: there is no such device on this machine; plug it in, or correct port")


def _record_lines(config: Config) -> Iterator[str]:
    if not config.record.folder:
        return
    folder = Path(os.path.normpath(config.record.folder))
    existing = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise DataError(f"[record] folder {folder}: {existing} cannot be written; choose another folder")
    yield f"  recorded in {folder}"


def _outside(plan: BedPlan) -> Iterator[Doubt]:
    """Events and gases of a bed after the end of its recording."""
    first = plan.sources[0]
    if first.adapter == "recording" and (plan.events or plan.blood_gases):
        ends = (c.start_s + len(c) / c.rate_hz for c in open_recorded(first.options).items() if isinstance(c, Chunk))
        yield from never_reached(
            Sidecar(event=tuple(plan.events), blood_gas=tuple(plan.blood_gases)), max(ends, default=0.0)
        )
