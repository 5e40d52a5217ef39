"""What needs an arterial blood gas: published and analytic numbers, and every reason to withhold them."""

from __future__ import annotations

import pytest

from streamer.context import BloodGas, Context
from streamer.metrics import Given, Measures
from streamer.metrics._around import Around
from streamer.metrics.gases import oxygenation_index, pf_ratio
from tests.metrics.waves import measured, vcv

MAN = Context(sex="male", height_cm=175)
GAS = BloodGas(at_s=0.0, pco2_art_mmhg=50.0, po2_art_mmhg=72.0, fio2=0.8)
CHANGED = Around(has_changed=True)


def found(context: Context = MAN, **given: object) -> Measures:
    one = vcv(vt=0.5, rr=20, r=4.0)
    return measured(one, Given(context=context, **given))  # type: ignore[arg-type]


# ── ventilatory ratio


def test_ventilatory_ratio() -> None:
    """O-10: 10 L/min and PaCO2 50 in a man of 175 cm give 1.8895."""
    values = found(blood_gas=GAS).values
    assert values["vent_ratio"] == pytest.approx(1.8895 * values["minute_volume"] / 10.0, rel=1e-4)
    assert values["minute_volume"] == pytest.approx(10.0, rel=0.01)


@pytest.mark.parametrize(
    ("context", "given", "reason"),
    [
        (MAN, {}, "abg_missing"),
        (MAN, {"blood_gas": BloodGas(at_s=0.0, ph=7.3)}, "abg_missing"),
        (MAN, {"blood_gas": GAS, "blood_gas_age_s": 3601.0}, "abg_stale"),
        (MAN, {"blood_gas": GAS, "blood_gas_age_s": -0.01}, "abg_stale"),
        (MAN, {"blood_gas": GAS, "around": CHANGED}, "settings_changed"),
        (Context(sex="male"), {"blood_gas": GAS}, "context_missing"),
        (Context(height_cm=175), {"blood_gas": GAS}, "context_missing"),
        (Context(sex="female", height_cm=100), {"blood_gas": GAS}, "implausible"),
    ],
)
def test_ventilatory_ratio_withheld(context: Context, given: dict[str, object], reason: str) -> None:
    assert found(context, **given).missing["vent_ratio"] == reason


# ── oxygenation


def test_oxygenation() -> None:
    """Algorithms §7: PaO2 72 at FiO2 0.8 and 18 cmH2O: P/F 90, index 20.0."""
    ratio = pf_ratio(Given(blood_gas=GAS)).value
    assert ratio == pytest.approx(90.0)
    assert oxygenation_index(18.0, ratio) == pytest.approx(20.0)
    values = found(blood_gas=GAS).values
    assert values["pf_ratio"] == pytest.approx(90.0)
    assert values["oxygenation_index"] == pytest.approx(100 * 0.8 * values["pmean"] / 72)


@pytest.mark.parametrize(
    ("gas", "given", "reason"),
    [
        (None, {}, "abg_missing"),
        (BloodGas(po2_art_mmhg=72.0), {}, "abg_missing"),
        (BloodGas(fio2=0.8), {}, "abg_missing"),
        (GAS, {"blood_gas_age_s": 3601.0}, "abg_stale"),
        (GAS, {"around": CHANGED}, "settings_changed"),
        (GAS, {"around": Around(has_new_fio2=True)}, "settings_changed"),
        (BloodGas(po2_art_mmhg=200.0, fio2=0.21), {}, "implausible"),
        (BloodGas(po2_art_mmhg=10.0, fio2=0.8), {}, "implausible"),
    ],
)
def test_oxygenation_withheld(gas: BloodGas | None, given: dict[str, object], reason: str) -> None:
    missing = found(blood_gas=gas, **given).missing
    assert missing["pf_ratio"] == missing["oxygenation_index"] == reason


def test_new_settings_before_the_draw_are_no_matter_of_carbon_dioxide() -> None:
    assert "vent_ratio" in found(blood_gas=GAS, around=Around(has_new_fio2=True)).values


def test_what_cannot_be_watched_is_of_lower_quality() -> None:
    keys = ("vent_ratio", "pf_ratio", "oxygenation_index")
    blind, watched = found(blood_gas=GAS), found(blood_gas=GAS, around=Around(is_watched=True))
    assert [blind.quality.get(key) for key in keys] == ["B", "B", "B"]
    assert [watched.quality.get(key) for key in keys] == [None, None, None]


def test_an_hour_is_not_yet_stale() -> None:
    assert "vent_ratio" in found(blood_gas=GAS, blood_gas_age_s=3600.0).values
