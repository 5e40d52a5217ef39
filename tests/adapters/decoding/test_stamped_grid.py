"""Rows with time stamps, through the CSV format (Parquet and Servo-U use the same clock)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adapters.decoding.contract import ReadOptions
from adapters.formats import text_table as csv_table
from streamer.model.chunk import Channel
from streamer.model.records import NoticeKind
from tests.support.adapter_contract import Stream, decoded, prefix_rule


def timed() -> csv_table.Decoder:
    return csv_table.Decoder(ReadOptions())


def read(text: bytes, rate_hz: float | None) -> Stream:
    return decoded(lambda: csv_table.Decoder(ReadOptions(rate_hz=rate_hz)), [text])


def stamped(stamps: Any, decimals: int = 3) -> bytes:
    """A table whose pressure counts the rows."""
    rows = [f"{stamp:.{decimals}f},0.1,{row}" for row, stamp in enumerate(stamps)]
    return "\n".join(["time_s,flow_l_s,paw_cmh2o", *rows, ""]).encode()


@pytest.mark.parametrize("rate", [25, 50, 62.5, 100, 125, 133, 400 / 3, 200, 256, 500])
@pytest.mark.parametrize("decimals", [3, 6])
def test_the_rate_is_learnt_from_rounded_stamps(rate: float, decimals: int) -> None:
    found = read(stamped(5.0 + np.arange(1000) / rate, decimals), None)
    (stretch,) = found.stretches
    assert stretch.start_s == 5.0
    assert stretch.n == 1000
    assert stretch.rate_hz == pytest.approx(rate, rel=1e-12 if rate % 0.5 == 0 else 1e-3)


def test_device_jitter_makes_no_gaps() -> None:
    rng = np.random.default_rng(7)
    stamps = np.arange(5000) * 0.01 + rng.choice([0, 0, 0, 0, 0.001, 0.002, -0.002], 5000)
    found = read(stamped(stamps + 1.0), None)
    assert [(stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(100.0, 5000)]
    assert found.notices == []


def test_slow_drift_of_two_clocks_makes_no_gaps() -> None:
    found = read(stamped(np.arange(60_000) * 0.01 * 1.0003), None)  # 0.2 s in ten minutes
    assert len(found.stretches) == 1


def test_one_missing_row_is_a_gap_at_its_stamp() -> None:
    stamps = np.delete(np.arange(1000) / 100, [500])
    found = read(stamped(stamps), None)
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [(0.0, 500), (5.01, 499)]


@pytest.mark.parametrize("at", [3, 150, 998, 1300])
def test_a_gap_begins_anew_wherever_it_is(at: int) -> None:
    stamps = np.arange(1303) / 100
    stamps[at:] += 123.456
    found = read(stamped(stamps), None)
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [
        (0.0, at),
        (pytest.approx(at / 100 + 123.456, abs=1e-9), 1303 - at),
    ]


def test_one_bad_stamp_keeps_its_row_and_rows_that_go_back_are_dropped() -> None:
    stamps = np.arange(1000) / 100
    stamps[400] = 94.0
    assert [stretch.n for stretch in read(stamped(stamps), None).stretches] == [1000]
    doubled = np.sort(np.concatenate([stamps[:300], stamps[100:110]]))
    found = read(stamped(doubled), None)
    assert [stretch.n for stretch in found.stretches] == [300]
    assert found.notices[0][1].kind is NoticeKind.DROPPED
    assert found.notices[-1][1].values["dropped_rows"] == 10


def test_a_damaged_row_takes_the_slot_its_neighbours_stamps_leave() -> None:
    lines = stamped(np.arange(600) / 100).split(b"\n")
    lines[301] = b"3.0?,0.1,300"
    whole = read(b"\n".join(lines), None)
    assert [stretch.n for stretch in whole.stretches] == [600]
    assert np.flatnonzero(np.isnan(whole.samples(Channel.PAW))).tolist() == [300]
    assert whole.notices[0][1].at_s == 3.0
    lines[301:302] = [b"no", b"rows", lines[300][:4] + b"0,0.1,300"]  # two lines that never were rows
    extra = read(b"\n".join(lines), None)
    assert extra.stretches[-1].start_s + extra.stretches[-1].n / 100 == pytest.approx(6.0)


def test_a_rate_that_contradicts_the_stamps_is_refused() -> None:
    text = stamped(np.arange(500) / 98.0, 6)
    assert "given as 100 Hz (option, context or sidecar), but the time stamps say 98" in (read(text, 100.0).error or "")
    assert read(text, 98.0).stretches[0].rate_hz == 98.0


def test_milliseconds_named_seconds_are_refused() -> None:
    assert "is time_s in seconds?" in (read(stamped(np.arange(500) * 10.0), None).error or "")


def test_arrival_stamps_need_a_rate_and_show_only_long_gaps() -> None:
    rng = np.random.default_rng(3)
    stamps = np.sort(np.arange(2000) / 50 + rng.exponential(0.05, 2000))
    stamps[1000:] += 30.0
    assert "too irregular" in (read(stamped(stamps, 6), None).error or "")
    found = read(stamped(stamps, 6), 50.0)
    assert [stretch.n for stretch in found.stretches] == [1000, 1000]
    assert "irregular" in found.notices[0][1].detail


def awkward() -> bytes:
    """Gap, duplicate, bad stamp, damage and missing fields, around and after the rows that teach the rate."""
    stamps = np.round(np.arange(1500) / 100 + np.tile([0, 0.001, -0.001], 500), 3)
    stamps[950:] += 2.0
    stamps[1100] = 77.0
    lines = stamped(np.insert(stamps, 1060, stamps[1059])).split(b"\n")
    lines[100], lines[980], lines[981], lines[1330] = b"junk", b"1,2", b"", b",1,2"
    return b"\n".join(lines)


def test_cuts_do_not_matter_with_stamps() -> None:
    text = awkward()
    rng = np.random.default_rng(1)
    cuts = [sorted(rng.integers(0, len(text), size)) for size in (1, 2, 5, 20, 100, 500)]
    found = prefix_rule(timed, text, [*cuts, range(1, len(text))])
    assert found.error is None
    assert found.notices[-1][1].values == {"damaged_rows": 3.0, "dropped_rows": 1.0}


def test_every_byte_of_a_small_table_with_stamps() -> None:
    lines = stamped([*np.arange(16) / 50, *(9 + np.arange(4) / 50)], 2).split(b"\n")
    lines[4:5] = [b"junk", b""]
    found = prefix_rule(timed, b"\r\n".join(lines))
    assert [stretch.n for stretch in found.stretches] == [16, 4]


@pytest.mark.parametrize("at", [5, 700, 1500])
def test_a_clock_that_begins_again_is_told_and_device_time_goes_on(at: int) -> None:
    stamps = 100.0 + np.arange(1600) / 100
    stamps[at:] = 3.0 + np.arange(1600 - at) / 100
    stamps[at + 50 :] += 7.0  # a gap after the reset lies where the new stamps say
    text = stamped(stamps)
    found = read(text, None)
    before_s = 100.0 + at / 100
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [
        (100.0, at),
        (pytest.approx(before_s + 2.0), 50),
        (pytest.approx(before_s + 2.0 + 7.5), 1550 - at),
    ]
    ((n, notice),) = found.notices
    assert (n, notice.kind, notice.at_s) == (at, NoticeKind.CLOCK_RESET, pytest.approx(before_s))
    assert notice.detail == (
        f"the time stamps go back from {before_s:.6g} to 3 s; the pause is unknown and shown as 2 s"
    )
    prefix_rule(timed, text, [[len(text) // 3, len(text) // 2], range(0, len(text), 997)])


def test_a_block_sent_twice_is_no_reset() -> None:
    stamps = np.arange(3000) / 100
    twice = np.concatenate([stamps[:2000], stamps[1200:]])
    found = read(stamped(twice), None)
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [(0.0, 3000)]
    assert [notice.kind for _, notice in found.notices] == [NoticeKind.DROPPED, NoticeKind.DAMAGED]
    assert found.notices[-1][1].values["dropped_rows"] == 800


def test_one_stray_old_stamp_is_no_reset() -> None:
    stamps = 50.0 + np.arange(1200) / 100
    stamps[[600, 1199]] = 1.0
    found = read(stamped(stamps), None)
    assert not [notice for _, notice in found.notices if notice.kind is NoticeKind.CLOCK_RESET]
    assert found.notices[-1][1].values["dropped_rows"] == 2


@pytest.mark.parametrize("last", ["1e308", "-1e308", "1e300"])
def test_stamps_of_any_size_are_refused_or_left_out_without_a_warning(last: str) -> None:
    rows = [f"{k / 100 if k % 3 else last},0.1,1" for k in range(40)]
    found = read("\n".join(["time_s,flow_l_s,paw_cmh2o", *rows, ""]).encode(), None)
    assert found.error is None or "time stamps" in found.error


def test_half_a_minute_sent_again_makes_no_breaths_twice() -> None:
    stamps = np.arange(6000) / 100
    found = read(stamped(np.concatenate([stamps[:5000], stamps[2000:]])), None)
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [(0.0, 6000)]
    assert found.notices[-1][1].values["dropped_rows"] == 3000
