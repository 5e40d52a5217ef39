from __future__ import annotations

import builtins
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions
from adapters.formats import FORMATS, pb840, respiraworks, servo_u, wfdb_record
from adapters.formats import text_table as csv_table
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel
from streamer.model.errors import DecodeError
from streamer.model.units import CMH2O_PER_MBAR
from tests.support.adapter_contract import Stream, check, same_twice, stream
from tests.support.builders.wfdb_files import FLOW, PAW, K, both, record


def read(path: Path, rate_hz: float | None = None, **columns: str) -> Stream:
    return stream(wfdb_record.read(path, ReadOptions(rate_hz=rate_hz, columns=columns)))


def details(found: Stream) -> list[str]:
    return [notice.detail for _, notice in found.notices]


def test_a_record_becomes_canonical(tmp_path: Path) -> None:
    found = read(both(tmp_path))
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.0, 100.0, 500)]
    assert found.samples(Channel.FLOW) == pytest.approx(FLOW / 100 / 60, rel=1e-12)
    assert found.samples(Channel.PAW) == pytest.approx(PAW / 50 * CMH2O_PER_MBAR, rel=1e-12)
    assert found.notices == []


@pytest.mark.parametrize("line", [b"x" * 200_000, b"rec.dat 16 1" + b"0" * 300, b"rec.dat 16+" + b"9" * 400])
def test_a_header_over_which_the_library_would_brood_is_refused_at_once(tmp_path: Path, line: bytes) -> None:
    path = both(tmp_path)
    path.write_bytes(path.read_bytes() + b"# " + b"1" * 5000 + b"\n")
    assert read(path).error is None  # a comment may be long
    path.write_bytes(b"rec 1 100 500\n" + line + b"\n")
    assert "rec.hea has a line, a number or more lines than any header" in (read(path).error or "")
    path.write_bytes(b"rec 1 1" + b"0" * 39 + b" 500\nrec.dat 16 1/L/min 16 0 0 0 0 FLOW\n")
    assert read(path).error is not None


def test_impedance_is_no_flow_and_invalid_samples_are_missing(tmp_path: Path) -> None:
    flow = FLOW.copy()
    flow[[3, 4]] = -32768
    found = read(record(tmp_path, [(" 10/Ohm 16 0 0 0 0 RESP", PAW), (" 6000/L/s 16 0 0 0 0 FLOW", flow)]))
    assert np.flatnonzero(np.isnan(found.samples(Channel.FLOW))).tolist() == [3, 4]
    assert list(found.stretches[0].joined()) == [Channel.FLOW]
    only = record(tmp_path, [(" 10/L/min 16 0 0 0 0 RESP", PAW)])
    assert read(only).error == "DecodeError: no flow signal in L/s, L/min, mL/s, mL/min, slm among 'RESP'"
    assert read(only, RESP="flow_l_min").n == 500  # unless the user says so


def test_columns_by_name_or_number_override(tmp_path: Path) -> None:
    path = record(tmp_path, [(" 100/NU 16 0 0 0 0 A B", FLOW), (" 50/NU 16 0 0 0 0 C", PAW)])
    found = stream(wfdb_record.read(path, ReadOptions(columns={"a b": "flow_l_min", "1": "paw_kpa"})))
    assert found.samples(Channel.FLOW) == pytest.approx(FLOW / 6000)
    assert "there is no signal 'D'; there are 'A B', 'C'" in (read(path, D="flow_l_s").error or "")


def test_signals_of_several_rates_are_sources_of_their_own(tmp_path: Path) -> None:
    co2 = np.repeat(np.arange(250, dtype=np.int16), 1)
    signals = [
        ("x2 100/L/min 16 0 0 0 0 FLOW", FLOW),
        ("x2 50/cmH2O 16 0 0 0 0 AWP", PAW),
        (" 10/mmHg 16 0 0 0 0 CO2", co2),
    ]
    path = record(tmp_path, signals, "rec 3 25 250")
    items = list(wfdb_record.read(path, ReadOptions()))
    by_source = {
        name: check(item for item in items if getattr(item, "source", "") == name) for name in ("wfdb", "wfdb.co2")
    }
    assert {name: (found.n, found.stretches[0].rate_hz) for name, found in by_source.items()} == {
        "wfdb": (500, 50.0),
        "wfdb.co2": (250, 25.0),
    }
    assert by_source["wfdb"].samples(Channel.FLOW) == pytest.approx(FLOW / 6000)
    assert by_source["wfdb.co2"].samples(Channel.PCO2) == pytest.approx(co2 / 10)


def test_co2_alone_is_a_recording(tmp_path: Path) -> None:
    assert read(record(tmp_path, [(" 10/kPa 16 0 0 0 0 CO2", PAW)])).samples(Channel.PCO2).size == 500


