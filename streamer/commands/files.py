"""``convert`` and ``check``: recordings and configurations as files. Floor 4."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from streamer.chunk import Channel, Chunk
from streamer.commands.examine import Job, examine
from streamer.commands.findings import GAPS, Extent, Findings
from streamer.commands.plans import open_recorded, plans_of
from streamer.commands.recordings import open_recording
from streamer.config import load_config
from streamer.connection import EMBEDDED
from streamer.context import Sidecar
from streamer.errors import ConfigError
from streamer.output import say
from streamer.records import Notice, NoticeKind
from streamer.sidecar import read_sidecar
from streamer.study.files import read_study
from streamer.study.placing import jobs_of
from streamer.study.points import labels
from streamer.toml import Document
from streamer.units import S_PER_MIN

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


class Written(NamedTuple):
    """A file, how many samples it has, and of which source; empty for the first."""

    path: Path
    rows: int
    source: str


def convert(path: Path, out: Path, *, format_name: str | None, rate_hz: float | None, context: Path | None) -> int:
    """Write any readable recording as a canonical one; the exit status."""
    if out.resolve() == path.resolve():
        raise ConfigError(f"{out}: is the recording itself; name another file")
    recording = open_recording(path, format_name=format_name, rate_hz=rate_hz, context=context)
    written = write(out, recording.items, recording.sidecar)
    damage = f", {recording.damaged_rows} damaged rows left as missing samples" if recording.damaged_rows else ""
    say(f"{out}: {written[0].rows} samples from {path} ({recording.format}){damage}")
    say_others(written)
    return 0


def write(out: Path, items: Callable[[], Iterable[Chunk | Notice]], sidecar: Sidecar, **options: Any) -> list[Written]:
    """A file for each source, since a file has one rate; ``items`` gives the same each time."""
    canonical: Any = importlib.import_module("adapters.canonical")
    sources: list[str] = []
    written = [Written(out, canonical.write_recording(out, _of_source(items(), sources, 0), sidecar, **options), "")]
    for n, source in enumerate(sources[1:], start=1):
        beside = out.with_name(f"{out.stem}.{re.sub(r'[^A-Za-z0-9_-]+', '-', source)}{out.suffix}")
        rows = canonical.write_recording(beside, _of_source(items(), sources, n), sidecar, **options)
        written.append(Written(beside, rows, source))
    return written


def say_others(written: Sequence[Written]) -> None:
    """Name the files beside the first."""
    for one in written[1:]:
        say(f"{one.path}: {one.rows} samples of {one.source}, which has a rate of its own")


def _of_source(items: Iterable[Chunk | Notice], sources: list[str], which: int) -> Iterator[Chunk | Notice]:
    """What one source of a recording gave; ``sources`` are named as they come."""
    for item in items:
        if isinstance(item, Chunk):
            if item.source not in sources:
                sources.append(item.source)
            if item.source != sources[which]:
                continue
        yield item


def check(path: Path, *, format_name: str | None, rate_hz: float | None, context: Path | None) -> int:
    """Explain a configuration or a recording, or say what is wrong with it; the exit status."""
    if path.suffix.lower() == ".toml":
        tree = Document.open(path).tree
        if "sessions" in tree or isinstance(tree.get("recording"), list):
            _check_study(path)
        elif set(tree) & set(Sidecar.__struct_fields__):
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


def _check_study(path: Path) -> None:
    """Every session file and the beginning of every recording; what is beyond that is known once it was read."""
    study = read_study(path)
    plans = [jobs_of(session, S_PER_MIN * study.points.settle_min) for session in study.sessions]
    say(f"{path}: a study, correct")
    for session, plan in zip(study.sessions, plans, strict=True):
        told = f"{len(session.told.event)} events, {len(session.told.blood_gas)} blood gases"
        say(f"  session {session.label}: {told}")
        for job in plan:
            found = open_recording(job.path, format_name=job.format_name, context=job.context)
            began = found.sidecar.recording.start_utc
            say(f"    {job.path} ({found.format}{f', from {began.isoformat()}' if began else ''})")
    for point in labels(study.points):
        say(f"  {point.label}: {point.meaning}")


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
