"""Lungs, ventilators and patients to be measured: named ones, and random ones from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from adapters.simulator.course import Segment
from adapters.simulator.scenario import (
    Assist,
    Effort,
    Lung,
    Relaxation,
    Scenario,
    SecondCompartment,
    Sensor,
    Tube,
    Valve,
    Ventilator,
)

NOISE = Sensor(paw_noise_cmh2o=0.2, flow_noise_l_min=1.0)
"""That of algorithms §11.4."""
QUIET = Sensor()
BREATHS = 14
SETTLED = 5
"""Breaths that are left out: the first one, and those that the estimators wait for."""
ISOLATED = 9
"""The one breath with an effort among passive ones."""
SKIPPED_INSP_S, SKIPPED_EXP_S = 0.2, 0.6
"""What the fit leaves out of inspiration and expiration."""
MAX_PAW = 110.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A scenario, and what a reader wants to know about it."""

    scenario: Scenario
    crs: float
    """mL/cmH2O."""
    period_s: float
    amplitude: float = 0.0
    """Of the effort, cmH2O."""
    phase: str = ""


def segment_of(lung: Lung, ventilator: Ventilator, sensor: Sensor = NOISE, **parts: object) -> Segment:
    return Segment(lung=lung, ventilator=ventilator, sensor=sensor, **parts)  # type: ignore[arg-type]


def named(mode: str, sensor: Sensor) -> Iterator[tuple[str, Case]]:
    """A handful of lungs as a clinician would describe them, with the known failure modes of estimators last."""
    for name, c, r, r_exp, parts in (
        ("healthy", 60.0, 8.0, None, {}),
        ("stiff", 25.0, 12.0, None, {}),
        ("very stiff", 12.0, 10.0, None, {}),
        ("obstructed, gas trapped", 70.0, 15.0, 25.0, {}),
        (
            "tracheal tube, valve",
            40.0,
            6.0,
            None,
            {"tube": Tube(k2_cmh2o_s2_l2=6.0), "valve": Valve(resistance_cmh2o_s_l=3)},
        ),
        ("two compartments", 30.0, 6.0, None, {"second_compartment": SecondCompartment(compliance_ml_cmh2o=20)}),
        ("stress relaxation", 40.0, 8.0, None, {"relaxation": Relaxation()}),
        ("narrow tube", 40.0, 4.0, None, {"tube": Tube(k2_cmh2o_s2_l2=10.0)}),
    ):
        lung = Lung(compliance_ml_cmh2o=c, resistance_cmh2o_s_l=r, resistance_exp_cmh2o_s_l=r_exp)
        whole = c + (20.0 if "second_compartment" in parts else 0.0)
        ventilator = ventilators(mode, whole)
        scenario = train(segment_of(lung, ventilator, sensor, **parts), ventilator)
        yield name, Case(scenario=scenario, crs=whole, period_s=60 / ventilator.rate_per_min)


def ventilators(mode: str, c: float) -> Ventilator:
    """Ten cmH2O of driving pressure, one second, twenty breaths a minute."""
    if mode == "vcv":
        return Ventilator(rate_per_min=20, peep_cmh2o=8, tidal_volume_ml=10 * c, flow_l_min=0.6 * c)
    ti_s = 1.8 if mode == "pcv, flow ends" else 1.0
    return Ventilator(mode="pcv", rate_per_min=15, peep_cmh2o=8, inspiratory_pressure_cmh2o=12, ti_s=ti_s, rise_s=0.1)


def train(segment: Segment, ventilator: Ventilator, seed: int = 1, rate_hz: float = 100.0, **given: object) -> Scenario:
    """Breaths in a row; the first onset lies off the grid of samples."""
    duration_s = BREATHS * 60 / ventilator.rate_per_min
    return Scenario(
        duration_s=duration_s,
        rate_hz=rate_hz,
        seed=seed,
        first_onset_s=0.317,
        segments=(segment,),
        **given,  # type: ignore[arg-type]
    )


