"""NumPy archives, MATLAB and HDF5 files: arrays by name."""

from __future__ import annotations

import builtins
import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from adapters.formats import npz as npz_format
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel
from streamer.model.context import RecordingInfo, Sidecar
from streamer.model.errors import DecodeError
from tests.support.adapter_contract import Stream, stream
from tests.support.builders.array_files import hdf5, labchart, mat, npz, waves

MAPPED = {"F": "flow_l_min", "P": "paw_mbar"}
FLOW = 6.0 * (np.arange(60) % 16)


def acqknowledge(n: int, **changed: Any) -> dict[str, Any]:
    both = waves(n)
    known = {
        "data": np.column_stack([both["flow_l_min"], both["paw_cmh2o"]]),
        "labels": np.array(["Flow", "Airway pressure"]),
        "units": np.array(["LPM", "cm H2O"]),
        "isi": 20.0,
        "isi_units": "ms",
    }
    return known | changed


def read(tmp_path: Path, content: bytes, name: str, **told: Any) -> Stream:
    path = tmp_path / name
    path.write_bytes(content)
    recording = open_recording(path, context=Sidecar(recording=RecordingInfo(**told)))
    return stream(recording.items())


def rows_of(kind: str, **arrays: Any) -> tuple[bytes, str]:
    if kind == "npz":
        return npz(**arrays), "x.npz"
    return (mat(arrays), "x.mat") if kind == "mat" else (hdf5(arrays), "x.h5")


KINDS = pytest.mark.parametrize("kind", ["npz", "mat", "h5"])


@KINDS
def test_canonical_names_and_a_time_need_no_word(kind: str, tmp_path: Path) -> None:
    content, name = rows_of(kind, **waves(60), note="Jane Doe" if kind == "mat" else np.arange(3.0))
    found = read(tmp_path, content, name)
    assert (found.error, found.n, found.stretches[0].rate_hz) == (None, 60, 50.0)
    assert found.samples(Channel.FLOW) * 60 == pytest.approx(FLOW)


@KINDS
@pytest.mark.parametrize("shape", [(60,), (1, 60), (60, 1)])
def test_a_mapping_and_a_rate_make_signals_of_any_names(kind: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    content, name = rows_of(kind, F=FLOW.reshape(shape), P=np.arange(60.0).reshape(shape), other=np.arange(7.0))
    found = read(tmp_path, content, name, rate_hz=100.0, columns=MAPPED)
    assert (found.error, found.n, found.stretches[0].rate_hz) == (None, 60, 100.0)
    assert found.samples(Channel.FLOW) * 60 == pytest.approx(FLOW)


@KINDS
@pytest.mark.parametrize("turned", [False, True])
def test_columns_of_a_table_are_numbered(kind: str, tmp_path: Path, *, turned: bool) -> None:
    table = np.column_stack([np.arange(60.0), FLOW])
    content, name = rows_of(kind, m=table.T if turned else table)
    found = read(tmp_path, content, name, rate_hz=100.0, columns={"m:1": "flow_l_min", "m:0": "paw_cmh2o"})
    assert found.samples(Channel.FLOW) * 60 == pytest.approx(FLOW)
    assert found.samples(Channel.PAW) == pytest.approx(np.arange(60.0))


@KINDS
def test_what_lacks_is_said_with_the_line_that_mends_it(kind: str, tmp_path: Path) -> None:
    content, name = rows_of(kind, F=FLOW, P=FLOW)
    assert 'write in a sidecar recording = { rate_hz = HZ, columns = { "F" = "flow_l_s" } }; there are \'F\' (60)' in (
        read(tmp_path, content, name).error or ""
    )
    assert "nothing says its rate: write rate_hz = 100" in (read(tmp_path, content, name, columns=MAPPED).error or "")
    said = read(tmp_path, content, name, rate_hz=100.0, columns={"X": "flow_l_s"}).error or ""
    assert "no array is named 'X'; there are 'F' (60), 'P' (60)" in said


@KINDS
def test_arrays_of_two_lengths_are_not_one_table(kind: str, tmp_path: Path) -> None:
    content, name = rows_of(kind, flow_l_s=FLOW, pco2_mmhg=FLOW[:30])
    said = read(tmp_path, content, name, rate_hz=100.0).error or ""
    assert "'flow_l_s' has 60 samples, 'pco2_mmhg' 30: bring them to one rate" in said


@KINDS
def test_volume_alone_gives_flow(kind: str, tmp_path: Path) -> None:
    volume = 500.0 * np.sin(np.arange(600) / 60) ** 2
    content, name = rows_of(kind, volume_ml=volume, paw_cmh2o=volume / 50)
    found = read(tmp_path, content, name, rate_hz=100.0)
    assert found.error is None
    assert any("slope" in notice.detail and "volume" in notice.detail for _, notice in found.notices)
    assert found.samples(Channel.FLOW)[5:-5] == pytest.approx(np.gradient(volume)[5:-5] / 10, abs=0.02)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("made", [labchart, acqknowledge])
def test_exports_of_other_programs_say_all_themselves(made: Any, tmp_path: Path, *, packed: bool) -> None:
    found = read(tmp_path, mat(made(60), packed=packed), "x.mat")
    assert (found.error, found.n, found.stretches[0].rate_hz) == (None, 60, 50.0)
    assert found.samples(Channel.FLOW) * 60 == pytest.approx(FLOW)
    assert found.samples(Channel.PAW) == pytest.approx(waves(60)["paw_cmh2o"])


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (labchart(60, samplerate="x"), "do not fit the layout"),
        (acqknowledge(60, isi=0.0), "do not fit the layout"),
        (acqknowledge(60, labels=np.array(["a"])), "do not fit the layout"),
        ({"text": "Jane Doe"}, "it holds no arrays of numbers"),
    ],
)
def test_matlab_that_cannot_be_used(variables: dict[str, Any], says: str, tmp_path: Path) -> None:
    said = read(tmp_path, mat(variables), "x.mat").error or ""
    assert says in said
    assert "Jane" not in said


