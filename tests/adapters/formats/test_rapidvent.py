from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions
from adapters.decoding.text_rows import MAX_LINE
from adapters.formats import FORMATS, parquet_table, pb840, pirds, rapidvent, respiraworks, servo_u
from adapters.formats import text_table as csv_table
from adapters.formats.rapidvent import SETTLE
from adapters.recordings.open import open_recording
from streamer.core.bed import Bed
from streamer.model.chunk import Channel
from streamer.model.records import BreathRecord, Notice, NoticeKind
from tests.support.adapter_contract import (
    Stream,
    decoded,
    prefix_rule,
    recordings,
    refused,
    same_twice,
    stream,
)
from tests.support.builders.rapidvent_files import HEADER, full, transcript

PRESSURE_ONLY = ["the header names no units: pressure as cmH2O", "column flow has no number and is left out"]
NO_FLOW = "this recording gives no flow"


def bench(n: int) -> list[str]:
    return [f"{5 + k % 8 / 8},,,," for k in range(n)]


def make(rate_hz: float | None = None, columns: dict[str, str] | None = None) -> rapidvent.Decoder:
    return rapidvent.Decoder(ReadOptions(rate_hz=rate_hz, columns=columns or {}))


def read(text: bytes, columns: dict[str, str] | None = None) -> Stream:
    return decoded(lambda: make(columns=columns), [text])


def details(found: Stream) -> list[str]:
    return [notice.detail for _, notice in found.notices]


def form(found: Stream) -> list[tuple[float, float, int]]:
    return [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches]


def missing(found: Stream) -> list[int]:
    return np.flatnonzero(np.isnan(found.samples(Channel.PAW))).tolist()


def test_pressure_alone_is_one_channel_and_the_empty_column_is_told() -> None:
    found = read(transcript(bench(4)))
    assert form(found) == [(0.0, 50.0, 4)]
    assert {name: samples.tolist() for name, samples in found.stretches[0].joined().items()} == {
        Channel.PAW: [5.0, 5.125, 5.25, 5.375]
    }
    assert [(n, notice.kind) for n, notice in found.notices] == [(0, NoticeKind.NOTE)] * 3
    assert details(found) == [*PRESSURE_ONLY, NO_FLOW]


def test_a_long_number_that_is_none_is_seen_at_once() -> None:
    found = read(transcript(["9" * 65_000 + "x,1,,,", *full(4)]))  # every end was tried from every beginning
    assert (found.n, missing(found)) == (5, [0])


def test_flow_is_litres_per_minute_and_told() -> None:
    found = read(transcript(full(4)))
    assert found.samples(Channel.FLOW).tolist() == [0.0, 0.1, 0.2, 0.3]
    assert details(found) == ["the header names no units: pressure as cmH2O, flow as L/min"]


@pytest.mark.parametrize(
    ("columns", "header", "paw", "flow"),
    [
        ({"flow": "flow_l_s"}, HEADER, 5.125, 6.0),
        ({"1": "flow_ml_s"}, HEADER, 5.125, 0.006),
        ({"Flow": "flow_l_s", "true_pip": "paw_cmh2o"}, HEADER, 20.0, 6.0),
        ({"time": "time_s", "7": "flow_l_s"}, HEADER, 5.125, 0.1),
        ({"p": "paw_cmh2o", "v": "flow_l_s"}, "p,v,a,b,c", 5.125, 6.0),
    ],
)
def test_the_sidecar_says_what_a_column_is(columns: dict[str, str], header: str, paw: float, flow: float) -> None:
    found = read(transcript(full(2), header), columns)
    assert (found.samples(Channel.PAW)[1], found.samples(Channel.FLOW)[1]) == (paw, flow)


def test_no_flow_column_and_other_names_of_labels() -> None:
    found = read(transcript(["10.57,20.57,10.88,14.1"] * 3, "pressure,pip,peep,rr"))
    assert details(found) == [PRESSURE_ONLY[0], NO_FLOW]


