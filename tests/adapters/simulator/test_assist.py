"""What the patient decides: when a breath begins, when pressure support ends; and what goes wrong between the two."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Assist, Circuit, Effort, Hold, Scenario, Suction, Valve, Ventilator
from adapters.simulator.truth import BreathTruth
from streamer.model.chunk import Channel
from tests.support.simulated import joined, lung, vcv

C, R = 0.05, 10.0
BREATHING = Effort(amplitude_cmh2o=8, rate_per_min=18, rise_s=0.5, fall_s=0.4)


def psv(assist: Assist | None = None, rise_s: float = 0.0, ti_s: float = 3.0, rate: float = 10) -> Segment:
    ventilator = Ventilator(
        mode="psv",
        rate_per_min=rate,
        peep_cmh2o=5,
        inspiratory_pressure_cmh2o=10,
        ti_s=ti_s,
        rise_s=rise_s,
        fall_s=0.0,
    )
    return Segment(lung=lung(C, R), ventilator=ventilator, assist=assist)


def assisted(segment: Segment, **assist: object) -> Segment:
    return msgspec.structs.replace(segment, assist=Assist(**assist))


def breaths(segment: Segment, *efforts: Effort, duration_s: float = 30) -> tuple[BreathTruth, ...]:
    scenario = Scenario(duration_s=duration_s, segments=(segment,), first_onset_s=0.4, effort=efforts)
    return simulate(scenario).truth.breaths


@pytest.mark.parametrize("fraction", [0.05, 0.25, 0.6])
def test_support_ends_at_the_stated_share_of_peak_flow(fraction: float) -> None:
    """Flow of a passive lung decays as exp(-t/RC), so the share is reached after RC·ln(1/share)."""
    for breath in breaths(psv(Assist(cycle_off_fraction=fraction))):
        assert not breath.triggered
        ti_s = breath.insp_end_s - breath.start_s
        assert ti_s == pytest.approx(R * C * math.log(1 / fraction), abs=0.004)
        assert breath.end_s - breath.start_s == pytest.approx(6, abs=1e-9)
        assert breath.ppeak == pytest.approx(15)


def test_support_ends_at_its_longest() -> None:
    for breath in breaths(psv(Assist(cycle_off_fraction=0.05), ti_s=0.7)):
        assert breath.insp_end_s - breath.start_s == pytest.approx(0.7)


def test_support_with_an_effort_ends_at_the_share_of_the_flow_that_was_seen() -> None:
    scenario = Scenario(duration_s=30, rate_hz=1000, segments=(psv(rise_s=0.1),), effort=(BREATHING,))
    simulation = simulate(scenario)
    flow = joined(simulation)[Channel.FLOW]
    told = simulation.truth.breaths[1:-1]
    assert all(breath.triggered for breath in told)
    assert 60 / np.diff([breath.start_s for breath in told]).mean() == pytest.approx(18, rel=0.01)
    for breath in told:
        inside = flow[round(breath.start_s * 1000) + 1 : round(breath.insp_end_s * 1000) - 1]
        assert inside[-1] == pytest.approx(0.25 * inside.max(), rel=0.03)
        assert inside.size > 300


def test_an_effort_begins_a_breath_as_flow_passes_the_trigger() -> None:
    """Into an empty lung at PEEP: flow = Pmus/R at first, so 2 L/min are drawn by a third of a cmH2O."""
    segment = assisted(vcv(lung(C, R, 4.0), 5, 0.4, 0.5, 8), trigger_flow_l_min=2)
    effort = Effort(amplitude_cmh2o=5, rate_per_min=12, at_s=2.0, rise_s=0.5, fall_s=0.5)
    scenario = Scenario(duration_s=31, rate_hz=1000, segments=(segment,), effort=(effort,))
    simulation = simulate(scenario)
    truth, flow = simulation.truth, joined(simulation)[Channel.FLOW]
    triggered = [breath for breath in truth.breaths if breath.triggered]
    assert [breath.start_s for breath in triggered] == pytest.approx([2 + 5 * k for k in range(6)], abs=0.06)
    assert all(breath.start_s > 2 + 5 * k for k, breath in enumerate(triggered))
    before = [flow[math.floor(breath.start_s * 1000 - 0.5)] for breath in triggered]  # a step and a sample: 2.5 ms
    assert before == pytest.approx([2 / 60] * 6, abs=0.0025 * 5 * math.pi / R)
    assert [effort.triggered for effort in truth.efforts] == [(breath.start_s,) for breath in triggered]
    for before, after in zip(truth.breaths, truth.breaths[1:], strict=False):
        assert after.start_s == before.end_s


def test_an_effort_too_weak_begins_nothing_and_the_ventilator_keeps_its_time() -> None:
    segment = assisted(vcv(lung(C, R, 4.0), 5, 0.4, 0.5, 8), trigger_flow_l_min=2)
    weak = Effort(amplitude_cmh2o=0.3, rate_per_min=12, at_s=2.0, rise_s=0.5, fall_s=0.5)
    scenario = Scenario(duration_s=31, segments=(segment,), first_onset_s=0.4, effort=(weak,))
    truth = simulate(scenario).truth
    assert [breath.start_s for breath in truth.breaths] == pytest.approx([0.4, 7.9, 15.4, 22.9, 30.4])
    assert not any(breath.triggered for breath in truth.breaths)
    assert len(truth.efforts) >= 5
    assert not any(effort.triggered for effort in truth.efforts)
    assert truth.breaths[1].effort == pytest.approx(0.3, rel=1e-3)


def test_trapped_gas_makes_efforts_ineffective() -> None:
    obstructed = msgspec.structs.replace(psv(rise_s=0.1), lung=lung(0.08, 15, 30))
    effort = Effort(amplitude_cmh2o=5, rate_per_min=28, rise_s=0.4, fall_s=0.3)
    scenario = Scenario(duration_s=60, segments=(obstructed,), effort=(effort,))
    truth = simulate(scenario).truth
    lost = [effort for effort in truth.efforts if not effort.triggered]
    assert 5 < len(lost) < len(truth.efforts) - 5
    assert min(breath.peep_total_before for breath in truth.breaths if breath.triggered) > 5.5


def test_an_effort_that_outlasts_inspiration_triggers_twice() -> None:
    short = assisted(vcv(lung(C, R), 5, 0.35, 0.9, 10))
    long = Effort(amplitude_cmh2o=16, rate_per_min=12, rise_s=0.3, plateau_s=0.8, fall_s=0.2)
    truth = simulate(Scenario(duration_s=40, segments=(short,), effort=(long,))).truth
    doubles = [effort for effort in truth.efforts if len(effort.triggered) == 2]
    assert len(doubles) >= 5
    first, second = doubles[2].triggered
    assert 0.35 / 0.9 + 0.1 < second - first < 0.9
    stacked = next(breath for breath in truth.breaths if breath.start_s == second)
    assert stacked.peep_total_before > 5.5  # on top of what had not left


def test_a_pressure_trigger_needs_a_valve_that_resists() -> None:
    segment = assisted(
        msgspec.structs.replace(vcv(lung(C, R, 4.0), 5, 0.4, 0.5, 8), valve=Valve(resistance_cmh2o_s_l=20)),
        trigger="pressure",
        trigger_pressure_cmh2o=1.5,
    )
    effort = Effort(amplitude_cmh2o=8, rate_per_min=12, at_s=2.0, rise_s=0.5, fall_s=0.5)
    scenario = Scenario(duration_s=31, rate_hz=1000, segments=(segment,), effort=(effort,))
    simulation = simulate(scenario)
    paw = joined(simulation)[Channel.PAW]
    triggered = [breath for breath in simulation.truth.breaths if breath.triggered]
    assert len(triggered) == 6
    assert [paw[round(breath.start_s * 1000) - 2] for breath in triggered] == pytest.approx([3.5] * 6, abs=0.05)


def test_a_leak_may_trigger_by_itself() -> None:
    leaking = msgspec.structs.replace(psv(), circuit=Circuit(leak_l_min_per_sqrt_cmh2o=2))
    told = breaths(leaking)[1:]
    assert all(breath.triggered and breath.effort is None for breath in told)
    assert 60 / np.diff([breath.start_s for breath in told]).mean() > 20


def test_holds_are_kept_and_before_an_expiratory_one_the_ventilator_is_deaf() -> None:
    held = (Hold(at_s=5, kind="inspiratory", duration_s=0.6), Hold(at_s=12, kind="expiratory", duration_s=2))
    scenario = Scenario(duration_s=40, segments=(psv(rise_s=0.1),), hold=held, effort=(BREATHING,))
    truth = simulate(scenario).truth
    first, second = truth.holds
    assert (first.end_s - first.start_s, second.end_s - second.start_s) == pytest.approx((0.6, 2))
    quiet = next(breath for breath in truth.breaths if breath.exp_hold_s)
    assert quiet.end_s - quiet.start_s == pytest.approx(8, abs=1e-6)
    assert quiet.triggered
    assert len([breath for breath in truth.breaths if breath.triggered]) >= 9


@pytest.mark.parametrize("mode", ["vcv", "pcv", "psv"])
def test_suction_pulls_pressure_below_zero_and_gas_out(mode: str) -> None:
    part = Segment(ventilator=Ventilator(mode=mode, peep_cmh2o=8))
    pull = Suction(at_s=13.07, duration_s=1.5, pressure_cmh2o=-10)
    simulation = simulate(Scenario(duration_s=40, segments=(part,), suction=(pull,)))
    samples, inside = joined(simulation), slice(1308, 1456)
    assert np.allclose(samples[Channel.PAW][inside], -10)
    assert samples[Channel.FLOW][inside].max() < 0
    assert [breath.start_s for breath in simulation.truth.breaths if breath.suctioned] == pytest.approx([12.0])
    breaths = simulation.truth.breaths
    assert breaths[-1].pplat == pytest.approx(breaths[1].pplat, abs=0.05)
    assert [breath.start_s for breath in breaths if breath.triggered] == ([] if mode != "psv" else [breaths[4].start_s])
    assert simulation.truth.suctions == (pull,)
