from __future__ import annotations

from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.columns import barometer_note
from adapters.decoding.contract import ReadOptions
from adapters.formats import edf, pb840, poly5, respiraworks, servo_u
from adapters.formats import text_table as csv_table
from adapters.formats.edf_header import MAX_RECORD
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel, Chunk
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice, NoticeKind
from streamer.model.units import CMH2O_PER_KPA, CMH2O_PER_MBAR, MMHG_PER_KPA
from tests.support.adapter_contract import (
    Stream,
    decoded,
    prefix_rule,
    recordings,
    refused,
    same_twice,
)
from tests.support.builders.edf_files import (
    CRC,
    FLOW,
    NARROW,
    PRESS,
    TIMES,
    crc,
    flow,
    header,
    narrow,
    press,
    resmed,
    tal,
    timed,
    words,
)
from tests.support.streams import segmented

CO2 = ("CO2", "mmHg", "0", "100", "0", "1000", 2)


def make(rate_hz: float | None = None, **columns: str) -> edf.Decoder:
    return edf.Decoder(ReadOptions(rate_hz=rate_hz, columns=columns))


def read(text: bytes) -> Stream:
    return decoded(make, [text])


def details(found: Stream) -> list[str]:
    return [notice.detail for _, notice in found.notices]


def places(found: Stream) -> list[tuple[float, int]]:
    return [(round(stretch.start_s, 9), stretch.n) for stretch in found.stretches]


def test_records_become_canonical_and_contiguous() -> None:
    found = read(resmed())
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.0, 10.0, 12)]
    assert found.samples(Channel.FLOW).tolist() == [(100 + k) * 5 / 2500 for k in range(12)]
    assert found.samples(Channel.FLOW)[:3].tolist() == [0.2, 0.202, 0.204]
    assert found.samples(Channel.PAW)[:3].tolist() == [5.0, 5.02, 5.04]
    assert found.notices == []


def test_every_cut_gives_the_same() -> None:
    prefix_rule(make, resmed())
    prefix_rule(make, resmed()[:-7])
    broken = bytearray(resmed())
    broken[1024 + 18 + 3] ^= 1
    prefix_rule(make, bytes(broken) + b"more")
    prefix_rule(make, timed("+0", "+0.4", "+9", "+3", "x", "+3.4"))
    both = header(FLOW, CO2, PRESS) + b"".join(flow(k) + words(400, 401) + press(k) for k in range(3))
    prefix_rule(make, both[:-5])


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("cmH2O", 1.0), ("mbar", CMH2O_PER_MBAR), ("hPa", CMH2O_PER_MBAR), ("kPa", CMH2O_PER_KPA), ("CMH2O", 1.0)],
)
def test_units_of_pressure(unit: str, factor: float) -> None:
    found = read(header(FLOW, ("MaskPress", unit, *PRESS[2:])) + flow(0) + press(0))
    assert found.samples(Channel.PAW)[0] == 5.0 * factor


@pytest.mark.parametrize(("unit", "divisor"), [("L/s", 1.0), ("L/min", 60.0), ("mL/s", 1000.0), ("l/S", 1.0)])
def test_units_of_flow(unit: str, divisor: float) -> None:
    found = read(header(("Patient Flow", unit, *FLOW[2:])) + flow(0))
    assert found.samples(Channel.FLOW)[0] == 0.2 / divisor
    assert list(found.stretches[0].joined()) == [Channel.FLOW]


def test_an_offset_and_an_inverted_scale_are_applied() -> None:
    found = read(header(("Flow", "L/s", "3", "-2", "0", "1000", 4)) + words(0, 1000, 500, 600))
    assert found.samples(Channel.FLOW).tolist() == [3.0, -2.0, 0.5, 0.0]


