"""LabChart text exports."""

from __future__ import annotations

SETTINGS = {
    "Interval": "0.01 s",
    "ExcelDateTime": "4.3749464322749809e+04\t10/11/19 11:08:37.485584",
    "TimeFormat": "StartOfBlock",
    "DateFormat": "",
    "ChannelTitle": "Trigger\tAirway pressure\tFlow\tCO2",
    "Range": "2.000 V\t100.0 cmH2O\t200.0 L/min\t100.0 mmHg",
    "UnitName": "*\tcmH2O\tL/min\t*",
    "TopValue": "*\t100\t200\t*",
}


def block(rows: list[str], **changed: str | None) -> str:
    told = {key: value for key, value in {**SETTINGS, **changed}.items() if value is not None}
    return "".join(f"{key}=\t{value}\n" for key, value in told.items()) + "".join(f"{row}\n" for row in rows)


def rows(n: int, first: int = 0) -> list[str]:
    return [f"{k / 100:g}\t{k % 2}\t{5 + k % 8 / 8}\t{6 * (k % 8)}\t{k % 5}" for k in range(first, first + n)]


SEED = block([*rows(40), "0.4\t0\t5\t6\t1\t#1 turned", *rows(20, 41)]).encode()
