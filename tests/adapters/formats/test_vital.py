from __future__ import annotations

import gzip
import struct
import tracemalloc
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding import inflate as _inflate
from adapters.decoding.contract import ReadOptions
from adapters.decoding.inflate import PIECE, Inflater
from adapters.formats import FORMATS, vital
from adapters.formats.vital_packets import Packets, Piece
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel
from streamer.model.errors import DecodeError
from streamer.model.units import CMH2O_PER_MBAR
from tests.support.adapter_contract import Stream, check, pieces, same_twice, stream
from tests.support.builders.vital_files import (
    AWP,
    CO2,
    FLOW,
    T0,
    device,
    head,
    packet,
    put,
    samples,
    track,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import vitaldb


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.vital"


def read(path: Path, rate_hz: float | None = None, **columns: str) -> Stream:
    return stream(vital.read(path, ReadOptions(rate_hz=rate_hz, columns=columns)))


def sources(path: Path) -> dict[str, Stream]:
    items = list(vital.read(path, ReadOptions()))
    names = sorted({item.source for item in items if hasattr(item, "source")})
    return {name: check(item for item in items if getattr(item, "source", "") == name) for name in names}


def details(found: Stream) -> list[str]:
    return [notice.detail for _, notice in found.notices]


def spans(found: Stream) -> list[tuple[float, int]]:
    return [(stretch.start_s, stretch.n) for stretch in found.stretches]


def test_tracks_of_one_rate_are_one_source_and_co2_of_another_its_own(path: Path) -> None:
    put(
        path,
        AWP,
        FLOW,
        CO2,
        samples(7, 0, [10, 20]),
        samples(8, 0, [60, -30]),
        samples(9, 0.02, [38]),
        samples(7, 0.04, [5]),
    )
    found = sources(path)
    assert {
        name: (one.stretches[0].rate_hz, [(round(start_s, 6), n) for start_s, n in spans(one)])
        for name, one in found.items()
    } == {
        "vital": (50.0, [(0.0, 3)]),
        "vital.co2": (25.0, [(0.02, 1)]),
    }
    assert found["vital"].samples(Channel.PAW).tolist() == [each * CMH2O_PER_MBAR for each in (10, 20, 5)]
    assert found["vital"].samples(Channel.FLOW)[:2].tolist() == [1.0, -0.5]
    assert np.isnan(found["vital"].samples(Channel.FLOW)[2])
    assert found["vital.co2"].samples(Channel.PCO2).tolist() == [38.0]
    assert open_recording(path).format == "vital"


def test_without_flow_a_pressure_of_another_rate_is_left_out_and_told(path: Path) -> None:
    found = read(put(path, AWP, CO2, samples(7, -9, [10, 20]), samples(9, 0, [38])))
    assert list(found.stretches[0].joined()) == [Channel.PCO2]
    assert spans(found) == [(0.0, 1)]
    assert details(found) == ["'Primus/AWP' has another rate than CO2, there is no flow, and it is left out"]


@pytest.mark.parametrize(
    ("form", "dtype", "none"),
    [
        (3, "<i1", -128),
        (4, "<u1", 255),
        (5, "<i2", -32768),
        (6, "<u2", 65535),
        (7, "<i4", -(2**31)),
        (8, "<u4", 2**32 - 1),
    ],
)
def test_whole_numbers_have_a_gain_an_offset_and_one_for_none(path: Path, form: int, dtype: str, none: int) -> None:
    described = track(9, "CO2", "mmHg", 25.0, form=form, gain=0.5, offset=3)
    put(path, described, samples(9, 0, [10, none, 20], dtype), packed=True)
    found = read(path)
    assert found.samples(Channel.PCO2)[[0, 2]].tolist() == [8.0, 13.0]
    assert np.isnan(found.samples(Channel.PCO2)[1])
    put(path, described, samples(9, 0, [10, none, 20], dtype))  # only packed files have such a number
    assert found.samples(Channel.PCO2).size == 3
    assert np.isfinite(read(path).samples(Channel.PCO2)[1])


def test_records_stamped_as_they_arrive_are_one_stretch_and_gaps_are_declared(path: Path) -> None:
    jitter = np.random.default_rng(1).uniform(-0.04, 0.04, 40)
    jitter[0] = 0
    before = [samples(7, k * 1.0 + jitter[k], [k] * 50) for k in range(20)]
    after = [samples(7, k * 1.0 + 30, [k] * 50) for k in range(3)]
    put(path, AWP, FLOW, samples(8, 0, [38] * 25), *before, *after)
    assert spans(sources(path)["vital"]) == [(0.0, 1000), (30.0, 150)]
    assert read(path).notices == []


def test_what_overlaps_is_dropped_and_counted(path: Path) -> None:
    put(path, CO2, samples(9, 0, range(50)), samples(9, 1.0, range(100, 150)), samples(9, 1.0, range(10)))
    recording = open_recording(path)
    found = check(recording.items())
    assert spans(found) == [(0.0, 75)]
    assert found.samples(Channel.PCO2).tolist() == [*range(50), *range(125, 150)]
    assert (recording.dropped_rows, recording.damaged_rows) == (35, 0)
    assert details(found)[0] == "a record at 1 s begins 1 s before the one before it ends"


def test_a_clock_that_runs_slow_is_followed(path: Path) -> None:
    found = read(put(path, CO2, *(samples(9, 1.001 * k, [k] * 25) for k in range(2000))))
    assert spans(found) == [(0.0, 50_000)]


def test_numbers_and_what_is_meant_for_others_is_not_read(path: Path) -> None:
    others = (
        track(1, "FLOW_AIR", "mL / min", 0.0, sort=2)
        + track(2, "ECG_II", "mV", 500.0)
        + track(3, "EVENT", "", 0.0, sort=5)
    )
    raw = packet(10, struct.pack("<d", T0) + b"x" * 100) + packet(6, b"\x05\x00\x00")
    numbers = packet(1, struct.pack("<HdHf", 10, T0 - 5, 1, 1.0))
    found = read(put(path, others, CO2, raw, numbers, samples(2, -9, [0] * 500), samples(9, 0, [38])))
    assert (spans(found), found.notices) == ([(0.0, 1)], [])
    assert "no flow signal in L/s, L/min, mL/s, mL/min, slm among 'Primus/ECG_II'" in (
        read(put(path, others, samples(2, 0, [1]))).error or ""
    )
    assert read(path, **{"Primus/ECG_II": "pco2_mmhg"}).n == 1


def written(path: Path, *, packed: bool) -> Any:
    """A file as the library writes it."""
    file = vitaldb.VitalFile()
    file.dtstart, file.dtend = T0, T0 + 61
    rng = np.random.default_rng(7)
    for name, unit, rate_hz in (
        ("Primus/AWP", "hPa", 62.5),
        ("Primus/CO2", "mmHg", 62.5),
        ("X/FLOW", "L/min", 62.5),
        ("Y/ECG", "mV", 500.0),
    ):
        size = 2 * rate_hz
        recs = [
            {"dt": T0 + 2 * k, "val": rng.uniform(1, 40, int(size)).astype(np.float32)}
            for k in range(30)
            if k not in (9, 10)
        ]
        file.add_track(name, recs, srate=rate_hz, unit=unit)
    file.add_track("Primus/TV", [{"dt": T0, "val": 450.0}], unit="mL")
    file.to_vital(str(path), packed=packed)
    return file


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("packed", [False, True], ids=["records", "packed"])
def test_the_library_and_we_read_the_same(path: Path, *, packed: bool) -> None:
    file = written(path, packed=packed)
    again = vitaldb.VitalFile(str(path))
    found = same_twice(lambda: vital.read(path, ReadOptions()))
    assert found.notices == []
    for name, channel, factor in (
        ("Primus/AWP", Channel.PAW, CMH2O_PER_MBAR),
        ("Primus/CO2", Channel.PCO2, 1.0),
        ("X/FLOW", Channel.FLOW, 1 / 60),
    ):
        expected = np.concatenate([rec["val"] for rec in file.trks[name].recs]).astype(float) * factor
        ours = found.samples(channel)
        assert ours[np.isfinite(ours)] == pytest.approx(expected, rel=1e-12)
        theirs = again.get_track_samples(name, 1 / 62.5)[: 60 * 125 // 2].astype(float) * factor
        place = np.full(3750, np.nan)
        for stretch in found.stretches:
            at = round(stretch.start_s * 62.5)
            place[at : at + stretch.n] = stretch.joined()[channel]
        assert np.allclose(place, theirs, rtol=1e-6, equal_nan=True)
    assert spans(found) == ([(0.0, 3750)] if packed else [(0.0, 1125), (22.0, 2375)])


def test_pieces_do_not_matter(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(path, packed=True)
    whole = read(path)
    for block, piece in ((16_384, 1000), (37, PIECE), (1000, 333)):
        monkeypatch.setattr(vital, "BLOCK", block)
        monkeypatch.setattr("adapters.decoding.inflate.PIECE", piece)
        assert read(path).form() == whole.form()


def plain(text: bytes, at: Iterable[int]) -> tuple[bytes, str]:
    inflater = Inflater()
    found = b"".join(out for piece in pieces(text, at) for out in inflater.feed(piece))
    inflater.close()
    return found, inflater.fault


def test_every_cut_inflates_to_the_same_also_where_it_is_damaged() -> None:
    text = gzip.compress(bytes(range(256)) * 9, mtime=0)
    damaged = bytearray(text)
    damaged[len(text) // 2] ^= 0xFF
    wrong_sum = text[:-8] + b"\0" * 8
    for transcript in (text, text + text, text + b"junk", text + b"j", text[:-9], bytes(damaged), wrong_sum, b"", b"x"):
        whole = plain(transcript, [])
        for cuts in (*([at] for at in range(len(transcript) + 1)), range(1, len(transcript))):
            assert plain(transcript, cuts) == whole, f"cut at {list(cuts)[:5]}"
    assert plain(text + text, []) == (bytes(range(256)) * 18, "")
    assert plain(text[:-9], [])[1] == "the file is cut short"
    assert plain(text + b"j", []) == (bytes(range(256)) * 9, "what follows the compressed data is not read")
    assert plain(wrong_sum, []) == (bytes(range(256)) * 9, "the compressed data are damaged (incorrect data check)")


def events(text: bytes, at: Iterable[int]) -> tuple[Any, ...]:
    packets = Packets({7, 9})
    found: dict[tuple[int, float], bytes] = {}
    order = []
    error = ""
    try:
        for piece in pieces(text, at):
            for event in packets.feed(piece):
                assert isinstance(event, Piece)
                key = (event.tid, event.time_s)
                assert (
                    event.first * np.dtype(packets.tracks[event.tid].dtype).itemsize == len(found.get(key, b""))
                    or not event.first
                )
                found[key] = found.get(key, b"") + event.raw
                order.append(key)
        packets.close()
    except DecodeError as failure:
        error = str(failure)
    return (
        found,
        list(dict.fromkeys(order)),
        packets.tracks,
        packets.began,
        packets.faults,
        packets.fault,
        packets.records,
        error,
    )


TRANSCRIPT = (
    head() + device(1, "P") + AWP + FLOW + CO2 + samples(7, 0, range(9)) + samples(8, 1, [1]) + samples(9, 2, [3])
)


def test_every_cut_gives_the_same_packets() -> None:
    text = TRANSCRIPT + packet(1, b"short") + packet(0, b"\7\0\1\1zz") + samples(7, 3, [4])[:-2]
    whole = events(text, [])
    assert whole[1] == [(7, T0), (9, T0 + 2)]
    assert whole[4:7] == (1, "the description of a track is cut short", 5)
    for cuts in (*([at] for at in range(len(text) + 1)), range(1, len(text))):
        assert events(text, cuts) == whole, f"cut at {list(cuts)[:5]}"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_packets_any_cut(draw: st.DataObject) -> None:
    text = bytearray(TRANSCRIPT)
    for _ in range(draw.draw(st.integers(0, 4))):
        at = draw.draw(st.integers(0, len(text)))
        text[at : at + draw.draw(st.integers(0, 5))] = draw.draw(st.binary(max_size=4) | st.just(b"\xff" * 4))
    cuts = draw.draw(st.lists(st.integers(0, len(text)), max_size=6))
    assert events(bytes(text), cuts) == events(bytes(text), [])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_bytes(tmp_path: Path, draw: st.DataObject) -> None:
    text = bytearray(TRANSCRIPT)
    outside = draw.draw(st.booleans())
    text = bytearray(gzip.compress(bytes(text), mtime=0)) if outside else text
    for _ in range(draw.draw(st.integers(0, 4))):
        at = draw.draw(st.integers(0, len(text)))
        text[at : at + draw.draw(st.integers(0, 5))] = draw.draw(st.binary(max_size=4) | st.just(b"\xff" * 4))
    path = tmp_path / "x.vital"
    path.write_bytes(bytes(text) if outside else gzip.compress(bytes(text), mtime=0))
    found = read(path)
    assert found.error is None or found.error.startswith("DecodeError: ")


def test_a_file_cut_short_keeps_what_is_there(path: Path) -> None:
    written(path, packed=False)
    text = path.read_bytes()
    path.write_bytes(text[: len(text) // 3])
    recording = open_recording(path)
    found = check(recording.items())
    assert found.n > 200
    assert "the file is cut short" in details(found)[-2]
    assert recording.damaged_rows == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file ends within its header"),
        (b"VIT", "the file ends within its header"),
        (b"NOTVITA and more", "this is no .vital file: VITA is not at its beginning"),
        (head(), "no flow signal in L/s, L/min, mL/s, mL/min, slm among"),
        (head() + CO2 + samples(9, 0, [np.nan]), "no usable row in the whole file"),
        (head() + CO2 + samples(9, -T0 - 1, [1]), "no flow signal"),
        (
            head() + track(9, "CO2", "mmHg", 9000.0) + samples(9, 0, [1]),
            "has 9000 Hz, outside 5-2000 Hz, and is left out",
        ),
        (head() + track(9, "CO2", "ppm", 25.0) + samples(9, 0, [1]), "'CO2' has the unit 'ppm', none of mmHg, kPa"),
    ],
)
def test_refusals(path: Path, content: bytes, says: str) -> None:
    path.write_bytes(gzip.compress(content))
    assert says in (read(path).error or "")


def test_the_rate_given_must_agree(path: Path) -> None:
    put(path, CO2, samples(9, 0, [38]))
    assert "given as 50 Hz (option, context or sidecar), but the file says 25 Hz" in (read(path, 50.0).error or "")
    assert read(path, 25.0).n == 1


@pytest.mark.parametrize("repeated", [b"\0", b"\x01\xff\xff\xff\x7f" + b"\7" * 9, samples(9, 1, [1]), packet(9, b"x")])
def test_a_bomb_is_refused_and_takes_no_memory(path: Path, repeated: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_inflate, "RATIO_FROM", 2**22)
    path.write_bytes(gzip.compress(head() + CO2 + samples(9, 0, [1]) + repeated * (2**23 // len(repeated)), 9))
    tracemalloc.start()
    found = read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23
    assert found.error is None or "expands more than 300-fold" in found.error


def test_a_long_packed_track_takes_no_memory(path: Path) -> None:
    rng = np.random.default_rng(1)
    put(path, AWP, FLOW, *(samples(tid, 0, rng.integers(0, 99, 500_000)) for tid in (7, 8)), packed=True)
    tracemalloc.start()
    count = sum(len(item) for item in vital.read(path, ReadOptions()) if hasattr(item, "rate_hz"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 500_000
    assert peak < 2**22


@pytest.mark.parametrize(
    ("content", "is_ours"),
    [
        (gzip.compress(b"VITA" + b"\0" * 90_000, mtime=0), True),
        (gzip.compress(b"flow_l_s\n", mtime=0), False),
        (b"VITA", False),
        (b"\x1f\x8b\x08\x00", False),
        (b"\x1f\x8bjunk" * 9, False),
        (b"", False),
    ],
)
def test_recognise(content: bytes, *, is_ours: bool) -> None:
    assert vital.recognise(content, "x") is is_ours
    assert FORMATS["vital"].load() is vital


def test_unix_time_is_utc(path: Path) -> None:
    path.write_bytes(gzip.compress(head() + track(9, "FLOW", "L/min", 25.0) + samples(9, 2.5, range(40))))
    assert open_recording(path).sidecar.recording.start_utc == datetime.fromtimestamp(T0 + 2.5, UTC)


def test_other_gzip_is_what_is_in_it(path: Path) -> None:
    path = path.with_suffix(".csv.gz")
    path.write_bytes(gzip.compress(b"flow_l_s\n1\n"))
    assert open_recording(path).format == "csv"
