"""How breaths of one segment differ: support between mandatory ones, sighs, a leak to leave out. For ``ventilator``."""

from __future__ import annotations

import math

import msgspec

from adapters.simulator.course import Segment


def spared(segment: Segment, at_s: float, paw: float) -> float:
    """The leak at a pressure, L/s, as far as the ventilator leaves it out of account."""
    if segment.assisting is None or not segment.assisting.spares_leak:
        return 0.0
    return segment.circuit.leak_at(at_s) * math.sqrt(max(paw, 0.0)) / 60


def supported(segment: Segment) -> Segment:
    """The same patient, in a breath of pressure support."""
    ventilator = segment.ventilator
    support = msgspec.structs.replace(
        ventilator,
        mode="psv",
        inspiratory_pressure_cmh2o=ventilator.simv_support_cmh2o or 0.0,
        ti_s=ventilator.support_ti_s,
    )
    return msgspec.structs.replace(segment, ventilator=support)


def sighing(segment: Segment) -> Segment:
    """The same patient, in a sigh: ``sigh_factor`` times the volume or the pressure."""
    ventilator = segment.ventilator
    sigh = msgspec.structs.replace(
        ventilator,
        tidal_volume_ml=ventilator.tidal_volume_ml * ventilator.sigh_factor,
        inspiratory_pressure_cmh2o=ventilator.inspiratory_pressure_cmh2o * ventilator.sigh_factor,
    )
    return msgspec.structs.replace(segment, ventilator=sigh)
