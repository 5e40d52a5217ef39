"""What recordings made by others come to: share of breaths with an estimate, and why the others have none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from adapters.recordings.open import open_recording
from streamer.core.bed import Bed
from streamer.model.context import Context
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord
from tests.support.streams import RECORDINGS, pb840
from tests.tools.segmentation_table import labels_of, mode_of

BENCH = {1: 50.0, 2: 50.0, 3: 20.0, 5: 20.0, 7: 10.0}
"""RespiraWorks on a QuickLung: number of the test → nominal compliance, mL/cmH2O."""


def measured(path: Path, *, asserted: bool = False) -> list[BreathRecord]:
    """Complete breaths of a recording."""
    bed = Bed("trust", context=Context(passive="asserted" if asserted else None))
    events = [event for item in open_recording(path).items() for event in bed.push(item)] + bed.close()
    return [event for event in events if isinstance(event, BreathRecord) and Flag.TRUNCATED not in event.flags]


def bench(number: int) -> list[BreathRecord]:
    """A test of the bench; a test lung does not breathe."""
    return measured(RECORDINGS / f"respiraworks-quicklung/covent_pc_{number}.dat", asserted=True)


def servo_u() -> dict[str, list[BreathRecord]]:
    """The ventilator on an artificial lung."""
    files = sorted(RECORDINGS.glob("getinge-servo-u/17*.txt"))
    return {path.stem[-4:]: measured(path, asserted=True) for path in files}


@dataclass
class Share:
    """Breaths of one recording and mode."""

    breaths: list[BreathRecord] = field(default_factory=list)

    @property
    def given(self) -> list[float]:
        return [record.values["crs_est"] for record in self.breaths if "crs_est" in record.values]

    @property
    def reasons(self) -> Counter[str]:
        return Counter(str(record.missing["crs_est"]) for record in self.breaths if "crs_est" in record.missing)


def patients() -> dict[tuple[str, str], Share]:
    """(recording, mode that clinicians gave) → breaths; nothing is known of their passivity."""
    found: dict[tuple[str, str], Share] = defaultdict(Share)
    for path in sorted(RECORDINGS.glob("pb840-ventmode/raw_*")):
        capture = pb840(path)
        modes = [mode_of(label) for label in labels_of(path, capture.numbers)]
        for record in measured(path):
            mark = int(np.abs(capture.marks_s - record.start_s).argmin())
            found[path.name[4:8], modes[mark]].breaths.append(record)
    for name in ("0149", "jimmy", "ards"):
        for path in sorted(RECORDINGS.glob(f"pb840-ventmap/{name}*test")):
            if "meta" not in path.name:
                found[name, "?"].breaths += measured(path)
    return dict(found)


def table() -> Iterator[str]:
    yield "| recording | mode | breaths | crs_est given | its median [range] | crs of holds | withheld because |"
    yield "|---|---|---|---|---|---|---|"
    whole = {(f"bench {number}, C {true:g}", "pcv"): Share(bench(number)) for number, true in BENCH.items()}
    whole |= {(f"Servo-U {name}", "vcv"): Share(records) for name, records in servo_u().items()}
    for (name, mode), share in (whole | patients()).items():
        held = [record.values["crs"] for record in share.breaths if "crs" in record.values]
        values = share.given
        span = f"{np.median(values):.1f} [{min(values):.1f}-{max(values):.1f}]" if values else "-"
        holds = f"{np.median(held):.1f} (n {len(held)})" if held else "-"
        why = ", ".join(f"{reason} {count}" for reason, count in share.reasons.most_common())
        yield f"| {name} | {mode} | {len(share.breaths)} | {len(values)} | {span} | {holds} | {why} |"
