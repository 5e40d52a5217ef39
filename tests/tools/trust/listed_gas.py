"""Situations that try the capnogram: slow and late sensors, clipped tops, broad phase II, apparatus, rebreathing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from adapters.simulator.scenario import Assist, Capnograph, Effort, Fault, Rebreathing, Transducer, Ventilator
from tests.tools.trust.draws import SIDESTREAM, Draw, Run
from tests.tools.trust.listed_today import Make

PER_RISE = 1 / 2.197
"""Time constant of a rise from 10 to 90 %."""


def _sidestream(draw: Draw, rise_s: float, **given: object) -> Run:
    return draw.run(
        draw.pcv(),
        co2={},
        known=SIDESTREAM,
        co2_delay_s=draw.between(1.0, 2.2),
        capnograph=Capnograph(time_constant_s=rise_s * PER_RISE),
        breaths=34,
        **given,
    )


def _broad(draw: Draw, ventilator: Ventilator, **given: object) -> Run:
    """Phase II as wide as two fifths of the dead space, phase III steep."""
    volume = draw.volume_ml(ventilator)
    co2 = {"phase2_sd_ml": 0.09 * volume * draw.between(0.8, 1.2), "slope_mmhg_l": 1000 * draw.between(10, 22) / volume}
    return draw.run(ventilator, co2=co2, **given)


def _tubed(draw: Draw, *, declared: bool) -> Run:
    known = {"apparatus_volume_ml": 35.0} if declared else {}
    return draw.run(draw.vcv(), co2={}, rebreathing=Rebreathing(volume_ml=35.0), known=known)


def _spontaneous(draw: Draw, **given: object) -> Run:
    """Through a pneumotachograph: pressure is not measured."""
    effort = Effort(
        amplitude_cmh2o=draw.between(6, 10),
        rate_per_min=draw.between(12, 18),
        at_s=0.5,
        rise_s=1.0,
        fall_s=0.5,
        amplitude_cv=0.1,
        timing_sd_s=0.1,
    )
    ventilator = Ventilator(mode="psv", rate_per_min=6, peep_cmh2o=0, inspiratory_pressure_cmh2o=0, ti_s=3.0)
    return draw.run(
        ventilator,
        co2={},
        effort=(effort,),
        assist=Assist(trigger_flow_l_min=0.5, cycle_off_fraction=0.05),
        channels=("flow", "pco2"),
        breaths=30,
        **given,
    )


GAS: Mapping[str, Make] = MappingProxyType(
    {
        "sidestream, rise 0.2 s": ("healthy", lambda d: _sidestream(d, 0.2)),
        "sidestream, rise 0.2 s, declared": ("healthy", lambda d: _declared(d, 0.2)),
        "sidestream, rise 0.45 s": ("healthy", lambda d: _sidestream(d, 0.45)),
        "sidestream, rise 0.7 s": ("healthy", lambda d: _sidestream(d, 0.7)),
        "sidestream, rise 0.45 s, 25 a minute": (
            "stiff",
            lambda d: d.run(
                d.vcv(rate_per_min=25),
                co2={},
                known=SIDESTREAM,
                co2_delay_s=1.5,
                capnograph=Capnograph(time_constant_s=0.45 * PER_RISE),
                breaths=40,
            ),
        ),
        "top of CO2 clipped": (
            "healthy",
            lambda d: d.run(
                d.pcv(), co2={"plateau_mmhg": 44.0}, pco2_sensor=Transducer(highest=d.between(36, 44)), breaths=30
            ),
        ),
        "CO2 zeroes itself every minute": (
            "healthy",
            lambda d: d.run(
                d.vcv(),
                co2={},
                fault=(Fault(at_s=20.0, duration_s=3.0, every_s=60.0, kind="zero", channels=("pco2",)),),
                breaths=40,
            ),
        ),
        "CO2 held while it zeroes": (
            "healthy",
            lambda d: d.run(
                d.vcv(),
                co2={},
                fault=(Fault(at_s=20.0, duration_s=3.0, every_s=60.0, channels=("pco2",)),),
                breaths=40,
            ),
        ),
        "broad phase II, COPD": ("copd", lambda d: _broad(d, d.vcv())),
        "broad phase II, 40 a minute": ("stiff", lambda d: _broad(d, d.pcv(rate_per_min=40), breaths=50)),
        "broad phase II, inverse ratio": ("stiff", lambda d: _broad(d, d.pcv(share=0.66))),
        "apparatus 35 mL, not declared": ("healthy", lambda d: _tubed(d, declared=False)),
        "apparatus 35 mL, declared": ("healthy", lambda d: _tubed(d, declared=True)),
        "sensor of 30 ms": ("healthy", lambda d: d.run(d.vcv(), co2={}, capnograph=Capnograph(time_constant_s=0.03))),
        "CO2 50 ms late": ("healthy", lambda d: d.run(d.vcv(), co2={}, co2_delay_s=0.05)),
        "spontaneous, pneumotachograph": ("healthy", lambda d: _spontaneous(d, known={"co2_delay_s": 0.0})),
        "spontaneous, delay not declared": ("healthy", lambda d: _spontaneous(d, co2_delay_s=0.3)),
        "rebreathing, inspired CO2": ("healthy", lambda d: d.run(d.vcv(), co2={"inspired_mmhg": d.between(4, 9)})),
        "dry sample": (
            "healthy",
            lambda d: d.run(d.vcv(), co2={}, capnograph=Capnograph(scale="dry"), known={"co2_scale": "dry"}),
        ),
        "capnograph of its own, 20 Hz": (
            "healthy",
            lambda d: d.run(
                d.pcv(),
                co2={},
                known=SIDESTREAM,
                co2_delay_s=1.5,
                capnograph=Capnograph(rate_hz=20.0, time_constant_s=0.06, clock_offset_s=0.2),
                breaths=34,
            ),
        ),
        "CO2 zero 0.8 mmHg off": ("healthy", lambda d: d.run(d.vcv(), co2={}, pco2_sensor=Transducer(offset=0.8))),
    }
)  # fmt: skip


def _declared(draw: Draw, rise_s: float) -> Run:
    made = _sidestream(draw, rise_s)
    return Run(scenario=made.scenario, context=type(made.context)(**{**_known(made.context), "co2_rise_s": rise_s}))


def _known(context: object) -> dict[str, object]:
    return {name: getattr(context, name) for name in context.__struct_fields__}  # type: ignore[attr-defined]
