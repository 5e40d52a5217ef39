"""Limits of what ``align`` believes and bridges, in physical units."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.core.align._range_check import Implausible
from streamer.model.chunk import Channel
from streamer.model.units import S_PER_MIN


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignSettings:
    """Limits of what is believed, and of what is bridged (algorithms.md §1.4, §1.5; adult)."""

    fill_s: float = 0.040
    gap_short_s: float = 0.200
    gap_s: float = 1.0
    min_paw_cmh2o: float = -60.0
    """§1.5 says -30; a recorded patient starved of flow pulled to -43."""
    max_paw_cmh2o: float = 120.0
    max_flow_l_min: float = 250.0
    min_pco2_mmhg: float = -5.0
    max_pco2_mmhg: float = 150.0
    estimate_co2_delay: bool = True
    """False: the declared delay of the capnogram is believed, and nothing checks it."""
    co2_sensor_ml: float = 6.0
    """The largest volume of a CO2 sensor's chamber (§6.2), which fresh gas flushes."""
    max_co2_wait_s: float = 3.0
    """How long breaths wait for a capnograph that has fallen silent while flow goes on."""
    report_every_s: float = 10.0
    """At most one notice of implausible samples per channel in this time."""


def channel_limits(settings: AlignSettings) -> tuple[Implausible, Implausible, Implausible]:
    """Plausible ranges of flow, pressure and PCO2, in this order."""
    most, every_s = settings.max_flow_l_min / S_PER_MIN, settings.report_every_s
    return (
        Implausible(channel=Channel.FLOW, low=-most, high=most, report_every_s=every_s),
        Implausible(
            channel=Channel.PAW, low=settings.min_paw_cmh2o, high=settings.max_paw_cmh2o, report_every_s=every_s
        ),
        Implausible(
            channel=Channel.PCO2, low=settings.min_pco2_mmhg, high=settings.max_pco2_mmhg, report_every_s=every_s
        ),
    )
