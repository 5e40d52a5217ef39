"""Fold one breath's arrays into numbers. Floor 1; between ``segment`` and the metrics. Imports the compiler.

Each kernel is dispatched from here, none calls another file's: a compiled function's cache is keyed to its own file.
"""

from __future__ import annotations

import math

from streamer.breath import Breath
from streamer.metrics._fold_co2 import NOTHING, capnogram
from streamer.metrics._fold_events import events
from streamer.metrics._fold_holds import holds
from streamer.metrics._fold_pressures import pressures
from streamer.metrics._fold_volumes import volumes
from streamer.metrics._folded import Fold, is_stopped

FLOW_S = Fold._fields.index("flow_s") - Fold._fields.index("insp_volume")


def fold(breath: Breath) -> Fold:
    """One pass over the arrays of a breath; some microseconds. Missing pieces are NaN, nothing raises."""
    rate_hz, insp_end, leak = breath.rate_hz, breath.insp_end, breath.leak_conductance
    *held, first, last, exp_first = holds(breath.flow, breath.paw, rate_hz, insp_end)
    moved, tidal = volumes(breath.flow, breath.paw, rate_hz, insp_end, leak, (int(first), int(last)))
    before = int(exp_first) if is_stopped(*held[10:13]) else -1
    pressed = pressures(breath.paw, breath.flow, rate_hz, insp_end, leak, before)
    pco2 = breath.pco2
    gas = NOTHING if pco2 is None else capnogram(pco2, tidal, rate_hz, insp_end)
    shapes = events(breath.paw, breath.flow, rate_hz, insp_end, moved[FLOW_S])
    return Fold._make((*held, *moved, *pressed, *gas, *shapes))


def nothing() -> Fold:
    """A fold in which everything is missing."""
    return Fold._make([math.nan] * len(Fold._fields))
