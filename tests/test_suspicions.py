"""Wrong units are asked about, right ones never."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adapters.recording import open_recording
from streamer.bed import Bed
from streamer.chunk import Channel, Chunk
from streamer.records import Notice, NoticeKind
from streamer.suspicions import RULES, Suspicions
from tests.adapters.contract import RECORDINGS

REPLAY = Path(__file__).parents[1] / "replay_data"
SHIPPED = sorted(path for path in REPLAY.iterdir() if path.suffix in {".csv", ".parquet"})


def scaled(path: Path, scales: Mapping[Channel, float], shift: float = 0.0) -> list[Chunk]:
    found = []
    for item in open_recording(path).items():
        if isinstance(item, Chunk):
            channels = {
                name: own * scales.get(name, 1.0) + (shift if name is Channel.PAW else 0.0)
                for name, own in item.channels.items()
            }
            found.append(replace(item, channels=channels))
    return found


def rules(chunks: list[Chunk]) -> list[str]:
    operator = Suspicions()
    told = [*(notice for chunk in chunks for notice in operator.push(chunk)), *operator.close()]
    assert all(notice.kind is NoticeKind.SUSPICION and notice.detail.endswith("?") for notice in told)
    return [str(notice.values["rule"]) for notice in told]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_right_units_are_never_doubted(path: Path) -> None:
    assert rules(scaled(path, {})) == []


@pytest.mark.recordings
@pytest.mark.skipif(not RECORDINGS.exists(), reason="no recordings beside the repository")
def test_recordings_of_others_are_not_doubted() -> None:
    paths = [*RECORDINGS.glob("pb840*/raw*"), *RECORDINGS.glob("*/17696*.txt"), *RECORDINGS.glob("*/covent*.dat")]
    paths += [*RECORDINGS.glob("*/*BRP.edf"), *RECORDINGS.glob("*/*.Poly5")]
    assert len(paths) > 15
    assert {path.name: found for path in paths if (found := rules(scaled(path, {})))} == {}


@pytest.mark.parametrize(
    ("scales", "shift", "expected"),
    [
        ({Channel.FLOW: 60.0}, 0.0, "flow_too_large"),
        ({Channel.FLOW: 1000.0}, 0.0, "flow_too_large"),
        ({Channel.FLOW: 1 / 60}, 0.0, "flow_too_small"),
        ({Channel.FLOW: -1.0}, 0.0, "flow_reversed"),
        ({Channel.PAW: 98.0665}, 0.0, "paw_too_large"),
        ({Channel.PAW: 0.0980665}, 0.0, "paw_too_small"),
        ({}, 1033.0, "paw_absolute"),
        ({Channel.PCO2: 0.133322}, 0.0, "pco2_too_small"),
        ({Channel.PCO2: 100 / 713}, 0.0, "pco2_too_small"),
        ({Channel.PCO2: 133.322}, 0.0, "pco2_too_large"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["vcv_hold.csv", "pcv.csv", "demo.parquet"])
def test_a_wrong_unit_is_asked_about_and_nothing_is_converted(
    name: str, scales: dict[Channel, float], shift: float, expected: str
) -> None:
    assert rules(scaled(REPLAY / name, scales, shift)) == [expected]


def test_every_rule_is_tried_above() -> None:
    (mark,) = [
        mark
        for mark in test_a_wrong_unit_is_asked_about_and_nothing_is_converted.pytestmark  # type: ignore[attr-defined]
        if mark.args[0] == ("scales", "shift", "expected")
    ]
    assert {row[2] for row in mark.args[1]} == set(RULES)


@pytest.mark.parametrize("seconds", [0.013, 0.7, 1000.0])
def test_the_question_comes_once_at_the_same_sample_however_the_stream_is_cut(seconds: float) -> None:
    chunks = scaled(REPLAY / "vcv_hold.csv", {Channel.FLOW: 60.0})
    bed = Bed("a")
    events = [event for chunk in chunks for part in chunk.parts(seconds) for event in bed.push(part)]
    told = [event for event in [*events, *bed.close()] if isinstance(event, Notice)]
    (question,) = [notice for notice in told if notice.kind is NoticeKind.SUSPICION]
    assert question.at_s == pytest.approx(chunks[0].start_s + 60.0, abs=1e-6)
    assert question.detail.startswith("flow reaches ")
    assert question.detail.endswith("L/s: is it in L/min or mL/s?")


def test_too_little_and_too_empty_is_not_judged() -> None:
    def one(flow: np.ndarray) -> list[str]:
        return rules([Chunk(source="x", start_s=0.0, rate_hz=50.0, channels={Channel.FLOW: flow})])

    assert one(np.full(999, 30.0)) == []
    assert one(np.full(1000, 30.0)) == ["flow_too_large"]
    assert one(np.full(5000, np.nan)) == []
    assert rules([]) == []
