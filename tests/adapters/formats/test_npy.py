from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.columns import TIMES, WAVEFORMS
from adapters.decoding.contract import ReadOptions
from adapters.formats import npy
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel
from streamer.model.errors import DecodeError
from streamer.model.units import CMH2O_PER_MBAR
from tests.support.adapter_contract import Stream, check, recordings, same_twice, stream

TWO = {"0": "flow_l_s", "1": "paw_mbar"}
VALUES = np.array([[0.5, 10.0], [-1.0, 20.0], [0.25, 8.0]])


def saved(path: Path, array: Any, **more: Any) -> Path:
    np.save(path, array, **more)
    return path


def read(path: Path, columns: dict[str, str] | None = None, rate_hz: float | None = 100.0) -> Stream:
    return stream(npy.read(path, ReadOptions(rate_hz=rate_hz, columns=TWO if columns is None else columns)))


def details(found: Stream) -> list[str]:
    return [notice.detail for _, notice in found.notices]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", "<f2", "<i2", ">i4", "<u8", "i1"])
def test_rows_become_canonical_in_any_order_and_type(tmp_path: Path, dtype: str, order: Any) -> None:
    values = np.array(np.abs(VALUES * 4), dtype=dtype, order=order)
    found = read(saved(tmp_path / "x.npy", values))
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.0, 100.0, 3)]
    assert found.samples(Channel.FLOW).tolist() == [2.0, 4.0, 1.0]
    assert found.samples(Channel.PAW).tolist() == [40 * CMH2O_PER_MBAR, 80 * CMH2O_PER_MBAR, 32 * CMH2O_PER_MBAR]
    assert found.notices == []


def test_one_dimension_is_column_0_and_what_is_no_number_is_missing(tmp_path: Path) -> None:
    values = np.array([0.5, np.nan, np.inf, -np.inf, 1e300, -1.0])
    found = read(saved(tmp_path / "x.npy", values), {"0": "pco2_mmhg"})
    assert np.isnan(found.samples(Channel.PCO2)).tolist() == [False, True, True, True, True, False]


def test_fields_of_a_structured_array_are_columns_by_name(tmp_path: Path) -> None:
    array = np.zeros(3, dtype=[("who", "U3"), ("time_s", "f8"), ("F", "f4"), ("pair", "f8", 2)])
    array["time_s"], array["F"] = [5.0, 5.02, 5.04], [30, 60, -30]
    found = read(saved(tmp_path / "x.npy", array), {"F": "flow_l_min", "time_s": "time_s"}, None)
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(5.0, 50.0, 3)]
    assert found.samples(Channel.FLOW).tolist() == [0.5, 1.0, -0.5]
    for name, what in (("who", "<U3"), ("pair", "('<f8', (2,))")):
        assert f"field '{name}' holds {what}, not numbers" in (read(tmp_path / "x.npy", {name: "flow_l_s"}).error or "")
    canonical = np.zeros(3, dtype=[("flow_l_s", "f4"), ("paw_cmh2o", "f4")])
    assert read(saved(tmp_path / "y.npy", canonical), {}).n == 3


def test_a_time_column_gives_the_rate_and_gaps(tmp_path: Path) -> None:
    ms = np.r_[np.arange(100), np.arange(300, 400)] * 20
    ms = np.where(np.arange(200) == 50, np.nan, ms)
    found = read(saved(tmp_path / "x.npy", np.column_stack([ms, ms])), {"0": "time_ms", "1": "pco2_mmhg"}, None)
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [
        (0.0, 50.0, 100),
        (6.0, 50.0, 100),
    ]
    assert details(found) == ["row 51: a row without time", "1 damaged, 0 dropped, 199 good rows in all"]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("block", [1, 1000, 4096])
