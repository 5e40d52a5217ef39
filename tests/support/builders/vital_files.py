"""VitalDB files, packet by packet."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

T0 = 1_600_000_000.0
"""When the recordings begin."""


def string(text: str) -> bytes:
    return struct.pack("<I", len(text.encode())) + text.encode()


def packet(kind: int, body: bytes) -> bytes:
    return struct.pack("<BI", kind, len(body)) + body


def head(*, packed: bool = False) -> bytes:
    return b"VITA" + struct.pack("<IHhIIddB", 3, 27, -540, 0, 0, T0, T0 + 1, packed)


def device(number: int, name: str) -> bytes:
    return packet(9, struct.pack("<I", number) + string("model") + string(name) + string(""))


def track(tid: int, name: str, unit: str, rate_hz: float, **more: Any) -> bytes:
    form, gain, offset, did = (
        more.get(key, usual) for key, usual in (("form", 1), ("gain", 1), ("offset", 0), ("did", 1))
    )
    scale = struct.pack("<ffIfddBI", 0, 0, 0, rate_hz, gain, offset, 0, did)
    return packet(0, struct.pack("<HBB", tid, more.get("sort", 1), form) + string(name) + string(unit) + scale)


def samples(tid: int, at_s: float, values: Iterable[float], dtype: str = "<f4") -> bytes:
    stored = np.array(list(values), dtype)
    return packet(1, struct.pack("<HdHI", 10, T0 + at_s, tid, stored.size) + stored.tobytes())


def put(path: Path, *packets: bytes, packed: bool = False) -> Path:
    path.write_bytes(gzip.compress(head(packed=packed) + device(1, "Primus") + b"".join(packets), 6, mtime=0))
    return path


AWP = track(7, "AWP", "hPa", 50.0)
FLOW = track(8, "FLOW", "L/min", 50.0)
CO2 = track(9, "CO2", "mmHg", 25.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.vital"
