"""``check``: recordings, folders, configurations, studies explained, or what is wrong with them.

What a command would refuse later, and what it would doubt, is found here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adapters.recordings.open import open_recording
from streamer.analysis.recording_summary import GAPS, RecordingSummary
from streamer.analysis.recordings import expand, say_skipped
from streamer.analysis.run_recording import Job, examine
from streamer.cli.commands.check_config import check_config
from streamer.cli.commands.report import has_pictures, measured
from streamer.cli.commands.warm_up import compile_once
from streamer.cli.doubt_lines import listed, status_of
from streamer.cli.progress import Bar
from streamer.files.output import say, warn
from streamer.files.sidecar import read_sidecar
from streamer.files.toml import Document
from streamer.model.chunk import Channel
from streamer.model.doubts import DoubtList
from streamer.model.errors import ConfigError, DataError
from streamer.model.records import Notice, NoticeKind
from streamer.study import read_study
from streamer.study.points import labels

MAX_LISTED = 10
MAX_DOUBTS = 20
TOLD = GAPS | {
    NoticeKind.DAMAGED,
    NoticeKind.DROPPED,
    NoticeKind.IMPLAUSIBLE,
    NoticeKind.CLOCK_OFFSET,
}
"""Of these, when they were; a note has no time and stands among the doubts."""
UNITS = {Channel.FLOW: "L/s", Channel.PAW: "cmH2O", Channel.PCO2: "mmHg"}
"""Of what every reader gives, where a file has no other."""


def check(
    paths: Sequence[Path],
    *,
    format_name: str | None,
    rate_hz: float | None,
    context: Path | None,
    strict: bool = False,
) -> int:
    """Explain configurations and recordings, or say what is wrong with them; the exit status.

    Of one, an error is raised; of several, each error is one line, and the others are still looked at.
    """
    found, skipped = expand(paths)
    say_skipped(skipped)
    doubts: list[DoubtList] = []
    status = 0
    for number, path in enumerate(found):
        if number:
            say("")
        try:
            job = Job(path=path, format_name=format_name, rate_hz=rate_hz, context=context)
            doubts.append(_check_toml(path) if path.suffix.lower() == ".toml" else _check_recording(job))
        except (ConfigError, DataError) as error:
            if len(found) == 1:
                raise
            warn(str(error))
            status = max(status, 2 if isinstance(error, ConfigError) else 1)
    return status_of(status, doubts, strict=strict)


def _check_toml(path: Path) -> DoubtList:
    tree = Document.open(path).tree
    if "sessions" in tree or isinstance(tree.get("recording"), list):
        return _check_study(path)
    if set(tree) & {"recording", "context", "event", "blood_gas"}:
        read_sidecar(path)
        say(f"{path}: a sidecar or context file, correct")
    else:
        return check_config(path)
    return DoubtList()


def _check_study(path: Path) -> DoubtList:
    """Every patient file and every recording, read as ``report`` reads them: what it would refuse is refused here."""
    study = read_study(path)
    results = measured(study, None)
    say(f"{path}: a study, correct")
    for session in study.sessions:
        events, gases = len(session.told.event), len(session.told.blood_gas)
        told = f"{events} event{'s' * (events != 1)}, {gases} blood gas{'es' * (gases != 1)}"
        say(f"  session {session.label}: {told}")
        own = results.recordings[results.recordings["patient"] == session.label]
        for recorded, row in zip(session.recordings, own.to_dict("records"), strict=True):
            began = f", from {row['start']}" if row["start"] else ""
            say(f"    {recorded.path} ({row['format']}{began}, {row['duration_h']:.2f} h, {row['breaths']} breaths)")
    for point in labels(study.points):
        say(f"  {point.label}: {point.meaning}")
    if not has_pictures():
        say("  matplotlib is not installed: no pages or pictures, tables only; pip install 'ventstream[plot]'")
    doubts = DoubtList()
    for one in results.doubts:
        doubts.add(one.doubt)
    for note in results.notes[:MAX_DOUBTS]:
        warn(note)
    if len(results.notes) > MAX_DOUBTS:
        warn(f"… and {len(results.notes) - MAX_DOUBTS} more")
    return doubts


def _check_recording(job: Job) -> DoubtList:
    notices: list[Notice] = []
    open_recording(job.path, format_name=job.format_name, rate_hz=job.rate_hz, context=job.context)  # said at once
    compile_once()
    with Bar("reading") as bar:
        found = examine(job, on_notice=notices.append, on_progress=bar.reached)
    if not found.samples:
        raise found.error or ConfigError(f"{job.path}: no samples")
    for name, text in _described(found):
        say(f"{name:9} {text}")
    for text in listed(found.doubts, MAX_DOUBTS):
        say(f"doubt     {text}")
    _say_notices([notice for notice in notices if notice.kind in TOLD])
    if found.error is not None:
        raise found.error
    return found.doubts


def _say_notices(told: Sequence[Notice]) -> None:
    """When in the recording what was."""
    for notice in told[:MAX_LISTED]:
        say(f"  {notice.at_s:.2f} s  {notice.kind}: {notice.detail}")
    if len(told) > MAX_LISTED:
        say(f"  … and {len(told) - MAX_LISTED} more")


def _described(found: RecordingSummary) -> list[tuple[str, str]]:
    return [
        ("recording", found.name),
        ("format", found.format),
        ("rate", f"{found.rate} Hz"),
        *((str(channel), _extent(found, channel)) for channel in sorted(found.channels)),
        ("duration", f"{found.duration_s:.1f} s, {found.samples} samples"),
        ("breaths", str(found.breaths)),
        ("gaps", str(found.gaps)),
        ("damaged", f"{found.doubts.damaged_rows} rows"),
        ("dropped", f"{found.doubts.dropped_rows} rows"),
    ]


def _extent(found: RecordingSummary, channel: Channel) -> str:
    """``-54.7 to 62.4 L/min, 0.3 % missing``: in the file's own unit."""
    extent = found.channels[channel]
    unit, multiplier, divisor = found.units.get(channel, (UNITS[channel], 1.0, 1.0))
    low, high = (value * divisor / multiplier for value in (extent.low, extent.high))
    if extent.missing == extent.samples:
        return "all samples missing"
    missing = f", {100 * extent.missing / extent.samples:.2g} % missing" if extent.missing else ""
    return f"{low:.3g} to {high:.3g} {unit}{missing}"
