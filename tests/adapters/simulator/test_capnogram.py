"""What passes the CO2 sensor and what its truth says, against the closed forms of algorithms.md §11.3 and sums."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulator import Simulation, simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Capnograph, Cardiogenic, Delay, GasExchange, Rebreathing, Scenario
from adapters.simulator.truth import CapnogramTruth
from streamer.model.chunk import Channel, FloatArray
from streamer.model.context import Context
from tests.support.simulated import joined, lung, pcv, vcv

SQUARE = vcv(lung(0.05, 10, 5), 5, 0.5, 0.5, 15)
SMOOTH = pcv(lung(0.05, 10, 12), 6, 12, 1.2, 0.1, 15, 0.05)


def patient(base: Segment = SQUARE, **parts: Any) -> Segment:
    return msgspec.structs.replace(base, **{"capnogram": Capnogram(), **parts})


def run(segment: Segment, rate_hz: float = 200.0, **course: Any) -> Simulation:
    return simulate(Scenario(duration_s=13, rate_hz=rate_hz, first_onset_s=0.5, segments=(segment,), **course))


def co2_of(simulation: Simulation) -> CapnogramTruth:
    found = simulation.truth.breaths[1].co2
    assert found is not None
    return found


def breath_of(simulation: Simulation) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Seconds since onset, flow and PCO2 of the second breath."""
    samples, breath = joined(simulation), simulation.truth.breaths[1]
    rate = simulation.scenario.rate_hz
    index = np.arange(round(breath.start_s * rate), round(breath.end_s * rate))
    return index / rate - breath.start_s, samples[Channel.FLOW][index], samples[Channel.PCO2][index]


TABLE = {  # id: VT, VDaw mL, p0 mmHg, s mmHg/mL, RR, PaCO2 → PACO2, mixed, expired CO2 (mL), Bohr, Enghoff, VDalv (mL)
    "E-1": ((500, 150, 40, 0.0, 15, 40), (40.0, 28.000, 16.2235, 0.3, 0.3, 0.0)),
    "E-2": ((500, 150, 36, 0.01, 15, 45), (37.75, 26.425, 15.3109, 0.3, 0.41278, 56.389)),
    "E-3": ((400, 160, 28, 0.02, 25, 55), (30.4, 18.240, 8.4548, 0.4, 0.66836, 107.345)),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_blood_gas_makes_the_published_table(name: str) -> None:
    (vt, dead, p0, slope, rr, arterial), expected = TABLE[name]
    gas = Capnogram(
        dead_space_ml=dead, plateau_mmhg=p0, slope_mmhg_l=1000 * slope, phase2_sd_ml=0, sensor_volume_ml=0.1
    )
    base = vcv(lung(0.05, 10, 5), 5, vt / 1000, 0.5, rr)
    simulation = run(patient(base, capnogram=gas, gas_exchange=GasExchange(arterial_mmhg=arterial)))
    told = co2_of(simulation)
    assert told.vtco2 is not None
    assert told.vd_vt_enghoff is not None
    taken_back = 0.1 / 713 * 0.826238 * (p0 + slope * (vt - dead))  # what stood in the sensor
    found = (told.pco2_alv, told.pco2_mixed_exp, told.vtco2 + taken_back, told.vd_vt_bohr, told.vd_vt_enghoff)
    assert found == pytest.approx(expected[:5], rel=1e-4)
    assert told.vd_alv == pytest.approx(expected[5], abs=0.05)
    assert (told.pco2_art, told.slope_3) == (arterial, pytest.approx(1000 * slope))
    assert told.vt_alv == pytest.approx(vt - dead, abs=0.01)


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 0.8), st.floats(20, 80), st.floats(60, 250), st.floats(280, 900))
def test_an_unperfused_share_dilutes_only(share: float, arterial: float, dead: float, vt: float) -> None:
    """Bohr stays VDaw/VT, Enghoff is 1 - q(VT - VDaw)/VT, VDalv (1 - q)(VT - VDaw)."""
    gas = Capnogram(dead_space_ml=dead, plateau_mmhg=arterial, slope_mmhg_l=0, phase2_sd_ml=0)
    base = vcv(lung(0.05, 10, 5), 5, vt / 1000, 0.5, 12)
    exchange = GasExchange(unperfused_share=share, arterial_mmhg=arterial)
    simulation = run(patient(base, capnogram=gas, gas_exchange=exchange), rate_hz=50)
    told = co2_of(simulation)
    assert told.vd_vt_bohr == pytest.approx(dead / vt, abs=1e-4)
    assert told.vd_vt_enghoff == pytest.approx(1 - (1 - share) * (vt - dead) / vt, abs=1e-4)
    assert told.vd_alv == pytest.approx(share * (vt - dead), abs=0.1)
    assert joined(simulation)[Channel.PCO2].max() == pytest.approx((1 - share) * arterial, abs=1e-4)


