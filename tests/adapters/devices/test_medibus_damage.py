"""MEDIBUS records that are damaged, late or lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.devices.medibus import Dialogue
from adapters.devices.medibus_dialogue import MAX_UNSENT
from adapters.devices.medibus_frames import (
    command,
    response,
)
from streamer.model.chunk import Chunk
from tests.support.adapter_contract import check
from tests.support.medibus_dialogue import (
    FLOW,
    PAW,
    PCO2,
    Talk,
    breaths,
    lost,
    places,
    played,
    streaming,
)


def test_missing_samples_keep_their_slots() -> None:
    talk = Talk()
    flow, paw, co2 = (breaths(30).channels[name].copy() for name in (FLOW, PAW, PCO2))
    co2[5:8] = np.nan
    flow[10:12] = paw[10:12] = co2[10:12] = np.nan
    talk.hear(talk.device.send(Chunk(source="x", start_s=0, rate_hz=100, channels={FLOW: flow, PAW: paw, PCO2: co2})))
    gone = breaths(10, start_s=0.34)
    talk.hear(talk.device.send(gone))
    found = talk.found()
    assert found.n == 43
    assert np.flatnonzero(np.isnan(found.samples(PCO2))).tolist() == [5, 6, 7, 10, 11, 30, 31, 32, 33]
    assert np.flatnonzero(np.isnan(found.samples(FLOW))).tolist() == [10, 11, 30, 31, 32, 33]
    assert [(at, notice.detail) for at, notice in found.notices] == [
        (6, "the device sends no pco2"),
        (9, "the device sends every stream again"),
        (12, "record 11: the device says that it is corrupt (and 1 more)"),
        (34, "record 31: the device says that it is corrupt (and 3 more)"),
    ]


def test_every_cut_gives_the_same_and_says_the_same() -> None:
    greeting, records = streaming(160)
    records[3] = records[3][:3]
    records[7] = records[7][:2] + b"\xd1" + records[7][3:]
    records[9] = b"\xd0\xcf\xc0\xc0\xc0"
    text = greeting + b"".join(records) + command(0x30) + command(0x28) + b"\x1bQ00\r" + records[0] * 2
    whole, said = played(text)
    assert places(whole) == [3, 7, 9]
    assert said.endswith(response(0x30) + response(0x28) + response(0x15))
    for at in [*([at] for at in range(len(text))), range(1, len(text)), [0, 0, len(text)]]:
        again, said_again = played(text, at)
        assert (again.form(), said_again) == (whole.form(), said)


@pytest.mark.parametrize(
    ("change", "n", "missing"),
    [
        (lambda r: [*r[:4], r[4][:3], *r[5:]], 11, [4]),  # a value lost
        (lambda r: [*r[:4], r[4][:4], *r[5:]], 11, [4]),  # a byte lost
        (lambda r: [*r[:4], r[4][:1], *r[5:]], 11, [4]),
        (lambda r: [*r[:4], r[4][1:], *r[5:]], 11, [3, 4]),  # the sync byte lost
        (lambda r: [*r[:4], b"\x97" + r[4][1:], *r[5:]], 11, [3, 4]),  # or become a value
        (lambda r: [*r[:4], b"\xd0" + r[4][1:], *r[5:]], 11, [4]),
        (lambda r: [*r[:4], b"\xdb" + r[4][1:], *r[5:]], 11, [4]),
        (lambda r: [*r[:4], b"S" + r[4][1:], *r[5:]], 11, [3, 4]),  # or a slow byte
        (lambda r: [*r[:4], r[4][:2] + b"\xd1" + r[4][3:], *r[5:]], 11, [4]),  # a value become a sync byte
        (lambda r: [*r[:4], r[4][:3] + b"\xd1" + r[4][4:], *r[5:]], 11, [4]),
        (lambda r: [*r[:4], r[4][:2] + b"\xd3" + r[4][3:], *r[5:]], 12, [4, 5]),  # the usual one: too long by one
        (lambda r: [*r[:4], r[4] + b"\x99", *r[5:]], 11, [4]),  # bytes too many
        (lambda r: [*r[:4], r[4][:2] + b"\xff" + r[4][2:], *r[5:]], 11, [4]),
        (lambda r: [*r[:4], r[4][:2] + b"A\x13" + r[4][2:], *r[5:]], 11, []),  # slow ones do not matter
        (lambda r: [*r[:4], r[4][:3], r[5][:2], r[6][3:], *r[7:]], 10, [4, 5]),  # 8 bytes, and with them a sync byte
        (lambda r: [*r[:4], b"\x99" * 50, *r[4:]], 21, list(range(3, 14))),  # 50 bytes: as long as ten records
        (lambda r: r[:4] + r[5:], 10, []),  # a whole record: nobody can know
    ],
)
def test_damage_keeps_its_slots(change: Callable[[list[bytes]], list[bytes]], n: int, missing: list[int]) -> None:
    greeting, records = streaming()
    found, _ = played(greeting + b"".join(change(records)))
    good, _ = played(greeting + b"".join(records))
    assert (found.n, places(found)) == (n, missing)
    assert found.samples(FLOW)[-3:].tolist() == good.samples(FLOW)[-3:].tolist()
    assert bool(found.notices) is bool(missing)


def test_damage_for_long_is_a_gap() -> None:
    greeting, records = streaming()
    dialogue = Dialogue()
    dialogue.opening()
    dialogue.feed(greeting)
    items = dialogue.feed(b"".join(records))
    for _ in range(1100):
        items += dialogue.feed(b"\xd3\x99")
    items += dialogue.feed(b"".join(records))
    found = check(items)
    assert [(round(stretch.start_s, 6), stretch.n) for stretch in found.stretches] == [(0.0, 12), (11.12, 11)]
    assert [notice.detail for _, notice in found.notices] == [
        "record 13: 0 values in 2 bytes for 2 streams (and 1099 more)"
    ]


def test_silence_keeps_the_connection_and_is_a_gap() -> None:
    talk = Talk(channels=(FLOW, PAW))
    records = talk.device.send(breaths(20, channels=(FLOW, PAW)))
    talk.hear(records[:50])
    for second in (1.0, 2.0, 3.0, 3.5):
        talk.items += talk.dialogue.silence(second)
    assert talk.dialogue.answer() == command(0x30) * 3
    talk.hear(records[50:55])
    talk.hear(records[55:])
    found = talk.found()
    assert [(pytest.approx(stretch.start_s), stretch.n) for stretch in found.stretches] == [(0.0, 10), (3.59, 9)]
    assert found.notices[0][1].detail == "no realtime data while the line was quiet: shown as a gap of 3.5 s"


def test_what_comes_late_at_once_is_no_gap() -> None:
    talk = Talk(channels=(FLOW, PAW))
    records = talk.device.send(breaths(200, channels=(FLOW, PAW)))
    talk.hear(records[:100])
    talk.items += talk.dialogue.silence(1.7)
    talk.hear(records[100:])
    assert [(stretch.start_s, stretch.n) for stretch in talk.found().stretches] == [(0.0, 199)]


@pytest.mark.parametrize("noise", [b"1.00, 5.00\n", b"\x8f\x1e\xf0", b"\xd3\x99", b"\x1bZ00\r", b"\x01", command(0x30)])
def test_a_line_busy_with_something_else(noise: bytes) -> None:
    for text in (b"", streaming()[0]):
        dialogue = Dialogue()
        dialogue.opening()
        dialogue.feed(text)
        dialogue.answer()
        assert lost(dialogue.feed, noise * 1000)
        assert len(dialogue.answer()) <= MAX_UNSENT


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=600), st.integers(0, 3), st.lists(st.integers(0, 600), max_size=5))
def test_any_bytes(noise: bytes, start: int, cuts: list[int]) -> None:
    greeting, records = streaming()
    text = [b"", greeting, greeting + b"".join(records), greeting[:40]][start] + noise
    whole, said = played(text)
    again, said_again = played(text, [at for at in cuts if at <= len(text)])
    assert (again.form(), said_again) == (whole.form(), said)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_after_any_damage_it_is_in_step_within_one_record(draw: st.DataObject) -> None:
    greeting, records = streaming(60)
    text = bytearray(b"".join(records[:40]))
    at = draw.draw(st.integers(5, len(text) - 20))
    cut = draw.draw(st.integers(0, 12))
    text[at : at + cut] = draw.draw(st.binary(max_size=12).filter(lambda b: not {0x1B, 0x01} & set(b)))
    found, _ = played(greeting + bytes(text) + b"".join(records[40:]))
    assert found.error is None
    good, _ = played(greeting + b"".join(records))
    assert found.samples(FLOW)[-18:].tobytes() == good.samples(FLOW)[-18:].tobytes()
    assert np.isfinite(found.samples(FLOW)[-18:]).all()
    lost = -(-cut // 5) + 1
    assert found.n >= good.n - lost


@pytest.mark.parametrize("flipped", range(200))
def test_a_flipped_bit_never_makes_time_shorter(flipped: int) -> None:
    greeting, records = streaming()
    text = bytearray(b"".join(records))
    text[20 + flipped // 8] ^= 1 << flipped % 8
    found, _ = played(greeting + bytes(text))
    assert 11 <= found.n <= 12
    assert len(places(found)) <= 2
