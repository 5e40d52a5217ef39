"""A scenario with a ventilator and a capnograph whose clocks differ."""

from __future__ import annotations

SCENARIO = """
duration_s = 180
seed = 3
[context]
co2_kind = "mainstream"
co2_scale = "BTPS"
co2_delay_s = 0.0
[lung]
compliance_ml_cmh2o = 50
[ventilator]
mode = "vcv"
rate_per_min = 15
[capnogram]
dead_space_ml = 150
[capnograph]
rate_hz = 50
clock_offset_s = 0.3
"""
