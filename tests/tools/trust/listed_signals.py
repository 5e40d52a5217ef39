"""Situations in which breaths are hard to find: noise, valves, water, triggers, coughs, leaks, newborns."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from adapters.simulator.course import Segment
from adapters.simulator.scenario import Assist, Capnograph, Circuit, Effort, Ringing, Sensor, Water
from tests.tools.trust.draws import TRIGGERED, Draw, Run
from tests.tools.trust.listed_today import PASSIVE, Make


def noisy(sd_l_min: float) -> Sensor:
    """White noise on flow."""
    return Sensor(paw_noise_cmh2o=0.1, flow_noise_l_min=sd_l_min, pco2_noise_mmhg=0.3)


def _ringing(draw: Draw, *, decay_s: float = 0.4, peep: float = 0.0, after_s: float = 0.5) -> Ringing:
    return Ringing(
        amplitude_cmh2o=draw.between(1.2, 2.2),
        rate_hz=draw.between(1.5, 3.0),
        decay_s=decay_s,
        peep_amplitude_cmh2o=peep,
        peep_after_s=after_s,
    )


def _water(draw: Draw) -> Water:
    return Water(amplitude_cmh2o=draw.between(1.0, 1.4), rate_hz=draw.between(4.0, 6.0))


def _based(draw: Draw) -> dict[str, object]:
    base = draw.between(5.0, 6.5)
    return {
        "circuit": Circuit(base_flow_l_min=base),
        "assist": Assist(trigger_flow_l_min=0.9 * base, delay_s=draw.between(0.05, 0.3)),
    }


def _leak(first: Segment, at_s: float, leak: float) -> Segment:
    circuit = msgspec.structs.replace(first.circuit, leak_l_min_per_sqrt_cmh2o=leak)
    return msgspec.structs.replace(first, at_s=at_s, circuit=circuit)


COUGHS = (
    Effort(amplitude_cmh2o=-45, at_s=35, duration_s=4, rate_per_min=100, rise_s=0.06, fall_s=0.12, amplitude_cv=0.3),
    Effort(amplitude_cmh2o=-50, at_s=60, duration_s=3, rate_per_min=120, rise_s=0.05, fall_s=0.1, amplitude_cv=0.3),
)
LONG = Effort(amplitude_cmh2o=14, rate_per_min=16, at_s=0.5, rise_s=0.5, plateau_s=0.9, fall_s=0.3, amplitude_cv=0.3)
SUDDEN = Effort(amplitude_cmh2o=10, at_s=30, every=2, offset_s=1.12, rise_s=0.12, plateau_s=0.1, fall_s=0.08)
"""The diaphragm pulls just after expiration began, in every second breath."""
AT_ONCE = Effort(amplitude_cmh2o=25, at_s=12, every=3, offset_s=1.04, rise_s=0.1, plateau_s=0.3, fall_s=0.2)
"""So early and so strong that the next breath is triggered after less than 0.1 s of forceful expiration."""


def _newborn(draw: Draw, rate_hz: float, *, declared: bool, **given: object) -> Run:
    known: dict[str, object] = {"patient_class": None, "sex": None, "height_cm": None}
    if declared:
        known |= {"patient_class": "neonate", "weight_kg": 2.0 * draw.c}
    ventilator = draw.pcv(rate_per_min=draw.between(30, 60), rise_s=0.05)
    sensor = Sensor(paw_noise_cmh2o=0.1, flow_noise_l_min=0.05, pco2_noise_mmhg=0.3)
    parts = {"sensor": sensor, "known": known, "rate_hz": rate_hz, "breaths": 60, **given}
    return draw.run(ventilator, **parts)


SIGNALS: Mapping[str, Make] = MappingProxyType(
    {
        "pcv, flow noise 2.5 L/min": ("healthy", lambda d: d.run(d.pcv(), sensor=noisy(2.5), co2={})),
        "vcv, flow noise 3 L/min": ("healthy", lambda d: d.run(d.vcv(), sensor=noisy(3.0), co2={})),
        "pcv, flow noise 5 L/min, 50 Hz": ("healthy", lambda d: d.run(d.pcv(), sensor=noisy(5.0), rate_hz=50.0)),
        "psv, flow noise 4 L/min, 200 Hz": (
            "healthy",
            lambda d: d.run(d.psv(), sensor=noisy(4.0), rate_hz=200.0, effort=d.efforts()),
        ),
        "vcv, flow noise 5 L/min, stiff": ("stiff", lambda d: d.run(d.vcv(pause_s=0.4), sensor=noisy(5.0))),
        "pcv, flow noise 20 L/min": ("stiff", lambda d: d.run(d.pcv(), sensor=noisy(20.0))),
        "ringing valve": ("bench", lambda d: d.run(d.pcv(), ringing=_ringing(d), known=PASSIVE)),
        "ringing valve, sustained": (
            "bench",
            lambda d: d.run(d.pcv(), ringing=_ringing(d, decay_s=0.0), known=PASSIVE),
        ),
        "ringing valve, gas blown in at PEEP": (
            "healthy",
            lambda d: d.run(d.pcv(), ringing=_ringing(d, peep=1.5, after_s=0.7), known=PASSIVE, co2={}),
        ),
        "turbine on a test lung": (
            "bench",
            lambda d: d.run(
                d.pcv(rate_per_min=d.between(14, 20)),
                ringing=Ringing(
                    amplitude_cmh2o=d.between(1.5, 2.5),
                    rate_hz=d.between(1.8, 2.4),
                    decay_s=0.5,
                    peep_amplitude_cmh2o=d.between(2.0, 3.0),
                    peep_rate_hz=d.between(0.7, 1.0),
                    peep_after_s=d.between(0.5, 0.8),
                ),
                sensor=Sensor(paw_noise_cmh2o=0.2, flow_noise_l_min=2.0),
                known=PASSIVE,
            ),
        ),
        "water, pcv": ("healthy", lambda d: d.run(d.pcv(), water=_water(d))),
        "water, vcv with pauses": ("healthy", lambda d: d.run(d.vcv(pause_s=0.6), water=_water(d), co2={})),
        "water, psv": ("healthy", lambda d: d.run(d.psv(), water=_water(d), effort=d.efforts(), assist=_deaf())),
        "base flow, psv": ("healthy", lambda d: d.run(d.psv(), effort=d.efforts(), **_based(d))),
        "base flow, vcv": (
            "healthy",
            lambda d: d.run(d.vcv(rate_per_min=10), effort=d.efforts(), known={"mode": "vcv"}, **_based(d)),
        ),
        "base flow, stiff, pcv": (
            "stiff",
            lambda d: d.run(d.pcv(rate_per_min=10, share=0.15), effort=d.efforts(), **_based(d)),
        ),
        "bouts of coughs": ("healthy", lambda d: d.run(d.pcv(), effort=COUGHS, breaths=34)),
        "double triggers": (
            "healthy",
            lambda d: d.run(d.psv(ti_s=0.8), effort=(LONG,), assist=TRIGGERED, breaths=34),
        ),
        "coughs and double triggers": (
            "healthy",
            lambda d: d.run(d.psv(ti_s=0.8), effort=(*COUGHS, LONG), assist=TRIGGERED, breaths=34),
        ),
        "mask, leak 1-9 wandering": (
            "healthy",
            lambda d: d.run(
                d.psv(peep_cmh2o=6),
                effort=d.efforts(),
                assist=_masked(),
                circuit=Circuit(leak_l_min_per_sqrt_cmh2o=5, leak_swing_l_min_per_sqrt_cmh2o=4, leak_period_s=90),
                breaths=40,
            ),
        ),
        "mask, leak jumps from 2 to 12": (
            "healthy",
            lambda d: d.run(
                d.pcv(peep_cmh2o=6),
                circuit=Circuit(leak_l_min_per_sqrt_cmh2o=2),
                changes=[lambda first: _leak(first, 45.0, 12.0)],
                breaths=44,
                co2={},
            ),
        ),
        "leak 13 %": (
            "healthy",
            lambda d: d.run(ventilator := d.vcv(), circuit=d.leaking(ventilator, 0.13), co2={}),
        ),
        "leak 13 %, psv": (
            "healthy",
            lambda d: d.run(
                ventilator := d.psv(),
                effort=d.efforts(),
                circuit=d.leaking(ventilator, 0.13, 18.0),
                assist=_masked(),
            ),
        ),
        "leak 30 %, pcv": (
            "healthy",
            lambda d: d.run(ventilator := d.pcv(), circuit=d.leaking(ventilator, 0.30), co2={}),
        ),
        "expiration of 1-2 samples": (
            "healthy",
            lambda d: d.run(
                d.pcv(rate_per_min=12, ti_s=1.0, fall_s=0.01),
                effort=(msgspec.structs.replace(AT_ONCE, amplitude_cmh2o=d.between(24, 30)),),
                assist=Assist(trigger_flow_l_min=3.0, min_te_s=0.03),
                rate_hz=25.0,
                breaths=34,
            ),
        ),
        "bump in early expiration, diaphragm": (
            "healthy",
            lambda d: d.run(
                d.pcv(rate_per_min=15, ti_s=1.0),
                effort=(msgspec.structs.replace(SUDDEN, amplitude_cmh2o=d.between(14, 20)),),
                breaths=34,
            ),
        ),
        "bump in early expiration, valve": (
            "healthy",
            lambda d: d.run(d.pcv(), ringing=Ringing(amplitude_cmh2o=0.0, peep_amplitude_cmh2o=5, peep_after_s=0.15)),
        ),
        "newborn, class not declared": ("newborn", lambda d: _newborn(d, 100.0, declared=False)),
        "newborn": ("newborn", lambda d: _newborn(d, 100.0, declared=True, co2={})),
        "newborn, 250 Hz": ("newborn", lambda d: _newborn(d, 250.0, declared=True, co2={})),
        "newborn, uncuffed tube": (
            "newborn",
            lambda d: _newborn(d, 200.0, declared=True, circuit=Circuit(leak_l_min_per_sqrt_cmh2o=0.05)),
        ),
        "sidestream, newborn": (
            "newborn",
            lambda d: _newborn(
                d,
                200.0,
                declared=True,
                co2={},
                co2_delay_s=1.4,
                capnograph=Capnograph(time_constant_s=0.08),
            ),
        ),
    }
)  # fmt: skip


def _deaf() -> Assist:
    """Not triggered by water."""
    return Assist(trigger_flow_l_min=12.0)


def _masked() -> Assist:
    """A ventilator that knows its leak."""
    return Assist(trigger_flow_l_min=2.5, spares_leak=True)
