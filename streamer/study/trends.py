"""The course of a whole session: each quantity in bins of some minutes, gases at their draws. Floor 4.

Bins lie on a grid about time 0, so those of all patients coincide. Nothing is left out here: turns and other positions
are part of the course.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from streamer.study.quantities import QUANTITIES, Rule
from streamer.study.timeline import Timeline
from streamer.study.values import of_draw, summarised
from streamer.units import S_PER_MIN

Row: TypeAlias = tuple[str, float, str, str, float, int]
COLUMNS = ("patient", "hours", "quantity", "unit", "value", "n")
S_PER_HOUR = 3600.0


def trend_rows(timeline: Timeline, zero_s: float, bin_min: float) -> Iterator[Row]:
    """Patient, hours from time 0 to the bin's middle or the draw, quantity, unit, value, from how many breaths."""
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
                    yield timeline.label, hours, quantity.name, quantity.unit, found.value, found.n
    for gas in timeline.gases:
        for quantity in QUANTITIES.values():
            if quantity.rule in {Rule.GAS, Rule.DRAW}:
                found = of_draw(timeline, gas, quantity)
                if found.value is not None:
                    hours = (gas.at_s - zero_s) / S_PER_HOUR
                    yield timeline.label, hours, quantity.name, quantity.unit, found.value, found.n
