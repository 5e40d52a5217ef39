"""Rules over their whole ranges: one disturbance made stronger step by step, several patients at each step.

    python -m tests.tools.trust --ranges [--tune] [--only TEXT]

prints for each step breaths found of those there are, the share near the valve's onset, what is extra, and for the keys
that the range is about the share given, how many are wrong, and median and 95th percentile of the error, in per cent.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from adapters.simulator.scenario import (
    Assist,
    Capnograph,
    Cardiogenic,
    Circuit,
    Lung,
    Nebuliser,
    Rebreathing,
    Relaxation,
    Ringing,
    Sensor,
    Transducer,
    Tube,
    Water,
)
from tests.tools.trust.draws import SIDESTREAM, Draw, Run
from tests.tools.trust.listed_gas import PER_RISE
from tests.tools.trust.listed_today import PASSIVE
from tests.tools.trust.situations import REPORTED, Figure, Result

RUNS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """One disturbance.

    Attributes:
        kind: Of the lungs.
        levels: How strong.
        make: A recording of a patient at a level.
        keys: What it is about.
    """

    kind: str = "healthy"
    levels: Sequence[float]
    make: Callable[[Draw, float], Run]
    keys: Sequence[str] = ("vt", "mp")


def _noisy(draw: Draw, sd: float, *, mode: str, rate_hz: float) -> Run:
    sensor = Sensor(paw_noise_cmh2o=0.1, flow_noise_l_min=sd)
    made = {"vcv": draw.vcv, "pcv": draw.pcv, "psv": draw.psv}[mode]()
    given = {"effort": draw.efforts()} if mode == "psv" else {}
    return draw.run(made, sensor=sensor, rate_hz=rate_hz, **given)


def _based(draw: Draw, delay_s: float) -> Run:
    base = draw.between(5.0, 6.5)
    assist = Assist(trigger_flow_l_min=0.9 * base, delay_s=delay_s)
    return draw.run(draw.psv(), effort=draw.efforts(), circuit=Circuit(base_flow_l_min=base), assist=assist)


def _obstructed(draw: Draw, ratio: float) -> Run:
    lung = Lung(
        compliance_ml_cmh2o=draw.c, resistance_cmh2o_s_l=draw.r + 2, resistance_exp_cmh2o_s_l=ratio * (draw.r + 2)
    )
    return draw.run(draw.vcv(rate_per_min=draw.between(10, 14)), lung=lung, known=PASSIVE)


def _slow(draw: Draw, rise_s: float) -> Run:
    device = Capnograph(time_constant_s=rise_s * PER_RISE)
    return draw.run(draw.pcv(), co2={}, known=SIDESTREAM, co2_delay_s=1.4, capnograph=device, breaths=34)


def _pausing(draw: Draw, sd: float) -> Run:
    return draw.run(draw.vcv(pause_s=0.5), sensor=Sensor(paw_noise_cmh2o=sd, flow_noise_l_min=0.5))


def _stepped(draw: Draw, step: float) -> Run:
    sensor = Sensor(paw_noise_cmh2o=0.1, paw_step_cmh2o=step, flow_noise_l_min=0.4, flow_step_l_min=step)
    return draw.run(draw.vcv(pause_s=0.5), sensor=sensor)


def _ringing(draw: Draw, amplitude: float) -> Run:
    ringing = Ringing(amplitude_cmh2o=amplitude, rate_hz=draw.between(1.5, 3.0), peep_amplitude_cmh2o=0.7 * amplitude)
    return draw.run(draw.pcv(), ringing=ringing, known=PASSIVE)


def _newborn(draw: Draw, rate_hz: float) -> Run:
    known = {"patient_class": "neonate", "sex": None, "height_cm": None, "weight_kg": 2.0 * draw.c}
    sensor = Sensor(paw_noise_cmh2o=0.1, flow_noise_l_min=0.05, pco2_noise_mmhg=0.3)
    ventilator = draw.pcv(rate_per_min=draw.between(30, 60), rise_s=0.05)
    return draw.run(ventilator, sensor=sensor, rate_hz=rate_hz, breaths=60, co2={}, known=known)


NOISE: Mapping[str, Range] = MappingProxyType(
    {
        f"flow noise, L/min: {mode}, {rate_hz:g} Hz": Range(
            levels=(2.5, 3.0, 4.0, 5.0), make=partial(_noisy, mode=mode, rate_hz=rate_hz)
        )
        for mode in ("vcv", "pcv", "psv")
        for rate_hz in (50.0, 100.0, 200.0)
    }
)
RANGES: Mapping[str, Range] = MappingProxyType(
    {
        **NOISE,
        "ringing valve, cmH2O": Range(
            kind="bench", levels=(0.5, 1.0, 1.5, 2.0, 2.5), make=_ringing, keys=("vt", "mp", "crs_est")
        ),
        "water, cmH2O": Range(
            levels=(0.5, 1.0, 1.5, 2.0),
            make=lambda d, level: d.run(d.vcv(pause_s=0.6), water=Water(amplitude_cmh2o=level)),
            keys=("vt", "mp", "pplat"),
        ),
        "valve opens late on base flow, s": Range(levels=(0.0, 0.1, 0.2, 0.3, 0.4), make=_based),
        "leak, share": Range(
            levels=(0.05, 0.1, 0.13, 0.2, 0.3),
            make=lambda d, level: d.run(v := d.vcv(pause_s=0.5), circuit=d.leaking(v, level)),
            keys=("vt", "mp", "crs", "crs_est"),
        ),
        "newborn, Hz": Range(
            kind="newborn", levels=(50, 100, 250), make=_newborn, keys=("vt", "mp", "crs_est", "vd_aw")
        ),
        "inspiratory sensor's gain": Range(
            levels=(0.85, 0.9, 0.94, 0.97, 1.03, 1.06, 1.1, 1.15),
            make=lambda d, level: d.run(d.vcv(), sensor=Sensor(flow_gain=level, flow_gain_exp=1.0), co2={}),
            keys=("vt", "mp", "crs_est", "vtco2"),
        ),
        "flow zero, L/min": Range(
            levels=(-2.0, -1.0, 1.0, 2.0),
            make=lambda d, level: d.run(d.vcv(pause_s=0.5), flow_sensor=Transducer(offset=level)),
            keys=("vt", "mp", "pplat", "crs"),
        ),
        "pauses, pressure noise, cmH2O": Range(levels=(0.1, 0.2, 0.4, 0.6), make=_pausing, keys=("pplat", "crs")),
        "pauses, steps of the converter": Range(levels=(0.1, 0.25, 0.5, 1.0), make=_stepped, keys=("pplat", "crs")),
        "pauses, heart, cmH2O": Range(
            levels=(0.2, 0.5, 0.8),
            make=lambda d, level: d.run(d.vcv(pause_s=0.5), cardiogenic=Cardiogenic(amplitude_cmh2o=level)),
            keys=("pplat", "crs"),
        ),
        "pauses, length, s": Range(
            levels=(0.3, 0.4, 0.5, 0.8), make=lambda d, level: d.run(d.vcv(pause_s=level)), keys=("pplat", "crs")
        ),
        "tube, cmH2O·s²/L²: pcv": Range(
            levels=(0.0, 3.0, 6.0, 10.0),
            make=lambda d, level: d.run(d.pcv(), tube=Tube(k2_cmh2o_s2_l2=level)),
            keys=("crs_est", "peep_total_est"),
        ),
        "tube, cmH2O·s²/L²: vcv": Range(
            levels=(0.0, 3.0, 6.0, 10.0),
            make=lambda d, level: d.run(d.vcv(), tube=Tube(k2_cmh2o_s2_l2=level), known=PASSIVE),
            keys=("crs_est", "peep_total_est"),
        ),
        "stress relaxation, cmH2O/L": Range(
            levels=(1.0, 3.0, 6.0, 9.0),
            make=lambda d, level: d.run(d.vcv(), relaxation=Relaxation(stiffness_cmh2o_l=level), known=PASSIVE),
            keys=("crs_est",),
        ),
        "obstruction, Re over Ri": Range(levels=(1.0, 2.0, 3.0, 4.0), make=_obstructed, keys=("crs_est",)),
        "sidestream, rise, s": Range(levels=(0.05, 0.1, 0.2, 0.3, 0.45, 0.7), make=_slow, keys=("petco2", "vd_aw")),
        "nebuliser, L/min": Range(
            levels=(1.0, 3.0, 6.0),
            make=lambda d, level: d.run(d.vcv(), nebuliser=Nebuliser(flow_l_min=level), co2={}),
            keys=("vt", "mp", "vtco2", "vd_aw"),
        ),
        "apparatus not declared, mL": Range(
            levels=(10.0, 20.0, 35.0, 50.0),
            make=lambda d, level: d.run(d.vcv(), rebreathing=Rebreathing(volume_ml=level), co2={}),
            keys=("vd_aw", "vd_vt_bohr", "vtco2"),
        ),
        "phase II, SD in mL": Range(
            kind="copd",
            levels=(15.0, 30.0, 45.0, 60.0),
            make=lambda d, level: d.run(d.vcv(), co2={"phase2_sd_ml": level}),
            keys=("slope_3", "pco2_alv", "vd_vt_bohr"),
        ),
    }
)  # fmt: skip


def measured(name: str, level: float, *, half: int = REPORTED, runs: int = RUNS) -> Result:
    """All runs at one step of a range."""
    chosen, result = RANGES[name], Result()
    for number in range(runs):
        rng = np.random.default_rng([zlib.crc32(name.encode()), round(1000 * level) % 2**32, number, half])
        result.add(chosen.make(Draw(rng, chosen.kind), level))
    return result


def table(only: str = "", half: int = REPORTED) -> Iterator[str]:
    """A line for every step."""
    yield "| range | step | found / true | near % | extra % | keys: given %, wrong, median / 95 % of the error, % |"
    yield "|---" * 6 + "|"
    for name, chosen in RANGES.items():
        for level in chosen.levels if only in name else ():
            result = measured(name, level, half=half)
            shares = f"{100 * result.near / result.true:.1f} | {100 * result.extra / max(result.breaths, 1):.1f}"
            keys = "; ".join(f"{key} {_figure(result.figures[key])}" for key in chosen.keys)
            yield f"| {name} | {level:g} | {result.breaths} / {result.true} | {shares} | {keys} |"


def _figure(figure: Figure) -> str:
    if not figure.given:
        return f"none ({', '.join(reason for reason, _ in figure.reasons.most_common(2))})"
    size = f"{100 * np.median(figure.errors):+.1f} / {100 * np.quantile(np.abs(figure.errors), 0.95):.1f}"
    grades = "".join(grade for grade in "ABC" if figure.grades[grade])
    return f"{100 * figure.given / figure.breaths:.0f}{grades}, {figure.wrong}, {size}"
