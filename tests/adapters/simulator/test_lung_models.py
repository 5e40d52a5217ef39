"""What a lung may have beyond one compartment: a second, relaxation, a tube, a valve; each against its closed form."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulator import lung as _lung
from adapters.simulator import simulate
from adapters.simulator.constants import lung_constants
from adapters.simulator.course import Segment
from adapters.simulator.scenario import (
    Circuit,
    Hold,
    Lung,
    Relaxation,
    Scenario,
    SecondCompartment,
    Tube,
    Valve,
    Ventilator,
)
from adapters.simulator.valve import Phase
from streamer.model.chunk import Channel, FloatArray
from tests.support.simulated import joined, lung, pcv, vcv

C1, C2, R, R2, FLOW, VT = 0.03, 0.02, 8.0, 20.0, 0.4, 0.4
TAU_2 = R2 * C1 * C2 / (C1 + C2)


def two_compartments(**changes: object) -> Segment:
    second = SecondCompartment(compliance_ml_cmh2o=1000 * C2, resistance_cmh2o_s_l=R2)
    part = vcv(lung(C1, R, 4.0), 5, VT, FLOW, 12)
    return msgspec.structs.replace(part, second_compartment=second, **changes)


def between(from_s: float, to_s: float, rate_hz: float = 100.0) -> tuple[slice, FloatArray]:
    """Samples whose intervals lie within, and their instants since ``from_s``."""
    index = np.arange(math.ceil(from_s * rate_hz + 0.5), math.floor(to_s * rate_hz - 0.5) + 1)
    return slice(index[0], index[-1] + 1), index / rate_hz - from_s


def test_constant_flow_fills_two_compartments_at_the_slope_of_both() -> None:
    """Paw = R·F + P1, where P1 - P2 approaches F·tau/C1 and P1 is ahead of the static pressure by C2/(C1+C2) of it."""
    simulation = simulate(Scenario(duration_s=21, segments=(two_compartments(),), first_onset_s=0.0021))
    breath = simulation.truth.breaths[2]
    paw, (inside, since) = joined(simulation)[Channel.PAW], between(breath.start_s, breath.insp_end_s)
    static = 5 + FLOW * since / (C1 + C2)
    apart = FLOW * TAU_2 / C1 * (1 - np.exp(-since / TAU_2) * math.sinh(0.005 / TAU_2) / (0.005 / TAU_2))
    assert np.allclose(paw[inside], R * FLOW + static + apart * C2 / (C1 + C2), rtol=0, atol=2e-3)
    late = paw[inside][-20:]
    assert (late[-1] - late[0]) / 0.19 == pytest.approx(FLOW / (C1 + C2), rel=0.02)


def test_gas_swings_between_compartments_in_a_hold() -> None:
    held = (Hold(at_s=5, kind="inspiratory", duration_s=3),)
    scenario = Scenario(duration_s=21, segments=(two_compartments(),), first_onset_s=0.0021, hold=held)
    simulation = simulate(scenario)
    truth, paw = simulation.truth, joined(simulation)[Channel.PAW]
    (hold,), breath = truth.holds, truth.breaths[1]
    inside, since = between(hold.start_s, hold.end_s)
    apart = FLOW * TAU_2 / C1 * C2 / (C1 + C2) * (1 - math.exp(-VT / FLOW / TAU_2))
    assert truth.segments[0].crs == pytest.approx(50)
    assert breath.pplat == pytest.approx(5 + VT / (C1 + C2), abs=2e-3)
    assert np.allclose(paw[inside] - breath.pplat, apart * np.exp(-since / TAU_2), rtol=0, atol=2e-3)
    assert hold.pressure == pytest.approx(breath.pplat, abs=1e-4)
    free = truth.breaths[2]
    assert free.pplat == pytest.approx(breath.pplat, abs=2e-3)
    assert free.palv == pytest.approx(free.pplat + apart, abs=2e-3)


def test_a_slow_branch_that_empties_slowly_traps_gas() -> None:
    slow = SecondCompartment(compliance_ml_cmh2o=30, resistance_cmh2o_s_l=20, resistance_exp_cmh2o_s_l=100)
    part = msgspec.structs.replace(vcv(lung(0.03, 8), 5, 0.4, 0.4, 20), second_compartment=slow)
    breaths = simulate(Scenario(duration_s=30, segments=(part,))).truth.breaths
    assert breaths[0].peep_total > 6
    assert [breath.vt_exp for breath in breaths] == pytest.approx([400] * len(breaths), abs=0.01)


def test_a_second_compartment_may_come_and_the_lung_keeps_its_pressure() -> None:
    plain, both = vcv(lung(C1, R), 5, 0.3, 0.4, 12), msgspec.structs.replace(two_compartments(), at_s=9)
    truth = simulate(Scenario(duration_s=30, segments=(plain, both))).truth
    first = next(breath for breath in truth.breaths if breath.segment == 1)
    assert first.peep_total_before == pytest.approx(5, abs=0.01)
    assert [segment.crs for segment in truth.segments] == pytest.approx([30, 50])


RELAXING = Relaxation(stiffness_cmh2o_l=8, time_constant_s=0.75)


def test_a_kelvin_body_relaxes_in_a_hold() -> None:
    """§4.1.4: half a second into a hold pressure reads about 1 cmH2O above the elastic one at a volume of 420 mL."""
    part = msgspec.structs.replace(vcv(lung(0.04, 10, 12), 8, 0.42, 0.5, 20), relaxation=RELAXING)
    scenario = Scenario(
        duration_s=20,
        segments=(part,),
        first_onset_s=0.0033,
        hold=(Hold(at_s=6, kind="inspiratory", duration_s=2.5), Hold(at_s=12, kind="expiratory", duration_s=5)),
    )
    simulation = simulate(scenario)
    breath = next(breath for breath in simulation.truth.breaths if breath.insp_hold_s)
    paw, (inside, since) = joined(simulation)[Channel.PAW], between(breath.insp_end_s - 2.5, breath.insp_end_s)
    above = paw[inside] - breath.pplat
    assert breath.pplat == pytest.approx(breath.peep_total_before + 0.42 / 0.04, abs=1e-4)
    assert above[round(0.5 * 100)] == pytest.approx(1.0, abs=0.1)
    assert np.allclose(above, above[0] * np.exp(-(since - since[0]) / 0.75), rtol=0, atol=1e-4)
    assert breath.palv == pytest.approx(breath.pplat + above[0] * math.exp(-(2.5 - since[0]) / 0.75), abs=1e-3)
    shown, shown_later = (hold.pressure for hold in simulation.truth.holds)
    assert shown == pytest.approx(breath.palv, abs=1e-6)
    emptied = next(breath for breath in simulation.truth.breaths if breath.exp_hold_s)
    assert shown_later == pytest.approx(emptied.peep_total, abs=0.01)


def test_a_kelvin_body_adds_its_response_to_constant_flow() -> None:
    part = msgspec.structs.replace(vcv(lung(0.04, 10, 4), 8, 0.42, 0.5, 4), relaxation=RELAXING)
    simulation = simulate(Scenario(duration_s=40, segments=(part,), first_onset_s=0.0033))
    breath = simulation.truth.breaths[0]
    before = 8 - breath.peep_total_before  # of 14 s of relaxation nothing is left
    assert before == pytest.approx(0, abs=1e-3)
    paw, (inside, since) = joined(simulation)[Channel.PAW], between(breath.start_s, breath.insp_end_s)
    expected = 8 + 10 * 0.5 + 0.5 * since / 0.04 + 8 * 0.5 * 0.75 * (1 - np.exp(-since / 0.75))
    assert np.allclose(paw[inside], expected, rtol=0, atol=1e-3)


def test_a_tube_adds_the_square_of_flow() -> None:
    part = msgspec.structs.replace(vcv(lung(0.05, 6), 5, 0.5, 0.8, 12), tube=Tube(k2_cmh2o_s2_l2=8))
    for breath in simulate(Scenario(segments=(part,))).truth.breaths:
        assert breath.ppeak - breath.pplat == pytest.approx(6 * 0.8 + 8 * 0.8**2, abs=1e-5)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(-10, 40), st.floats(-1.5, 2.0), st.floats(0.5, 50), st.floats(0.5, 50),
    st.sampled_from([0.0, 1e-6, 2.0, 4.0, 30.0, 100.0]), st.sampled_from([0.0, 0.01, 0.05, 0.5]), st.floats(0, 20),
    st.booleans(),
)  # fmt: skip
def test_flow_and_pressure_at_the_airway_solve_their_equations(  # noqa: PLR0917
    alveolar: float,
    level: float,
    r: float,
    r_exp: float,
    k2: float,
    leak: float,
    valve: float,
    is_flow: bool,  # noqa: FBT001
) -> None:
    segment = Segment(
        lung=Lung(resistance_cmh2o_s_l=r, resistance_exp_cmh2o_s_l=r_exp),
        circuit=Circuit(leak_l_min_per_sqrt_cmh2o=60 * leak),
        tube=Tube(k2_cmh2o_s2_l2=k2),
    )
    source = level if is_flow else 20 * level
    phase = Phase(0.0, 1.0, source, is_flow=is_flow, resistance=0.0 if is_flow else valve)
    flow, sensed, paw = _lung.airway(alveolar, source, phase, lung_constants(segment))
    drop = (r if flow >= 0 else r_exp) * flow + k2 * flow * abs(flow)
    assert paw - alveolar == pytest.approx(drop, abs=1e-8)
    assert sensed == pytest.approx(flow + leak * math.sqrt(max(paw, 0)), abs=1e-8)
    assert (sensed if is_flow else paw + phase.resistance * flow) == pytest.approx(source, abs=1e-8)


def test_a_valve_with_resistance_raises_pressure_as_gas_leaves() -> None:
    plain = pcv(lung(0.05, 10), 5, 15, 1.0, 0.0, 15)
    part = msgspec.structs.replace(plain, valve=Valve(resistance_cmh2o_s_l=4))
    simulation = simulate(Scenario(duration_s=12, segments=(part,), first_onset_s=0.1))
    samples, breath = joined(simulation), simulation.truth.breaths[1]
    inside, since = between(breath.insp_end_s, breath.end_s)
    flow = samples[Channel.FLOW][inside]
    assert np.allclose(samples[Channel.PAW][inside], 5 - 4 * flow, rtol=0, atol=1e-6)
    late = since > 0.1
    assert np.allclose(np.diff(np.log(-flow[late][:100])), -0.01 / (0.05 * 14), rtol=1e-3)


def test_features_left_out_are_as_features_of_no_effect() -> None:
    plain = Scenario(duration_s=20, segments=(Segment(ventilator=Ventilator(mode="pcv")),))
    nothing = Segment(
        ventilator=Ventilator(mode="pcv"),
        relaxation=Relaxation(stiffness_cmh2o_l=0),
        tube=Tube(),
        valve=Valve(),
    )
    one, other = joined(simulate(plain)), joined(simulate(msgspec.structs.replace(plain, segments=(nothing,))))
    assert all(np.array_equal(one[channel], other[channel]) for channel in one)