def test_blocks_do_not_matter(tmp_path: Path, block: int, order: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.array(np.random.default_rng(1).normal(0, 1, (700, 2)), order=order)
    path = saved(tmp_path / "x.npy", values)
    whole = read(path)
    assert np.array_equal(whole.samples(Channel.FLOW), values[:, 0])
    monkeypatch.setattr(npy, "BLOCK_BYTES", block)
    assert read(path).form() == whole.form()


def test_a_file_cut_short_keeps_its_complete_rows(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npy", np.ones((700, 2)))
    text = path.read_bytes()
    path.write_bytes(text[:-1601])
    recording = open_recording(path, rate_hz=100)
    recording.options.columns.update(TWO)  # type: ignore[attr-defined]
    found = stream(recording.items())
    assert (found.n, recording.damaged_rows) == (599, 1)
    assert details(found)[0] == "row 600: the file ends here, before row 700 of the header"
    path.write_bytes(text[:130])
    assert read(path).error == "DecodeError: the file is cut short: not enough is left of the 700 rows its header says"
    path.write_bytes(saved(path, np.ones((700, 2), order="F")).read_bytes()[:-1])
    assert "the file is cut short" in (read(path).error or "")


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.ones((3, 30_000)), "shape (3, 30000) means 30000 signals of 3 samples, not one row a sample; save"),
        (np.ones((2, 2, 2)), "an array of shape (2, 2, 2) is no table"),
        (np.float64(1), "an array of shape () is no table"),
        (np.ones((0, 2)), "the array is empty: its shape is (0, 2)"),
        (np.ones(3, complex), "the array holds complex128, not numbers; save it again as numbers"),
        (np.array(["a"]), "the array holds <U1, not numbers"),
        (np.array([True]), "the array holds bool, not numbers"),
        (np.array(["2020-01-01"], "M8[s]"), "the array holds datetime64[s], not numbers"),
        (np.array([{}], object), "the array holds object, not numbers"),
        (np.zeros(2, [("a", "f8"), ("b", object)]), "the array holds objects, not numbers"),
        (np.zeros((2, 2), [("a", "f8")]), "an array of shape (2, 2) is no table"),
        (np.full((9, 2), np.nan), "no usable row in the whole file"),
        (np.ones((9, 1)), "no column '1' here; there are '0' (from number 0); mend columns ="),
    ],
)  # fmt: skip
def test_refusals(tmp_path: Path, array: Any, says: str) -> None:
    assert says in (read(saved(tmp_path / "x.npy", array)).error or "")


def shaped(shape: str) -> bytes:
    return header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}")


def header(text: str, version: bytes = b"\x01\x00", body: bytes = b"\0" * 64) -> bytes:
    length = len(text).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + version + length + text.encode("latin-1") + body


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (shaped("(1000000000000000, 2)"), "its header is damaged: it claims"),
        (shaped("(9000000000,)"), "1 damaged"),
        (shaped("(-4,)"), "the array is empty"),
        (header("{'descr': '|V0', 'fortran_order': False, 'shape': (4,), }"), "not numbers"),
        (header("{'descr': [], 'fortran_order': False, 'shape': (4,), }"), "the array holds"),
        (header("{'descr': '<f8', 'fortran_order': False}"), "its header is damaged: Header does not contain"),
        (header("(" * 9000), "its header is damaged: ('EOF in multi-line"),
        (header("9" * 20_000), "its header is damaged: Header info length (20000) is large"),
        (header("{}", b"\x03\x00"), "version 3.0 of the format is not read; save it again as numbers"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "its header is damaged: EOF"),
        (b"\x93NUMPY", "its header is damaged: EOF"),
    ],
)  # fmt: skip
def test_headers_that_are_damaged_or_lie_are_one_line(tmp_path: Path, text: bytes, says: str) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(text)
    found = read(path, {"0": "flow_l_s"})
    assert says in (found.error or details(found)[-1])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_bytes(tmp_path: Path, draw: st.DataObject) -> None:
    buffer = io.BytesIO()
    np.save(buffer, VALUES)
    text = bytearray(buffer.getvalue())
    for _ in range(draw.draw(st.integers(0, 4))):
        at = draw.draw(st.integers(6, len(text)))
        text[at : at + draw.draw(st.integers(0, 5))] = draw.draw(
            st.binary(max_size=4)
            | st.sampled_from([b"'", b"(", b"O", b"c16", b"-", b"99999999", b"\\d", b"True", b"L"])
        )
    path = tmp_path / "x.npy"
    path.write_bytes(bytes(text))
    for columns in (TWO, {}, {"0": "time_s", "1": "pco2_mmhg"}):
        found = read(path, columns, None if columns else 50.0)
        assert found.error is None or found.error.startswith("DecodeError: ")


