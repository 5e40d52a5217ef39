"""The course of a patient over time: each quantity in bins of some minutes, blood gases at their draws.

Bins lie on a grid around time 0, so the bins of all patients coincide. Breaths during a turn and in other positions are
included, since they are part of the course.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from streamer.model.units import S_PER_MIN
from streamer.study.points import S_PER_HOUR
from streamer.study.quantities import QUANTITIES, Rule
from streamer.study.timeline import Timeline
from streamer.study.values import Value, of_draw, summarised

Row: TypeAlias = tuple[str, float, str, str, float | None, int, str, str]
COLUMNS = ("patient", "hours", "quantity", "unit", "value", "n", "method", "sensor")


def trend_rows(timeline: Timeline, zero_s: float, bin_min: float) -> Iterator[Row]:
    """A row of ``COLUMNS`` for each number; ``hours`` count from time 0 to the middle of the bin, or to the draw."""
    wide_s = S_PER_MIN * bin_min
    places = np.floor((timeline.end_s - zero_s) / wide_s).astype(np.int64)
    firsts = np.flatnonzero(np.diff(places, prepend=places[:1] - 1))
    for breaths in np.split(np.arange(places.size), firsts[1:]):
        if not breaths.size:
            continue
        hours = (int(places[breaths[0]]) + 0.5) * wide_s / S_PER_HOUR
        for quantity in QUANTITIES.values():
            if quantity.rule in {Rule.BREATHS, Rule.HOLDS}:
                found = summarised(timeline, breaths, quantity)
                if found.value is not None:
                    yield _row(timeline, hours, found)
    for gas in timeline.gases:
        for quantity in QUANTITIES.values():
            if quantity.rule in {Rule.GAS, Rule.DRAW}:
                found = of_draw(timeline, gas, quantity)
                if found.value is not None:
                    yield _row(timeline, (gas.at_s - zero_s) / S_PER_HOUR, found)


def _row(timeline: Timeline, hours: float, found: Value) -> Row:
    """A row with method and sensor: where either changes, a drawn line must break."""
    quantity = found.quantity
    told = zip(quantity.sensor, found.sensor, strict=False)  # a gas by itself has no sensor
    sensor = ", ".join(f"{key} {stated}" for key, stated in told if stated is not None)
    return timeline.label, hours, quantity.name, quantity.unit, found.value, found.n, found.method, sensor
