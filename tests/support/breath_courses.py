"""Made-up courses of breaths, with blood gases and events among them, for what ``BloodGasTracker`` makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from streamer.core.metrics import BloodGasTracker
from streamer.core.metrics.blood_gas_validity import BloodGasValidity
from streamer.model.records import BreathRecord, Notice, NoticeKind

MINUTE = 60.0
DRAW_S = 20 * MINUTE


def usual(_t: float) -> dict[str, float]:
    return {}


def record(end_s: float, changed: dict[str, float] | None = None, method: str = "mean_mainstream") -> BreathRecord:
    """A breath of 3 s: 10 L/min, PEEP 8, mixed expired PCO2 25, unless changed; NaN leaves a key out."""
    values = {"minute_volume": 10.0, "peep": 8.0, "pco2_mixed_exp": 25.0} | (changed or {})
    values = {key: value for key, value in values.items() if not math.isnan(value)}
    methods = {"pco2_mixed_exp": method} if "pco2_mixed_exp" in values else {}
    return BreathRecord(
        bed="b", number=0, start_s=end_s - 3, end_s=end_s, values=values, missing={}, methods=methods
    )  # fmt: skip


def breaths(
    until_s: float, course: Callable[[float], dict[str, float]] = usual, from_s: float = 0.0
) -> Iterator[BreathRecord]:
    return (record(float(t), course(float(t))) for t in np.arange(from_s + 1.5, until_s, 3.0))


def gas(at_s: float = DRAW_S, **values: float) -> Notice:
    return Notice(bed="b", at_s=at_s, kind=NoticeKind.BLOOD_GAS, values=values or {"pco2_art_mmhg": 45.0})


def change(at_s: float, kind: NoticeKind = NoticeKind.POSITION) -> Notice:
    return Notice(bed="b", at_s=at_s, kind=kind)


def due(items: Iterable[BreathRecord | Notice]) -> list[BreathRecord | Notice]:
    """In the order in which a bed hears of them when each is known at its time."""
    return sorted(items, key=lambda one: (one.at_s, 0) if isinstance(one, Notice) else (one.end_s, 1))


def told(items: Iterable[BreathRecord | Notice]) -> BloodGasTracker:
    draws = BloodGasTracker()
    for one in items:
        if isinstance(one, Notice):
            draws.hear(one)
        else:
            draws.add(one)
    return draws


def around(
    *notices: Notice, until_s: float = 40 * MINUTE, course: Callable[[float], dict[str, float]] = usual
) -> BloodGasValidity:
    return told(due([*notices, *breaths(until_s, course)])).drawn(until_s).around


def step(at_s: float, **values: float) -> Callable[[float], dict[str, float]]:
    return lambda t: values if t > at_s else {}
