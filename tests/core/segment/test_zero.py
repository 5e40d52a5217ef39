"""The zero of a flow sensor: what shows it, what denies it, and how far it may be off; either side of each rule."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamer.core.segment._ends import Ends, Level, Levels, levels_of, line_of, rest_of
from streamer.core.segment._levels import levels, standby
from streamer.core.segment._state import Sums
from streamer.core.segment._zero import DRIFT, Zero
from streamer.model.units import S_PER_MIN

RATE = 100.0
PEEP, HIGH = 5.0, 10.0
DURATION_S, VTI = 4.0, 0.5


def per_s(l_min: float) -> float:
    return l_min / S_PER_MIN


def sums(net_l_min: float) -> Sums:
    """A breath that gains so much."""
    net = per_s(net_l_min) * DURATION_S
    return Sums(vti=VTI, vte=VTI - net, net=net, root=3.0 * DURATION_S, filled=0, worst_mark=0, is_paw_patchy=False)


def level(flow_l_min: float, paw: float, rises_l_min: tuple[float, float] = (0.0, 0.0)) -> Level:
    return Level(math.sqrt(paw), per_s(flow_l_min), per_s(rises_l_min[0]), per_s(rises_l_min[1]))


def ended(flow_l_min: float, paw: float, rises_l_min: tuple[float, float] = (0.0, 0.0)) -> Levels:
    rises = per_s(rises_l_min[0]), per_s(rises_l_min[1])
    return Levels(math.nan, math.nan, per_s(flow_l_min), paw, rises)


NONE = Levels(math.nan, math.nan, math.nan, math.nan)


def taught(breaths: list[tuple[float, Levels]], standby_l_min: float | None = None) -> Zero:
    """From net flow and levels of each."""
    zero = Zero(10)
    if standby_l_min is not None:
        zero.stood_by(per_s(standby_l_min), 0.0)
    for net_l_min, shown in breaths:
        zero.add(sums(net_l_min), shown, DURATION_S)
    return zero


def value(zero: Zero) -> float:
    return zero.value * S_PER_MIN


# what is still to come of a flow that dies away


@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.74])
def test_an_exponential_is_followed_to_its_end(ratio: float) -> None:
    """It rises by 2, by 2r, and then by 2r² + 2r³ …"""
    rest = rest_of([level(0.0, PEEP, (2.0, 2.0 * ratio))] * 5)
    assert rest is not None
    assert rest.rise * S_PER_MIN == pytest.approx(2.0 * ratio**2 / (1.0 - ratio))
    assert rest.error == pytest.approx(0.25 * rest.rise), "no lung has one time constant"


@pytest.mark.parametrize(("ratio", "is_told"), [(0.74, True), (0.76, False), (1.0, False), (1.5, False)])
def test_what_dies_away_too_slowly_has_no_end(ratio: float, *, is_told: bool) -> None:
    """Gas that stays trapped, or a patient who begins to draw."""
    assert (rest_of([level(-2.0, PEEP, (1.0, ratio))] * 5) is not None) is is_told


@pytest.mark.parametrize("sd_l_min", [0.05, 0.2])
def test_level_flow_has_nothing_to_come_but_noise_may_hide_some(sd_l_min: float) -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        rises = rng.normal(0.0, sd_l_min, (20, 2))
        rest = rest_of([level(1.0, PEEP, (float(a), float(b))) for a, b in rises])
        if rest is not None:
            assert abs(rest.rise) <= 4.0 * rest.error + per_s(0.02)


# level flow at two pressures


def stairs(zero: float, g: float, high: float = HIGH, rises: tuple[float, float] = (0.0, 0.0)) -> list[Level]:
    """Ends of expiration at two levels of PEEP, a little uneven."""
    return [level(zero + g * math.sqrt(paw) + 0.04 * (-1) ** i, paw, rises) for i in range(10) for paw in (PEEP, high)]


@pytest.mark.parametrize("zero", [-2.0, 0.0, 2.0])
@pytest.mark.parametrize("g", [0.0, 0.3, 1.0])
def test_two_pressures_tell_a_leak_from_a_zero(zero: float, g: float) -> None:
    line = line_of(Ends(stairs(zero, g)))
    assert line is not None
    assert line.zero * S_PER_MIN == pytest.approx(zero, abs=0.1)
    assert line.conductance * S_PER_MIN == pytest.approx(g, abs=0.05)


@pytest.mark.parametrize("g", [0.3, 1.0])
def test_a_leak_that_grows_with_pressure_itself_stays_within_the_doubt(g: float) -> None:
    """A narrow gap: 5 cmH2O drive half of what 10 do, by the root of pressure 0.7."""
    narrow = [level(g * paw, paw) for _ in range(10) for paw in (PEEP, HIGH)]
    line = line_of(Ends(narrow))
    assert line is not None
    assert abs(line.zero) <= line.doubt
    assert line.zero < per_s(-0.5 * g)


@pytest.mark.parametrize(("high", "is_line"), [(6.9, False), (7.1, True)])
def test_how_far_apart_the_pressures_must_be(high: float, *, is_line: bool) -> None:
    """Roots of 2.24 and 2.63, or 2.66."""
    assert (line_of(Ends(stairs(2.0, 0.0, high))) is not None) is is_line


@pytest.mark.parametrize(("odd", "is_line"), [(1, False), (2, False), (3, True)])
def test_a_single_odd_breath_is_no_second_pressure(odd: int, *, is_line: bool) -> None:
    points = [level(0.5, PEEP)] * 10 + [level(0.5, HIGH)] * odd
    assert (line_of(Ends(points)) is not None) is is_line


@pytest.mark.parametrize(("g", "is_line"), [(-0.04, True), (-0.2, False)])
def test_a_leak_does_not_suck(g: float, *, is_line: bool) -> None:
    assert (line_of(Ends(stairs(2.0, g))) is not None) is is_line


def test_a_lung_that_still_empties_is_followed_to_rest() -> None:
    """1 L/min still leaves it at both levels: of rises by 4, 2, half of 2 and so on are to come."""
    line = line_of(Ends(stairs(2.0 - 2.0, 0.0, rises=(4.0, 2.0))))
    assert line is not None
    assert line.zero * S_PER_MIN == pytest.approx(2.0, abs=0.1)
    assert line.doubt * S_PER_MIN == pytest.approx(0.1 + 2 * 0.25 * 2.0, abs=0.1)


def test_trapped_gas_that_goes_on_leaving_is_no_zero() -> None:
    assert line_of(Ends(stairs(-3.0, 0.0, rises=(0.6, 0.5)))) is None


def test_a_full_lung_is_a_second_pressure() -> None:
    fulls = [level(1.0 + 0.5 * math.sqrt(20.0) + 0.04 * (-1) ** i, 20.0) for i in range(10)]
    ends = [level(1.0 + 0.5 * math.sqrt(PEEP), PEEP)] * 10
    line = line_of(Ends(ends), Ends(fulls))
    assert line is not None
    assert line.zero * S_PER_MIN == pytest.approx(1.0, abs=0.1)


# what is believed


@pytest.mark.parametrize(("zero", "believed"), [(2.0, 2.0), (-2.0, -2.0), (2.9, 2.9), (3.1, 0.0), (-3.1, 0.0)])
def test_two_pressures_show_up_to_three_litres_a_minute(zero: float, believed: float) -> None:
    """A nebuliser gives more, and looks the same."""
    found = taught([(zero, ended(zero, paw)) for _ in range(10) for paw in (PEEP, HIGH)])
    assert value(found) == pytest.approx(believed, abs=0.1)


@pytest.mark.parametrize(("net", "is_shown"), [(2.0, True), (1.7, True), (1.5, False), (0.0, False), (3.0, False)])
def test_the_balance_of_volumes_may_deny_it(net: float, *, is_shown: bool) -> None:
    """Sensors may differ by a twentieth of 7.5 L/min, and 0.1 L/min are in doubt."""
    found = taught([(net, ended(2.0, paw)) for _ in range(10) for paw in (PEEP, HIGH)])
    assert math.isfinite(found.doubt) is is_shown
    assert (found.value != 0.0) is is_shown


def test_a_zero_that_is_small_is_known_and_not_taken_off() -> None:
    found = taught([(0.1, ended(0.1, paw)) for _ in range(10) for paw in (PEEP, HIGH)])
    assert found.value == 0.0
    assert found.doubt * S_PER_MIN == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(
    ("standby_l_min", "net", "end", "is_shown"),
    [
        (2.0, 2.0, 2.0, True),
        (2.0, 3.2, 2.9, True),
        (2.0, 1.0, 2.0, False),
        (4.8, 0.0, 0.0, False),
        (2.5, 2.5, 1.8, False),
        (3.1, 3.1, 3.1, False),
    ],
    ids=["zero", "and a leak", "less is gained", "base flow", "ends lie below", "too much"],
)
def test_standby_is_believed_where_breaths_agree(
    standby_l_min: float, net: float, end: float, *, is_shown: bool
) -> None:
    found = taught([(net, ended(end, PEEP))] * 4, standby_l_min)
    assert value(found) == pytest.approx(standby_l_min if is_shown else 0.0)


def test_standby_waits_for_three_breaths() -> None:
    assert math.isnan(taught([(2.0, NONE)] * 2, 2.0).doubt)
    assert value(taught([(2.0, NONE)] * 3, 2.0)) == pytest.approx(2.0)


def test_a_zero_grows_old() -> None:
    found = taught([(2.0, NONE)] * 3, 2.0)
    young = found.doubt
    for _ in range(100):
        found.add(sums(2.0), NONE, DURATION_S)
    assert found.doubt - young >= 97 * DURATION_S * DRIFT
    assert value(found) == pytest.approx(2.0)


def test_a_zero_is_dropped_where_expirations_end_below_it() -> None:
    found = taught([(2.0, ended(2.0, PEEP))] * 5, 2.0)
    assert value(found) == pytest.approx(2.0)
    for _ in range(3):
        found.add(sums(1.2), ended(1.2, PEEP), DURATION_S)
    assert math.isnan(found.doubt)


@pytest.mark.parametrize(("apart", "is_taken_off"), [(0.08, True), (0.12, False)])
def test_a_zero_that_is_taken_off_stands_out_of_its_doubt(apart: float, *, is_taken_off: bool) -> None:
    """0.3 L/min, of which 0.1 and the farthest hold are in doubt, and half of that again."""
    zero = Zero(10)
    for held in (0.3, 0.3 + apart, 0.3):
        zero.add(sums(0.3), Levels(per_s(held), 17.0, math.nan, math.nan), DURATION_S)
    assert (zero.value != 0.0) is is_taken_off
    assert math.isfinite(zero.doubt)


def test_holds_follow_a_drift() -> None:
    zero = Zero(10)
    for i in range(20):
        zero.add(sums(0.1 * i), Levels(per_s(0.1 * i), 17.0, math.nan, math.nan), DURATION_S)
    assert value(zero) == pytest.approx(1.7), "the middle of five"
    assert zero.doubt * S_PER_MIN == pytest.approx(0.3)


# in the waves


def stopped(trapped: float) -> Levels:
    """An expiration of 2 s that a valve stops while gas still leaves; then pressure shows what was trapped."""
    out = np.linspace(-60.0, -9.0, 200) / S_PER_MIN
    flow = np.concatenate([np.full(100, 0.5), out, np.zeros(150)]) + 0.03
    paw = np.concatenate([np.linspace(8.0, 18.0, 100), np.full(200, PEEP), np.full(150, PEEP + trapped)])
    return levels_of(levels(flow, paw, 100, RATE, 0.0, 1.0))


@pytest.mark.parametrize(("trapped", "is_held"), [(0.9, False), (1.1, True), (5.0, True)])
def test_an_end_expiratory_occlusion_lifts_pressure(trapped: float, *, is_held: bool) -> None:
    one = stopped(trapped)
    assert math.isfinite(one.held) is is_held
    if is_held:
        assert (one.held, one.held_paw) == pytest.approx((0.03, PEEP + trapped))
        assert math.isnan(one.end)


def test_an_end_expiratory_occlusion_stops_flow() -> None:
    """Pressure that is raised while nothing flows is PEEP."""
    flow = np.concatenate([np.full(100, 0.5), np.full(350, -0.005)])
    paw = np.concatenate([np.linspace(8.0, 18.0, 100), np.full(200, PEEP), np.full(150, PEEP + 3.0)])
    assert math.isnan(levels_of(levels(flow, paw, 100, RATE, 0.0, 1.0)).held)


def test_an_inspiration_under_level_pressure_ends_full() -> None:
    time_s = np.arange(150) / RATE
    flow = np.concatenate([np.exp(-time_s / 0.2), -np.exp(-np.arange(250) / 25.0)]) + 0.02
    paw = np.concatenate([np.full(150, 20.0), np.full(250, PEEP)])
    one = levels_of(levels(flow, paw, 150, RATE, 0.0, 1.0))
    assert (one.full, one.full_paw) == pytest.approx((0.021, 20.0), abs=0.001)
    assert one.full_rises[0] < 0.0
    assert math.isnan(one.held)


def stood_by(paw: float = 0.0, sd_l_min: float = 0.4, swing_l_min: float = 0.0, offset_l_min: float = 2.0) -> float:
    """Eight seconds, of which the last third of a second is not quiet."""
    rng, time_s = np.random.default_rng(8), np.arange(800) / RATE
    flow = offset_l_min + rng.normal(0.0, sd_l_min, 800) + swing_l_min * np.sin(2.0 * np.pi * time_s)
    flow[-33:] += 5.0
    pressure = paw + rng.normal(0.0, 0.1, 800)
    return standby(flow / S_PER_MIN, pressure, 200, per_s(sd_l_min), 1.0) * S_PER_MIN


def test_standby_shows_the_zero() -> None:
    assert stood_by() == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(("paw", "is_ambient"), [(-0.6, False), (-0.4, True), (0.4, True), (0.6, False), (5.0, False)])
def test_standby_is_at_ambient_pressure(paw: float, *, is_ambient: bool) -> None:
    assert math.isfinite(stood_by(paw)) is is_ambient


@pytest.mark.parametrize(("swing_l_min", "is_quiet"), [(1.0, True), (2.0, False)])
def test_standby_is_quiet(swing_l_min: float, *, is_quiet: bool) -> None:
    """Somebody breathes: more than three times the noise, 1.2 L/min."""
    assert math.isfinite(stood_by(swing_l_min=swing_l_min)) is is_quiet


def test_zeros_that_are_written_show_nothing() -> None:
    assert math.isnan(standby(np.zeros(400), np.zeros(400), 200, 0.0, 1.0))
    assert standby(np.full(400, 0.01), np.zeros(400), 200, 0.0, 1.0) == pytest.approx(0.01)
