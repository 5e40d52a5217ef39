from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions
from adapters.decoding.text_rows import MAX_LINE
from adapters.formats import labchart, pb840, servo_u
from adapters.formats import text_table as csv_table
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel
from streamer.model.records import NoticeKind
from tests.support.adapter_contract import Stream, decoded, prefix_rule, refused, stream
from tests.support.builders.labchart_files import SEED, SETTINGS, block, rows


def make(columns: dict[str, str] | None = None) -> labchart.Decoder:
    return labchart.Decoder(ReadOptions(columns=columns or {}))


def read(text: str | bytes, columns: dict[str, str] | None = None) -> Stream:
    return decoded(lambda: make(columns), [text if isinstance(text, bytes) else text.encode()])


def form(found: Stream) -> list[tuple[float, float, int]]:
    return [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches]


def test_channels_are_known_by_title_and_unit() -> None:
    found = read(block(rows(9)))
    assert form(found) == [(0.0, 100.0, 9)]
    assert found.samples(Channel.PAW).tolist() == [5 + k % 8 / 8 for k in range(9)]
    assert found.samples(Channel.FLOW).tolist() == [6 * (k % 8) / 60 for k in range(9)]
    assert found.samples(Channel.PCO2).tolist() == [k % 5 for k in range(9)]  # its unit is that of its range
    assert found.notices == []
    assert found.error is None


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("comment", ["", "\t#1 turned"])
def test_an_export_without_its_time_column_is_counted_by_its_interval(channels: int, comment: str) -> None:
    titles = ["Flow", "Airway pressure", "CO2", "Trigger"][:channels]
    units = ["L/min", "cmH2O", "mmHg", "V"][:channels]
    said = {"ChannelTitle": "\t".join(titles), "UnitName": "\t".join(units), "Range": None}
    row = ["\t".join([f"{6 * (k % 8)}", f"{5 + k % 8 / 8}", f"{k % 5}", "0"][:channels]) for k in range(60)]
    row[30] += comment
    text = block(row, **said)
    found = prefix_rule(make, text.encode(), [range(1, len(text), 3)])
    assert form(found) == [(0.0, 100.0, 60)]
    assert found.samples(Channel.FLOW).tolist() == [6 * (k % 8) / 60 for k in range(60)]
    assert [notice.detail for _, notice in found.notices] == [
        "there is no Time column: rows are taken as even at 100 Hz, by Interval="
    ]
    timed = read(block([f"{k / 100:g}\t{one}" for k, one in enumerate(row)], **said))
    assert timed.form()[0] == found.form()[0]
    short = read(block(row[:3], **said))
    assert form(short) == [(0.0, 100.0, 3)]
    row[10] = "x" + row[10]
    damaged = read(block(row, **said))
    assert form(damaged) == [(0.0, 100.0, 60)]
    assert np.flatnonzero(np.isnan(damaged.samples(Channel.FLOW))).tolist() == [10]


def test_volts_need_a_word_from_the_user() -> None:
    volts = block(rows(9), Range="2 V\t10 V\t10 V\t10 V", UnitName=None)
    assert "no flow that can be used: 'Flow' has the unit 'V', none of L/s, L/min, mL/s" in (read(volts).error or "")
    found = read(volts, {"Flow": "flow_l_min", "1": "paw_cmh2o"})
    assert found.samples(Channel.FLOW).tolist() == [6 * (k % 8) / 60 for k in range(9)]
    assert found.samples(Channel.PAW)[1] == 5.125


def test_the_pause_between_blocks_is_a_gap_of_its_length() -> None:
    later = f"{4.3749464322749809e04 + 90 / 86400:.16e}\t10/11/19 11:10:07"
    found = read(block(rows(200)) + block(rows(50), ExcelDateTime=later))
    assert form(found) == [(0.0, 100.0, 200), (pytest.approx(90.0, abs=1e-4), 100.0, 50)]
    slower = [f"{k / 50:g}\t0\t5\t6\t1" for k in range(60)]
    other = read(block(rows(200)) + block(slower, ExcelDateTime=later, Interval="20 ms"))
    assert form(other) == [(0.0, 100.0, 200), (pytest.approx(90.0, abs=1e-4), 50.0, 60)]


