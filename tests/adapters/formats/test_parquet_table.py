from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.decoding.contract import ReadOptions
from adapters.formats import parquet_table
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel
from streamer.model.errors import DecodeError
from tests.support.adapter_contract import Stream, same_twice, stream


def written(path: Path, notes: Any = None, **columns: Any) -> Path:
    table = pa.table(columns)
    if notes is not None:
        text = notes if isinstance(notes, bytes) else json.dumps(notes).encode()
        table = table.replace_schema_metadata({b"ventstream": text})
    pq.write_table(table, path, row_group_size=500)
    return path


def read(path: Path, rate_hz: float | None = None) -> Stream:
    return stream(parquet_table.read(path, ReadOptions(rate_hz=rate_hz)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.parquet"


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.int16()])
def test_columns_of_numbers_with_a_given_rate(path: Path, kind: Any) -> None:
    written(path, paw_mbar=pa.array([1, 2, None], kind), flow_ml_s=pa.array([500, -250, 0], kind))
    found = same_twice(lambda: parquet_table.read(path, ReadOptions(rate_hz=50.0)))
    assert found.samples(Channel.FLOW).tolist() == [0.5, -0.25, 0.0]
    assert np.isnan(found.samples(Channel.PAW)).tolist() == [False, False, True]


def test_segments_of_the_metadata_are_gaps(path: Path) -> None:
    flow = np.arange(1500.0) / 1000
    written(path, {"rate_hz": 100, "segments": [[5.0, 0], [100.125, 499], [200.0, 1200]], "later": 1}, flow_l_s=flow)
    found = read(path)
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [(5.0, 499), (100.125, 701), (200.0, 300)]
    assert np.array_equal(found.samples(Channel.FLOW), flow)
    written(path, {"rate_hz": 100, "t0": 7.5}, flow_l_s=flow)
    assert [(stretch.start_s, stretch.n) for stretch in read(path).stretches] == [(7.5, 1500)]


def test_a_time_column_is_read_as_in_csv(path: Path) -> None:
    stamps = np.arange(2000) / 100
    stamps[1500:] += 60
    stamps[700] = np.nan
    written(path, time_s=stamps, flow_l_s=np.zeros(2000))
    found = read(path)
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [(0.0, 1500), (75.0, 500)]
    assert found.notices[0][1].detail == "line 701: a row without time"


@pytest.mark.parametrize(
    ("notes", "columns", "says"),
    [
        (None, {"flow_l_s": [0.0]}, "no time_s column and no rate; give --rate HZ"),
        (None, {"flow": [0.0]}, "unknown column 'flow'; did you mean flow_l_s"),
        (None, {"flow_l_s": ["x"]}, "column 'flow_l_s' holds string, not numbers"),
        (b"{", {"flow_l_s": [0.0]}, "metadata 'ventstream' cannot be used"),
        (b"\xff", {"flow_l_s": [0.0]}, "metadata 'ventstream' cannot be used"),
        ({"rate_hz": 1}, {"flow_l_s": [0.0]}, "metadata 'ventstream' cannot be used: Expected `float` >= 5"),
        ({"rate_hz": 50, "segments": [[0.0, 5]]}, {"flow_l_s": [0.0]}, "segments must begin at row 0"),
        ({"rate_hz": 50, "segments": [[1e999, 0]]}, {"flow_l_s": [0.0]}, "metadata 'ventstream' cannot be used"),
        ({"rate_hz": 50}, {"flow_l_s": np.zeros(0)}, "no usable row"),
        ({"rate_hz": 50}, {"flow_l_s": [np.nan]}, "no usable row"),
    ],
)
def test_refusals(path: Path, notes: Any, columns: dict[str, Any], says: str) -> None:
    written(path, notes, **columns)
    assert says in (read(path).error or "")


def test_a_given_rate_must_agree(path: Path) -> None:
    written(path, {"rate_hz": 50}, flow_l_s=[0.1])
    assert "given as 100 Hz (option, context or sidecar), but the file says 50 Hz" in (read(path, 100.0).error or "")


