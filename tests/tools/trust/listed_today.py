"""Situations that are ordinary: modes, rates, lungs, sampling rates. What is right in them has to stay right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from adapters.simulator.course import Segment
from adapters.simulator.scenario import Circuit, Effort, Relaxation, SecondCompartment, Span, Suction, Tube, Valve
from tests.tools.trust.draws import TRIGGERED, Draw, Run, holds

Make = tuple[str, Callable[[Draw], Run]]
"""Kind of lung, and what is recorded of it."""
PASSIVE = {"passive": "asserted"}


def stairs(*levels: float, every_s: float = 30.0) -> list[Callable[[Segment], Segment]]:
    """Changes of PEEP, one after the other."""

    def step(number: int, level: float) -> Callable[[Segment], Segment]:
        def change(first: Segment) -> Segment:
            ventilator = msgspec.structs.replace(first.ventilator, peep_cmh2o=level)
            return msgspec.structs.replace(first, at_s=number * every_s, ventilator=ventilator)

        return change

    return [step(number + 1, level) for number, level in enumerate(levels)]


TODAY: Mapping[str, Make] = MappingProxyType(
    {
        "vcv": ("healthy", lambda d: d.run(d.vcv(), co2={})),
        "vcv, stiff": ("stiff", lambda d: d.run(d.vcv(), co2={})),
        "vcv, COPD": ("copd", lambda d: d.run(d.vcv(), co2={})),
        "vcv, pause 0.5 s": ("healthy", lambda d: d.run(d.vcv(pause_s=0.5), co2={})),
        "vcv, holds of both kinds": (
            "stiff",
            lambda d: d.run(
                d.vcv(),
                hold=sorted(
                    (*holds("inspiratory", 0.8, every_s=20), *holds("expiratory", 2.0, every_s=25)),
                    key=lambda one: one.at_s,
                ),
            ),
        ),
        "pcv": ("healthy", lambda d: d.run(d.pcv(), co2={})),
        "pcv, stiff": ("stiff", lambda d: d.run(d.pcv(), co2={})),
        "pcv, COPD": ("copd", lambda d: d.run(d.pcv(), co2={})),
        "psv": ("healthy", lambda d: d.run(d.psv(), co2={}, effort=d.efforts(), known={"mode": "psv"})),
        "psv, weak efforts": ("stiff", lambda d: d.run(d.psv(), effort=d.efforts(2, 4))),
        "vcv, assisted": ("healthy", lambda d: d.run(d.vcv(rate_per_min=10), assist=TRIGGERED, effort=d.efforts())),
        "SIMV, volume": (
            "healthy",
            lambda d: d.run(d.vcv(rate_per_min=8, simv_support_cmh2o=8, rise_s=0.1, share=0.2), effort=d.efforts()),
        ),
        "SIMV, pressure": (
            "stiff",
            lambda d: d.run(d.pcv(rate_per_min=8, simv_support_cmh2o=8, share=0.15), effort=d.efforts()),
        ),
        "vcv, efforts that trigger nothing": (
            "healthy",
            lambda d: d.run(d.vcv(), effort=(_effort(d, d.between(-0.2, 0.1)),)),
        ),
        "pcv, efforts late in inspiration": ("healthy", lambda d: d.run(d.pcv(), effort=(_effort(d, 0.7),))),
        "vcv, reverse triggering": ("stiff", lambda d: d.run(d.vcv(), effort=(_effort(d, 0.8),))),
        "pcv, one breath in four with an effort": (
            "stiff",
            lambda d: d.run(d.pcv(), effort=(_effort(d, 0.2, every=4),), breaths=40),
        ),
        "pcv, forced expiration": (
            "healthy",
            lambda d: d.run(
                d.pcv(),
                effort=(Effort(amplitude_cmh2o=-d.between(3, 6), at_s=20, offset_s=1.2, plateau_s=0.4, every=2),),
                circuit=Circuit(base_flow_l_min=6.0),
            ),
        ),
        "vcv, sighs": ("healthy", lambda d: d.run(d.vcv(sigh_every=8, sigh_factor=1.8, share=0.2))),
        "pcv, sighs": ("healthy", lambda d: d.run(d.pcv(sigh_every=8, sigh_factor=1.6))),
        "vcv, PEEP stairs": ("stiff", lambda d: d.run(d.vcv(), changes=stairs(12, 16, 12, 8), breaths=40)),
        "pcv, PEEP stairs": ("stiff", lambda d: d.run(d.pcv(), changes=stairs(12, 16, 12, 8), breaths=40)),
        "vcv, 5 a minute": ("healthy", lambda d: d.run(d.vcv(rate_per_min=5, share=0.15), breaths=14)),
        "pcv, 40 a minute": ("stiff", lambda d: d.run(d.pcv(rate_per_min=40), breaths=40)),
        "pcv, 25 Hz": ("healthy", lambda d: d.run(d.pcv(), rate_hz=25.0)),
        "vcv, 50 Hz": ("healthy", lambda d: d.run(d.vcv(), rate_hz=50.0, co2={})),
        "pcv, 200 Hz": ("healthy", lambda d: d.run(d.pcv(), rate_hz=200.0, co2={})),
        "vcv, 500 Hz": ("stiff", lambda d: d.run(d.vcv(), rate_hz=500.0)),
        "pcv, child": ("child", lambda d: d.run(d.pcv(rate_per_min=d.between(20, 28)), known=_child(d))),
        "vcv, two compartments": (
            "stiff",
            lambda d: d.run(
                d.vcv(pause_s=0.5),
                second_compartment=SecondCompartment(compliance_ml_cmh2o=d.between(8, 15), resistance_cmh2o_s_l=20),
            ),
        ),
        "vcv, stress relaxation": ("healthy", lambda d: d.run(d.vcv(pause_s=0.5), relaxation=Relaxation())),
        "pcv, tube and valve": (
            "healthy",
            lambda d: d.run(d.pcv(), tube=Tube(k2_cmh2o_s2_l2=6), valve=Valve(resistance_cmh2o_s_l=3)),
        ),
        "inverse ratio 2:1": ("stiff", lambda d: d.run(d.pcv(share=0.66), co2={}, known=PASSIVE)),
        "airway pressure release": (
            "stiff",
            lambda d: d.run(
                d.pcv(rate_per_min=d.between(10, 14), share=0.87, inspiratory_pressure_cmh2o=d.between(15, 22)),
                known=PASSIVE,
            ),
        ),
        "vcv, disconnects": (
            "healthy",
            lambda d: d.run(d.vcv(), disconnect=(Span(at_s=40, duration_s=6), Span(at_s=80, duration_s=4)), breaths=40),
        ),
        "pcv, suction": ("healthy", lambda d: d.run(d.pcv(), suction=(Suction(at_s=40, duration_s=2),), breaths=34)),
        "vcv, sensor at the ventilator": (
            "stiff",
            lambda d: d.run(
                d.vcv(pause_s=0.4),
                circuit=Circuit(compliance_ml_cmh2o=1.5),
                known={"sensor_site": "ventilator", "circuit_compliance_ml_cmh2o": 1.5},
            ),
        ),
    }
)  # fmt: skip


def _effort(draw: Draw, offset_s: float, every: int = 1) -> Effort:
    return Effort(
        amplitude_cmh2o=draw.between(3, 8), offset_s=offset_s, every=every, amplitude_cv=0.2, timing_sd_s=0.05
    )


def _child(draw: Draw) -> dict[str, object]:
    return {"patient_class": "paediatric", "sex": None, "height_cm": None, "weight_kg": draw.c}
