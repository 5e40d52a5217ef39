"""What needs an arterial blood gas: published and analytic numbers, and every reason to withhold them."""

from __future__ import annotations

import pytest

from streamer.core.metrics import METRICS, Graded, MeasurementContext, Measures, NotMeasurable
from streamer.core.metrics.blood_gas_validity import BloodGasValidity
from streamer.core.metrics.gases import oxygenation_index, pf_ratio, vd_alv, vd_vt_enghoff
from streamer.model.context import BloodGas, Context
from streamer.model.reasons import Reason
from tests.support.analytic_breaths import measured, vcv

MAN = Context(sex="male", height_cm=175)
GAS = BloodGas(at_s=0.0, pco2_art_mmhg=50.0, po2_art_mmhg=72.0, fio2=0.8)
CHANGED = BloodGasValidity(has_changed=True)


def found(context: Context = MAN, **given: object) -> Measures:
    one = vcv(vt=0.5, rr=20, r=4.0)
    return measured(one, MeasurementContext(context=context, **given))  # type: ignore[arg-type]


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
        (MAN, {"blood_gas": BloodGas(at_s=0.0, pco2_art_mmhg=6.9)}, "implausible"),
    ],
)
def test_ventilatory_ratio_withheld(context: Context, given: dict[str, object], reason: str) -> None:
    assert found(context, **given).missing["vent_ratio"] == reason


# ── oxygenation


def test_oxygenation() -> None:
    """Algorithms §7: PaO2 72 at FiO2 0.8 and 18 cmH2O: P/F 90, index 20.0."""
    ratio = pf_ratio(MeasurementContext(blood_gas=GAS)).value
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
        (GAS, {"around": BloodGasValidity(has_new_fio2=True)}, "settings_changed"),
        (BloodGas(po2_art_mmhg=200.0, fio2=0.21), {}, "implausible"),
        (BloodGas(po2_art_mmhg=10.0, fio2=0.8), {}, "implausible"),
    ],
)
def test_oxygenation_withheld(gas: BloodGas | None, given: dict[str, object], reason: str) -> None:
    missing = found(blood_gas=gas, **given).missing
    assert missing["pf_ratio"] == missing["oxygenation_index"] == reason


def test_new_settings_before_the_draw_are_no_matter_of_carbon_dioxide() -> None:
    assert "vent_ratio" in found(blood_gas=GAS, around=BloodGasValidity(has_new_fio2=True)).values


def test_what_cannot_be_watched_is_of_lower_quality() -> None:
    keys = ("vent_ratio", "pf_ratio", "oxygenation_index")
    blind, watched = found(blood_gas=GAS), found(blood_gas=GAS, around=BloodGasValidity(is_watched=True))
    assert [blind.quality.get(key) for key in keys] == ["B", "B", "B"]
    assert [watched.quality.get(key) for key in keys] == [None, None, None]


def test_an_hour_is_not_yet_stale() -> None:
    assert "vent_ratio" in found(blood_gas=GAS, blood_gas_age_s=3600.0).values


# ── Enghoff

E_2 = (45.0, 26.425, 500.0, 150.0, 0.41278, 56.389)
E_3 = (55.0, 18.240, 400.0, 160.0, 0.66836, 107.345)
STEADY = BloodGasValidity(
    pco2_mixed_exp=26.425, co2_breaths=100, method="mean_mainstream", is_unsteady=False, is_watched=True
)
PRESENT = Graded(99.0, "A", "mean_mainstream")
"""What this breath itself exhales, which must not matter."""


def enghoff(
    arterial: float = 45.0, this_breath: Graded | Reason = PRESENT, age_s: float = 60.0, **of: object
) -> Graded:
    gas = BloodGas(pco2_art_mmhg=arterial)
    return vd_vt_enghoff(
        MeasurementContext(blood_gas=gas, blood_gas_age_s=age_s, around=STEADY._replace(**of)), this_breath
    )  # type: ignore[arg-type]


def why_not(**of: object) -> Reason:
    with pytest.raises(NotMeasurable) as refusal:
        enghoff(**of)  # type: ignore[arg-type]
    return refusal.value.reason


