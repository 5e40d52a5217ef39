"""Every format and every live dialogue survives anything: only our errors leave, in one line, and soon.

``tests/support/format_seeds.py`` has a valid recording of each format; here it is damaged in every way that can be
thought of beforehand.
``python -m tests.tools.fuzz`` looks for those that cannot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.decoding.text_rows import MAX_LINE
from adapters.formats import FORMATS
from tests.support.adapter_contract import Stream, stream
from tests.support.format_seeds import BOM, SEEDS, Seed
from tests.support.hostile import JUNK, NUMBERS, waves

pytestmark = pytest.mark.usefixtures("patience")
EVERY = pytest.mark.parametrize("seed", SEEDS.values(), ids=SEEDS.keys())
TEXTS = {name: seed for name, seed in SEEDS.items() if seed.is_text}
TEXT = pytest.mark.parametrize("seed", TEXTS.values(), ids=TEXTS.keys())


def read(seed: Seed, folder: Path, content: bytes, *, named: bool = True) -> Stream:
    """What comes of it. Anything raised that is not ours fails the test."""

    def items() -> Iterator[Any]:
        yield from seed.opened(folder, content, named=named).items()

    found = stream(items())
    if found.error is None:
        assert found.n
    else:
        assert found.error.startswith(("DecodeError: ", "ConfigError: "))
        assert str(folder) in found.error
        assert found.error.isprintable(), found.error
        assert len(found.error) < 600, found.error
    for _, notice in found.notices:
        assert np.isfinite(notice.at_s)
        assert notice.detail.isprintable(), notice.detail
        assert len(notice.detail) < 600, notice.detail
    for stretch in found.stretches:
        for samples in stretch.joined().values():
            assert not np.isinf(samples).any()
    return found


def begins_alike(found: Stream, whole: Stream, *, but: int = 1) -> bool:
    """Whether what was good at the beginning has been given, some last samples apart."""
    there = np.flatnonzero(np.isfinite(waves(found)))  # of a track that ends before another the rest is missing
    n = min(there[-1] + 1 if there.size else 0, waves(whole).size) - but
    return n <= 0 or np.array_equal(waves(found)[:n], waves(whole)[:n], equal_nan=True)


def test_every_format_has_a_seed() -> None:
    assert {seed.format for seed in SEEDS.values()} == set(FORMATS)


@EVERY
def test_seeds_are_valid(seed: Seed, tmp_path: Path) -> None:
    for named in (True, False):
        found = read(seed, tmp_path, seed.content, named=named)
        assert found.error is None
        assert np.isfinite(waves(found)).any()


@EVERY
@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
def test_junk_is_refused(seed: Seed, junk: Callable[[], bytes], tmp_path: Path) -> None:
    for named in (True, False):
        found = read(seed, tmp_path, junk(), named=named)
        assert found.n == 0 or not seed.is_alone


@EVERY
def test_junk_behind_what_is_valid_takes_nothing_of_it(seed: Seed, tmp_path: Path) -> None:
    whole = read(seed, tmp_path, seed.content)
    for junk in (b"\0" * 5000, b"\n" * 500, np.random.default_rng(3).bytes(30_000), b"x" * 70_000, seed.content[:99]):
        found = read(seed, tmp_path, seed.content + junk)
        if (
            seed.format not in {"parquet", "wfdb", "npz", "excel"} and seed.is_alone
        ):  # these have what they need at their end
            assert found.n >= whole.n - 1
            assert begins_alike(found, whole)


@EVERY
def test_cut_short_anywhere(seed: Seed, tmp_path: Path) -> None:
    whole = read(seed, tmp_path, seed.content)
    size = len(seed.content)
    for at in {*(2**k for k in range(24)), *range(1, size, size // 40 + 1), *range(size - 30, size)}:
        if 0 < at < size:
            assert begins_alike(read(seed, tmp_path, seed.content[:at]), whole, but=2)


@EVERY
def test_damage_anywhere(seed: Seed, tmp_path: Path) -> None:
    """Bytes flipped, left out and put in; a stretch of NULs as a disk leaves it."""
    rng = np.random.default_rng(11)
    for _ in range(40):
        text = bytearray(seed.content)
        for _ in range(rng.integers(1, 5)):
            at, size = int(rng.integers(0, len(text))), int(rng.integers(0, 20))
            put = [b"", b"\0" * size, rng.bytes(size), b"\n", b"\xff" * size, text[:size]][rng.integers(0, 6)]
            text[at : at + size] = put
        read(seed, tmp_path, bytes(text))


@EVERY
def test_a_line_without_an_end(seed: Seed, tmp_path: Path) -> None:
    whole = read(seed, tmp_path, seed.content)
    for byte in (b"x", b"9", b"\0", b",", b"[", b"\x81"):
        read(seed, tmp_path, byte * (3 * MAX_LINE))
        found = read(seed, tmp_path, seed.content + byte * (3 * MAX_LINE))
        assert begins_alike(found, whole) or not seed.is_alone


RUNS = (b" ", b"9", b"x", b"\t", b",", b".", b"(", b'"', b"a ", b"9 ", b"1.00, ", b"\xc3\xa9", b":", b"{", b"=1 ")


@TEXT
def test_no_line_takes_long(seed: Seed, tmp_path: Path) -> None:
    """Where an expression tries every end from every beginning, one such line takes minutes."""
    row = seed.content.splitlines()[-1]
    for run in RUNS:
        long = run * (MAX_LINE // len(run) - 200)
        for line in (row + long + b"x", b"x" + long + row, row[:-1] + long):
            read(seed, tmp_path, seed.content + (line + b"\n") * 3)
            read(seed, tmp_path, line + b"\n" + seed.content, named=False)


@TEXT
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_text_is_read(seed: Seed, encoding: str, tmp_path: Path) -> None:
    plain = read(seed, tmp_path, seed.content).form()
    wide = seed.content.removeprefix(BOM).decode().encode(encoding)
    for named in (True, False):
        found = read(seed, tmp_path, wide, named=named)
        assert found.form() == plain or "save them as UTF-8" in (found.error or "")


@TEXT
def test_latin_1_is_read_or_refused(seed: Seed, tmp_path: Path) -> None:
    text = seed.content.decode().replace("e", "é").replace("m", "µ")
    read(seed, tmp_path, text.encode("latin-1", "replace"))
    read(seed, tmp_path, text.encode())


@TEXT
def test_a_byte_order_mark_and_any_line_ends_make_no_difference(seed: Seed, tmp_path: Path) -> None:
    whole = read(seed, tmp_path, seed.content)
    plain = seed.content.removeprefix(BOM).replace(b"\r\n", b"\n")
    lines = plain.split(b"\n")
    mixed = b"".join(line + (b"\n", b"\r\n", b"\r")[k % 3] for k, line in enumerate(lines[:-1]))
    for text in (BOM + plain, plain, plain.replace(b"\n", b"\r"), plain.replace(b"\n", b"\r\n"), mixed):
        for named in (True, False):
            assert read(seed, tmp_path, text, named=named).form() == whole.form(), text[:60]


@TEXT
def test_numbers_that_are_none(seed: Seed, tmp_path: Path) -> None:
    """Each of the first and some of the later numbers of the text replaced by each of these."""
    places = [match.span() for match in re.finditer(rb"\d+(?:\.\d+)?", seed.content)]
    for first, last in places[:8] + places[8 :: len(places) // 3]:
        for number in NUMBERS:
            read(seed, tmp_path, seed.content[:first] + number + seed.content[last:])
