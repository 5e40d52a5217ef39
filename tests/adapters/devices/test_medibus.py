"""The dialogue over MEDIBUS with an emulated ventilator."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.devices.medibus import Dialogue, Emulator
from adapters.devices.medibus_dialogue import MAX_TRIES
from adapters.devices.medibus_frames import (
    command,
    realtime,
    response,
)
from adapters.devices.medibus_streams import Signal
from streamer.model.chunk import Channel
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.units import MMHG_PER_KPA
from tests.support.adapter_contract import check
from tests.support.medibus_dialogue import (
    FLOW,
    PAW,
    PCO2,
    STEP,
    Talk,
    breaths,
    lost,
    played,
    streaming,
)


@pytest.mark.parametrize(
    ("signals", "says"),
    [
        ({}, "the device offers no realtime flow (01H), only: nothing; is MEDIBUS.X"),
        ({0: 10_000, 3: 10_000}, "the device offers no realtime flow (01H), only: 00H, 03H"),
        ({1: 10_000, 6: 10_000}, "the device offers no realtime airway pressure (00H), only: 01H, 06H"),
        ({1: 500_000, 0: 500_000}, "samples would come at 2 Hz, outside 5-2000 Hz; is the baud rate right?"),
    ],
)
def test_devices_that_cannot_be_used(signals: dict[int, int], says: str) -> None:
    dialogue = Dialogue()
    dialogue.opening()
    data = b"".join(Signal(code, every, -100, 100, 4095).entry() for code, every in signals.items())
    with pytest.raises(DecodeError) as caught:
        dialogue.feed(response(0x51) + response(0x52) + response(0x53, data))
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("code", [0x06, 0x07, 0x08])
def test_co2_in_every_unit(code: int) -> None:
    dialogue = Dialogue()
    dialogue.opening()
    signals = [Signal(each, 10_000, 0, 100, 0xFFF) for each in (1, 0, code)]
    dialogue.feed(response(0x51) + response(0x52) + response(0x53, b"".join(each.entry() for each in signals)))
    assert dialogue.answer().endswith(command(0x54, b"01010001%02X01" % code))
    dialogue.feed(response(0x54))
    assert dialogue.answer() == b"\xd0\xc1\xc7\xc0\xc0"
    found = check(dialogue.feed(realtime(7, (0, 0, 205)) + b"\xd0"))
    raw = 100 * 205 / 4095
    expected = {0x06: raw, 0x07: raw * MMHG_PER_KPA, 0x08: raw * 7.6}[code]
    assert found.samples(PCO2).tolist() == [pytest.approx(expected)]


def test_the_whole_dialogue_in_exact_bytes() -> None:
    talk = Talk()
    assert talk.greeting == (
        b"\x01Q52\r"
        b"\x01R0000'EMULATOR'01.00:06.00E7\r"
        + response(0x53, b"00   10000  -80  120F9F01   10000 -180  180F9F06   10000    0  150F9F")
        + b"\x01T55\r"
    )
    sent = breaths(1000)
    for chunk in sent.parts(0.37):
        talk.hear(talk.device.send(chunk))
    found = talk.found()
    assert [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches] == [(0.0, 100.0, 999)]
    assert found.notices == []
    for name, step in STEP.items():
        assert np.abs(found.samples(name) - sent.channels[name][:999]).max() <= step / 2 + 1e-9
    assert talk.said == command(0x30) * 9  # once a second; the last second is not over


@pytest.mark.parametrize("rate_hz", [50.0, 62.5, 200.0, 256.0])
def test_other_rates(rate_hz: float) -> None:
    talk = Talk(rate_hz, (FLOW, PAW))
    for chunk in breaths(600, rate_hz).parts(1.0):
        talk.hear(talk.device.send(chunk))
    found = talk.found()
    assert found.stretches[0].rate_hz == pytest.approx(rate_hz, rel=1e-4)
    assert found.n == pytest.approx(599, abs=1)
    expected = breaths(found.n, found.stretches[0].rate_hz).channels
    assert np.abs(found.samples(FLOW) - expected[FLOW]).max() <= STEP[FLOW] / 2 + 0.001


def test_a_faster_device_is_asked_for_every_second_sample() -> None:
    talk = Talk(500.0, (FLOW, PAW))
    talk.hear(talk.device.send(breaths(1001, 500.0)))
    found = talk.found()
    assert (found.stretches[0].rate_hz, found.n) == (250.0, 499)


@pytest.mark.parametrize(
    ("asks", "says"),
    [
        (command(0x30), response(0x30)),
        (command(0x28), response(0x28)),
        (command(0x77, b"what"), response(0x77)),
        (command(0x51), response(0x51) + command(0x52)),
        (command(0x52), response(0x52)),
        (command(0x55), response(0x55) + command(0x51)),
        (command(0x56), response(0x56) + command(0x53)),
        (b"\x1bQ00\r", response(0x15)),
        (b"\x01Q00\r", b""),
        (response(0x15), b""),
        (response(0x30), b""),
    ],
)
def test_what_the_device_asks_is_answered(asks: bytes, says: bytes) -> None:
    greeting, records = streaming()
    assert played(greeting + b"".join(records) + asks)[1].endswith(played(greeting)[1] + says)


def test_a_device_that_begins_anew_is_configured_anew_and_time_goes_on() -> None:
    talk = Talk(channels=(FLOW, PAW))
    talk.hear(talk.device.send(breaths(101, channels=(FLOW, PAW))))
    talk.hear(command(0x56))
    talk.hear(talk.device.send(breaths(51, start_s=5.0, channels=(FLOW, PAW))))
    found = talk.found()
    assert [(stretch.start_s, stretch.n) for stretch in found.stretches] == [(0.0, 100), (3.0, 50)]
    assert [notice.detail for _, notice in found.notices] == [
        "the realtime data begin again; the pause is unknown and shown as 2 s"
    ]


def test_records_that_stop_are_asked_for_anew_while_the_device_still_answers() -> None:
    talk = Talk(channels=(FLOW, PAW))
    talk.hear(talk.device.send(breaths(20, channels=(FLOW, PAW))))
    for _ in range(5):
        talk.silence(1.0)  # the answer to our NOP ends each
    assert talk.said == command(0x30) * 4 + command(0x53) + command(0x54, b"01010001") + b"\xd0\xc1\xc3\xc0\xc0"
    says = "it answers, but sends no samples; are cable, baud rate and parity right"
    assert lost(talk.silence, 1.0).startswith(says)


def test_a_device_that_does_not_answer() -> None:
    dialogue = Dialogue()
    said = [dialogue.opening()]

    def wait(_: object) -> None:
        dialogue.silence(float(len(said)))
        said.append(dialogue.answer())

    assert lost(wait, None).startswith("no answer when asked to initialise communication (51H); are cable")
    assert b"".join(said) == command(0x51) * MAX_TRIES
    assert len(said) == 2 * MAX_TRIES


def test_a_lost_answer_is_asked_for_again() -> None:
    device, dialogue = Emulator(100.0, frozenset(Channel)), Dialogue()
    device.hear(dialogue.opening())
    dialogue.silence(1.0)
    assert dialogue.answer() == b""
    dialogue.silence(2.0)
    assert device.hear(dialogue.answer()) == response(0x51)


def test_a_device_that_refuses() -> None:
    greeting, _ = streaming()
    greeting = greeting[: greeting.index(b"\x01T")]
    found, said = played(greeting + response(0x15) * (MAX_TRIES - 1))
    assert found.error is None
    assert said.endswith(command(0x54, b"01010001") * MAX_TRIES)
    found, _ = played(greeting + response(0x15) * MAX_TRIES)
    assert found.error == "DecodeError: the device refuses to send realtime data (54H)"


def test_the_emulator_is_as_strict_as_a_ventilator() -> None:
    device = Emulator(100.0, frozenset({FLOW, PAW}))
    assert device.hear(command(0x53) + b"\xd0\xc1\xcf\xc0\xc0") == b""
    assert device.send(breaths(10)) == b""
    assert device.hear(b"\x1bQ00\r" + command(0x51)) == response(0x15) + response(0x51)
    device.hear(command(0x54, b"01010001") + b"\xd0\xc1\xc3\xc0\xc0")
    assert len(device.send(breaths(1000))) == 300 * 5  # and no command for 3 s
    assert device.hear(command(0x30)) == b""
    with pytest.raises(ConfigError, match="a Dräger ventilator sends flow and pressure; the recording has no paw"):
        Emulator(100.0, frozenset({FLOW}))
