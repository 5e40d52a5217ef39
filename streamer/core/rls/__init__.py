"""Compliance and resistance that move with every sample, for displays only. Not part of a breath record.

Recursive least squares on the equation of motion (algorithms §4.4, ``rls``): P = E·V + Ri·F⁺ + Re·F⁻ + P0 with
exponential forgetting (Lauzon & Bates, J Appl Physiol 1991;71:1159). It follows changes within seconds and follows
efforts just as readily: nothing here is gated, so nothing of it is published, summarised or called measured. Volume
begins anew with every breath, so neither drift nor a leak adds up, and P0 is total PEEP.
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
        memory_s: Time constant of forgetting: 2 s is a factor of 0.995 at 100 Hz, 10 s one of 0.999.
        unsure: Variance of each parameter before the first sample, in its own unit squared.
    """

    memory_s: float = 10.0
    unsure: float = 1e4


class Tracked(NamedTuple):
    """The lung as the newest samples show it: mL/cmH2O, cmH2O·s/L twice, cmH2O; NaN before there is anything."""

    crs: float
    rrs_insp: float
    rrs_exp: float
    peep_total: float


class RecursiveFit:
    """Samples in, the newest estimate out; memory is a 4 x 4 matrix. Any cutting of the samples gives the same."""

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
        """Take ``flow (n,)`` L/s and ``paw (n,)`` cmH2O; what is known after them. A NaN sample is passed over."""
        self._advance(flow, paw, self._step_s, self._keep, self._theta, self._spread, self._state)
        elastance, ri, re, p0 = (float(one) for one in self._theta)
        if not elastance > 0.0:
            return Tracked(math.nan, math.nan, math.nan, math.nan)
        return Tracked(ML_PER_L / elastance, ri, re, p0)
