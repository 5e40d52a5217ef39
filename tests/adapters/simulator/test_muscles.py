"""Muscles against closed forms and an independent solver; when they act, and what jitter leaves alone."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from adapters.simulator import simulate
from adapters.simulator.scenario import Effort, Hold, Relaxation, Scenario
from streamer.model.chunk import Channel, FloatArray
from streamer.model.errors import ConfigError
from tests.support.simulated import joined, lung, pcv, vcv

VOLUME_CONTROL = vcv(lung(0.05, 10), 5, 0.5, 0.5, 15)
PRESSURE_CONTROL = pcv(lung(0.05, 10, 12), 5, 12, 1.0, 0.1, 15)


def pmus(effort: Effort, since: FloatArray | float) -> FloatArray:
    """An effort by its definition, ``since`` its own onset."""
    t = np.asarray(since, dtype=float)
    rising = np.sin(np.pi / 2 * np.clip(t / effort.rise_s, 0, 1))
    falling = np.cos(np.pi / 2 * np.clip((t - effort.rise_s - effort.plateau_s) / effort.fall_s, 0, 1))
    return effort.amplitude_cmh2o * rising * falling


def mean_pmus(effort: Effort, since: FloatArray, length_s: float = 0.01) -> FloatArray:
    """Over sampling intervals centred at ``since``."""
    fine = (np.arange(64) + 0.5) / 64 - 0.5
    return pmus(effort, since[:, None] + length_s * fine).mean(axis=1)


@pytest.mark.parametrize("amplitude", [2.0, 10.0, -30.0])
@pytest.mark.parametrize("plateau_s", [0.0, 0.25])
def test_where_flow_is_given_pressure_is_lower_by_the_effort(amplitude: float, plateau_s: float) -> None:
    effort = Effort(amplitude_cmh2o=amplitude, offset_s=0.1, rise_s=0.25, plateau_s=plateau_s, fall_s=0.3)
    scenario = Scenario(duration_s=12, segments=(VOLUME_CONTROL,), first_onset_s=0.0042)
    passive = joined(simulate(scenario))
    simulation = simulate(msgspec.structs.replace(scenario, effort=(effort,)))
    active, breath = joined(simulation), simulation.truth.breaths[1]
    assert np.allclose(active[Channel.FLOW], passive[Channel.FLOW], rtol=0, atol=1e-9)
    index = np.arange(math.ceil(breath.start_s * 100 + 0.5), math.floor(breath.insp_end_s * 100 - 0.5))
    expected = -mean_pmus(effort, index / 100 - breath.start_s - 0.1)
    assert np.allclose((active[Channel.PAW] - passive[Channel.PAW])[index], expected, rtol=0, atol=2e-3)
    assert breath.pmus_insp == pytest.approx(amplitude, rel=1e-4)
    assert (breath.effort, breath.effort_phase) == (pytest.approx(abs(amplitude), rel=1e-4), "inspiration")
    assert breath.palv is None  # over before the end
    assert breath.pplat == pytest.approx(5 + 0.5 / 0.05, abs=0.1)


def test_where_pressure_is_given_flow_is_that_of_an_independent_solver() -> None:
    effort = Effort(amplitude_cmh2o=6, offset_s=0.3, rise_s=0.4, fall_s=0.5)  # on into expiration
    part = msgspec.structs.replace(
        PRESSURE_CONTROL, ventilator=msgspec.structs.replace(PRESSURE_CONTROL.ventilator, fall_s=0.0)
    )
    simulation = simulate(Scenario(duration_s=13, segments=(part,), first_onset_s=0.0042, effort=(effort,)))
    flow, breath = joined(simulation)[Channel.FLOW], simulation.truth.breaths[1]

    def into(t: float, volume: FloatArray) -> FloatArray:
        paw = 5 + 12 * min(t / 0.1, 1) if t < 1 else 5.0
        drop = paw - volume / 0.05 + pmus(effort, t - 0.3)
        return np.where(drop >= 0, drop / 10, drop / 12)

    start = 0.05 * breath.peep_total_before
    solved = solve_ivp(into, (0, 4), [start], rtol=1e-9, atol=1e-12, max_step=0.002, dense_output=True)
    index = np.arange(math.ceil(breath.start_s * 100 + 0.5), math.floor(breath.end_s * 100 - 0.5))
    edges = (np.append(index, index[-1] + 1) - 0.5) / 100 - breath.start_s
    expected = np.diff(solved.sol(edges)[0]) * 100
    assert np.allclose(flow[index], expected, rtol=0, atol=1e-4)
    assert breath.vt_lung == pytest.approx(1000 * (solved.sol(1.0)[0] - start), abs=0.1)
    assert breath.palv == pytest.approx(breath.pplat - float(pmus(effort, 0.7)), abs=1e-3)


def test_an_effort_shows_in_a_hold() -> None:
    effort = Effort(amplitude_cmh2o=4, offset_s=1.2, rise_s=0.2, plateau_s=5, fall_s=0.3, at_s=4, duration_s=1)
    held = (Hold(at_s=4, kind="inspiratory", duration_s=2),)
    scenario = Scenario(duration_s=20, segments=(VOLUME_CONTROL,), hold=held, effort=(effort,))
    truth = simulate(scenario).truth
    breath = next(breath for breath in truth.breaths if breath.insp_hold_s)
    assert breath.pplat == pytest.approx(15, abs=0.03)
    assert truth.holds[0].pressure == pytest.approx(breath.pplat - 4, abs=1e-6)


def test_an_ineffective_effort_slows_expiration_and_pressure_falls_only_at_a_valve_that_resists() -> None:
    effort = Effort(amplitude_cmh2o=4, offset_s=1.6)
    scenario = Scenario(duration_s=13, segments=(VOLUME_CONTROL,), first_onset_s=0.2, effort=(effort,))
    passive = joined(simulate(msgspec.structs.replace(scenario, effort=())))
    simulation = simulate(scenario)
    active, breath = joined(simulation), simulation.truth.breaths[1]
    at = round((breath.start_s + 1.9) * 100)
    assert active[Channel.FLOW][at] > passive[Channel.FLOW][at] + 0.05
    assert (breath.effort_phase, breath.pmus_insp) == ("expiration", None)
    assert breath.pmus_exp == pytest.approx(4, rel=1e-4)
    assert not any(effort.triggered for effort in simulation.truth.efforts)


def starts(scenario: Scenario) -> list[float]:
    return [effort.start_s for effort in simulate(scenario).truth.efforts]


def test_when_efforts_come() -> None:
    def scenario(**keys: object) -> Scenario:
        effort = Effort(**({"amplitude_cmh2o": 5} | keys))
        return Scenario(duration_s=30, segments=(VOLUME_CONTROL,), first_onset_s=1.0, effort=(effort,))

    assert starts(scenario(offset_s=0.5)) == pytest.approx([1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5])
    assert starts(scenario(offset_s=0.5, at_s=8, duration_s=9)) == pytest.approx([9.5, 13.5])
    assert starts(scenario(offset_s=0.5, every=3)) == pytest.approx([1.5, 13.5, 25.5])
    assert starts(scenario(offset_s=-0.5, at_s=8)) == pytest.approx([8.5, 12.5, 16.5, 20.5, 24.5, 28.5])
    assert starts(scenario(rate_per_min=12, at_s=7.3)) == pytest.approx([7.3, 12.3, 17.3, 22.3, 27.3])
    assert starts(scenario(rate_per_min=12, at_s=7.3, duration_s=6)) == pytest.approx([7.3, 12.3])


JITTERED = Effort(amplitude_cmh2o=8, offset_s=0.4, amplitude_cv=0.2, timing_sd_s=0.05)


def test_jitter_is_drawn_from_the_seed_and_disturbs_nobody_else() -> None:
    scenario = Scenario(duration_s=1200, segments=(VOLUME_CONTROL,), first_onset_s=1.0, effort=(JITTERED,))
    efforts = simulate(scenario).truth.efforts
    assert efforts == simulate(scenario).truth.efforts
    assert efforts != simulate(msgspec.structs.replace(scenario, seed=1)).truth.efforts
    height = np.array([effort.amplitude for effort in efforts])
    late = np.array([effort.start_s for effort in efforts]) - 4 * np.arange(len(efforts)) - 1.4
    assert len(efforts) >= 298
    assert height.mean() == pytest.approx(8, abs=0.3)
    assert height.std() == pytest.approx(1.6, rel=0.15)
    assert (late.mean(), late.std()) == (pytest.approx(0, abs=0.01), pytest.approx(0.05, rel=0.15))
    assert abs(np.corrcoef(height, late)[0, 1]) < 0.2
    more = msgspec.structs.replace(scenario, effort=(JITTERED, Effort(amplitude_cmh2o=3, rate_per_min=7)))
    assert tuple(e for e in simulate(more).truth.efforts if e.effort == 0) == efforts


def test_a_cough_is_a_burst_of_pushes() -> None:
    cough = Effort(amplitude_cmh2o=-50, rate_per_min=240, at_s=6, duration_s=1, rise_s=0.05, fall_s=0.1)
    simulation = simulate(Scenario(duration_s=13, segments=(VOLUME_CONTROL,), effort=(cough,)))
    samples, breath = joined(simulation), simulation.truth.breaths[1]
    assert samples[Channel.FLOW][600:700].min() < -2.0
    assert np.count_nonzero(np.diff(np.sign(samples[Channel.FLOW][600:700]))) >= 6
    assert (breath.pmus_exp, len(simulation.truth.efforts)) == (pytest.approx(-50, rel=1e-3), 4)


@pytest.mark.parametrize(
    ("effort", "told"),
    [
        (Effort(amplitude_cmh2o=5, rate_per_min=12, offset_s=0.2), "effort.0.offset_s: efforts at a rate"),
        (Effort(amplitude_cmh2o=5, rate_per_min=12, every=2), "effort.0.every: efforts at a rate"),
        (Effort(amplitude_cmh2o=5, offset_s=-4.1), "effort.0.offset_s: reaches back past the breath before: -4.00 s"),
        (Effort(amplitude_cmh2o=5, rate_per_min=90), "effort.0.rate_per_min: one lasts 0.80 s"),
    ],
)
def test_efforts_that_contradict_themselves_are_refused(effort: Effort, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Scenario(effort=(effort,))


def slope_of_volume_control(**changes: object) -> float:
    """Compliance (mL/cmH2O) as the slope of pressure between 20 and 80 % of a square inspiration gives it."""
    efforts = changes.pop("effort", ())
    part = msgspec.structs.replace(vcv(lung(0.04, 10, 12), 8, 0.42, 0.5, 20), **changes)
    simulation = simulate(Scenario(duration_s=13, segments=(part,), first_onset_s=0.0033, effort=efforts))
    breath, paw = simulation.truth.breaths[2], joined(simulation)[Channel.PAW]
    ti_s = breath.insp_end_s - breath.start_s
    first, last = (round(100 * (breath.start_s + share * ti_s)) for share in (0.2, 0.8))
    return 500 / float(np.polyfit(np.arange(first, last) / 100, paw[first:last], 1)[0])


def test_what_misleads_estimators_misleads_them_as_much_as_is_known() -> None:
    """Algorithms §4.4: -16 % by stress relaxation, less by an early effort, +22 % by a late one of only 2 cmH2O."""
    assert slope_of_volume_control() == pytest.approx(40, rel=1e-3)
    assert slope_of_volume_control(relaxation=Relaxation()) == pytest.approx(40 * 0.84, rel=0.02)
    early, late = (Effort(amplitude_cmh2o=2, offset_s=offset_s) for offset_s in (0.0, 0.5))
    assert slope_of_volume_control(effort=(early,)) < 40 * 0.97
    assert slope_of_volume_control(effort=(late,)) == pytest.approx(40 * 1.22, rel=0.03)
