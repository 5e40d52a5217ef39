"""Ways in which a capnogram goes wrong and its numbers look plausible: in each, no number is shown, or it is right.

The last paragraph of algorithms §12, as far as CO2 is in it, and what recordings of others make one expect.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
import pytest

from adapters.simulator import simulate
from adapters.simulator.scenario import (
    Assist,
    Capnogram,
    Capnograph,
    Cardiogenic,
    Circuit,
    Delay,
    Effort,
    GasExchange,
    Rebreathing,
    Scenario,
    Sensor,
    Suction,
    Ventilator,
)
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import BloodGas, Context
from streamer.model.flags import Flag
from streamer.model.records import BreathRecord
from tests.support.co2_failures import MAINSTREAM, records, scenario, true_of

SIDESTREAM = Context(co2_kind="sidestream", co2_scale="BTPS", co2_delay_s=2.0, allow_sidestream_vcap=True)
OVER_VOLUME = ("vd_aw", "vd_aw_fit", "vt_alv", "vd_vt_bohr", "pco2_alv", "pco2_mixed_exp", "vtco2", "vco2",
               "slope_2", "slope_3", "sn_3", "vd_aw_sd")  # fmt: skip


def assert_right(made: Scenario, found: Iterable[BreathRecord], *, bohr: float = 0.025, dead_ml: float = 8.0) -> int:
    """Whatever is shown is right; how many breaths show a dead space."""
    count = 0
    for record in found:
        truth = true_of(made, record)
        if "vd_vt_bohr" in record.values:
            assert record.values["vd_vt_bohr"] == pytest.approx(truth.vd_vt_bohr, abs=bohr), record.start_s
        if "vd_aw" in record.values:
            count += 1
            assert record.values["vd_aw"] == pytest.approx(truth.vd_aw, abs=dead_ml), record.start_s
    return count


def assert_none(found: Iterable[BreathRecord], *reasons: str, keys: Iterable[str] = OVER_VOLUME) -> None:
    chosen = list(found)
    assert chosen
    for record in chosen:
        for key in keys:
            assert key not in record.values, (record.start_s, key)
            assert not reasons or record.missing[key] in reasons, (record.start_s, key, record.missing[key])


# ── time


@pytest.mark.parametrize("late_s", [0.02, 0.05, 0.1, 0.3])
def test_a_capnogram_that_is_late_turns_no_bohr(late_s: float) -> None:
    """50 ms would make 0.39 of 0.33; they may be apparatus, too, and a chamber may hide some: not known, not shown."""
    made = scenario(co2_delay_s=late_s)
    found = records(made)
    count = assert_right(made, found)
    if late_s == 0.05:
        assert {one.missing.get("vd_aw") for one in found[8:-2]} == {"co2_unaligned"}
        return
    assert count > 20


@pytest.mark.parametrize("step_s", [-0.05, 0.03, 0.05, 0.2])
def test_nor_one_that_becomes_late_on_the_way(step_s: float) -> None:
    step = Delay(at_s=62.0, delay_s=0.06 + step_s)
    made = scenario(co2_delay_s=0.06, co2_delay=(step,))
    found = records(made)
    assert assert_right(made, found) > 5
    assert_none([one for one in found if 62.0 < one.end_s < 80.0], "alignment_unstable")


def test_a_sidestream_lag_that_changes_with_suction_and_drifts_afterwards() -> None:
    """Water in the line: 0.3 s more after the catheter, then 20 ms a minute less."""
    made = scenario(
        duration_s=420.0,
        co2_delay_s=2.0,
        suction=(Suction(at_s=120.0, duration_s=2.0),),
        co2_delay=(Delay(at_s=122.0, delay_s=2.3, drift_ms_per_min=-20.0),),
    )
    assert_none(records(made, Context(co2_kind="sidestream", co2_scale="BTPS", co2_delay_s=2.0)))
    found = records(made, SIDESTREAM)
    assert assert_right(made, found, dead_ml=12.0, bohr=0.03) > 10
    assert_none([one for one in found if 118.0 < one.end_s < 400.0])
    assert {one.quality["vd_aw"] for one in found if "vd_aw" in one.values} == {"C"}


def test_a_line_whose_lag_follows_airway_pressure() -> None:
    """Farmery and Hahn: no single delay aligns such a breath. Not allowed: nothing. Allowed: C, and so it is meant."""
    made = scenario(co2_delay_s=2.0, capnograph=Capnograph(flow_per_cmh2o=0.01, time_constant_s=0.08, mixing_s=0.05))
    plain = records(made, Context(co2_kind="sidestream", co2_scale="BTPS"))
    assert_none(plain[1:-1], "sidestream_unsuitable")
    assert sum("petco2" in one.values for one in plain) > 25, "time capnography remains"
    assert {one.methods["petco2"] for one in plain if "petco2" in one.values} == {"time_sidestream"}
    allowed = [one for one in records(made, SIDESTREAM) if "vd_aw" in one.values]
    assert all(one.quality[key] == "C" for one in allowed for key in OVER_VOLUME if key in one.values)


# ── units and scales


def test_a_scale_that_nobody_declared() -> None:
    """A dried sample reads 6.6 % high: ratios and volumes stay, amounts are withheld, pressures are C."""
    made = scenario(capnograph=Capnograph(scale="dry"), context=Context(barometric_mmhg=760))
    found = records(made, Context(co2_kind="mainstream"))[8:-2]
    assert_none(found, "co2_scale_unknown", keys=("vtco2", "vco2"))
    assert assert_right(made, found) > 15
    assert {one.quality[key] for one in found for key in ("petco2", "pico2", "pco2_alv")} == {"C"}


def test_a_dry_scale_that_was_declared_is_brought_to_body_conditions() -> None:
    made = scenario(capnograph=Capnograph(scale="dry"), context=Context(barometric_mmhg=700))
    dry = Context(co2_kind="mainstream", co2_scale="dry", barometric_mmhg=700)
    for one in records(made, dry)[8:-2]:
        truth = true_of(made, one)
        assert one.values["vtco2"] == pytest.approx(truth.vtco2, rel=0.03)
        assert one.values["pco2_alv"] == pytest.approx(truth.pco2_alv, abs=0.6)


def test_kilopascals_taken_for_millimetres_of_mercury() -> None:
    """5 kPa is a capnogram of 5 mmHg: no plateau of expired gas, so no delay, no amount, no end-tidal."""
    made = scenario()
    wrong = [
        Chunk(source="v", start_s=one.start_s, rate_hz=one.rate_hz,
              channels={**one.channels, Channel.PCO2: one.channels[Channel.PCO2] / 7.5})
        for one in simulate(made).chunks(0.5)
    ]  # fmt: skip
    assert_none(records(made, chunks=wrong), keys=(*OVER_VOLUME, "petco2"))


@pytest.mark.parametrize("factor", [1.0 / 60.0, 60.0])
def test_litres_a_minute_taken_for_litres_a_second(factor: float) -> None:
    made = scenario()
    wrong = [
        Chunk(source="v", start_s=one.start_s, rate_hz=one.rate_hz,
              channels={**one.channels, Channel.FLOW: one.channels[Channel.FLOW] * factor})
        for one in simulate(made).chunks(0.5)
    ]  # fmt: skip
    found = records(made, chunks=wrong)
    assert not any(key in one.values for one in found for key in OVER_VOLUME)


# ── volumes


def test_flow_sensors_that_disagree() -> None:
    """20 % more gas back than went in is no leak, and no volume to find a dead space in; 6 % costs quality."""
    made = scenario(sensor=Sensor(flow_gain_exp=1.2))
    assert_none(records(made)[1:-1], "volume_not_closed", "sensor_ratio", "co2_unaligned", keys=("vd_aw", "vd_vt_bohr"))
    close = records(scenario(sensor=Sensor(flow_gain_exp=1.06)))[8:-2]
    assert {one.quality["vd_aw"] for one in close} == {"B"}
    assert all(one.missing["leak_frac"] == "sensor_ratio" for one in close)


def test_a_large_leak() -> None:
    made = scenario(circuit=Circuit(leak_l_min_per_sqrt_cmh2o=2.2))
    found = records(made)[10:-2]
    assert all(one.values["leak_frac"] > 0.2 for one in found)
    assert_none(found, "leak_high", "co2_unaligned", "no_phase3")


def test_double_triggers() -> None:
    """Each half has half of the volume: neither shows a dead space, and no other breath shows a wrong one."""
    made = scenario(
        duration_s=240.0,
        ventilator=Ventilator(rate_per_min=14.0, tidal_volume_ml=450.0, flow_l_min=40.0, peep_cmh2o=8.0),
        assist=Assist(trigger_flow_l_min=3.0),
        effort=(Effort(amplitude_cmh2o=12.0, every=3, offset_s=-0.15, rise_s=0.5, plateau_s=0.9, fall_s=0.3),),
    )
    found = records(made)
    doubled = [one for one in found if one.flags & {Flag.DOUBLE_TRIGGER, Flag.STACKED}]
    assert len(doubled) >= 10
    assert_none(doubled)


@pytest.mark.parametrize(("amplitude", "offset_s"), [(3.0, 1.5), (5.0, 2.0), (7.0, 2.6)])
def test_efforts_that_trigger_nothing(amplitude: float, offset_s: float) -> None:
    """What they draw in passes the sensor twice, or makes a small breath of its own: no volume of either is shown."""
    made = scenario(
        effort=(Effort(amplitude_cmh2o=amplitude, every=2, offset_s=offset_s, rise_s=0.3, plateau_s=0.2, fall_s=0.3),),
        ventilator=Ventilator(rate_per_min=14.0, tidal_volume_ml=450.0, flow_l_min=45.0, peep_cmh2o=8.0),
    )
    found = records(made)[8:-2]
    assert assert_right(made, found) >= 10
    withheld = [one for one in found if "vd_aw" not in one.values]
    assert len(withheld) >= 10
    assert_none(withheld, "patient_effort", "alignment_unstable", "co2_unaligned")


# ── physiology


def test_bohr_and_enghoff_share_no_series() -> None:
    """A blood gas changes no Bohr, and Enghoff's fraction stands under its own key and method."""
    exchange = GasExchange(unperfused_share=0.3, arterial_mmhg=48.0)
    made = scenario(duration_s=900.0, gas_exchange=exchange)
    without = records(made)
    gas = BloodGas(at_s=600.0, pco2_art_mmhg=48.0)
    with_gas = records(made, gases=(gas,))
    for one, other in zip(without, with_gas, strict=True):
        assert {key: one.values.get(key) for key in OVER_VOLUME} == {key: other.values.get(key) for key in OVER_VOLUME}
        assert "vd_vt_enghoff" not in one.values
    given = [one for one in with_gas if "vd_vt_enghoff" in one.values]
    assert given
    assert min(one.end_s for one in given) >= 600.0
    for one in given:
        truth = true_of(made, one)
        assert truth.vd_vt_enghoff is not None
        assert truth.vd_alv is not None
        assert one.values["vd_vt_enghoff"] == pytest.approx(truth.vd_vt_enghoff, abs=0.01)
        assert one.values["vd_vt_bohr"] == pytest.approx(truth.vd_aw / one.values["vt_exp"], abs=0.02)
        assert one.values["vd_alv"] == pytest.approx(truth.vd_alv, abs=10.0)
        assert one.methods["vd_vt_enghoff"] == "enghoff_mainstream"
        assert one.methods["vd_vt_bohr"] == "bohr_mainstream"
        assert one.values["vd_vt_enghoff"] > one.values["vd_vt_bohr"] + 0.1


