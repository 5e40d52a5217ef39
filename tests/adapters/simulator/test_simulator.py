"""The simulator as an adapter and as a bench: what changes nothing, what sensors add, what happens when."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import simulator
from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Circuit, Hold, Lung, Scenario, Sensor, Span, Ventilator
from streamer.model.chunk import Channel
from streamer.model.errors import ConfigError
from tests.support import adapter_contract as contract
from tests.support.busy_scenario import BUSY, NOISE
from tests.support.simulated import joined, lung, vcv

LIVELY = Scenario(
    duration_s=40,
    seed=3,
    start_s=100.0,
    first_onset_s=0.123,
    segments=(
        Segment(capnogram=Capnogram(), sensor=NOISE),
        Segment(
            at_s=15,
            capnogram=Capnogram(dead_space_ml=200),
            ventilator=Ventilator(mode="pcv", rise_s=0.15, rate_per_min=26, peep_cmh2o=8),
            circuit=Circuit(leak_l_min_per_sqrt_cmh2o=2),
        ),
    ),
    hold=(Hold(at_s=3, kind="inspiratory", duration_s=0.6), Hold(at_s=7, kind="expiratory", duration_s=1.5)),
    disconnect=(Span(at_s=24.4, duration_s=3),),
    gap=(Span(at_s=31.0, duration_s=1.5),),
)


async def test_it_is_an_adapter_like_any_other(tmp_path: Path) -> None:
    found = contract.same_twice(lambda: simulate(LIVELY).chunks(0.1))
    assert [stretch.start_s for stretch in found.stretches] == [100.0, 132.5]
    assert found.n == 3850
    options = simulator.Settings(scenario=Path("vcv_hold"), chunk_s=0.5)
    await contract.closes_promptly(simulator.chunks, options)
    chunks = [chunk async for chunk in simulator.chunks(options)]
    assert contract.check(chunks).form() == contract.stream(simulate("vcv_hold").chunks(7.0)).form()
    with pytest.raises(ConfigError):
        await anext(simulator.chunks(simulator.Settings(scenario=tmp_path / "none.toml")))


@pytest.mark.parametrize("chunk_s", [0.01, 0.37, 5.0, 1000.0])
@pytest.mark.parametrize("scenario", [LIVELY, BUSY], ids=["lively", "busy"])
def test_chunk_length_changes_no_sample(scenario: Scenario, chunk_s: float) -> None:
    one, other = simulate(scenario), simulate(scenario)
    assert contract.stream(one.chunks(chunk_s)).form() == contract.stream(other.chunks(1.0)).form()
    assert one.truth == other.truth == simulate(scenario).truth


@pytest.mark.parametrize("name", ["leak", "busy"])
def test_uncompiled_source_gives_the_same(name: str, tmp_path: Path) -> None:
    """The kernel stays plain Python that runs without a compiler."""
    source = (
        "import sys, numpy as np; from adapters.simulator import simulate; "
        "from tests.support.busy_scenario import BUSY; "
        "chunk = next(simulate(sys.argv[2] if sys.argv[2] == 'leak' else BUSY).chunks(8.0)); "
        "np.save(sys.argv[1], chunk.channels['paw'])"
    )
    place = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([sys.executable, "-c", source, str(tmp_path / "paw.npy"), name], check=True, env=place)
    compiled = next(simulate("leak" if name == "leak" else BUSY).chunks(8.0)).channels[Channel.PAW]
    assert np.allclose(np.load(tmp_path / "paw.npy"), compiled, rtol=0, atol=1e-9)


@pytest.mark.parametrize("delay_s", [0.05, -0.05, 2.31])
def test_a_late_capnograph_shows_the_same_later(delay_s: float) -> None:
    part = Segment(capnogram=Capnogram())
    now = joined(simulate(Scenario(duration_s=20, segments=(part,), first_onset_s=0.4)))
    late = joined(simulate(Scenario(duration_s=20, segments=(part,), first_onset_s=0.4, co2_delay_s=delay_s)))
    assert np.allclose(now[Channel.FLOW], late[Channel.FLOW], rtol=0, atol=1e-9)
    by = round(delay_s * 100)
    one, other = (now[Channel.PCO2], late[Channel.PCO2]) if by > 0 else (late[Channel.PCO2], now[Channel.PCO2])
    assert np.allclose(one[: -abs(by)], other[abs(by) :], atol=1e-3)


def test_noise_is_white_seeded_and_per_channel() -> None:
    quiet = joined(simulate(Scenario(duration_s=300, segments=(Segment(capnogram=Capnogram()),))))
    noisy = joined(simulate(Scenario(duration_s=300, segments=(Segment(capnogram=Capnogram(), sensor=NOISE),))))
    other = joined(simulate(Scenario(duration_s=300, seed=1, segments=(Segment(capnogram=Capnogram(), sensor=NOISE),))))
    noise = np.array([noisy[name] - quiet[name] for name in Channel])
    assert noise.std(axis=1) == pytest.approx([0.2, 1 / 60, 0.5], rel=0.02)
    assert np.abs(np.corrcoef(noise) - np.eye(3)).max() < 0.03
    assert np.abs([np.corrcoef(one[1:], one[:-1])[0, 1] for one in noise]).max() < 0.03
    assert not np.array_equal(noisy[Channel.PAW], other[Channel.PAW])


def test_sensor_errors_and_steps() -> None:
    errors = Sensor(flow_gain=1.1, flow_gain_exp=0.9, flow_offset_l_min=0.6, paw_step_cmh2o=0.5)
    exact, wrong = (joined(simulate(Scenario(segments=(Segment(sensor=part),)))) for part in (Sensor(), errors))
    flow = exact[Channel.FLOW]
    assert np.allclose(wrong[Channel.FLOW], flow * np.where(flow >= 0, 1.1, 0.9) + 0.01)
    assert np.allclose(wrong[Channel.PAW] % 0.5, 0.0)
    assert np.abs(wrong[Channel.PAW] - exact[Channel.PAW]).max() <= 0.25


@pytest.mark.parametrize("mode", ["vcv", "pcv"])
def test_a_disconnected_tube_has_no_pressure(mode: str) -> None:
    part = Segment(ventilator=Ventilator(mode=mode, peep_cmh2o=8), capnogram=Capnogram())
    open_s = (13.07, 20.5)
    scenario = Scenario(duration_s=40, segments=(part,), disconnect=(Span(at_s=open_s[0], duration_s=7.43),))
    simulation = simulate(scenario)
    samples = joined(simulation)
    inside, after = slice(1309, 2049), slice(3600, 4000)
    assert samples[Channel.PAW][inside].max() <= 1.0
    assert samples[Channel.FLOW][inside].min() >= 0.0  # nothing comes back
    assert samples[Channel.PCO2][inside].max() == 0.0
    assert np.allclose(samples[Channel.PAW][after], samples[Channel.PAW][800:1200], atol=0.05)
    told = [breath.start_s for breath in simulation.truth.breaths if breath.disconnected]
    assert told == [12.0, 16.0, 20.0]


def test_a_change_keeps_the_lungs_pressure_and_waits_for_a_breath() -> None:
    stiff = Segment(at_s=9, lung=Lung(compliance_ml_cmh2o=25))
    truth = simulate(Scenario(duration_s=24, segments=(Segment(), stiff))).truth
    assert [breath.segment for breath in truth.breaths] == [0, 0, 0, 1, 1, 1]
    assert truth.breaths[3].peep_total_before == pytest.approx(truth.breaths[2].peep_total)
    assert truth.breaths[4].pplat == pytest.approx(25, abs=0.1)


def test_the_first_breath_is_like_the_last() -> None:
    segment = vcv(lung(0.1, 40), 5, 0.5, 0.5, 20)  # tau 4 s: takes many breaths to settle
    breaths = simulate(Scenario(duration_s=60, segments=(segment,), first_onset_s=1.0)).truth.breaths
    assert breaths[0].pplat == pytest.approx(breaths[-1].pplat, abs=1e-6)
    assert breaths[0].peep_total_before > 10


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2000), st.sampled_from([50.0, 80.0, 100.0, 200.0]), st.sampled_from([0.0, 0.0025, 0.01, -0.05]))
def test_onsets_may_lie_on_the_edge_of_a_sampling_interval(half: int, rate_hz: float, delay_s: float) -> None:
    part = Segment(ventilator=Ventilator(rate_per_min=60 / 2.6, ti_s=0.6, mode="pcv"), capnogram=Capnogram())
    onset_s = half / 2 / rate_hz
    scenario = Scenario(duration_s=7, rate_hz=rate_hz, first_onset_s=onset_s, segments=(part,), co2_delay_s=delay_s)
    samples = joined(simulate(scenario))
    assert all(channel.size == 7 * rate_hz and np.isfinite(channel).all() for channel in samples.values())