def test_co2_of_the_same_rate_stands_beside_flow_and_of_another_comes_as_its_own_source() -> None:
    same = read(header(FLOW, ("CO2", "kPa", *CO2[2:6], 4)) + flow(0) + words(50, 51, 52, 53))
    assert same.samples(Channel.PCO2)[0] == 5.0 * MMHG_PER_KPA
    items = decode(header(FLOW, CO2) + b"".join(flow(k) + words(400, 401) for k in range(3)))
    found = [
        (item.source, round(item.start_s, 6), item.rate_hz, len(item)) for item in items if isinstance(item, Chunk)
    ]
    assert found == [(s, t, r, n) for t in (0.0, 0.4, 0.8) for s, r, n in (("edf", 10.0, 4), ("edf.co2", 5.0, 2))]
    assert isinstance(items[-1], Chunk)
    assert items[-1].channels[Channel.PCO2].tolist() == [40.0, 40.1]


def decode(text: bytes) -> list[Chunk | Notice]:
    decoder = make()
    return [*decoder.feed(text), *decoder.close()]


def test_co2_of_its_own_keeps_its_time_through_a_damaged_record_and_a_gap() -> None:
    records = [crc(flow(k) + words(400 + k, 401)) for k in range(4)]
    records[1] = b"\1" + records[1][1:]
    own = [item for item in decode(header(FLOW, CO2, CRC, records=4) + b"".join(records)) if isinstance(item, Chunk)]
    assert [(c.source, round(c.start_s, 6)) for c in own if c.source == "edf.co2"] == [
        ("edf.co2", 0.0), ("edf.co2", 0.8), ("edf.co2", 1.2),
    ]  # fmt: skip


def test_a_record_whose_checksum_differs_is_damaged_and_keeps_its_time() -> None:
    broken = bytearray(resmed())
    broken[1024 + 18] ^= 1
    found = read(bytes(broken))
    assert np.flatnonzero(np.isnan(found.samples(Channel.FLOW))).tolist() == [4, 5, 6, 7]
    assert found.samples(Channel.FLOW)[8] == 0.216
    assert details(found)[0].startswith("record 2: its checksum is ")
    assert details(found)[-1] == "4 damaged, 0 dropped, 8 good rows in all"
    elsewhere = header(CRC, FLOW, PRESS) + b"".join(words(7) + flow(k) + press(k) for k in range(3))
    assert (read(elsewhere).n, details(read(elsewhere))) == (12, [])


def test_long_damage_is_a_declared_gap() -> None:
    records = [crc(flow(k) + press(k)) for k in range(3)]
    records[1] = bytes(len(records[1]) - 1) + b"\1"
    slow = [(*one[:6], 400) for one in (FLOW, PRESS)]
    body = [crc(flow(k, 400) + press(0, 400)) for k in range(3)]
    body[1] = bytes(len(body[1]) - 1) + b"\1"
    assert places(read(header(*slow, CRC, duration=60) + b"".join(body))) == [(0.0, 400), (120.0, 400)]


@pytest.mark.parametrize("records", [-1, 0, 3])
def test_a_count_of_records_may_be_unknown(records: int) -> None:
    text = resmed().replace(b"3       0.40", str(records).ljust(8).encode() + b"0.40")
    assert (read(text).n, details(read(text))) == (12, [])


def test_a_file_cut_short_keeps_what_is_complete_and_tells_the_rest() -> None:
    found = read(resmed()[:-3])
    assert found.n == 8
    what = "record 3: cut short after 15 of 18 bytes, 0 samples of it are kept; the header counts 3"
    assert details(found) == [what, "4 damaged, 0 dropped, 8 good rows in all"]
    assert details(read(resmed()[:-18])) == ["the file ends after record 2: the header counts 3"]
    plain = header(FLOW, PRESS, records=1) + flow(0) + press(0)
    found = read(plain[:-3])
    assert (found.n, found.samples(Channel.PAW).tolist()) == (2, [5.0, 5.02])
    assert details(found)[0].startswith("record 1: cut short after 13 of 16 bytes, 2 samples of it are kept")