@pytest.mark.parametrize("dates", ["x", SETTINGS["ExcelDateTime"]])
def test_a_block_that_cannot_lie_behind_the_one_before_follows_an_unknown_pause(dates: str) -> None:
    found = read(block(rows(300), ExcelDateTime=dates) + block(rows(50), ExcelDateTime=dates))
    assert form(found) == [(0.0, 100.0, 300), (pytest.approx(5.0), 100.0, 50)]
    ((n, notice),) = found.notices
    assert (n, notice.kind, notice.at_s) == (300, NoticeKind.CLOCK_RESET, pytest.approx(3.0))
    on = read(block(rows(300)) + block(rows(50, 300), TimeFormat="StartOfFile"))
    assert form(on) == [(0.0, 100.0, 350)]


def test_a_block_that_cannot_be_used_costs_nothing_but_itself() -> None:
    later = f"{4.3749464322749809e04 + 90 / 86400:.16e}"
    found = prefix_rule(
        make, (block(rows(20)) + block(rows(9), Interval="") + block(rows(20), ExcelDateTime=later)).encode()
    )
    assert form(found) == [(0.0, 100.0, 20), (pytest.approx(90.0, abs=1e-4), 100.0, 20)]
    assert found.notices[0][1].detail.startswith("line 37: Interval='' is no interval of 5-2000 samples a second")


def test_missing_samples_comments_clocks_and_commas() -> None:
    odd = ["0\t0\t5\t6\t1", "0,01\t0\t5,5\t\tNaN\t#2 a name, perhaps", "0:00:00.02\t0\t6\t12\t2", "0:00.03\t0\t6"]
    found = read(block([*odd, *rows(20, 4)]))
    assert form(found) == [(0.0, 100.0, 24)]
    assert found.samples(Channel.PAW)[:4].tolist() == [5.0, 5.5, 6.0, 6.0]
    assert np.isnan(found.samples(Channel.FLOW)).nonzero()[0].tolist() == [1, 3]
    assert not any("name" in notice.detail for _, notice in found.notices)


def test_damage_keeps_its_slot_and_is_told() -> None:
    damaged = rows(60)
    damaged[20] = "0.2\t0\t5.x\t6\t1"
    damaged[30] = "\x80\x80"
    damaged[40] = "9" * (MAX_LINE + 5)
    found = read(block(damaged))
    assert found.n == 60
    assert np.isnan(found.samples(Channel.PAW)).nonzero()[0].tolist() == [20, 30, 40]
    assert found.notices[0][1].detail == "line 29: '0.2\\t0\\t5.x\\t6\\t1' is not a row of a time and the channels"
    assert found.notices[-1][1].values["damaged_rows"] == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (block(rows(3), Interval="1 s"), "line 9: Interval='1 s' is no interval of 5-2000 samples a second"),
        (block(rows(3), Interval="soon"), "Interval='soon' is no interval"),
        (block(rows(3), Interval=None), "Interval='' is no interval"),
        (block(rows(3), ChannelTitle=None), "line 8: no flow signal in L/s, L/min, mL/s, mL/min, slm among"),
        (block([]), "there are no rows with numbers"),
        (block(["a", "b"]), "line 9: 'a' is not a row of a time and the channels; no usable row"),
        ("x\n", "line 1: stands below no settings that can be used"),
    ],
)
def test_what_cannot_be_used_is_refused(text: str, says: str) -> None:
    assert says in refused(make, text.encode())


def test_every_cut_gives_the_same() -> None:
    found = decoded(make, [SEED])
    assert (found.n, found.notices) == (61, [])
    two = block(rows(30)) + block(rows(5), ExcelDateTime="4.38e4")
    prefix_rule(make, (two + "junk\n").encode())
    prefix_rule(make, two.replace("\n", "\r\n").encode(), [[at] for at in range(0, len(two), 7)])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.integers(0, len(SEED)))
def test_any_bytes_are_read_or_refused(junk: bytes, at: int) -> None:
    for text in (junk, SEED[:at] + junk + SEED[at:], SEED[:at] + junk):
        decoded(make, [text])


def test_a_file_is_recognised_by_content(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"\xef\xbb\xbf" + SEED)
    recording = open_recording(path)
    assert recording.format == "labchart"
    assert stream(recording.items()).n == 61
    assert not any(module.recognise(SEED, path.name) for module in (csv_table, pb840, servo_u))
    assert not any(
        labchart.recognise(head, "x.txt") for head in (b"", b"[REC]\n", b"time_s,flow_l_s\n0,1\n", b"Interval=1")
    )
    assert NoticeKind.NOTE not in {notice.kind for _, notice in decoded(make, [SEED]).notices}


def test_the_recorders_own_time_is_told() -> None:
    found = labchart.told(block(rows(3)).encode(), ReadOptions())
    assert found.recording.start_local is not None
    assert found.recording.start_local.isoformat()[:10] == "2019-10-11"