def test_without_hints_it_says_what_to_write_and_that_works(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npy", np.arange(9.0))
    with pytest.raises(DecodeError) as failure:
        list(open_recording(path).items())
    assert str(failure.value) == (
        f"{path}: the array (9 numbers) does not say how many samples a second it has or what they are; write a file "
        'x.toml beside it with the line: recording = { rate_hz = HZ, columns = { "0" = "NAME" } } - where HZ is the '
        f"number of samples per second, NAME that of column 0, the first, one of {', '.join(TIMES)}, "
        f"{', '.join(WAVEFORMS)}"
    )
    line = str(failure.value).partition("the line: ")[2].partition(" - ")[0]
    (tmp_path / "x.toml").write_text(line.replace("HZ", "60").replace("NAME", "pco2_mmhg"), encoding="utf-8")
    assert same_twice(open_recording(path).items).n == 9


@pytest.mark.parametrize(
    ("sidecar", "rate_hz", "says"),
    [
        ("rate_hz = 60", None, 'say what it holds; write under [recording] in x.toml: columns = { "0" = "NAME" }'),
        ("", 60.0, "say what it holds; write a file x.toml beside it with the line: recording = { columns = {"),
        ("device = 'x'", None, "write under [recording] in x.toml: rate_hz = HZ and columns ="),
        ('columns = { 0 = "pco2_mmhg" }', None, "nothing says its rate: write rate_hz = 100 under [recording]"),
    ],
)  # fmt: skip
def test_the_remedy_is_what_is_missing(tmp_path: Path, sidecar: str, rate_hz: float | None, says: str) -> None:
    path = saved(tmp_path / "x.npy", np.arange(9.0))
    if sidecar:
        (tmp_path / "x.toml").write_text(f"[recording]\n{sidecar}\n", encoding="utf-8")
    with pytest.raises(DecodeError) as failure:
        list(open_recording(path, rate_hz=rate_hz).items())
    assert says in str(failure.value)


@pytest.mark.parametrize("path", recordings("physio-co2/resp4_CO2.npy"))
def test_a_real_capnogram(path: Path, tmp_path: Path) -> None:
    here = tmp_path / path.name
    shutil.copyfile(path, here)
    here.with_suffix(".toml").write_text('[recording]\nrate_hz = 60\ncolumns = { "0" = "pco2_mmhg" }', encoding="utf-8")
    recording = open_recording(here)
    assert recording.format == "npy"
    found = check(recording.items())
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.0, 60.0, 18_742)]
    pco2 = found.samples(Channel.PCO2)
    assert np.array_equal(pco2, np.load(path))
    assert (round(pco2.min(), 1), round(pco2.max(), 1), round(pco2.size / 60)) == (-1.5, 36.7, 312)
    high, low = pco2 > 20, pco2 < 10
    state = np.maximum.accumulate(np.where(high | low, np.arange(pco2.size), 0))  # the last sample that was clear
    ends = np.flatnonzero(np.diff(high[state].astype(int)) < 0)
    spacing = np.diff(ends)
    assert ends.size == 81
    assert np.isin(spacing, [234, 235]).sum() == 77  # at three places the recording itself leaps
