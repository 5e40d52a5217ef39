"""Lungs, ventilators and patients drawn at random, from which the situations of ``situations`` are put together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from adapters.simulator.course import Segment
from adapters.simulator.scenario import (
    Assist,
    Capnogram,
    Capnograph,
    Circuit,
    Effort,
    Hold,
    Lung,
    Scenario,
    Sensor,
    Ventilator,
)
from streamer.model.context import Context

SITE = Context(sensor_site="wye", flow_conditions="BTPS", barometric_mmhg=760)
"""What is always known: no volume is to be converted."""
ADULT: dict[str, Any] = {"patient_class": "adult", "sex": "female", "height_cm": 168}
MAINSTREAM: dict[str, Any] = {"co2_kind": "mainstream", "co2_scale": "BTPS"}
SIDESTREAM: dict[str, Any] = {"co2_kind": "sidestream", "co2_scale": "BTPS", "allow_sidestream_vcap": True}
USUAL = Sensor(paw_noise_cmh2o=0.1, flow_noise_l_min=0.4, pco2_noise_mmhg=0.3)
"""A good ventilator's sensors."""
BREATHS = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Ranges of a lung: mL/cmH2O, cmH2O·s/L, expiratory over inspiratory resistance."""

    c: tuple[float, float]
    r: tuple[float, float]
    ratio: tuple[float, float] = (1.0, 1.5)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "healthy": Kind(c=(45, 75), r=(6, 10)),
        "stiff": Kind(c=(16, 30), r=(8, 14)),
        "copd": Kind(c=(55, 90), r=(10, 16), ratio=(1.6, 2.6)),
        "child": Kind(c=(8, 20), r=(15, 30)),
        "newborn": Kind(c=(0.9, 2.0), r=(40, 80)),
        "bench": Kind(c=(15, 30), r=(5, 8), ratio=(1.0, 1.0)),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One recording to be measured, and what is known beside it."""

    scenario: Scenario
    context: Context


