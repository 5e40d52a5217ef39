"""Small session files, for tests of the way from files to frames."""

from __future__ import annotations

from pathlib import Path

MINUTES = """
[points]
baseline_min = [-4, -0.5]
hours = { prone = [0.05] }
half_width_min = 1.5
settle_min = 0.5
trend_min = 1
"""
CONTEXT = """
[context]
passive = "asserted"
mode = "vcv"
sensor_site = "wye"
flow_conditions = "BTPS"
co2_kind = "mainstream"
co2_scale = "BTPS"
"""
PRONE = '\n[[event]]\nat = 2024-03-01T08:05:00Z\nkind = "prone"\n'
GAS = "\n[[blood_gas]]\nat = 2024-03-01T{}Z\npco2_art_mmhg = {}\npo2_art_mmhg = 80\nfio2 = 0.6\n"


def session(folder: Path, text: str, *recordings: str, name: str = "p1") -> Path:
    named = "".join(f'[[recording]]\npath = "{one}.parquet"\n' for one in recordings or ("all",))
    path = folder / f"{name}.session.toml"
    path.write_text(f'label = "{name.upper()}"\n{named}{CONTEXT}{text}{MINUTES}')
    return path
