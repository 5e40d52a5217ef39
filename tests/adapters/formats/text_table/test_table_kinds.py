"""Kinds of text tables whose numbers mislead: what stands for missing values, spans of days, old encodings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding import file_kinds
from adapters.decoding.contract import ReadOptions
from adapters.decoding.stamps import Stamps
from adapters.formats import text_table as csv_table
from streamer.model.chunk import Channel
from tests.support.adapter_contract import Stream, decoded, prefix_rule, refused


def read(text: str, encoding: str = "utf-8") -> Stream:
    return decoded(lambda: csv_table.Decoder(ReadOptions()), [text.encode(encoding)])


def said(found: Stream) -> list[str]:
    return [notice.detail for _, notice in found.notices]


@pytest.mark.parametrize("fill", ["-9999", "9999", "-999", "999", "-999.0", "9999.99", "-999.9", "-99999", "999999"])
@pytest.mark.parametrize("column", ["flow_l_min", "flow_l_s", "paw_cmh2o", "paw_mbar", "pco2_mmhg", "pco2_kpa"])
def test_nines_that_no_airway_has_are_missing_values(fill: str, column: str) -> None:
    table = f"time_s,{column}\n" + "".join(f"{k / 50:.2f},{fill if k % 50 in (7, 8) else k % 9}\n" for k in range(500))
    found = prefix_rule(lambda: csv_table.Decoder(ReadOptions()), table.encode(), [[300], [1200, 3000]])
    samples = found.samples(Channel(column.partition("_")[0]))
    assert np.flatnonzero(np.isnan(samples)).tolist() == [k for k in range(500) if k % 50 in (7, 8)]
    assert said(found) == [f"column '{column}': {float(fill):.10g} is taken as missing (20 times)"]


@pytest.mark.parametrize(
    ("column", "value"),
    [("flow_ml_s", "999"), ("flow_ml_s", "-9999"), ("flow_ml_min", "9999"), ("paw_pa", "-999"), ("paw_pa", "9999"),
     ("flow_l_min", "99.9"), ("paw_cmh2o", "-99"), ("paw_cmh2o", "998"), ("flow_l_s", "-20")],
)  # fmt: skip
def test_what_may_be_a_measurement_or_is_no_such_word_stays(column: str, value: str) -> None:
    """9999 Pa are 102 cmH2O; and only nines are taken out, other wrong numbers are suspicions."""
    found = read(f"time_s,{column}\n" + "".join(f"{k / 50:.2f},{value if k == 7 else 1}\n" for k in range(200)))
    assert np.isfinite(found.samples(Channel(column.partition("_")[0]))).all()
    assert said(found) == []


def test_a_volume_and_a_channel_a_row_have_them_as_well() -> None:
    rows = "".join(f"{k / 50:.2f},{-999 if k == 77 else 300 + k % 50}\n" for k in range(300))
    assert "column 'volume_ml': -999 is taken as missing (once)" in said(read("time_s,volume_ml\n" + rows))
    long = "".join(f"{k / 50:.2f},Flow,{-9999 if k == 77 else k % 9},L/min\n" for k in range(300))
    assert "column 'flow_l_min': -9999 is taken as missing (once)" in said(read("time,channel,value,unit\n" + long))


@settings(deadline=None)  # the first example compiles
@given(st.integers(0, 9000), st.integers(0, 86_399_999), st.sampled_from(["{} days {}", "{} day {}", "{} Days, {}"]))
def test_spans_of_days_are_times(days: int, millis: int, form: str) -> None:
    """As pandas and Python write a span: ``0 days 00:00:01.020000``, ``1 day, 0:00:01``."""
    seconds, rest = divmod(millis, 1000)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}000"
    stamps = Stamps(["0 days 00:00:00.000000"], None)
    assert stamps.read(form.format(days, clock)) == 1e6 * (86_400 * days + seconds) + 1e3 * rest
    assert stamps.read(clock) == 1e6 * seconds + 1e3 * rest


@pytest.mark.parametrize("stamp", ["1 days", "1 week 00:00:01", "1 daysx00:00:01", "12345 days 00:00:01", "days 1:00"])
def test_other_words_before_a_time_are_none(stamp: str) -> None:
    assert Stamps(["0 days 00:00:00.000000"], None).read(stamp) is None


def test_spans_run_past_midnight() -> None:
    spans = [f"{s // 86_400} days {s // 3600 % 24:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_390, 86_410)]
    rows = "".join(f"{span}.{part}00,{k % 7}\n" for k, span in enumerate(spans) for part in range(0, 10, 2))
    found = read("time,flow_l_min\n" + rows)
    assert [stretch.rate_hz for stretch in found.stretches] == [5.0]
    assert found.n == 100


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "mac-roman"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_names_of_every_encoding_are_read(encoding: str, end: str) -> None:
    names = "Temps [s],Débit [L/min],Pression [cmH2O]"
    table = end.join([names, *(f"{k / 50:.2f},{k % 9},{5 + k % 7}" for k in range(200)), ""])
    found = read(table, encoding)
    assert sorted(found.stretches[0].joined()) == [Channel.FLOW, Channel.PAW]
    assert found.n == 200


def test_an_apostrophe_of_windows_is_no_letter_of_a_mac() -> None:
    table = "Temps [s],Journée de l\u2019essai,Flow [L/min]\n" + "".join(f"{k / 50:.2f},1,2\n" for k in range(200))
    assert "columns that are not read: 'Journée de l\u2019essai'" in said(read(table, "cp1252"))


def test_raw_counts_have_no_missing_values_among_them() -> None:
    """999 between 998 and 1000; yet a few spikes do not make a column one of counts."""
    counts = "".join(f"{k / 50:.2f},{k}\n" for k in range(1100))
    assert said(read("time_s,paw_cmh2o\n" + counts)) == []
    spikes = "".join(f"{k / 50:.2f},{5000 if k < 10 else 9999 if k % 50 == 0 else 5}\n" for k in range(500))
    assert said(read("time_s,paw_cmh2o\n" + spikes)) == ["column 'paw_cmh2o': 9999 is taken as missing (9 times)"]


@pytest.mark.parametrize("index", ["time_s,,", "time (s),,", "Time [s],,"])
@pytest.mark.parametrize("units", [",L/min,cmH2O", ",[L/min],[cmH2O]"])
def test_a_header_of_several_levels_as_pandas_writes_it(index: str, units: str) -> None:
    """Names above, units below them, and the name of the index in a line of its own."""
    rows = "".join(f"{k / 50:.2f},{k % 9}.5,{10 + k % 5}\n" for k in range(200))
    found = prefix_rule(
        lambda: csv_table.Decoder(ReadOptions()), f",Flow,Paw\n{units}\n{index}\n{rows}".encode(), [[20], [60, 900]]
    )
    assert found.samples(Channel.FLOW)[:3] * 60 == pytest.approx([0.5, 1.5, 2.5])
    assert found.samples(Channel.PAW)[:3].tolist() == [10.0, 11.0, 12.0]


@pytest.mark.parametrize("row", ["{t:.2f} s,{v} L/min,{v} cmH2O", "{t:.2f}s,{v}L/min,{v}mbar", "{t:.2f},{v} l/s,{v}"])
def test_units_in_every_field_are_named(row: str) -> None:
    rows = "".join(row.format(t=k / 50, v=k % 9) + "\n" for k in range(50))
    header = "time_s,flow,paw\n" if row.startswith("{t:.2f},") else "time,flow,paw\n"
    error = refused(lambda: csv_table.Decoder(ReadOptions()), (header + rows).encode())
    assert "have a unit behind each number: write the numbers alone" in error


@pytest.mark.parametrize(
    "text", ["t:{t:.2f},flow:{v},paw:{v}", "t={t:.2f}\tflow={v}", "t: {t:.2f} flow: -{v}.5 paw: {v}"]
)
def test_labelled_fields_of_serial_plotters_are_named(text: str) -> None:
    rows = "".join(text.format(t=k / 50, v=k % 9) + "\r\n" for k in range(50))
    assert "each number has its name before it" in (file_kinds.named(rows.encode()) or "")
    assert file_kinds.named(rows.replace("flow", "x", 1).encode()) is None, "other names in one line"
