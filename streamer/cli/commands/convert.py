"""``convert``: any readable recording as a canonical one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from adapters.recordings.canonical import write_recording
from adapters.recordings.open import open_recording
from streamer.analysis.run_recording import Job, examine
from streamer.cli.commands.warm_up import compile_once
from streamer.cli.doubt_lines import say_doubts, status_of
from streamer.cli.progress import Bar
from streamer.core.align import inward
from streamer.files.output import real, say
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import Sidecar
from streamer.model.doubts import written as as_texts
from streamer.model.errors import ConfigError
from streamer.model.records import Notice


class Written(NamedTuple):
    """A file, how many samples it has, and of which source; empty for the first."""

    path: Path
    rows: int
    source: str


def convert(
    path: Path, out: Path, *, format_name: str | None, rate_hz: float | None, context: Path | None, strict: bool = False
) -> int:
    """Write any readable recording as a canonical one, which keeps what is doubtful about this one; the exit status."""
    if real(out) == real(path):
        raise ConfigError(f"{out}: is the recording itself; name another file")
    job = Job(path=path, format_name=format_name, rate_hz=rate_hz, context=context)
    recording = open_recording(path, format_name=format_name, rate_hz=rate_hz, context=context)
    compile_once()
    with Bar("reading") as bar:
        found = examine(job, on_progress=bar.reached)
    stated = msgspec.structs.replace(recording.sidecar.recording, doubts=as_texts(found.doubts))
    with Bar("writing"):
        written = write(out, recording.items, msgspec.structs.replace(recording.sidecar, recording=stated))
    damage = f", {recording.damaged_rows} damaged rows left as missing samples" if recording.damaged_rows else ""
    say(f"{out}: {written[0].rows} samples from {path} ({recording.format}){damage}")
    say_others(written)
    say_doubts([found])
    return status_of(0, [found.doubts], strict=strict)


def write(out: Path, items: Callable[[], Iterable[Chunk | Notice]], sidecar: Sidecar, **options: Any) -> list[Written]:
    """A file for each source, since a file has one rate; ``items`` gives the same each time. Flow goes in positive."""
    sources, context = _main_first(items()), sidecar.context
    known = msgspec.structs.replace(sidecar, context=msgspec.structs.replace(context, flow_sign=None))

    def rows_of(path: Path, which: int) -> int:
        found = _of_source(items(), sources, which)
        turned = (inward(item, context) if isinstance(item, Chunk) else item for item in found)
        return write_recording(path, turned, known, **options)

    written = [Written(out, rows_of(out, 0), "")]
    for n, source in enumerate(sources[1:], start=1):
        beside = out.with_name(f"{out.stem}.{re.sub(r'[^A-Za-z0-9_-]+', '-', source)}{out.suffix}")
        rows = rows_of(beside, n)
        written.append(Written(beside, rows, source))
    return written


def say_others(written: Sequence[Written]) -> None:
    """Name the files beside the first."""
    for one in written[1:]:
        say(f"{one.path}: {one.rows} samples of {one.source}, which has a rate of its own")


def _main_first(items: Iterable[Chunk | Notice]) -> list[str]:
    """The sources of a recording, the one of flow first: its file has the name that was asked for."""
    found: dict[str, bool] = {}
    for item in items:
        if isinstance(item, Chunk):
            found[item.source] = found.get(item.source, False) or Channel.FLOW in item.channels
    return sorted(found, key=lambda source: not found[source])


def _of_source(items: Iterable[Chunk | Notice], sources: Sequence[str], which: int) -> Iterator[Chunk | Notice]:
    """What one source of a recording gave."""
    for item in items:
        if not isinstance(item, Chunk) or item.source == sources[which]:
            yield item
