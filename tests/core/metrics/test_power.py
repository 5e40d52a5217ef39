from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streamer.core.metrics import MeasurementContext, OnsetState, RecentBreaths, extract_features, measure, no_features
from streamer.core.metrics.passive_estimate import Estimate
from streamer.core.metrics.power import energy
from streamer.model.flags import Flag
from streamer.model.reasons import Reason
from tests.support.analytic_breaths import AT_WYE, K, breath, measured, pcv, start_from, vcv

LUNG = MeasurementContext(), OnsetState(5.0, 5.0, is_total=False, is_incomplete=False, is_own=False), 20.0
O_1 = {
    "a": ({"c": 0.05, "r": 10, "peep": 5, "vt": 0.5, "rr": 15}, 0.735499, 11.03248),
    "b": ({"c": 0.03, "r": 12, "peep": 12, "vt": 0.36, "rr": 26}, 0.847295, 22.02966),
    "c": (
        {"c": 0.095, "r": 21, "peep": 0, "vt": 0.65, "rr": 15, "pause_s": 0.3, "v0": 0.095 * 2.9364},
        1.074547,
        16.1182,
    ),
}
O_3 = {
    "a": (
        {"c": 0.05, "r": 10, "peep": 5, "above": 15, "ti": 1.0, "rise_s": 0.0, "rr": 15},
        0.648499,
        1.27192,
        19.07879,
    ),
    "b": (
        {"c": 0.05, "r": 10, "peep": 5, "above": 15, "ti": 1.0, "rise_s": 0.2, "rr": 15},
        0.625198,
        1.159473,
        17.39209,
    ),
    "c": (
        {"c": 0.05, "r": 10, "peep": 5, "above": 15, "ti": 0.5, "rise_s": 0.0, "rr": 24},
        0.47409,
        0.929848,
        22.31635,
    ),
    "d": (
        {"c": 0.03, "r": 12, "peep": 12, "above": 14, "ti": 0.8, "rise_s": 0.1, "rr": 26},
        0.367536,
        0.912176,
        23.71657,
    ),
}

PASSIVE = Estimate("lsf4", 20.0, 20.0, 10.0, 10.0, 5.0, 0.0, 0.0, "B", None, strained=False, refused=None)


@pytest.mark.parametrize("row", O_1)
def test_volume_control(row: str) -> None:
    lung, energy, power = O_1[row]
    values = measured(vcv(**lung)).values
    assert values["vt_insp"] == pytest.approx(lung["vt"] * 1000, rel=0.005)
    assert values["energy"] == pytest.approx(energy, rel=0.01)
    assert values["mp"] == pytest.approx(values["energy"] * values["rr"])
    assert values["mp"] == pytest.approx(power, rel=0.01)
    assert values["energy_per_litre"] == pytest.approx(energy / lung["vt"], rel=0.01)


@pytest.mark.parametrize("row", O_3)
def test_pressure_control(row: str) -> None:
    lung, volume, energy, power = O_3[row]
    values = measured(pcv(**lung)).values
    assert values["vt_insp"] == pytest.approx(volume * 1000, rel=0.005)
    assert values["energy"] == pytest.approx(energy, rel=0.01)
    assert values["mp"] == pytest.approx(power, rel=0.01)


def test_peep_changes_power_and_not_the_loop() -> None:
    """O-8: power rises by K · V'E · PEEP, the dissipated energy stays."""
    low, high = measured(vcv(peep=5, rr=12)).values, measured(vcv(peep=10, rr=12)).values
    assert high["mp"] - low["mp"] == pytest.approx(K * low["vt_insp"] / 1000 * low["rr"] * 5.0, rel=1e-6)
    assert high["mp_loop"] == pytest.approx(low["mp_loop"], rel=1e-6)
    assert high["mp_dyn"] == pytest.approx(low["mp_dyn"], rel=1e-6)


