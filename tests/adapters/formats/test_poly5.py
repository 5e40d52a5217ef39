from __future__ import annotations

import struct
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions
from adapters.formats import edf, pb840, poly5, respiraworks, servo_u
from adapters.formats import text_table as csv_table
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import Sidecar
from streamer.model.units import CMH2O_PER_MBAR
from tests.support.adapter_contract import (
    Stream,
    decoded,
    prefix_rule,
    recordings,
    refused,
    same_twice,
)
from tests.support.builders.poly5_files import PLAIN, block, body, header, row, small
from tests.support.streams import segmented


def make(**columns: str) -> poly5.Decoder:
    return poly5.Decoder(ReadOptions(columns=columns))


def read(text: bytes) -> Stream:
    return decoded(make, [text])


def details(found: Stream) -> list[str]:
    return [notice.detail for _, notice in found.notices]


def missing(found: Stream) -> list[int]:
    return np.flatnonzero(np.isnan(found.samples(Channel.FLOW))).tolist()


def test_samples_become_canonical_and_padding_is_left_out() -> None:
    found = read(small())
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.0, 100.0, 6)]
    assert found.samples(Channel.FLOW).tolist() == [-0.5, 0.0, 0.5, 1.0, -0.5, 0.0]
    assert found.samples(Channel.PAW).tolist() == [5.0, 5.125, 5.25, 5.375, 5.5, 5.625]
    assert list(found.stretches[0].joined()) == [Channel.FLOW, Channel.PAW]
    assert found.notices == []


def test_every_cut_gives_the_same() -> None:
    prefix_rule(make, small(11))
    prefix_rule(make, small(11)[:-40])
    prefix_rule(make, small(5) + b"more" * 30)
    prefix_rule(make, header(12) + block(0, [row(0)] * 4) + block(9, [row(0)] * 4) + block(8, [row(0)] * 4))


def test_channels_are_known_by_name_and_unit() -> None:
    channels = (("CO2", "mmHg"), ("Paw", "mbar"), ("Flow", "L/s"), ("Pes", "cmH2O"), ("EMG", "µV"))
    found = read(header(1, channels=channels, per_block=1) + block(0, [[40.0, 8.0, 0.5, -3.0, 1.0]], 1))
    assert {name: samples.tolist() for name, samples in found.stretches[0].joined().items()} == {
        Channel.FLOW: [0.5], Channel.PAW: [8.0 * CMH2O_PER_MBAR], Channel.PCO2: [40.0],
    }  # fmt: skip


def test_what_a_channel_is_may_be_said_by_the_user() -> None:
    found = decoded(lambda: make(v="flow_ml_s", P="volume_ml"), [small()])
    assert found.samples(Channel.FLOW).tolist() == [0.0, 0.01, 0.02, 0.03, 0.04, 0.05]
    assert list(found.stretches[0].joined()) == [Channel.FLOW]


def test_a_stored_range_of_its_own_is_a_scale() -> None:
    found = read(header(scale=(-1.0, 1.0, 0.0, 4.0)) + body(6))
    assert found.samples(Channel.PAW)[:2].tolist() == [1.5, 1.5625]
    integers = struct.unpack("<4f", struct.pack("<4i", 0, 1000, 0, 1000))  # as one recorder writes them
    assert read(header(scale=integers) + body(6)).form() == read(small()).form()


def test_not_a_number_and_infinity_are_missing() -> None:
    found = read(header(3) + block(0, [[5.0, np.nan, 0.0], [5.0, np.inf, 0.0], [5.0, 6.0, 0.0]]))
    assert (missing(found), found.notices) == ([0, 1], [])


def test_a_file_cut_short_keeps_its_complete_samples_and_tells_what_is_missing() -> None:
    found = read(small(11)[: -12 - 13])  # one padded sample, then the last one and a byte of the one before
    assert (found.n, found.samples(Channel.PAW)[-1]) == (9, 6.0)
    assert details(found) == ["the file ends after 9 of the 11 samples that its header counts"]
    assert (read(small(11)[:-12]).n, details(read(small(11)[:-12]))) == (11, [])
    whole = header(11) + body(8)
    assert details(read(whole)) == ["the file ends after 8 of the 11 samples that its header counts"]


