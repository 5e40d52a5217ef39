"""One segmented breath. Made by ``segment.py``, measured by ``metrics``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from streamer.model.chunk import FloatArray
from streamer.model.context import Context
from streamer.model.flags import Flag
from streamer.model.reasons import Reason


class Edge(NamedTuple):
    """The fall of PCO2 at an onset: s before it, s after it, and the volume of end-expired gas it stands for, L.

    Of that volume ``chamber`` may be the sensor's own.
    """

    before_s: float = 0.0
    after_s: float = 0.0
    volume: float = 0.0
    chamber: float = 0.0


NO_EDGE = Edge()


class Late(StrEnum):
    """Why a capnogram comes later than was declared."""

    SOMEHOW = "somehow"
    BY_DEVICE = "by device"
    BY_APPARATUS = "by apparatus"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Breath:
    """Samples from the last one before inspiration to the last one before the next inspiration.

    Neighbouring breaths share their boundary sample, so that intervals between samples (trapezoids) belong to exactly
    one breath and nothing is lost between two: ``ttot == (n - 1) / rate_hz`` but for the sub-sample crossing.

    Attributes:
        number: 0, 1, 2 … per bed.
        start_s: Onset: where the valve opened, interpolated where flow crossed its threshold; device clock.
        end_s: Onset of the next breath, likewise.
        rate_hz: Samples per second.
        onset_s: Device clock of sample 0.
        paw: (n,) cmH2O.
        flow: (n,) L/s, raw, positive into the patient.
        pco2: (n,) mmHg, moved onto the time of flow; NaN where missing, None where no capnograph is connected.
        co2_edge: For how long before and after the onset PCO2 shows the sensor as it falls, not the gas.
        insp_end: Index of the first sample of expiration (``n - 1`` at most).
        insp_end_s: Expiratory onset, interpolated; device clock.
        leak_conductance: (L/s)/sqrt(cmH2O).
        draw_s: How long before ``start_s`` the patient drew gas that belongs to this breath; up to half a second.
        flow_zero: Zero offset of the flow sensor, L/s; 0 while unknown. Flow into the lung is
            ``flow - flow_zero - leak_conductance * sqrt(max(paw, 0))``.
        flow_zero_doubt: How far it may be off, L/s; NaN where nothing has shown it, and it is taken for 0.
        flow_noise: Standard deviation of the white noise found on flow, L/s; 0 while unknown.
        leak_frac: 1 - sum(VTe)/sum(VTi) of up to 20 breaths before this one and itself; NaN while unknown.
        interpolated: Samples of this breath that were missing and filled by interpolation.
        doubt_s: How much longer or shorter the breath may be: before its start and its end gas flowed at low pressure,
            for unequal times, so that the valve may have opened later than found by more at one than at the other.
        flags: What the segmenter saw.

    Examples:
        ``Bed`` makes breaths; an observer receives their samples:

        >>> from adapters.simulator import simulate
        >>> from streamer import Bed
        >>> seen = []
        >>> bed = Bed("bench", on_breath=lambda breath, record, measured_with: seen.append(breath))
        >>> for chunk in simulate("vcv_hold").chunks():
        ...     _ = bed.push(chunk)
        >>> breath = seen[1]
        >>> breath.rate_hz, breath.flow.shape == breath.paw.shape, round(breath.end_s - breath.start_s, 1)
        (50.0, True, 3.0)
    """

    number: int
    start_s: float
    end_s: float
    rate_hz: float
    onset_s: float
    paw: FloatArray
    flow: FloatArray
    pco2: FloatArray | None
    co2_edge: Edge = NO_EDGE
    insp_end: int
    insp_end_s: float
    leak_conductance: float
    leak_frac: float
    interpolated: int
    flags: frozenset[Flag]
    draw_s: float = 0.0
    flow_zero: float = 0.0
    flow_zero_doubt: float = math.nan
    flow_noise: float = 0.0
    doubt_s: float = 0.0


class Capnograph(NamedTuple):
    """Where the capnogram lies on the time of flow, and what it shows by itself.

    ``delay_s``: how much later than flow it comes, by which ``Breath.pco2`` has been moved, and ``delay_sd_s`` its
    standard deviation from breath to breath; NaN while unknown. ``withheld``: why no volumetric value may be given,
    None where the capnogram is aligned. ``end_tidal``, ``inspired``: mmHg as the sensor gives it, of the last
    expiration and the last inspiration that the capnogram alone shows; NaN where there is none. ``to_rise`` and
    ``to_fall``: by how much the sensor was still behind the gas at those two, mmHg. ``tau_s``: time constant of the
    sensor, as its falls show it. ``doubt_s``: how much earlier or later the capnogram may be, since nothing tells how
    much gas the sensor itself holds.
    """

    delay_s: float = math.nan
    delay_sd_s: float = math.nan
    withheld: Reason | None = Reason.CO2_UNALIGNED
    end_tidal: float = math.nan
    inspired: float = math.nan
    tau_s: float = math.nan
    to_rise: float = 0.0
    to_fall: float = 0.0
    doubt_s: float = 0.0
    late: Late = Late.SOMEHOW

    def response_s(self, context: Context) -> float:
        """Time constant of the sensor, s: as seen in its falls or as declared, whichever is slower; 0 if unknown."""
        declared = (context.co2_rise_s or 0.0) / math.log(9.0)
        return declared if math.isnan(self.tau_s) else max(declared, self.tau_s)

    def later_s(self, context: Context) -> float:
        """How much later it comes than its response, chamber and declared delay, or none, explain, s; NaN: unknown.

        0 where the context says how much apparatus there is, so that all of it is the device's.
        """
        if context.apparatus_volume_ml is not None:
            return 0.0
        return self.delay_s - (context.co2_delay_s or 0.0) - self.response_s(context) - self.doubt_s


NO_CAPNOGRAPH = Capnograph()