def test_a_signal_is_settled_by_the_first_lines_alone() -> None:
    rows = [*bench(SETTLE - 1), "5,6,,,", *bench(9)]
    assert Channel.FLOW in read(transcript(rows)).stretches[0].joined()
    rows = [*bench(SETTLE), *full(9)]
    found = read(transcript(rows))
    assert (list(found.stretches[0].joined()), found.n) == ([Channel.PAW], SETTLE + 9)
    late = f"line {SETTLE + 3}: column flow has numbers from here on and stays left out; cut the file before this line"
    assert details(found) == [*PRESSURE_ONLY, NO_FLOW, f"{late} to read them"]
    assert found.notices[-1][0] == SETTLE
    text = transcript(rows)
    edges = [[len(text) - 40], range(0, len(text), 7), range(len(text) - 400, len(text))]
    prefix_rule(make, text, edges)


def test_an_empty_field_is_a_missing_sample_and_no_damage() -> None:
    found = read(transcript(["5,,,,", ",,,,", "nan,,,,", "6.5e0,,,,"]))
    assert (found.n, missing(found), found.samples(Channel.PAW)[3]) == (4, [1, 2], 6.5)
    assert details(found) == [*PRESSURE_ONLY, NO_FLOW]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_every_cut_gives_the_same(end: str) -> None:
    rows = bench(12)
    rows[5] = "5.6,,"
    text = b"\xef\xbb\xbf" + transcript([*rows, "", "#samplerate,50", HEADER, *bench(5)])
    found = prefix_rule(make, text.replace(b"\n", end.encode()))
    assert found.form() == read(text).form()
    assert (missing(found), form(found)) == ([5], [(0.0, 50.0, 12), (pytest.approx(2.24), 50.0, 5)])
    assert details(found)[3].startswith("line 8: '5.6,,' has 3 fields, the header 5")
    assert details(found)[4] == "line 16: another recording begins; the pause is unknown and shown as 2 s"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("5.250,,,", "has 4 fields, the header 5"),
        ("5.250", "has 1 fields, the header 5"),
        ("5;250,,,,", "is not a row of numbers"),
        ("x,,,,", "is not a row of numbers"),
        ("1e999,,,,", "has a number too large"),
        ("\0\0\0,,,,", "is not a row of numbers"),
        ("9" * (MAX_LINE + 1), "longer than 65536 bytes"),
    ],
)
def test_a_damaged_row_keeps_its_slot_and_is_told_with_its_line(line: str, what: str) -> None:
    rows = bench(9)
    rows[2] = line
    found = read(transcript(rows))
    assert (found.n, missing(found)) == (9, [2])
    assert details(found)[3].startswith("line 5: ")
    assert details(found)[3].endswith(what)
    assert details(found)[4] == "1 damaged, 0 dropped, 8 good rows in all"


def test_a_file_cut_short_loses_only_its_last_row() -> None:
    text = transcript(bench(20))
    assert (read(text[:-1]).n, len(details(read(text[:-1])))) == (20, 3)
    assert read(text[:-3]).n == 19


def test_another_rate_below_ends_what_can_be_read() -> None:
    found = read(transcript(bench(50)) + transcript(bench(50), rate="100"))
    assert int(np.isfinite(found.samples(Channel.PAW)).sum()) == 50
    assert "line 53: '#xxxxxxxxxx,100' stands below another rate" in details(found)[3]


def test_memory_is_bounded() -> None:
    decoder = make()
    decoder.feed(transcript(bench(20_000)))
    decoder.feed(b"junk\n" * 20_000)
    assert (decoder._held, decoder._rows) == (None, [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"pressure,flow\n1,2\n", "line 1: 'xxxxxxxx,xxxx' is not '#samplerate,N'"),
        (b"#samplerate,50\n", "there is no header line with the names of the columns"),
        (transcript([]), "no usable row"),
        (transcript([",,,,"] * 9), "no usable row"),
        (transcript(["x"]), "line 3: 'x' has 1 fields, the header 5; no usable row"),
        (transcript(bench(3), "a,b,c,d,e"), "line 2: no column pressure or flow; columns seen: 'a,b,c,d,e'"),
        (transcript(bench(3), rate="1"), "line 1: a rate of 1 Hz is outside 5-2000 Hz"),
        (transcript(bench(3), rate="99999"), "outside 5-2000 Hz"),
        (bytes(range(256)) * 9, "is not '#samplerate,N'"),
        (transcript(bench(3)).decode().encode("utf-16"), "is not '#samplerate,N'"),
        (b"9" * 200_000, "is not '#samplerate,N'"),
    ],
)
def test_refusals(text: bytes, says: str) -> None:
    assert says in refused(make, text)


