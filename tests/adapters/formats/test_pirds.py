from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions
from adapters.decoding.text_rows import MAX_LINE
from adapters.decoding.uneven_grid import LEARN
from adapters.formats import FORMATS, parquet_table, pb840, pirds, respiraworks, servo_u
from adapters.formats import text_table as csv_table
from adapters.recordings.open import open_recording
from streamer.core.align import btps_factor
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import Context, RecordingInfo, Sidecar
from streamer.model.errors import ConfigError
from streamer.model.records import NoticeKind
from tests.support.adapter_contract import (
    Stream,
    decoded,
    prefix_rule,
    recordings,
    refused,
    same_twice,
    stream,
)
from tests.support.builders.pirds_files import as_json, lines, make, rows, transcript
from tests.support.streams import segmented

GRID = "the device does not measure evenly: rows are interpolated between their own stamps"


def read(text: bytes, rate_hz: float | None = None) -> Stream:
    return decoded(lambda: make(rate_hz), [text])


def details(found: Stream) -> list[str]:
    return [notice.detail for _, notice in found.notices]


def form(found: Stream) -> list[tuple[float, float, int]]:
    return [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches]


def test_a_set_is_a_row_in_canonical_units_and_what_is_assumed_is_told() -> None:
    found = read(transcript(*rows(5)))
    assert form(found) == [(1.0, 15.625, 5)]
    assert found.samples(Channel.PAW).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert found.samples(Channel.FLOW).tolist() == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], rel=1e-15)
    assert details(found) == [GRID]
    assert {notice.kind for _, notice in found.notices} == {NoticeKind.NOTE}


def test_a_byte_order_mark_is_passed_over_and_a_carriage_return_ends_the_last_line() -> None:
    text = transcript(*rows(5))
    assert pirds.recognise(b"\xef\xbb\xbf" + text, "")
    assert prefix_rule(make, b"\xef\xbb\xbf" + text.replace(b"\n", b"\r")).form() == read(text).form()


def test_rows_far_apart_are_a_gap_and_no_mountain_of_missing_samples() -> None:
    """A row a millisecond gives the rate; then one every ten seconds, a hundred bytes for ten thousand slots."""
    found = read(transcript(*rows(80, step=1), *rows(9, start=2000, step=9990)))
    assert form(found) == [(1.0, 1000.0, 80), *((pytest.approx(2.0 + 9.99 * k), 1000.0, 1) for k in range(9))]


def test_members_in_any_order_near_stamps_and_other_signals_passed_over() -> None:
    sets = rows(6)
    sets[2] = [sets[2][2], *lines(1130, 20, 0)[1:2]]
    sets[4] = ["1593299588:M:T:A:0:34757:2376", "1:M:D:B:0:1256:999", "1:M:D:A:1:1256:999", *sets[4], "9:B:whatever 1"]
    found = read(transcript(*sets))
    assert found.samples(Channel.PAW).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert len(details(found)) == 1


def test_a_missing_member_is_nan_in_its_slot() -> None:
    sets = rows(6)
    sets[2] = sets[2][:2]
    sets[4] = sets[4][:1] + sets[4][2:]
    found = read(transcript(*sets))
    assert np.flatnonzero(np.isnan(found.samples(Channel.FLOW))).tolist() == [2]
    assert np.flatnonzero(np.isnan(found.samples(Channel.PAW))).tolist() == [4]


@pytest.mark.parametrize(("lacking", "has", "says"), [("D", "flow", "paw (D)"), ("F", "paw", "flow (F)")])
def test_a_signal_that_the_log_lacks_is_no_channel(lacking: str, has: str, says: str) -> None:
    found = read(transcript(*([line for line in one if f":{lacking}:" not in line] for one in rows(9))))
    assert list(found.stretches[0].joined()) == [Channel(has)]
    assert f"the log gives no {says}" in details(found)


def test_uneven_rows_are_interpolated_at_their_own_time() -> None:
    stamps = [0, 60, 120, 180, 240, 310, 380, 450, 510, 570]
    found = read(transcript(*(lines(ms, ms, 0) for ms in stamps)))
    assert form(found) == [(0.0, pytest.approx(1000 / 60), 10)]
    assert found.samples(Channel.PAW) == pytest.approx(np.arange(10) * 6.0, abs=1e-3)


