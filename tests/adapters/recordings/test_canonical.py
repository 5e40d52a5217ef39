from __future__ import annotations

import resource
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.recordings.canonical import write_recording
from adapters.recordings.open import open_recording
from streamer.files.sidecar_files import as_toml, merged
from streamer.files.toml import loads
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import BloodGas, Context, RecordingInfo, SessionEvent, Sidecar
from streamer.model.errors import ConfigError, DecodeError, OutputError
from streamer.model.records import Notice, NoticeKind
from tests.support.adapter_contract import Item, recordings, stream

FULL = Sidecar(
    recording=RecordingInfo(rate_hz=100.0, device='a "quoted" name \\ \x7f é', licence="MIT",
                            start_utc=datetime(2020, 6, 1, 8, 0, 0, 250000, tzinfo=timezone(timedelta(hours=2)))),
    context=Context(passive="asserted", mode="vcv", height_cm=162.0, allow_sidestream_vcap=True),
    event=(
        SessionEvent(kind="prone", at_s=1800.0),
        SessionEvent(kind="note", at=datetime(2020, 6, 1, tzinfo=UTC), text="x\ny"),
    ),
    blood_gas=(BloodGas(at_s=1500.0, pco2_art_mmhg=52.0, fio2=0.6),),
)  # fmt: skip


def items(rate_hz: float = 100.0, n: int = 1000, *, decimals: int | None = None) -> list[Item]:
    """Three channels, uneven pieces, a notice, missing samples and a gap of 2.505 s."""
    rng = np.random.default_rng(9)
    flow, paw, pco2 = rng.normal(0, 0.5, n), rng.normal(15, 5, n), rng.normal(30, 9, n)
    if decimals is not None:
        flow, paw, pco2 = np.round(flow * 60, decimals) / 60, np.round(paw, decimals), np.round(pco2, decimals)
    paw[70:75] = np.nan
    whole = {Channel.FLOW: flow, Channel.PAW: paw, Channel.PCO2: pco2}
    out: list[Item] = [Notice(bed="", at_s=0.0, kind=NoticeKind.NOTE)]
    for first, last in ((0, 1), (1, 1), (1, 400), (400, 600), (600, n)):
        start_s = 12.34 + first / rate_hz + (2.505 if first >= 400 else 0.0)
        piece = {channel: samples[first:last] for channel, samples in whole.items()}
        out.append(Chunk(source="t", start_s=start_s, rate_hz=rate_hz, channels=piece))
    return out


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 400 / 3])
def test_what_is_written_is_read_back_bit_for_bit(tmp_path: Path, suffix: str, rate_hz: float) -> None:
    path = tmp_path / f"x{suffix}"
    assert write_recording(path, items(rate_hz), FULL) == 1000
    recording = open_recording(path)
    assert stream(recording.items()).form()[0] == stream(items(rate_hz)).form()[0]
    assert merged(recording.sidecar, Sidecar(recording=RecordingInfo(rate_hz=100.0))) == FULL
    assert recording.sidecar.recording.rate_hz == rate_hz
    assert sorted(path.name for path in tmp_path.iterdir()) == (
        ["x.csv", "x.toml"] if suffix == ".csv" else ["x.parquet"]
    )


