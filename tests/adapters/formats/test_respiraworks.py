from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions
from adapters.decoding.text_rows import MAX_LINE
from adapters.formats import FORMATS, parquet_table, pb840, respiraworks, servo_u
from adapters.formats import text_table as csv_table
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel, Chunk
from streamer.model.records import NoticeKind
from streamer.model.units import CMH2O_PER_KPA, CMH2O_PER_MBAR
from tests.support.adapter_contract import (
    Stream,
    decoded,
    prefix_rule,
    recordings,
    refused,
    same_twice,
    stream,
)
from tests.support.builders.respiraworks_files import NAMES, json_waves, row, rows, saved, transcript
from tests.support.streams import segmented

TOLD = "the header names no unit for net_flow and pressure: taken as mL/s and cmH2O"


def make(rate_hz: float | None = None) -> respiraworks.Decoder:
    return respiraworks.Decoder(ReadOptions(rate_hz=rate_hz))


def read(text: bytes) -> Stream:
    return decoded(make, [text])


def details(found: Stream) -> list[str]:
    return [notice.detail for _, notice in found.notices]


def missing(found: Stream) -> list[int]:
    return np.flatnonzero(np.isnan(found.samples(Channel.FLOW))).tolist()


def test_rows_become_canonical_and_the_units_taken_are_told() -> None:
    found = read(transcript(rows(4)))
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.0, 100.0, 4)]
    assert found.samples(Channel.FLOW).tolist() == [0.0, 0.25, 0.5, 0.75]
    assert found.samples(Channel.PAW).tolist() == [5.0, 5.125, 5.25, 5.375]
    assert [(n, notice.kind, notice.detail) for n, notice in found.notices] == [(0, NoticeKind.NOTE, TOLD)]


@pytest.mark.parametrize(
    ("names", "line", "paw", "flow"),
    [
        ("time(sec) net_flow(mL/s) pressure(cmH2O)", "410.000 12.500", 12.5, 0.41),
        ("time(sec) net_flow (mL/s) pressure (cmH2O)", "410.000 12.500", 12.5, 0.41),
        ("time(s) pressure(mbar) net_flow(L/min)", "12.500 24.600", 12.5 * CMH2O_PER_MBAR, 24.6 / 60),
        ("time(sec)\tpressure(HPA)\tnet_flow(l/s)", "12.500\t0.410", 12.5 * CMH2O_PER_MBAR, 0.41),
        ("time(sec) cmd flag pressure(kPa) net_flow(ml/s)", "0x1f on 1.250 410.000", 1.25 * CMH2O_PER_KPA, 0.41),
    ],
)
def test_any_order_of_columns_and_the_units_that_are_named(names: str, line: str, paw: float, flow: float) -> None:
    found = read(transcript([f"{k / 50:.3f} {line}" for k in range(9)], names))
    assert (found.samples(Channel.PAW)[3], found.samples(Channel.FLOW)[3]) == (paw, flow)
    assert [(stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(50.0, 9)]
    assert found.notices == []


def test_time_in_milliseconds_first_stamp_kept_and_no_pressure() -> None:
    lines = [f"{5000 + 10 * k}.000 1.000" for k in range(9)]
    lines[4] = "5040.000 1.0"
    found = read(transcript(lines, "time(ms) net_flow(L/s)"))
    assert missing(found) == [4]
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(5.0, 100.0, 9)]
    assert list(found.stretches[0].joined()) == [Channel.FLOW]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_every_cut_gives_the_same(end: str) -> None:
    lines = rows(14)
    lines[5] = "0.050  15.000  5.6"
    lines[9:9] = ["# a comment takes no slot", ""]
    text = b"\xef\xbb\xbf" + transcript([*lines, NAMES, *rows(3)])
    found = prefix_rule(make, text.replace(b"\n", end.encode()))
    assert found.form() == read(text).form()
    assert missing(found) == [5]
    assert details(found)[1].startswith("line 10: '0.050  15.000  5.6' has 3 fields, the header 5")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("0.020  15.000  5.250  -2.000", "has 4 fields, the header 5"),
        ("0.020  15.000  5.250  -2.000  500.000  1", "has 6 fields, the header 5"),
        ("0.020  15.000  5.250  -2.000  500.0", "is not a row of numbers with three decimals each"),
        ("0.020  15.000  5.2500.020  -2.000  5.000", "is not a row of numbers with three decimals each"),
        ("0.020  15.000  5,250  -2.000  500.000", "is not a row of numbers with three decimals each"),
        ("0.020  15.000  inf  -2.000  500.000", "is not a row of numbers with three decimals each"),
        ("nan  15.000  5.250  -2.000  500.000", "is not a row of numbers with three decimals each"),
        ("\0" * 40, "has 1 fields, the header 5"),
        ("9" * (MAX_LINE + 1), "longer than 65536 bytes"),
    ],
)
def test_a_damaged_row_keeps_its_slot_and_is_told_with_its_line(line: str, what: str) -> None:
    lines = rows(9)
    lines[2] = line
    found = read(transcript(lines))
    assert (found.n, missing(found)) == (9, [2])
    assert found.samples(Channel.FLOW)[3] == 0.75
    assert details(found)[1].startswith("line 7: ")
    assert details(found)[1].endswith(what)
    assert details(found)[2] == "1 damaged, 0 dropped, 8 good rows in all"


