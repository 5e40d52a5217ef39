from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding.contract import ReadOptions
from adapters.decoding.json_fields import MAX_DEPTH, Fields, Unusable
from adapters.decoding.json_stream import LIVE_LEARN, STRANGE, Decoder
from adapters.decoding.text_rows import MAX_LINE
from adapters.devices.json_lines import Emulator, Settings, chunks
from adapters.devices.json_listener import JsonListener
from adapters.devices.transport import await_link
from adapters.formats import json_lines
from adapters.recordings.open import open_recording
from streamer.model.chunk import Channel, Chunk
from streamer.model.errors import ConfigError, DecodeError, SourceLost
from streamer.model.records import NoticeKind
from streamer.model.units import CMH2O_PER_MBAR, MMHG_PER_KPA
from tests.support.adapter_contract import Item, Stream, check, decoded, prefix_rule, refused
from tests.support.brokers import free_port
from tests.support.builders.json_lines_files import line, sample, samples

THEIRS = {"resp.flow": "flow_l_min", "resp.p.0": "paw_mbar", "ts": "time_ms"}


def make(rate_hz: float | None = None, columns: Mapping[str, str] | None = None, *, live: bool = False) -> Decoder:
    return Decoder(ReadOptions(rate_hz=rate_hz, columns=columns or {}), live=live)


def read(text: bytes, rate_hz: float | None = None, columns: Mapping[str, str] | None = None) -> Stream:
    return decoded(lambda: make(rate_hz, columns), [text])


def details(found: Stream) -> list[str]:
    return [notice.detail for _, notice in found.notices]


def missing(found: Stream) -> list[int]:
    return np.flatnonzero(np.isnan(found.samples(Channel.FLOW))).tolist()


def starts(found: Stream) -> list[tuple[float, float, int]]:
    return [(stretch.start_s, stretch.rate_hz, stretch.n) for stretch in found.stretches]


def test_one_sample_a_line() -> None:
    found = read(samples(9))
    assert starts(found) == [(0.0, 50.0, 9)]
    assert found.samples(Channel.FLOW).tolist() == [k / 64 for k in range(9)]
    assert found.samples(Channel.PAW).tolist() == [5 + k / 64 for k in range(9)]
    assert found.notices == []


def test_a_byte_order_mark_is_passed_over_and_carriage_returns_end_lines() -> None:
    text = b"\xef\xbb\xbf" + samples(9).replace(b"\n", b"\r")
    assert json_lines.recognise(text, "")
    assert read(text).form() == read(samples(9)).form()


def test_blocks() -> None:
    blocks = [
        line(time_s=b / 10, rate_hz=100, flow_l_s=[b, b / 2, None] + [0] * 7, pco2_kpa=[5.0] * 10) for b in (0, 1)
    ]
    found = read(b"".join(blocks))
    assert starts(found) == [(0.0, 100.0, 20)]
    assert found.samples(Channel.FLOW)[10:12].tolist() == [1.0, 0.5]
    assert missing(found) == [2, 12]
    assert found.samples(Channel.PCO2).tolist() == [5.0 * MMHG_PER_KPA] * 20


def test_the_fields_of_another_program() -> None:
    text = b"".join(line(ts=20 * k, resp={"flow": 60 * k, "p": [10, 99]}, who="x") for k in range(5))
    found = read(text, columns=THEIRS)
    assert starts(found) == [(0.0, 50.0, 5)]
    assert found.samples(Channel.FLOW).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert found.samples(Channel.PAW).tolist() == [10 * CMH2O_PER_MBAR] * 5
    dotted = line(**{"a.b": 0.5, "a": {"b": 9}})
    assert Fields({"a.b": "flow_l_s"}).read(dotted).waveforms[Channel.FLOW].tolist() == [0.5]


