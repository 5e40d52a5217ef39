"""Servo-U exports."""

from __future__ import annotations


def transcript(
    rows: list[str], names: str = "Tiempo\tFase\tPva (cmH2O)\tFLUJO (l/m)\tV (ml)\tTriger", point: str = "POINT"
) -> bytes:
    head = ["[REC]", "Fecha\t28/01/26 17:06:14", "Date format\tdd/MM/yy", "Language setting\tes_ES",
            f"Decimal separator\t{point}", "==========", "PEEP\t8.0\tcmH2O", "", "[DATA]", names]  # fmt: skip
    return ("\ufeff" + "\n".join([*head, *rows, ""])).encode()


def stamp(ms: int) -> str:
    ms %= 86_400_000
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}:{ms % 1000:03}"


def rows(n: int, first_ms: int = 61_423_745) -> list[str]:
    return [f"{stamp(first_ms + 10 * k)}\tesp.\t{7 + k / 100:.2f}\t{-k / 10:.2f}\t401.70" for k in range(n)]