def test_a_long_run_of_blanks_is_passed_at_once() -> None:
    text = transcript([*rows(4), *["x" + " " * 65_000 + "x"] * 9, *rows(20)[13:]])  # each took three seconds
    assert respiraworks.recognise(text[:65_536], "")
    assert not respiraworks.recognise(b"x" + b" " * 65_000 + b"x\n", "")
    assert (read(text).n, missing(read(text))) == (20, list(range(4, 13)))


def test_nan_is_a_missing_sample_and_no_damage() -> None:
    found = read(transcript([row(0), "0.010  15.000  nan  0.000  -1.000", row(2)]))
    assert np.isnan(found.samples(Channel.PAW)).tolist() == [False, True, False]
    assert (missing(found), details(found)) == ([], [TOLD])


def test_a_table_cut_short_loses_only_its_last_row() -> None:
    text = transcript(rows(20))
    assert (read(text[:-1]).n, details(read(text[:-1]))) == (20, [TOLD])
    found = read(text[:-3])
    assert found.n == 19
    assert details(found)[1].startswith("line 24: ")


def test_lost_rows_are_a_gap_in_time() -> None:
    found = read(transcript([*rows(300)[:100], *rows(300)[200:]]))
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [(0.0, 100), (2.0, 100)]


def test_tables_strung_together_are_joined_by_a_gap_unless_their_columns_differ() -> None:
    found = read(transcript(rows(50)) + transcript(rows(50)))
    assert [stretch.n for stretch in found.stretches] == [50, 50]
    assert found.stretches[1].start_s == pytest.approx(0.49 + 2.0)
    assert details(found)[1] == (
        "line 58: the header again, so another recording begins; the pause between is unknown and shown as 2 s"
    )
    other = read(transcript(rows(50)) + transcript(rows(50), NAMES.replace("volume", "net_flow", 1)))
    assert int(np.isfinite(other.samples(Channel.FLOW)).sum()) == other.n == 50
    assert "line 58: another header, so another recording begins (and 50 more)" in details(other)


def test_the_rate_given_must_agree_with_the_stamps() -> None:
    assert "but the time stamps say 100 Hz" in (decoded(lambda: make(50.0), [transcript(rows(50))]).error or "")
    assert decoded(lambda: make(100.0), [transcript(rows(1))]).n == 1