@pytest.mark.parametrize("zone", ["Z", "+02:00", ""])
def test_times_as_text(zone: str) -> None:
    times = [f"2020-06-01T08:00:00.{20 * k:03d}{zone}" for k in range(9)]
    found = read(b"".join(line(time_s=time, flow_l_s=0.5) for time in times))
    (start,) = starts(found)
    assert start == (1590998400.0 - 7200.0 * (zone == "+02:00"), 50.0, 9)


def test_without_times_the_count_is_the_clock() -> None:
    text = b"".join(line(flow_l_s=k) for k in range(3)) + b"{]\n" + line(flow_l_s=3) + line(flow_l_s=[4, 5, 6]) + b"x\n"
    found = read(text + line(flow_l_s=7), 25.0)
    assert starts(found) == [(0.0, 25.0, 12)]
    assert missing(found) == [3, 8, 9, 10]  # a damaged line is taken to be as long as the one before it
    assert details(found)[0] == "line 4: not JSON"


def test_a_gap_and_a_clock_that_begins_again() -> None:
    found = read(samples(50) + b"".join(sample(k) for k in range(150, 200)))
    assert starts(found) == [(0.0, 50.0, 50), (3.0, 50.0, 50)]
    found = read(b"".join(sample(k) for k in range(5000, 5050)) + samples(50))
    assert [notice.kind for _, notice in found.notices] == [NoticeKind.CLOCK_RESET]


def test_the_rate_of_blocks_may_change() -> None:
    blocks = [line(time_s=b / 10, rate_hz=100, flow_l_s=[0.5] * 10) for b in range(5)]
    blocks += [line(time_s=0.5 + b / 10, rate_hz=50, flow_l_s=[0.25] * 5) for b in range(5)]
    found = prefix_rule(make, b"".join(blocks))
    assert sum(stretch.n for stretch in found.stretches) == 75
    assert {stretch.rate_hz for stretch in found.stretches} == {100.0} or starts(found)[-1][1] == 50.0
    bare = b"".join(line(rate_hz=rate, flow_l_s=[0.1] * 5) for rate in (100, 100, 50))
    assert prefix_rule(make, bare).n == 15


def test_what_is_about_something_else_is_left_out() -> None:
    found = read(line(status="ok") + sample(0) + line(alarm=["x"]) + b"\n\r\n" + sample(1) + sample(2))
    assert found.samples(Channel.FLOW).tolist() == [0.0, 1 / 64, 2 / 64]
    assert found.notices == []


def test_a_signal_that_comes_late_is_told_once() -> None:
    text = samples(3) + b"".join(line(time_s=k / 50, flow_l_s=0, pco2_mmhg=40) for k in range(3, 6))
    found = read(text)
    assert details(found) == ["line 4: pco2 came too late and is left out: the first sample must have every signal"]
    assert np.isnan(found.samples(Channel.PAW)).tolist() == [False] * 3 + [True] * 3


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (b"{]", "not JSON"),
        (b'{"time_s": 0.04, "flow_l_s": NaN}', "not JSON"),
        (b'{"time_s": 0.04, "flow_l_s": 1e999}', "not JSON"),
        (b'{"time_s": 0.04, "flow_l_s": 0.1', "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[1, 2]", "JSON, but not an object"),
        (b"12.5", "JSON, but not an object"),
        (b'{"time_s": 0.04, "flow_l_s": "0.5"}', "flow_l_s is not a number but text"),
        (b'{"time_s": 0.04, "flow_l_s": true}', "flow_l_s is not a number"),
        (b'{"time_s": 0.04, "flow_l_s": {}}', "flow_l_s is not a number"),
        (b'{"time_s": 0.04, "flow_l_s": %s}' % (b"9" * 400), "flow_l_s is too large a number"),
        (b'{"time_s": 0.04, "flow_l_s": 1, "flow_ml_s": 1}', "flow is there twice"),
        (b'{"time_s": 0, "rate_hz": 50, "flow_l_s": [1], "paw_kpa": []}', "the arrays differ in length: paw 0, flow 1"),
        (b'{"time_s": 0.04, "flow_l_s": [1, 2]}', "a block without rate_hz"),
        (b'{"time_s": 0.04, "rate_hz": 1e6, "flow_l_s": [1, 2]}', "rate_hz 1e+06 is outside 5-2000"),
        (b'{"flow_l_s": 1}', "it has no time, but the first sample had one"),
        (b'{"time_s": "noon", "flow_l_s": 1}', "time_s is a text, but not an ISO 8601 time such as"),
        (b'{"time_s": 1e300, "flow_l_s": 1}', "time_s is not a time: too large a number"),
        (b'{"time_s": [1], "flow_l_s": 1}', "time_s is not a number"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, f"nested more than {MAX_DEPTH} deep"),
        (b"[" * 60_000, f"nested more than {MAX_DEPTH} deep"),
        (b"9" * (MAX_LINE + 1), f"longer than {MAX_LINE} bytes"),
    ],
)  # fmt: skip
def test_a_damaged_line_keeps_its_slot_and_is_told_with_its_number(bad: bytes, what: str) -> None:
    found = read(sample(0) + sample(1) + bad + b"\n" + b"".join(sample(k) for k in range(3, 20)))
    assert (missing(found), found.n) == ([2], 20)
    assert details(found)[0].startswith(f"line 3: {what}")


