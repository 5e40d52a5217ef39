"""Situations that try the mechanics: closure, zero, holds, obstruction, passive lungs that deserve an estimate."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from adapters.simulator.scenario import Cardiogenic, Circuit, Effort, Lung, Nebuliser, Sensor, Transducer
from tests.tools.trust.draws import Draw, Run, holds
from tests.tools.trust.listed_today import PASSIVE, Make, stairs


def _paused(draw: Draw, **given: object) -> Run:
    return draw.run(draw.vcv(pause_s=0.5), **given)


def _obstructed(draw: Draw) -> Run:
    lung = Lung(
        compliance_ml_cmh2o=draw.c,
        resistance_cmh2o_s_l=draw.between(9, 12),
        resistance_exp_cmh2o_s_l=draw.between(28, 34),
    )
    return draw.run(draw.vcv(rate_per_min=draw.between(12, 15)), lung=lung, known=PASSIVE)


LUNGS: Mapping[str, Make] = MappingProxyType(
    {
        "inspiratory sensor 11 % low": (
            "healthy",
            lambda d: d.run(d.vcv(), sensor=Sensor(flow_gain=0.89, flow_gain_exp=1.0), co2={}),
        ),
        "inspiratory sensor 11 % low, pauses": (
            "stiff",
            lambda d: _paused(d, sensor=Sensor(flow_gain=0.89, flow_gain_exp=1.0)),
        ),
        "expiratory sensor 7 % high": (
            "healthy",
            lambda d: d.run(d.pcv(), sensor=Sensor(flow_gain=1.0, flow_gain_exp=1.07), co2={}),
        ),
        "flow zero +1 L/min, pauses": ("healthy", lambda d: _paused(d, flow_sensor=Transducer(offset=1.0), co2={})),
        "flow zero -2 L/min, pauses": ("healthy", lambda d: _paused(d, flow_sensor=Transducer(offset=-2.0), co2={})),
        "flow zero +2 L/min, pcv": ("healthy", lambda d: d.run(d.pcv(), flow_sensor=Transducer(offset=2.0))),
        "flow zero drifting 1 L/min a minute": (
            "healthy",
            lambda d: _paused(d, flow_sensor=Transducer(drift_per_min=1.0), breaths=40),
        ),
        "pressure 0.5 cmH2O off": ("healthy", lambda d: _paused(d, paw_sensor=Transducer(offset=0.5))),
        "nebuliser 6 L/min, before the CO2 sensor": (
            "healthy",
            lambda d: d.run(d.vcv(), nebuliser=Nebuliser(dilutes=True), co2={}),
        ),
        "nebuliser 6 L/min, between the sensors": ("healthy", lambda d: d.run(d.vcv(), nebuliser=Nebuliser(), co2={})),
        "nebuliser switched on": (
            "healthy",
            lambda d: d.run(
                d.pcv(),
                co2={},
                changes=[lambda first: type(first)(**{**_fields(first), "at_s": 60.0, "nebuliser": Nebuliser()})],
                breaths=36,
            ),
        ),
        "pauses, pressure noise 0.4 cmH2O": (
            "healthy",
            lambda d: _paused(d, sensor=Sensor(paw_noise_cmh2o=0.4, flow_noise_l_min=0.5)),
        ),
        "pauses, quantised to 1 cmH2O": (
            "healthy",
            lambda d: _paused(d, sensor=Sensor(paw_noise_cmh2o=0.1, paw_step_cmh2o=1.0, flow_step_l_min=1.0)),
        ),
        "pauses, heart 0.5 cmH2O": (
            "healthy",
            lambda d: _paused(d, cardiogenic=Cardiogenic(amplitude_cmh2o=0.5, rate_per_min=d.between(70, 110))),
        ),
        "pauses, 13 % leak": (
            "healthy",
            lambda d: d.run(ventilator := d.vcv(pause_s=0.5), circuit=d.leaking(ventilator, 0.13)),
        ),
        "pauses of 0.4 s": ("healthy", lambda d: d.run(d.vcv(pause_s=0.4))),
        "pauses of 0.4 s, noisy": (
            "stiff",
            lambda d: d.run(d.vcv(pause_s=0.4), sensor=Sensor(paw_noise_cmh2o=0.3, flow_noise_l_min=2.0)),
        ),
        "holds, pressure noise 0.4 cmH2O": (
            "stiff",
            lambda d: d.run(
                d.pcv(),
                sensor=Sensor(paw_noise_cmh2o=0.4, flow_noise_l_min=0.5),
                hold=holds("inspiratory", 0.8, every_s=15),
            ),
        ),
        "obstruction, Ri/Re 10/31": ("healthy", _obstructed),
        "obstruction, gas trapped, pauses": (
            "copd",
            lambda d: d.run(d.vcv(pause_s=0.5, rate_per_min=d.between(18, 22)), known=PASSIVE),
        ),
        "obstruction, gas trapped, holds": (
            "copd",
            lambda d: d.run(
                d.vcv(rate_per_min=d.between(18, 22)), hold=holds("expiratory", 2.5, every_s=20), known=PASSIVE
            ),
        ),
        "passive vcv": ("stiff", lambda d: d.run(d.vcv(), known=PASSIVE)),
        "passive vcv, PEEP stairs": (
            "stiff",
            lambda d: d.run(d.vcv(), known=PASSIVE, changes=stairs(10, 14, 18, 14, 10, every_s=24.0), breaths=40),
        ),
        "passive pcv, PEEP stairs": (
            "healthy",
            lambda d: d.run(d.pcv(), known=PASSIVE, changes=stairs(10, 14, 18, 14, 10, every_s=24.0), breaths=40),
        ),
        "passive vcv, quantised": (
            "healthy",
            lambda d: d.run(
                d.vcv(),
                known=PASSIVE,
                sensor=Sensor(paw_noise_cmh2o=0.1, paw_step_cmh2o=0.5, flow_noise_l_min=0.3, flow_step_l_min=1.0),
            ),
        ),
        "said to be passive and is not": (
            "healthy",
            lambda d: d.run(d.psv(), effort=d.efforts(), known=PASSIVE),
        ),
        "lung squeezed now and then, pauses": (
            "stiff",
            lambda d: _paused(
                d,
                effort=tuple(
                    Effort(amplitude_cmh2o=-d.between(5, 9), at_s=at_s, duration_s=1.0, rate_per_min=0.5, plateau_s=3.0)
                    for at_s in (25.0, 45.0, 65.0)
                ),
                known=PASSIVE,
            ),
        ),
        "heart 0.5 cmH2O, pcv": (
            "healthy",
            lambda d: d.run(d.pcv(), cardiogenic=Cardiogenic(amplitude_cmh2o=0.5, rate_per_min=d.between(70, 110))),
        ),
        "tubing not declared": (
            "stiff",
            lambda d: d.run(d.vcv(pause_s=0.4), circuit=Circuit(compliance_ml_cmh2o=1.5), known={"sensor_site": None}),
        ),
    }
)  # fmt: skip


def _fields(part: object) -> dict[str, object]:
    return {name: getattr(part, name) for name in part.__struct_fields__}  # type: ignore[attr-defined]
