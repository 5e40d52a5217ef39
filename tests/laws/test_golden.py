"""The bundled recordings' breaths as they were when last looked at: nothing changes without being seen in a diff.

``pytest tests/laws/test_golden.py --regen-golden`` writes them; read the difference before you commit it. They say
that numbers did not change, not that they are right: that is said by the truths, oracles and laws of the other tests.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from adapters.recordings.open import open_recording
from streamer.core.bed import Bed
from streamer.model.records import BreathRecord

REPO = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "golden"
RECORDINGS = {path.stem: path for path in (REPO / "replay_data").glob("*") if path.suffix in {".csv", ".parquet"}}
DIGITS = 11
"""Kept of a number, so that rounding stays far below the tolerance."""
RELATIVE, ABSOLUTE = 1e-9, 1e-12
"""Other processors and compilers may differ in the last bits of a sum; ``==`` is for two runs on the same one."""
MAX_BYTES = 120_000


def golden(record: BreathRecord) -> dict[str, Any]:
    """One breath as it is kept; keys without a value stand under their reason."""
    missing = defaultdict(list)
    for key, reason in sorted(record.missing.items()):
        missing[str(reason)].append(key)
    return {
        "number": record.number,
        "start_s": kept(record.start_s),
        "end_s": kept(record.end_s),
        "values": {key: kept(value) for key, value in sorted(record.values.items())},
        "missing": {reason: " ".join(keys) for reason, keys in missing.items()},
        "flags": " ".join(sorted(record.flags)),
    }


def kept(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def measured(path: Path) -> list[dict[str, Any]]:
    recording = open_recording(path)
    sidecar = recording.sidecar
    bed = Bed("golden", context=sidecar.context, events=sidecar.event, blood_gases=sidecar.blood_gas)
    events = [event for item in recording.items() for event in bed.push(item)] + bed.close()
    return [golden(event) for event in events if isinstance(event, BreathRecord)]


def differences(new: dict[str, Any], old: dict[str, Any]) -> list[str]:
    """What differs between two breaths, a line each."""
    found = [f"{name}: {old[name]!r} is now {new[name]!r}" for name in ("missing", "flags") if new[name] != old[name]]
    numbers, before = new["values"] | {"number": new["number"]}, old["values"] | {"number": old["number"]}
    for name in ("start_s", "end_s"):
        numbers[name], before[name] = new[name], old[name]
    for key in sorted(numbers.keys() | before.keys()):
        a, b = numbers.get(key), before.get(key)
        if a is None or b is None or not math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE):
            found.append(f"{key}: {b} is now {a}")
    return [f"breath {old['number']}: {line}" for line in found]


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_breaths_are_as_they_were(name: str, request: pytest.FixtureRequest) -> None:
    found, file = measured(RECORDINGS[name]), FOLDER / f"{name}.jsonl"
    if request.config.getoption("--regen-golden"):
        FOLDER.mkdir(exist_ok=True)
        lines = [json.dumps(row, separators=(",", ":")) + "\n" for row in found]
        file.write_text("".join(lines), encoding="utf-8")
        pytest.skip("written anew: read the difference before you commit it")
    expected = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    changed = [line for new, old in zip(found, expected, strict=False) for line in differences(new, old)]
    assert not changed, f"{len(changed)} differences:\n" + "\n".join(changed[:20])
    assert len(found) == len(expected)


def test_every_file_has_its_recording_and_is_small(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--regen-golden"):
        pytest.skip("they are being written")
    files = list(FOLDER.iterdir())
    assert {file.name for file in files} == {f"{name}.jsonl" for name in RECORDINGS}
    assert all(0 < file.stat().st_size < MAX_BYTES for file in files)


def test_a_small_change_is_seen_and_the_last_bits_are_not() -> None:
    old = measured(RECORDINGS["vcv_hold"])[5]
    assert old["values"]
    assert differences(old, old) == []
    bits = {**old, "values": {key: value * (1 + 1e-12) for key, value in old["values"].items()}}
    assert differences(bits, old) == []
    key, value = next((key, value) for key, value in old["values"].items() if value)
    for other in ({key: value * (1 + 1e-8)}, {key: value, "of_late": 1.0}):
        changed = {**old, "values": {**old["values"], **other}}
        assert len(differences(changed, old)) == 1
    gone = {**old, "values": {name: value for name, value in old["values"].items() if name != key}}
    assert len(differences(gone, old)) == len(differences({**old, "flags": "gap"}, old)) == 1
