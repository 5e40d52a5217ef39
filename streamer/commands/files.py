"""``simulate``, ``convert`` and ``check``: recordings and configurations as files. Floor 4."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from streamer.chunk import Channel, Chunk
from streamer.commands.examine import Job, examine
from streamer.commands.findings import GAPS, Extent, Findings
from streamer.commands.plans import open_recorded, plans_of
from streamer.commands.recordings import open_recording
from streamer.config import load_config
from streamer.connection import EMBEDDED
from streamer.context import Sidecar
from streamer.errors import ConfigError
from streamer.output import Output, say
from streamer.records import Notice, NoticeKind
from streamer.sidecar import read_sidecar
from streamer.toml import Document

MAX_LISTED = 10
TOLD = GAPS | {
    NoticeKind.DAMAGED,
    NoticeKind.DROPPED,
    NoticeKind.IMPLAUSIBLE,
    NoticeKind.CLOCK_OFFSET,
    NoticeKind.NOTE,
}
UNITS = {Channel.FLOW: "L/s", Channel.PAW: "cmH2O", Channel.PCO2: "mmHg"}
"""Of what every reader gives; a file may have had others."""
PLACES = ("path", "scenario", "port", "url")
"""Options that say where a source is."""


def simulate(scenario: str, out: Path, truth: Path | None) -> int:
    """Write a recording from the lung simulator, and what is true of it; the exit status."""
    simulator: Any = importlib.import_module("adapters.simulator")
    simulation = simulator.simulate(simulator.load_scenario(scenario))
    rows = _write(out, simulation.chunks(), simulation.sidecar, decimals=simulator.DECIMALS)
    if truth is not None:
        with Output(str(truth)) as output:
            output.write(msgspec.json.format(msgspec.json.encode(simulation.truth), indent=1) + b"\n")
    say(f"{out}: {rows} samples")
    return 0


def convert(path: Path, out: Path, *, format_name: str | None, rate_hz: float | None, context: Path | None) -> int:
    """Write any readable recording as a canonical one; the exit status."""
    if out.resolve() == path.resolve():
        raise ConfigError(f"{out}: is the recording itself; name another file")
    recording = open_recording(path, format_name=format_name, rate_hz=rate_hz, context=context)
    sources: list[str] = []
    rows = _write(out, _of_source(recording.items(), sources, 0), recording.sidecar)
    damage = f", {recording.damaged_rows} damaged rows left as missing samples" if recording.damaged_rows else ""
    say(f"{out}: {rows} samples from {path} ({recording.format}){damage}")
    for n, source in enumerate(sources[1:], start=1):
        beside = out.with_name(f"{out.stem}.{re.sub(r'[^A-Za-z0-9_-]+', '-', source)}{out.suffix}")
        rows = _write(beside, _of_source(recording.items(), sources, n), recording.sidecar)
        say(f"{beside}: {rows} samples of {source}, which has a rate of its own")
    return 0


def _of_source(items: Iterable[Chunk | Notice], sources: list[str], which: int) -> Iterator[Chunk | Notice]:
    """What one source of a recording gave; ``sources`` are named as they come."""
    for item in items:
        if isinstance(item, Chunk):
            if item.source not in sources:
                sources.append(item.source)
            if item.source != sources[which]:
                continue
        yield item


def _write(out: Path, items: Any, sidecar: Any, **options: Any) -> int:
    canonical: Any = importlib.import_module("adapters.canonical")
    return int(canonical.write_recording(out, items, sidecar, **options))


def check(path: Path, *, format_name: str | None, rate_hz: float | None, context: Path | None) -> int:
    """Explain a configuration or a recording, or say what is wrong with it; the exit status."""
    if path.suffix.lower() == ".toml":
        if set(Document.open(path).tree) & set(Sidecar.__struct_fields__):
            read_sidecar(path)
            say(f"{path}: a sidecar or context file, correct")
        else:
            _check_config(path)
        return 0
    return _check_recording(Job(path=path, format_name=format_name, rate_hz=rate_hz, context=context))


def _check_config(path: Path) -> None:
    config = load_config(path)
    broker = f"inside, on {config.embedded.host}:{config.embedded.port}"
    say(f"{path}: a configuration, correct")
    say(f"  broker   {broker if config.broker.url == EMBEDDED else config.broker.url}")
    say(f"  topics   {config.wire.prefix}/<bed>/…")
    for plan in plans_of(config):
        for n, source in enumerate(plan.sources):
            speed = "live" if source.speed is None else f"speed {source.speed:g}"
            place = next((getattr(source.options, name) for name in PLACES if hasattr(source.options, name)), "")
            bed = f"bed {plan.bed}:" if n == 0 else " " * len(f"bed {plan.bed}") + "+"
            say(f"  {bed} {source.adapter} {place} ({plan.source}, {speed})")
            if source.adapter == "recording":
                say(f"    recognised as {open_recorded(source.options).format}")
    if config.record.folder:
        say(f"  recorded in {os.path.normpath(config.record.folder)}")


def _check_recording(job: Job) -> int:
    notices: list[Notice] = []
    found = examine(job, on_notice=notices.append)
    if not found.samples:
        raise found.error or ConfigError(f"{job.path}: no samples")
    for name, text in _described(found):
        say(f"{name:9} {text}")
    for notice in notices:
        if notice.kind is NoticeKind.SUSPICION:
            say(f"{'suspicion':9} {notice.detail}")
    listed = [notice for notice in notices if notice.kind in TOLD]
    for notice in listed[:MAX_LISTED]:
        say(f"  {notice.at_s:.2f} s  {notice.kind}: {notice.detail}")
    if len(listed) > MAX_LISTED:
        say(f"  … and {len(listed) - MAX_LISTED} more")
    if found.error is not None:
        raise found.error
    return 0


def _described(found: Findings) -> list[tuple[str, str]]:
    return [
        ("recording", found.name),
        ("format", found.format),
        ("rate", f"{found.rate} Hz"),
        *((str(channel), _extent(channel, extent)) for channel, extent in sorted(found.channels.items())),
        ("duration", f"{found.duration_s:.1f} s, {found.samples} samples"),
        ("breaths", str(found.breaths)),
        ("gaps", str(found.gaps)),
        ("damaged", f"{found.damaged_rows} rows"),
    ]


def _extent(channel: Channel, extent: Extent) -> str:
    """``-0.912 to 1.04 L/s, 0.3 % missing``."""
    if extent.missing == extent.samples:
        return "all samples missing"
    missing = f", {100 * extent.missing / extent.samples:.2g} % missing" if extent.missing else ""
    return f"{extent.low:.3g} to {extent.high:.3g} {UNITS[channel]}{missing}"
