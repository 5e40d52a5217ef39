from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions
from adapters.decoding.text_rows import MAX_LINE, Rows, Scanner
from adapters.formats import text_table as csv_table
from adapters.formats.text_table import rows as _rows
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel, Chunk
from streamer.model.records import NoticeKind
from streamer.model.units import CMH2O_PER_KPA, CMH2O_PER_MBAR, MMHG_PER_KPA
from tests.support.adapter_contract import Stream, decoded, prefix_rule, refused

PLAIN = b"flow_l_s,paw_cmh2o\n0.5,7.04\n-1,25.5\n"


def make(rate_hz: float | None = 100.0) -> csv_table.Decoder:
    return csv_table.Decoder(ReadOptions(rate_hz=rate_hz))


def timed() -> csv_table.Decoder:
    return make(None)


def read(text: bytes, rate_hz: float | None = 100.0) -> Stream:
    return decoded(lambda: make(rate_hz), [text])


def test_a_long_number_that_is_none_is_seen_at_once() -> None:
    found = read(PLAIN + b"9" * 65_000 + b"x,1\n0,1\n")  # for minutes, every end was tried from every beginning
    assert found.n == 4
    assert "in column flow_l_s is not a number" in found.notices[0][1].detail


@pytest.mark.parametrize(
    ("name", "channel", "value", "canonical"),
    [
        ("paw_cmh2o", Channel.PAW, "12.5", 12.5),
        ("paw_mbar", Channel.PAW, "12.5", 12.5 * CMH2O_PER_MBAR),
        ("paw_kpa", Channel.PAW, "1.25", 1.25 * CMH2O_PER_KPA),
        ("flow_l_s", Channel.FLOW, "0.41", 0.41),
        ("flow_l_min", Channel.FLOW, "24.6", 24.6 / 60),
        ("flow_ml_s", Channel.FLOW, "410", 410 / 1000),
        ("pco2_mmhg", Channel.PCO2, "38.2", 38.2),
        ("pco2_kpa", Channel.PCO2, "5.1", 5.1 * MMHG_PER_KPA),
    ],
)
def test_units(name: str, channel: Channel, value: str, canonical: float) -> None:
    header = name if channel is Channel.FLOW else f"{name},flow_l_s"
    found = read(f"{header}\n{value}{'' if channel is Channel.FLOW else ',0'}\n".encode())
    assert found.samples(channel).tolist() == [canonical]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("delimiter", [b",", b";", b"\t"], ids=["comma", "semicolon", "tab"])
def test_line_ends_separators_comments_quotes_and_byte_order_mark(end: bytes, delimiter: bytes) -> None:
    text = b'\xef\xbb\xbf# made by hand\n\n"Flow_L_s",PAW_cmH2O,volume_ml\n0.5,7.04,1\n# note\n\n"-1", 2.55e1 ,2'
    found = prefix_rule(make, text.replace(b",", delimiter).replace(b"\n", end))
    assert found.form() == read(PLAIN).form()


def test_empty_fields_are_missing_samples_and_no_damage() -> None:
    found = read(b"flow_l_s,paw_cmh2o\n0.5,\n,nan\n-1,25.5\n")
    assert np.isnan(found.samples(Channel.PAW)).tolist() == [True, True, False]
    assert found.notices == []