def test_what_others_write_gets_into_no_message() -> None:
    text = samples(3) + b'{"patient": "Jane Doe", "id": 17, "flow_l_s": "Jane"}\n{"patient": "Jane\n' + sample(5)
    found = read(text)
    assert found.n == 6
    assert "Jane" not in str(found.notices)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_every_cut_gives_the_same(end: bytes) -> None:
    text = samples(12) + b"{]\n" + line(status=1) + b"".join(sample(k) for k in range(13, 25)) + samples(4)
    found = prefix_rule(make, text.replace(b"\n", end))
    assert found.form() == read(text).form()
    blocks = b"".join(line(time_s=b / 10, rate_hz=100, flow_l_s=[b] * 10) for b in (0, 1, 2, 9)) + b"junk\n"
    prefix_rule(lambda: make(live=True), blocks)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "there are no rows with numbers; no usable row in the whole file"),
        (b"hello\n", "line 1: not JSON; no usable row in the whole file"),
        (line(flow_l_s=1), "line 1: neither a time nor a rate; give rate_hz"),
        (line(flow_l_s=1, time_s=1) * 2, "the time stamps do not advance, so they give no rate; give rate_hz"),
        (line(flow_l_s=None, time_s=1) + line(flow_l_s=None, time_s=1.02), "there are no rows with numbers"),
        (
            line(status="ok") * STRANGE,
            f"line {STRANGE}: no object so far has a field that is a waveform; say with columns",
        ),
    ],
)
def test_refusals(text: bytes, says: str) -> None:
    assert says in refused(make, text)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"f": "flow"}, "columns: 'f' = 'flow': did you mean"),
        ({"f": "flow_l_s", "g": "flow_l_min"}, "columns: 'f' and 'g' are both the flow; leave one"),
        ({"t": "time_s", "f": "flow_l_s", "u": "time_ms"}, "columns: 't' and 'u' are both the time; leave one"),
        ({"t": "time_s"}, "columns: none is a waveform; known are paw_cmh2o"),
    ],
)
def test_columns_that_cannot_be(columns: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(port="tcp://127.0.0.1:1", columns=columns)
    assert says in str(caught.value)


def test_other_settings_that_cannot_be() -> None:
    for wrong in ({"port": "tcp://x"}, {"rate_hz": 1.0}, {"lost_s": 0.0}, {"baudrate": 1}):
        with pytest.raises(ConfigError):
            Settings(**{"port": "tcp://127.0.0.1:1", **wrong})  # type: ignore[arg-type]


def test_what_was_good_is_given_before_an_error() -> None:
    """The second rate is none that its stamps have: what came at the first is not lost with it."""
    first = line(time_s=0.0, rate_hz=50, flow_l_s=[0.5] * 40)
    wrong = [line(time_s=0.8 + k / 10, rate_hz=200, flow_l_s=[0.1]) for k in range(1000)]
    whole = prefix_rule(make, first + b"".join(wrong), [[len(first) + 9]])
    assert starts(whole) == [(0.0, 50.0, 40)]
    assert "mend one" in (whole.error or "")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_bytes_any_cut(draw: st.DataObject) -> None:
    text = bytearray(samples(6) + line(time_s=0.12, rate_hz=50, flow_l_s=[1, 2, None]) + samples(2))
    for _ in range(draw.draw(st.integers(0, 4))):
        at = draw.draw(st.integers(0, len(text)))
        text[at : at + draw.draw(st.integers(0, 9))] = draw.draw(
            st.sampled_from(
                [b"", b"\0", b" ", b"\n", b"9", b"[", b"]", b"{", b"}", b'"', b"\xff", b"1e9", b"null", b"-"]
            )
        )
    cuts = draw.draw(st.lists(st.integers(0, len(text)), max_size=6))
    rate = draw.draw(st.sampled_from([None, 50.0]))
    live = draw.draw(st.booleans())
    prefix_rule(lambda: make(rate, live=live), bytes(text), [cuts])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_at_all(text: bytes) -> None:
    prefix_rule(make, text, [range(1, len(text))])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["flow_l_s", "time_s", "x"]), inner),
    max_leaves=9,
)


