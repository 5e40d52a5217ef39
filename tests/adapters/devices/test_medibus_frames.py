"""MEDIBUS bytes, and what is asked of what a device offers."""

from __future__ import annotations

import pytest

from adapters.devices.medibus_frames import (
    MAX_BODY,
    MAX_FRAME,
    BadFrame,
    Frame,
    Noise,
    Record,
    Splitter,
    command,
    realtime,
    response,
)
from adapters.devices.medibus_streams import Signal, offered, plan
from tests.support.medibus_dialogue import (
    split,
)


def test_frames_have_exact_bytes() -> None:
    assert command(0x51) == bytes([0x1B, 0x51, *b"6C", 0x0D])  # 1B + 51 = 6C
    assert response(0x51) == bytes([0x01, 0x51, *b"52", 0x0D])
    assert command(0x30) == b"\x1b04B\r"
    # 1B + 54 = 6F; "0001": 30+30+30+31 = C1; 6F + C1 = 130, modulo 256: 30
    assert command(0x54, b"0001") == b"\x1bT000130\r"
    assert split(command(0x54, b"0001") + response(0x30)) == [
        Frame(is_command=True, code=0x54, data=b"0001"),
        Frame(is_command=False, code=0x30),
    ]
    assert split(b"\x1bT000131\r\x01Q5\r\x1b\r\x01Q52\r") == [
        BadFrame(is_command=True),
        BadFrame(is_command=False),
        BadFrame(is_command=True),
        Frame(is_command=False, code=0x51),
    ]


def test_records_have_exact_bytes() -> None:
    record = realtime(0b101, (0xFFF, 0x041))
    assert record == bytes([0xD5, 0xBF, 0xBF, 0x81, 0x81])  # six bits each, the low ones first
    assert realtime(0, commands=((0xC1, 0x07),)) == bytes([0xD0, 0xC1, 0xC7, 0xC0, 0xC0])
    assert split(record + b"\xd0") == [Record(5, (0xFFF, 0x041), (), 5, is_whole=True)]
    assert split(b"\xd0\xc1\xc7\xc0\xc0") == [Record(0, (), ((0xC1, 0xC7), (0xC0, 0xC0)), 1, is_whole=True)]
    assert split(b"\xd1\xc6\xc0\x81\x80\xd0") == [
        Record(1, (1,), ((0xC6, 0xC0),), 3, is_whole=True)
    ]  # start of inspiration


@pytest.mark.parametrize(
    ("body", "size"),
    [(b"\x81", 2), (b"\x81\x81\x82", 4), (b"\x81\xc1", 3), (b"\xe0\x81", 3), (b"", 1), (b"\x81\x81\x81\x81", 5)],
)
def test_records_that_are_not_whole(body: bytes, size: int) -> None:
    (record,) = split(b"\xd2" + body + b"\xd0")
    assert isinstance(record, Record)
    assert (record.is_whole, record.size) == (False, size)


def test_slow_and_fast_bytes_interleave_anywhere() -> None:
    slow, fast = response(0x53, b"00   10000  -80  120F9F"), realtime(3, (1, 2)) * 7
    mixed = bytes(byte for pair in zip(slow, fast, strict=False) for byte in pair) + fast[len(slow) :] + b"\xd0"
    found = split(mixed[:-1] + slow[len(fast) :] + b"\xd0")
    assert [item for item in found if isinstance(item, Frame)] == [Frame(is_command=False, code=0x53, data=slow[2:-3])]
    assert [item for item in found if isinstance(item, Record)] == [Record(3, (1, 2), (), 5, is_whole=True)] * 7


def test_no_bytes_make_memory_grow() -> None:
    for byte in (b"A", b"\x9f", b"\xc0", b"\xff"):
        splitter = Splitter()
        items = list(splitter.feed(b"\x1b" + b"\xd3" + byte * 100_000))
        assert len(splitter._frame) <= MAX_FRAME
        assert len(splitter._body) <= MAX_BODY
        assert sum(item.size for item in items if isinstance(item, Record | Noise)) <= 100_003


def test_what_a_device_offers() -> None:
    entry = Signal(0x01, 10_000, -180.0, 180.0, 0xF9F).entry()
    assert entry == b"01   10000 -180  180F9F"
    found = offered(
        entry + b"00    8000-  80 99.5 FF" + b"zz   10000 -180  180F9F" + b"0200000000    0  100FFF" + b"03"
    )
    assert found == {1: Signal(1, 10_000, -180, 180, 3999), 0: Signal(0, 8000, -80, 99.5, 255)}


@pytest.mark.parametrize(
    ("signals", "baudrate", "interval_us", "request_", "notes"),
    [
        ({1: 10_000, 0: 10_000}, 19_200, 10_000, b"01010001", 0),
        ({1: 8000, 0: 8000, 6: 16_000}, 19_200, 16_000, b"010200020601", 0),
        ({1: 10_000, 0: 10_000, 6: 40_000}, 19_200, 10_000, b"01010001", 1),  # CO2 left out
        ({1: 2000, 0: 2000}, 19_200, 4000, b"01020002", 0),  # 5 bytes of 11 bits at 500 Hz do not fit
        ({1: 10_000, 0: 10_000}, 9600, 10_000, b"01010001", 0),
        ({1: 10_000, 0: 10_000, 7: 10_000}, 19_200, 10_000, b"010100010701", 0),
        ({1: 10_000, 0: 10_000, 8: 10_000, 3: 10_000}, 19_200, 10_000, b"010100010801", 1),  # of what pressure?
    ],
)
def test_what_is_asked_for(
    signals: dict[int, int], baudrate: int, interval_us: int, request_: bytes, notes: int
) -> None:
    data = b"".join(Signal(code, every, -100, 100, 4095).entry() for code, every in signals.items())
    found = plan(data, baudrate)
    assert (found.interval_us, found.request(), len(found.notes)) == (interval_us, request_, notes)
