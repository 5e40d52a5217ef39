"""The PB 840 as a live source: dialogue without a port, then over pseudo-terminals and TCP."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import LIVE_REFILL_S, MAX_NOTICES
from adapters.devices import pb840
from adapters.devices.line_listener import STRANGE, LineListener
from adapters.formats.pb840 import RATE_HZ, Decoder, recognise
from streamer.model.chunk import Channel, Chunk
from streamer.model.errors import ConfigError, SourceLost
from streamer.model.records import Notice, NoticeKind
from tests.support.adapter_contract import Item, Stream, check, closes_promptly, decoded, stream


class Heard:
    """A dialogue as a decoder: numbers among the pieces are silences."""

    def __init__(self) -> None:
        self.dialogue = LineListener(Decoder(ReadOptions(), live=True), RATE_HZ, "rows")

    def play(self, *steps: bytes | float) -> Stream:
        items: list[Item] = []
        for step in steps:
            items += self.dialogue.feed(step) if isinstance(step, bytes) else self.dialogue.silence(step)
        return check(items)


def rows(first: int, last: int) -> bytes:
    """A hundredth of a litre per second more each."""
    return b"".join(b"%.2f, 5.00\n" % (0.6 * k) for k in range(first, last))


def numbers(found: Stream) -> list[int]:
    return [round(100 * flow) for flow in found.samples(Channel.FLOW).tolist()]


def starts(found: Stream) -> list[tuple[float, int]]:
    return [(stretch.start_s, stretch.n) for stretch in found.stretches]


def test_what_stands_before_the_first_line_end_is_no_row() -> None:
    found = Heard().play(b"5.00, 7.00\r", b"\n60.00, 8.00\nBS, S:7,\n120.00, 9.00\n")
    assert found.samples(Channel.FLOW).tolist() == [1.0, 2.0]
    assert found.notices == []


def test_lines_are_counted_alike_however_the_first_ends_come() -> None:
    for pieces in ((b"5.00, 7.00\n\n\rx\n1.00, 5.00\n",), (b"5.00, 7.00\n", b"\n", b"", b"\rx\n1.00, 5.00\n")):
        assert Heard().play(*pieces).notices[0][1].detail.startswith("line 1: 'x' is not")


def test_a_long_silence_is_a_gap_of_its_length_and_costs_the_line_it_broke() -> None:
    found = Heard().play(b"\n" + rows(0, 3) + b"1.80, 5.", 1.0, 2.0, 2.6, b"0, 6.00\n", rows(9, 11))
    assert starts(found) == [(0.0, 3), (3 / 50 + 2.6, 2)]
    assert numbers(found) == [0, 1, 2, 9, 10]


@pytest.mark.parametrize(
    ("steps", "gap_s"),
    [
        ((0.9, rows(3, 60)), 0.0),
        ((1.0, rows(3, 60)), 0.0),
        ((1.0, 1.5, rows(3, 78)), 0.0),  # all of it came late, at once
        ((1.0, 2.0, 3.0, rows(3, 54)), 2.0),  # a second of it did
    ],
)
def test_what_comes_late_is_no_gap(steps: tuple[bytes | float, ...], gap_s: float) -> None:
    found = Heard().play(b"\n" + rows(0, 3), *steps)
    assert starts(found)[0][1] == (3 if gap_s else found.n)
    if gap_s:
        assert starts(found)[1][0] == pytest.approx(3 / 50 + gap_s)
    else:
        assert numbers(found) == list(range(found.n))


def test_silence_before_the_first_row_is_none_of_its_time() -> None:
    assert starts(Heard().play(1.0, 5.0, b"\n" + rows(0, 2))) == [(0.0, 2)]


def test_garbage_between_rows_is_damage_and_is_told() -> None:
    found = Heard().play(b"\n" + rows(0, 2), b"\xff\xfe\n", rows(3, 5))
    assert np.isnan(found.samples(Channel.FLOW)).tolist() == [False, False, True, False, False]
    assert [notice.kind for _, notice in found.notices] == [NoticeKind.DAMAGED]


def test_only_garbage_is_told_while_it_comes_once() -> None:
    heard = Heard()
    found = heard.play(*[b"\x8f\x1e\xf0" * 40 for _ in range(200)])
    ((_, notice),) = found.notices
    assert notice.detail == f"{STRANGE} bytes came without a single row; expected are rows: check the port's settings"
    again = heard.play(b"\n" + rows(0, 5), *[b"\n\x8f" * 40 for _ in range(200)])
    assert [note.detail[:4] for _, note in again.notices] == ["4096"]


def test_damage_is_told_for_days() -> None:
    heard = Heard()
    hour = b"".join(rows(0, 50) + b"?\n" for _ in range(3600))
    first, second = (heard.play(b"\n" + hour, rows(0, 1)) for _ in range(2))
    assert len(second.notices) == pytest.approx(3600 / LIVE_REFILL_S, abs=2)
    assert len(first.notices) == len(second.notices) + MAX_NOTICES
    assert "runs before were not told" in second.notices[1][1].detail
    told = sum(int(notice.values["rows"]) for found in (first, second) for _, notice in found.notices)
    assert 7100 < told <= 7200


steps = st.lists(
    st.floats(0.0, 20.0)
    | st.binary(max_size=30)
    | st.sampled_from(
        [b"\n", b"\r\n", b"BE\n", b"1.00, 5.00\n", b"2.00, 5", b".00\n", rows(0, 80), b"2016-02-17-08-43-02\n"]
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_any_bytes_and_silences_give_samples_that_never_go_back(happened: list[bytes | float]) -> None:
    assert Heard().play(*happened).error is None


def chunk(flow: Iterable[float], start_s: float = 0.0, rate_hz: float = 50.0) -> Chunk:
    samples = np.fromiter(flow, float)
    channels = {Channel.FLOW: samples, Channel.PAW: 5.0 + samples}
    return Chunk(source="x", start_s=start_s, rate_hz=rate_hz, channels=channels)


def emulator() -> pb840.Emulator:
    return pb840.Emulator(50.0, frozenset(Channel))


def test_the_emulator_says_rows_and_marks() -> None:
    said = emulator().send(chunk([0.5, 0.25, np.nan, -0.5, -0.25, 0.0, 0.5]))
    assert said.splitlines() == [
        b"BS, S:1,", b"30.00, 5.50", b"15.00, 5.25", b"-30.00, 4.50", b"-15.00, 4.75", b"0.00, 5.00",
        b"BE", b"BS, S:2,", b"30.00, 5.50",
    ]  # fmt: skip
    assert recognise(said, "")
    assert emulator().hear(b"anything") == b""


@pytest.mark.parametrize("rate_hz", [25.0, 62.5, 100.0, 256.0])
def test_the_emulator_speaks_at_50_hz_whatever_the_recording(rate_hz: float) -> None:
    whole = chunk(np.sin(np.arange(int(20 * rate_hz)) / rate_hz), rate_hz=rate_hz)
    one = emulator()
    text = b"".join(one.send(piece) for piece in whole.parts(0.1))
    assert text == emulator().send(whole)
    found = decoded(lambda: Decoder(ReadOptions()), [text]).samples(Channel.FLOW)
    assert found.size == pytest.approx(1000, abs=2)
    assert np.abs(found - np.sin(np.arange(found.size) / 50)).max() < 0.0003


def test_the_emulator_begins_its_grid_anew_after_a_gap() -> None:
    one = emulator()
    one.send(chunk([1.0, 2.0], rate_hz=100.0))
    assert one.send(chunk([3.0, 4.0], start_s=0.035, rate_hz=100.0)) == b"180.00, 8.00\n"


def test_what_a_pb840_cannot_say() -> None:
    with pytest.raises(ConfigError, match="a PB 840 sends flow and pressure; the recording has no paw"):
        pb840.Emulator(50.0, frozenset({Channel.FLOW}))


@pytest.mark.parametrize(
    "options",
    [{"port": ""}, {"port": "udp://x"}, {"port": "/dev/x", "baudrate": 0}, {"port": "/dev/x", "lost_s": 0.0}],
)
def test_settings_that_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        pb840.Settings(**options)  # type: ignore[arg-type]


@pytest.fixture
async def ventilator() -> AsyncIterator[tuple[Callable[[], None], str]]:
    """A port on which a row comes every 20 ms, and what unplugs it."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.close(slave)
    os.set_blocking(master, False)

    async def talk() -> None:
        while True:
            with suppress(BlockingIOError):
                os.write(master, b"30.00, 5.00\n")
            await asyncio.sleep(0.02)

    talker = asyncio.create_task(talk())

    def unplug() -> None:
        if talker.cancel():
            os.close(master)

    yield unplug, path
    unplug()
    with suppress(asyncio.CancelledError):
        await talker


async def test_it_closes_promptly(ventilator: tuple[Callable[[], None], str]) -> None:
    await closes_promptly(pb840.chunks, pb840.Settings(port=ventilator[1]))


async def test_unplugged_in_the_middle(ventilator: tuple[Callable[[], None], str]) -> None:
    unplug, path = ventilator
    items: list[Item] = []

    async def read() -> None:
        async with aclosing(pb840.chunks(pb840.Settings(port=path))) as source:
            async for item in source:
                items.append(item)
                if len(items) == 3:
                    unplug()

    with pytest.raises(SourceLost, match="was it unplugged") as caught:
        await asyncio.wait_for(read(), 5.0)
    assert str(caught.value).startswith(f"{path}: ")
    assert stream(items).samples(Channel.FLOW)[:3].tolist() == [0.5] * 3
    assert all(isinstance(item, Notice) or item.received_ns for item in items)
