"""What disturbs a simulated recording: by physics where it is the gas, the samples alone where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import (
    Assist,
    Capnogram,
    Capnograph,
    Cardiogenic,
    Circuit,
    Effort,
    Fault,
    Hold,
    Lung,
    Nebuliser,
    Ringing,
    Scenario,
    Sensor,
    Transducer,
    Ventilator,
    Water,
)
from streamer.model.chunk import Channel, FloatArray
from tests.support.simulated import joined

PCV = Ventilator(mode="pcv", rate_per_min=15, inspiratory_pressure_cmh2o=12, ti_s=1.3, rise_s=0.1)
VCV = Ventilator(rate_per_min=12, pause_s=0.6)
PSV = Ventilator(mode="psv", rate_per_min=8, inspiratory_pressure_cmh2o=10, ti_s=2.0, rise_s=0.15)
PULLS = (Effort(amplitude_cmh2o=8, rate_per_min=18, at_s=1.0, rise_s=0.6, fall_s=0.3),)


def scenario(segment: Segment, **given: object) -> Scenario:
    return Scenario(**({"duration_s": 40.0, "segments": (segment,)} | given))  # type: ignore[arg-type]


def waves(segment: Segment, **given: object) -> tuple[FloatArray, FloatArray]:
    """Pressure, cmH2O, and flow, L/min."""
    found = joined(simulate(scenario(segment, **given)))
    return found[Channel.PAW], 60.0 * found[Channel.FLOW]


def power_at(samples: FloatArray, hz: float, rate_hz: float = 100.0) -> float:
    """Amplitude of the sine nearest to a frequency."""
    wave = np.exp(-2j * np.pi * hz * np.arange(samples.size) / rate_hz)
    return float(2.0 * abs(np.mean((samples - samples.mean()) * wave)))


@pytest.mark.parametrize("decay_s", [0.0, 0.4])
def test_a_ringing_valve_swings_flow_through_zero_and_blows_gas_in_at_peep(decay_s: float) -> None:
    ringing = Ringing(amplitude_cmh2o=3, decay_s=decay_s, peep_amplitude_cmh2o=1.5)
    lung = Lung(compliance_ml_cmh2o=30, resistance_cmh2o_s_l=5)
    paw, flow = waves(Segment(lung=lung, ventilator=PCV, ringing=ringing))
    _, plain = waves(Segment(lung=lung, ventilator=PCV))
    inside, late = slice(2060, 2125), slice(2185, 2240)  # of the plateau at 20 s, of the first swing at PEEP
    assert plain[inside].min() > 0.0
    assert flow[inside].min() < -4.0
    assert plain[late].max() < 0.0
    assert 10.0 < np.maximum(flow[late], 0.0).sum() / 6.0 < 80.0  # mL blown in
    assert 16.0 < np.mean(paw[inside]) < 18.0


@pytest.mark.parametrize("ventilator", [PCV, VCV])
def test_water_swings_pressure_and_flow_together_by_the_airways_resistance(ventilator: Ventilator) -> None:
    lung = Lung(compliance_ml_cmh2o=50, resistance_cmh2o_s_l=10)
    paw, flow = waves(Segment(lung=lung, ventilator=ventilator, water=Water(amplitude_cmh2o=1.2)))
    dry_paw, dry_flow = waves(Segment(lung=lung, ventilator=ventilator))
    on_paw, on_flow = power_at(paw - dry_paw, 5.0), power_at(flow - dry_flow, 5.0)
    assert on_paw == pytest.approx(0.75 * 1.2, rel=0.15)
    assert on_flow * 10.0 / 60.0 == pytest.approx(on_paw, rel=0.15)


def test_the_heart_is_felt_in_a_hold_and_its_truth_is_without_it() -> None:
    segment = Segment(ventilator=VCV, cardiogenic=Cardiogenic(amplitude_cmh2o=0.5, rate_per_min=80))
    hold = (Hold(at_s=19.0, kind="inspiratory", duration_s=3.0),)
    made = simulate(scenario(segment, hold=hold))
    paw = joined(made)[Channel.PAW]
    held = made.truth.holds[0]
    shown = paw[round(held.end_s * 100) - 225 : round(held.end_s * 100)]  # three beats of 0.75 s
    assert np.ptp(shown) == pytest.approx(1.0, rel=0.1)
    assert shown.mean() == pytest.approx(held.pressure, abs=0.05)


@pytest.mark.parametrize("base", [5.0, 6.5])
def test_a_base_flow_is_all_that_the_patient_gets_before_the_valve_opens(base: float) -> None:
    assist = Assist(trigger_flow_l_min=0.9 * base, delay_s=0.2)
    made = simulate(
        scenario(Segment(ventilator=PSV, assist=assist, circuit=Circuit(base_flow_l_min=base)), effort=PULLS)
    )
    found = joined(made)
    breaths = [breath for breath in made.truth.breaths if breath.triggered][2:-1]
    assert len(breaths) > 6
    for breath in breaths:
        onset = round(100 * breath.start_s)
        drawn = 60.0 * found[Channel.FLOW][onset - 12 : onset - 1]
        assert drawn == pytest.approx(base, abs=0.15)
        assert found[Channel.PAW][onset - 2] < found[Channel.PAW][onset - 30] - 0.3
        assert breath.vt is not None
        assert breath.drawn is not None
        assert 8.0 < breath.drawn < 43.0
        assert breath.drawn == pytest.approx(breath.vt - breath.vt_lung, abs=0.5)


def test_simv_supports_what_comes_between_mandatory_breaths() -> None:
    ventilator = Ventilator(rate_per_min=10, simv_support_cmh2o=8, rise_s=0.1)
    breaths = simulate(scenario(Segment(ventilator=ventilator), effort=PULLS, duration_s=60.0)).truth.breaths
    mandatory = [breath for breath in breaths if not breath.supported]
    assert len(mandatory) in {10, 11}
    assert {round(breath.vt_insp) for breath in mandatory} == {500}
    assert sum(breath.supported for breath in breaths) >= 6
    assert all(breath.triggered for breath in breaths if breath.supported)
    gaps = np.diff([breath.start_s for breath in mandatory])
    assert gaps.min() > 6.0 - 1.5 - 0.01
    assert gaps.mean() == pytest.approx(6.0, abs=0.25)


def test_every_nth_breath_is_a_sigh() -> None:
    ventilator = Ventilator(rate_per_min=15, sigh_every=4, sigh_factor=1.5)
    volumes = [round(breath.vt_insp) for breath in simulate(scenario(Segment(ventilator=ventilator))).truth.breaths]
    assert sorted(set(volumes)) == [500, 750]
    assert set(np.diff([i for i, volume in enumerate(volumes) if volume == 750])) == {4}


@pytest.mark.parametrize("dilutes", [False, True])
def test_a_nebulisers_gas_is_expired_through_the_sensor_and_carries_no_co2(*, dilutes: bool) -> None:
    parts = {"capnogram": Capnogram(), "ventilator": VCV}
    device = {"capnograph": Capnograph()}
    made = simulate(scenario(Segment(**parts, nebuliser=Nebuliser(dilutes=dilutes)), **device))  # type: ignore[arg-type]
    breath = made.truth.breaths[4]
    assert breath.co2 is not None
    assert breath.vt_exp - breath.vt_insp == pytest.approx(6000.0 / 12, rel=0.01)  # a period's 6 L/min
    assert breath.vt == pytest.approx(breath.vt_insp + 100.0 * 1.6, rel=0.01)
    # By flow and PCO2 as shown: right where CO2 is diluted, far too much where it is not.
    found, rate = joined(made), 100.0
    span = slice(round(rate * breath.insp_end_s), round(rate * breath.end_s))
    shown = float(np.sum(-found[Channel.FLOW][span] * found[Channel.PCO2][span]) / rate)
    own = breath.co2.pco2_mixed_exp * (breath.vt_exp - 6000.0 / 60 * (breath.end_s - breath.insp_end_s)) / 1000.0
    assert shown / own == pytest.approx(1.0, abs=0.02) if dilutes else shown / own > 1.3


def test_tubing_takes_volume_that_the_lung_does_not_get() -> None:
    segment = Segment(ventilator=VCV, circuit=Circuit(compliance_ml_cmh2o=2.0))
    breath = simulate(scenario(segment)).truth.breaths[4]
    assert breath.vt is not None
    assert breath.vt_insp - breath.vt == pytest.approx(2.0 * (breath.pplat - breath.peep), rel=0.03)
    assert breath.vt_exp == pytest.approx(breath.vt_insp, rel=0.001)


def test_a_masks_leak_wanders_breath_by_breath() -> None:
    circuit = Circuit(leak_l_min_per_sqrt_cmh2o=3, leak_swing_l_min_per_sqrt_cmh2o=2, leak_period_s=40)
    truth = simulate(scenario(Segment(ventilator=PCV, circuit=circuit))).truth
    lost = [breath.vt_insp - breath.vt_lung for breath in truth.breaths]
    assert max(lost) > 3 * min(lost) > 0.0
    assert circuit.leak_at(10.0) == pytest.approx(5.0)
    assert circuit.leak_at(30.0) == pytest.approx(1.0)


SHOWN = {Channel.PAW: "paw_sensor", Channel.FLOW: "flow_sensor", Channel.PCO2: "pco2_sensor"}


def one_channel(channel: Channel, sensor: Transducer | None) -> FloatArray:
    segment = Segment(ventilator=VCV, capnogram=Capnogram(), **{SHOWN[channel]: sensor})  # type: ignore[arg-type]
    return joined(simulate(scenario(segment)))[channel] * (60.0 if channel is Channel.FLOW else 1.0)


@pytest.mark.parametrize("channel", SHOWN)
def test_a_transducer_errs_in_the_units_of_its_channel(channel: Channel) -> None:
    plain = one_channel(channel, None)
    minutes = np.arange(plain.size) / 6000.0
    wrong = one_channel(channel, Transducer(gain=1.1, offset=2.0, drift_per_min=3.0))
    assert wrong == pytest.approx(1.1 * plain + 2.0 + 3.0 * minutes, abs=1e-9)
    clipped = one_channel(channel, Transducer(lowest=6.0, highest=9.0))
    assert clipped == pytest.approx(np.clip(plain, 6.0, 9.0), abs=1e-9)
    wrapped = one_channel(channel, Transducer(wraps=(-10.0, 10.0)))
    assert -10.0 <= wrapped.min() <= wrapped.max() < 10.0 + 1e-9
    turns = (plain - wrapped) / 20.0
    assert turns == pytest.approx(np.round(turns), abs=1e-9)
    assert np.ptp(np.round(turns)) >= 1.0


def test_a_clipped_channel_is_the_same_to_the_last_bit_in_spite_of_noise() -> None:
    sensor = Sensor(pco2_noise_mmhg=0.5)
    segment = Segment(capnogram=Capnogram(), sensor=sensor, pco2_sensor=Transducer(highest=30.0))
    pco2 = joined(simulate(scenario(segment)))[Channel.PCO2]
    assert np.sum(pco2 == 30.0) > 100
    assert pco2.max() == 30.0


def test_a_recorder_repeats_zeroes_loses_and_counts() -> None:
    segment = Segment(ventilator=VCV, capnogram=Capnogram())
    plain = joined(simulate(scenario(segment)))
    faults = (
        Fault(at_s=10.003, duration_s=2.0),
        Fault(at_s=20.0, duration_s=1.0, every_s=5.0, kind="zero", channels=("pco2",)),
        Fault(at_s=30.0, duration_s=1.0, kind="missing", channels=("paw",)),
        Fault(at_s=31.0, duration_s=700.0, kind="counter", channels=("flow",)),
    )
    wrong = joined(simulate(scenario(segment, fault=faults)), 0.37)
    for channel in SHOWN:
        assert (wrong[channel][1000:1200] == plain[channel][999]).all()
        assert (wrong[channel][1200:2000] == plain[channel][1200:2000]).all()
    for begin in (2000, 2500, 3000, 3500):
        assert (wrong[Channel.PCO2][begin : begin + 100] == 0.0).all()
        assert (wrong[Channel.PCO2][begin + 100 : begin + 500] == plain[Channel.PCO2][begin + 100 : begin + 500]).all()
    assert np.isnan(wrong[Channel.PAW][3000:3100]).all()
    assert np.isfinite(wrong[Channel.PAW][3100:]).all()
    assert (np.diff(wrong[Channel.FLOW][3100:]) == 1.0).all()


@pytest.mark.parametrize("chunk_s", [40.0, 0.37])
def test_a_recorder_writes_a_packet_twice(chunk_s: float) -> None:
    segment = Segment(ventilator=VCV, capnogram=Capnogram())
    plain = joined(simulate(scenario(segment)))
    faults = (
        Fault(at_s=10.0, duration_s=0.7, every_s=5.0, kind="packet"),
        Fault(at_s=0.0, duration_s=0.2, kind="packet"),
    )
    wrong = joined(simulate(scenario(segment, fault=faults)), chunk_s)
    for channel in SHOWN:
        assert np.isnan(wrong[channel][:20]).all()
        for begin in (1000, 1500, 2000):
            assert (wrong[channel][begin : begin + 70] == plain[channel][begin - 70 : begin]).all()
            assert (wrong[channel][begin + 70 : begin + 500] == plain[channel][begin + 70 : begin + 500]).all()


def test_columns_are_exchanged_and_left_out() -> None:
    segment = Segment(ventilator=VCV)
    paw, flow = waves(segment)
    other_paw, other_flow = waves(segment, exchanged=("paw", "flow"))
    assert other_paw == pytest.approx(flow, abs=1e-9)
    assert other_flow == pytest.approx(paw, abs=1e-9)
    assert set(joined(simulate(scenario(segment, channels=("flow",))))) == {Channel.FLOW}


def test_disturbances_are_the_same_for_any_chunk() -> None:
    segment = Segment(
        ventilator=PCV,
        ringing=Ringing(),
        water=Water(),
        capnogram=Capnogram(),
        pco2_sensor=Transducer(drift_per_min=1.0),
        sensor=Sensor(flow_noise_l_min=3.0),
    )
    made = simulate(scenario(segment, fault=(Fault(at_s=5.0, duration_s=0.7, every_s=3.0),)))
    whole, parts = joined(made, 40.0), joined(made, 0.13)
    assert all((whole[channel] == parts[channel]).all() for channel in whole)
