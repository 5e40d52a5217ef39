"""A capnogram that is late for a reason not declared: apparatus or delay, by what either makes of the dead space."""

from __future__ import annotations

import msgspec
import pytest

from adapters.simulator.scenario import Rebreathing
from streamer.core.align._co2_apparatus import Apparatus, Shares
from streamer.model.breath import Late
from tests.support.co2_failures import MAINSTREAM, records, scenario, true_of

KEYS = ("vd_aw", "vd_vt_bohr", "vtco2", "pco2_mixed_exp")


@pytest.mark.parametrize(
    ("late", "back", "gas", "seen"),
    [
        (0.24, 0.32, 0.044, Late.SOMEHOW),
        (0.24, 0.32, 0.046, Late.BY_APPARATUS),
        (0.26, 0.32, 0.046, Late.UNDECIDED),
        (0.26, 0.41, 0.046, Late.BY_DEVICE),
        (0.24, 0.41, 0.046, Late.UNDECIDED),
        (0.10, 0.19, 0.046, Late.UNDECIDED),
        (0.10, 0.21, 0.046, Late.BY_APPARATUS),
        (0.10, 0.30, 0.19, Late.BY_APPARATUS),
        (0.10, 0.30, 0.21, Late.SOMEHOW),
        (0.10, 0.30, 0.49, Late.SOMEHOW),
        (0.10, 0.30, 0.51, Late.BY_DEVICE),
        (0.30, 0.39, 0.14, Late.UNDECIDED),
        (0.30, 0.39, 0.16, Late.BY_DEVICE),
    ],
)
def test_shares_of_the_breath_tell(late: float, back: float, gas: float, seen: Late) -> None:
    assert Apparatus().add(Shares(late, back, gas)) is seen


def test_one_breath_changes_no_verdict() -> None:
    apparatus = Apparatus()
    for _ in range(5):
        apparatus.add(Shares(0.15, 0.30, 0.08))
    assert apparatus.add(Shares(0.30, 0.45, 0.08)) is Late.BY_APPARATUS
    apparatus.forget()
    assert apparatus.add(Shares(0.30, 0.45, 0.08)) is Late.BY_DEVICE


@pytest.mark.parametrize("volume_ml", [30.0, 40.0, 60.0, 80.0])
def test_apparatus_is_found_and_what_comes_back_is_taken_off(volume_ml: float) -> None:
    made = scenario(rebreathing=Rebreathing(volume_ml=volume_ml))
    found = records(made)[8:-2]
    for one in found:
        truth = true_of(made, one)
        assert {one.quality.get(key) for key in KEYS} in ({"B"}, {None}), "B, or nothing"
        if "vd_aw" in one.values:
            assert one.values["vd_aw"] == pytest.approx(truth.vd_aw, rel=0.12)
            assert one.values["vd_vt_bohr"] == pytest.approx(truth.vd_vt_bohr, abs=0.03)
            assert one.values["vtco2"] == pytest.approx(truth.vtco2, rel=0.10)
            assert one.values["pco2_mixed_exp"] == pytest.approx(truth.pco2_mixed_exp, abs=2.0)
        else:
            assert {one.missing[key] for key in KEYS} == {"co2_unaligned"}
        assert one.values["pco2_alv"] == pytest.approx(truth.pco2_alv, abs=1.0), "it needs no place"
    if volume_ml >= 40.0:
        assert all("vd_aw" in one.values for one in found)


@pytest.mark.parametrize("delay_s", [0.08, 0.15, 0.3, 0.5])
def test_a_delay_is_taken_for_none(delay_s: float) -> None:
    made = scenario(co2_delay_s=delay_s)
    for one in records(made)[8:-2]:
        truth = true_of(made, one)
        assert {one.quality[key] for key in ("vd_aw", "vd_vt_bohr")} == {"B"}
        assert one.values["vd_aw"] == pytest.approx(truth.vd_aw, abs=7.0)
        assert one.values["vtco2"] == pytest.approx(truth.vtco2, rel=0.05)


def test_who_says_there_is_no_apparatus_is_not_asked() -> None:
    made = scenario(co2_delay_s=0.08)
    found = records(made, msgspec.structs.replace(MAINSTREAM, apparatus_volume_ml=0.0))[8:-2]
    assert {one.quality["vd_aw"] for one in found} == {"A"}
