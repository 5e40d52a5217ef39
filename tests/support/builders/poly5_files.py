"""TMSi Poly5 files, as bytes."""

from __future__ import annotations

import struct

import numpy as np

PER_BLOCK = 4
PLAIN = (("P", "cmH2O"), ("F", "L/min"), ("V", "mL"))
RANGE = (0.0, 1000.0, 0.0, 1000.0)


def header(
    samples: int = 6,
    *,
    channels: tuple[tuple[str, str], ...] = PLAIN,
    scale: tuple[float, ...] = RANGE,
    rate: int = 100,
    per_block: int = PER_BLOCK,
    packed: int = 0,
) -> bytes:
    """A header and its descriptors."""
    signals = 2 * len(channels)
    sizes = (per_block, 2 * signals * per_block, packed)
    started = (2022, 5, 13, 5, 11, 56, 23)
    name = b"\x03PFV".ljust(81, b"\0")
    counts = (rate, rate, 0, signals, samples, *started, -(-samples // max(per_block, 1)), *sizes)
    fixed = b"POLY SAMPLE FILEversion 2.03\r\n\x1a\xcb\x00" + name + struct.pack("<HHBHi4x7HiHHH64x", *counts)
    entries = [
        struct.pack("<41p4x11p4fH62x", f"({half}) {one}".encode(), unit.encode(), *scale, at)
        for at, (one, unit) in enumerate(channels)
        for half in ("Lo", "Hi")
    ]
    assert len(fixed) == 217
    return fixed + b"".join(entries)


def block(first: int, values: list[list[float]], per_block: int = PER_BLOCK) -> bytes:
    """A block that begins with sample ``first``, padded with zeros."""
    flat = np.array(values, "<f4").tobytes()
    return struct.pack("<i4x7H64x", first, 2016, 1, 1, 1, 1, 1, 1) + flat.ljust(4 * per_block * len(values[0]), b"\0")


def row(k: int) -> list[float]:
    return [5.0 + k / 8, 30.0 * (k % 4 - 1), 10.0 * k]


def body(n: int) -> bytes:
    return b"".join(block(k, [row(i) for i in range(k, min(k + PER_BLOCK, n))]) for k in range(0, n, PER_BLOCK))


def small(n: int = 6) -> bytes:
    return header(n) + body(n)
