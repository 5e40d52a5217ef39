"""Tables of any program, whose sidecar says which of their columns are which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions
from adapters.decoding.text_rows import Scanner
from adapters.formats import text_table as csv_table
from adapters.formats.text_table import rows as _rows
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.units import CMH2O_PER_MBAR
from tests.support.adapter_contract import Stream, decoded, prefix_rule, refused, stream

MAPPING = {"Flow [l/min]": "flow_l_min", "t": "time_s", "2": "paw_mbar"}
ROWS = b't,Flow [l/min],p,note\n0,30,10,\n0.02,"-6",20,"a, b"\n0.04,12,,x;y\n'


def make(mapping: dict[str, str] | None = None, rate_hz: float | None = None) -> csv_table.Decoder:
    return csv_table.Decoder(ReadOptions(rate_hz=rate_hz, columns=MAPPING if mapping is None else mapping))


def read(text: bytes, mapping: dict[str, str] | None = None, rate_hz: float | None = None) -> Stream:
    return decoded(lambda: make(mapping, rate_hz), [text])


def test_named_columns_become_canonical_and_the_others_are_ignored() -> None:
    found = prefix_rule(make, ROWS)
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.0, 50.0, 3)]
    assert found.samples(Channel.FLOW).tolist() == [0.5, -0.1, 0.2]
    assert found.samples(Channel.PAW)[:2].tolist() == [10 * CMH2O_PER_MBAR, 20 * CMH2O_PER_MBAR]
    assert np.isnan(found.samples(Channel.PAW)).tolist() == [False, False, True]
    assert found.notices == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_a_table_without_header_is_read_by_numbers(separator: str, end: str) -> None:
    text = b"\xef\xbb\xbf# bench\n\n20,5.0,0.5\n40,6.0,0.25\n60,7.0,-1\n".decode()
    text = text.replace(",", separator).replace("\n", end)
    found = prefix_rule(lambda: make({"0": "time_ms", "2": "flow_l_s", "1": "paw_cmh2o"}), text.encode())
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.02, 50.0, 3)]
    assert found.samples(Channel.FLOW).tolist() == [0.5, 0.25, -1.0]
    assert found.samples(Channel.PAW).tolist() == [5.0, 6.0, 7.0]


@pytest.mark.parametrize(
    ("text", "flow"),
    [
        (b"0.5,9\n0.25,8", [0.5, 0.25]),  # the only line without an end
        (b"2020-06-01 10:00:00,0.5", None),
        (b"0.5,10:00\n0.25,10:01\n", [0.5, 0.25]),  # a column of text does not make it a header
        (b"0,1\n0.5,9\n", [0.5]),  # names that are the numbers themselves
        (b",0,1\n0,0.5,9\n", [0.5]),  # the same, behind an index
        (b"flow,pressure\n0.5,9\n", [0.5]),
    ],
)
def test_a_first_line_of_numbers_is_a_row_unless_it_counts_the_columns(text: bytes, flow: list[float] | None) -> None:
    found = prefix_rule(lambda: make({"0": "flow_l_s"}, 50.0), text)
    assert (found.samples(Channel.FLOW).tolist() if found.error is None else None) == flow


def test_one_signal_is_enough_with_a_mapping() -> None:
    found = read(b"EtCO2;CO2\n38;35.5\n38;36.25\n", {"co2": "pco2_mmhg"}, 20.0)
    assert found.samples(Channel.PCO2).tolist() == [35.5, 36.25]
    assert set(found.stretches[0].joined()) == {Channel.PCO2}


def test_damaged_rows_keep_their_slot_and_name_the_column() -> None:
    text = b'a,flow\nx,0.5\ny,oops\n#,0.75\nz\n"q,0.5\n,1\n'
    found = prefix_rule(lambda: make({"flow": "flow_l_s"}, 50.0), text)
    assert np.isnan(found.samples(Channel.FLOW)).tolist() == [False, True, True, True, False]
    assert [notice.detail for _, notice in found.notices] == [
        "line 3: 'xxxx' in column flow is not a number (and 2 more)",
        "3 damaged, 0 dropped, 2 good rows in all",
    ]


@pytest.mark.parametrize(
    ("text", "mapping", "says"),
    [
        (
            b"# x\nTime;Paw\n0;1\n",
            {"Flow": "flow_l_s"},
            "line 2: no column 'Flow' here; there are 'Time', 'Paw' (from number 0); mend columns = {",
        ),
        (
            b"1,2\n",
            {"Flow": "flow_l_s"},
            "line 1: no column 'Flow': there is no header, so columns have the numbers 0 to 1",
        ),
        (b"1,2\n", {"7": "flow_l_s"}, "line 1: no column '7': there is no header, so columns have the numbers 0 to 1"),
        (b"a,a\n1,2\n", {"a": "flow_l_s"}, 'line 1: two columns are named \'a\': name it by number, "0" or "1"'),
        (b"a,b\n1,2\n", {"a": "flow_l_s", "0": "paw_mbar"}, "maps column 0 twice, to flow_l_s and paw_mbar"),
        (b"a,b\n1,2\n", {"a": "flow_l_s", "b": "flow_l_min"}, "'flow_l_s' and 'flow_l_min' are the same signal"),
        (b"a,b,c\n1,2,3\n", {"a": "time_s", "b": "time_ms", "c": "flow_l_s"}, "are the same signal"),
        (b"a,b\n1,2\n", {"a": "flow_l_s"}, "line 1: no time_s or time_ms column and no rate; give --rate HZ"),
        (b"", {"a": "flow_l_s"}, "there is no header line"),
        (b"a,flow\n\0\0\0\0\n", {"flow": "flow_l_s", "a": "time_s"}, "no usable row in the whole file"),
    ],
)
def test_refusals_say_what_was_seen_and_what_to_mend(text: bytes, mapping: dict[str, str], says: str) -> None:
    assert says in refused(lambda: make(mapping), text)


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        (
            {"a": "flow"},
            "columns maps 'a' to the unknown 'flow'; did you mean flow_l_s or flow_l_min or flow_ml_s",
        ),
        ({"a": "time_s"}, "columns maps nothing to a waveform; known are paw_cmh2o"),
    ],
)
def test_a_mapping_to_what_is_not_known_is_the_users_to_mend(mapping: dict[str, str], says: str) -> None:
    assert f"ConfigError: {says}" in (read(ROWS, mapping).error or "")


def put(path: Path, text: bytes, sidecar: str = "") -> Path:
    path.write_bytes(text)
    if sidecar:
        path.with_suffix(".toml").write_text(f"[recording]\n{sidecar}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".TXT"])
def test_a_sidecar_makes_a_table_of_it(tmp_path: Path, suffix: str) -> None:
    text = ROWS.replace(b"t,", b"seconds since start,", 1).replace(b"Flow", b"Luft")
    path = put(tmp_path / f"a{suffix}", text, 'columns = { "0" = "time_s", "Luft [l/min]" = "flow_l_min" }')
    recording = open_recording(path)
    assert recording.format == "csv"
    assert stream(recording.items()).samples(Channel.FLOW).tolist() == [0.5, -0.1, 0.2]


def test_a_context_file_maps_as_well_and_wins(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", b"one,two\n1,2\n", 'columns = { "one" = "flow_l_s" }\nrate_hz = 50')
    context = tmp_path / "c.toml"
    context.write_text('[recording]\ncolumns = { "two" = "flow_l_s" }\n', encoding="utf-8")
    assert stream(open_recording(path).items()).samples(Channel.FLOW).tolist() == [1.0]
    assert stream(open_recording(path, context=context).items()).samples(Channel.FLOW).tolist() == [2.0]


def test_without_a_sidecar_the_refusal_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="not a recording that is known"):
        open_recording(put(tmp_path / "a.txt", b"one,two\n1,2\n"))
    with pytest.raises(DecodeError, match=r"line 1: unknown column 'one'; .*; or give columns = \{ .* in the sidecar"):
        list(open_recording(put(tmp_path / "a.csv", b"one,two\n1,2\n")).items())
    with pytest.raises(ConfigError, match=r"a\.csv: columns maps 'one' to the unknown 'flow'"):
        list(open_recording(put(tmp_path / "a.csv", b"one,two\n1,2\n", 'columns = { one = "flow" }')).items())


def test_parquet_is_mapped_too(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"who": ["x", "y"], "F": [30.0, None], "ms": [0, 20]}), path)
    put(path.with_suffix(".txt"), b"", 'columns = { F = "flow_l_min", ms = "time_ms" }')
    found = stream(open_recording(path).items())
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.0, 50.0, 2)]
    assert found.samples(Channel.FLOW)[0] == 0.5
    assert np.isnan(found.samples(Channel.FLOW)[1])


fields = st.sampled_from(["1", "-0.5", "", " 7 ", "nan", "x", '"2"', '"a', 'b"', '"a,b"', "#", "\0", "1,", "\xff"])
rows = st.lists(st.lists(fields, min_size=1, max_size=5).map(",".join), max_size=12).map("\n".join)


@settings(max_examples=150, deadline=None)
@given(
    body=rows.map(lambda text: text.encode("latin-1")) | st.binary(max_size=200),
    cuts=st.lists(st.integers(0, 260), max_size=6),
    head=st.sampled_from([b"t,name,p,f\n0,x,0,0\n0.01,y,0,0\n", b"0,x,0,0\n1,x,0,0\n", b"name,x,p,f\n"]),
)
def test_any_bytes_any_cut_both_paths_agree(body: bytes, cuts: list[int], head: bytes) -> None:
    mapping = {"t": "time_s", "3": "flow_l_s"} if head[:1] == b"t" else {"3": "flow_l_s", "2": "paw_mbar"}
    text = head + body

    def new() -> csv_table.Decoder:
        return make(mapping, 100.0)

    whole = prefix_rule(new, text, [[min(at, len(text)) for at in cuts]])

    def careful(columns: int, delimiter: str, **given: Any) -> Scanner:
        del columns
        return Scanner(0, delimiter, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_rows, "Scanner", careful)
        assert decoded(new, [text]).form() == whole.form()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.dictionaries(st.text(max_size=3), st.sampled_from(["flow_l_s", "time_s", "x"])))
def test_any_bytes_any_mapping(text: bytes, mapping: dict[str, str]) -> None:
    read(text, mapping, 50.0)