def test_a_header_that_does_not_count_and_bytes_behind_the_last_block_are_told() -> None:
    found = read(header(0) + body(8))
    assert (found.n, details(found)) == (8, ["the header does not count the samples, so the last ones may be padding"])
    found = read(small() + bytes(150))
    assert (found.n, details(found)) == (6, ["150 bytes behind the 6 samples are not read"])


def test_a_block_out_of_its_place_is_damaged_and_keeps_its_time() -> None:
    blocks = [block(at, [row(k + i) for i in range(4)]) for k, at in ((0, 0), (4, 5), (8, 8))]
    found = read(header(12) + b"".join(blocks))
    assert (found.n, missing(found)) == (12, [4, 5, 6, 7])
    assert details(found) == [
        "block 2: it says that it begins with sample 5, but 4 are before it",
        "4 damaged, 0 dropped, 8 good rows in all",
    ]
    unnumbered = [block(0, [row(k + i) for i in range(4)]) for k in (0, 4, 8)]
    assert read(header(12) + b"".join(unnumbered)).form() == read(small(12)).form()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"POLY SAMPLE FILE", "the file ends after 16 bytes, within its header"),
        (small()[:500], "within its header"),
        (b"x" * 300, "byte 0: not a Poly5 file, which begins with POLY SAMPLE FILE"),
        (small().replace(b"2.03", b"2.04"), "byte 16: Poly5 'version 2.04'; only version 2.03 can be read"),
        (small().replace(b"\x1a\xcb\0", b"\x1a\xcc\0"), "only version 2.03 can be read"),
        (header(packed=1), "byte 151: the samples are delta-compressed"),
        (header(channels=()), "byte 119: 0 descriptors; 2 to 512, two a channel, can be read"),
        (header(channels=PLAIN * 86), "byte 119: 516 descriptors"),
        (header(-1), "byte 121: -1 samples"),
        (header(per_block=0), "byte 147: a block of 0 bytes does not hold 0 samples of 3 channels as 32-bit floats"),
        (small().replace(b"\x04\0\x30\0", b"\x04\0\x31\0"), "byte 147: a block of 49 bytes does not hold 4 samples"),
        (small().replace(b"(Hi) F", b"(Hi) G"), "byte 489: '(Lo) F' and '(Hi) G' are not the halves"),
        (header(rate=4000), "no flow that can be used: 'F' has 4000 Hz, outside 5-2000 Hz"),
        (header(channels=(("F", "L/h"),)), "'F' has the unit 'L/h', none of L/s, L/min, mL/s"),
        (header(channels=(("EMG", "uV"),)), "no flow signal in L/s, L/min, mL/s, mL/min, slm among 'EMG'"),
        (header(scale=(0.0, 1.0, 5.0, 5.0)), "channel 'F' has no scale: 5 to 5 is 0 to 1"),
        (header(scale=(0.0, np.nan, 0.0, 1.0)), "channel 'F' has no scale"),
        (header(), "the file ends behind its descriptors, without a sample"),
    ],
)
def test_refusals_say_where_and_why(text: bytes, says: str) -> None:
    assert says in refused(make, text)


def test_a_rate_that_is_given_must_agree() -> None:
    other = decoded(lambda: poly5.Decoder(ReadOptions(rate_hz=50.0)), [small()])
    assert "the rate is given as 50 Hz" in (other.error or "")
    assert decoded(lambda: poly5.Decoder(ReadOptions(rate_hz=100.0)), [small()]).n == 6


def test_memory_is_bounded_by_one_block() -> None:
    decoder = make()
    decoder.feed(header(2**31 - 1, per_block=5000))
    for _ in range(40):
        decoder.feed(bytes(50_000))
        assert len(decoder._bytes) < 65_536 + 86


