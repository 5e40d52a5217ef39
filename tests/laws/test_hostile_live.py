"""Every live dialogue survives anything, whole or in pieces, with silence between: only our errors leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.support.adapter_contract import Stream, pieces, stream
from tests.support.format_seeds import TALKS, heard
from tests.support.hostile import JUNK, NUMBERS, waves

EVERY = pytest.mark.parametrize(("make", "text"), TALKS.values(), ids=TALKS.keys())
SILENCES = (0.0, 0.3, 1.0, 0.0, 7.5, 2.0)
Make = Callable[[], Any]
pytestmark = pytest.mark.usefixtures("patience")


def heard_out(make: Make, parts: list[bytes], silences: tuple[float, ...] = ()) -> Stream:
    """What comes of it; anything raised that is not ours fails the test."""
    found = stream(heard(make(), parts, silences))
    assert found.error is None or found.error.startswith(("DecodeError: ", "SourceLost: "))
    assert found.error is None or (found.error.isprintable() and len(found.error) < 600)
    for _, notice in found.notices:
        assert np.isfinite(notice.at_s)
        assert notice.detail.isprintable()
        assert len(notice.detail) < 600
    ends = [stretch.start_s + stretch.n / stretch.rate_hz for stretch in found.stretches]
    for end_s, after in zip(ends, found.stretches[1:], strict=False):
        assert after.start_s > end_s - 0.5 / after.rate_hz
        assert not any(np.isinf(samples).any() for samples in after.joined().values())
    return found


@EVERY
def test_what_devices_say_is_valid(make: Make, text: bytes) -> None:
    found = heard_out(make, [text])
    assert found.error is None
    assert np.isfinite(waves(found)).any()


@EVERY
@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
def test_junk(make: Make, text: bytes, junk: Callable[[], bytes]) -> None:
    there = junk()
    cut = pieces(there, range(0, len(there), 4096))
    assert heard_out(make, [there]).n == 0
    assert heard_out(make, cut, SILENCES).n == 0
    whole = heard_out(make, [text])
    after = heard_out(make, [text, *cut])
    assert after.n >= whole.n - 1
    assert np.array_equal(waves(after)[: whole.n - 1], waves(whole)[: whole.n - 1], equal_nan=True)
    heard_out(make, [*cut, text], SILENCES)


@EVERY
def test_damage_and_silence_anywhere(make: Make, text: bytes) -> None:
    rng = np.random.default_rng(13)
    for _ in range(100):
        said = bytearray(text)
        for _ in range(rng.integers(0, 5)):
            at, size = int(rng.integers(0, len(said))), int(rng.integers(0, 20))
            put = [b"", b"\0" * size, rng.bytes(size), b"\n", b"\xd0", bytes(said[:size])][rng.integers(0, 6)]
            said[at : at + size] = put
        cuts = sorted(rng.integers(0, len(said), rng.integers(0, 9)).tolist())
        heard_out(make, pieces(bytes(said), cuts), SILENCES)
        assert heard_out(make, pieces(bytes(said), cuts)).form() == heard_out(make, [bytes(said)]).form()


@EVERY
def test_numbers_that_are_none(make: Make, text: bytes) -> None:
    digits = [at for at in range(len(text)) if text[at : at + 1].isdigit()]
    for at in digits[:: len(digits) // 12 + 1]:
        for number in NUMBERS:
            heard_out(make, [text[:at] + number + text[at + 1 :], text])


@EVERY
def test_a_message_that_never_ends(make: Make, text: bytes) -> None:
    for byte in (b"x", b"1", b"\0", b"\x1b", b"\x01", b"\x80", b"\xc1", b"\xd7", b"{"):
        heard_out(make, [text, *[byte * 50_000] * 6, text], SILENCES)