def test_damaged_rows_keep_their_slot() -> None:
    text = PLAIN + b"1,2,3\nx,4\n1,5;6\n0.25,8\n1e999,1\n0,0"
    found = prefix_rule(make, text)
    assert np.isnan(found.samples(Channel.FLOW)).tolist() == [False, False, True, True, True, False, True, False]
    assert [notice.detail for _, notice in found.notices] == [
        "line 4: '1,2,3' has 3 fields, the header 2 (and 2 more)",
        "line 8: '1e999,1' has a number too large",
        "4 damaged, 0 dropped, 4 good rows in all",
    ]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (
            b"flow,paw_cmh2o",
            "line 1: unknown column 'flow'; did you mean flow_l_s or flow_l_min or flow_ml_s",
        ),
        (b"flow_l_m,paw_cmh2o", "did you mean flow_l_min?"),
        (b"# x\npressure,flow_l_s", "line 2: unknown column 'pressure'; did you mean paw_cmh2o"),
        (b"flow_l_s,etco2", "did you mean pco2_mmhg or pco2_kpa or pco2_mbar or pco2_pa or pco2_percent?"),
        (b"spo2,x", "unknown column 'spo2'; names are as time_s,"),
        (b"flow_l_s,flow_l_s", "column 'flow_l_s' appears twice"),
        (b"flow_l_s,flow_l_min", "are the same signal"),
        (b"time_s,order", "no waveform column"),
        (b"x" * (MAX_LINE + 1), "line 1: longer than 65536 bytes"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(header: bytes, says: str) -> None:
    assert says in (read(header + b"\n1,2\n").error or "")


def test_refusals_name_the_remedy() -> None:
    assert "--rate HZ" in (read(PLAIN, None).error or "")
    found = read(b"flow_l_s;paw_cmh2o\n" + b"0.5;7\n" * 5 + b"0,5;7\n0.5;7\n")
    assert "line 7: '0,5' in column flow_l_s is not a number; decimals need a point" in found.notices[0][1].detail
    assert "no header" in refused(make, b"\n# only a comment\n")
    assert "no usable row" in (read(b"flow_l_s,paw_cmh2o\n,\n,\n").error or "")
    assert "no usable row" in refused(timed, b"time_s,flow_l_s\n")


def test_a_name_with_nul_bytes_is_shown_in_one_line() -> None:
    found = read(b"flow_l_s,\0\0paw_mbar (mbar)\n1,2\n1,x\n1,3\n")
    assert all(notice.detail.isprintable() for _, notice in found.notices)
    found = read(b"flow_l_s\t\0\0\0paw_mbar\n6.5\t12\n-6\t5/25\n6.5\t12\n")
    assert all(notice.detail.isprintable() for _, notice in found.notices)


def test_comments_without_end_are_bounded() -> None:
    decoder = make()
    for _ in range(200):
        decoder.feed(b"# " + b"c" * 5000 + b"\n")
    assert len(decoder._head) < MAX_LINE


def test_a_second_header_is_another_recording() -> None:
    found = prefix_rule(make, PLAIN + PLAIN)
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [(0.0, 2), (2.02, 2)]
    assert found.notices[0][1].kind is NoticeKind.CLOCK_RESET


# ── both paths, any bytes

fields = st.sampled_from(
    ["1", "-0.5", "+3.", ".25", "", " 7 ", "nan", "1e-3", "0.12345678901234567", "x", "9" * 400, '"2"', "-", "1,", "\0"]
)
rows = st.lists(st.lists(fields, min_size=1, max_size=4).map(",".join), max_size=12).map("\n".join)


@settings(max_examples=150, deadline=None)
@given(
    body=rows.map(str.encode) | st.binary(max_size=200),
    cuts=st.lists(st.integers(0, 260), max_size=6),
    has_time=st.booleans(),
)
def test_any_bytes_any_cut_both_paths_agree(*, body: bytes, cuts: list[int], has_time: bool) -> None:
    text = (b"time_s,flow_l_s,paw_cmh2o\n0,0,0\n0.01,0,0\n" if has_time else b"flow_l_s,paw_cmh2o\n") + body
    whole = prefix_rule(make, text, [[min(at, len(text)) for at in cuts]])

    def careful(columns: int, delimiter: str, **given: Any) -> Scanner:
        del columns
        return Scanner(0, delimiter, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_rows, "Scanner", careful)
        assert decoded(make, [text]).form() == whole.form()


def fast_values(numbers: list[str]) -> list[float]:
    """What the compiled scan makes of them; NaN where it leaves one to the careful path."""
    rows = [
        part.values[0, 0] if isinstance(part, Rows) else np.nan
        for n in numbers
        for part in Scanner(1, ",").feed(f"{n}\n".encode())
    ]
    return [float(row) for row in rows]


@settings(max_examples=300, deadline=None)
@given(st.floats(1e-4, 9.9e15).map(repr) | st.from_regex(r"[0-9]{1,12}\.[0-9]{0,22}", fullmatch=True))
def test_compiled_numbers_of_any_length_equal_pythons(text: str) -> None:
    (value,) = fast_values([text])
    assert np.isnan(value) or value == float(text)


def test_numbers_written_in_full_are_read_by_the_compiled_scan() -> None:
    rng = np.random.default_rng(17)
    numbers = rng.normal(0, 10, 20_000)
    numbers = numbers[np.abs(numbers) > 1e-4]  # smaller ones are written with exponents
    values = np.array(fast_values([repr(float(number)) for number in numbers]))
    assert np.isnan(values).mean() < 1e-3
    assert np.array_equal(values[~np.isnan(values)], numbers[~np.isnan(values)])


@pytest.mark.parametrize(
    "text", ["9007199254740993", "9007199254740993.0", "4503599627370496.5", "0.5000000000000000555"]
)
def test_numbers_in_the_middle_of_two_doubles_are_left_to_python(text: str) -> None:
    found = read(f"flow_l_s,paw_cmh2o\n0,{text}\n".encode())
    assert found.samples(Channel.PAW).tolist() == [float(text)]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_at_all(text: bytes) -> None:
    decoded(timed, [text])


@pytest.mark.parametrize(
    ("head", "is_ours"),
    [
        (PLAIN, True),
        (b"\xef\xbb\xbf# x\r\nTime_s;Flow_l_min\r\n", True),
        (b"time,flow,pressure\n", True),  # meant as ours: the refusal says which names to use
        (b"BN,ventBN,BS,IEnd\n", False),
        (b"POLY SAMPLE FILE", False),
        (b"\n\n", False),
    ],
)
def test_recognise(head: bytes, *, is_ours: bool) -> None:
    assert csv_table.recognise(head, "x") is is_ours


def test_a_beginning_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recognising a table, what it says of itself and its rows share one look, however it is cut."""
    looks = []
    real = csv_table.find_dialect

    def counted(*given: Any) -> Any:
        looks.append(given)
        return real(*given)

    monkeypatch.setattr(csv_table, "find_dialect", counted)
    path = tmp_path / "x.csv"
    for rows in (40, 9000):
        looks.clear()
        path.write_text("time_s,flow_l_s\n" + "".join(f"{k / 50:.2f},{k % 7 / 8}\n" for k in range(rows)))
        assert sum(len(item) for item in open_recording(path).items() if isinstance(item, Chunk)) == rows
        assert len(looks) == 1


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 65_538, 70_000])
def test_a_file_about_as_long_as_the_look_is_read_alike(size: int) -> None:
    rows = "time_s,flow_l_s\n" + "".join(f"{k / 50:08.2f},{k % 8 / 8:.3f}\n" for k in range(4000))
    table = rows.encode()[:size]
    whole = decoded(lambda: csv_table.Decoder(ReadOptions()), [table])
    assert decoded(lambda: csv_table.Decoder(ReadOptions()), [table[:65_536], table[65_536:]]).form() == whole.form()
    assert csv_table.recognise(table[:65_536], "x")


def test_binary_files_are_no_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not cut into lines at all."""
    monkeypatch.setattr(csv_table, "find_dialect", None)
    noise = np.random.default_rng(1).integers(0, 256, 65_536, np.uint8).tobytes()
    assert not csv_table.recognise(b"time_s,flow_l_s\n" + noise, "x.bin")