def test_bytes_behind_the_counted_records_are_not_samples() -> None:
    found = read(resmed() + crc(flow(3) + press(3)) + b"xyz")
    assert (found.n, details(found)) == (12, ["21 bytes behind the last record are not read: the header counts 3"])


def test_samples_outside_the_digital_range_are_missing() -> None:
    found = read(header(FLOW, records=1) + words(-1001, -1000, 1500, 1501))
    assert np.isnan(found.samples(Channel.FLOW)).tolist() == [True, False, False, True]
    assert details(found) == ["2 samples lie outside the digital range that the header gives, and are missing"]


def test_discontinuous_records_are_placed_by_their_onsets() -> None:
    found = read(timed("+0", "+0.4", "+2.5", "+2.9"))
    assert (places(found), details(found)) == ([(0.0, 8), (2.5, 8)], [])
    assert places(read(timed("+7.25", "+7.66"))) == [(7.25, 8)]
    assert places(read(timed("+0.3", "+5", kind="EDF+C"))) == [(0.3, 8)]


def test_an_onset_that_goes_back_is_a_pause_of_unknown_length() -> None:
    found = read(timed("+10", "+10.4", "+3", "+3.4"))
    assert places(found) == [(10.0, 8), (12.8, 8)]
    what = "record 3 begins 7.8 s before the one before it ends: the clock was set"
    assert details(found) == [f"{what}; the pause is unknown and shown as 2 s"]
    assert found.notices[0][1].kind is NoticeKind.CLOCK_RESET
    assert places(read(timed("+0", "+0.3", "+0.7"))) == [(0.0, 12)]


@pytest.mark.parametrize("onset", ["", "0.4", "+", "+99999999999", "++1"])
def test_a_record_without_its_time_is_damaged(onset: str) -> None:
    found = read(timed("+0", onset, "+0.8"))
    assert places(found) == [(0.0, 4), (0.8, 4)]
    assert details(found)[0] == "record 2: it does not say when it begins"


def test_of_several_signals_the_fastest_is_used_and_what_has_another_rate_is_told() -> None:
    signals = [("Flow slow", *FLOW[1:6], 2), FLOW, ("Press.80ms", *PRESS[1:6], 2), ("Leak.40ms", *FLOW[1:])]
    found = read(header(*signals, records=1) + words(1, 1) + flow(0) + words(1, 1) + words(1, 1, 1, 1))
    assert found.samples(Channel.FLOW).tolist()[0] == 0.2
    assert list(found.stretches[0].joined()) == [Channel.FLOW]
    assert details(found) == [
        "flow: 'Flow.40ms' is used, not 'Flow slow'",
        "'Press.80ms' has 5 Hz, flow 10 Hz, and is left out",
    ]


def test_what_a_unit_is_may_be_said_by_the_user() -> None:
    text = header(("Flow", "?", *FLOW[2:]), ("X", "", *PRESS[2:]), PRESS, records=1) + flow(0) + press(0) + press(1)
    assert "'Flow' has the unit '?', none of L/s, L/min, mL/s, mL/min, slm, and is left out; if its" in refused(
        make, text
    )
    found = decoded(lambda: edf.Decoder(ReadOptions(columns={"flow": "flow_l_min", "1": "paw_kpa"})), [text])
    assert (found.samples(Channel.FLOW)[0], found.samples(Channel.PAW)[0]) == (0.2 / 60, 5.0 * CMH2O_PER_KPA)
    found = decoded(lambda: edf.Decoder(ReadOptions(columns={"0": "flow_l_s", "Press.40ms": "volume_ml"})), [text])
    assert list(found.stretches[0].joined()) == [Channel.FLOW]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"Flux": "flow_l_s"}, "there is no signal 'Flux'; there are 'Flow.40ms', 'Press.40ms', 'Crc16'"),
        ({"9": "flow_l_s"}, "there is no signal '9'"),
        ({"0": "flow"}, "'flow' is no name; known are paw_cmh2o"),
        ({"0": "flow_l_s", "1": "flow_l_min"}, "'1' = 'flow_l_min' says a second time"),
        ({"0": "flow_l_s", "flow.40ms": "flow_l_s"}, "'flow.40ms' = 'flow_l_s' says a second time"),
    ],
)
def test_what_the_user_says_must_be_possible(columns: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=r"^columns: ") as error:
        edf.Decoder(ReadOptions(columns=columns)).feed(resmed())
    assert says in str(error.value)