def test_a_beating_heart_in_the_capnogram() -> None:
    made = scenario(cardiogenic=Cardiogenic(amplitude_mmhg=1.0, rate_per_min=77.0))
    assert assert_right(made, records(made), dead_ml=12.0, bohr=0.035) > 20


@pytest.mark.parametrize("volume_ml", [10.0, 30.0, 60.0])
def test_rebreathed_gas_is_counted_back(volume_ml: float) -> None:
    """Between wye and sensor: fresh gas comes the later, by volume and not by time, and amounts are net."""
    made = scenario(rebreathing=Rebreathing(volume_ml=volume_ml))
    found = records(made, msgspec.structs.replace(MAINSTREAM, apparatus_volume_ml=volume_ml))
    assert assert_right(made, found, dead_ml=6.0) > 20
    for one in found:
        if "vtco2" in one.values:
            assert one.values["vtco2"] == pytest.approx(true_of(made, one).vtco2, rel=0.05)


def test_apparatus_that_nobody_declared_looks_like_a_delay_and_is_not_of_quality_a() -> None:
    made = scenario(rebreathing=Rebreathing(volume_ml=40.0))
    found = records(made)[8:-2]
    assert {one.quality[key] for one in found for key in ("vd_aw", "vd_vt_bohr", "vtco2")} == {"B"}
    for one in found:
        truth = true_of(made, one)
        assert one.values["vd_aw"] == pytest.approx(truth.vd_aw, rel=0.12)
        assert one.values["vd_vt_bohr"] == pytest.approx(truth.vd_vt_bohr, abs=0.03)
        assert one.values["vtco2"] == pytest.approx(truth.vtco2, rel=0.10), "net of what comes back"
    declared = records(scenario(co2_delay_s=0.08), msgspec.structs.replace(MAINSTREAM, co2_delay_s=0.08))[8:-2]
    assert {one.quality["vd_aw"] for one in declared} == {"A"}


