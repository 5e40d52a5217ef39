"""RapidVent recordings."""

from __future__ import annotations

HEADER = "pressure,flow,true_pip,true_peep,true_rr"


def full(n: int) -> list[str]:
    return [f"{5 + k % 8 / 8},{6 * (k % 8)},20,5,14.5" for k in range(n)]


def transcript(rows: list[str], header: str = HEADER, rate: str = "50") -> bytes:
    return "\n".join([f"#samplerate,{rate}", header, *rows, ""]).encode()