def random_case(
    rng: np.random.Generator,
    mode: str,
    efforts: Callable[..., tuple[Effort, ...]] | None = None,
    sensor: Sensor = NOISE,
) -> Case:
    """C 10-100, R 5-50, expiratory R up to twice that, PEEP 0-20, 50-200 Hz; perhaps an effort.

    Only lungs that can be identified from such a breath at all are drawn: see ``is_identifiable``.
    """
    while True:
        c, r, ti_s = rng.uniform(10, 100), rng.uniform(5, 50), rng.uniform(0.7, 1.6)
        r_exp = r * float(rng.choice([1.0, rng.uniform(1, 2)]))
        te_s, above = rng.uniform(1.0, 3.5), rng.uniform(7, 16)
        if is_identifiable(mode, c=c, r=r, r_exp=r_exp, ti_s=ti_s, te_s=te_s):
            break
    common = {"rate_per_min": 60 / (ti_s + te_s), "peep_cmh2o": rng.uniform(0, 20)}
    if mode == "vcv":
        ventilator = Ventilator(tidal_volume_ml=c * above, flow_l_min=0.06 * c * above / ti_s, **common)
    else:
        rise_s = float(rng.choice([0.0, 0.1, 0.2]))
        ventilator = Ventilator(mode="pcv", inspiratory_pressure_cmh2o=above, ti_s=ti_s, rise_s=rise_s, **common)
    lung = Lung(compliance_ml_cmh2o=c, resistance_cmh2o_s_l=r, resistance_exp_cmh2o_s_l=r_exp)
    rate_hz, seed = float(rng.choice([50, 100, 200])), int(rng.integers(1 << 30))
    found = efforts(rng, ti_s, ti_s + te_s) if efforts else ()
    scenario = train(segment_of(lung, ventilator, sensor), ventilator, seed=seed, rate_hz=rate_hz, effort=found)
    amplitude = found[0].amplitude_cmh2o if found else 0.0
    return Case(scenario=scenario, crs=c, period_s=ti_s + te_s, amplitude=amplitude)


def is_identifiable(mode: str, *, c: float, r: float, r_exp: float, ti_s: float, te_s: float) -> bool:
    """Whether the fitted parts hold enough of the lung's time constants to tell its parameters apart.

    Pressure control shows compliance by how flow decays: each phase has to show one time constant. Volume control shows
    it by a slope, and needs a third of one of expiration for total PEEP.
    """
    inspired, expired = 1000 * (ti_s - SKIPPED_INSP_S) / (c * r), 1000 * (te_s - SKIPPED_EXP_S) / (c * r_exp)
    return expired >= 1.0 / 3.0 if mode == "vcv" else min(inspired, expired) >= 1.0


def repeated(
    amplitude: float | None = None,
    phase: tuple[float, float] = (-0.2, 1.0),
    *,
    jitter: bool = False,
    once: bool = False,
) -> Callable[..., tuple[Effort, ...]]:
    """Inspiratory efforts with every breath; ``once``: with one breath only. ``phase``: begins at, as a share of Ti.

    Half-sines, skewed ones and plateaus that last 0.3-1.5 s. ``jitter``: amplitude varies by 20 %, timing by 50 ms.
    """

    def efforts(rng: np.random.Generator, ti_s: float, period_s: float) -> tuple[Effort, ...]:
        lasts_s, strength = rng.uniform(0.3, 1.5), rng.uniform(2, 10) if amplitude is None else amplitude
        rise, plateau = [(0.5, 0.0), (0.6, 0.0), (0.15, 0.7)][int(rng.integers(3))]
        offset_s = ti_s * rng.uniform(*phase) if phase[0] >= 0.0 else rng.uniform(phase[0], phase[1] * ti_s)
        spans = {"at_s": 0.317 + (ISOLATED - 0.5) * period_s, "duration_s": period_s} if once else {}
        effort = Effort(
            amplitude_cmh2o=strength,
            offset_s=offset_s,
            rise_s=rise * lasts_s,
            plateau_s=plateau * lasts_s,
            fall_s=(1.0 - rise - plateau) * lasts_s,
            amplitude_cv=0.2 if jitter else 0.0,
            timing_sd_s=0.05 if jitter else 0.0,
            **spans,
        )
        return (effort,)

    return efforts


def supported(rng: np.random.Generator, amplitude: float) -> Case:
    """Pressure support: the patient's own rate, triggers and ends every breath."""
    c, r = rng.uniform(25, 80), rng.uniform(5, 15)
    rate = rng.uniform(14, 28)
    lasts_s = rng.uniform(0.6, 1.1)
    effort = Effort(
        amplitude_cmh2o=amplitude,
        rate_per_min=rate,
        at_s=0.5,
        rise_s=0.6 * lasts_s,
        fall_s=0.4 * lasts_s,
        amplitude_cv=0.2,
        timing_sd_s=0.1,
    )
    above = rng.uniform(5, 15)
    ventilator = Ventilator(
        mode="psv",
        rate_per_min=8,
        peep_cmh2o=rng.uniform(4, 12),
        inspiratory_pressure_cmh2o=above,
        ti_s=2.5,
        rise_s=0.1,
    )
    lung = Lung(compliance_ml_cmh2o=c, resistance_cmh2o_s_l=r)
    segment = segment_of(lung, ventilator, assist=Assist())
    scenario = Scenario(
        duration_s=50.0, seed=int(rng.integers(1 << 30)), first_onset_s=0.317, segments=(segment,), effort=(effort,)
    )
    return Case(scenario=scenario, crs=c, period_s=60 / rate, amplitude=amplitude)
