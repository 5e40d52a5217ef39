"""``align``: continuity, gaps, overlaps, implausible samples, and that cutting a stream changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamer.core.align import Aligner, AlignSettings
from streamer.model.chunk import Block, Channel, Chunk, Mark
from streamer.model.records import Notice, NoticeKind
from tests.support.aligned import RATE, aligned, ramp
from tests.support.streams import chunk, cut


def marks(rows) -> dict[Mark, int]:
    return {mark: sum(row[-1] is mark for row in rows) for mark in Mark}


def test_contiguous_chunks_are_one_run_and_samples_pass_untouched() -> None:
    flow, paw = ramp(300), ramp(300) * 20
    rows, notices = aligned(cut(chunk(flow, paw, start_s=12.5), [10, 10, 200]))
    assert notices == []
    assert [row[2] for row in rows] == list(range(300))
    assert {row[:2] for row in rows} == {(0, 12.5)}
    assert [row[3] for row in rows] == flow.tolist()
    assert [row[4] for row in rows] == paw.tolist()


def test_blocks_share_the_memory_of_the_chunk() -> None:
    whole = chunk(ramp(50), ramp(50))
    (block,) = Aligner().push(whole)
    assert isinstance(block, Block)
    assert block.flow.base is not None
    assert np.shares_memory(block.flow, whole.channels[Channel.FLOW])
    assert not block.flow.flags.writeable


@pytest.mark.parametrize("by", ["nan", "stamp"])
@pytest.mark.parametrize(
    ("missing", "mark"),
    [
        (1, Mark.FILLED), (4, Mark.FILLED), (5, Mark.GAP_SHORT), (20, Mark.GAP_SHORT),
        (21, Mark.GAP), (100, Mark.GAP), (101, None),
    ],
)  # fmt: skip
def test_what_becomes_of_missing_samples(by: str, missing: int, mark: Mark | None) -> None:
    first, last = 40, 40 + missing
    flow, paw = ramp(400), ramp(400) * 30
    if by == "nan":
        flow[first:last] = math.nan
        chunks = [chunk(flow, paw)]
    else:
        chunks = [chunk(flow[:first], paw[:first]), chunk(flow[last:], paw[last:], start_s=last / RATE)]
    rows, notices = aligned(chunks)
    if mark is None:
        assert [row[0] for row in rows] == [0] * first + [1] * (400 - last)
        (gap,) = notices
        assert (gap.kind, gap.at_s) == (NoticeKind.GAP, 0.4)
        assert gap.values["duration_s"] == pytest.approx(missing / RATE)
        return
    assert notices == []
    assert [row[2] for row in rows] == list(range(400))
    assert marks(rows)[mark] == missing
    assert marks(rows)[Mark.MEASURED] == 400 - missing
    assert [row[3] for row in rows] == pytest.approx(ramp(400).tolist())
    assert [row[4] for row in rows] == pytest.approx((ramp(400) * 30).tolist())


def test_stamps_and_nan_add_up_to_one_gap() -> None:
    flow = ramp(200)
    flow[90:100] = math.nan
    rows, notices = aligned([chunk(flow[:100]), chunk(flow[110:], start_s=1.10)])
    assert notices == []
    assert marks(rows)[Mark.GAP_SHORT] == 20


def test_a_missing_pressure_is_a_missing_sample() -> None:
    paw = ramp(100)
    paw[10:20] = math.nan
    rows, _ = aligned([chunk(ramp(100), paw)])
    assert marks(rows)[Mark.GAP_SHORT] == 10


def test_a_missing_pco2_touches_nothing_else() -> None:
    pco2 = np.full(100, 30.0)
    pco2[10:60] = math.nan
    with_co2, without = (aligned([chunk(ramp(100), ramp(100), pco2=co2)]) for co2 in (pco2, None))
    assert with_co2 == without
    assert without[1] == []


@pytest.mark.parametrize("offset", [-0.49, 0.49, 0.5, -0.5])
def test_half_a_sample_is_contiguous(offset: float) -> None:
    rows, notices = aligned([chunk(ramp(100)), chunk(ramp(100), start_s=1.0 + offset / RATE)])
    assert notices == []
    assert [row[2] for row in rows] == list(range(200))
    assert marks(rows)[Mark.MEASURED] == 200


def test_samples_that_come_twice_are_dropped_and_counted() -> None:
    flow = ramp(300)
    chunks = [chunk(flow[:200]), chunk(flow[150:], start_s=1.5)]
    rows, (overlap,) = aligned(chunks)
    assert [row[3] for row in rows] == flow.tolist()
    assert (overlap.kind, overlap.values["samples"]) == (NoticeKind.OVERLAP, 50.0)
    assert (rows, [overlap]) == aligned([chunks[0], *cut(chunks[1], range(1, 150))])


def test_a_clock_put_back_is_said_at_once_and_never_goes_backwards() -> None:
    aligner = Aligner()
    aligner.push(chunk(ramp(100), start_s=100.0))
    spoken = [placed for k in range(30) for placed in aligner.push(chunk(ramp(10), start_s=50.0 + k / 10))]
    (notice,) = spoken
    assert isinstance(notice, Notice)
    assert notice.kind is NoticeKind.OVERLAP
    assert "went back" in notice.detail
    (last,) = aligner.close()
    assert last.values["samples"] == 300.0


def test_absurd_stamps_do_no_harm() -> None:
    rows, notices = aligned([chunk(ramp(9), start_s=-1e308), chunk(ramp(9), start_s=1e308), chunk(ramp(9))])
    assert len(rows) == 18
    assert [notice.kind for notice in notices].count(NoticeKind.GAP) == 1


def test_a_rate_change_begins_anew() -> None:
    rows, (notice,) = aligned([chunk(ramp(100)), chunk(ramp(50), rate_hz=50.0, start_s=1.0)])
    assert notice.kind is NoticeKind.RATE_CHANGE
    assert rows[99][:3] == (0, 0.0, 99)
    assert rows[100][:3] == (1, 1.0, 0)


@pytest.mark.parametrize(
    ("channel", "value"),
    [(Channel.FLOW, 4.2), (Channel.FLOW, -4.2), (Channel.PAW, 121.0), (Channel.PAW, -61.0)],
)
def test_implausible_samples_are_missing_and_reported(channel: Channel, value: float) -> None:
    samples = {Channel.FLOW: ramp(200), Channel.PAW: ramp(200), Channel.PCO2: ramp(200)}
    samples[channel][100:103] = value
    rows, notices = aligned([Chunk(source="vent", start_s=5.0, rate_hz=RATE, channels=samples)])
    assert {notice.kind for notice in notices} == {NoticeKind.IMPLAUSIBLE}
    assert sum(notice.values["samples"] for notice in notices) == 3
    assert notices[0].at_s == 6.0
    assert {notice.values["channel"] for notice in notices} == {channel.value}
    if channel is Channel.PCO2:
        assert [row[5] for row in rows[100:103]] == [None] * 3
        assert marks(rows)[Mark.MEASURED] == 200
    else:
        assert marks(rows)[Mark.FILLED] == 3


def test_a_broken_sensor_cannot_flood_its_readers() -> None:
    paw = np.where(np.arange(6000) % 2, 10.0, 500.0)
    _, notices = aligned([chunk(np.zeros(6000), paw)])
    assert sum(notice.values["samples"] for notice in notices) == 3000
    assert len(notices) <= 60 / AlignSettings().report_every_s + 1


def test_what_comes_before_the_first_usable_sample_is_left_out() -> None:
    flow = ramp(300)
    flow[:250] = math.nan
    rows, notices = aligned([chunk(flow)])
    assert notices == []
    assert [row[2] for row in rows] == list(range(250, 300))


def test_a_stream_that_ends_in_a_gap_says_so() -> None:
    flow = ramp(400)
    flow[200:] = math.nan
    rows, (gap,) = aligned([chunk(flow)])
    assert len(rows) == 200
    assert (gap.kind, gap.at_s, gap.values["duration_s"]) == (NoticeKind.GAP, 2.0, 2.0)


def test_a_source_without_flow_is_refused_once() -> None:
    pressure = Chunk(source="p", start_s=0.0, rate_hz=RATE, channels={Channel.PAW: ramp(10)})
    rows, notices = aligned([pressure, pressure, chunk(ramp(10))])
    assert len(rows) == 10
    assert [notice.kind for notice in notices] == [NoticeKind.DAMAGED]


def test_a_second_source_is_refused_once() -> None:
    rows, notices = aligned([chunk(ramp(10)), *[chunk(ramp(10), source="other")] * 3, chunk(ramp(10), start_s=0.1)])
    assert len(rows) == 20
    assert [notice.kind for notice in notices] == [NoticeKind.DROPPED]


def test_a_source_without_pressure_has_none() -> None:
    (block,) = Aligner().push(chunk(ramp(10)))
    assert isinstance(block, Block)
    assert block.paw is None


def test_flow_is_brought_to_body_conditions_and_judged_before() -> None:
    flow = np.array([1.0, 4.1, math.nan, 2.0])
    rows, notices = aligned([chunk(flow)], flow_factor=1.1)
    assert notices == []
    assert [row[3] for row in rows] == pytest.approx([1.1, 4.51, 3.355, 2.2])


def test_empty_chunks_change_nothing() -> None:
    whole = chunk(ramp(50))
    nothing = chunk(ramp(0), start_s=99.0, rate_hz=50.0)
    assert aligned([nothing, whole, nothing]) == aligned([whole])


def test_a_whole_number_as_rate_or_start_is_a_float_for_compiled_code() -> None:
    one = Chunk(source="x", start_s=3, rate_hz=100, channels={Channel.FLOW: np.zeros(2)})
    assert [type(value) for value in (one.start_s, one.rate_hz)] == [float, float]