@pytest.mark.parametrize("unit", ["%", "vol%", "Vol.-%", "% CO2"])
def test_co2_in_percent_is_of_the_barometric_pressure(unit: str) -> None:
    raw = header(FLOW, ("CO2", unit, *CO2[2:]), records=1) + flow(0) + words(1, 2)
    in_mmhg, sea = read(header(FLOW, CO2, records=1) + flow(0) + words(1, 2)), read(raw)
    high = decoded(lambda: edf.Decoder(ReadOptions(barometric_mmhg=600.0)), [raw])
    stated = in_mmhg.stretches[1].joined()[Channel.PCO2]
    assert sea.stretches[1].joined()[Channel.PCO2] == pytest.approx(7.6 * stated)
    assert high.stretches[1].joined()[Channel.PCO2] == pytest.approx(6.0 * stated)
    assert (details(sea)[0], details(high)[0]) == (barometer_note(760.0), barometer_note(600.0))


@pytest.mark.parametrize("unit", ["ppm", "", "V"])
def test_co2_of_an_unknown_unit_is_left_out(unit: str) -> None:
    found = read(header(FLOW, ("CO2", unit, *CO2[2:]), records=1) + flow(0) + words(1, 2))
    assert list(found.stretches[0].joined()) == [Channel.FLOW]
    has = f"the unit {unit!r}" if unit else "no unit"
    assert details(found)[0].startswith(f"'CO2' has {has}, none of mmHg, kPa, mbar, Pa, %, and is left out; if its")


@pytest.mark.parametrize(
    "label", ["Leak", "FlowLim", "O2 Flow", "EprPress", "Pes", "ABP", "Nasal Pressure", "EtCO2", "Volume", "Peak Flow"]
)
def test_other_signals_are_not_taken_for_it(label: str) -> None:
    signals = [(label, unit, *FLOW[2:]) for unit in ("cmH2O", "mmHg", "L/min")]
    found = read(header(FLOW, *signals, records=1) + flow(0) + bytes(24))
    assert (list(found.stretches[0].joined()), details(found)) == ([Channel.FLOW], [])


