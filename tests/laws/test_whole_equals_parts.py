"""Whole = parts, on every recording there is: equal events for any cutting, and equal payloads for any path.

Equality is ``==``, no tolerance anywhere. The wire rounds; its rounding is applied to what it is compared with.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.recordings.open import open_recording
from streamer.analysis.rows import STATS, Row
from streamer.analysis.run_recording import Job, examine
from streamer.core.bed import Bed
from streamer.core.metrics import METRICS
from streamer.model.chunk import Chunk
from streamer.model.records import BreathRecord, Event, Notice
from streamer.service import BedPlan, SourcePlan
from streamer.wire import Message, Source
from tests.support.adapter_contract import recordings
from tests.support.fakes import Settings
from tests.support.replays import published, replayed
from tests.support.streams import cut

REPLAY = sorted(
    path for path in (Path(__file__).parents[2] / "replay_data").glob("*") if path.suffix in {".csv", ".parquet"}
)
SHARED = [
    *(case for case in recordings("pb840-ventmap/*test") if "breath_meta" not in str(case.values[0])),
    *recordings("pb840-ventmode/raw_*"),
    *recordings("getinge-servo-u/17*.txt"),
    *recordings("respiraworks-quicklung/*.dat"),
]
EVERY = [*SHARED, *(pytest.param(path, id=path.name) for path in REPLAY)]
SINGLE_S = 480.0
"""So much of each recording, from its beginning, is also cut into single samples."""
DIFFERS = {"session", "source", "published_utc", "recording", "start_utc", "end_utc", "at_utc"}
"""What two runs of one recording may say differently: who published it, when, and by which clock."""
IN_MS = {"start_s", "end_s", "at_s"}


@cache
def items_of(path: Path) -> tuple[Chunk | Notice, ...]:
    return tuple(open_recording(path).items())


def fed(path: Path, items: Iterable[Chunk | Notice]) -> list[Event]:
    sidecar = open_recording(path).sidecar
    bed = Bed("b", context=sidecar.context, events=sidecar.event, blood_gases=sidecar.blood_gas)
    found = [event for item in items for event in bed.push(item)]
    return found + bed.close()


def pieces(items: Iterable[Chunk | Notice], rng: np.random.Generator, largest: int) -> Iterator[Chunk | Notice]:
    """Each chunk in pieces of 0 to ``largest`` samples, small ones as likely as large ones, a fifth of them empty."""
    for item in items:
        if isinstance(item, Notice):
            yield item
            continue
        most = min(largest, len(item))
        sizes = np.floor(np.exp(rng.uniform(0.0, math.log(most + 1), 2 * len(item)))).astype(int)
        sizes[rng.random(sizes.size) < 0.2] = 0
        at = np.cumsum(sizes)
        yield from cut(item, at[at <= len(item)].tolist())


def stretch(items: Iterable[Chunk | Notice], seconds: float) -> list[Chunk | Notice]:
    """From the beginning; the chunk in which the time is up is cut there."""
    taken: list[Chunk | Notice] = []
    left_s = seconds
    for item in items:
        if isinstance(item, Chunk):
            count = min(len(item), round(left_s * item.rate_hz))
            taken.append(item.cut(0, count))
            left_s -= count / item.rate_hz
            if count < len(item):
                break
        else:
            taken.append(item)
    return taken


def single(items: Iterable[Chunk | Notice]) -> Iterator[Chunk | Notice]:
    for item in items:
        yield from cut(item, range(1, len(item))) if isinstance(item, Chunk) else [item]


@pytest.mark.parametrize("path", EVERY)
def test_random_pieces_give_the_events_of_the_whole(path: Path) -> None:
    whole = fed(path, items_of(path))
    assert any(isinstance(event, BreathRecord) for event in whole)
    samples = sum(len(item) for item in items_of(path) if isinstance(item, Chunk))
    lengths: set[int] = set()
    for seed, largest in enumerate((60, 3000, samples)):
        cuttings = list(pieces(items_of(path), np.random.default_rng(seed), largest))
        lengths |= {len(item) for item in cuttings if isinstance(item, Chunk)}
        assert fed(path, cuttings) == whole
    assert {0, 1} < lengths, "no empty or one-sample piece was among them"


@pytest.mark.parametrize("path", EVERY[::5])
def test_single_samples_give_the_events_of_the_whole(path: Path) -> None:
    items = stretch(items_of(path), SINGLE_S)
    cuttings = list(single(items))
    assert {len(item) for item in cuttings if isinstance(item, Chunk)} == {1}
    assert fed(path, cuttings) == fed(path, items)


def test_a_comparison_sees_the_last_bit() -> None:
    """The tests above could not fail if ``==`` did not."""
    path = REPLAY[0]
    whole = fed(path, items_of(path))
    at = next(i for i, event in enumerate(whole) if isinstance(event, BreathRecord) and event.values)
    record = whole[at]
    assert isinstance(record, BreathRecord)
    key, value = next(iter(record.values.items()))
    other = replace(record, values={**record.values, key: math.nextafter(value, math.inf)})
    assert [*whole[:at], other, *whole[at + 1 :]] != whole


def rows(messages: Iterable[Message], *kinds: str) -> list[dict[str, Any]]:
    """Payloads in the order they were published, without what may differ between runs; the bed's last word left out."""
    found = [json.loads(message.payload) for message in messages if message.payload]
    wanted = [row for row in found if row["schema"].partition("/")[0] in kinds]
    return [
        {name: value for name, value in row.items() if name not in DIFFERS}
        for row in wanted
        if row.get("kind") != "source_end"
    ]


