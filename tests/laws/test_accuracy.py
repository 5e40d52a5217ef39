"""docs/accuracy.md says what the code does, and its judge lets nothing pass that is off by more than the tolerance."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

import msgspec
import pytest

from adapters.simulator import simulate
from adapters.simulator.course import Segment
from adapters.simulator.scenario import Capnogram, Circuit, Lung, Scenario, Ventilator
from adapters.simulator.truth import BreathTruth, CapnogramTruth, SegmentTruth
from streamer.model.context import Context
from streamer.model.records import BreathRecord
from tests.tools.trust import accuracy
from tests.tools.trust.judge import JUDGES, Known
from tests.tools.trust.pages import published
from tests.tools.trust.ranges import RANGES
from tests.tools.trust.ranges import measured as in_range
from tests.tools.trust.situations import GROUPS, RUNS, TUNED, Figure, Result, drawn, measured, named

EVERY = 5
"""Each so many-th situation is measured again; the whole table takes a minute."""
LONGEST_S = 120.0
"""For the fresh run with compilation, on the slowest machine that is expected."""
NEAR = 3
"""Per cent or breaths that another processor may count otherwise."""
CELL = re.compile(r"(\d+)([ABC]?)(?: \*\*(\d+)\*\*)?$")
REMEDY = "python -m tests.tools.trust --situations --write"


def rows(name: str) -> dict[str, list[str]]:
    """Situation → cells, as published."""
    found = {}
    for line in published(accuracy.ACCURACY)[name]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[cells[0]] = cells[1:]
    return found


@pytest.fixture(scope="module")
def fresh() -> Mapping[str, Result]:
    names = list(named())[::EVERY]
    begun = time.perf_counter()
    found = {name: measured(name) for name in names}
    assert time.perf_counter() - begun < LONGEST_S
    return found


def test_there_are_the_situations_that_were_asked_for() -> None:
    assert len(named()) == sum(len(group) for group in GROUPS.values()) >= 84
    assert {name for name in rows("mechanics") if not name.startswith(("**", "situation", "---"))} == set(named())


def alike(one: str, other: str) -> bool:
    """The same cell: counts near each other, the grade to the letter."""
    if one == other:
        return True
    first, second = CELL.match(one.replace("·", "0")), CELL.match(other.replace("·", "0"))
    if first is None or second is None:
        return False
    counts = zip((first[1], first[3] or "0"), (second[1], second[3] or "0"), strict=True)
    is_same_grade = first[2] == second[2] or "" in {first[2], second[2]}
    return is_same_grade and all(abs(int(a) - int(b)) <= NEAR for a, b in counts)


@pytest.mark.parametrize("block", ["mechanics", "capnogram"])
def test_the_published_table_is_what_the_command_makes(block: str, fresh: Mapping[str, Result]) -> None:
    kept = rows(block)
    lines = dict(accuracy.blocks(fresh))[block]
    made = {cells[0]: cells[1:] for line in lines if (cells := [one.strip() for one in line.strip("|").split("|")])}
    assert len(made) > len(fresh) / 4
    for name in set(made) & set(fresh):
        pairs = list(zip(kept[name], made[name], strict=True))
        if block == "mechanics":  # found / true, and what was told in words
            assert pairs[0][0].split("/")[1] == pairs[0][1].split("/")[1], name
            assert pairs[-1][0] == pairs[-1][1], (name, REMEDY)
            pairs = pairs[1:-1]
        assert all(alike(old, new) for old, new in pairs), (name, pairs, REMEDY)


def test_cells_that_differ_are_seen() -> None:
    assert alike("88B", "90B")
    assert alike("88B **2**", "88B")
    assert not alike("88B", "92B")
    assert not alike("88B **4**", "88B")
    assert not alike("88A", "88B")
    assert not alike("·", "12B")


def test_the_halves_of_the_seeds_are_others_and_each_is_the_same_again() -> None:
    assert drawn("pcv", 0) == drawn("pcv", 0)
    drawings = [drawn("pcv", number, half) for half in (TUNED, TUNED + 1) for number in range(RUNS)]
    assert len({run.scenario.segments[0].lung.compliance_ml_cmh2o for run in drawings}) == 2 * RUNS


@pytest.mark.parametrize("name", named())
def test_every_situation_can_be_simulated_and_has_breaths_to_find(name: str) -> None:
    run = drawn(name, 0, TUNED)
    short = msgspec.structs.replace(run.scenario, duration_s=min(run.scenario.duration_s, 12.0))
    assert simulate(short).truth.breaths


@pytest.mark.parametrize("name", RANGES)
def test_a_range_grows_step_by_step_and_each_step_can_be_measured(name: str) -> None:
    chosen = RANGES[name]
    assert list(chosen.levels) == sorted(set(chosen.levels))
    assert set(chosen.keys) <= set(JUDGES)
    result = in_range(name, chosen.levels[0], half=TUNED, runs=1)
    assert result.true > 10
    assert all(result.figures[key].breaths for key in chosen.keys)


def known() -> Known:
    breath = BreathTruth(
        start_s=0.0, insp_end_s=1.0, end_s=4.0, segment=0, vt_insp=500.0, vt_exp=500.0, vt_lung=500.0, ppeak=25.0,
        pplat=20.0, peep=8.0, peep_total_before=10.0, peep_total=10.0, energy=0.9, vt=500.0, energy_net=0.8,
        co2=CapnogramTruth(
            petco2=40.0, pco2_alv=38.0, pco2_mixed_exp=26.0, vd_aw=150.0, vd_vt_bohr=0.316, vtco2=15.0, slope_3=10.0
        ),
    )  # fmt: skip
    segment = SegmentTruth(start_s=0.0, lung=Lung(), ventilator=Ventilator(), circuit=Circuit())
    return Known(breath, segment, Context(patient_class="adult", sex="male", height_cm=177.0))


@pytest.mark.parametrize("grade", ["A", "B", "C"])
@pytest.mark.parametrize("key", JUDGES)
def test_a_number_is_wrong_just_beyond_its_tolerance_and_right_just_within(key: str, grade: str) -> None:
    judge, truth = JUDGES[key], known()
    top = max(judge.true(truth))
    allowed = judge.allowed(grade, truth)
    assert 0.0 < allowed <= judge.allowed("B", truth)
    for beyond, wrong in ((0.99, 0), (1.01, 1)):
        figure = Figure()
        record = BreathRecord(
            bed="", number=0, start_s=0.0, end_s=4.0, missing={}, values={key: top + beyond * allowed},
            quality={key: grade},
        )  # fmt: skip
        figure.add(key, record, truth)
        assert (figure.given, figure.judged, figure.wrong) == (1, 1, wrong)


def test_the_judge_finds_the_simulators_own_numbers_right() -> None:
    """A lung that traps nothing: its compliance, volume and energy by the closed forms."""
    lung, ventilator = Lung(compliance_ml_cmh2o=50, resistance_cmh2o_s_l=5), Ventilator(rate_per_min=10)
    segment = Segment(lung=lung, ventilator=ventilator, capnogram=Capnogram())
    truth = simulate(Scenario(segments=(segment,))).truth
    found = Known(truth.breaths[3], truth.segments[0], Context())
    closed = {
        "rr": 10.0, "vt": 500.0, "minute_volume": 5.0, "ppeak": 5.0 + 10.0 + 2.5, "pplat": 15.0, "crs": 50.0,
        "driving_pressure": 10.0, "mp": 10 * 0.0980665 * 0.5 * (5.0 + 5.0 + 2.5), "vd_aw": 150.0,
    }  # fmt: skip
    for key, value in closed.items():
        error = JUDGES[key].error(value, found)
        assert error is not None
        assert abs(error) <= 0.02 * JUDGES[key].allowed("A", found) + 1e-3, key
