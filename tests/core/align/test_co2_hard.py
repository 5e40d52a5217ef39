"""Capnograms that are hard: slow sensors by time, newborns, spontaneous breaths, dilution, CO2 that comes back."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Capnograph, Lung, Rebreathing, Scenario, Sensor, Ventilator
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import Context
from streamer.model.records import BreathRecord
from tests.support.co2_failures import MAINSTREAM, records, scenario, true_of

SIDESTREAM = Context(co2_kind="sidestream", co2_scale="BTPS")


def slow(rate_per_min: float, rise_s: float, *, two: bool, rate_hz: float) -> Scenario:
    """Pressure control, gas 1.2 s late; ``two``: half of the rise is mixing in the line."""
    tau_s = rise_s / 2.197 / (1.5 if two else 1.0)
    part = Segment(
        ventilator=Ventilator(mode="pcv", rate_per_min=rate_per_min, ti_s=0.33 * 60.0 / rate_per_min, rise_s=0.1),
        lung=Lung(compliance_ml_cmh2o=40.0, resistance_cmh2o_s_l=9.0),
        capnogram=Capnogram(dead_space_ml=150.0, plateau_mmhg=35.0, slope_mmhg_l=10.0),
        sensor=Sensor(pco2_noise_mmhg=0.3),
    )
    device = Capnograph(time_constant_s=tau_s, mixing_s=tau_s if two else 0.0)
    return Scenario(duration_s=60.0, rate_hz=rate_hz, co2_delay_s=1.2, capnograph=device, segments=(part,))


@pytest.mark.parametrize("rate_hz", [25.0, 100.0])
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("rise_s", [0.1, 0.2, 0.3, 0.44, 0.55, 0.7])
@pytest.mark.parametrize("rate_per_min", [10.0, 18.0, 30.0])
def test_end_tidal_by_time_is_that_of_the_gas_or_withheld(
    rate_per_min: float, rise_s: float, rate_hz: float, *, two: bool
) -> None:
    made = slow(rate_per_min, rise_s, two=two, rate_hz=rate_hz)
    found = records(made, SIDESTREAM)[2:-2]
    for one in found:
        for key, off in (("petco2", 1.3), ("pico2", 2.0)):
            if key in one.values:
                assert one.values[key] == pytest.approx(getattr(true_of(made, one), key), abs=off), key
            else:
                assert one.missing[key] in {"co2_too_slow", "sidestream_unsuitable"}
    if rise_s <= 0.044 * 100.0 / rate_per_min:
        assert all("petco2" in one.values for one in found), "what is plainly there is given"


def newborn(volume_ml: float, rate_hz: float) -> tuple[Scenario, Context]:
    dead = 0.3 * volume_ml
    part = Segment(
        ventilator=Ventilator(
            mode="pcv", rate_per_min=40.0, inspiratory_pressure_cmh2o=12.0, ti_s=0.5, rise_s=0.05, peep_cmh2o=5.0
        ),
        lung=Lung(compliance_ml_cmh2o=volume_ml / 11.5, resistance_cmh2o_s_l=60.0),
        capnogram=Capnogram(
            dead_space_ml=dead, phase2_sd_ml=0.12 * dead, plateau_mmhg=40.0, slope_mmhg_l=3000.0 / volume_ml * 0.05,
            sensor_volume_ml=0.03 * volume_ml,
        ),
        sensor=Sensor(pco2_noise_mmhg=0.3, flow_noise_l_min=0.05),
    )  # fmt: skip
    made = Scenario(
        duration_s=40.0, rate_hz=rate_hz, capnograph=Capnograph(time_constant_s=0.01), segments=(part,), seed=3
    )
    return made, msgspec.structs.replace(MAINSTREAM, patient_class="neonate")


@pytest.mark.parametrize("rate_hz", [100.0, 250.0])
@pytest.mark.parametrize("volume_ml", [10.0, 20.0, 30.0])
def test_a_newborn_has_a_dead_space(volume_ml: float, rate_hz: float) -> None:
    """Where the response of the sensor is declared: half a chamber is a sixth of a newborn's dead space."""
    made, context = newborn(volume_ml, rate_hz)
    for one in records(made, context)[8:-2]:
        if "vd_aw" in one.values and one.quality["vd_aw"] != "C":
            assert one.values["vd_aw"] == pytest.approx(true_of(made, one).vd_aw, rel=0.12)
    context = msgspec.structs.replace(context, co2_delay_s=0.0, co2_rise_s=0.022)
    found = records(made, context)[8:-2]
    given = [one for one in found if "vd_aw" in one.values]
    assert len(given) >= 0.9 * len(found), found[-1].missing.get("vd_aw")
    for one in given:
        truth = true_of(made, one)
        assert one.values["vd_aw"] == pytest.approx(truth.vd_aw, rel=0.12)
        assert one.values["vd_vt_bohr"] == pytest.approx(truth.vd_vt_bohr, abs=0.03)
        assert one.values["vtco2"] == pytest.approx(truth.vtco2, rel=0.08)