@pytest.mark.parametrize("numbers", [E_2, E_3], ids=["E-2", "E-3"])
def test_enghoff_and_alveolar_dead_space(numbers: tuple[float, ...]) -> None:
    """Analytic expirograms, algorithms §11.3."""
    arterial, mixed, vt, airway, fraction, alveolar = numbers
    around = STEADY._replace(pco2_mixed_exp=mixed)
    given = MeasurementContext(blood_gas=BloodGas(pco2_art_mmhg=arterial), around=around)
    value, grade, method = vd_vt_enghoff(given, PRESENT)
    assert value == pytest.approx(fraction, abs=5e-6)
    assert (grade, method) == ("A", "enghoff_mainstream")
    assert vd_alv(value, vt, airway, given).value == pytest.approx(alveolar, abs=5e-4)
    assert vd_alv(value, vt, airway, given).method == method


def test_a_lung_without_alveolar_dead_space_scatters_about_zero() -> None:
    """E-1: exactly zero. What noise can do is let through, more is not."""
    given = MeasurementContext(blood_gas=BloodGas(pco2_art_mmhg=40.0), around=STEADY)
    assert vd_alv(0.3, 500.0, 150.0, given).value == pytest.approx(0.0)
    assert vd_alv(0.3, 500.0, 170.0, given).value == pytest.approx(-20.0)
    with pytest.raises(NotMeasurable, match="implausible"):
        vd_alv(0.3, 500.0, 176.0, given)


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        ({"age_s": 3601.0}, "abg_stale"),
        ({"age_s": -1.0}, "abg_stale"),
        ({"has_changed": True}, "settings_changed"),
        ({"is_unsteady": True}, "nonsteady_state"),
        ({"is_watched": False}, "low_coverage"),
        ({"pco2_mixed_exp": float("nan"), "co2_breaths": 4}, "low_coverage"),
        ({"pco2_mixed_exp": float("nan"), "co2_breaths": 0}, "low_coverage"),
        (
            {"pco2_mixed_exp": float("nan"), "co2_breaths": 0, "this_breath": Reason.SIDESTREAM_UNSUITABLE},
            "sidestream_unsuitable",
        ),
        ({"pco2_mixed_exp": float("nan"), "co2_breaths": 3, "this_breath": Reason.NO_PHASE3}, "low_coverage"),
        ({"method": "mean_undeclared"}, "co2_kind_unknown"),
    ],
)
def test_enghoff_withheld(of: dict[str, object], reason: str) -> None:
    assert why_not(**of) == reason


def test_enghoff_speaks_for_the_draw_not_for_the_breath() -> None:
    assert enghoff(this_breath=Reason.NO_PHASE3) == enghoff() == enghoff(this_breath=Graded(1.0))


@pytest.mark.parametrize(
    ("of", "grade"), [({}, "A"), ({"is_unsteady": None}, "B"), ({"grade": "C"}, "C"), ({"grade": "B"}, "B")]
)
def test_quality_of_enghoff(of: dict[str, object], grade: str) -> None:
    assert enghoff(**of).quality == grade  # type: ignore[arg-type]


@pytest.mark.parametrize("arterial", [26.0, 27.0])
def test_an_implausible_fraction(arterial: float) -> None:
    low, high = METRICS["vd_vt_enghoff"].bounds
    assert (low, high) == (0.05, 0.95)
    assert not low <= enghoff(arterial).value <= high


def test_without_an_arterial_pressure() -> None:
    with pytest.raises(NotMeasurable, match="abg_missing"):
        vd_vt_enghoff(MeasurementContext(around=STEADY), PRESENT)


def test_bohr_and_enghoff_share_no_method() -> None:
    """Nor a key: a change from one to the other within a series would pass for a change of the patient."""
    named = {key: set(one.methods) for key, one in METRICS.items() if any("enghoff" in name for name in one.methods)}
    assert set(named) == {"vd_vt_enghoff", "vd_alv"}
    assert set().union(*named.values()) == {"enghoff_mainstream", "enghoff_sidestream"}
    assert enghoff(method="mean_sidestream").method == "enghoff_sidestream"
    assert {"pco2_mixed_exp"} == {name for name in METRICS["vd_vt_enghoff"].needs if name in METRICS}
