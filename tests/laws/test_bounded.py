"""Memory of every format and dialogue is bounded: by what it was made for, not by what comes or how much of it.

Traced are Python's and numpy's allocations; those of Arrow by its own pool. ``test_hostile.py`` asks what comes out.
"""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.decoding.contract import ReadOptions
from adapters.decoding.text_rows import BLOCK
from adapters.formats import FORMATS
from adapters.recordings.open import open_recording
from streamer.model.chunk import Chunk
from streamer.model.errors import VentstreamError
from tests.support.adapter_contract import Item, stream
from tests.support.builders import (
    edf_files,
    json_lines_files,
    pirds_files,
    poly5_files,
    rapidvent_files,
    respiraworks_files,
    servo_u_files,
    vital_files,
)
from tests.support.format_seeds import SEEDS, TALKS, Seed
from tests.support.medibus_dialogue import streaming

MB = 1 << 20
MOST = 32 * MB
"""While a block is parsed: scratch space of the scan is 40 bytes for one of text, and its rows come on top."""
EVERY = pytest.mark.parametrize("seed", SEEDS.values(), ids=SEEDS.keys())


@pytest.fixture
def traced() -> Iterator[Callable[[], int]]:
    """The highest that was allocated since it was asked the last time."""
    tracemalloc.start()
    base, _ = tracemalloc.get_traced_memory()

    def peak() -> int:
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        return highest - base

    yield peak
    tracemalloc.stop()


def drained(items: Iterator[Item]) -> int:
    """How many samples came, none kept."""
    n = 0
    with suppress(VentstreamError):
        for item in items:
            n += len(item) if isinstance(item, Chunk) else 0
    return n


@EVERY
def test_megabytes_without_a_line_end(seed: Seed, tmp_path: Path, traced: Callable[[], int]) -> None:
    size = (10 if seed.is_text else 1) * MB
    for before in (b"", seed.content):
        seed.put(tmp_path, before + b"x" * size)
        traced()
        path = tmp_path / (seed.opens or seed.file)
        with suppress(VentstreamError):
            drained(open_recording(path, format_name=seed.format, rate_hz=seed.rate_hz).items())
        assert traced() < MOST


def test_a_log_whose_rows_lie_far_apart_makes_no_mountains(traced: Callable[[], int]) -> None:
    """A row a millisecond says the rate; then one every ten seconds."""
    rows = pirds_files.rows(80, step=1) + pirds_files.rows(1000, start=2000, step=9990)
    text = pirds_files.transcript(*rows)
    decoder = pirds_files.make()
    traced()
    for at in range(0, len(text), BLOCK):
        decoder.feed(text[at : at + BLOCK])
    assert traced() < MOST


def _lines(row: Callable[[int], str]) -> Callable[[int, int], bytes]:
    return lambda first, n: "".join(row(k) + "\n" for k in range(first, first + n)).encode()


def _edf(first: int, n: int) -> bytes:
    return b"".join(edf_files.crc(edf_files.flow(k % 50) + edf_files.press(k % 50)) for k in range(first, first + n))


def _poly5(first: int, n: int) -> bytes:
    return b"".join(
        poly5_files.block(4 * k, [poly5_files.row(i % 50) for i in range(4)]) for k in range(first, first + n)
    )


def _stamped(k: int) -> str:
    return servo_u_files.rows(1, 10 * k)[0]


LONG: dict[str, tuple[bytes, Callable[[int, int], bytes], int]] = {
    "csv": (b"time_s,flow_l_s,paw_cmh2o\n", _lines(lambda k: f"{k / 100:.2f},{k % 8},{k % 16}"), 40_000),
    "pb840": (b"BS, S:1,\n", lambda _, n: b"1.25, 5.00\n" * n, 1_000_000),
    "servo_u": (servo_u_files.transcript([]), _lines(_stamped), 3200),
    "pirds": (b"", lambda first, n: pirds_files.transcript(*pirds_files.rows(n, 1000 + 64 * first)), 1600),
    "rapidvent": (rapidvent_files.transcript([]), _lines(lambda k: f"{k % 9},{k % 7},20,5,14"), 4000),
    "respiraworks": (respiraworks_files.transcript([]), _lines(respiraworks_files.row), 3200),
    "json_lines": (b"", lambda first, n: b"".join(map(json_lines_files.sample, range(first, first + n))), 2000),
    "edf": (edf_files.header(edf_files.FLOW, edf_files.PRESS, edf_files.CRC, records=-1), _edf, 1600),
    "poly5": (poly5_files.header(0), _poly5, 1600),
}
"""Format → head, rows, and how many of them are read in each half."""


