"""Leak and zero offset as breaths teach them, and the levels that tell one from the other: either side of each rule."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamer.core.segment._ends import Levels, levels_of, median
from streamer.core.segment._learned import Leak
from streamer.core.segment._levels import levels
from streamer.core.segment._state import Sums
from streamer.model.units import S_PER_MIN

ROOT, DURATION_S = 10.0, 4.0
"""Of a breath: integral of the root of pressure, s·sqrt(cmH2O); its duration."""
PEEP, PLATEAU = 9.0, 16.0
NONE = Levels(math.nan, math.nan, math.nan, math.nan)
LEAK = 4.0 / S_PER_MIN
RATE = 100.0


def sums(net: float) -> Sums:
    return Sums(vti=0.5 + max(net, 0.0), vte=0.5, net=net, root=ROOT, filled=0, worst_mark=0, is_paw_patchy=False)


def fresh(most_l_min: float = 20.0) -> Leak:
    return Leak(10, 3, most_l_min / S_PER_MIN)


def taught(nets: list[float], shown: Levels = NONE) -> Leak:
    leak = fresh()
    for net in nets:
        leak.add(sums(net), shown, DURATION_S)
    return leak


def ended(flow: float, paw: float = PEEP) -> Levels:
    return Levels(math.nan, math.nan, flow, paw)


def held(flow: float, end: float = math.nan) -> Levels:
    return Levels(flow, PLATEAU, end, PEEP if math.isfinite(end) else math.nan)


@pytest.mark.parametrize("bout", [[0.8, -0.8] * 5, [0.8, 0.8, -0.8, -0.8, 0.8, -0.8], [0.8] + [0.0] * 4 + [-0.7]])
def test_a_bout_of_coughs_teaches_no_leak(bout: list[float]) -> None:
    """What one breath keeps, another returns."""
    leak = taught([0.0] * 6)
    for net in bout:
        leak.add(sums(net), NONE, DURATION_S)
        assert leak.conductance == 0.0


@pytest.mark.parametrize("g", [1.0, 4.0, 12.0])
def test_a_steady_leak_is_known_after_three_breaths(g: float) -> None:
    net = g / S_PER_MIN * ROOT
    leak = taught([0.97 * net, 1.02 * net])
    assert leak.conductance == 0.0
    leak.add(sums(1.01 * net), NONE, DURATION_S)
    assert leak.conductance == pytest.approx(g / S_PER_MIN, rel=0.05)


@pytest.mark.parametrize(("spread", "is_known"), [(0.8, True), (1.3, False)])
def test_the_sums_must_stand_out_from_how_breaths_differ(spread: float, *, is_known: bool) -> None:
    """Mean m, deviations of ±k·m in ten breaths: the standard error is k·m/3, and m is twice that for k = 1.5."""
    net = LEAK * ROOT
    k = 1.5 * spread
    leak = taught([net * (1 + k), net * (1 - k)] * 5)
    assert (leak.conductance > 0.0) is is_known


@pytest.mark.parametrize(("before", "after"), [(2.0, 12.0), (12.0, 2.0), (0.0, 6.0), (6.0, 0.0)])
def test_a_jump_is_followed_within_four_breaths(before: float, after: float) -> None:
    old, new = before / S_PER_MIN, after / S_PER_MIN
    leak = taught([old * ROOT + 0.002 * (i % 2) for i in range(10)])
    for i in range(4):
        leak.add(sums(new * ROOT + 0.002 * (i % 2)), NONE, DURATION_S)
    assert leak.conductance == pytest.approx(new, rel=0.05, abs=0.1 / S_PER_MIN)


def test_a_wandering_leak_is_no_jump() -> None:
    """A quarter more stays among the ten: the sums follow slowly."""
    leak = taught([LEAK * ROOT] * 10)
    for _ in range(3):
        leak.add(sums(1.25 * LEAK * ROOT), NONE, DURATION_S)
    assert leak.conductance == pytest.approx(1.075 * LEAK, rel=0.01)


def test_flow_at_the_end_denies_what_an_inspiratory_sensor_imitates() -> None:
    """A sensor that shows 11 % too much keeps 55 mL of every breath, but nothing flows when the lung is empty."""
    kept = [0.055] * 10
    assert taught(kept).conductance == pytest.approx(0.0055)
    assert taught(kept, ended(0.0)).conductance == 0.0
    assert taught(kept, ended(0.0055 * 3.0)).conductance == pytest.approx(0.0055)


@pytest.mark.parametrize(("below_l_min", "is_denied"), [(0.2, False), (0.4, True)])
def test_how_far_below_flow_must_lie_to_deny(below_l_min: float, *, is_denied: bool) -> None:
    expected = LEAK * math.sqrt(PEEP)
    found = taught([LEAK * ROOT] * 10, ended(expected - below_l_min / S_PER_MIN)).conductance
    shown = LEAK - below_l_min / S_PER_MIN / math.sqrt(PEEP)
    assert found == pytest.approx(shown if is_denied else LEAK)


@pytest.mark.parametrize(("shown", "share"), [(1.2, 1.2), (1.49, 1.49), (1.6, 1.5), (5.0, 1.5)])
def test_flow_at_the_end_raises_the_leak_by_half_at_most(shown: float, share: float) -> None:
    found = taught([LEAK * ROOT] * 10, ended(shown * LEAK * math.sqrt(PEEP))).conductance
    assert found == pytest.approx(share * LEAK)


def test_one_level_end_is_too_few() -> None:
    leak = taught([0.055] * 9)
    leak.add(sums(0.055), ended(0.0), DURATION_S)
    assert leak.conductance == pytest.approx(0.0055)
    leak.add(sums(0.055), ended(0.0), DURATION_S)
    assert leak.conductance == 0.0


@pytest.mark.parametrize(("g_l_min", "found_l_min"), [(19.0, 19.0), (21.0, 20.0), (-3.0, 0.0)])
def test_the_leak_is_bounded(g_l_min: float, found_l_min: float) -> None:
    found = taught([g_l_min / S_PER_MIN * ROOT] * 5).conductance
    assert found == pytest.approx(found_l_min / S_PER_MIN)


def test_a_stretch_without_a_breath_begins_again() -> None:
    leak = taught([LEAK * ROOT] * 10)
    leak.restart(sums(3 * LEAK * ROOT), 15.0)
    assert leak.conductance == pytest.approx(3 * LEAK)


@pytest.mark.parametrize(
    ("flow_l_min", "zero_l_min"),
    [(2.0, 2.0), (-2.0, -2.0), (0.2, 0.0), (-0.2, 0.0), (0.3, 0.3), (4.9, 4.9), (5.1, 0.0), (-5.1, 0.0)],
)
def test_flow_in_occlusions_is_the_zero(flow_l_min: float, zero_l_min: float) -> None:
    flow = flow_l_min / S_PER_MIN
    leak = taught([flow * DURATION_S] * 2, held(flow))
    assert leak.zero == 0.0, "two are too few"
    leak.add(sums(flow * DURATION_S), held(flow), DURATION_S)
    assert leak.zero == pytest.approx(zero_l_min / S_PER_MIN)
    if zero_l_min:
        assert leak.conductance == 0.0, "an offset is no leak"


@pytest.mark.parametrize(("above_cmh2o", "is_zero"), [(0.1, False), (1.9, False), (2.1, True)])
def test_an_occlusion_holds_pressure(above_cmh2o: float, *, is_zero: bool) -> None:
    """Base flow that runs through an open circuit is no zero."""
    flow = 4.8 / S_PER_MIN
    leak = taught([0.0] * 5, Levels(flow, PEEP + above_cmh2o, flow, PEEP))
    assert (leak.zero != 0.0) is is_zero


def test_a_leak_beside_an_offset() -> None:
    zero = 1.5 / S_PER_MIN
    net = LEAK * ROOT + zero * DURATION_S
    leak = taught([net] * 5, held(zero, zero + LEAK * math.sqrt(PEEP)))
    assert leak.zero == pytest.approx(zero)
    assert leak.conductance == pytest.approx(LEAK)


@pytest.mark.parametrize(
    ("held_l_min", "end_l_min", "is_zero"),
    [
        (4.0, 3.0, False),
        (4.0, 3.35, False),
        (4.0, 3.45, True),
        (4.0, 2.55, True),
        (4.0, 4.0, True),
        (0.8, 0.65, False),
        (0.8, 0.75, True),
    ],
    ids=["fed", "nearly", "above", "below", "level", "nearer to fed", "nearer to level"],
)
def test_a_leak_that_is_fed_in_a_hold_is_no_zero(held_l_min: float, end_l_min: float, *, is_zero: bool) -> None:
    """Flow that grows with the root of pressure, 4 to 3 here, is a leak; flow that is the same at both, an offset."""
    flow = held_l_min / S_PER_MIN
    leak = taught([flow * DURATION_S] * 5, held(flow, end_l_min / S_PER_MIN))
    assert leak.zero == pytest.approx(flow if is_zero else 0.0)


def occluded(hold_s: float = 0.5, stop_s: float = 0.02, offset: float = 0.02) -> tuple[np.ndarray, np.ndarray, int]:
    """Square flow of 1 s, a hold, an expiration that empties, then rest; flow, pressure, first sample of expiration."""
    insp, stop, hold = np.full(100, 0.5), np.linspace(0.5, 0.0, round(stop_s * RATE)), np.zeros(round(hold_s * RATE))
    out = np.append(-0.8 * np.exp(-np.arange(200) / 25.0), np.zeros(100))
    flow = np.concatenate([insp, stop, hold, out]) + offset
    paw = np.concatenate([np.linspace(5.0, PLATEAU, 100 + stop.size), np.full(hold.size, PLATEAU), np.full(300, 5.0)])
    return flow, paw, 100 + stop.size + hold.size


def found(flow: np.ndarray, paw: np.ndarray, insp_end: int, noise: float = 0.0) -> Levels:
    return levels_of(levels(flow, paw, insp_end, RATE, noise, 1.0))


@pytest.mark.parametrize("offset_l_min", [-3.0, 0.0, 1.2])
def test_levels_of_a_hold_and_of_the_end(offset_l_min: float) -> None:
    one = found(*occluded(offset=offset_l_min / S_PER_MIN))
    assert one[:4] == pytest.approx((offset_l_min / S_PER_MIN, PLATEAU, offset_l_min / S_PER_MIN, 5.0), abs=0.001)
    assert one.end_rises == pytest.approx((0.002, 0.0), abs=0.001)
    assert math.isnan(one.full), "stopped"


@pytest.mark.parametrize(("hold_s", "is_held"), [(0.26, False), (0.36, True)])
def test_a_hold_takes_three_tenths_of_a_second(hold_s: float, *, is_held: bool) -> None:
    assert math.isfinite(found(*occluded(hold_s)).held) is is_held


@pytest.mark.parametrize(("stop_s", "is_held"), [(0.06, True), (0.28, True), (0.36, False)])
def test_a_valve_stops_flow_at_once(stop_s: float, *, is_held: bool) -> None:
    """It falls by 30 % of its peak within 0.08 s: slower, it dies down in a lung that may fill further."""
    assert math.isfinite(found(*occluded(stop_s=stop_s)).held) is is_held


@pytest.mark.parametrize(("drift_l_min", "is_held"), [(0.25, True), (0.40, False)])
def test_flow_is_level_in_a_hold(drift_l_min: float, *, is_held: bool) -> None:
    """Between the halves: over twice the distance of their middles it moves twice as much."""
    flow, paw, insp_end = occluded()
    flow[insp_end - 32 : insp_end - 2] += np.linspace(-1.0, 1.0, 30) * drift_l_min / S_PER_MIN
    assert math.isfinite(found(flow, paw, insp_end).held) is is_held


@pytest.mark.parametrize(("drift", "is_held"), [(0.25, True), (0.40, False)])
def test_pressure_is_level_in_a_hold(drift: float, *, is_held: bool) -> None:
    flow, paw, insp_end = occluded()
    paw[insp_end - 32 : insp_end - 2] += np.linspace(-1.0, 1.0, 30) * drift
    assert math.isfinite(found(flow, paw, insp_end).held) is is_held


def thirds(flow: np.ndarray, insp_end: int) -> slice:
    """The last third of the last half of expiration."""
    last = flow.size - 11
    return slice(last - (last - insp_end) // 6, last)


@pytest.mark.parametrize(("step", "is_end"), [(0.28, True), (0.32, False)])
def test_pressure_is_level_at_an_end(step: float, *, is_end: bool) -> None:
    flow, paw, insp_end = occluded()
    paw[thirds(flow, insp_end)] += step
    assert math.isfinite(found(flow, paw, insp_end).end) is is_end


@pytest.mark.parametrize(("step_l_min", "is_end"), [(2.9, True), (3.1, False)])
def test_flow_fades_at_an_end(step_l_min: float, *, is_end: bool) -> None:
    """How it does is for many breaths to tell; but a step is no end."""
    flow, paw, insp_end = occluded()
    flow[thirds(flow, insp_end)] += step_l_min / S_PER_MIN
    assert math.isfinite(found(flow, paw, insp_end).end) is is_end


@pytest.mark.parametrize(("sd_l_min", "is_found"), [(1.3, True), (2.0, False), (5.0, False)])
def test_noise_widens_what_counts_as_level(sd_l_min: float, *, is_found: bool) -> None:
    """Until any flow would pass: 4 SD of the difference of two means of 15 samples are 1.9 L/min, or 2.9."""
    flow, paw, insp_end = occluded()
    rng, noise = np.random.default_rng(5), sd_l_min / S_PER_MIN
    known = [found(flow + rng.normal(0.0, noise, flow.size), paw, insp_end, noise) for _ in range(50)]
    unknown = [found(flow + rng.normal(0.0, noise, flow.size), paw, insp_end) for _ in range(50)]
    assert (
        sum(math.isfinite(one.held) for one in known) >= 49
        if is_found
        else not any(math.isfinite(one.held) for one in known)
    )
    assert sum(math.isfinite(one.held) for one in unknown) <= 35


@pytest.mark.parametrize(("after_s", "is_known"), [(0.80, False), (0.86, True)])
def test_an_end_is_no_expiration(after_s: float, *, is_known: bool) -> None:
    """Thirds of its half last 0.12 s, or longer, and end 0.1 s before the next breath."""
    flow = np.concatenate([np.full(100, 0.5), np.full(round(after_s * RATE) + 1, 0.0)])
    one = found(flow, np.full(flow.size, 5.0), 100)
    assert math.isfinite(one.end) is is_known


@pytest.mark.parametrize(("values", "middle"), [([3.0, 1.0, 2.0], 2.0), ([4.0, 1.0, 2.0, 3.0], 2.5)])
def test_median(values: list[float], middle: float) -> None:
    assert median(values) == middle