def test_a_long_table_is_read_in_bounded_memory() -> None:
    decoder = make()
    items = decoder.feed(transcript(rows(20_000)))
    assert sum(len(item) for item in items if isinstance(item, Chunk)) >= 20_000 - 8
    assert decoder._clock._held <= 8


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"# only a comment\n", "there is no header line with the names of the columns"),
        (transcript([]), "no usable row"),
        (transcript(rows(1)), "the time stamps do not advance, so they give no rate; give --rate HZ"),
        (transcript(["0.000  1"]), "line 5: '0.000  1' has 2 fields, the header 5; no usable row"),
        (transcript(rows(3), "time(sec)  pc_setpoint  pressure"), "line 4: no column net_flow(mL/s), nor another flow"),
        (transcript(rows(3), "pressure net_flow"), "line 4: no column time(sec) in this RespiraWorks table"),
        (transcript(rows(3), "time(sec) pressure(psi) net_flow"), "line 4: column pressure has the unknown unit 'psi'"),
        (transcript(rows(3), "time(sec) pressure net_flow()"), "unit ''; known are L/s, L/min, mL/s"),
        (transcript(rows(3), "time(h) pressure net_flow"), "unknown unit 'h'; known are sec, s, ms"),
        (transcript(rows(3), "time(sec) net_flow pressure net_flow"), "line 4: column net_flow appears twice"),
        (b"\xffhello\n", "line 1: no column time(sec) in this RespiraWorks table; columns seen: 'x"),
    ],
)
def test_refusals(text: bytes, says: str) -> None:
    assert says in refused(make, text)


@pytest.mark.parametrize(
    ("head", "is_ours"),
    [
        (transcript(rows(2)), True),
        (b"time(sec)  pressure  net_flow  flow_uncorrected  pc_setpoint\r\n", True),
        (b"# c\n\ntime(sec) pc_setpoint pressure volume\n", True),  # refused later, and told why
        (b"time_s\tpressure\tnet_flow\n", False),
        (b"time(sec),pressure,net_flow\n", False),
        (b"time (sec)\tpressure (cmH2O)\tflow (L/s)\n", False),
        (b"net_flow pc_setpoint\n", False),
        (b"0.000  15.000  15.649\n", False),
        (b"# Captured 2020-06-21\n", False),
        (b"", False),
    ],
)
def test_recognise(head: bytes, *, is_ours: bool) -> None:
    assert respiraworks.recognise(head, "x.dat") is is_ours


def test_no_other_format_claims_it_and_it_claims_no_other() -> None:
    for other in (csv_table, parquet_table, pb840, servo_u):
        assert not other.recognise(transcript(rows(9)), "x.dat")
    for head in (b"flow_l_s,paw_cmh2o\n0.5,7.04\n", b"BS, S:1,\n1.00, 5.00\n", b"[REC]\nx\ty\n", b"PAR1"):
        assert not respiraworks.recognise(head, "x.dat")
    assert FORMATS["respiraworks"].load() is respiraworks


def test_no_row_of_a_longer_file_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "x.dat"
    path.write_bytes(transcript(rows(3000)))
    assert stream(open_recording(path).items()).n == 3000


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_bytes_any_cut(draw: st.DataObject) -> None:
    text = bytearray(transcript(rows(12)))
    for _ in range(draw.draw(st.integers(0, 4))):
        at = draw.draw(st.integers(0, len(text)))
        text[at : at + draw.draw(st.integers(0, 9))] = draw.draw(
            st.sampled_from([b"", b"\0", b" ", b"\n", b"9", b".", b"\xff", b"#", b"(", NAMES.encode(), b"\r"])
        )
    cuts = draw.draw(st.lists(st.integers(0, len(text)), max_size=6))
    prefix_rule(make, bytes(text), [cuts])


@pytest.mark.parametrize("path", recordings("respiraworks-quicklung/covent_pc_*.dat"))
def test_real_recordings(path: Path) -> None:
    recording = open_recording(path)
    assert recording.format == "respiraworks"
    found = same_twice(recording.items)
    lines = [line for line in path.read_text(encoding="ascii").splitlines() if line[0] not in "#t"]
    time, setpoint, pressure, volume, flow = np.array([line.split() for line in lines], dtype=float).T
    assert 3100 < time.size < 3200
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.0, 100.0, time.size)]
    assert np.array_equal(found.samples(Channel.PAW), pressure)
    assert np.array_equal(found.samples(Channel.FLOW), flow / 1000)
    assert recording.damaged_rows == recording.dropped_rows == 0
    slope = np.polyfit(np.gradient(volume, time) / 1000, found.samples(Channel.FLOW), 1)[0]
    assert slope == pytest.approx(1.003, abs=0.003)
    rng = np.random.default_rng(100)
    text = path.read_bytes()
    prefix_rule(make, text, [sorted(rng.integers(0, len(text), size)) for size in (1, 30, 1500)])

    # The set point, never an input, says how many breaths the ventilator gave; each is found once. Small breaths
    # of gas that flows in at PEEP level are found besides, and do not count here.
    half = (setpoint.min() + setpoint.max()) / 2
    given_breaths = int(np.count_nonzero((setpoint[1:] > half) & (setpoint[:-1] <= half)))
    breaths = segmented([item for item in recording.items() if isinstance(item, Chunk)]).breaths
    reach = [pressure[(time >= breath.start_s) & (time < breath.end_s)].max() > half for breath in breaths]
    assert 6 <= given_breaths <= 11
    assert sum(reach) == given_breaths


