"""RespiraWorks traces, as a table and as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

NAMES = "time(sec)  pc_setpoint  pressure  volume  net_flow"


def row(k: int) -> str:
    return f"{k / 100:.3f}  15.000  {5 + k % 8 / 8:.3f}  {-k:.3f}  {250 * (k % 8):.3f}"


def transcript(rows: list[str], names: str = NAMES) -> bytes:
    head = ["# bench", "# Captured 2020-06-21 04:53:41.547183 by unknown user", "# Built at revision 0000000 (dirty)"]
    return "\n".join([*head, names, *rows, ""]).encode()


def rows(n: int) -> list[str]:
    return [row(k) for k in range(n)]


def saved(**traces: Any) -> bytes:
    """A test as the device's tools save it; a trace is its unit and its samples."""
    found = [
        {"variable_name": name, "variable_units": unit, "data": list(data)} for name, (unit, data) in traces.items()
    ]
    known = {"start_time_utc": "2022-04-22T17:46:59.700328", "tester_name": "Jane Doe", "scenario": {}}
    return json.dumps({**known, "traces": found}, indent=4).encode()


def json_waves(n: int = 60) -> dict[str, Any]:
    k = np.arange(n)
    return {
        "time": ("s", (k / 100).tolist()),
        "net_flow": ("mL/s", (250.0 * (k % 8)).tolist()),
        "patient_pressure_dp": ("cmH2O", (5.0 + k % 8).tolist()),
    }
