"""The capnogram's table of docs/trust.md, and table §6.2 of the algorithms, through the whole path to records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Capnograph, Lung, Scenario, Sensor, Ventilator
from streamer.core.align import AlignSettings
from streamer.core.bed import Bed, CoreSettings
from streamer.core.rolling import RollingSettings
from streamer.model.context import Context
from streamer.model.records import BreathRecord
from tests.tools.trust.measure import Errors

BREATHS, UNKNOWN = 18, 7
"""Breaths of a recording, and how many at first have no delay yet."""
LUNGS = 12
"""Random lungs of a cell."""
NORM_SLOPE, NORM_POWER, MMHG_PER_PERCENT = 31324.0, -1.535, 7.13
"""Normal phase III slope in %CO2/L for a tidal volume in mL (algorithms §9)."""
KEYS = {"vd_aw": False, "vd_vt_bohr": False, "vtco2": True, "slope_3": True}
"""Key → whether its error is given as a share of the truth."""
CONTEXT = Context(co2_kind="mainstream", co2_scale="BTPS")
BARE = Context(co2_kind="mainstream", co2_scale="BTPS", apparatus_volume_ml=0.0)
"""Nothing stands between wye and sensor, and that is said: what is late is late."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What one cell of the table holds fixed; the lungs in it are drawn."""

    delay_s: float = 0.1
    tau_s: float = 0.03
    noise: float = 1.0
    """mmHg and L/min."""
    rate_hz: float = 100.0
    rate_per_min: float = 15.0
    vt_ml: float = 450.0


LEVELS: dict[str, tuple[str, Sequence[float]]] = {
    "delay_s": ("delay, s", (0.0, 0.05, 0.1, 0.3, 0.5)),
    "tau_s": ("time constant of the sensor, s", (0.0, 0.03, 0.06, 0.1, 0.2)),
    "noise": ("noise, mmHg and L/min", (0.0, 0.5, 1.0, 2.0)),
    "rate_hz": ("samples per second", (25.0, 50.0, 100.0, 200.0)),
    "rate_per_min": ("breaths per minute", (8.0, 15.0, 25.0, 35.0)),
    "vt_ml": ("tidal volume, mL", (150.0, 250.0, 350.0, 500.0, 700.0)),
}


def lung_of(rng: np.random.Generator, setting: Setting) -> Scenario:
    """A passive patient in volume control: dead space 20-45 % of the breath, phase III from flat to twice the norm."""
    vt, rate = setting.vt_ml, setting.rate_per_min
    norm = NORM_SLOPE * vt**NORM_POWER * MMHG_PER_PERCENT
    dead = vt * rng.uniform(0.20, 0.45)
    flow = max(vt / 1000.0 / (0.33 * 60.0 / rate) * 60.0, 12.0)
    capnogram = Capnogram(
        dead_space_ml=dead,
        phase2_sd_ml=dead * rng.uniform(0.08, 0.15),
        plateau_mmhg=rng.uniform(25.0, 45.0),
        slope_mmhg_l=min(norm * rng.uniform(0.2, 2.0), 60.0),
        sensor_volume_ml=3.0,
    )
    part = Segment(
        lung=Lung(compliance_ml_cmh2o=rng.uniform(25.0, 60.0), resistance_cmh2o_s_l=rng.uniform(6.0, 14.0)),
        ventilator=Ventilator(
            rate_per_min=rate, tidal_volume_ml=vt, flow_l_min=flow * rng.uniform(1.0, 1.4), peep_cmh2o=8.0
        ),
        capnogram=capnogram,
        sensor=Sensor(paw_noise_cmh2o=0.2, flow_noise_l_min=setting.noise, pco2_noise_mmhg=setting.noise),
    )
    return Scenario(
        duration_s=BREATHS * 60.0 / rate,
        rate_hz=setting.rate_hz,
        first_onset_s=rng.uniform(0.0, 1.0 / setting.rate_hz),
        seed=int(rng.integers(1 << 30)),
        co2_delay_s=setting.delay_s,
        capnograph=Capnograph(time_constant_s=setting.tau_s),
        segments=(part,),
    )


def measured(scenario: Scenario, context: Context = CONTEXT, align: AlignSettings | None = None) -> list[BreathRecord]:
    """Complete breaths."""
    settings = CoreSettings(rolling=RollingSettings(windows_s={}), align=align or AlignSettings())
    bed = Bed("trust", context=context, settings=settings)
    events = [event for chunk in simulate(scenario).chunks(600.0) for event in bed.push(chunk)] + bed.close()
    return [event for event in events if isinstance(event, BreathRecord)][1:-1]


