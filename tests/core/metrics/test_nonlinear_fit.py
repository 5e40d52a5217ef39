"""Tubes and relaxation: what a fit that may bend finds, and what is given of such a lung."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import msgspec
import numpy as np
import pytest

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Relaxation, Scenario, Tube
from streamer.core.bed import Bed
from streamer.core.metrics import BreathFeatures, BreathHistory, extract_features, no_features
from streamer.core.metrics.breath_history import DOUBT, RATIOS, Ratio
from streamer.core.metrics.elastance_stability import PLAIN, halfway, is_apart, is_bent, is_close, is_wide, relaxes
from streamer.model.breath import Breath
from streamer.model.records import BreathRecord
from tests.support.breath_snapshots import ONE, BreathSnapshot
from tests.support.simulated import lung, pcv, records, vcv
from tests.tools.trust.ranges import RANGES, measured

LUNG = lung(0.05, 8.0, 10.0)
MODES = {
    "pcv": pcv(LUNG, peep=5, above=12, ti_s=1.2, rise_s=0.1, rr=15),
    "vcv": vcv(LUNG, peep=5, vt=0.5, flow_l_s=0.5, rr=15),
}


def course(mode: str, k2: float = 0.0, stiffness: float = 0.0) -> Scenario:
    parts = {"tube": Tube(k2_cmh2o_s2_l2=k2), "relaxation": Relaxation(stiffness_cmh2o_l=stiffness)}
    segment: Segment = msgspec.structs.replace(MODES[mode], **parts)
    return Scenario(duration_s=60.0, segments=(segment,), seed=1)


@cache
def folds(mode: str, k2: float = 0.0, stiffness: float = 0.0) -> list[BreathFeatures]:
    """Of the breaths that a lung without noise settles to."""
    kept: list[Breath] = []
    bed = Bed("wider", on_breath=lambda breath, _, __: kept.append(breath))
    for chunk in simulate(course(mode, k2, stiffness)).chunks(5.0):
        bed.push(chunk)
    bed.close()
    return [extract_features(breath) for breath in kept[3:-1]]


def middle(read: Callable[[BreathFeatures], float], rows: list[BreathFeatures]) -> float:
    return float(np.median([read(row) for row in rows]))


@pytest.mark.parametrize("k2", [0.0, 4.0, 10.0])
@pytest.mark.parametrize("mode", MODES)
def test_turbulence_is_told_from_elastance(mode: str, k2: float) -> None:
    rows = folds(mode, k2)
    assert middle(lambda one: one.turb_elastance, rows) == pytest.approx(20.0, rel=0.005)
    assert middle(lambda one: one.turb_p0, rows) == pytest.approx(5.0, abs=0.1)  # a tube traps some gas
    assert middle(lambda one: one.free_elastance, rows) == pytest.approx(20.0, rel=0.01)


def test_without_turbulence_resistances_are_those_of_the_plain_fit() -> None:
    rows = folds("pcv")
    assert middle(lambda one: one.turb_ri, rows) == pytest.approx(8.0, rel=0.02)
    assert middle(lambda one: one.turb_re, rows) == pytest.approx(10.0, rel=0.02)


def test_resistances_are_what_they_are_at_the_flow_of_the_breath() -> None:
    """At 0.5 L/s a tube of 10 adds 5 cmH2O·s/L to a linear 8."""
    assert middle(lambda one: one.turb_ri, folds("vcv", 10.0)) == pytest.approx(13.0, rel=0.02)


@pytest.mark.parametrize("mode", MODES)
def test_relaxation_moves_the_freer_fit_towards_the_lung_at_rest(mode: str) -> None:
    rows = folds(mode, 0.0, 8.0)
    plain = middle(lambda one: one.square_elastance if mode == "vcv" else one.fit_elastance, rows)
    free = middle(lambda one: one.free_elastance, rows)
    assert plain > 22.5
    assert abs(free - 20.0) < 0.5 * (plain - 20.0)


def test_nothing_is_found_where_there_is_too_little_of_a_breath() -> None:
    assert math.isnan(no_features().free_elastance)


@pytest.mark.parametrize(
    ("tube", "bent"),
    [
        (Ratio(1.031, 0.02), True),
        (Ratio(1.029, 0.02), False),
        (Ratio(1.08, 0.079), True),
        (Ratio(1.08, 0.081), False),
        (Ratio(0.9, 0.01), False),
        (Ratio(), False),
    ],
)
def test_a_tube_raises_elastance_beyond_doubt(tube: Ratio, bent: bool) -> None:  # noqa: FBT001
    assert is_bent(tube) == bent


def test_what_is_not_known_is_neither_apart_nor_close() -> None:
    assert not is_apart(Ratio(), PLAIN)
    assert not is_close(Ratio())


@pytest.mark.parametrize(
    ("free", "close"),
    [
        (Ratio(1.029, 0.01), True),
        (Ratio(1.031, 0.01), False),
        (Ratio(0.971, 0.059), True),
        (Ratio(1.0, 0.061), False),
    ],
)
def test_quality_a_asks_for_a_fit_that_could_tell(free: Ratio, close: bool) -> None:  # noqa: FBT001
    assert is_close(free) == close


@pytest.mark.parametrize(
    ("free", "tube", "share"),
    [
        (Ratio(0.81, 0.05), PLAIN, 0.9),
        (Ratio(0.81 * 1.1, 0.05), Ratio(1.1, 0.02), 0.9),
        (Ratio(0.95, 0.01), PLAIN, 1.0),
        (Ratio(0.81, 0.07), PLAIN, 1.0),
        (Ratio(0.69, 0.01), PLAIN, 1.0),
        (Ratio(1.2, 0.01), PLAIN, 1.0),
        (Ratio(), PLAIN, 1.0),
    ],
)
def test_halfway_is_the_middle_of_a_scale_of_ratios(free: Ratio, tube: Ratio, share: float) -> None:
    """1 where nothing differs, where it is in doubt, or where the ends lie too far apart."""
    assert halfway(free, tube) == pytest.approx(share)


@pytest.mark.parametrize(("half", "wide"), [(0.9092, False), (0.9090, True), (1.0, False)])
def test_a_middle_is_wide_where_its_ends_are_off_by_a_tenth(half: float, wide: bool) -> None:  # noqa: FBT001
    assert is_wide(half) == wide


@pytest.mark.parametrize(
    ("free", "relaxing"),
    [(Ratio(0.96, 0.035), True), (Ratio(0.975, 0.01), False), (Ratio(0.96, 0.045), False), (Ratio(0.8, 0.07), False)],
)
def test_a_lung_relaxes_beyond_doubt(free: Ratio, relaxing: bool) -> None:  # noqa: FBT001
    assert relaxes(free, PLAIN) == relaxing


def remembered(ratios: list[float]) -> Ratio:
    memory = BreathHistory()
    for ratio in ratios:
        memory.add(
            ONE, no_features()._replace(tidal_insp=0.5, tidal_exp=0.5, free_elastance=20.0 * ratio), BreathSnapshot()
        )
    return memory.past().free


def test_ratios_are_medians_with_the_doubt_that_their_range_leaves() -> None:
    assert remembered([1.0, 1.1]) == (pytest.approx(math.nan, nan_ok=True), pytest.approx(math.nan, nan_ok=True))
    assert remembered([1.0, 1.1, 1.3]) == pytest.approx((1.1, 0.3 * DOUBT[0]))
    assert remembered([1.0, 1.02, 0.98, 1.01, 0.99, 1.0, 1.0, 5.0]) == pytest.approx((1.0, 0.03 * DOUBT[5]))
    assert remembered([math.nan, 1.0, 1.2, 1.0]) == pytest.approx((1.0, 0.2 * DOUBT[0]))
    assert math.isnan(remembered([math.nan, 1.0, math.nan, 1.0, 1.0]).middle)
    assert remembered([-3.0, 1.0, 1.0]) == pytest.approx((1.0, 4.0 * DOUBT[0]))


@pytest.mark.parametrize("count", range(3, RATIOS + 1))
def test_the_doubt_is_exceeded_once_in_a_hundred(count: int) -> None:
    rng = np.random.default_rng(5)
    rows = 1.0 + 0.05 * rng.standard_normal((4000, count))
    off = sum(abs(found.middle - 1.0) > found.doubt for found in map(remembered, rows.tolist()))
    assert 0.004 < off / len(rows) < 0.016


def estimates(mode: str, k2: float = 0.0, stiffness: float = 0.0) -> list[BreathRecord]:
    return [record for record in records(course(mode, k2, stiffness)) if "crs_est" in record.values]


def test_behind_a_tube_pressure_control_is_given_by_its_method() -> None:
    found = estimates("pcv", 8.0)
    assert len(found) >= 8
    for record in found:
        assert record.methods["crs_est"] == record.methods["peep_total_est"] == "lsf_tube"
        assert record.values["crs_est"] == pytest.approx(50.0, rel=0.03)
        assert record.quality["crs_est"] == "B"
        assert record.values["rrs_insp_est"] > 10.0


def test_a_slope_needs_no_tube() -> None:
    assert {record.methods["crs_est"] for record in estimates("vcv", 8.0)} == {"slope_vcv"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("stiffness", "grade"), [(5.0, "B"), (7.0, "B"), (10.0, "C")])
def test_a_lung_that_relaxes_is_given_between_breath_and_rest(mode: str, stiffness: float, grade: str) -> None:
    found = estimates(mode, 0.0, stiffness)
    assert len(found) >= 8
    assert {(record.methods["crs_est"], record.quality["crs_est"]) for record in found} == {("relaxed_half", grade)}
    assert all(record.quality["pplat_est"] == grade for record in found)


@pytest.mark.parametrize("mode", MODES)
def test_little_relaxation_is_no_ground(mode: str) -> None:
    found = estimates(mode, 0.0, 1.0)
    assert len(found) >= 8
    assert all(record.values["crs_est"] == pytest.approx(50.0, rel=0.05) for record in found)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("level", RANGES["tube, cmH2O·s²/L²: pcv"].levels)
def test_a_tube_costs_neither_compliance_nor_total_peep(mode: str, level: float) -> None:
    result = measured(f"tube, cmH2O·s²/L²: {mode}", level)
    for key in ("crs_est", "peep_total_est"):
        assert result.figures[key].given >= 0.6 * result.figures[key].breaths, key
        assert result.figures[key].wrong == 0, key


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stiffness", [2.0, 3.0, 4.0, 5.0, 7.0, 10.0])
def test_what_is_given_of_a_relaxing_lung_is_that_of_the_lung_at_rest(mode: str, stiffness: float) -> None:
    for record in estimates(mode, 0.0, stiffness):
        allowed = 0.2 if record.quality["crs_est"] == "C" else 0.1
        assert record.values["crs_est"] == pytest.approx(50.0, rel=allowed)


@pytest.mark.parametrize("level", RANGES["stress relaxation, cmH2O/L"].levels)
def test_relaxation_over_its_range(level: float) -> None:
    """Judged between the compliance at rest and that of this breath."""
    assert measured("stress relaxation, cmH2O/L", level).figures["crs_est"].wrong == 0