def test_the_rate_given_must_agree_with_the_file() -> None:
    wrong = decoded(lambda: make(100.0), [transcript(bench(3))])
    assert "line 1: the rate is given as 100 Hz" in (wrong.error or "")
    assert form(decoded(lambda: make(50.1), [transcript(bench(3))])) == [(0.0, 50.1, 3)]


@pytest.mark.parametrize(
    ("head", "is_ours"),
    [
        (transcript(bench(2)), True),
        (b"\xef\xbb\xbf\r\n#SampleRate, 133.5,,,\r\npressure\r\n", True),
        (b"# a comment\npressure,flow\n", False),
        (b"pressure,flow\n#samplerate,50\n", False),
        (b"", False),
    ],
)
def test_recognise(head: bytes, *, is_ours: bool) -> None:
    assert rapidvent.recognise(head, "x.csv") is is_ours


def test_no_other_format_claims_it() -> None:
    for other in (csv_table, parquet_table, pb840, servo_u, respiraworks, pirds):
        assert not other.recognise(transcript(bench(9)), "x.csv")
    assert list(FORMATS).index("rapidvent") < list(FORMATS).index("csv")


def test_no_row_of_a_longer_file_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(transcript(full(3000)))
    assert stream(open_recording(path).items()).n == 3000


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_bytes_any_cut(draw: st.DataObject) -> None:
    text = bytearray(transcript([*bench(6), "#samplerate,50", *full(6)]))
    for _ in range(draw.draw(st.integers(0, 4))):
        at = draw.draw(st.integers(0, len(text)))
        junk = st.sampled_from([b"", b"\0", b" ", b"\n", b"9", b".", b",", b"\xff", b"#", b"e", HEADER.encode(), b"\r"])
        text[at : at + draw.draw(st.integers(0, 9))] = draw.draw(junk | st.binary(max_size=9))
    cuts = draw.draw(st.lists(st.integers(0, len(text)), max_size=6))
    prefix_rule(make, bytes(text), [cuts])


@pytest.mark.parametrize("path", recordings("illinois-rapidvent-bench/*.csv"))
def test_real_recordings(path: Path) -> None:
    rate_hz, length_s = {"low_rate.csv": (100.0, 64.0), "lung_disconnect.csv": (133.0, 45.0)}[path.name]
    recording = open_recording(path)
    assert recording.format == "rapidvent"
    found = same_twice(recording.items)
    pressure = np.array([float(line.split(",")[0]) for line in path.read_text().splitlines()[2:]])
    assert form(found) == [(0.0, rate_hz, pressure.size)]
    assert pressure.size / rate_hz == pytest.approx(length_s, abs=1.0)
    assert np.array_equal(found.samples(Channel.PAW), pressure)
    assert details(found) == [*PRESSURE_ONLY, NO_FLOW]
    assert recording.damaged_rows == recording.dropped_rows == 0
    text = path.read_bytes()
    rng = np.random.default_rng(100)
    prefix_rule(make, text, [sorted(rng.integers(0, len(text), size)) for size in (1, 30, 1500)])
    # without flow there are no breaths, and that is said once
    bed = Bed("bench")
    events = [event for item in recording.items() for event in bed.push(item)] + bed.close()
    assert not any(isinstance(event, BreathRecord) for event in events)
    said = [event.detail for event in events if isinstance(event, Notice)]
    assert said[3:] == ["source 'rapidvent' gives no flow: no breaths can be found in it"]
