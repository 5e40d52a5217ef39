from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions
from adapters.decoding.text_rows import MAX_LINE, Scanner
from adapters.formats import pb840
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel
from streamer.model.errors import ConfigError
from streamer.model.records import NoticeKind
from tests.support.adapter_contract import Stream, decoded, prefix_rule, recordings, refused, same_twice
from tests.support.builders.pb840_files import SMALL


def make() -> pb840.Decoder:
    return pb840.Decoder(ReadOptions())


def read(*parts: bytes) -> Stream:
    return decoded(make, parts)


def test_rows_become_litres_per_second_and_cmh2o_at_50_hz() -> None:
    found = read(b"BS, S:1,\n30.00, 7.04\n-60.00, 25.50\nBE\n")
    assert found.samples(Channel.FLOW).tolist() == [0.5, -1.0]
    assert found.samples(Channel.PAW).tolist() == [7.04, 25.5]
    assert [(s.start_s, s.rate_hz, s.n) for s in found.stretches] == [(0.0, 50.0, 2)]
    assert found.notices == []


def test_damaged_rows_keep_their_slot_and_are_told_once_a_run() -> None:
    found = read(SMALL)
    first = found.stretches[0]
    assert np.isnan(first.joined()[Channel.FLOW]).tolist() == [False, False, True, True, False, False]
    (place, run), (_, total) = found.notices
    assert (place, run.kind, run.at_s) == (4, NoticeKind.DAMAGED, 0.04)
    assert run.detail == "line 5: '45.58' is not 'flow, pressure' with two decimals each (and 1 more)"
    assert total.values == {"damaged_rows": 2.0, "dropped_rows": 0.0}


def test_a_byte_order_mark_is_passed_over() -> None:
    marked = b"\xef\xbb\xbf2016-02-17-08-43-02\n1.00, 5.00\n"
    assert pb840.recognise(marked, "")
    found = prefix_rule(make, marked)
    assert (found.n, found.notices) == (1, [])


def test_a_later_time_of_day_shows_a_gap_and_a_small_one_does_not() -> None:
    found = read(SMALL)
    second = found.stretches[1]
    assert second.start_s == pytest.approx(10.6 - 0.525325, abs=1e-5)  # 08:43:02.525325 to 08:43:12.6
    close = read(SMALL.replace(b"-43-12.6", b"-43-03.5"))
    assert len(close.stretches) == 1


@pytest.mark.parametrize("wrong", [b"2016-02-17-08-41-00", b"2116-02-17-08-43-03"], ids=["back", "a century"])
def test_a_time_of_day_that_cannot_be_is_a_pause_of_unknown_length(wrong: bytes) -> None:
    found = read(SMALL.replace(b"2016-02-17-08-43-12.6", wrong))
    assert found.stretches[1].start_s == pytest.approx(6 / 50 + 2.0)
    assert any("the time of day jumps by" in notice.detail for _, notice in found.notices)


def test_a_time_of_day_that_is_none_is_damage_without_a_slot() -> None:
    found = read(SMALL.replace(b"2016-02-17-08-43-12.6", b"2016-13-17-08-43-12"))
    assert [stretch.n for stretch in found.stretches] == [7]
    assert "'2016-13-17-08-43-12' is not a time" in str(found.notices)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_every_cut_gives_the_same(end: bytes) -> None:
    found = prefix_rule(make, SMALL.replace(b"\n", end))
    assert found.form() == read(SMALL).form()


@pytest.mark.parametrize(
    "row",
    [b"1.0, 5.00", b"1.00, 5.0", b"1.00, 5.001", b"1.00 5.00", b"1.00, 5.00 6.00, 7.00", b"1.004.00, 5.00",
     b".45, 5.00", b"1.00, 5.00, 6.00", b"1.00,", b"1.00, nan", b"1e0, 5.00", b"--1.00, 5.00", b"\xff\xfe"],
)  # fmt: skip
def test_rows_cut_short_or_run_together_are_never_numbers(row: bytes) -> None:
    found = read(b"BS, S:1,\n1.00, 5.00\n" + row + b"\n2.00, 6.00\n")
    assert found.samples(Channel.PAW)[[0, 2]].tolist() == [5.0, 6.0]
    assert np.isnan(found.samples(Channel.PAW)[1])