@given(st.dictionaries(st.sampled_from(["flow_l_s", "paw_kpa", "time_s", "time_ms", "rate_hz", "x"]), json_values))
def test_any_object_is_read_or_refused(fields: dict[str, Any]) -> None:
    try:
        found = Fields({}).read(json.dumps(fields).encode())
    except Unusable:
        return
    assert all(wave.size == len(found) for wave in found.waveforms.values())


def test_a_long_stream_is_read_in_bounded_memory() -> None:
    decoder = make(live=True)
    items = [
        item for k in range(20) for item in decoder.feed(b"".join(sample(n) for n in range(200 * k, 200 * k + 200)))
    ]
    assert sum(len(item) for item in items if isinstance(item, Chunk)) >= 4000 - 8
    for _ in range(300):
        decoder.feed(b"x" * 10_000)
    assert len(decoder._scanner._kept) <= MAX_LINE + 2


def test_silence_is_a_gap_only_where_the_count_is_the_clock() -> None:
    for text, gap_s in ((line(flow_l_s=1) * 3, 2.5), (samples(200), 0.0)):
        told = JsonListener(make(50.0, live=True))
        items: list[Item] = [*told.feed(text), *told.silence(1.0), *told.silence(2.5)]
        after = line(flow_l_s=2) if gap_s else b"".join(sample(k) for k in range(200, 220))
        items += told.feed(after)
        found = check(items)
        assert len(found.stretches) == (2 if gap_s else 1)
        if gap_s:
            assert found.stretches[1].start_s == pytest.approx(3 / 50 + gap_s)
    assert told.opening() == told.answer() == b""


def test_as_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(samples(2000))
    recording = open_recording(path)
    assert recording.format == "json_lines"
    assert check(recording.items()).n == 2000
    for other in (b"", b"{", b'{"rr": 12}\n', b'[{"flow_l_s": 1}]\n', b"flow_l_s,paw_cmh2o\n0.1,2\n"):
        assert not json_lines.recognise(other, "x.jsonl")


def test_what_the_emulator_says_is_what_is_read() -> None:
    rng = np.random.default_rng(1)
    channels = {name: rng.normal(size=1200) for name in Channel}
    channels[Channel.FLOW][[3, 700]] = np.nan
    whole = Chunk(source="x", start_s=7.0, rate_hz=100.0, channels=channels)
    text = Emulator(100.0, frozenset(Channel)).send(whole)
    assert text.count(b"\n") == 3
    found = read(text)
    assert starts(found) == [(7.0, 100.0, 1200)]
    for name, wave in channels.items():
        assert np.array_equal(found.samples(name), wave, equal_nan=True)
    assert Emulator(1.0, frozenset()).hear(b"x") == b""


