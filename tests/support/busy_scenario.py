"""Scenarios with everything that a simulation can have."""

from __future__ import annotations

from adapters.simulator.course import Segment
from adapters.simulator.scenario import (
    Assist,
    Capnogram,
    Effort,
    Hold,
    Relaxation,
    Scenario,
    SecondCompartment,
    Sensor,
    Suction,
    Tube,
    Valve,
    Ventilator,
)

NOISE = Sensor(paw_noise_cmh2o=0.2, flow_noise_l_min=1.0, pco2_noise_mmhg=0.5)
BUSY = Scenario(
    duration_s=40,
    seed=3,
    first_onset_s=0.123,
    segments=(
        Segment(
            capnogram=Capnogram(),
            sensor=NOISE,
            second_compartment=SecondCompartment(),
            relaxation=Relaxation(),
            tube=Tube(k2_cmh2o_s2_l2=5),
            valve=Valve(resistance_cmh2o_s_l=3),
            assist=Assist(),
        ),
        Segment(at_s=15, capnogram=Capnogram(), sensor=NOISE, ventilator=Ventilator(mode="psv", rise_s=0.1)),
    ),
    hold=(Hold(at_s=7, kind="inspiratory", duration_s=1.5),),
    suction=(Suction(at_s=24.4, duration_s=1.2),),
    effort=(
        Effort(amplitude_cmh2o=6, rate_per_min=19, amplitude_cv=0.3, timing_sd_s=0.1),
        Effort(amplitude_cmh2o=4, offset_s=-0.3, every=2, rise_s=0.2),
        Effort(amplitude_cmh2o=-40, rate_per_min=240, rise_s=0.04, fall_s=0.1, at_s=30, duration_s=1),
    ),
)