def test_dilution_is_with_gas_as_it_was_inspired() -> None:
    gas = Capnogram(plateau_mmhg=40, slope_mmhg_l=20, inspired_mmhg=8, phase2_sd_ml=0)
    told = co2_of(run(patient(capnogram=gas, gas_exchange=GasExchange(unperfused_share=0.25))))
    plateau = 0.75 * 40 + 0.25 * 8
    assert (told.slope_3, told.petco2) == pytest.approx((15, plateau + 0.35 * 15), rel=1e-5)
    assert told.vd_vt_bohr == pytest.approx(0.3, abs=1e-5)
    assert (told.pco2_art, told.vd_alv, told.vd_vt_enghoff) == (None, None, None)


PARTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "step": {"capnogram": Capnogram(phase2_sd_ml=0)},
    "inspired": {"capnogram": Capnogram(inspired_mmhg=4, slope_mmhg_l=25)},
    "diluted": {"gas_exchange": GasExchange(unperfused_share=0.4)},
    "rebreathing": {"rebreathing": Rebreathing(volume_ml=60)},
    "heart": {"cardiogenic": Cardiogenic(amplitude_mmhg=3, rate_per_min=90)},
    "all": {
        "capnogram": Capnogram(inspired_mmhg=1, dead_space_ml=200, sensor_volume_ml=20),
        "gas_exchange": GasExchange(unperfused_share=0.2, arterial_mmhg=50),
        "rebreathing": Rebreathing(volume_ml=40),
        "cardiogenic": Cardiogenic(),
    },
}


@pytest.mark.parametrize("base", [SQUARE, SMOOTH], ids=["vcv", "pcv"])
@pytest.mark.parametrize("name", PARTS)
def test_the_samples_hold_the_co2_that_the_truth_tells(name: str, base: Segment) -> None:
    """The integral of PCO2 over volume, both ways, at 200 Hz; and the rest of what can be read off a waveform."""
    simulation = run(patient(base, **PARTS[name]), capnograph=Capnograph())
    told = co2_of(simulation)
    since_s, flow, pco2 = breath_of(simulation)
    turn_s = simulation.truth.breaths[1].insp_end_s - simulation.truth.breaths[1].start_s
    net = -(flow * pco2).sum() / 200 * 1000 / 713 * 273.15 / 310.15 * 713 / 760
    assert told.vtco2 == pytest.approx(net, rel=5e-3)
    expired = flow < 0
    assert told.pco2_mixed_exp == pytest.approx((flow * pco2)[expired].sum() / flow[expired].sum(), rel=5e-3)
    late = (since_s > turn_s / 2) & (since_s < turn_s - 0.01)
    assert told.pico2 == pytest.approx(pco2[late].min(), abs=0.02)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 200), st.floats(1, 20), st.floats(0, 10))
