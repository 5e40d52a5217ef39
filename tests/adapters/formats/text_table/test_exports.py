"""Tables as programs of other languages and kinds export them: the same samples, or a refusal that says what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from adapters.decoding.contract import ReadOptions, TextTable
from adapters.formats.text_table import Decoder, recognise, told
from adapters.formats.vscapture import recognise as is_vscapture
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel, Chunk
from streamer.model.errors import DecodeError
from tests.support.adapter_contract import Stream, decoded, prefix_rule

N, RATE_HZ = 600, 50.0
TIMES = np.arange(N) / RATE_HZ
PAW = np.round(12.0 + 8.0 * np.sin(TIMES * 2), 2)
FLOW = np.round(60.0 * np.cos(TIMES * 2) + 0.37, 2)
BEGAN = datetime(2024, 3, 17, 14, 5, 9)  # noqa: DTZ001


def table(header: str, row: Callable[[float, float, float], str]) -> bytes:
    """A header, and a row of each time, pressure in cmH2O and flow in L/min."""
    return "\n".join([header, *(row(*one) for one in zip(TIMES, PAW, FLOW, strict=True))]).encode() + b"\n"


def read(content: bytes, options: ReadOptions | None = None) -> Stream:
    return decoded(lambda: Decoder(options or ReadOptions()), [content])


def is_read(content: bytes, options: ReadOptions | None = None) -> list[str]:
    """Assert that it is read whole; what was told."""
    found = read(content, options)
    assert found.error is None
    assert [(stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(RATE_HZ, N)]
    np.testing.assert_allclose(found.samples(Channel.PAW), PAW, atol=0.01)
    np.testing.assert_allclose(found.samples(Channel.FLOW) * 60, FLOW, atol=0.01)
    return [notice.detail for _, notice in found.notices]


@pytest.mark.parametrize(
    "header",
    [
        "Zeit [s];Druck [cmH2O];Fluss [l/min]",
        "Messzeit [s];Atemwegsdruck [cmH2O];Volumenstrom [l/min]",
        "Temps (s);Pression (cmH2O);Débit (L/min)",
        "Tiempo (s);Presión (cmH2O);Flujo (L/min)",
        "Tempo [s];Pressione [cmH2O];Flusso [L/min]",
        "Tempo (s);Pressão (cmH2O);Fluxo (L/min)",
        "Time..s.;Paw..cmH2O.;Flow..L.min.",
        "X_Value;Paw_cmH2O;Flow_Lpm",
    ],
)
def test_names_of_many_languages(header: str) -> None:
    is_read(table(header, lambda t, p, f: f"{t:.2f};{p};{f}"))


@pytest.mark.parametrize("header", ["Débit (L/min)", "D\N{REPLACEMENT CHARACTER}bit (L/min)", "Xyz [l/min]"])
def test_a_flow_by_its_unit_is_never_left_out_unsaid(header: str) -> None:
    content = table(f"t (s);Paw (cmH2O);{header}", lambda t, p, f: f"{t:.2f};{p};{f}")
    if header.startswith("Débit"):
        is_read(content)
        return
    assert re.search("unit of flow.*columns =", read(content).error or "")


def test_flow_in_two_halves_is_refused() -> None:
    header = "time_s,paw_cmh2o,Insp Flow (L/min),Exp Flow (L/min)"
    content = table(header, lambda t, p, f: f"{t:.2f},{p},{max(f, 0)},{max(-f, 0)}")
    assert "apart for inspiration and expiration" in (read(content).error or "")


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("Time (min)", 1 / 60),
        ("t_h", 1 / 3600),
        ("Time [ms]", 1e3),
        ("Time (us)", 1e6),
        ("Time (\N{MICRO SIGN}s)", 1e6),
        ("time_ns", 1e9),
        ("time", 1e6),
        ("timestamp", 1e9),
    ],
)
def test_units_of_time(name: str, factor: float) -> None:
    is_read(table(f"{name},paw_cmh2o,flow_l_min", lambda t, p, f: f"{t * factor:.9f},{p},{f}"))


@pytest.mark.parametrize("zero", [45_368.0 + 50_709 / 86_400, 739_328.0 + 50_709 / 86_400])
def test_days_of_spreadsheets_and_matlab_say_when_it_began(zero: float) -> None:
    content = table("Time,paw_cmh2o,flow_l_min", lambda t, p, f: f"{zero + t / 86_400:.10f},{p},{f}")
    assert any("steps are of days" in note for note in is_read(content))
    began = told(content, ReadOptions()).recording.start_local
    assert began is not None
    assert abs(began - BEGAN) < timedelta(milliseconds=1)
    assert read(content).stretches[0].start_s == 0.0


@pytest.mark.parametrize("date", ["2024-03-17", "17.03.2024", "3/17/2024", "17-Mar-2024"])
def test_a_date_in_a_column_of_its_own_makes_the_start(date: str) -> None:
    def row(t: float, p: float, f: float) -> str:
        at = BEGAN + timedelta(milliseconds=round(t * 1000))
        return f"{date};{at:%H:%M:%S}.{at.microsecond // 1000:03d};{p};{f}"

    content = table("Date;Time;paw_cmh2o;flow_l_min", row)
    notes = is_read(content)
    assert told(content, ReadOptions()).recording.start_local == BEGAN
    assert any("begins at 2024-03-17 14:05:09 local time" in note for note in notes)


def test_a_date_of_two_readings_in_a_column_of_its_own_gives_no_start() -> None:
    def row(t: float, p: float, f: float) -> str:
        return f"03/04/2024;14:05:{9 + t:05.2f};{p};{f}"

    content = table("Date;Time;paw_cmh2o;flow_l_min", row)
    assert any("may be exchanged" in note for note in is_read(content))
    assert told(content, ReadOptions()).recording.start_local is None
    said = ReadOptions(table=TextTable(dates="mdy"))
    assert told(content, said).recording.start_local == datetime(2024, 3, 4, 14, 5, 9)  # noqa: DTZ001


def test_a_date_beside_a_time_with_an_offset_is_in_utc() -> None:
    content = table("Date;Time;paw_cmh2o;flow_l_min", lambda t, p, f: f"2024-03-17;14:05:{9 + t:05.2f}+01:00;{p};{f}")
    is_read(content)
    assert told(content, ReadOptions()).recording.start_utc == datetime(2024, 3, 17, 13, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize("sign", ["'", "\N{RIGHT SINGLE QUOTATION MARK}", "\N{NO-BREAK SPACE}", "\u202f", ","])
@pytest.mark.parametrize("point", [".", ","])
def test_thousands_that_stand_apart(sign: str, point: str) -> None:
    sign = "." if (sign, point) == (",", ",") else sign

    def local(number: float, places: int) -> str:
        return f"{number:,.{places}f}".replace(",", "X").replace(".", point).replace("X", sign)

    header = '"time_ms";"paw_pa";"flow_ml_min"'
    content = table(header, lambda t, p, f: f'"{local(t * 1e3, 0)}";"{local(p * 98.0665, 2)}";"{local(f * 1e3, 0)}"')
    notes = is_read(content)
    assert any("have their thousands apart" in note for note in notes)
    prefix_rule(lambda: Decoder(ReadOptions()), content, [[1], [700], [9000, 9001], range(5000, 6000, 7)])


def test_thousands_that_may_be_decimals_are_refused_and_the_remedy_works() -> None:
    content = table(
        "time_ms\tpaw_cmh2o\tflow_ml_min", lambda t, p, f: f"{t * 1000:.0f}\t{round(p) or 1}\t{f * 1e3:,.0f}"
    )
    assert re.search("decimals or thousands.*say decimal", read(content).error or "")
    found = read(content, ReadOptions(table=TextTable(decimal=".")))
    np.testing.assert_allclose(found.samples(Channel.FLOW) * 60, FLOW, atol=0.01)


def test_the_minus_of_typesetters() -> None:
    is_read(table("time_s;paw_cmh2o;flow_l_min", lambda t, p, f: f"{t};{p};{f}".replace("-", "\N{MINUS SIGN}")))


def test_a_table_with_units_in_its_names_is_no_numeric_export_of_vscapture() -> None:
    assert not is_vscapture(b"Time,Paw_cmH2O,Flow_Lpm\n1,2,3\n", "a.csv")
    assert is_vscapture(b"Time,NOM_ECG_HR,NOM_RESP\n", "a.csv")


ROWS = [f"{t:.2f},{p},{f}" for t, p, f in zip(TIMES, PAW, FLOW, strict=True)]


@pytest.mark.parametrize(
    ("first", "since", "until"), [(80, 0, 80), (80, 10, 80), (90, 0, 60), (70, 0, 20), (400, 5, 30)]
)
def test_rows_sent_again_from_the_beginning_are_no_other_recording(first: int, since: int, until: int) -> None:
    rows = [*ROWS[:first], *ROWS[since:until], *ROWS[first:]]
    content = "\n".join(["time_s,paw_cmh2o,flow_l_min", *rows]).encode()
    notes = is_read(content)
    assert any(f"{until - since} dropped" in note for note in notes)
    cuts = [[1500], [2000, 2001], range(1000, 4000, 97)]
    prefix_rule(lambda: Decoder(ReadOptions()), content, cuts)


@pytest.mark.parametrize("first", [80, 300])
def test_another_recording_that_begins_again_is_a_run_of_its_own(first: int) -> None:
    others = [f"{t:.2f},{p},{f}" for t, p, f in zip(TIMES, PAW + 0.01, FLOW, strict=True)]
    found = read("\n".join(["time_s,paw_cmh2o,flow_l_min", *ROWS[:first], *others]).encode())
    assert [stretch.n for stretch in found.stretches] == [first, N]


@pytest.mark.parametrize("decimals", [".", ","])
def test_a_labview_measurement_with_units_above_the_names(decimals: str) -> None:
    above = "LabVIEW Measurement\t\nSeparator\tTab\nOperator\tme\nDate\t2024/03/17\nTime\t14:05:09.1\n"
    above += "***End_of_Header***\t\n\t\nChannels\t2\t\t\nSamples\t600\t600\t\nTime\t14:05:09.1\t14:05:09.1\t\n"
    above += "Y_Unit_Label\tcmH2O\tL/min\t\nX_Dimension\tTime\tTime\t\nX0\t0.0\t0.0\t\nDelta_X\t0.02\t0.02\t\n"
    header = above + "***End_of_Header***\t\t\t\nX_Value\tPaw\tFlow\tComment"
    is_read(table(header, lambda t, p, f: f"{t:.6f}\t{p:.6f}\t{f:.6f}".replace(".", decimals)))


@pytest.mark.parametrize(
    "header",
    [
        "Time\tPaw\tFlow\ns\tcmH2O\tL/min\nrun 1\trun 1\trun 1",
        "s\tcmH2O\tL/min\nTime\tPaw\tFlow",
        "Time\tPaw\tFlow\n(s)\t(cmH2O)\t(L/min)",
    ],
)
def test_units_beside_the_names(header: str) -> None:
    notes = is_read(table(header, lambda t, p, f: f"{t:.2f}\t{p}\t{f}"))
    assert any("one of units" in note for note in notes)
    assert not any("damaged" in note for note in notes)


def test_annotated_csv_of_influx() -> None:
    above = "#group,false,false,true,false,false,true\r\n#datatype,string,long,dateTime,dateTime,double,string\r\n"
    above += "#default,_result,,,,,\r\n,result,table,_start,_time,_value,_field\r\n"
    text = ""
    for number, (name, values) in enumerate({"flow_l_min": FLOW, "paw_cmh2o": PAW}.items()):
        stamps = [(BEGAN + timedelta(seconds=float(t))).isoformat() + "Z" for t in TIMES]
        rows = [f",,{number},2024-03-17T00:00:00Z,{t},{v},{name}\r\n" for t, v in zip(stamps, values, strict=True)]
        text += above + "".join(rows) + "\r\n"
    is_read(text.encode())


def test_milliseconds_behind_a_colon() -> None:
    is_read(
        table(
            "Time,paw_cmh2o,flow_l_min", lambda t, p, f: f"14:05:{9 + int(t):02d}:{round(t * 1000) % 1000:03d},{p},{f}"
        )
    )


def test_a_clock_that_runs_backwards_says_what_to_do() -> None:
    content = "\n".join(["time_s,paw_cmh2o,flow_l_min", *reversed(ROWS)]).encode()
    for options in (ReadOptions(), ReadOptions(rate_hz=RATE_HZ)):
        assert "run backwards: sort the rows" in (read(content, options).error or "")


@pytest.mark.parametrize("suffix", [".lvm", ".asc", ".dat", ".log", ".prn", ".data", ""])
def test_a_mapping_makes_a_table_of_any_text(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text("\n".join(row.replace(",", " ") for row in ROWS), encoding="utf-8")
    with pytest.raises(DecodeError, match=r"if it is a table, give columns = .* in the sidecar a\.toml"):
        open_recording(path)
    columns = 'columns = { "0" = "time_s", "1" = "paw_cmh2o", "2" = "flow_l_min" }'
    (tmp_path / "a.toml").write_text(f"[recording]\n{columns}\n", encoding="utf-8")
    assert sum(len(one) for one in open_recording(path).items() if isinstance(one, Chunk)) == N


def test_prose_that_speaks_of_a_table_is_none() -> None:
    text = (
        b"Notes on data\n\nOn time_s, paw_cmh2o and flow:\n\ntime_s, flow_l_min, paw_cmh2o\n\nThe ventilator, as set.\n"
        * 5
    )
    assert not recognise(text, "README")
    assert not recognise(b"time_s,flow_l_min\n0,1\n", "README.md")
