"""Whatever a capnograph is told to be: every sample, the same for any chunk length, and within what gas can be."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulator import simulate
from adapters.simulator.capnograph import respond
from adapters.simulator.course import Segment
from adapters.simulator.scenario import (
    Capnogram,
    Capnograph,
    Cardiogenic,
    Delay,
    GasExchange,
    Rebreathing,
    Scenario,
    Span,
    Suction,
    Ventilator,
)
from streamer.model.chunk import Channel
from tests.support import adapter_contract as contract

DEVICES = st.builds(
    Capnograph,
    time_constant_s=st.sampled_from([0.0, 0.03, 0.4]),
    mixing_s=st.sampled_from([0.0, 0.05]),
    flow_per_cmh2o=st.sampled_from([0.0, 0.01, 0.05]),
    scale=st.sampled_from(["BTPS", "dry"]),
    rate_hz=st.sampled_from([5.0, 20.0, 100.0, 333.3]),
    clock_offset_s=st.floats(-100, 100),
    clock_ppm=st.floats(-10_000, 10_000),
)


def beside(device: Capnograph) -> Capnograph:
    """The same in the ventilator's stream."""
    return msgspec.structs.replace(device, rate_hz=None, clock_ppm=0.0, clock_offset_s=0.0)


DELAYS = st.lists(
    st.builds(
        Delay, at_s=st.floats(0, 20), delay_s=st.none() | st.floats(0, 8), drift_ms_per_min=st.sampled_from([0.0, 90.0])
    ),
    max_size=3,
).map(lambda delays: tuple(sorted(delays, key=lambda delay: delay.at_s)))


@settings(max_examples=60, deadline=None)
@given(
    st.none() | DEVICES | DEVICES.map(beside),
    DELAYS,
    st.floats(0, 8),
    st.sampled_from([None, GasExchange(unperfused_share=0.3, arterial_mmhg=48)]),
    st.sampled_from([None, Rebreathing(volume_ml=80)]),
    st.sampled_from([None, Cardiogenic()]),
    st.sampled_from([50.0, 100.0, 200.0]),
    st.floats(0.05, 20),
)
def test_everything_together_gives_every_sample_for_any_chunk_length(  # noqa: PLR0917
    device: Capnograph | None,
    delays: tuple[Delay, ...],
    delay_s: float,
    exchange: GasExchange | None,
    again: Rebreathing | None,
    heart: Cardiogenic | None,
    rate_hz: float,
    chunk_s: float,
) -> None:
    part = Segment(capnogram=Capnogram(), gas_exchange=exchange, rebreathing=again, cardiogenic=heart)
    pressure = msgspec.structs.replace(part, at_s=9.0, ventilator=Ventilator(mode="pcv", peep_cmh2o=10))
    scenario = Scenario(
        duration_s=20,
        rate_hz=rate_hz,
        segments=(part, pressure),
        co2_delay_s=delay_s,
        co2_delay=delays,
        capnograph=device,
        suction=(Suction(at_s=6, duration_s=1, pressure_cmh2o=-8),),
        disconnect=(Span(at_s=12, duration_s=2),),
    )
    one, other = simulate(scenario), simulate(scenario)
    whole, cut = list(one.chunks(1.0)), list(other.chunks(chunk_s))
    assert one.truth == other.truth
    for source in {chunk.source for chunk in whole}:
        mine, its = ([chunk for chunk in chunks if chunk.source == source] for chunks in (whole, cut))
        assert contract.stream(mine).form() == contract.stream(its).form()
        true_hz = rate_hz if source == "simulator" else scenario.co2_rate_hz
        assert contract.stream(mine).n == round(20 * true_hz)
        for chunk in mine:
            assert all(np.isfinite(samples).all() for samples in chunk.channels.values())
            assert chunk.channels.get(Channel.PCO2, np.zeros(1)).min() >= -2
            assert chunk.channels.get(Channel.PCO2, np.zeros(1)).max() < 60
    assert {chunk.source for chunk in whole} == {"simulator"} | ({"capnograph"} if device and device.rate_hz else set())


def test_the_compiled_response_is_its_source() -> None:
    gas = np.random.default_rng(1).uniform(0, 40, 500)
    one, other = np.array([np.nan]), np.array([np.nan])
    assert np.allclose(respond(gas, 30.0, one), respond.py_func(gas, 30.0, other), rtol=0, atol=1e-9)
    assert one == other