def test_lost_rows_are_missing_samples_and_long_ones_a_gap() -> None:
    found = read(transcript(*rows(10), *rows(10, start=1000 + 64 * 12)))
    assert (found.n, np.flatnonzero(np.isnan(found.samples(Channel.PAW))).tolist()) == (22, [10, 11])
    found = read(transcript(*rows(10), *rows(10, start=100_000)))
    assert [(start_s, n) for start_s, _, n in form(found)] == [(1.0, 10), (100.0, 10)]


def test_a_counter_that_rolls_over_goes_on() -> None:
    found = read(transcript(*rows(20, start=2**32 - 640)))
    assert form(found) == [(4294966.656, 15.625, 20)]
    assert not np.isnan(found.samples(Channel.PAW)).any()


def test_a_bad_stamp_near_the_top_is_no_roll_over() -> None:
    sets = rows(20, start=2**32 - 30_000)
    sets[9] = lines(5, 0, 0)
    found = read(transcript(*sets))
    assert (form(found)[0][0], found.n) == (4294937.296, 20)


def test_a_counter_that_begins_anew_is_a_pause_and_told() -> None:
    found = read(transcript(*rows(20, start=500_000), *rows(10, start=300)))
    last_s = 500.0 + 20 * 0.064
    assert [(start_s, n) for start_s, _, n in form(found)] == [(500.0, 20), (pytest.approx(last_s + 2.0), 10)]
    kinds = [notice.kind for _, notice in found.notices]
    assert kinds.count(NoticeKind.CLOCK_RESET) == 1
    assert "go back from 501.216 to 0.3 s; the pause is unknown and shown as 2 s" in " ".join(details(found))


def test_a_single_bad_stamp_or_one_that_comes_twice_is_left_out() -> None:
    sets = rows(10)
    sets[5] = lines(3_000_000_000, 50, 0)
    found = read(transcript(*sets[:8], sets[7], *sets[8:]))
    assert (found.n, np.flatnonzero(np.isnan(found.samples(Channel.PAW))).tolist()) == (10, [5])
    assert "0 damaged, 2 dropped" in details(found)[-1]


def test_messages_are_counted_with_their_times_and_never_quoted() -> None:
    said = [[f'1:E:M:{1000 + 100 * k}:"TOO {k}"'] for k in range(23)]
    other = [
        ['1:E:N:1:"Jane Doe"', '1:E:D:1:"serial 7"', '1:E:C:1:"Sat Jun 27"', '{"event":"E","type":"M","buff":"hi"}']
    ]
    found = read(transcript(*other, *rows(5), *said, *rows(5, start=1320)))
    events = [detail for detail in details(found) if "of the device, type" in detail]
    assert events[0] == "1 event of the device, type N at 0.0 s; text is not shown"
    assert events[-1] == "24 messages of the device, type M at 1.0, 1.1, 1.2, 1.3, 1.4 … 3.2 s; text is not shown"
    assert len(events) == 4
    assert not any(word in " ".join(details(found)) for word in ("Jane", "serial", "Sat", "TOO"))


def test_measurements_as_json() -> None:
    text = "".join(
        f'{{"TimeStamp": 15, "event": "M", "type": "{kind}", "ms": {64 * k}, "loc": "A", "num": 0, "val": {k}}}\n'
        for k in range(9)
        for kind in "DF"
    ).encode()
    assert pirds.recognise(text, "x")
    found = prefix_rule(make, text)
    assert found.samples(Channel.PAW) == pytest.approx(np.arange(9) / 10)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_every_cut_gives_the_same(end: str) -> None:
    sets = rows(14)
    sets[3] = [*sets[3], "1593299588:M:D:A:0:12", "", 'x:E:M:1:"no"', '1:E:M:1:"FLOW OUT OF RANGE HIGH"']
    sets[8] = [sets[8][0]]
    text = transcript(*sets[:11], *rows(9, start=90_000), *rows(4, start=5)) + b"\n"
    found = prefix_rule(make, text.replace(b"\n", end.encode()))
    assert found.form() == read(text).form()
    assert len(found.stretches) == 3
    assert any(detail.startswith("line 13: '1593299588:M:D:A:0:12' is neither") for detail in details(found))