class Draw:
    """A random patient: each method draws what it is named after."""

    def __init__(self, rng: np.random.Generator, kind: str = "healthy") -> None:
        self.rng = rng
        self._kind = KINDS[kind]
        self.c, self.r = float(rng.uniform(*self._kind.c)), float(rng.uniform(*self._kind.r))
        self.r_exp = self.r * float(rng.uniform(*self._kind.ratio))

    def between(self, low: float, high: float) -> float:
        """A number from a range."""
        return float(self.rng.uniform(low, high))

    def lung(self) -> Lung:
        """The lung of this patient."""
        return Lung(compliance_ml_cmh2o=self.c, resistance_cmh2o_s_l=self.r, resistance_exp_cmh2o_s_l=self.r_exp)

    def vcv(self, **given: Any) -> Ventilator:
        """Square flow, 7-10 cmH2O of driving pressure, a quarter to a third of the period."""
        rate = given.pop("rate_per_min", self.between(12, 18))
        volume = given.pop("tidal_volume_ml", self.c * self.between(7, 10))
        share = given.pop("share", self.between(0.25, 0.33))
        flow = max(0.06 * volume / (share * 60 / rate), 1.0)
        plain = {"rate_per_min": rate, "tidal_volume_ml": volume, "flow_l_min": flow, "peep_cmh2o": self.peep()}
        return Ventilator(**(plain | given))

    def pcv(self, **given: Any) -> Ventilator:
        """Pressure for a third of the period."""
        rate = given.pop("rate_per_min", self.between(12, 18))
        plain = {
            "rate_per_min": rate,
            "inspiratory_pressure_cmh2o": self.between(9, 15),
            "ti_s": given.pop("share", 0.33) * 60 / rate,
            "rise_s": 0.1,
            "peep_cmh2o": self.peep(),
        }
        return Ventilator(mode="pcv", **(plain | given))

    def psv(self, **given: Any) -> Ventilator:
        """Support of what ``efforts`` begin."""
        plain = {
            "rate_per_min": 8.0,
            "inspiratory_pressure_cmh2o": self.between(6, 12),
            "ti_s": 2.0,
            "rise_s": 0.15,
            "peep_cmh2o": self.peep(),
        }
        return Ventilator(mode="psv", **(plain | given))

    def peep(self) -> float:
        """Set PEEP, cmH2O."""
        return round(self.between(5, 10))

    def efforts(self, low: float = 4.0, high: float = 10.0, **given: Any) -> tuple[Effort, ...]:
        """A patient's own rhythm."""
        plain = {
            "amplitude_cmh2o": self.between(low, high),
            "rate_per_min": self.between(14, 22),
            "at_s": 0.5,
            "rise_s": self.between(0.4, 0.7),
            "fall_s": 0.3,
            "amplitude_cv": 0.15,
            "timing_sd_s": 0.1,
        }
        return (Effort(**(plain | given)),)

    def capnogram(self, volume_ml: float, **given: Any) -> Capnogram:
        """Dead space of a quarter to two fifths of the breath; any sensor, from none to the largest chamber."""
        dead, most = volume_ml * self.between(0.25, 0.4), min(6.0, 0.03 * volume_ml)
        plain = {
            "dead_space_ml": dead,
            "phase2_sd_ml": dead * self.between(0.09, 0.14),
            "plateau_mmhg": self.between(32, 44),
            "slope_mmhg_l": self.between(2.0, 6.0) * 1000.0 / volume_ml,
            "sensor_volume_ml": max(float(np.random.default_rng(round(1e6 * dead)).uniform()) * most, 0.1),
        }
        return Capnogram(**(plain | given))

    def volume_ml(self, ventilator: Ventilator) -> float:
        """About what a breath will be."""
        if ventilator.mode == "vcv":
            return ventilator.tidal_volume_ml
        return max(self.c * ventilator.inspiratory_pressure_cmh2o * 0.85, self.c * 5.0)

    def leaking(self, ventilator: Ventilator, share: float, rate_per_min: float | None = None) -> Circuit:
        """A leak of about that share of what is inspired."""
        per_min = self.volume_ml(ventilator) / 1000.0 * (rate_per_min or ventilator.rate_per_min) / (1.0 - share)
        return Circuit(leak_l_min_per_sqrt_cmh2o=share * per_min / math.sqrt(ventilator.peep_cmh2o + 4.0))

    def run(self, ventilator: Ventilator, **given: Any) -> Run:
        """A recording of one segment and its changes.

        ``co2`` draws a capnogram, with those keys; ``known`` adds to what is known; ``breaths`` says how long; what
        ``Segment`` has goes there, the rest to ``Scenario``.
        """
        rng, co2, known = self.rng, given.pop("co2", None), given.pop("known", {})
        breaths, changes = given.pop("breaths", BREATHS), given.pop("changes", ())
        parts = {name: given.pop(name) for name in Segment.__struct_fields__ if name in given}
        if co2 is not None:
            parts["capnogram"] = self.capnogram(self.volume_ml(ventilator), **co2)
            given.setdefault("capnograph", Capnograph(time_constant_s=0.02))
            known = {**MAINSTREAM, **known}
        first = Segment(**({"lung": self.lung(), "ventilator": ventilator, "sensor": USUAL} | parts))
        rate = max(ventilator.rate_per_min, 14.0 if ventilator.mode == "psv" else 0.0)
        plain = {
            "duration_s": breaths * 60.0 / rate,
            "first_onset_s": float(rng.uniform(0.0, 1.0)),
            "seed": int(rng.integers(1 << 30)),
        }
        segments = (first, *(change(first) for change in changes))
        scenario = Scenario(segments=segments, **(plain | given))
        known = {name: getattr(SITE, name) for name in ("sensor_site", "flow_conditions", "barometric_mmhg")} | known
        return Run(scenario=scenario, context=Context(**(ADULT | known)))


def holds(
    kind: str, duration_s: float, *, every_s: float, from_s: float = 8.0, until_s: float = 140.0
) -> tuple[Hold, ...]:
    """Holds of one kind in a row."""
    return tuple(
        Hold(at_s=at_s, kind=kind, duration_s=duration_s)  # type: ignore[arg-type]
        for at_s in np.arange(from_s, until_s, every_s).tolist()
    )


TRIGGERED = Assist(trigger_flow_l_min=2.0)