def test_csv_with_as_many_decimals_as_the_device_loses_nothing_and_is_compact(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    write_recording(path, items(decimals=2), Sidecar(), decimals=2)
    assert stream(open_recording(path).items()).form()[0] == stream(items(decimals=2)).form()[0]
    lines = path.read_text().splitlines()
    assert lines[0] == "time_s,paw_cmh2o,flow_l_min,pco2_mmhg"
    assert max(map(len, lines[1:])) <= len("15.9999,-12.34,-120.34,-12.34")


def test_float32_halves_the_file_and_keeps_seven_digits(tmp_path: Path) -> None:
    for dtype in ("float64", "float32"):
        write_recording(tmp_path / f"{dtype}.parquet", items(n=20_000), Sidecar(), dtype=dtype)  # type: ignore[arg-type]
    big, small = ((tmp_path / f"{dtype}.parquet").stat().st_size for dtype in ("float64", "float32"))
    assert small < 0.6 * big
    found = stream(open_recording(tmp_path / "float32.parquet").items()).samples(Channel.FLOW)
    np.testing.assert_allclose(found, stream(items(n=20_000)).samples(Channel.FLOW), rtol=1e-6)


def test_the_last_row_groups_are_written_in_pieces(tmp_path: Path) -> None:
    many = [
        Chunk(source="t", start_s=k * 600.0, rate_hz=100.0, channels={Channel.FLOW: np.full(60_000, k / 7)})
        for k in range(5)
    ]
    assert write_recording(tmp_path / "x.parquet", iter(many), Sidecar()) == 300_000
    assert stream(open_recording(tmp_path / "x.parquet").items()).form()[0] == stream(many).form()[0]


def failing() -> Iterator[Item]:
    yield from items()
    raise DecodeError("line 7: junk")


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_failures_are_one_line_and_leave_nothing_behind(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    other = Chunk(source="t", start_s=99.0, rate_hz=50.0, channels={Channel.FLOW: np.zeros(3)})
    extra = Chunk(
        source="t", start_s=0.03, rate_hz=50.0, channels={Channel.FLOW: np.zeros(3), Channel.PCO2: np.zeros(3)}
    )
    for bad, says in (
        ([], "no samples"),
        ([*items(), other], "the rate changes from 100 to 50 Hz at 99.000 s"),
        ([other, extra], "pco2 begins at"),
    ):
        with pytest.raises(OutputError, match=says):
            write_recording(path, bad, Sidecar())
    with pytest.raises(DecodeError, match="line 7"):
        write_recording(path, failing(), Sidecar())
    with pytest.raises(OutputError, match=r"no/x.*the folder .* does not exist"):
        write_recording(tmp_path / "no" / path.name, items(), Sidecar())
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_recording(tmp_path / f"folder{suffix}", items(), Sidecar())
    assert [left.name for left in tmp_path.iterdir()] == [f"folder{suffix}"]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_full_disk_is_one_line_and_the_old_file_stays(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # what a full disk does: the write fails
    try:
        with pytest.raises(OutputError, match=r"x\.\w+: cannot be written: File too large") as failure:
            write_recording(path, items(n=200_000), Sidecar())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(failure.value)
    assert path.read_text() == "old"
    assert [left.name for left in tmp_path.iterdir()] == [path.name]


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"written as .parquet or .csv, not '.xlsx'"):
        write_recording(tmp_path / "x.xlsx", items(), Sidecar())


@given(st.text(max_size=30), st.floats(20, 250), st.sampled_from([None, "vcv", "psv"]), st.booleans())
@settings(max_examples=200)
def test_a_sidecar_written_as_toml_is_read_back(text: str, height_cm: float, mode: str | None, flag: bool) -> None:  # noqa: FBT001
    text = text.encode("utf-8", "ignore").decode()
    sidecar = Sidecar(
        recording=RecordingInfo(device=text),
        context=Context(mode=mode, height_cm=height_cm, allow_sidestream_vcap=flag),  # type: ignore[arg-type]
        event=(SessionEvent(kind="note", at_s=height_cm, text=text),),
    )
    assert loads(as_toml(sidecar), Sidecar, "x.toml") == sidecar
    assert loads(as_toml(FULL), Sidecar, "x.toml") == FULL
    assert as_toml(Sidecar()) == ""


@pytest.mark.parametrize("path", recordings("pb840-ventmap/0149*_1.csv_test") + recordings("getinge-servo-u/17*73.txt"))
@pytest.mark.parametrize("out", ["x.parquet", "x.csv"])
def test_real_recordings_survive_conversion(path: Path, out: str, tmp_path: Path) -> None:
    write_recording(tmp_path / out, open_recording(path).items(), Sidecar(), decimals=2)
    found = stream(open_recording(tmp_path / out).items())
    assert found.form()[0] == stream(open_recording(path).items()).form()[0]