def test_only_this_format_is_recognised(tmp_path: Path) -> None:
    assert poly5.recognise(small(), "x")
    for module in (csv_table, edf, pb840, respiraworks, servo_u):
        assert not module.recognise(small(), "x.Poly5")
    assert not poly5.recognise(b"POLY", "x.Poly5")
    path = tmp_path / "x.bin"
    path.write_bytes(small())
    assert open_recording(path).format == "poly5"
    assert same_twice(open_recording(path).items).n == 6


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_bytes_any_cut(draw: st.DataObject) -> None:
    """Bytes of a small file overwritten, put in or left out, in the header above all."""
    text = bytearray(small(11))
    fields = st.sampled_from([28, 31, 114, 119, 121, 143, 147, 149, 151, 217, 262, 273, 281, 1033, 1119])
    for _ in range(draw.draw(st.integers(0, 5))):
        at = draw.draw(st.one_of(fields, st.integers(0, len(text))))
        new = draw.draw(st.binary(max_size=8))
        text[at : at + len(new) if draw.draw(st.booleans()) else at] = new
    cuts = draw.draw(st.lists(st.integers(0, len(text)), max_size=6))
    prefix_rule(make, bytes(text), [cuts])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([b"", header(300)]), st.binary(max_size=2000))
def test_junk_is_refused_or_read(before: bytes, junk: bytes) -> None:
    text = before + junk
    prefix_rule(make, text, [[len(text) // 2], range(1, min(len(text), 300))])


@pytest.mark.parametrize("new", [0x00, 0x01, 0x7F, 0x80, 0xFF])
def test_a_changed_byte_is_survived(new: int) -> None:
    text = small()
    for at in range(len(text)):
        read(text[:at] + bytes([new]) + text[at + 1 :])


@pytest.mark.parametrize("path", recordings("draeger-medibus-testlung/*.Poly5"))
def test_real_recording(path: Path) -> None:
    recording = open_recording(path)
    assert recording.format == "poly5"
    found = same_twice(recording.items)
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.0, 100.0, 10989)]
    assert (found.notices, recording.damaged_rows) == ([], 0)
    rng = np.random.default_rng(100)
    text = path.read_bytes()
    prefix_rule(make, text, [sorted(rng.integers(0, len(text), size)) for size in (1, 30, 500)])

    # 34 inspirations; the one that was on at the start is no whole breath, so 33 are found.
    flow = found.samples(Channel.FLOW)
    into = np.flatnonzero((flow[1:] > 0.05) & (flow[:-1] <= 0.05))
    assert into.size + int(flow[0] > 0.05) == 34
    breaths = segmented([item for item in recording.items() if isinstance(item, Chunk)]).breaths
    assert len(breaths) == 33
    assert 60.0 / float(np.median([b.end_s - b.start_s for b in breaths])) == pytest.approx(21.0, abs=0.05)
    insp = [1e3 * b.flow[: b.insp_end].sum() / b.rate_hz for b in breaths]
    exp = [-1e3 * b.flow[b.insp_end :].sum() / b.rate_hz for b in breaths]
    assert float(np.median(insp)) == pytest.approx(400, rel=0.01)
    assert float(np.median(exp)) == pytest.approx(401, rel=0.01)
    assert float(np.median([b.paw.max() for b in breaths if b.paw is not None])) == pytest.approx(18.2, abs=0.05)
    assert float(np.median([b.paw[-20:].mean() for b in breaths if b.paw is not None])) == pytest.approx(5.4, abs=0.05)


def test_the_recorders_own_time_is_told() -> None:
    told = poly5.told(header(), ReadOptions())
    assert told.recording.start_local == datetime(2022, 5, 13, 11, 56, 23)  # noqa: DTZ001 (its zone is unknown)
    assert poly5.told(header()[:200], ReadOptions()) == Sidecar()
    assert poly5.told(header(channels=(("Flow", "slm"),)), ReadOptions()).context.flow_conditions == "STPD"