def test_rebreathed_gas_comes_first(volume: float, sensor: float, inspired: float) -> None:
    """By inspired volume: PCO2 as expiration left it, then the sensor's volume washed out; the sum in closed form."""
    gas = Capnogram(inspired_mmhg=inspired, sensor_volume_ml=sensor)
    simulation = run(patient(capnogram=gas, rebreathing=Rebreathing(volume_ml=volume)), rate_hz=1000)
    told = co2_of(simulation)
    since_s, flow, pco2 = breath_of(simulation)
    inhaled = np.cumsum(np.maximum(flow, 0.0))  # mL, a sample a millisecond
    passing = (since_s > 0.003) & (since_s < 0.997)
    again = passing & (inhaled < volume - 1)
    assert np.allclose(pco2[again], told.petco2, atol=1e-3)
    fresh = passing & (inhaled > volume + 1)
    washed = inspired + (told.petco2 - inspired) * np.exp(-(inhaled[fresh] - 0.25 - volume) / sensor)
    assert np.allclose(pco2[fresh], washed, atol=0.05 * told.petco2 / sensor)
    exhaled = told.pco2_mixed_exp * simulation.truth.breaths[1].vt_exp
    returned = inspired * 500 + (told.petco2 - inspired) * (volume + sensor * (1 - math.exp(-(500 - volume) / sensor)))
    assert told.vtco2 == pytest.approx((exhaled - returned) * 273.15 / 310.15 / 760, rel=1e-4)


def test_the_heart_is_a_sine_in_time_on_alveolar_gas() -> None:
    beating = patient(capnogram=Capnogram(phase2_sd_ml=0), cardiogenic=Cardiogenic(amplitude_mmhg=2, rate_per_min=84))
    still = run(patient(capnogram=Capnogram(phase2_sd_ml=0)), rate_hz=1000)
    simulation = run(beating, rate_hz=1000)
    since_s, flow, pco2 = breath_of(simulation)
    added = pco2 - breath_of(still)[2]
    exhaled = -np.cumsum(np.minimum(flow, 0.0)) / 1000
    at_s = since_s + simulation.truth.breaths[1].start_s
    alveolar = exhaled > 0.152
    assert np.allclose(added[alveolar], 2 * np.sin(2 * np.pi * 84 / 60 * at_s[alveolar]), atol=0.02)
    dead = (since_s > 1.0) & (exhaled < 0.148)
    fresh = (since_s > 0.3) & (since_s < 1.0)
    assert np.abs(added[dead | fresh]).max() < 1e-9
    assert co2_of(simulation).petco2 == pytest.approx(co2_of(still).petco2, abs=1e-4)


@pytest.mark.parametrize(("stated", "barometric"), [(None, 760.0), (700.0, 700.0), (610.0, 610.0)])
def test_a_dried_sample_reads_high_by_the_vapour(stated: float | None, barometric: float) -> None:
    context = Context(barometric_mmhg=stated)
    wet, dry = (
        run(patient(), capnograph=Capnograph(scale=scale), context=context)  # type: ignore[arg-type]
        for scale in ("BTPS", "dry")
    )
    one, other = joined(wet), joined(dry)
    assert np.array_equal(other[Channel.PCO2], one[Channel.PCO2] * (barometric / (barometric - 47)))
    assert np.array_equal(other[Channel.FLOW], one[Channel.FLOW])
    assert wet.truth.breaths == dry.truth.breaths  # what is true is told at body conditions


def test_a_plain_capnogram_tells_what_it_always_told() -> None:
    def keys(**parts: Any) -> set[str]:
        course = {name: parts.pop(name) for name in ("capnograph", "co2_delay") if name in parts}
        return set(msgspec.to_builtins(co2_of(run(patient(**parts), rate_hz=50, **course))))

    plain = {"petco2", "pco2_alv", "pco2_mixed_exp", "vd_aw", "vd_vt_bohr"}
    more = plain | {"vtco2", "pico2", "slope_3", "vt_alv", "co2_delay"}
    assert keys() == plain
    assert keys(capnograph=Capnograph()) == keys(co2_delay=(Delay(at_s=3),)) == keys(rebreathing=Rebreathing()) == more
    arterial = keys(gas_exchange=GasExchange(arterial_mmhg=45))
    assert arterial == more | {"pco2_art", "vd_vt_enghoff", "vd_alv"}
    assert keys(capnograph=Capnograph(time_constant_s=0.05, rate_hz=20)) == more | {"co2_rise", "co2_clock"}
