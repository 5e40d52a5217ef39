"""Situations in which a signal lies: recorders repeat, counters wrap, a channel saturates, stands or is another's."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from adapters._scenario import Fault, Transducer
from tests.trust.listed_today import Make

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
        "samples missing, all channels": (
            "healthy",
            lambda d: d.run(
                d.vcv(), fault=(Fault(at_s=33.0, duration_s=1.5, every_s=21.0, kind="missing"),), breaths=34
            ),
        ),
    }
)  # fmt: skip