def test_the_loop_is_what_resistance_dissipates() -> None:
    """One compartment, square flow in, passive out: in R·F·VT, out the elastic energy but for what stays."""
    values = measured(vcv(c=0.05, r=10, peep=5, vt=0.5, rr=12)).values
    assert values["mp_loop"] == pytest.approx(K * (10 * 0.5 * 0.5 + 0.5**2 / (2 * 0.05)) * values["rr"], rel=0.01)


def test_power_above_peep_counts_from_where_the_breath_began() -> None:
    """PEEP was raised from 5 to 10 during this breath: it began from 5."""
    one = vcv(peep=5)
    paw = one.paw.copy()
    paw[one.insp_end :] += 5.0
    raised = dataclasses.replace(one, paw=paw)
    assert measured(raised, start_from(one)).values["mp_dyn"] == pytest.approx(measured(one).values["mp_dyn"])
    alone = measured(raised, MeasurementContext())
    assert alone.quality["mp_dyn"] == "B"


def test_an_open_loop_is_not_a_number() -> None:
    one = vcv()
    flow = one.flow.copy()
    flow[one.insp_end :] *= 0.8
    assert measured(dataclasses.replace(one, flow=flow)).missing["mp_loop"] == "volume_not_closed"


def test_effort_costs_quality() -> None:
    one = vcv()
    found = measure(
        one, extract_features(one), MeasurementContext(context=AT_WYE), frozenset({Flag.INEFFECTIVE_EFFORT})
    )
    assert {found.quality[key] for key in ("energy", "mp", "mp_dyn", "energy_per_litre")} == {"B"}


def test_litres_per_minute_taken_for_litres_per_second_are_not_published() -> None:
    one = vcv()
    found = measured(breath(one.flow * 60.0, one.paw, one.insp_end))
    assert found.missing["vt_insp"] == "implausible"
    assert found.missing["mp"] == "implausible"


def test_power_of_the_first_half_of_a_double_trigger_counts_in_full() -> None:
    """164 J/min for 0.9 s are real energy: without them the power of the window would be too low."""
    one = vcv(vt=1.2, flow=1.5, peep=15, rr=65)
    among = MeasurementContext(past=RecentBreaths(volumes=((1.2, 1.2),) * 19))
    # hardly any of it comes back, and no label says why
    assert measured(one, among).missing["mp"] == "volume_not_closed"
    assert measured(one, flags=frozenset({Flag.DOUBLE_TRIGGER})).values["mp"] > 120.0


def test_no_pressure_no_power() -> None:
    one = vcv()
    found = measured(dataclasses.replace(one, paw=np.full(one.paw.size, np.nan)))
    keys = ("ppeak", "pmean", "peep", "pplat", "peep_total", "crs", "cdyn", "rrs", "energy", "mp", "mp_dyn", "mp_loop")
    assert {found.missing[key] for key in keys} == {"paw_missing"}
    assert found.values["vt_insp"] == pytest.approx(500.0, rel=0.005)


def test_energy_of_a_volume_that_does_not_close_is_graded_b() -> None:
    """A leak that opened between two breaths: a fifth of the volume never comes back, and nobody knows why yet."""
    whole = no_features()._replace(work=8.0, tidal_insp=0.5, tidal_exp=0.49)
    leaking = whole._replace(tidal_exp=0.4)
    assert energy(whole, frozenset(), PASSIVE, *LUNG) == (pytest.approx(0.784532), None, None)
    assert energy(leaking, frozenset(), PASSIVE, *LUNG) == (pytest.approx(0.784532), "B", None)


def test_energy_that_a_patient_shares_is_graded_b() -> None:
    """By a label, or where the estimate of the breath saw an effort (algorithms §5.1)."""
    whole = no_features()._replace(work=8.0, tidal_insp=0.5, tidal_exp=0.49)
    breathing = PASSIVE._replace(effort=Reason.PATIENT_EFFORT)
    assert energy(whole, frozenset(), breathing, *LUNG) == (pytest.approx(0.784532), "B", None)
    assert energy(whole, frozenset({Flag.FLOW_STARVATION}), PASSIVE, *LUNG) == (pytest.approx(0.784532), "B", None)