def test_records_of_no_duration_need_a_rate_and_a_rate_given_must_agree() -> None:
    text = header(FLOW, PRESS, duration=0, records=1) + flow(0) + press(0)
    assert "byte 244: records of 0 s give no rate; give --rate HZ" in refused(make, text)
    assert [s.rate_hz for s in decoded(lambda: make(50.0), [text]).stretches] == [50.0]
    assert "given as 50 Hz" in (decoded(lambda: make(50.0), [resmed()]).error or "")
    assert decoded(lambda: make(10.0), [resmed()]).n == 12


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"0       ", "the file ends after 8 bytes, within its header"),
        (b"\xffBIOSEMI" + bytes(300), "byte 0: a BDF file with samples of 24 bits; export it as EDF"),
        (b"x" * 300, "byte 0: not an EDF file"),
        (resmed()[:1000], "the file ends after 1000 bytes, within its header"),
        (resmed()[:1024], "the file ends behind its header, without a record"),
        (resmed()[:1026], "record 1: cut short after 2 of 18 bytes"),
        (header(FLOW).replace(b"512 ", b"999 "), "byte 184: a header of 999 bytes, but with 1 signals it has 512"),
        (header(FLOW)[:252] + b"513 ", "byte 252: 513 signals; 1 to 512 can be read"),
        (header(FLOW)[:252] + b"1_0 ", "byte 252: number of signals is '1_0', which is no number"),
        (header((*FLOW[:6], 0)), "a record has no samples"),
        (header((*FLOW[:6], -4)), "byte 472: -4 samples of 'Flow.40ms' in a record; a record may have 16 MiB"),
        (header((*FLOW[:6], MAX_RECORD // 2 + 1)), "byte 472: 8388609 samples"),
        (header(FLOW, records=-2), "byte 236: -2 records"),
        (header(FLOW, records="many"), "byte 236: number of records is 'many'"),
        (header(FLOW, duration="0,4"), "byte 244: duration of a record is '0,4', which is no number"),
        (header(FLOW, duration="1e999"), "byte 244: duration of a record is '1e999'"),
        (header((*FLOW[:4], "5", "5", 4)), "signal 'Flow.40ms' has no scale"),
        (header((*FLOW[:2], "1", "1", *FLOW[4:])), "signal 'Flow.40ms' has no scale"),
        (header((*FLOW[:2], "a", *FLOW[3:])), "'Flow.40ms': physical minimum is 'a', which is no number"),
        (header((*FLOW[:6], 4), duration="1e-3"), "'Flow.40ms' has 4000 Hz, outside 5-2000 Hz"),
        (header(PRESS), "no flow signal in L/s, L/min, mL/s, mL/min, slm among 'Press.40ms'"),
        (header(FLOW, kind="EDF+D"), "EDF+D without a signal EDF Annotations"),
        (header(TIMES, CRC, kind="EDF+D"), "this file holds annotations, no waveforms; name the file"),
        (header(FLOW, CRC, duration="8"), "this file holds trends (at most one value in 2 s), no waveforms; name the"),
    ],
)  # fmt: skip
def test_refusals_say_where_and_why(text: bytes, says: str) -> None:
    assert says in refused(make, text)


def test_a_file_without_one_sample_in_range_is_refused() -> None:
    assert "no usable row in the whole file" in (read(header(FLOW) + words(9999, 9999, 9999, 9999)).error or "")


def test_a_large_record_is_the_bound() -> None:
    decoder = make()
    decoder.feed(header((*FLOW[:6], 1_000_000), duration=10_000))
    for _ in range(40):
        decoder.feed(bytes(262_144))
        assert len(decoder._bytes) < 2_000_000 + 262_144
    refused(make, b"0" + b" " * 7 + bytes(5000))


def test_only_this_format_is_recognised(tmp_path: Path) -> None:
    assert edf.recognise(resmed()[:65_536], "x")
    for other in (b"", b"0       ", b"time_s,flow_l_s\n0,1\n", b"POLY SAMPLE FILE", resmed()[:200], bytes(3000)):
        assert not edf.recognise(other, "x.edf")
    for module in (csv_table, pb840, poly5, respiraworks, servo_u):
        assert not module.recognise(resmed(), "x.edf")
    path = tmp_path / "x.bin"
    path.write_bytes(resmed())
    assert open_recording(path).format == "edf"
    assert same_twice(open_recording(path).items).n == 12


BASES = (
    resmed(),
    timed("+0", "+0.4", "+2.5", "+1"),
    timed("+1", "+5", kind="EDF+C", records=2),
    header(FLOW, CO2, PRESS, TIMES, kind="EDF+D") + (flow(0) + words(1, 2) + press(0) + tal("+0")) * 3,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_bytes_any_cut(draw: st.DataObject) -> None:
    """Bytes of a small file overwritten, put in or left out, in the header above all."""
    text = bytearray(draw.draw(st.sampled_from(BASES)))
    fields = st.sampled_from([184, 192, 196, 236, 244, 252, 256, 512, 1280])
    for _ in range(draw.draw(st.integers(0, 5))):
        at = draw.draw(st.one_of(fields, st.integers(0, len(text))))
        new = draw.draw(st.one_of(st.binary(max_size=8), st.text("0123456789+-.eE ", max_size=8).map(str.encode)))
        text[at : at + len(new) if draw.draw(st.booleans()) else at] = new
    cuts = draw.draw(st.lists(st.integers(0, len(text)), max_size=6))
    prefix_rule(make, bytes(text), [cuts])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([b"", resmed()[:1024]]), st.binary(max_size=2000))
def test_junk_is_refused_or_read(before: bytes, junk: bytes) -> None:
    text = before + junk
    prefix_rule(make, text, [[len(text) // 2], range(1, min(len(text), 300))])


@pytest.mark.parametrize("new", [0x00, 0xFF, 0x20, 0x2D, 0x39])
def test_a_changed_byte_of_the_header_is_survived(new: int) -> None:
    text = resmed()
    for at in range(1024):
        read(text[:at] + bytes([new]) + text[at + 1 :])


def crossings(flow_l_s: Any) -> tuple[list[int], list[int]]:
    """Where flow turns into and out of the patient, by more than 0.05 L/s: a plain count of breaths."""
    into: list[int] = []
    out: list[int] = []
    for at, value in enumerate(flow_l_s.tolist()):
        if len(into) == len(out) and value > 0.05:
            into.append(at)
        elif len(into) > len(out) and value < -0.05:
            out.append(at)
    return into, out


@pytest.mark.parametrize("path", recordings("resmed-edf-airsense/*_BRP.edf"))
def test_real_recordings(path: Path) -> None:
    recording = open_recording(path)
    assert recording.format == "edf"
    found = same_twice(recording.items)
    minutes, breaths_known, vt_known = {"118": (26, 227, 1.153), "636": (79, 1258, 0.404)}[path.stem[12:15]]
    assert [(s.start_s, s.rate_hz, s.n) for s in found.stretches] == [(0.0, 25.0, 1500 * minutes)]
    assert recording.damaged_rows == 0
    assert found.notices == []
    pressure, flow_l_s = found.samples(Channel.PAW), found.samples(Channel.FLOW)
    assert 2.0 < pressure.min() < pressure.max() < 11.1
    into, out = crossings(flow_l_s)
    volumes = [flow_l_s[a:b].clip(0).sum() / 25.0 for a, b in zip(into, out, strict=False)]
    assert len(into) == breaths_known
    assert float(np.median(volumes)) == pytest.approx(vt_known, rel=0.005)
    rng = np.random.default_rng(25)
    text = path.read_bytes()[: 1024 + 6002 * 5 + 99]
    prefix_rule(make, text, [sorted(rng.integers(0, len(text), size)) for size in (1, 30, 1500)])


@pytest.mark.parametrize("path", recordings("resmed-edf-airsense/*_BRP.edf"))
def test_breaths_are_those_of_the_device(path: Path) -> None:
    """The device's own trends, another maker's algorithm.

    Volumes are compared as turns of flow: awake (the first file) the segmenter takes some 20 small swings for no
    breaths, and its median of 1206 mL lies 8 % above the device's 1120; asleep it is 406 against 420.
    """
    trends = path.with_name({"118": "20230822_001119_PLD.edf", "636": "20230822_010636_PLD.edf"}[path.stem[12:15]])
    reader = edfio.read_edf(trends)
    names = ("TidVol.2s", "RespRate.2s", "MinVent.2s")
    volume, rate, minute = (float(np.median(reader.get_signal(name).data)) for name in names)
    pieces = [item for item in open_recording(path).items() if isinstance(item, Chunk)]
    breaths = segmented(pieces).breaths
    flow_l_s = np.concatenate([piece.channels[Channel.FLOW] for piece in pieces])
    into, out = crossings(flow_l_s)
    assert len(breaths) == pytest.approx(len(into), rel=0.1)
    inspired = np.array([flow_l_s[a:b].clip(0).sum() / 25.0 for a, b in zip(into, out, strict=False)])
    assert float(np.median(inspired)) == pytest.approx(volume, rel=0.05)
    assert 60.0 / float(np.median([b.end_s - b.start_s for b in breaths])) == pytest.approx(rate, rel=0.05)
    total = np.concatenate([[0.0], np.cumsum(flow_l_s.clip(0)) / 25.0])
    assert float(np.median(total[1500::50] - total[:-1500:50])) == pytest.approx(minute, rel=0.05)


@pytest.mark.parametrize("path", recordings("resmed-edf-airsense/*.edf"))
def test_every_checksum_of_the_shared_files_agrees(path: Path) -> None:
    text = path.read_bytes()
    count = int(text[252:256])
    size = 2 * sum(int(text[256 + 216 * count + 8 * k :][:8]) for k in range(count))
    first = 256 * (count + 1)
    records = [text[at : at + size] for at in range(first, len(text), size)]
    assert len(records) == int(text[236:244])
    assert all(crc(record[:-2]) == record for record in records)


@pytest.mark.parametrize("path", recordings("resmed-edf-airsense/*_[PE][LV][DE].edf"))
def test_files_without_waveforms_name_the_one_that_has_them(path: Path) -> None:
    with pytest.raises(DecodeError, match=r"no waveforms; name the file with the waveforms .*_BRP\.edf"):
        list(open_recording(path).items())


@pytest.mark.parametrize(
    ("start", "local"),
    [
        ("01.03.2412.34.56", "2024-03-01T12:34:56"),
        ("31.12.9923.59.59", "1999-12-31T23:59:59"),
        ("01.01.8500.00.00", None),
        ("31.02.2412.34.56", None),
        ("xx.03.2412.34.56", None),
        ("", None),
    ],
)
def test_the_recorders_own_time_is_told(start: str, local: str | None, tmp_path: Path) -> None:
    path = tmp_path / "x.edf"
    path.write_bytes(header(FLOW, PRESS, start=start, records=1) + flow(0) + press(0))
    found = open_recording(path).sidecar.recording.start_local
    assert (None if found is None else found.isoformat()) == local


def test_the_first_onset_and_the_year_in_full_count(tmp_path: Path) -> None:
    raw = header(FLOW, TIMES, start="01.03.2412.00.00", kind="EDF+C", records=1) + flow(0) + tal("+0.25")
    full = raw[:88] + b"Startdate 01-MAR-2124 X X X".ljust(80) + raw[168:]
    path = tmp_path / "x.edf"
    for content, year in ((raw, "2024"), (full, "2124")):
        path.write_bytes(content)
        found = open_recording(path).sidecar.recording.start_local
        assert found is not None
        assert found.isoformat() == f"{year}-03-01T12:00:00.250000"


def test_who_was_recorded_is_told_nowhere(tmp_path: Path) -> None:
    raw = header(FLOW, ("Flow2", "V", *FLOW[2:]), records=2) + flow(0) * 3
    path = tmp_path / "x.edf"
    path.write_bytes(raw[:8] + b"MCH-0234567 F 02-MAY-1951 Jane_Doe".ljust(80) + raw[88:])
    recording = open_recording(path)
    told = f"{recording.sidecar} {[item for item in recording.items() if isinstance(item, Notice)]}"
    assert not any(word in told for word in ("Jane", "0234567", "1951"))


def test_samples_of_one_byte() -> None:
    found = read(narrow("#1", "#1", "#2") + NARROW * 3)
    assert (found.n, found.error) == (12, None)
    assert found.samples(Channel.FLOW)[:4] * 60 == pytest.approx([0.0, 1.0, 2.0, 128.0])
    assert found.samples(Channel.PAW)[:4] / CMH2O_PER_MBAR == pytest.approx([-12.8, 0.0, 5.0, 12.7])
    assert any("samples of 8 bits" in detail for detail in details(found))
    prefix_rule(lambda: edf.Decoder(ReadOptions()), narrow("#1", "#1", "#2") + NARROW * 3)
