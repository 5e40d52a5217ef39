"""VSCapture exports of both vendors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Value = Callable[[int], str]


def packets(n: int, value: Value, first: int = 1_837_821_952, start: int = 0) -> list[str]:
    """Philips, 16 rows a packet of 256 ms."""
    return [f"23-09-2020 15:55:03.7224,{(first + 2048 * (k // 16)) % 2**32},{value(start + k)}," for k in range(16 * n)]


def batches(n: int, value: Value, first: int = 1_652_435_584_000) -> list[str]:
    """Draeger, 10 rows a batch; each comes early or late by up to 55 ms."""
    late = [int(40 * np.sin(7 * (k // 10)) + 15 * np.cos(k // 10)) for k in range(10 * n)]
    return [
        f"05/13/2022 11:53:04,{first + 20 * k + late[k]},{value(k)},{'InspStart' if k % 7 == 3 else ''}"
        for k in range(10 * n)
    ]


def paw(k: int) -> str:
    return f"{5 + k % 80 / 8}"


def flow(k: int) -> str:
    return f"{6 * (k % 10) - 30}"