def test_blocks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = both(tmp_path)
    whole = same_twice(lambda: wfdb_record.read(path, ReadOptions()))
    for size in (1, 14, 999):
        monkeypatch.setattr(wfdb_record, "BLOCK_SAMPLES", size)
        assert read(path).form() == whole.form()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("kind", ["16", "24", "32", "80", "212", "516"])
def test_every_packing_is_read_whole_and_in_blocks(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library = wfdb_record._library()
    digital = np.column_stack([K % 101 - 50, K % 67])
    library.wrsamp(
        "rec",
        fs=100,
        units=["L/s", "cmH2O"],
        sig_name=["FLOW", "Paw"],
        d_signal=digital,
        fmt=[kind, kind],
        adc_gain=[100, 2],
        baseline=[0, 0],
        write_dir=str(tmp_path),
    )
    whole = read(tmp_path / "rec.hea")
    assert whole.samples(Channel.FLOW) == pytest.approx(digital[:, 0] / 100)
    assert whole.samples(Channel.PAW) == pytest.approx(digital[:, 1] / 2)
    monkeypatch.setattr(wfdb_record, "BLOCK_SAMPLES", 14)
    assert read(tmp_path / "rec.hea").form() == whole.form()


def test_segments_are_read_one_behind_the_other_and_gaps_are_declared(tmp_path: Path) -> None:
    both(tmp_path, name="s1")
    both(tmp_path, name="s2")
    record(tmp_path, [(" 50/cmH2O 16 0 0 0 0 Paw", PAW)], name="other")
    path = tmp_path / "all.hea"
    path.write_text("all/5 2 100 2100\ns1 500\ns2 500\n~ 100\nother 500\ns1 500\n", encoding="ascii")
    found = read(path)
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [(0.0, 1000), (16.0, 500)]
    assert np.array_equal(found.stretches[1].joined()[Channel.FLOW], found.samples(Channel.FLOW)[:500])
    assert open_recording(path).format == "wfdb"


def test_a_layout_says_which_signals_there_are(tmp_path: Path) -> None:
    record(tmp_path, [(" 50/cmH2O 16 0 0 0 0 Paw", PAW)], name="a")
    both(tmp_path, name="b")
    layout = "lay 3 100 0\n~ 0 100/L/min 16 0 0 0 0 FLOW\n~ 0 50/mbar 16 0 0 0 0 Paw\n~ 0 1/mV 16 0 0 0 0 II\n"
    (tmp_path / "lay.hea").write_text(layout, encoding="ascii")
    (tmp_path / "v.hea").write_text("v/3 3 100 1000\nlay 0\na 500\nb 500\n", encoding="ascii")
    found = read(tmp_path / "v.hea")
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [(5.0, 500)]  # in a, Paw is in another unit


def test_a_signal_file_cut_short_keeps_what_is_there(tmp_path: Path) -> None:
    path = both(tmp_path)
    (tmp_path / "rec.dat").write_bytes((tmp_path / "rec.dat").read_bytes()[:1202])
    recording = open_recording(path)
    found = check(recording.items())
    assert (found.n, recording.damaged_rows) == (300, 200)
    assert details(found)[0] == "segment 1: rec is cut short: 200 of its 500 frames are missing"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not readable as a WFDB record"),
        ("rec", "not readable as a WFDB record"),
        (
            "rec 1 100\nrec.dat 16 100/L/s 16 0 0 0 0 FLOW",
            "rec.hea does not say how many samples there are; add the numb",
        ),
        ("rec 2 100 500\nrec.dat 16 100/L/s 16 0 0 0 0 FLOW", "rec.hea says 2 signals and describes 1"),
        ("rec 0 100 500", "rec.hea says 0 signals and describes 0"),
        ("rec 1 100 500\nnone.dat 16 100/L/s 16 0 0 0 0 FLOW", "none.dat is missing beside the header"),
        ("rec 1 100 500\n/etc/passwd 16 100/L/s 16 0 0 0 0 FLOW", ""),
        ("rec 1 100 500\n../rec.dat 16 100/L/s 16 0 0 0 0 FLOW", ""),
        ("rec 1 100 500\nrec.dat 8 100/L/s 16 0 0 0 0 FLOW", "rec.dat has the format 8, which is not read"),
        ("rec 1 100 500\nrec.dat 516 100/L/s 16 0 0 0 0 FLOW", "not readable as a WFDB record"),
        ("rec 1 100 500\nrec.dat 16x9999 100/L/s 16 0 0 0 0 FLOW", "rec.hea says 1 signals and describes 1"),
        ("rec 1 9000 500\nrec.dat 16 100/L/s 16 0 0 0 0 FLOW", "outside 5-2000 Hz"),
        ("rec 1 100 0\nrec.dat 16 100/L/s 16 0 0 0 0 FLOW", "no usable row in the whole file"),
        ("rec/2 1 100 500\nx 500\ny 0", "x.hea is missing beside the header"),
        ("rec/1 1 100 500\nrec 500", "segment 1, rec, has segments of its own"),
        ("rec/1 1 100 500\n~ 500", "all segments are empty"),
    ],
)
def test_refusals(tmp_path: Path, text: str, says: str) -> None:
    both(tmp_path)
    path = tmp_path / "rec.hea"
    path.write_text(text, encoding="ascii")
    found = read(path)
    assert says in (found.error or "")
    assert found.n == 0
    assert (found.error or "").startswith("DecodeError: ")