@pytest.mark.parametrize("name", LONG)
def test_memory_does_not_grow_with_the_length(name: str, traced: Callable[[], int]) -> None:
    head, rows, half = LONG[name]
    decoder = FORMATS[name].load().Decoder(ReadOptions())
    decoder.feed(head)
    step = half // 8
    peaks, n = [], 0
    for at in range(3):  # the first is for what is learnt and held once
        traced()
        for first in range(at * half, (at + 1) * half, step):
            n += drained(iter(decoder.feed(rows(first, step))))
        peaks.append(traced())
    assert n > 2.9 * half
    assert peaks[2] < 1.05 * peaks[1] + 100_000


TALK = {
    "pb840": (b"\n", b"1.00, 5.00\nx\n", 1000),
    "medibus": (streaming()[0], b"".join(streaming()[1]) + b"\x84\xc7", 500),
    "mqtt_samples": (b"", b'{"flow_l_s": 1}\n{"flow_l_s": [1]}\nx\n{}\n', 500),
}
"""Live source → how it begins, what comes again and again, and how often in each part."""


@pytest.mark.parametrize("name", TALK)
def test_a_dialogue_does_not_grow_with_what_it_hears(name: str, traced: Callable[[], int]) -> None:
    greeting, again, half = TALK[name]
    dialogue = TALKS[name][0]()
    dialogue.opening()
    dialogue.feed(greeting)
    peaks = []
    for _ in range(3):
        traced()
        for at in range(half):
            dialogue.feed(again)
            if at % 100 == 0:
                dialogue.silence(1.0)
            dialogue.answer()
        peaks.append(traced())
    assert peaks[2] < 1.05 * peaks[1] + 20_000


def test_tables_do_not_grow_memory(tmp_path: Path, traced: Callable[[], int]) -> None:
    path = tmp_path / "x.parquet"
    wave = np.random.default_rng(5).normal(size=1_000_000)
    pq.write_table(pa.table({"time_s": np.arange(wave.size) / 100, "flow_l_s": wave}), path, row_group_size=100_000)
    pool, n, peaks = pa.default_memory_pool(), 0, [0, 0]
    del wave
    traced()
    for item in open_recording(path).items():
        if isinstance(item, Chunk):
            n += len(item)
            half = int(2 * n > 1_000_000)
            peaks[half] = max(peaks[half], traced() + pool.bytes_allocated())
    assert n == 1_000_000
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[0] < MOST


def _gzip_bomb(size_mb: int, begin: bytes = b"", again: bytes = b"\0") -> bytes:
    """So many MB of the same: a piece that refers to nothing before it, again and again."""
    packer = zlib.compressobj(9, wbits=-15)
    first = packer.compress(begin) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(again * (MB // len(again))) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + first + piece * size_mb + packer.flush()


def test_a_packed_gigabyte_is_refused_unread(tmp_path: Path, traced: Callable[[], int]) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(_gzip_bomb(1024))
    loaded = 0
    for _ in range(2):  # what a format imports stays in memory: that counts once
        traced()
        loaded = traced()
        for name in (None, *FORMATS):
            with pytest.raises(VentstreamError) as caught:
                for _ in open_recording(path, format_name=name).items():
                    pass
            assert "\n" not in str(caught.value)
    assert traced() - loaded < 8 * MB


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("x.edf", edf_files.header((*edf_files.FLOW[:-1], 99_999_999), records=99_999_999)),
        (
            "x.edf",
            edf_files.header((*edf_files.FLOW[:-1], 8_000_000), records=99_999_999, duration=80_000) + bytes(999),
        ),
        ("x.edf", edf_files.header(*[edf_files.FLOW] * 99, records=99_999_999) + bytes(999)),
        ("x.vital", _gzip_bomb(1024, vital_files.head() + vital_files.FLOW, vital_files.samples(8, 1, [0.5] * 999))),
        ("x.vital", _gzip_bomb(1024, vital_files.head() + vital_files.FLOW, vital_files.packet(9, bytes(65_000)))),
        ("x.vital", _gzip_bomb(1024, vital_files.head() + struct.pack("<BI", 1, 2**32 - 1))),
        ("x.Poly5", poly5_files.header(2**31 - 1) + bytes(999)),
        ("x.Poly5", poly5_files.header(2**31 - 1, per_block=5461) + bytes(999)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_header_that_claims_the_world_gets_nothing(
    file: str, text: bytes, tmp_path: Path, traced: Callable[[], int]
) -> None:
    (tmp_path / file).write_bytes(text)
    traced()
    found = stream(open_recording(tmp_path / file).items())
    assert found.n < 1000
    assert found.error or found.notices
    assert traced() < 8 * MB