def test_nul_bytes_stand_for_lost_rows_but_not_before_the_first() -> None:
    start = read(b"2131-07-04-09-55-20.7\n" + b"\0" * 1185 + b"BS, S:1673,\n1.97, 7.43\n")
    assert start.n == 1
    middle = read(b"1.97, 7.43\n" + b"\0" * 130 + b"2.00, 7.00\n")
    assert np.isnan(middle.samples(Channel.PAW)).tolist() == [False] + [True] * 10 + [False]
    inside = read(b"1.97, 7.43\n1.\0\0, 7.00\n2.00, 7.00\n")
    assert np.isnan(inside.samples(Channel.PAW)).tolist() == [False, True, False]


def test_a_line_without_end_is_one_damaged_row_in_bounded_memory() -> None:
    decoder = make()
    decoder.feed(b"BS, S:1,\n1.00, 5.00\n")
    for _ in range(300):
        assert decoder.feed(b"x" * 10_000) == []
    assert len(decoder._scanner._kept) <= MAX_LINE + 2
    items = decoder.feed(b"\n2.00, 6.00\n") + decoder.close()
    assert "longer than 65536 bytes" in str([notice for notice in items if hasattr(notice, "detail")])
    long_line = b"1.00, 5.00\n" + b"y" * (MAX_LINE + 5) + b"\r2.00, 6.00\n"
    prefix_rule(make, long_line, [[30], [MAX_LINE + 12], [MAX_LINE + 16], [MAX_LINE + 17], range(500, 70_000, 997)])


def test_long_damage_is_a_declared_gap() -> None:
    found = read(b"1.00, 5.00\n" + b"junk\n" * 5000 + b"2.00, 6.00\n")
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [(0.0, 1), (5001 / 50, 1)]


def test_at_most_twenty_runs_are_told_one_by_one() -> None:
    found = read(b"BS, S:1,\n" + b"junk\n1.00, 5.00\n" * 30)
    assert len(found.notices) == 21
    assert found.notices[-1][1].detail == "and 10 more runs; 30 damaged, 0 dropped, 30 good rows in all"


def test_good_rows_before_junk_are_kept() -> None:
    found = read(b"1.00, 5.00\n" * 100 + b"\xff\xd8\xff\xe0" * 5000)
    assert found.n == 100
    assert found.error is None


def test_without_any_row_it_is_refused_with_the_line() -> None:
    assert "line 2: '0.1, 2'" in refused(make, b"BS, S:1,\n0.1, 2\n")
    assert "no usable row" in refused(make, b"BS, S:1,\nBE\n")


def test_another_rate_is_refused() -> None:
    with pytest.raises(ConfigError, match="always sends 50"):
        pb840.Decoder(ReadOptions(rate_hz=100.0))
    assert pb840.Decoder(ReadOptions(rate_hz=50.0)).close


def test_stamped_lines_count_rows_and_show_long_gaps() -> None:
    lines = [
        b"2015-06-03 23:59:58.900, BS, S:7530,",
        b"2015-06-03 23:59:58.950, -1.18, 9.06",
        b"2015-06-03 23:59:59.900, 2.71, 9.11",  # late by 0.93 s: arrival, not a gap
        b"2015-06-03 23:59:59.950,",
        b"2015-06-04 00:00:05.000, 6.57, 9.51",
        b"2015-06-04 00:00:05.001, BE",
    ]
    found = prefix_rule(make, b"\n".join(lines))
    assert [stretch.n for stretch in found.stretches] == [2, 1]
    assert found.stretches[1].start_s == pytest.approx(0.04 + 5.05, abs=1e-4)


@pytest.mark.parametrize(
    ("head", "is_ours"),
    [
        (SMALL, True),
        (b"\0" * 900 + b"BS, S:1,\n", True),
        (b"2015-06-03 17:33:08.421956857, -1.18, 9.06\n", True),
        (b"2016-02-17-08-43-02.5\n\n1.00, 2.00\n", True),
        (b"1.00, 2.00\n3.00, 4.00\n", False),  # numbers alone could be anything
        (b"BN,ventBN,BS,IEnd\n1,2,3,4\n", False),
        (b"2016-02-17-08-43-02.5\nhello\n", False),
        (b"", False),
    ],
)
def test_recognise(head: bytes, *, is_ours: bool) -> None:
    assert pb840.recognise(head, "x.csv") is is_ours


junk = st.sampled_from(
    [b"\0\0", b"\r", b"\n", b"45.58", b", ", b"BE", b"x", b".", b"-", b" ", b"9", b"\xff", b"2016-02-17-09-43-02"]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    text = bytearray(SMALL)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(text)))
        del text[at : at + draw(st.integers(0, 5))]
        text[at:at] = draw(junk)
    return bytes(text)