def live(plan: BedPlan, path: Path, stop: asyncio.Event) -> BedPlan:
    """The samples as a device sends them: a few at a time, without an end until the program is stopped."""

    async def play() -> AsyncGenerator[Chunk | Notice]:
        for item in pieces(items_of(path), np.random.default_rng(4), 50):
            yield item
        stop.set()
        await asyncio.sleep(60.0)

    source = SourcePlan(adapter="tests.support.fakes", options=Settings(play), speed=None)
    return replace(plan, sources=(source,), source=Source.LIVE, start_utc=None)


@pytest.mark.parametrize("path", REPLAY, ids=lambda path: path.name)
async def test_replay_at_full_speed_paced_and_live_publish_the_same(path: Path) -> None:
    everything = ("breath", "summary", "event")
    _, at_once, none_s = await published(replayed(path, math.inf))
    outcome, paced, took_s = await published(replayed(path, 1.0))
    duration_s = sum(len(item) / item.rate_hz for item in items_of(path) if isinstance(item, Chunk))
    assert none_s == 0.0
    assert took_s >= duration_s - 0.01, "the paced run did not wait"
    assert outcome.breaths == len(rows(at_once, "breath")) > 15
    assert outcome.samples == sum(len(item) for item in items_of(path) if isinstance(item, Chunk))
    assert rows(paced, *everything) == rows(at_once, *everything)
    stop = asyncio.Event()
    _, as_live, _ = await published(live(replayed(path, 1.0), path, stop), stop)
    assert rows(as_live, *everything) == rows(at_once, *everything)


def rounded(row: Row) -> Row:
    """As the wire does: times to the millisecond, numbers to six digits (contract.md)."""
    ages = {name for columns in STATS.values() for name, field in columns if field == "age_s"}
    shown: Row = {}
    for name, value in row.items():
        if isinstance(value, float):
            shown[name] = round(value, 3) if name in IN_MS | ages else float(f"{value:.6g}")
        else:
            shown[name] = value
    return shown


def same_as_sent(analysed: list[Row], sent: list[dict[str, Any]], must: set[str]) -> None:
    assert len(analysed) == len(sent)
    for row, payload in zip(map(rounded, analysed), sent, strict=True):
        shared = (row.keys() & payload.keys()) - DIFFERS
        assert must <= shared
        assert {name: row[name] for name in shared} == {name: payload[name] for name in shared}


@pytest.mark.parametrize("path", REPLAY, ids=lambda path: path.name)
async def test_analyze_writes_what_replay_publishes(path: Path) -> None:
    breaths: list[Row] = []
    summaries: list[Row] = []
    notices: list[Notice] = []
    found = examine(Job(path=path), on_breath=breaths.append, on_summary=summaries.append, on_notice=notices.append)
    assert found.error is None
    _, messages, _ = await published(replace(replayed(path, math.inf), bed=breaths[0]["bed"]))
    common = {"bed", "number", "start_s", "end_s", *METRICS, "missing", "quality", "flags"}
    same_as_sent(breaths, rows(messages, "breath"), common)
    windows = {"bed", "window", "start_s", "end_s", "breaths", "coverage", "missing", *(f"{key}_n" for key in METRICS)}
    same_as_sent(summaries, rows(messages, "summary"), windows)
    sent = [(row["kind"], row["at_s"], row["detail"]) for row in rows(messages, "event")]
    assert sent == [(notice.kind, round(notice.at_s, 3), notice.detail) for notice in notices]


@pytest.mark.parametrize("path", REPLAY, ids=lambda path: path.name)
def test_breaths_do_not_depend_on_whether_windows_are_wanted(path: Path) -> None:
    """``analyze`` without ``--summaries`` leaves the windows out, which must not change a breath."""
    alone: list[Row] = []
    beside: list[Row] = []
    examine(Job(path=path), on_breath=alone.append)
    examine(Job(path=path), on_breath=beside.append, on_summary=lambda _: None)
    assert alone == beside


@pytest.mark.parametrize("path", recordings("getinge-servo-u/17*.txt"))
async def test_analyze_and_replay_agree_on_a_ventilators_recording(path: Path) -> None:
    breaths: list[Row] = []
    examine(Job(path=path), on_breath=breaths.append)
    _, messages, _ = await published(replace(replayed(path, math.inf), bed=breaths[0]["bed"]))
    same_as_sent(breaths, rows(messages, "breath"), {"number", *METRICS, "missing", "quality", "flags"})
