"""Situations in which a signal lies: recorders repeat, counters wrap, a channel saturates, stands or is another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from adapters.simulator.course import Segment
from adapters.simulator.scenario import Fault, Sensor, Transducer
from tests.tools.trust.listed_today import Make


def _later(at_s: float, **changed: Any) -> list[Callable[[Segment], Segment]]:
    """A sensor that goes wrong at a time: from there on it is another."""
    return [lambda first: msgspec.structs.replace(first, at_s=at_s, **changed)]


LIES: Mapping[str, Make] = MappingProxyType(
    {
        "recorder stuck for 5 s": (
            "healthy",
            lambda d: d.run(
                d.pcv(), co2={}, fault=(Fault(at_s=d.between(40, 44), duration_s=5.0, every_s=31.0),), breaths=34
            ),
        ),
        "recorder stuck for 1 s, often": (
            "healthy",
            lambda d: d.run(d.vcv(), fault=(Fault(at_s=20.0, duration_s=1.0, every_s=7.3),), breaths=34),
        ),
        "pressure alone stuck for 4 s": (
            "healthy",
            lambda d: d.run(
                d.pcv(), fault=(Fault(at_s=41.0, duration_s=4.0, every_s=23.0, channels=("paw",)),), breaths=34
            ),
        ),
        "pressure constant": (
            "healthy",
            lambda d: d.run(d.pcv(), fault=(Fault(at_s=0.0, duration_s=9e3, channels=("paw",)),)),
        ),
        "flow constant": (
            "healthy",
            lambda d: d.run(d.pcv(), fault=(Fault(at_s=0.0, duration_s=9e3, channels=("flow",)),)),
        ),
        "CO2 constant": (
            "healthy",
            lambda d: d.run(d.vcv(), co2={}, fault=(Fault(at_s=0.0, duration_s=9e3, channels=("pco2",)),)),
        ),
        "pressure is a counter": (
            "healthy",
            lambda d: d.run(
                d.pcv(), fault=(Fault(at_s=0.0, duration_s=9e3, kind="counter", channels=("paw",)),)
            ),
        ),
        "flow wraps at 16 bits": (
            "healthy",
            lambda d: d.run(d.pcv(), flow_sensor=Transducer(wraps=(0.0, 655.36))),
        ),
        "flow wraps at 32.8 L/min": (
            "healthy",
            lambda d: d.run(d.vcv(), flow_sensor=Transducer(wraps=(-32.768, 32.768))),
        ),
        "flow saturates at 40 L/min": (
            "healthy",
            lambda d: d.run(d.pcv(), flow_sensor=Transducer(lowest=-40.0, highest=40.0), co2={}),
        ),
        "expiratory flow saturates": ("healthy", lambda d: d.run(d.vcv(), flow_sensor=Transducer(lowest=-25.0))),
        "pressure saturates": (
            "stiff",
            lambda d: d.run(d.vcv(pause_s=0.5), paw_sensor=Transducer(highest=d.between(12, 15))),
        ),
        "pressure and flow exchanged": ("healthy", lambda d: d.run(d.vcv(), exchanged=("paw", "flow"))),
        "pressure and CO2 exchanged": ("healthy", lambda d: d.run(d.vcv(), co2={}, exchanged=("paw", "pco2"))),
        "flow reversed": ("healthy", lambda d: d.run(d.pcv(), flow_sensor=Transducer(gain=-1.0))),
        "flow in the wrong unit": ("healthy", lambda d: d.run(d.vcv(), flow_sensor=Transducer(gain=0.0167))),
        "packets written twice": (
            "healthy",
            lambda d: d.run(
                d.pcv(),
                co2={},
                fault=(Fault(at_s=20.0, duration_s=d.between(0.25, 1.5), every_s=6.7, kind="packet"),),
                breaths=34,
            ),
        ),
        "flow turns round": (
            "healthy",
            lambda d: d.run(d.pcv(), changes=_later(d.between(50, 55), flow_sensor=Transducer(gain=-1.0)), breaths=40),
        ),
        "pressure becomes kPa": (
            "healthy",
            lambda d: d.run(d.vcv(), changes=_later(d.between(50, 55), paw_sensor=Transducer(gain=0.098)), breaths=40),
        ),
        "flow saturates later": (
            "healthy",
            lambda d: d.run(
                d.pcv(), changes=_later(d.between(50, 55), flow_sensor=Transducer(highest=30.0)), co2={}, breaths=40
            ),
        ),
        "pressure stands still later": (
            "healthy",
            lambda d: d.run(
                d.vcv(), fault=(Fault(at_s=d.between(50, 55), duration_s=9e3, channels=("paw",)),), breaths=40
            ),
        ),
        "CO2 stands still later": (
            "healthy",
            lambda d: d.run(
                d.vcv(), co2={}, fault=(Fault(at_s=d.between(50, 55), duration_s=9e3, channels=("pco2",)),), breaths=40
            ),
        ),
        "flow saturates, no noise": (
            "healthy",
            lambda d: d.run(
                d.pcv(), sensor=Sensor(), flow_sensor=Transducer(lowest=-40.0, highest=d.between(30, 40)), co2={}
            ),
        ),
        "expiratory flow saturates, no noise": (
            "healthy",
            lambda d: d.run(d.vcv(), sensor=Sensor(), flow_sensor=Transducer(lowest=-25.0)),
        ),
        "pressure saturates, no noise": (
            "stiff",
            lambda d: d.run(
                d.vcv(pause_s=0.5), sensor=Sensor(), paw_sensor=Transducer(highest=d.between(12, 15))
            ),
        ),
        "CO2 saturates, no noise": (
            "healthy",
            lambda d: d.run(
                d.vcv(),
                sensor=Sensor(),
                co2={"plateau_mmhg": d.between(36, 44)},
                pco2_sensor=Transducer(highest=d.between(33, 36)),
            ),
        ),
        "samples missing, all channels": (
            "healthy",
            lambda d: d.run(
                d.vcv(), fault=(Fault(at_s=33.0, duration_s=1.5, every_s=21.0, kind="missing"),), breaths=34
            ),
        ),
    }
)  # fmt: skip