def test_the_place_of_a_notice_does_not_hang_on_the_cutting_of_a_long_log() -> None:
    sets = [[*one, '1:E:M:1:"x"', "junk"] if k % 37 == 5 else one for k, one in enumerate(rows(4 * LEARN))]
    text = transcript(*sets)
    rng = np.random.default_rng(1)
    prefix_rule(make, text, [sorted(rng.integers(0, len(text), size)) for size in (1, 9, 900)])


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("1593299588:M:D:A:0:1256:4x", "is neither a measurement nor an event"),
        ("1593299588:M:D:A:0:1256:", "is neither a measurement nor an event"),
        ("1593299588:M:D:A:0:9999999999:4", "9999999999 ms, 4 do not fit into 32 bits"),
        ("1593299588:M:F:A:0:1256:9999999999", "1256 ms, 9999999999 do not fit into 32 bits"),
        ('{"event": "M", "type": "D", "ms": 1, "val": "x"}', "is not a measurement in JSON"),
        ("[" * 50, "is not a measurement in JSON"),
        ("\0\1\2\3", "is neither a measurement nor an event"),
        ("\xff\xfe", "is neither a measurement nor an event"),
        ("9" * (MAX_LINE + 1), "longer than 65536 bytes"),
    ],
)
def test_a_damaged_line_costs_only_its_member(line: str, what: str) -> None:
    sets = rows(9)
    sets[4] = [sets[4][0], line, sets[4][2]]
    found = read(transcript(*sets))
    assert (found.n, np.flatnonzero(np.isnan(found.samples(Channel.PAW))).tolist()) == (9, [4])
    assert next(detail for detail in details(found) if detail.startswith("line 14: ")).endswith(what)
    assert "1 damaged, 0 dropped" in details(found)[-1]


def test_a_last_line_without_its_end_may_have_been_cut_short() -> None:
    found = read(transcript(*rows(9))[:-1])
    assert np.isnan(found.samples(Channel.FLOW)).tolist() == [False] * 8 + [True]
    assert any("has no end and may have been cut short" in detail for detail in details(found))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"hello\n", "line 1: 'xxxxx' is neither a measurement nor an event; no usable row"),
        (transcript(["1:M:P:A:0:1:10112"]), "there are no rows with numbers; no usable row"),
        (transcript(*rows(1)), "the time stamps do not advance, so they give no rate; give --rate HZ"),
        (transcript(*rows(9, step=1000)), "the time stamps say 1 Hz, outside 5-2000 Hz"),
        (bytes(range(256)) * 40, "no usable row"),
        (transcript(*rows(9)).decode().encode("utf-16"), "no usable row"),
    ],
)
def test_refusals(text: bytes, says: str) -> None:
    assert says in refused(make, text)


def test_the_rate_given_must_agree_with_the_stamps() -> None:
    assert "but the time stamps say 15.62 Hz; mend one" in (read(transcript(*rows(9)), 20.0).error or "")
    assert form(read(transcript(*rows(9)), 16.0)) == [(1.0, 16.0, 9)]
    assert read(transcript(*rows(1)), 16.0).n == 1


def test_memory_is_bounded_and_time_is_linear() -> None:
    decoder = make()
    began_s = time.monotonic()
    found = decoder.feed(transcript(*rows(10_000)) + b"junk\n" * 50_000)
    assert time.monotonic() - began_s < 10.0
    assert sum(len(item) for item in found if isinstance(item, Chunk)) >= 9_990
    assert len(decoder._grid._held) == len(decoder._events) == 0


@pytest.mark.parametrize(
    ("head", "is_ours"),
    [
        (transcript(*rows(2)), True),
        (b'1593299588:E:C:26324:"Sat Jun 27"\n' + transcript(*rows(1)), True),
        (b"12:30:45:11:0:0:5\n", False),
        (b'{"event": "E", "type": "M", "buff": "x"}\n', False),
        (b"[[[[", False),
        (b"", False),
        (b"time_s,flow_l_s\n", False),
    ],
)
def test_recognise(head: bytes, *, is_ours: bool) -> None:
    assert pirds.recognise(head, "0Logfile") is is_ours


def test_no_other_format_claims_it() -> None:
    for other in (csv_table, parquet_table, pb840, servo_u, respiraworks):
        assert not other.recognise(transcript(*rows(9)), "x")
    assert FORMATS["pirds"].load() is pirds


def test_no_row_of_a_longer_file_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(transcript(*rows(3000)))
    assert stream(open_recording(path).items()).n == 3000


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_bytes_any_cut(draw: st.DataObject) -> None:
    text = bytearray(transcript(*rows(12), ['1:E:M:1:"x"'], *rows(5, start=50_000)))
    for _ in range(draw.draw(st.integers(0, 5))):
        at = draw.draw(st.integers(0, len(text)))
        junk = st.sampled_from(
            [b"", b"\0", b" ", b"\n", b"9", b":", b"\xff", b"{", b"}", b"[", b'"', b"M", b"-", b"\r"]
        )
        text[at : at + draw.draw(st.integers(0, 9))] = draw.draw(junk | st.binary(max_size=9))
    cuts = draw.draw(st.lists(st.integers(0, len(text)), max_size=6))
    prefix_rule(make, bytes(text), [cuts])


