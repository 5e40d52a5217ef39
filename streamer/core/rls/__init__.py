"""Compliance and resistance that move with every sample, for displays only. Not part of a breath record.

Recursive least squares on the equation of motion (algorithms §4.4, ``rls``): P = E·V + Ri·F⁺ + Re·F⁻ + P0 with
exponential forgetting (Lauzon & Bates, J Appl Physiol 1991;71:1159). It follows changes within seconds and follows
efforts just as readily: nothing here is gated, so nothing of it is published, summarised or called measured. Volume
restarts at 0 with every breath, so neither drift nor a leak accumulates, and P0 is total PEEP.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from streamer.model.chunk import FloatArray
from streamer.model.units import ML_PER_L


@dataclass(frozen=True, slots=True, kw_only=True)
class RlsSettings:
    """How fast the past is forgotten.

    Attributes:
        memory_s: Time constant of forgetting, s: 2 s is a factor of 0.995 at 100 Hz, 10 s one of 0.999.
        unsure: Variance of each parameter before the first sample, in the square of the parameter's unit.
    """

    memory_s: float = 10.0
    unsure: float = 1e4


class Tracked(NamedTuple):
    """The lung as the newest samples show it. All values are NaN until the fit has a positive elastance.

    Attributes:
        crs: Compliance, mL/cmH2O.
        rrs_insp: Inspiratory resistance, cmH2O·s/L.
        rrs_exp: Expiratory resistance, cmH2O·s/L.
        peep_total: Pressure at zero volume and flow (P0), cmH2O.
    """

    crs: float
    rrs_insp: float
    rrs_exp: float
    peep_total: float


class RecursiveFit:
    """Recursive least squares: samples in, the newest estimate out. The result does not depend on how they are cut.

    For displays only: the estimate is not gated, and patient effort disturbs it. Lauzon & Bates, J Appl Physiol
    1991;71:1159.

    Args:
        rate_hz: Samples per second.
        settings: How fast the past is forgotten.

    Examples:
        A lung of 50 mL/cmH2O and 10 cmH2O·s/L at a PEEP of 5 cmH2O:

        >>> import numpy as np
        >>> t = np.arange(0.0, 1.0, 0.01)
        >>> flow = np.concatenate([np.full(100, 0.5), -np.exp(-2.0 * t), -np.exp(-2.0 * (t + 1.0))])  # L/s
        >>> volume = np.concatenate([0.5 * t, 0.5 * np.exp(-2.0 * t), 0.5 * np.exp(-2.0 * (t + 1.0))])  # L
        >>> paw = volume / 0.05 + 10.0 * flow + 5.0  # cmH2O
        >>> fit = RecursiveFit(rate_hz=100.0)
        >>> [round(value) for value in fit.push(np.tile(flow, 8), np.tile(paw, 8))]
        [50, 10, 10, 5]
    """

    def __init__(self, rate_hz: float, settings: RlsSettings | None = None) -> None:
        from streamer.core.rls import _kernel  # noqa: PLC0415 (loads the compiler)

        settings = settings or RlsSettings()
        self._advance: Any = _kernel.advance
        self._step_s = 1.0 / rate_hz
        self._keep = math.exp(-self._step_s / settings.memory_s)
        self._theta: FloatArray = np.zeros(4)
        self._spread: FloatArray = np.eye(4) * settings.unsure
        self._state: FloatArray = np.zeros(_kernel.STATE_SIZE)

    def push(self, flow: FloatArray, paw: FloatArray) -> Tracked:
        """Take samples.

        Args:
            flow: (n,) L/s, positive into the patient; a NaN sample is skipped.
            paw: (n,) cmH2O, likewise.

        Returns:
            The estimate after the last sample.
        """
        self._advance(flow, paw, self._step_s, self._keep, self._theta, self._spread, self._state)
        elastance, ri, re, p0 = (float(one) for one in self._theta)
        if not elastance > 0.0:
            return Tracked(math.nan, math.nan, math.nan, math.nan)
        return Tracked(ML_PER_L / elastance, ri, re, p0)