@dataclass
class Cell:
    """Errors of every key over the random lungs of a setting."""

    errors: dict[str, Errors] = field(default_factory=lambda: {key: Errors() for key in KEYS})
    by_lung: list[tuple[float, float]] = field(default_factory=list)
    """Mean error of the dead space of a lung, mL, and its standard deviation from breath to breath."""

    def add(self, scenario: Scenario) -> None:
        truths = simulate(scenario).truth.breaths
        found: list[float] = []
        for record in measured(scenario, BARE)[UNKNOWN - 1 :]:
            truth = min(truths, key=lambda one: abs(one.start_s - record.start_s)).co2
            assert truth is not None
            for key, share in KEYS.items():
                self.errors[key].add(record, key, getattr(truth, key), share=share)
            if "vd_aw" in record.values:
                found.append(record.values["vd_aw"] - truth.vd_aw)
        if found:
            self.by_lung.append((float(np.mean(found)), float(np.std(found))))


def cell_of(setting: Setting, seed: int = 31, lungs: int = LUNGS) -> Cell:
    rng = np.random.default_rng(seed)
    cell = Cell()
    for _ in range(lungs):
        cell.add(lung_of(rng, setting))
    return cell


def gases() -> Iterator[str]:
    """One setting changed at a time: share given, and median / 95th percentile of the error."""
    for name, (label, levels) in LEVELS.items():
        for level in levels:
            errors = cell_of(replace(Setting(), **{name: level})).errors
            dead, bohr, amount, slope = (errors[key] for key in KEYS)
            yield (
                f"| {label} {level:g} | {100 * dead.given:.0f}, {100 * slope.given:.0f} | {_off(dead, 1.0, 1)} | "
                f"{_off(bohr, 1.0, 3)} | {_off(amount, 100.0, 1)} | {_off(slope, 100.0, 0)} |"
            )


def _off(errors: Errors, scale: float, digits: int) -> str:
    if not errors.found:
        return f"withheld: {', '.join(sorted(errors.reasons))}"
    bias, size = scale * errors.bias, scale * errors.size(0.95)
    return f"{bias:+.{digits}f} / {size:.{digits}f}"


# ── table §6.2: what lateness and slowness would do

MODEL = {"vt": 450.0, "dead": 150.0, "flow": 0.55}
LATE = {0.02: (160.7, 21.7, 0.357), 0.05: (176.5, 20.5, 0.392), 0.1: (201.0, 18.7, 0.447), -0.05: (121.4, 24.7, 0.270)}
"""CO2 late by, s → VDaw (mL), mixed expired PCO2 (mmHg), Bohr of algorithms §6.2."""
SLOW = {
    0.03: (165.2, 0.367, 0.013),
    0.06: (178.0, 0.396, 0.020),
    0.1: (189.7, 0.422, 0.037),
    0.2: (200.5, 0.446, 0.083),
}
"""Time constant, s → VDaw, Bohr, slope of phase III (mmHg/mL), unshifted."""


def model(*, delay_s: float = 0.0, tau_s: float = 0.0, rate_hz: float = 100.0, onset_s: float = 0.0) -> Scenario:
    """The model of §11.4: VT 450, VDaw 150, p0 32, s 0.012, SD 18 mL, passive expiration: 0.55 L/s at phase II.

    Inspiration lasts 2 s, so that the slowest sensor has fallen before the next expiration, as the table assumes.
    """
    part = Segment(
        lung=Lung(compliance_ml_cmh2o=40.0, resistance_cmh2o_s_l=10.0, resistance_exp_cmh2o_s_l=14.0),
        ventilator=Ventilator(rate_per_min=14.0, tidal_volume_ml=450.0, flow_l_min=13.5, peep_cmh2o=8.0),
        capnogram=Capnogram(
            dead_space_ml=150.0, phase2_sd_ml=18.0, plateau_mmhg=32.0, slope_mmhg_l=12.0, sensor_volume_ml=3.0
        ),
    )
    return Scenario(
        duration_s=80.0,
        rate_hz=rate_hz,
        first_onset_s=onset_s,
        co2_delay_s=delay_s,
        capnograph=Capnograph(time_constant_s=tau_s),
        segments=(part,),
    )