def breathing(*, late_s: float, apparatus_ml: float = 0.0, breaths: int = 26) -> tuple[Chunk, float]:
    """Half-sines of flow through a pneumotachograph, no pressure; and the dead space, mL."""
    rng, rate, rate_hz, dead, volume = np.random.default_rng(4), 1000, 100, 140.0, 480.0
    flow, gas, last = [np.zeros(rate)], [np.zeros(rate)], 0.0
    for _ in range(breaths):
        size = volume * (1.0 + 0.08 * rng.standard_normal())
        ti, te = round(rate * (1.5 + 0.08 * rng.standard_normal())), round(rate * (2.6 + 0.1 * rng.standard_normal()))
        inward = np.sin(np.pi * (np.arange(ti) + 0.5) / ti)
        inward *= size / 1000.0 * rate / inward.sum()
        at = (np.arange(te) + 0.5) / te
        outward = np.sin(np.pi * np.minimum(at / 0.85, 1.0)) * np.exp(-at)
        outward *= size / 1000.0 * rate / outward.sum()
        gone = np.cumsum(outward) * 1000.0 / rate - dead
        profile = (36.0 + 0.01 * gone) / (1.0 + np.exp(-np.clip(gone / 9.0, -50, 50)))
        back = np.cumsum(inward) * 1000.0 / rate - apparatus_ml
        gas += [np.where(back < 0.0, last, last * np.exp(-np.maximum(back, 0.0) / 5.0)), profile]
        flow += [inward, -outward]
        last = float(profile[-1])
    whole, seen = np.concatenate(flow), np.concatenate(gas)
    shown = np.interp(np.arange(seen.size) / rate - late_s, np.arange(seen.size) / rate, seen)
    for i in range(1, shown.size):
        shown[i] = shown[i - 1] + (shown[i] - shown[i - 1]) / (0.02 * rate + 1.0)
    step, count = rate // rate_hz, whole.size // (rate // rate_hz)
    sampled = [one[: count * step].reshape(count, step).mean(axis=1) for one in (whole, shown)]
    channels = {
        Channel.FLOW: sampled[0] + rng.normal(0.0, 0.005, count),
        Channel.PCO2: sampled[1] + rng.normal(0.0, 0.3, count),
    }
    return Chunk(source="p", start_s=0.5 / rate_hz, rate_hz=float(rate_hz), channels=channels), dead


def heard(chunk: Chunk, context: Context) -> list[BreathRecord]:
    return records(slow(10.0, 0.1, two=False, rate_hz=100.0), context, chunks=[chunk])[8:-2]


@pytest.mark.parametrize("late_s", [0.0, 0.1])
def test_spontaneous_breaths_have_a_dead_space_where_the_delay_is_known(late_s: float) -> None:
    chunk, dead = breathing(late_s=late_s)
    found = heard(chunk, msgspec.structs.replace(MAINSTREAM, co2_delay_s=late_s))
    assert len(found) > 12
    assert all("vd_aw" in one.values for one in found), {one.missing.get("vd_aw") for one in found}
    assert max(abs(one.values["vd_aw"] - dead) for one in found) < 0.12 * dead
    assert {one.quality["vd_aw"] for one in found} <= {"A", "B"}


@pytest.mark.parametrize(("volume_ml", "reason"), [(0.0, None), (120.0, "rebreathing")])
def test_what_comes_back_from_apparatus_is_rebreathing(volume_ml: float, reason: str | None) -> None:
    """The delay is declared: CO2 that lasts long into inspiration is no delay."""
    made = scenario(rebreathing=Rebreathing(volume_ml=volume_ml) if volume_ml else None)
    found = records(made, msgspec.structs.replace(MAINSTREAM, co2_delay_s=0.0))[8:-2]
    assert {one.missing.get("vd_aw") for one in found} == {reason}
