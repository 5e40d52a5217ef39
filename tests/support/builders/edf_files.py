"""EDF and WMEDF files, as bytes."""

from __future__ import annotations

from binascii import crc_hqx
from typing import Any

import numpy as np

FLOW = ("Flow.40ms", "L/s", "-2.00", "3.00", "-1000", "1500", 4)
PRESS = ("Press.40ms", "cmH2O", "0.00", "40.00", "0", "2000", 4)
CRC = ("Crc16", "", "-32768", "32767", "-32768", "32767", 1)
TIMES = ("EDF Annotations", "", "-1", "1", "-32768", "32767", 10)


def header(
    *signals: tuple[Any, ...], records: object = 3, duration: object = "0.40", kind: str = "EDF", start: str = ""
) -> bytes:
    """A header whose fields are the bytes of the shared files, without who was recorded."""
    parts = [
        "0",
        "",
        "",
        start[:8],
        start[8:],
        str(256 * (len(signals) + 1)),
        kind,
        str(records),
        str(duration),
        str(len(signals)),
    ]
    fixed = "".join(text.ljust(width) for text, width in zip(parts, (8, 80, 80, 8, 8, 8, 44, 8, 8, 4), strict=True))
    columns = [(16, 0), (80, None), (8, 1), (8, 2), (8, 3), (8, 4), (8, 5), (80, None), (8, 6), (32, None)]
    cells = [("" if at is None else str(one[at])).ljust(width) for width, at in columns for one in signals]
    return (fixed + "".join(cells)).encode()


def words(*values: int) -> bytes:
    return np.array(values, "<i2").tobytes()


def tal(onset: str) -> bytes:
    return f"{onset}\x14\x14\0".encode().ljust(20, b"\0")


def crc(record: bytes) -> bytes:
    return record + crc_hqx(record, 0xFFFF).to_bytes(2, "little")


def flow(k: int, n: int = 4) -> bytes:
    """Record ``k``: 0.2, 0.202, 0.204, 0.206 L/s and so on."""
    return words(*(100 + n * k + i for i in range(n)))


def press(k: int, n: int = 4) -> bytes:
    return words(*(250 + n * k + i for i in range(n)))


def resmed(records: int = 3) -> bytes:
    body = b"".join(crc(flow(k) + press(k)) for k in range(records))
    return header(FLOW, PRESS, CRC, records=records) + body


def timed(*onsets: str, kind: str = "EDF+D", records: object = -1) -> bytes:
    body = b"".join(flow(k) + tal(onset) for k, onset in enumerate(onsets))
    return header(FLOW, TIMES, kind=kind, records=records) + body


def narrow(*widths: str, n: int = 1) -> bytes:
    """Flow of unsigned, pressure of signed bytes, and a signal of two bytes, as Loewenstein's devices write them."""
    signals = (
        ("RespFlow", "L/min", "-127", "128", "0", "255", 4 * n),
        ("Pressure", "hPa", "-12.8", "12.7", "-128", "127", 4 * n),
    )
    raw = bytearray(header(*signals, ("SPRStatus", "", "0", "1", "0", "32767", 2 * n), records=1))
    at = 256 + 224 * 3
    for k, width in enumerate(widths):
        raw[at + 32 * k : at + 32 * (k + 1)] = width.encode().ljust(32)
    return bytes(raw)


NARROW = bytes([127, 128, 129, 255]) + np.array([-128, 0, 50, 127], "i1").tobytes() + words(1, 2)
"""A record of these."""
