"""Ways to find the airway dead space, compared under noise: the table of algorithms §6.4 (``--methods``).

The older ones exist here only. Each takes the expirogram as PCO2 above what is inspired, (n,) mmHg, over cells of
expired volume that end at ``edges``, (n + 1,) mL; the truth is 150 mL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.features.expired_gas import phases
from streamer.core.metrics.features.expirogram import cells

Array = NDArray[np.float64]
Method = Callable[[Array, Array], float]

DEAD, FIT_DEAD = (
    BreathFeatures._fields.index(name) - BreathFeatures._fields.index("co2_volume")
    for name in ("co2_dead", "co2_fit_dead")
)
DEAD_ML = 150.0
RATE_HZ = 100.0
TIMES = 300
VT_ML, TAU_S, TE_S = 450.0, 0.55, 3.0
"""Passive expiration: 0.55 L/s at phase II."""


@dataclass(frozen=True)
class Model:
    """An expirogram (algorithms §11.3), mL and mmHg; ``late`` is where phase III of cumulative methods begins."""

    p0: float
    slope: float
    sd: float

    def pco2(self, volume: Array) -> Array:
        x = volume - DEAD_ML
        return (self.p0 + self.slope * x) * ndtr(x / self.sd)


PLAIN = Model(p0=32.0, slope=0.012, sd=18.0)
STEEP = Model(p0=25.0, slope=0.04, sd=40.0)


def sampled(model: Model, rng: np.random.Generator | None, noise: float = 1.0) -> tuple[Array, Array]:
    """PCO2 and flow (L/s, negative) of one expiration as samples: means over their intervals, with noise in PCO2."""
    fine = 50
    at = (np.arange(round(TE_S * RATE_HZ) * fine) + 0.5) / (RATE_HZ * fine)
    volume = VT_ML * (1.0 - np.exp(-at / TAU_S)) / (1.0 - np.exp(-TE_S / TAU_S))
    pco2 = model.pco2(volume).reshape(-1, fine).mean(axis=1)
    edges = VT_ML * (1.0 - np.exp(-np.arange(round(TE_S * RATE_HZ) + 1) / (RATE_HZ * TAU_S)))
    edges /= 1.0 - np.exp(-TE_S / TAU_S)
    if rng is not None:
        pco2 = pco2 + rng.normal(0.0, noise, pco2.size)
    return pco2, -np.diff(edges) * RATE_HZ / 1000.0


def ours(pco2: Array, flow: Array) -> tuple[float, float]:
    """Fowler's and the fitted dead space, mL, from the kernels that measure every breath."""
    values, _ = phases(*cells(pco2, flow, RATE_HZ, 0, 0.0, 0), RATE_HZ)
    return 1000.0 * values[DEAD], 1000.0 * values[FIT_DEAD]


def cumquad(pco2: Array, edges: Array) -> float:
    """Root of a quadratic fitted to cumulative CO2 over phase III: Fowler's equation with integrated samples."""
    gone = np.concatenate(([0.0], np.cumsum(pco2 * np.diff(edges))))
    late = edges >= DEAD_ML + 0.25 * (edges[-1] - DEAD_ML)
    roots = np.roots(np.polyfit(edges[late], gone[late], 2))
    real = roots[np.abs(roots.imag) < 1e-9].real
    return float(real[np.argmin(np.abs(real - DEAD_ML))]) if real.size else np.nan


def langley(pco2: Array, edges: Array) -> float:
    """Where the line through late cumulative CO2, 40-100 % of the volume, meets zero."""
    gone = np.concatenate(([0.0], np.cumsum(pco2 * np.diff(edges))))
    late = edges >= 0.4 * edges[-1]
    slope, start = np.polyfit(edges[late], gone[late], 1)
    return float(-start / slope)


def half_height(pco2: Array, edges: Array) -> float:
    """Where half of the end-tidal pressure is first reached."""
    end = pco2[edges[1:] >= 0.95 * edges[-1]].mean()
    return float(_middle(edges)[np.argmax(pco2 >= 0.5 * end)])


def threshold(pco2: Array, edges: Array) -> float:
    """Where PCO2 first exceeds 2 mmHg: the end of phase I."""
    return float(_middle(edges)[np.argmax(pco2 > 2.0)])


def inflection(pco2: Array, edges: Array) -> float:
    """Where the expirogram is steepest, after smoothing over 30 mL."""
    grid = np.linspace(0.0, edges[-1], 451)
    level = np.interp(grid, _middle(edges), pco2)
    smooth = np.convolve(level, np.ones(31) / 31.0, mode="same")
    inner = slice(20, 350)
    return float(grid[inner][np.argmax(np.gradient(smooth)[inner])])


def _middle(edges: Array) -> Array:
    return 0.5 * (edges[1:] + edges[:-1])


OLDER: Mapping[str, Method] = {
    "cumquad": cumquad,
    "langley": langley,
    "half-height": half_height,
    "threshold 2 mmHg": threshold,
    "inflection": inflection,
}
STATED = {
    "fowler": "149.8 ± 1.3; steep 149.8",
    "param4": "149.8 ± 0.6",
    "cumquad": "149.8 ± 1.4",
    "langley": "153.5 ± 1.0; steep 162.6",
    "half-height": "153-172",
    "threshold 2 mmHg": "92-122 ± 42",
    "inflection": "150 ± 5",
}
"""What algorithms §6.4 says, mL."""


def found(model: Model, rng: np.random.Generator | None) -> dict[str, float]:
    """Method → dead space, mL, of one expiration."""
    pco2, flow = sampled(model, rng)
    edges = np.concatenate(([0.0], np.cumsum(-flow))) * 1000.0 / RATE_HZ
    fowler, fitted = ours(pco2, flow)
    return {"fowler": fowler, "param4": fitted} | {name: method(pco2, edges) for name, method in OLDER.items()}


def spread(model: Model, times: int = TIMES) -> dict[str, tuple[float, float]]:
    """Method → mean and standard deviation, mL, at 1 mmHg of noise."""
    rng = np.random.default_rng(64)
    every = [found(model, rng) for _ in range(times)]
    return {name: (float(np.mean(column)), float(np.std(column))) for name in every[0]
            for column in [[one[name] for one in every]]}  # fmt: skip


def table() -> Iterator[str]:
    """Markdown lines."""
    yield "| method | no noise | 1 mmHg | steep phase III, wide phase II, 1 mmHg | stated in §6.4 |"
    yield "|---|---|---|---|---|"
    quiet, plain, steep = found(PLAIN, None), spread(PLAIN), spread(STEEP)
    for name, stated in STATED.items():
        cells = " | ".join(f"{mean:.1f} ± {sd:.1f}" for mean, sd in (plain[name], steep[name]))
        yield f"| {name} | {quiet[name]:.1f} | {cells} | {stated} |"
