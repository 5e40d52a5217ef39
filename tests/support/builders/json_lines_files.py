"""Samples as lines of JSON."""

from __future__ import annotations

import json
from typing import Any


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def sample(k: int, rate_hz: float = 50.0) -> bytes:
    return line(time_s=k / rate_hz, flow_l_s=k % 64 / 64, paw_cmh2o=5 + k % 64 / 64)


def samples(n: int, rate_hz: float = 50.0) -> bytes:
    return b"".join(sample(k, rate_hz) for k in range(n))
