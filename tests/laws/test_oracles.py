"""Oracles of algorithms.md §11 through the public path: scenario → sampled waveforms → ``Bed`` → records.

The simulator is held to closed forms in ``tests/adapters/simulator/test_simulator.py``; here records are held to the
published numbers and to the simulator's truth. Tolerances at 100 Hz as in §11.1: volumes 0.5 %, work 1 %, compliance
0.5 %.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from adapters.simulator import simulate
from adapters.simulator.scenario import Hold, Scenario, Ventilator
from streamer.model.context import BloodGas, Context
from streamer.model.flags import Flag
from streamer.model.units import JOULE_PER_L_CMH2O as K
from streamer.model.units import btps_to_stpd
from tests.support.simulated import lung, records, segment

ONSETS_S = (0.6, 0.6025, 0.605, 0.6083)
"""Where the first inspiration lies between two samples: on one, between, and halfway."""
VOLUME, WORK, COMPLIANCE = 0.005, 0.01, 0.005
QUICK = 4.0
"""Expiratory resistance for rows of the table without trapped gas, cmH2O·s/L."""


VOLUME_CONTROL = {  # C L/cmH2O, R, Re, PEEP, VT L, F L/s, pause s, RR → Pplat, Ppeak, W J, mp J/min
    "O-1a": ((0.05, 10, QUICK, 5, 0.5, 0.5, 0.0, 15), (15.0, 20.0, 0.735499, 11.03248)),
    "O-1b": ((0.03, 12, QUICK, 12, 0.36, 0.5, 0.0, 26), (24.0, 30.0, 0.847295, 22.02966)),
    "O-1c": ((0.095, 21, None, 0, 0.65, 0.5, 0.3, 15), (9.7785, 20.2785, 1.074547, 16.11820)),
}

PARTS = {
    "O-1a": {"mp_peep": 3.67749, "mp_elastic": 3.67749, "mp_resistive": 3.67749},
    "O-1b": {"mp_peep": 11.01483, "mp_elastic": 5.50741, "mp_resistive": 5.50741},
    "O-1c": {"mp_peep": 2.80761, "mp_elastic": 3.27103, "mp_resistive": 10.03956},
}


def volume_control(name: str, onset_s: float, hold: tuple[Hold, ...] = ()) -> Scenario:
    (c, r, r_exp, peep, vt, flow, pause_s, rr), _ = VOLUME_CONTROL[name]
    ventilator = Ventilator(
        rate_per_min=rr,
        peep_cmh2o=peep,
        tidal_volume_ml=1000 * vt,
        flow_l_min=60 * flow,
        pause_s=pause_s,
        fall_s=0.05 if r_exp else 0.0,  # the table's trapped gas is that of a valve which opens at once
    )
    return Scenario(duration_s=40, first_onset_s=onset_s, segments=(segment(lung(c, r, r_exp), ventilator),), hold=hold)


def assert_moved(values: Mapping[str, float], vt: float, work: float) -> None:
    """Volume (L) in and out, and the work done on it (J)."""
    assert values["vt_insp"] == pytest.approx(1000 * vt, rel=VOLUME)
    assert values["vt_exp"] == pytest.approx(1000 * vt, rel=VOLUME)
    assert values["energy"] == pytest.approx(work, rel=WORK)


@pytest.mark.parametrize("onset_s", ONSETS_S)
@pytest.mark.parametrize("name", VOLUME_CONTROL)
def test_o1_volume_control(name: str, onset_s: float) -> None:
    (c, _, _, _, vt, flow, _, rr), (_, peak, work, power) = VOLUME_CONTROL[name]
    found = records(volume_control(name, onset_s))
    assert len(found) >= 8
    for record in found:
        values = record.values
        assert_moved(values, vt, work)
        assert values["mp"] == pytest.approx(power, rel=WORK)
        assert values["energy_per_litre"] == pytest.approx(work / vt, rel=WORK)
        assert values["rr"] == pytest.approx(rr, rel=0.01)
        # the second highest sample is the mean of an interval that ends up to two before the end of a rise of F/C
        assert peak - 0.025 * flow / c <= values["ppeak"] <= peak


@pytest.mark.parametrize("onset_s", ONSETS_S)
@pytest.mark.parametrize("name", VOLUME_CONTROL)
def test_o1_holds(name: str, onset_s: float) -> None:
    """Total PEEP, then plateau, compliance and resistance of the next breath."""
    (c, r, _, _, vt, flow, _, rr), (plateau, _, work, _) = VOLUME_CONTROL[name]
    total = plateau - vt / c
    held = (Hold(at_s=8, kind="expiratory", duration_s=2), Hold(at_s=12, kind="inspiratory", duration_s=0.6))
    found = [record for record in records(volume_control(name, onset_s, held)) if Flag.HOLD in record.flags]
    measured = [record for record in found if "crs" in record.values]
    if name == "O-1c":  # gas is trapped: only the hold measures from what pressure a breath begins
        (empty,) = [record for record in found if "peep_total" in record.values]
        assert empty.values["peep_total"] == pytest.approx(total, abs=0.02)
        assert empty.values["auto_peep"] == pytest.approx(total, abs=0.02)
        others = [record for record in measured if record.methods["driving_pressure"] != "vs_total_peep"]
        assert {record.methods["driving_pressure"] for record in others} <= {"vs_total_peep_est"}
        assert all(record.values["crs"] == pytest.approx(1000 * c, rel=0.02) for record in others)
        measured = [record for record in measured if record not in others]
    (record,) = [record for record in measured if record.methods["pplat"] == "standard"]
    assert record.values["pplat"] == pytest.approx(plateau, abs=0.02)
    assert record.values["crs"] == pytest.approx(1000 * c, rel=COMPLIANCE)
    assert record.values["rrs"] * flow == pytest.approx(
        r * flow, abs=0.01 * flow / c
    )  # what pressure rises in a sample
    assert record.values["energy"] == pytest.approx(work, rel=WORK)
    assert record.quality["pplat"] == "A"
    for key, part in PARTS[name].items():  # of the same breath 15 or 26 times a minute, without the hold
        assert record.values[key] * rr / record.values["rr"] == pytest.approx(
            part, abs=WORK * sum(PARTS[name].values())
        )
        assert record.methods[key] == "measured"


PRESSURE_CONTROL = {  # C, R, PEEP, dP, Ti, Ts, RR → VT L, alveolar end-inspiratory P, W J, mp J/min
    "O-3a": ((0.05, 10, 5, 15, 1.0, 0.0, 15), (0.648499, 17.96997, 1.271920, 19.07879)),
    "O-3b": ((0.05, 10, 5, 15, 1.0, 0.2, 15), (0.625198, 17.50395, 1.159473, 17.39209)),
    "O-3c": ((0.05, 10, 5, 15, 0.5, 0.0, 24), (0.474090, 14.48181, 0.929848, 22.31635)),
    "O-3d": ((0.03, 12, 12, 14, 0.8, 0.1, 26), (0.367536, 24.25119, 0.912176, 23.71657)),
}


@pytest.mark.parametrize("onset_s", ONSETS_S)
@pytest.mark.parametrize("name", PRESSURE_CONTROL)
def test_o3_pressure_control(name: str, onset_s: float) -> None:
    (c, r, peep, above, ti_s, rise_s, rr), (vt, alveolar, work, power) = PRESSURE_CONTROL[name]
    ventilator = Ventilator(
        mode="pcv", rate_per_min=rr, peep_cmh2o=peep, inspiratory_pressure_cmh2o=above, ti_s=ti_s, rise_s=rise_s
    )
    held = (Hold(at_s=12, kind="inspiratory", duration_s=0.6),)
    part = segment(lung(c, r, QUICK), ventilator)
    found = records(Scenario(duration_s=40, first_onset_s=onset_s, segments=(part,), hold=held))
    assert len(found) >= 8
    for record in found:
        values = record.values
        assert_moved(values, vt, work)
        assert values["ppeak"] == pytest.approx(peep + above, abs=0.01)
        if Flag.HOLD in record.flags:
            assert values["pplat"] == pytest.approx(alveolar, abs=0.02)
            assert values["crs"] == pytest.approx(1000 * c, rel=COMPLIANCE)
        else:
            assert values["mp"] == pytest.approx(power, rel=WORK)
            assert record.missing["pplat"] == record.missing["crs"] == "no_hold"
    assert [Flag.HOLD in record.flags for record in found].count(True) == 1


def test_o4_gas_volume_at_standard_conditions() -> None:
    """9.4 L/min saturated at 25 °C, 761 mmHg: 8.354 L/min STPD (8.38 by the exercise's linear vapour pressure)."""
    ventilator = Ventilator(rate_per_min=20, tidal_volume_ml=470, flow_l_min=30)
    context = Context(flow_conditions="ATPS", ambient_c=25, barometric_mmhg=761)
    for record in records(Scenario(segments=(segment(lung(0.05, 8), ventilator),)), context):
        assert record.values["minute_volume"] * btps_to_stpd(761) == pytest.approx(8.354, rel=VOLUME)


@pytest.mark.parametrize(("ambient_c", "factor"), [(20, 1.102), (21, 1.096), (22, 1.091)])
def test_o5_ambient_volumes_become_body_volumes(ambient_c: float, factor: float) -> None:
    scenario = Scenario(segments=(segment(lung(0.05, 8), Ventilator()),))
    ambient = records(scenario, Context(flow_conditions="ATPS", ambient_c=ambient_c, barometric_mmhg=760))
    body = records(scenario, Context(flow_conditions="BTPS"))
    assert len(ambient) == len(body) > 10
    for key in ("vt_insp", "vt_exp", "minute_volume"):
        ratios = [one.values[key] / other.values[key] for one, other in zip(ambient, body, strict=True)]
        assert ratios == pytest.approx([factor] * len(ratios), abs=1e-3)


def test_o8_loop_work_does_not_know_peep_and_power_does() -> None:
    """Wu 2022: the loop's work is the same at PEEP 5 and 10; power rises by K·V'E·dPEEP."""
    low, high = (
        records(Scenario(segments=(segment(lung(0.04, 10, 12), Ventilator(rate_per_min=18, peep_cmh2o=peep)),)))
        for peep in (5.0, 10.0)
    )
    assert len(low) == len(high) > 10
    for one, other in zip(low, high, strict=True):
        assert other.values["mp_loop"] == pytest.approx(one.values["mp_loop"], rel=1e-3)
        assert other.values["mp_dyn"] == pytest.approx(one.values["mp_dyn"], rel=1e-3)
        rise = K * one.values["minute_volume"] * 5
        assert other.values["mp"] - one.values["mp"] == pytest.approx(rise, rel=WORK)


def test_o9_one_double_trigger_and_one_short_cycle() -> None:
    """Thille: expiration shorter than half the mean Ti between two cycles; Ti less than half the mean."""
    usual, slow = Ventilator(), lung(0.05, 20)
    changes = (
        segment(slow, usual),
        segment(slow, Ventilator(rate_per_min=54), at_s=23.5),  # one breath that leaves 0.11 s for expiration
        segment(slow, usual, at_s=25),
        segment(slow, Ventilator(tidal_volume_ml=200), at_s=40),
        segment(slow, usual, at_s=44),
    )
    scenario = Scenario(duration_s=70, first_onset_s=0.5, segments=changes)
    onsets = [breath.start_s for breath in simulate(scenario).truth.breaths]
    found = records(scenario)
    assert [record.start_s for record in found] == pytest.approx(onsets[1:-1], abs=0.02)
    doubled = [record.start_s for record in found if Flag.DOUBLE_TRIGGER in record.flags]
    assert doubled == pytest.approx([24.5, 24.5 + 60 / 54], abs=0.02)
    (short,) = [record for record in found if Flag.SHORT_CYCLE in record.flags]
    assert short.values["ti"] == pytest.approx(0.4, abs=0.02)
    for record in found:
        assert ("double_trigger" in record.missing.values()) == (Flag.DOUBLE_TRIGGER in record.flags)


def test_o10_ventilatory_ratio() -> None:
    """PBW of a man of 175 cm 70.566 kg; V'E 10 L/min and PaCO2 50: 1.8895."""
    context = Context(sex="male", height_cm=175)
    ventilator = Ventilator(rate_per_min=20, tidal_volume_ml=500, flow_l_min=40)
    gas = BloodGas(at_s=10.0, pco2_art_mmhg=50)
    found = records(Scenario(segments=(segment(lung(0.05, 8), ventilator),)), context, [gas])
    later = [record for record in found if record.end_s > 10]
    assert len(later) > 10
    for record in later:
        assert record.values["vent_ratio"] == pytest.approx(1.8895, rel=VOLUME)
    assert {record.missing.get("vent_ratio") for record in found if record not in later} == {"abg_missing"}
