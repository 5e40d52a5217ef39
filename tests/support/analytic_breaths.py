"""Analytic breaths of a one-compartment lung, as the arrays that segmentation would cut out. Truth: algorithms §11."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamer.core.metrics import MeasurementContext, Measures, extract_features, measure
from streamer.model.breath import Breath
from streamer.model.chunk import FloatArray
from streamer.model.context import Context

K = 0.0980665
AT_WYE = Context(sensor_site="wye")


def breath(flow: FloatArray, paw: FloatArray, insp_end: int, *, rate_hz: float = 100.0, **given: Any) -> Breath:
    """Arrays as a breath: sample 0 is the last before inspiration, ``insp_end`` the first of expiration."""
    start_s = given.pop("start_s", 0.0)
    flow, paw = np.ascontiguousarray(flow, dtype=float), np.ascontiguousarray(paw, dtype=float)
    fields: dict[str, Any] = {
        "number": 0,
        "start_s": start_s,
        "end_s": start_s + (flow.size - 1) / rate_hz,
        "rate_hz": rate_hz,
        "onset_s": start_s,
        "paw": paw,
        "flow": flow,
        "pco2": None,
        "insp_end": insp_end,
        "insp_end_s": start_s + min(insp_end, flow.size - 1) / rate_hz,
        "leak_conductance": 0.0,
        "leak_frac": 0.0,
        "interpolated": 0,
        "flags": frozenset(),
    }
    return Breath(**fields | given)


class Lung:
    """C in L/cmH2O, R in cmH2O·s/L; phases follow each other, the state is exact at every sample."""

    def __init__(self, c: float = 0.05, r: float = 10.0, peep: float = 5.0, v0: float = 0.0) -> None:
        self.c, self.r, self.peep = c, r, peep
        self.tau = r * c
        self.volume = v0
        self.pieces: list[tuple[float, Any]] = []

    def constant_flow(self, flow: float, for_s: float) -> Lung:
        """Square flow; 0 is a hold."""
        v0 = self.volume
        self.pieces.append((for_s, lambda t: (flow + 0 * t, self.peep + (v0 + flow * t) / self.c + self.r * flow)))
        self.volume = v0 + flow * for_s
        return self

    def falling_flow(self, first: float, last: float, for_s: float) -> Lung:
        """Flow that changes linearly."""
        v0, slope = self.volume, (last - first) / for_s

        def at(t: FloatArray) -> tuple[FloatArray, FloatArray]:
            flow = first + slope * t
            return flow, self.peep + (v0 + first * t + slope * t * t / 2) / self.c + self.r * flow

        self.pieces.append((for_s, at))
        self.volume = v0 + (first + last) / 2 * for_s
        return self

    def pressure(self, above: float, for_s: float, rise_s: float = 0.0) -> Lung:
        """Pressure control ``above`` PEEP with a linear rise; 0 is passive expiration."""
        if rise_s > 0.0:
            v0, tau, c = self.volume, self.tau, self.c
            assert v0 == 0.0, "a ramp starts from equilibrium"

            def ramp(t: FloatArray) -> tuple[FloatArray, FloatArray]:
                return c * above / rise_s * (1 - np.exp(-t / tau)), self.peep + above * t / rise_s

            self.pieces.append((rise_s, ramp))
            self.volume = c * above / rise_s * (rise_s - tau * (1 - math.exp(-rise_s / tau)))
            for_s -= rise_s
        left = self.c * above - self.volume

        def decay(t: FloatArray) -> tuple[FloatArray, FloatArray]:
            return left / self.tau * np.exp(-t / self.tau), self.peep + above + 0 * t

        self.pieces.append((for_s, decay))
        self.volume = self.c * above - left * math.exp(-for_s / self.tau)
        return self

    def breath(
        self,
        inspired: int,
        *,
        rate_hz: float = 100.0,
        phase: float = 0.5,
        before: tuple[float, float] | None = None,
        noise: tuple[float, float] = (0.0, 0.0),
        seed: int = 0,
        **given: Any,
    ) -> Breath:
        """The pieces so far as one breath, of which the first ``inspired`` are inspiration.

        ``phase``: how long before the onset, in samples, sample 0 lies; ``before``: flow and pressure there.
        ``noise``: standard deviations of pressure (cmH2O) and flow (L/min).
        """
        ends = np.cumsum([for_s for for_s, _ in self.pieces])
        t = (np.arange(math.floor(ends[-1] * rate_hz + phase + 1e-9) + 1) - phase) / rate_hz
        flow, paw = np.empty(t.size), np.empty(t.size)
        flow[0], paw[0] = before or (0.0, self.peep)
        piece = np.minimum(np.searchsorted(ends, t + 1e-12, side="right"), len(ends) - 1)
        for number, (for_s, at) in enumerate(self.pieces):
            here = (piece == number) & (t >= 0.0)
            flow[here], paw[here] = at(t[here] - (ends[number] - for_s))
        rng = np.random.default_rng(seed)
        insp_end = int(np.flatnonzero(piece >= inspired)[0])
        paw = paw + noise[0] * rng.standard_normal(t.size)
        flow = flow + noise[1] / 60.0 * rng.standard_normal(t.size)
        return breath(flow, paw, insp_end, rate_hz=rate_hz, **given)


def vcv(
    *, c: float = 0.05, r: float = 10.0, peep: float = 5.0, vt: float = 0.5, flow: float = 0.5, rr: float = 15.0,
    pause_s: float = 0.0, v0: float = 0.0, **given: Any,
) -> Breath:  # fmt: skip
    """Square flow, optional pause, passive expiration."""
    lung = Lung(c, r, peep, v0).constant_flow(flow, vt / flow)
    if pause_s:
        lung.constant_flow(0.0, pause_s)
    lung.pressure(0.0, 60.0 / rr - vt / flow - pause_s)
    return lung.breath(2 if pause_s else 1, **given)


def pcv(
    *, c: float = 0.05, r: float = 10.0, peep: float = 5.0, above: float = 15.0, ti: float = 1.0, rise_s: float = 0.0,
    rr: float = 15.0, **given: Any,
) -> Breath:  # fmt: skip
    """Pressure control from equilibrium, passive expiration."""
    lung = Lung(c, r, peep).pressure(above, ti, rise_s).pressure(0.0, 60.0 / rr - ti)
    return lung.breath(2 if rise_s else 1, **given)


def measured(one: Breath, given: MeasurementContext | None = None, flags: frozenset[Any] = frozenset()) -> Measures:
    """Fold and measure; unless told otherwise the breath before was the same, and the sensor sits at the wye."""
    features = extract_features(one)
    return measure(
        one, features, MeasurementContext(before=features, context=AT_WYE) if given is None else given, flags
    )


def start_from(one: Breath, **given: Any) -> MeasurementContext:
    """What a breath is measured against when ``one`` came before it."""
    return MeasurementContext(before=extract_features(one), **given)
