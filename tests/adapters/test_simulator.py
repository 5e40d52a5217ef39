"""The simulator against closed forms (algorithms.md §11): an oracle has to be right before anything is held to it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import simulator
from adapters._scenario import (
    Capnogram,
    Circuit,
    Hold,
    Lung,
    Scenario,
    Segment,
    Sensor,
    Span,
    Ventilator,
)
from adapters._scenario_file import bundled, load_scenario
from adapters.simulator import Simulation, simulate
from streamer.chunk import Channel, FloatArray
from streamer.errors import ConfigError
from streamer.units import JOULE_PER_L_CMH2O as K
from tests.adapters import contract

NOISE = Sensor(paw_noise_cmh2o=0.2, flow_noise_l_min=1.0, pco2_noise_mmhg=0.5)
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
SMOOTH_S = st.floats(0.0, 4.0)


def vcv(  # noqa: PLR0917
    lung: Lung, peep: float, vt: float, flow_l_s: float, rr: float, pause_s: float = 0.0, fall_s: float = 0.0
) -> Segment:
    ventilator = Ventilator(
        rate_per_min=rr,
        peep_cmh2o=peep,
        tidal_volume_ml=vt * 1000,
        flow_l_min=flow_l_s * 60,
        pause_s=pause_s,
        fall_s=fall_s,
    )
    return Segment(lung=lung, ventilator=ventilator)


def pcv(  # noqa: PLR0917
    lung: Lung, peep: float, above: float, ti_s: float, rise_s: float, rr: float, fall_s: float = 0.0
) -> Segment:
    ventilator = Ventilator(
        mode="pcv",
        rate_per_min=rr,
        peep_cmh2o=peep,
        inspiratory_pressure_cmh2o=above,
        ti_s=ti_s,
        rise_s=rise_s,
        fall_s=fall_s,
    )
    return Segment(lung=lung, ventilator=ventilator)


def one_lung(c: float, r: float, r_exp: float | None = None) -> Lung:
    return Lung(compliance_ml_cmh2o=c * 1000, resistance_cmh2o_s_l=r, resistance_exp_cmh2o_s_l=r_exp)


def joined(simulation: Simulation, chunk_s: float = 1.0) -> dict[Channel, FloatArray]:
    chunks = list(simulation.chunks(chunk_s))
    return {name: np.concatenate([chunk.channels[name] for chunk in chunks]) for name in chunks[0].channels}


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
def test_chunk_length_changes_no_sample(chunk_s: float) -> None:
    one, other = simulate(LIVELY), simulate(LIVELY)
    assert contract.stream(one.chunks(chunk_s)).form() == contract.stream(other.chunks(1.0)).form()
    assert one.truth == other.truth == simulate(LIVELY).truth


def test_uncompiled_source_gives_the_same(tmp_path: Path) -> None:
    """The kernel stays plain Python that runs without a compiler."""
    source = (
        "import sys, numpy as np; from adapters.simulator import simulate; "
        "np.save(sys.argv[1], next(simulate('leak').chunks(8.0)).channels['paw'])"
    )
    place = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", source, str(tmp_path / "paw.npy")], check=True, env=place)
    compiled = next(simulate("leak").chunks(8.0)).channels[Channel.PAW]
    assert np.allclose(np.load(tmp_path / "paw.npy"), compiled, rtol=0, atol=1e-9)


VOLUME_CONTROL = {  # id: C, R, PEEP, VT, F, RR, Re → Pplat, Ppeak, W; Re small where the table says "no trapping"
    "O-1a": ((0.05, 10, 5, 0.5, 0.5, 15, 4.0), (15.0, 20.0, 0.735499)),
    "O-1b": ((0.03, 12, 12, 0.36, 0.5, 26, 4.0), (24.0, 30.0, 0.847295)),
    "O-1c": ((0.095, 21, 0, 0.65, 0.5, 15, 21.0), (9.7785, 20.2785, 1.074547)),
}
PRESSURE_CONTROL = {  # id: C, R, PEEP, dP, Ti, Ts, RR → VT, alveolar end-inspiratory P, W
    "O-3a": ((0.05, 10, 5, 15, 1.0, 0.0, 15), (0.648499, 17.96997, 1.271920)),
    "O-3b": ((0.05, 10, 5, 15, 1.0, 0.2, 15), (0.625198, 17.50395, 1.159473)),
    "O-3c": ((0.05, 10, 5, 15, 0.5, 0.0, 24), (0.474090, 14.48181, 0.929848)),
    "O-3d": ((0.03, 12, 12, 14, 0.8, 0.1, 26), (0.367536, 24.25119, 0.912176)),
}


@pytest.mark.parametrize("name", VOLUME_CONTROL)
def test_volume_control_has_the_published_truth(name: str) -> None:
    (c, r, peep, vt, flow, rr, re), (pplat, ppeak, work) = VOLUME_CONTROL[name]
    pause_s = 0.3 if name == "O-1c" else 0.0  # its Te of 2.4 s
    scenario = Scenario(segments=(vcv(one_lung(c, r, re), peep, vt, flow, rr, pause_s),), first_onset_s=0.3)
    for breath in simulate(scenario).truth.breaths:
        assert breath.vt_insp == pytest.approx(1000 * vt, abs=1e-5)
        assert breath.vt_exp == pytest.approx(1000 * vt, abs=1e-3)
        assert breath.pplat == pytest.approx(pplat, abs=6e-5)
        assert breath.ppeak == pytest.approx(ppeak, abs=6e-5)
        assert breath.energy == pytest.approx(work, abs=1e-6)


@pytest.mark.parametrize("name", PRESSURE_CONTROL)
def test_pressure_control_has_the_published_truth(name: str) -> None:
    (c, r, peep, above, ti_s, rise_s, rr), (vt, pplat, work) = PRESSURE_CONTROL[name]
    scenario = Scenario(segments=(pcv(one_lung(c, r, 4.0), peep, above, ti_s, rise_s, rr),), first_onset_s=0.3)
    for breath in simulate(scenario).truth.breaths:
        assert breath.vt_insp == pytest.approx(1000 * vt, rel=5e-5)  # what is trapped after ten time constants
        assert breath.pplat == pytest.approx(pplat, rel=5e-5)
        assert breath.energy == pytest.approx(work, rel=5e-5)
        assert breath.ppeak == pytest.approx(peep + above)


LUNGS = st.builds(one_lung, st.floats(0.01, 0.1), st.floats(5, 50), st.none() | st.floats(5, 50))


@settings(max_examples=40, deadline=None)
@given(LUNGS, st.floats(0, 20), st.floats(0.2, 0.6), st.floats(8, 25), SMOOTH_S)
def test_trapping_is_the_geometric_series(lung: Lung, peep: float, vt: float, rr: float, onset_s: float) -> None:
    segment = vcv(lung, peep, vt, vt / 0.9, rr)
    truth = simulate(Scenario(duration_s=20, segments=(segment,), first_onset_s=onset_s)).truth
    c = lung.compliance_ml_cmh2o / 1000
    a = math.exp(-(60 / rr - 0.9) / (lung.expiratory * c))
    total = peep + vt * a / (1 - a) / c
    flow = vt / 0.9
    work = K * (vt * (total + lung.resistance_cmh2o_s_l * flow) + vt**2 / (2 * c))
    for breath in truth.breaths:
        assert breath.peep_total_before == pytest.approx(total, rel=1e-5, abs=2e-6)
        assert breath.pplat == pytest.approx(total + vt / c, rel=1e-5)
        assert breath.ppeak == pytest.approx(breath.pplat + lung.resistance_cmh2o_s_l * flow, rel=1e-5)
        assert breath.energy == pytest.approx(work, rel=1e-5, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(LUNGS, st.sampled_from(["vcv", "pcv"]), st.floats(0.1, 3.9), st.sampled_from([50.0, 100.0, 125.0, 200.0]))
def test_samples_add_up_to_the_truth_wherever_the_grid_lies(
    lung: Lung, mode: str, onset_s: float, rate_hz: float
) -> None:
    """Plain sums over samples: means over sampling intervals lose no gas."""
    vt = lung.compliance_ml_cmh2o / 100
    segment = pcv(lung, 5, 15, 1.0, 0.0, 15, 0.05) if mode == "pcv" else vcv(lung, 5, vt, vt, 15, 0.0, 0.05)
    simulation = simulate(Scenario(duration_s=13, rate_hz=rate_hz, segments=(segment,), first_onset_s=onset_s))
    flow, breath = joined(simulation)[Channel.FLOW], simulation.truth.breaths[0]
    first, turn = round(breath.start_s * rate_hz), round(breath.insp_end_s * rate_hz)
    edges = np.maximum(flow[[first, turn - 1, turn]], 0.0) - np.array([max(flow[first - 1], 0.0), 0.0, 0.0])
    vt_insp = 1000 * (flow[first + 1 : turn - 1].sum() + edges.sum()) / rate_hz
    # a sample that holds the last of one direction and the first of the other shows their difference
    reversing = (breath.pplat - 5) / 0.05 / lung.expiratory
    lost = 1000 * min(flow[turn - 2] / rate_hz, reversing / rate_hz**2 / 2)
    lost += 1000 * max(-flow[first - 1], 0.0) / rate_hz
    assert breath.vt_insp - lost - 0.02 <= vt_insp <= breath.vt_insp + 0.02


def test_flow_is_the_exponential_of_the_equation_of_motion() -> None:
    """Samples of an expiration, one by one, against the mean of the exponential over each interval."""
    segment = vcv(one_lung(0.04, 10, 15), 5, 0.4, 0.5, 15)
    simulation = simulate(Scenario(duration_s=10, segments=(segment,), first_onset_s=0.0037))
    flow, breath = joined(simulation)[Channel.FLOW], simulation.truth.breaths[0]
    tau, dt = 0.04 * 15, 0.01
    index = np.arange(math.ceil(breath.insp_end_s / dt + 0.5), math.floor(breath.end_s / dt - 0.5))
    since = index * dt - breath.insp_end_s
    peak = (breath.pplat - 5) / 15
    expected = -peak * tau / dt * (np.exp(-(since - dt / 2) / tau) - np.exp(-(since + dt / 2) / tau))
    assert np.allclose(flow[index], expected, rtol=0, atol=1e-6)


def test_resistance_dissipates_the_loop() -> None:
    """Energy in minus energy out over a periodic breath is what both resistances turn to heat."""
    segment = vcv(one_lung(0.05, 10, 14), 5, 0.5, 0.5, 15)
    simulation = simulate(Scenario(duration_s=13, rate_hz=1000, segments=(segment,), first_onset_s=0.5))
    samples, breath = joined(simulation), simulation.truth.breaths[1]
    cycle = slice(round(breath.start_s * 1000), round(breath.end_s * 1000))
    flow, paw = samples[Channel.FLOW][cycle], samples[Channel.PAW][cycle]
    loop = (flow * paw).sum() / 1000
    heat = (flow**2 * np.where(flow > 0, 10, 14)).sum() / 1000
    assert loop == pytest.approx(heat, rel=2e-3)


def test_holds_stop_the_gas_and_show_the_lungs_pressure() -> None:
    segment = vcv(one_lung(0.095, 21), 0, 0.65, 0.5, 15)
    held = (Hold(at_s=3, kind="inspiratory", duration_s=1.5), Hold(at_s=3, kind="expiratory", duration_s=2))
    simulation = simulate(Scenario(duration_s=20, segments=(segment,), first_onset_s=0.0052, hold=held))
    samples, truth = joined(simulation), simulation.truth
    breath = truth.breaths[1]
    assert breath.end_s - breath.start_s == pytest.approx(4 + 1.5 + 2, abs=1e-6)
    assert [hold.kind for hold in truth.holds] == ["inspiratory", "expiratory"]
    for hold in truth.holds:
        inside = slice(math.ceil(hold.start_s * 100 + 0.5), math.floor(hold.end_s * 100 - 0.5))
        assert np.abs(samples[Channel.FLOW][inside]).max() == 0
        assert np.allclose(samples[Channel.PAW][inside], hold.pressure, atol=1e-6)
    assert truth.holds[0].pressure == pytest.approx(breath.pplat)
    assert truth.holds[1].pressure > 2.0  # PEEP is set to 0


def test_leak_is_an_orifice_on_the_patients_side() -> None:
    part = msgspec.structs.replace(
        vcv(one_lung(0.05, 10), 5, 0.5, 0.5, 15), circuit=Circuit(leak_l_min_per_sqrt_cmh2o=3)
    )
    simulation = simulate(Scenario(duration_s=20, segments=(part,), first_onset_s=0.5))
    samples, breath = joined(simulation), simulation.truth.breaths[1]
    inside = slice(round(breath.start_s * 100) + 1, round(breath.insp_end_s * 100) - 1)
    leaked = 3 / 60 * np.sqrt(samples[Channel.PAW][inside]).sum() / 100
    assert breath.vt_insp - breath.vt_lung == pytest.approx(1000 * leaked, rel=0.04)
    assert breath.vt_insp == pytest.approx(500, abs=1e-4)
    late = samples[Channel.FLOW][round(breath.end_s * 100) - 20 : round(breath.end_s * 100) - 2]
    assert late == pytest.approx(3 / 60 * math.sqrt(5), rel=0.03)  # expiration done: only the leak flows
    assert breath.vt_exp < breath.vt_lung


EXPIROGRAMS = {  # id: VT, VDaw mL, p0 mmHg, s mmHg/mL, RR → PETCO2, alveolar, mixed expired, Bohr
    "E-1": ((500, 150, 40, 0.0, 15), (40.0, 40.0, 28.000, 0.3)),
    "E-2": ((500, 150, 36, 0.01, 15), (39.5, 37.75, 26.425, 0.3)),
    "E-3": ((400, 160, 28, 0.02, 25), (32.8, 30.4, 18.240, 0.4)),
}


@pytest.mark.parametrize("name", EXPIROGRAMS)
@pytest.mark.parametrize("sd", [0.0, 18.0])
def test_expirograms_are_those_of_the_table(name: str, sd: float) -> None:
    (vt, dead, p0, slope, rr), expected = EXPIROGRAMS[name]
    gas = Capnogram(dead_space_ml=dead, plateau_mmhg=p0, slope_mmhg_l=1000 * slope, phase2_sd_ml=sd)
    part = msgspec.structs.replace(vcv(one_lung(0.05, 10, 5), 5, vt / 1000, 0.5, rr), capnogram=gas)
    simulation = simulate(Scenario(duration_s=13, segments=(part,), first_onset_s=0.5))
    samples, breath = joined(simulation), simulation.truth.breaths[1]
    assert breath.co2 is not None
    found = (breath.co2.petco2, breath.co2.pco2_alv, breath.co2.pco2_mixed_exp, breath.co2.vd_vt_bohr)
    shift = slope * sd**2 / (2 * p0) / vt  # Fowler's, of a smooth phase II
    pet, alveolar, _, bohr = expected
    assert found == pytest.approx((pet, alveolar, alveolar * (1 - bohr - shift), bohr + shift), rel=1e-4)
    exhaled = slice(round(breath.insp_end_s * 100), round(breath.end_s * 100))
    flow, pco2 = -samples[Channel.FLOW][exhaled], samples[Channel.PCO2][exhaled]
    assert (flow * pco2).sum() / flow.sum() == pytest.approx(expected[2], rel=0.01)
    inspired = slice(round(breath.start_s * 100) + 15, round(breath.insp_end_s * 100) - 1)
    assert samples[Channel.PCO2][inspired].max() < 0.01


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
    segment = vcv(one_lung(0.1, 40), 5, 0.5, 0.5, 20)  # tau 4 s: takes many breaths to settle
    breaths = simulate(Scenario(duration_s=60, segments=(segment,), first_onset_s=1.0)).truth.breaths
    assert breaths[0].pplat == pytest.approx(breaths[-1].pplat, abs=1e-6)
    assert breaths[0].peep_total_before > 10


BASE = "duration_s = 20\n[ventilator]\nrate_per_min = 15\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[lung]\ncompliance = 40\n", ":2: unknown key 'compliance' in [lung]"),
        ("seed = 1\n[lung]\ncompliance_ml_cmh2o = -4\n", ":3: [lung] compliance_ml_cmh2o = -4: expected"),
        (BASE + "tidal_volume_ml = 2500\n", ":3: [ventilator] rate_per_min = 15: inspiration takes 5.00 s"),
        (BASE + '[[change]]\nat_s = 3\nventilator = { mode = "pcv", rise_s = 1.5 }\n', ":6: [[change]]"),
        ("[[change]]\nat_s = 3\n[change.lung]\nresistance = 3\n", ":4: unknown key 'resistance'"),
        ("[[change]]\nlung = {}\n", "missing key 'at_s'"),
        ("[[change]]\nat_s = 3\ncapnogram = {}\n", ":3: [[change]] capnogram: a capnograph"),
        ("[[gap]]\nat_s = 3\nduration_s = 4\n[[gap]]\nat_s = 5\nduration_s = 1\n", ":5: [[gap]]"),
        ("rate_hz = 5\n", ":1: rate_hz = 5: expected"),
        ("duration_s = \n", ":1: not TOML"),
    ],
)
def test_a_bad_scenario_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_scenario(path)
    assert "\n" not in str(error.value)
    assert told in str(error.value)


def test_a_change_names_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text(
        "[lung]\ncompliance_ml_cmh2o = 40\n[ventilator]\npeep_cmh2o = 7\n"
        "[[change]]\nat_s = 5\nlung = { resistance_cmh2o_s_l = 20 }\n"
        "[[change]]\nat_s = 9\nventilator = { peep_cmh2o = 9 }\n",
        encoding="utf-8",
    )
    parts = [(s.at_s, s.lung.compliance_ml_cmh2o, s.lung.resistance_cmh2o_s_l, s.ventilator.peep_cmh2o)
             for s in load_scenario(path).segments]  # fmt: skip
    assert parts == [(0, 40, 10, 7), (5, 40, 20, 7), (9, 40, 20, 9)]


def test_an_unknown_name_lists_the_bundled_ones() -> None:
    with pytest.raises(ConfigError, match=r"no scenario of this name; bundled: .*vcv_hold"):
        load_scenario("vcv_old")
    assert "vcv_hold" in bundled()


def test_contradictions_built_in_code_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"leaves 1\.90 s at most"):
        Scenario(segments=(vcv(Lung(), 5, 1.0, 0.5, 30),))