@asynccontextmanager
async def program(*says: bytes, forever: bool = False) -> AsyncIterator[str]:
    """Another program that serves its lines to whoever connects."""
    over: list[asyncio.Task[Any] | None] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over.append(asyncio.current_task())
        try:
            for piece in says:
                writer.write(piece)
                await writer.drain()
            while forever:
                writer.write(says[0])
                await writer.drain()
                await asyncio.sleep(0.01)
        except OSError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*filter(None, over))


async def heard(options: Settings) -> tuple[Stream, str]:
    """What comes until the source is lost, and how it was lost."""
    items: list[Item] = []
    try:
        async with asyncio.timeout(5), aclosing(chunks(options)) as source:
            async for item in source:
                items.append(item)  # noqa: PERF401 (kept when an error ends it)
    except (SourceLost, DecodeError) as error:
        assert all(not isinstance(item, Chunk) or item.received_ns for item in items)
        return check(items), str(error)
    raise AssertionError


async def test_live() -> None:
    n = LIVE_LEARN + 50
    text = b"".join(line(ts=20 * k, resp={"flow": 30, "p": [10]}) for k in range(n))
    async with program(text[:777], text[777:]) as port:
        found, error = await heard(Settings(port=port, columns=THEIRS))
    assert starts(found) == [(0.0, 50.0, n - 8)]
    assert error == f"{port}: the connection ended; is the device still on?"


async def test_live_with_a_mapping_that_fits_nothing() -> None:
    async with program(line(flow=1.0) * STRANGE) as port:
        found, error = await heard(Settings(port=port))
    assert found.n == 0
    assert error.startswith(f"{port}: line {STRANGE}: no object so far has a field that is a waveform")


async def sent(port: str, text: bytes) -> bytes:
    """What a program hears that connects to us, sends, and hangs up."""
    host, number = port.removeprefix("tcp://").split(":")
    for _ in range(500):
        try:
            reader, writer = await asyncio.open_connection(host, int(number))
            break
        except OSError:
            await asyncio.sleep(0.01)
    else:
        raise AssertionError
    try:
        writer.write(text)
        writer.write_eof()
        return await reader.read()
    except OSError as error:
        return str(error).encode()
    finally:
        writer.close()


async def test_listening() -> None:
    port = f"tcp://127.0.0.1:{free_port()}"
    for n in (150, 160):  # a program may come back
        listening = asyncio.create_task(heard(Settings(port=port, listen=True)))
        assert await asyncio.wait_for(sent(port, samples(n)), 5.0) == b""
        found, error = await listening
        assert found.n == n - 8
        assert error == f"{port}: the connection ended; is the device still on?"


async def test_listening_lets_one_in() -> None:
    port = f"tcp://127.0.0.1:{free_port()}"
    async with asyncio.timeout(5):
        opened = await_link(port)
        opening = asyncio.create_task(opened.__aenter__())
        host, number = port.removeprefix("tcp://").split(":")
        first = None
        while first is None:
            with suppress(OSError):
                first = await asyncio.open_connection(host, int(number))
            await asyncio.sleep(0)
        link = await opening
        assert await sent(port, b"me too") != b"hello"
        first[1].write(b"hello")
        assert await link.read() == b"hello"
        with pytest.raises(SourceLost, match=r"cannot listen: .*; does another program\?"):
            async with await_link(port):
                pass
        await opened.__aexit__(None, None, None)
        first[1].close()
        await first[1].wait_closed()


async def test_listening_ends_promptly() -> None:
    port = f"tcp://127.0.0.1:{free_port()}"
    waiting = asyncio.create_task(heard(Settings(port=port, listen=True)))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(5):
        again = asyncio.create_task(heard(Settings(port=port, listen=True)))
        await sent(port, samples(1))
        await again
    with pytest.raises(ConfigError, match="listening needs tcp://HOST:PORT"):
        Settings(port="/dev/ttyUSB0", listen=True)
