"""The simulated lung against closed forms (algorithms.md §11): an oracle has to be right itself."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulator import simulate
from adapters.simulator.scenario import Capnogram, Circuit, Hold, Lung, Scenario
from streamer.model.chunk import Channel
from streamer.model.units import JOULE_PER_L_CMH2O as K
from tests.support.simulated import joined, lung, pcv, vcv

SMOOTH_S = st.floats(0.0, 4.0)

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
    scenario = Scenario(segments=(vcv(lung(c, r, re), peep, vt, flow, rr, pause_s),), first_onset_s=0.3)
    for breath in simulate(scenario).truth.breaths:
        assert breath.vt_insp == pytest.approx(1000 * vt, abs=1e-5)
        assert breath.vt_exp == pytest.approx(1000 * vt, abs=1e-3)
        assert breath.pplat == pytest.approx(pplat, abs=6e-5)
        assert breath.ppeak == pytest.approx(ppeak, abs=6e-5)
        assert breath.energy == pytest.approx(work, abs=1e-6)


@pytest.mark.parametrize("name", PRESSURE_CONTROL)
def test_pressure_control_has_the_published_truth(name: str) -> None:
    (c, r, peep, above, ti_s, rise_s, rr), (vt, pplat, work) = PRESSURE_CONTROL[name]
    scenario = Scenario(segments=(pcv(lung(c, r, 4.0), peep, above, ti_s, rise_s, rr),), first_onset_s=0.3)
    for breath in simulate(scenario).truth.breaths:
        assert breath.vt_insp == pytest.approx(1000 * vt, rel=5e-5)  # what is trapped after ten time constants
        assert breath.pplat == pytest.approx(pplat, rel=5e-5)
        assert breath.energy == pytest.approx(work, rel=5e-5)
        assert breath.ppeak == pytest.approx(peep + above)


LUNGS = st.builds(lung, st.floats(0.01, 0.1), st.floats(5, 50), st.none() | st.floats(5, 50))


@settings(max_examples=40, deadline=None)
@given(LUNGS, st.floats(0, 20), st.floats(0.2, 0.6), st.floats(8, 25), SMOOTH_S)
def test_trapping_is_the_geometric_series(part: Lung, peep: float, vt: float, rr: float, onset_s: float) -> None:
    segment = vcv(part, peep, vt, vt / 0.9, rr)
    truth = simulate(Scenario(duration_s=20, segments=(segment,), first_onset_s=onset_s)).truth
    c = part.compliance_ml_cmh2o / 1000
    a = math.exp(-(60 / rr - 0.9) / (part.expiratory * c))
    total = peep + vt * a / (1 - a) / c
    flow = vt / 0.9
    work = K * (vt * (total + part.resistance_cmh2o_s_l * flow) + vt**2 / (2 * c))
    for breath in truth.breaths:
        assert breath.peep_total_before == pytest.approx(total, rel=1e-5, abs=2e-6)
        assert breath.pplat == pytest.approx(total + vt / c, rel=1e-5)
        assert breath.ppeak == pytest.approx(breath.pplat + part.resistance_cmh2o_s_l * flow, rel=1e-5)
        assert breath.energy == pytest.approx(work, rel=1e-5, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(LUNGS, st.sampled_from(["vcv", "pcv"]), st.floats(0.1, 3.9), st.sampled_from([50.0, 100.0, 125.0, 200.0]))
def test_samples_add_up_to_the_truth_wherever_the_grid_lies(
    part: Lung, mode: str, onset_s: float, rate_hz: float
) -> None:
    """Plain sums over samples: means over sampling intervals lose no gas."""
    vt = part.compliance_ml_cmh2o / 100
    segment = pcv(part, 5, 15, 1.0, 0.0, 15, 0.05) if mode == "pcv" else vcv(part, 5, vt, vt, 15, 0.0, 0.05)
    simulation = simulate(Scenario(duration_s=13, rate_hz=rate_hz, segments=(segment,), first_onset_s=onset_s))
    flow, breath = joined(simulation)[Channel.FLOW], simulation.truth.breaths[0]
    first, turn = round(breath.start_s * rate_hz), round(breath.insp_end_s * rate_hz)
    edges = np.maximum(flow[[first, turn - 1, turn]], 0.0) - np.array([max(flow[first - 1], 0.0), 0.0, 0.0])
    vt_insp = 1000 * (flow[first + 1 : turn - 1].sum() + edges.sum()) / rate_hz
    # a sample that holds the last of one direction and the first of the other shows their difference
    reversing = (breath.pplat - 5) / 0.05 / part.expiratory
    lost = 1000 * min(flow[turn - 2] / rate_hz, reversing / rate_hz**2 / 2)
    lost += 1000 * max(-flow[first - 1], 0.0) / rate_hz
    assert breath.vt_insp - lost - 0.02 <= vt_insp <= breath.vt_insp + 0.02


def test_flow_is_the_exponential_of_the_equation_of_motion() -> None:
    """Samples of an expiration, one by one, against the mean of the exponential over each interval."""
    segment = vcv(lung(0.04, 10, 15), 5, 0.4, 0.5, 15)
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
    segment = vcv(lung(0.05, 10, 14), 5, 0.5, 0.5, 15)
    simulation = simulate(Scenario(duration_s=13, rate_hz=1000, segments=(segment,), first_onset_s=0.5))
    samples, breath = joined(simulation), simulation.truth.breaths[1]
    cycle = slice(round(breath.start_s * 1000), round(breath.end_s * 1000))
    flow, paw = samples[Channel.FLOW][cycle], samples[Channel.PAW][cycle]
    loop = (flow * paw).sum() / 1000
    heat = (flow**2 * np.where(flow > 0, 10, 14)).sum() / 1000
    assert loop == pytest.approx(heat, rel=2e-3)


def test_holds_stop_the_gas_and_show_the_lungs_pressure() -> None:
    segment = vcv(lung(0.095, 21), 0, 0.65, 0.5, 15)
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
    part = msgspec.structs.replace(vcv(lung(0.05, 10), 5, 0.5, 0.5, 15), circuit=Circuit(leak_l_min_per_sqrt_cmh2o=3))
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
    part = msgspec.structs.replace(vcv(lung(0.05, 10, 5), 5, vt / 1000, 0.5, rr), capnogram=gas)
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
