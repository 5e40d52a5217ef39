"""Sources of one recording are given in turn, whatever the order in its file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.recordings.interleave import MAX_HELD_S, PART_S, alternated
from adapters.recordings.open import open_recording
from adapters.simulator import load_scenario, simulate
from streamer.core.bed import Bed
from streamer.model.chunk import Channel, Chunk
from streamer.model.records import BreathRecord, Notice, NoticeKind
from streamer.model.units import S_PER_MIN
from tests.support.adapter_contract import Item
from tests.support.builders import vital_files, wfdb_files
from tests.support.two_source_scenario import SCENARIO


def chunk(source: str, start_s: float, seconds: float, rate_hz: float = 20.0) -> Chunk:
    samples = start_s + np.arange(round(seconds * rate_hz)) / rate_hz
    channel = Channel.FLOW if source == "a" else Channel.PCO2
    return Chunk(source=source, start_s=start_s, rate_hz=rate_hz, channels={channel: samples})


def note(at_s: float) -> Notice:
    return Notice(bed="", at_s=at_s, kind=NoticeKind.NOTE)


def ends(items: list[Item]) -> list[float]:
    return [item.start_s + len(item) / item.rate_hz for item in items if isinstance(item, Chunk)]


def test_one_source_goes_through_as_it_is() -> None:
    items = [note(0.0), chunk("a", 0.0, 60.0), note(60.0), chunk("a", 60.0, 60.0), note(1.0), chunk("a", 500.0, 1.0)]
    given_on = list(alternated(items))
    assert [item for item in given_on if isinstance(item, Notice)] == [items[0], items[2], items[4]]
    assert np.concatenate([one.channels[Channel.FLOW] for one in given_on if isinstance(one, Chunk)]).size == 2420
    assert given_on[-3:] == items[-3:]
    assert list(alternated([])) == []
    assert list(alternated([note(0.0)])) == [note(0.0)]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_nothing_is_lost_and_the_order_within_a_source_is_kept(data: st.DataObject) -> None:
    items: list[Item] = []
    at = {"a": 0.0, "b": 0.0}
    for _ in range(data.draw(st.integers(0, 12))):
        source = data.draw(st.sampled_from(["a", "b", "n"]))
        if source == "n":
            items.append(note(0.0))
            continue
        seconds = data.draw(st.sampled_from([0.0, 0.1, 3.0, 40.0]))
        items.append(chunk(source, at[source], seconds))
        at[source] += seconds
    found = list(alternated(items))
    assert sum(isinstance(item, Notice) for item in found) == sum(isinstance(item, Notice) for item in items)
    for source in "ab":
        own = [item for item in found if isinstance(item, Chunk) and item.source == source]
        samples = [np.concatenate([*one.channels.values()]) for one in own]
        assert np.concatenate([np.zeros(0), *samples]) == pytest.approx(np.arange(round(at[source] * 20)) / 20)


def test_blocks_of_minutes_alternate_by_half_seconds() -> None:
    items: list[Item] = []
    for minute in range(3):
        items += [chunk("a", 60.0 * minute, 60.0), chunk("b", 60.0 * minute, 60.0)]
    found = list(alternated(items))
    assert ends(found) == sorted(ends(found))
    assert max(len(item) / item.rate_hz for item in found if isinstance(item, Chunk)) == PART_S


def test_a_source_that_ended_holds_nothing_up_for_ever() -> None:
    items = [chunk("b", 0.0, 10.0), *(chunk("a", 60.0 * n, 60.0) for n in range(60))]
    read: list[int] = []

    def counted() -> Iterator[Item]:
        for item in items:
            read.append(len(item))
            yield item

    given_on = most_held = 0
    for item in alternated(counted()):
        assert isinstance(item, Chunk)
        given_on += len(item)
        most_held = max(most_held, sum(read) - given_on)
    assert given_on == sum(read) == 200 + 60 * 1200
    assert MAX_HELD_S * 20 < most_held < (MAX_HELD_S + 60.0) * 20


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> dict[Channel, np.ndarray]:
    path = tmp_path_factory.mktemp("sim") / "s.toml"
    path.write_text(SCENARIO.replace("clock_offset_s = 0.3", "").replace("180", "120"), encoding="utf-8")
    found: dict[Channel, list[np.ndarray]] = {}
    for item in simulate(load_scenario(str(path))).chunks():
        if isinstance(item, Chunk):
            for channel, samples in item.channels.items():
                found.setdefault(channel, []).append(samples)
    return {channel: np.concatenate(samples) for channel, samples in found.items()}


CONTEXT = '[context]\nco2_kind = "mainstream"\nco2_scale = "BTPS"\nco2_delay_s = 0.0\n'


def dead_spaces(path: Path) -> list[float]:
    path.with_suffix(".toml").write_text(CONTEXT, encoding="utf-8")
    recording = open_recording(path)
    bed = Bed("a", context=recording.sidecar.context)
    events = [event for item in recording.items() for event in bed.push(item)] + bed.close()
    return [one.values["vd_aw"] for one in events if isinstance(one, BreathRecord) and "vd_aw" in one.values]


def test_dead_space_is_found_in_a_wfdb_record_of_two_rates(
    tmp_path: Path, simulated: dict[Channel, np.ndarray]
) -> None:
    flow, paw, co2 = (simulated[channel] for channel in (Channel.FLOW, Channel.PAW, Channel.PCO2))
    assert flow.size == 2 * co2.size
    path = wfdb_files.record(
        tmp_path,
        [
            ("x2 300/L/min 16 0 0 0 0 FLOW", np.round(flow * S_PER_MIN * 300).astype(np.int16)),
            ("x2 300/cmH2O 16 0 0 0 0 Paw", np.round(paw * 300).astype(np.int16)),
            (" 300/mmHg 16 0 0 0 0 CO2", np.round(co2 * 300).astype(np.int16)),
        ],
        head=f"rec 3 50 {co2.size}",
    )
    found = dead_spaces(path)
    assert len(found) > 18
    assert np.median(found) == pytest.approx(150.0, abs=5.0)


def test_dead_space_is_found_in_a_vital_file_of_two_rates(tmp_path: Path, simulated: dict[Channel, np.ndarray]) -> None:
    """Each track as a whole, one behind the other, in records of ten seconds."""
    tracks = {
        7: (vital_files.track(7, "AWP", "cmH2O", 100.0), simulated[Channel.PAW], 1000),
        8: (vital_files.track(8, "FLOW", "L/min", 100.0), simulated[Channel.FLOW] * S_PER_MIN, 1000),
        9: (vital_files.track(9, "CO2", "mmHg", 50.0), simulated[Channel.PCO2], 500),
    }
    packets = [head for head, _, _ in tracks.values()]
    for tid, (_, samples, size) in tracks.items():
        packets += [
            vital_files.samples(tid, 10.0 * n, samples[n * size : (n + 1) * size])
            for n in range(-(-samples.size // size))
        ]
    found = dead_spaces(vital_files.put(tmp_path / "x.vital", *packets))
    assert len(found) > 18
    assert np.median(found) == pytest.approx(150.0, abs=5.0)