UNCORRECTED = "flow is the device's before it takes its offset out: volumes drift"


@pytest.mark.parametrize(
    ("names", "flow", "note"),
    [
        ("time(sec) pc_setpoint pressure net_flow_uncorrected", (0, 1), UNCORRECTED),
        ("time(sec) pc_setpoint pressure flow_uncorrected", (0, 1), UNCORRECTED),
        ("time(sec) outflow pressure inflow", (-1, 1), "flow is what the inlets give less"),
        ("time(sec) net_flow pressure flow_uncorrected", (1, 0), ""),
    ],
)
def test_without_net_flow_the_next_best_is_taken_and_told(names: str, flow: tuple[int, int], note: str) -> None:
    table = [f"{k / 100:.3f}  {10.0 * k:.3f}  {5.0 + k:.3f}  {100.0 * (k % 9):.3f}" for k in range(40)]
    found = read(transcript(table, names))
    a, b = 10.0 * np.arange(40), 100.0 * (np.arange(40) % 9)
    assert found.samples(Channel.FLOW) * 1000 == pytest.approx(flow[0] * a + flow[1] * b)
    assert any(detail.startswith(note) for detail in details(found))


def test_volume_alone_gives_flow() -> None:
    volume = 500 * np.sin(np.arange(300) / 30) ** 2
    table = [f"{k / 100:.3f}  15.000  {5 + k % 8:.3f}  {volume[k]:.3f}" for k in range(300)]
    text = transcript(table, "time(sec) pc_setpoint pressure volume")
    found = read(text)
    assert found.samples(Channel.FLOW)[5:-5] * 10 == pytest.approx(np.gradient(volume)[5:-5], abs=0.05)
    assert any("slope" in detail and "volume" in detail for detail in details(found))
    prefix_rule(make, text[:900])


def test_the_sidecar_says_which_columns_are_which() -> None:
    columns = {"volume": "flow_ml_s", "pressure": "paw_mbar"}
    found = decoded(lambda: respiraworks.Decoder(ReadOptions(columns=columns)), [transcript(rows(9))])
    assert found.samples(Channel.FLOW) * 1000 == pytest.approx(-np.arange(9.0))
    assert found.samples(Channel.PAW) == pytest.approx((5 + np.arange(9) % 8 / 8) * CMH2O_PER_MBAR)


def test_traces_of_json(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(saved(**json_waves()))
    recording = open_recording(path)
    found = same_twice(recording.items)
    assert (recording.format, found.n, found.stretches[0].rate_hz) == ("respiraworks_json", 60, 100.0)
    assert found.samples(Channel.FLOW) * 4 == pytest.approx(np.arange(60) % 8)
    assert recording.sidecar.recording.start_utc == datetime(2022, 4, 22, 17, 46, 59, 700328, UTC)
    assert "Jane" not in f"{recording.sidecar} {details(found)}"


@pytest.mark.parametrize(
    ("traces", "says"),
    [
        ({}, "no trace of time; there are"),
        ({"time": ("s", [0.0, 0.1])}, "no trace of net_flow, nor another flow; there are 'time'"),
        (json_waves() | {"net_flow": ("psi", [1.0])}, "'net_flow' has the unknown unit 'psi'"),
        (json_waves() | {"net_flow": ("mL/s", [1.0])}, "bring them to one rate"),
    ],
)
def test_traces_that_cannot_be_used(traces: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(saved(**traces))
    if not traces:
        path.write_bytes(saved(**traces)[:-1] + b', "trace_variable_names": []}')
    assert says in (stream(open_recording(path).items()).error or "")