def test_blocks_of_labchart_lie_where_their_dates_say(tmp_path: Path) -> None:
    two = labchart(60, datastart=[[1.0, 31.0], [61.0, 91.0]], dataend=[[30.0, 60.0], [90.0, 120.0]])
    found = read(tmp_path, mat(two | {"blocktimes": [[738_000.0, 738_000.0 + 60.0 / 86_400]]}), "x.mat")
    assert [(round(one.start_s, 3), one.n) for one in found.stretches] == [(0.0, 30), (60.0, 30)]
    assert found.samples(Channel.FLOW) * 60 == pytest.approx(FLOW)


def test_structs_of_matlab(tmp_path: Path) -> None:
    content = mat({"s": {"flow": {"data": FLOW, "unit": "L/min"}, "paw_mbar": FLOW}})
    columns = {"s/flow/data": "flow_l_min", "paw_mbar": "paw_mbar"}
    assert read(tmp_path, content, "x.mat", rate_hz=100.0, columns=columns).samples(Channel.FLOW) * 60 == pytest.approx(
        FLOW
    )


def test_matlab_of_version_7_3_is_hdf5(tmp_path: Path) -> None:
    raw = bytearray(hdf5({"flow_l_min": FLOW[None, :]}, before=512))
    raw[:24] = b"MATLAB 7.3 MAT-file, x  "
    path = tmp_path / "x.mat"
    path.write_bytes(raw)
    assert open_recording(path, rate_hz=50).format == "hdf5"
    assert stream(open_recording(path, rate_hz=50).items()).n == 60


@pytest.mark.parametrize("group", ["", "night/1/"])
def test_units_and_rate_of_hdf5_come_from_attributes(group: str, tmp_path: Path) -> None:
    units = {"Flow": "LPM", "Pressure": "mmHg"}
    found = read(tmp_path, hdf5({"Flow": FLOW, "Pressure": FLOW}, group=group, units=units, fs=100.0), "x.h5")
    assert (found.n, found.stretches[0].rate_hz) == (60, 100.0)
    assert found.samples(Channel.PAW) == pytest.approx(FLOW * 1.35951, rel=1e-6)


def test_standard_litres_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(hdf5({"Flow": FLOW}, units={"Flow": "slm"}, fs=100.0))
    assert open_recording(path).sidecar.context.flow_conditions == "STPD"