def test_the_rate_given_must_agree(tmp_path: Path) -> None:
    path = both(tmp_path)
    assert "given as 50 Hz (option, context or sidecar), but the header says 100 Hz" in (read(path, 50.0).error or "")
    assert read(path, 100.0).n == 500


def test_the_signal_file_leads_to_its_header(tmp_path: Path) -> None:
    both(tmp_path)
    with pytest.raises(
        DecodeError, match=r"rec\.dat: may hold the signals of a WFDB record; name its header, rec\.hea"
    ):
        open_recording(tmp_path / "rec.dat")
    other = both(tmp_path).rename(tmp_path / "rec.txt")
    with pytest.raises(DecodeError, match=r"must be named \.hea"):
        list(open_recording(other).items())


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    importing = builtins.__import__

    def absent(name: str, *given: Any, **more: Any) -> Any:
        if name == "wfdb":
            raise ImportError(name)
        return importing(name, *given, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    says = "ConfigError: a WFDB record needs ventstream[wfdb]: pip install 'ventstream[wfdb]'"
    assert read(both(tmp_path)).error == says


def test_no_network_is_ever_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any, **_more: Any) -> None:
        raise AssertionError("a connection")

    path = both(tmp_path)
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert read(path).n == 500
    (tmp_path / "rec.dat").unlink()
    assert "rec.dat is missing" in (read(path).error or "")


@pytest.mark.parametrize(
    ("head", "is_ours"),
    [
        (b"rec 2 100 500\nrec.dat 16 100/L/min 16 0 0 0 0 FLOW\n", True),
        (b"# c\r\nrec 2 62.4725/999.56(0) 500 12:00:00.5 01/02/2003\r\nrec.dat 16x2+24\r\n", True),
        (b"rec/2 2 100 1000\ns1 500\n~ 500\n", True),
        (b"rec/2 2 100 1000\nrec.dat 16\n", False),
        (b"100 2 360\n", False),
        (b"1.00 2 3\n4 5 6\n", False),
        (b"1 2 3\n4 5 6\n", True),  # it might be one: a table of blanks is no format of ours
        (b"flow_l_s,paw_cmh2o\n1,2\n", False),
        (b"", False),
    ],
)
def test_recognise(head: bytes, *, is_ours: bool) -> None:
    assert wfdb_record.recognise(head, "x.hea") is is_ours


def test_no_other_format_claims_it(tmp_path: Path) -> None:
    text = both(tmp_path).read_bytes()
    for other in (csv_table, pb840, respiraworks, servo_u):
        assert not other.recognise(text, "x.hea")
    assert FORMATS["wfdb"].load() is wfdb_record


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_bytes(tmp_path: Path, draw: st.DataObject) -> None:
    path = both(tmp_path)
    text = bytearray(path.read_bytes())
    for _ in range(draw.draw(st.integers(0, 4))):
        at = draw.draw(st.integers(0, len(text)))
        text[at : at + draw.draw(st.integers(0, 5))] = draw.draw(
            st.binary(max_size=4)
            | st.sampled_from([b" ", b"\n", b"/", b"99999999999", b"-1", b"1e999", b"~", b"x0", b"#"])
        )
    path.write_bytes(bytes(text))
    (tmp_path / "rec.dat").write_bytes(draw.draw(st.binary(max_size=60)))
    found = read(path)
    assert found.error is None or found.error.startswith("DecodeError: ")


@pytest.mark.parametrize(
    ("line", "local"),
    [
        ("x 2 100 600 12:34:56.5 1/3/2124", "2124-03-01T12:34:56.500000"),
        ("x 2 100 600 12:34:56", None),
        ("x 2 100 600 12:34:56 31/2/2124", None),
        ("x 2 100", None),
    ],
)
def test_the_recorders_own_time_is_told(line: str, local: str | None) -> None:
    head = f"# Jane Doe\n{line}\nx.dat 16 100/slm 16 0 0 0 0 Flow\n".encode()
    told = wfdb_record.told(head, ReadOptions())
    assert told.context.flow_conditions == "STPD"
    assert (told.recording.start_local and told.recording.start_local.isoformat()) == local
    assert wfdb_record.told(head.replace(b"slm", b"lpm"), ReadOptions()).context.flow_conditions is None