@settings(max_examples=150, deadline=None)
@given(mutated() | st.binary(max_size=200), st.lists(st.integers(0, 260), max_size=6))
def test_any_bytes_any_cut_the_compiled_and_the_careful_path_agree(text: bytes, cuts: list[int]) -> None:
    whole = prefix_rule(make, text, [[min(at, len(text)) for at in cuts]])

    def careful() -> pb840.Decoder:
        decoder = make()
        decoder._scanner = Scanner(0, ",")
        return decoder

    assert decoded(careful, [text]).form() == whole.form()


@given(st.from_regex(r"[-+]?[0-9]{1,38}\.[0-9]{2}", fullmatch=True))
@settings(max_examples=200, deadline=None)
def test_compiled_decimals_equal_pythons(text: str) -> None:
    found = read(f"{text}, {text}\n".encode())
    assert found.samples(Channel.PAW).tolist() == [float(text)]


def simple_count(path: Path) -> tuple[int, int]:
    """Good and damaged rows, counted without this project's parser."""
    good = damaged = 0
    for raw in path.read_bytes().split(b"\n"):
        line = re.sub(rb"^\d{4}-\d\d-\d\d[- ]\d\d[-:]\d\d[-:]\d\d\.\d+,?", b"", raw.strip(b"\0 \r"))
        damaged += b"\0" in raw
        if re.fullmatch(rb" *-?\d+\.\d\d, -?\d+\.\d\d", line):
            good += 1
        elif line and not line.strip().startswith((b"BS, S:", b"BE")):
            damaged += 1
    return good, damaged


@pytest.mark.parametrize("path", recordings("pb840-ventmap/*test") + recordings("pb840-ventmode/raw_*"))
def test_real_captures(path: Path) -> None:
    if "breath_meta" in path.name:
        pytest.skip("a table of the origin's results, no capture")
    recording = open_recording(path)
    assert recording.format == "pb840"
    found = same_twice(recording.items)
    good, damaged = simple_count(path)
    assert good > 0
    assert recording.damaged_rows == damaged
    assert int(np.isfinite(found.samples(Channel.PAW)).sum()) == good
    assert found.n - good == sum(1 for _, n in found.notices[:-1] if "NUL" not in n.detail)
    if len(found.stretches) > 1:
        assert path.name == "real_time_raw_utils.test"  # the only one with a minute between its time lines
        assert [round(stretch.start_s) for stretch in found.stretches] == [0, 60, 120, 180]


@pytest.mark.parametrize("path", recordings("pb840-ventmap/speedup*") + recordings("pb840-ventmap/vent-file*"))
def test_random_cuts_of_real_captures(path: Path) -> None:
    rng = np.random.default_rng(840)
    text = path.read_bytes()
    prefix_rule(make, text, [sorted(rng.integers(0, len(text), size)) for size in (3, 40, 2000)])


@pytest.mark.parametrize("n", [1, 17, 500])
@pytest.mark.parametrize("text", ["# captured by a program, 38400 8N1", "#", "Patient: Jane Doe"])
def test_lines_above_the_rows_take_no_time(n: int, text: str) -> None:
    plain = b"BS, S:1,\n" + b"1.00, 5.00\n" * 9
    found = decoded(make, [f"{text}\n".encode() * n + plain])
    assert [(one.start_s, one.n) for one in found.stretches] == [(0.0, 9)]
    assert "Jane" not in str(found.notices)
    within = decoded(make, [plain + f"{text}\n".encode() + plain])
    assert within.n == (18 if text.startswith("#") else 19)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (SMALL, "2016-02-17 08:43:02.525325"),
        (b"2015-06-03 17:33:08.421956857, -1.18, 9.06\n", "2015-06-03 17:33:08.421956"),
        (b"# a header\nBS, S:1,\n2015-06-03 17:33:08, 1.18, 9.06\n", "2015-06-03 17:33:08"),
        (b"2015-06-03-17-33-08.5\r\nBS, S:1,\r\n1.00, 5.00\r\n", "2015-06-03 17:33:08.500000"),
        (b"2015-13-03-17-33-08.5\n1.00, 5.00\n", "None"),
        (b"0001-01-01-00-00-00.0\n1.00, 5.00\n", "None"),
        (b"BS, S:1,\n1.00, 5.00\n2015-06-03-17-33-08.5\n1.00, 5.00\n", "None"),
        (b"", "None"),
    ],
)
def test_a_date_above_the_first_row_is_its_start(text: bytes, start: str) -> None:
    found = pb840.told(text, ReadOptions()).recording
    assert (str(found.start_local), found.start_utc) == (start, None)