def test_damage_after_good_rows_gives_those_first_and_never_a_traceback(path: Path) -> None:
    rng = np.random.default_rng(2)
    written(path, {"rate_hz": 100}, flow_l_s=rng.normal(size=200_000))
    whole = path.read_bytes()
    for cut in (0, 3, 4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert read(path).error is not None
    late = bytearray(whole)
    late[len(whole) * 3 // 4 : len(whole) * 3 // 4 + 3000] = bytes(3000)
    path.write_bytes(late)
    found = read(path)
    assert found.error is not None
    assert found.error.startswith("DecodeError: damaged Parquet")
    assert found.n >= parquet_table.BATCH_ROWS


def test_the_sidecar_travels_inside(path: Path) -> None:
    known = {"recording": {"device": "d"}, "context": {"mode": "vcv", "height_cm": 162}}
    written(path, {"rate_hz": 50, "sidecar": known}, flow_l_s=[0.1])
    path.with_suffix(".toml").write_text("[context]\nheight_cm = 170\n", encoding="utf-8")
    sidecar = open_recording(path).sidecar
    assert (sidecar.recording.device, sidecar.context.mode, sidecar.context.height_cm) == ("d", "vcv", 170)


def test_recognise() -> None:
    assert parquet_table.recognise(b"PAR1\x15\x04", "x")
    assert not parquet_table.recognise(b"flow_l_s\n", "x.parquet")


def test_what_the_library_says_of_damage_is_printable(path: Path) -> None:
    footer = b"\x15\x0f\x0f\x0f"
    path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(DecodeError, match="not readable as Parquet: ") as caught:
        list(parquet_table.read(path, ReadOptions()))
    assert str(caught.value).isprintable()


def test_a_file_that_unpacks_to_far_more_than_it_is_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_table, "MAX_PIECE", 1 << 20)
    table = pa.table({"flow_l_s": np.zeros(200_000)})
    pq.write_table(table, path, use_dictionary=False, compression="zstd", data_page_size=1 << 30)
    assert "bytes that unpack to 1600750 and more" in (read(path, 50.0).error or "")
    pq.write_table(table, path, compression="zstd")
    assert read(path, 50.0).n == 200_000  # equal values as such are nothing strange


def test_rows_that_no_recording_has_are_refused(path: Path) -> None:
    """The number in the footer is changed: integers there have seven bits a byte, doubled for their sign."""

    def varint(number: int) -> bytes:
        parts = [2 * number >> at & 0x7F for at in range(0, 70, 7)]
        last = max(at for at, part in enumerate(parts) if part)
        return bytes(part | (0x80 if at < last else 0) for at, part in enumerate(parts[: last + 1]))

    pq.write_table(pa.table({"flow_l_s": np.zeros(123_457)}), path)
    text = path.read_bytes()
    footer = text[-8 - int.from_bytes(text[-8:-4], "little") : -8]
    claimed = footer.replace(varint(123_457), varint(10**12))
    path.write_bytes(text[: -8 - len(footer)] + claimed + len(claimed).to_bytes(4, "little") + b"PAR1")
    assert read(path, 50.0).error == (
        "DecodeError: it claims 1000000000000 rows, 10000000000 can be read; is it damaged? Write it again"
    )


def test_no_byte_of_the_metadata_ends_the_process(tmp_path: Path) -> None:
    """pyarrow's own exception, where it describes a malformed column, cannot be caught: so it is never asked to."""
    path = tmp_path / "x.parquet"
    k = np.arange(40.0)
    pq.write_table(pa.table({"time_s": k / 50, "flow_l_s": k % 7, "paw_cmh2o": k % 5}), path)
    code = f"""
import warnings
from pathlib import Path
from adapters.formats.parquet_table import read
from adapters.decoding.contract import ReadOptions
from streamer.model.errors import DecodeError
warnings.simplefilter("error")
path = Path({str(path)!r})
whole = path.read_bytes()
for at in range(len(whole) - 8):
    for bits in (1, 2, 16, 128):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :])
        try:
            list(read(path, ReadOptions()))
        except DecodeError:
            pass
"""
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-500:]