@pytest.mark.parametrize("path", recordings("pirds-ventmon/0Logfile*"))
def test_real_recording(path: Path) -> None:
    recording = open_recording(path)
    assert recording.format == "pirds"
    found = same_twice(recording.items)
    assert len(found.stretches) == 1
    whole = found.stretches[0]
    assert (whole.start_s, whole.n / whole.rate_hz) == (26.324, pytest.approx(276.2, abs=0.2))
    paw, flow = found.samples(Channel.PAW), found.samples(Channel.FLOW) * 60
    assert (np.nanmin(paw), np.nanmax(paw)) == (pytest.approx(-1.6, abs=0.1), pytest.approx(18.8, abs=0.1))
    assert (np.nanmin(flow), np.nanmax(flow)) == (pytest.approx(-22.5, abs=0.5), pytest.approx(40.8, abs=0.5))
    assert recording.damaged_rows == recording.dropped_rows == 0
    assert any(" messages of the device, type M at " in detail for detail in details(found))
    assert not any("FLOW" in detail for detail in details(found))
    # at rest for some 250 s, and then 8 breaths
    breaths = segmented([item for item in recording.items() if isinstance(item, Chunk)]).breaths
    assert 6 <= sum(breath.start_s > 270 for breath in breaths) <= 8
    text = path.read_bytes()
    rng = np.random.default_rng(100)
    prefix_rule(make, text, [sorted(rng.integers(0, len(text), size)) for size in (1, 30, 1500)])


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("ends", ["[]", ""])
def test_objects_in_an_array_or_over_several_lines_are_those_of_lines(indent: int | None, ends: str) -> None:
    text = as_json(*rows(70), indent=indent, ends=ends)
    assert pirds.recognise(text, "x")
    assert pirds.recognise(b"\xef\xbb\xbf\r\n " + text, "x")
    assert read(text).form() == read(transcript(*rows(70))).form()
    prefix_rule(make, text[:1200])


def test_a_broken_object_costs_itself() -> None:
    whole = as_json(*rows(9), indent=1)
    at = whole.index(b'"type"', 700)
    found = read(whole[:at] + b'"x' + whole[at + 8 :])
    assert found.error is None
    assert found.n == 9
    assert details(found)[0].startswith("object 10: ")


def test_standard_gas_is_converted_and_what_the_user_says_wins(tmp_path: Path) -> None:
    path = tmp_path / "log.pirds"
    path.write_bytes(transcript(*rows(70)))
    assert btps_factor(open_recording(path).sidecar.context) == pytest.approx(1.2103, abs=1e-4)
    said = Sidecar(context=Context(standard_c=20.0))
    assert btps_factor(open_recording(path, context=said).sidecar.context) == pytest.approx(1.1277, abs=1e-4)
    said = Sidecar(context=Context(flow_conditions="BTPS"))
    assert btps_factor(open_recording(path, context=said).sidecar.context) == 1.0


def test_other_places_are_named_by_the_sidecar() -> None:
    text = b"".join(b"1:M:F:B:1:%d:%d\n1:M:D:B:1:%d:%d\n" % (64 * k, 6000 * k, 64 * k, 10 * k) for k in range(9))
    columns = {"F:B:1": "flow_slm", "D:B:1": "paw_cmh2o"}
    found = decoded(lambda: pirds.Decoder(ReadOptions(columns=columns)), [text])
    assert found.samples(Channel.FLOW) * 10 == pytest.approx(np.arange(9.0))
    assert "no usable row" in refused(make, text)
    for wrong in ({"F:B:1": "flow_l_min"}, {"F": "flow_slm"}, {"D:A:0": "flow_slm"}):
        with pytest.raises(ConfigError, match="name one by type, place and number"):
            pirds.Decoder(ReadOptions(columns=wrong))


def test_columns_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"BS, S:1,\n1.00, 5.00\n2.00, 6.00\nBE\n")
    told = Sidecar(recording=RecordingInfo(columns={"0": "flow_l_min"}))
    notices = [item for item in open_recording(path, context=told).items() if not isinstance(item, Chunk)]
    assert notices[0].detail == "columns are not used: what the signals of this format are is fixed"