def test_hdf5_leads_to_no_other_file(tmp_path: Path) -> None:
    other = tmp_path / "secret.raw"
    other.write_bytes(FLOW.tobytes())
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("flow_l_s", (60,), "f8", external=[(str(other), 0, 480)])
        file["paw_cmh2o"] = h5py.ExternalLink(str(other), "/x")
        layout = h5py.VirtualLayout((60,), "f8")
        layout[:] = h5py.VirtualSource(str(other), "x", (60,))
        file.create_virtual_dataset("flow_l_min", layout)
    assert "it holds no arrays of numbers" in (stream(open_recording(path, rate_hz=50).items()).error or "")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    content = npz(flow_l_s=np.array([{"a": 1}], dtype=object))
    assert "not readable as a NumPy archive" in (read(tmp_path, content, "x.npz", rate_hz=50.0).error or "")


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz_format, "RATIO_FROM", 2**16)
    content = npz(packed=True, flow_l_s=np.zeros(10**6))
    assert "this is no recording" in (read(tmp_path, content, "x.npz", rate_hz=50.0).error or "")
    with zipfile.ZipFile(tmp_path / "y.npz", "w") as archive:
        archive.writestr(
            "a.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (10**12,), }"
        )
    assert (stream(open_recording(tmp_path / "y.npz", rate_hz=50).items()).error or "").startswith("DecodeError")


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name == "h5py":
            raise ImportError(name)
        return ordinary(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    assert "pip install 'ventstream[hdf5]'" in (read(tmp_path, hdf5(waves(60)), "x.h5").error or "")


@pytest.mark.parametrize("name", ["rate_hz", "fs", "Fs", "sampling_rate", "SampleRate"])
@pytest.mark.parametrize("form", ["npz", "mat", "h5", "h5 of MATLAB"])
def test_an_array_of_one_number_says_the_rate(tmp_path: Path, name: str, form: str) -> None:
    arrays = {key: wave for key, wave in waves(60).items() if key != "time_s"}
    rate = np.array([[50.0]]) if "MATLAB" in form else np.float64(50.0)
    made = {"npz": lambda: npz(**arrays, **{name: rate}), "mat": lambda: mat({**arrays, name: rate})}
    path = tmp_path / f"a.{form[:3].strip()}"
    path.write_bytes(made.get(form, lambda: hdf5({**arrays, name: rate}))())
    found = stream(open_recording(path).items())
    assert [(one.rate_hz, one.n) for one in found.stretches] == [(50.0, 60)]
    assert any("samples per second: 50" in notice.detail for _, notice in found.notices) == (name != "rate_hz")


def test_the_rate_of_a_patient_is_no_rate_of_samples_and_two_rates_are_none(tmp_path: Path) -> None:
    arrays = {key: wave for key, wave in waves(60).items() if key != "time_s"}
    for more in ({"rate": 15.0}, {"fs": 50.0, "sampling_rate": 100.0}, {"fs": np.nan}, {"fs": -5.0}):
        path = tmp_path / "a.npz"
        path.write_bytes(npz(**arrays, **more))
        with pytest.raises(DecodeError, match="nothing says its rate"):
            list(open_recording(path).items())


@pytest.mark.parametrize("left", [200, 400, 0.5, 0.9])
def test_a_matlab_file_of_which_nothing_is_whole_says_so(tmp_path: Path, left: float) -> None:
    whole = mat({"flow_l_s": np.random.default_rng(1).normal(size=3000)}, packed=True)
    path = tmp_path / "a.mat"
    path.write_bytes(whole[: round(left if left > 1 else left * len(whole))])
    with pytest.raises(DecodeError, match="damaged or cut short; save it again"):
        list(open_recording(path).items())


@pytest.mark.parametrize("kind", ["deep", "many"])
def test_a_file_of_too_many_objects_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        group = file
        for at in range(60 if kind == "deep" else 4001):
            group = group.create_group("g") if kind == "deep" else file.create_group(f"g{at}").parent
        group["flow_l_s"] = FLOW
    found = read(tmp_path, out.getvalue(), "x.h5")
    assert found.error is not None
    assert "copy the arrays of one recording into a file of their own" in found.error


def test_what_matlab_keeps_for_itself_does_not_count(tmp_path: Path) -> None:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        own = file.create_group("#refs#")
        for at in range(4100):
            own[f"a{at}"] = 1.0
        file.create_dataset("Flow", data=FLOW).attrs["units"] = "L/s"
        file.attrs["fs"] = 100.0
    assert read(tmp_path, out.getvalue(), "x.h5").n == len(FLOW)
