"""Hostile input: junk, numbers that are none, and a time limit for a test that hangs."""

from __future__ import annotations

import faulthandler
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from streamer.model.chunk import Channel
from tests.support.adapter_contract import Stream

PATIENCE_S = 30
NUMBERS = (
    b"1e400", b"-1e400", b"1e-400", b"1e308", b"-1e308", b"9" * 22, b"9" * 500, b"18446744073709551616",
    b"9223372036854775807", b"4294967295", b"2147483648", b"-0", b"-1", b"nan", b"-nan", b"inf", b"-Infinity", b"0x1f",
    b"1_000", b"", b"+", b".", b"1e", b"\xd9\xa1\xd9\xa2", b"\xef\xbc\x91", b"1,5", b"null", b"true", b'"1"', b"[]",
)  # fmt: skip


@contextmanager
def time_limit() -> Iterator[None]:
    """A test that hangs fails, and says where: compiled code cannot be interrupted, and ends the whole run."""
    alarmed = hasattr(signal, "SIGALRM")  # Windows has none: there the whole run ends

    def enough(*_: object) -> None:
        pytest.fail(f"not done after {PATIENCE_S} s")

    faulthandler.dump_traceback_later(2 * PATIENCE_S, exit=True)
    if alarmed:
        before = signal.signal(signal.SIGALRM, enough)
        signal.alarm(PATIENCE_S)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        if alarmed:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)


def waves(found: Stream) -> np.ndarray[Any, Any]:
    """Flow of every slot."""
    pieces = [piece[Channel.FLOW] for stretch in found.stretches for piece in stretch.pieces if Channel.FLOW in piece]
    return np.concatenate([np.empty(0), *pieces])


JUNK: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "a byte": lambda: b"x",
    "a NUL": lambda: b"\0",
    "a newline": lambda: b"\n",
    "newlines": lambda: b"\n" * 5000,
    "NULs": lambda: b"\0" * 70_000,
    "blanks": lambda: b" " * 70_000,
    "all bytes": lambda: bytes(range(256)) * 4,
    "brackets": lambda: b"[" * 100_000,
    "braces": lambda: b'{"a":' * 20_000,
    "quotes": lambda: b'"' * 100_000,
    "separators": lambda: b",;\t " * 20_000,
    **{f"random {seed}": lambda seed=seed: np.random.default_rng(seed).bytes(300_000) for seed in range(2)},
    "random text": lambda: bytes(np.random.default_rng(7).integers(9, 127, 300_000, np.uint8)),
}