def test_an_exhausted_absorber() -> None:
    """12 mmHg in what is inspired: neither Bohr nor an end-tidal pressure is what it seems."""
    made = scenario(capnogram=Capnogram(dead_space_ml=150.0, plateau_mmhg=44.0, slope_mmhg_l=12.0, inspired_mmhg=12.0))
    assert_none(records(made)[8:-2], "rebreathing", keys=("vd_vt_bohr", "petco2"))


def test_breaths_that_hardly_clear_the_airway() -> None:
    made = scenario(capnogram=Capnogram(dead_space_ml=330.0, plateau_mmhg=40.0, slope_mmhg_l=12.0))
    assert_none(records(made)[8:-2], "vt_below_deadspace", "no_phase3", keys=("vd_aw", "vd_vt_bohr", "pco2_alv"))


def test_two_airways_one_after_the_other() -> None:
    """An expirogram of two steps has no one dead space: areas and shape disagree."""
    made = scenario()
    steps = []
    for one in simulate(made).chunks(0.5):
        pco2 = one.channels[Channel.PCO2]
        low = np.where((pco2 > 12.0) & (pco2 < 36.3), 12.0, pco2)
        steps.append(Chunk(source="v", start_s=one.start_s, rate_hz=one.rate_hz,
                           channels={**one.channels, Channel.PCO2: low}))  # fmt: skip
    assert_none(records(made, chunks=steps)[8:-2], keys=("vd_aw", "vd_vt_bohr"))
