from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulator.scenario import Scenario
from streamer.core.metrics import Graded, MeasurementContext, NotMeasurable, extract_features, measure
from streamer.core.metrics.measurement_context import OnsetState
from streamer.core.metrics.pressures import driving_pressure
from streamer.core.metrics.registry import Maybe
from streamer.model.breath import Breath
from streamer.model.context import Context
from streamer.model.flags import Flag
from streamer.model.reasons import Reason
from streamer.model.records import BreathRecord
from tests.support import simulated
from tests.support.analytic_breaths import Lung, breath, measured, pcv, start_from, vcv

PASSIVE = Context(passive="asserted")


def in_hold(shape: object, *, pause_s: float = 1.0, rr: float = 12.0) -> Breath:
    """Volume control with a pause during which pressure is changed by ``shape`` of the time since flow stopped."""
    one = vcv(pause_s=pause_s, rr=rr)
    paw = one.paw.copy()
    first = int(np.flatnonzero(one.flow == 0.0)[1])
    held = np.arange(first, one.insp_end)
    paw[held] += shape((held - first) / 100.0)  # type: ignore[operator]
    return dataclasses.replace(one, paw=paw)


def test_peak_and_mean() -> None:
    values = measured(vcv(rr=12)).values
    assert values["ppeak"] == pytest.approx(20.0, abs=0.2)
    assert values["pmean"] == pytest.approx((5 * 4 + 15) / 5, abs=0.1)


def test_one_wild_sample_is_no_peak() -> None:
    one = vcv()
    paw = one.paw.copy()
    paw[50] = 80.0
    assert measured(dataclasses.replace(one, paw=paw)).values["ppeak"] < 20.0


def test_peep_is_read_before_the_trigger_effort() -> None:
    one = vcv(rr=12)
    paw = one.paw.copy()
    paw[-16:] -= np.linspace(0.0, 2.0, 16)
    assert measured(dataclasses.replace(one, paw=paw)).values["peep"] == pytest.approx(5.0)


def test_moving_end_pressure_is_of_lesser_quality() -> None:
    one = vcv(rr=12)
    paw = one.paw.copy()
    paw[one.insp_end :] += np.linspace(10.0, 0.0, paw.size - one.insp_end)
    assert measured(dataclasses.replace(one, paw=paw)).quality["peep"] == "B"
    assert "peep" not in measured(one).quality


def test_no_expiration_no_peep() -> None:
    one = vcv()
    short = breath(one.flow[:104], one.paw[:104], one.insp_end)
    assert measured(short).missing["peep"] == "exhalation_incomplete"


# ── plateau


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 250.0])
@pytest.mark.parametrize(("pause_s", "method"), [(0.62, "standard"), (2.5, "standard"), (0.4, "pause_short")])
def test_plateau(rate_hz: float, pause_s: float, method: str) -> None:
    one = vcv(pause_s=pause_s, rr=10, rate_hz=rate_hz)
    found = measured(one, start_from(one, context=PASSIVE))
    assert found.values["pplat"] == pytest.approx(15.0, abs=0.05)
    assert found.methods["pplat"] == method
    assert found.quality["pplat"] == ("A" if method == "standard" else "B")
    assert measured(one).quality["pplat"] == "B"


def test_a_short_pause_is_not_a_plateau() -> None:
    assert measured(vcv(pause_s=0.2, rr=12)).missing["pplat"] == "no_hold"


def test_the_standard_reading_is_half_a_second_after_flow_stopped() -> None:
    """Stress relaxation: pressure still falls, and a hold of any length gives the same number."""
    found = [measured(in_hold(lambda t: 2.0 * np.exp(-t / 0.75), pause_s=s, rr=10)).values["pplat"] for s in (0.7, 2.5)]
    assert found[0] == pytest.approx(15.0 + 2.0 * np.exp(-0.45 / 0.75), abs=0.05)
    assert found[0] == pytest.approx(found[1], abs=0.01)


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        (lambda t: 3.0 * t, "steady rise"),
        (lambda t: np.where(t > 0.4, 2.0, 0.0), "late step"),
        (lambda t: -2.5 * np.exp(-(((t - 0.4) / 0.1) ** 2)), "dip and recovery"),
        (lambda t: -20.0 * np.maximum(0.0, t - 0.25), "no plateau"),
    ],
)
def test_effort_in_the_hold(shape: object, what: str) -> None:
    assert measured(in_hold(shape)).missing["pplat"] == "hold_not_passive", what


def test_a_fall_to_a_plateau_is_passive() -> None:
    found = measured(in_hold(lambda t: 3.0 * np.exp(-t / 0.1)))
    assert found.values["pplat"] == pytest.approx(15.0, abs=0.1)


def test_a_slowly_closing_valve_still_stops_flow() -> None:
    """Flow falls from 38 L/min to zero over 120 ms, as a recorded ventilator does it."""
    lung = Lung().constant_flow(38 / 60, 0.6).falling_flow(38 / 60, 0.0, 0.12).constant_flow(0.0, 0.55)
    one = lung.pressure(0.0, 2.7).breath(3)
    assert measured(one).values["pplat"] == pytest.approx(5 + lung.c**-1 * (38 / 60 * 0.66), abs=0.1)


@settings(max_examples=40, deadline=None)
@given(
    tau=st.floats(0.05, 1.0),
    c=st.floats(0.01, 0.1),
    above=st.floats(5.0, 30.0),
    ti=st.floats(0.6, 3.0),
    rate_hz=st.sampled_from([50.0, 100.0, 200.0]),
    noise=st.sampled_from([0.0, 0.2, 1.0]),
    phase=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
def test_pressure_control_never_gives_a_plateau(  # noqa: PLR0917 (hypothesis names them)
    tau: float, c: float, above: float, ti: float, rate_hz: float, noise: float, phase: float, seed: int
) -> None:
    """Flow that decays to zero by itself was not stopped, however long it has been zero."""
    one = pcv(
        c=c,
        r=tau / c,
        above=above,
        ti=ti,
        rr=60 / (ti + 3),
        rate_hz=rate_hz,
        noise=(0.2, noise),
        phase=phase,
        seed=seed,
    )
    found = measured(one)
    assert found.missing["pplat"] == "no_hold"
    assert {found.missing[key] for key in ("crs", "driving_pressure", "rrs")} == {"no_hold"}


def test_a_decay_of_a_few_noisy_samples_gives_no_plateau() -> None:
    one = pcv(
        c=0.01, r=6.25, above=5.0, ti=0.609375, rr=60 / 3.609375, rate_hz=50.0, noise=(0.2, 1.0), phase=0.5, seed=0
    )
    assert measured(one).missing.get("pplat") == "no_hold"


def test_noise_makes_no_expiratory_hold() -> None:
    """5 to 8 L/min: each expiration ends in a stretch near zero, before which noise may look like a stop."""
    lungs = ((0.06, 12.0, 5.0), (0.05, 5.0, 5.0), (0.03, 10.0, 8.0))
    ones = [vcv(c=c, r=r, rr=12, noise=(0.1, sd), seed=seed) for c, r, sd in lungs for seed in range(150)]
    assert sum(extract_features(one).exp_hold_stop >= 1.0 for one in ones) <= 0.005 * len(ones)


def closing(fall: float, rate_hz: float, seed: int, tau_s: float = 0.02) -> Breath:
    """Flow falls to 12 L/min and stops by a valve that takes some 20 ms; of what the flow had cost ``fall`` is lost."""
    one = Lung().falling_flow(0.75, 0.2, 1.0).constant_flow(0.0, 0.6).pressure(0.0, 3.0)
    plain = one.breath(2, rate_hz=rate_hz)
    stop, flow = int(1.0 * rate_hz + 0.5), plain.flow.copy()
    for i in range(stop + 1, plain.insp_end):
        flow[i] = flow[i - 1] * math.exp(-1.0 / rate_hz / tau_s)
    paw = np.where(np.arange(flow.size) >= plain.insp_end, plain.paw, plain.paw[: plain.insp_end][-1])
    paw[: stop + 1] = np.minimum(plain.paw[: stop + 1], paw[stop + 5] + fall)
    late = slice(stop + 1, plain.insp_end)
    paw[late] += fall * flow[late] / flow[stop]
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 0.8 / 60, flow.size), rng.normal(0.0, 0.1, flow.size)
    return breath(flow + noise[0], paw + noise[1], plain.insp_end, rate_hz=rate_hz)


@pytest.mark.parametrize("rate_hz", [100.0, 200.0])
@pytest.mark.parametrize("fall", [1.5, 2.0, 4.0])
def test_a_valve_takes_its_time(fall: float, rate_hz: float) -> None:
    """What is left of a small flow counts less where pressure falls with it: it was stopped."""
    found = [extract_features(closing(fall, rate_hz, seed)).hold_stop >= 1.0 for seed in range(60)]
    assert sum(found) >= 0.95 * len(found)


@pytest.mark.parametrize("rate_hz", [100.0, 200.0])
def test_flow_that_dies_under_level_pressure_was_not_stopped(rate_hz: float) -> None:
    """The same flow under a pressure that a ventilator keeps: a lung's time constant is 50 ms or more."""
    found = [extract_features(closing(0.0, rate_hz, seed, tau_s=0.05)).hold_stop >= 1.0 for seed in range(60)]
    assert not any(found)
    stopped = [extract_features(closing(2.0, rate_hz, seed, tau_s=0.03)).hold_stop >= 1.0 for seed in range(60)]
    level = [extract_features(closing(0.0, rate_hz, seed, tau_s=0.03)).hold_stop >= 1.0 for seed in range(60)]
    assert sum(stopped) >= 2 * sum(level)


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 200.0])
def test_noise_does_not_break_a_hold(rate_hz: float) -> None:
    """1 L/min of flow noise and 0.2 cmH2O of pressure noise: found in 98 % or more, and right in all of those."""
    rng = np.random.default_rng(1)
    found = []
    for seed in range(200):
        c, flow, pause_s = rng.uniform(0.02, 0.1), rng.uniform(0.4, 1.2), rng.uniform(0.7, 2.0)
        one = vcv(c=c, flow=flow, pause_s=pause_s, rr=10, noise=(0.2, 1.0), seed=seed, rate_hz=rate_hz)
        if (pplat := measured(one).values.get("pplat")) is not None:
            found.append(abs(pplat - 5.0 - 0.5 / c))
    assert len(found) >= 196
    assert max(found) < 0.4


def test_plateau_below_peep_or_above_peak_is_implausible() -> None:
    one = vcv(pause_s=0.8, rr=12)
    for wrong in (3.0, 30.0):
        features = extract_features(one)._replace(hold_p05=wrong, hold_end_paw=wrong, hold_p03=wrong)
        assert measure(one, features, MeasurementContext(before=features), ()).missing["pplat"] == "implausible"


# ── total PEEP


def exp_hold(*, te: float = 0.8, hold_s: float = 2.0, tau_r: float = 20.0, **given: object) -> tuple[Breath, Lung]:
    """Expiration stopped after ``te``; what is left in the lung shows as total PEEP."""
    lung = Lung(0.05, tau_r, 5.0).constant_flow(0.5, 1.0).pressure(0.0, te)
    trapped = lung.volume
    lung.constant_flow(0.0, hold_s)
    lung.trapped = trapped  # type: ignore[attr-defined]
    return lung.breath(1, **given), lung  # type: ignore[arg-type]


def test_total_peep_and_auto_peep() -> None:
    one, lung = exp_hold()
    found = measured(one)
    total = 5.0 + lung.trapped / 0.05  # type: ignore[attr-defined]
    assert found.values["peep_total"] == pytest.approx(total, abs=0.05)
    assert found.values["peep"] == pytest.approx(5.0)
    assert found.values["auto_peep"] == pytest.approx(total - 5.0, abs=0.05)


def test_total_peep_under_noise() -> None:
    for seed in range(10):
        one, lung = exp_hold(hold_s=3.0, noise=(0.2, 1.0), seed=seed)
        total = 5.0 + lung.trapped / 0.05  # type: ignore[attr-defined]
        assert measured(one).values["peep_total"] == pytest.approx(total, abs=0.3)


def test_a_small_residual_flow_shows_by_the_jump_of_pressure() -> None:
    """The last 2.5 L/min are too few to see a stop of flow, yet pressure rises by 1.7 cmH2O when the valve closes."""
    lung = Lung(0.05, 40.0, 5.0, v0=0.0).constant_flow(0.3, 1.0).pressure(0.0, 2.5)
    trapped = lung.volume
    one = lung.constant_flow(0.0, 2.0).breath(1)
    assert extract_features(one).exp_hold_stop < 1.0
    found = measured(one)
    assert found.values["peep_total"] == pytest.approx(5.0 + trapped / 0.05, abs=0.1)
    assert found.values["peep"] == pytest.approx(5.0, abs=0.05)


@settings(max_examples=40, deadline=None)
@given(tau=st.floats(0.05, 0.8), seed=st.integers(0, 1000), undershoot=st.floats(0.0, 2.0))
def test_a_lung_that_has_emptied_is_not_a_hold(tau: float, seed: int, undershoot: float) -> None:
    """Nor is a PEEP valve that undershoots early in expiration and comes back."""
    one = vcv(r=tau / 0.05, rr=8, noise=(0.1, 0.5), seed=seed)
    paw = one.paw.copy()
    since = (np.arange(paw.size) - one.insp_end) / 100.0
    paw -= np.where(since >= 0.0, undershoot * np.exp(-since / 0.2), 0.0)
    found = measured(dataclasses.replace(one, paw=paw))
    assert found.missing["peep_total"] == "no_hold"
    assert found.missing["auto_peep"] == "no_hold"


def test_total_peep_needs_a_settled_pressure() -> None:
    one, _ = exp_hold()
    paw = one.paw.copy()
    paw[-60:] += np.linspace(0.0, 2.0, 60)
    assert measured(dataclasses.replace(one, paw=paw)).missing["peep_total"] == "hold_not_passive"


@pytest.mark.parametrize(
    ("stop", "jump", "hold_s", "stopped"),
    [
        (1.0, 0.31, 1.0, True),
        (1.0, 0.29, 1.0, False),
        (1.0, math.nan, 1.0, True),
        (0.99, 0.9, 1.0, False),
        (0.5, 1.0, 1.0, True),
        (0.5, 1.0, 0.9, False),
    ],
)
def test_a_valve_that_stops_flow_shows_in_pressure(stop: float, jump: float, hold_s: float, *, stopped: bool) -> None:
    """Muscles that push a lung and hold it stop flow as abruptly, at a pressure that stays what it was."""
    features = extract_features(vcv())._replace(exp_hold_stop=stop, exp_hold_jump=jump, exp_hold_s=hold_s)
    assert features.is_stopped == stopped


@pytest.mark.parametrize(
    ("jump", "stop", "hold_s", "reason"),
    [
        (0.29, 0.1, 0.8, None),
        (0.31, 0.1, 0.8, "hold_unclear"),
        (0.31, -0.01, 0.8, None),
        (0.31, 0.1, 0.49, None),
        (0.31, 0.1, 0.51, "hold_unclear"),
    ],
)
def test_a_small_step_of_pressure_leaves_peep_in_doubt(
    jump: float, stop: float, hold_s: float, reason: str | None
) -> None:
    """It is either PEEP or total PEEP, unless nothing flowed out before: then a controller found back to PEEP."""
    one = vcv(rr=10)
    features = extract_features(one)._replace(exp_hold_s=hold_s, exp_hold_stop=stop, exp_hold_jump=jump)
    found = measure(one, features, MeasurementContext(before=features), ())
    assert (found.quality.get("peep"), found.missing.get("peep")) == (None, reason)


# ── driving pressure


def test_driving_pressure_from_total_peep_of_the_breath_before() -> None:
    held, lung = exp_hold()
    trapped = lung.trapped  # type: ignore[attr-defined]
    one = vcv(pause_s=0.7, rr=6, r=20.0, v0=trapped, before=(0.0, 5.0 + trapped / 0.05))
    found = measured(one, start_from(held, context=PASSIVE))
    assert found.values["driving_pressure"] == pytest.approx(10.0, abs=0.1)
    assert found.methods["driving_pressure"] == "vs_total_peep"
    assert found.quality["driving_pressure"] == "A"


def test_driving_pressure_against_set_peep() -> None:
    found = measured(vcv(pause_s=0.7, rr=10))
    assert found.values["driving_pressure"] == pytest.approx(10.0, abs=0.05)
    assert found.methods["driving_pressure"] == "vs_set_peep"


START = OnsetState(5.0, 5.0, is_total=False, is_incomplete=False, is_own=False)


@pytest.mark.parametrize(
    ("plateau", "rest", "found"),
    [
        (15.0, Graded(5.39, "B"), ("A", "vs_set_peep")),
        (15.0, Graded(5.41, "B"), ("B", "vs_set_peep_trapped")),
        (45.0, Graded(5.99, "B"), ("A", "vs_set_peep")),
        (45.0, Graded(6.01, "B"), ("B", "vs_set_peep_trapped")),
        (15.0, Graded(5.99, "B"), ("B", "vs_set_peep_trapped")),
        (15.0, Reason.FIT_POOR, ("A", "vs_set_peep")),
    ],
)
def test_a_driving_pressure_says_what_it_hides(plateau: float, rest: Maybe, found: tuple[str, str]) -> None:
    """The fitted lung rests above the PEEP it counts from, by 1 cmH2O or 4 %: compliance would be too low."""
    assert driving_pressure(plateau, START, rest, Reason.NO_HOLD) == (plateau - 5.0, *found)


@pytest.mark.parametrize("start", [START, START._replace(is_incomplete=True)])
def test_much_trapped_gas_is_taken_off_where_elastance_says_the_same(start: OnsetState) -> None:
    trapped = Graded(6.5, "B")
    assert driving_pressure(15.0, start, trapped, Graded(9.02, "B")) == (8.5, "B", "vs_total_peep_est")
    assert driving_pressure(15.0, start, trapped, Graded(8.02, "B")) == (8.5, "B", "vs_total_peep_est")
    for apart in (9.05, 8.01):
        with pytest.raises(NotMeasurable, match="estimates_disagree"):
            driving_pressure(15.0, start, trapped, Graded(apart, "B"))
    with pytest.raises(NotMeasurable, match="exhalation_incomplete"):
        driving_pressure(15.0, start, trapped, Reason.FIT_POOR)


def test_a_tenth_is_where_trapped_gas_is_taken_off() -> None:
    found = [driving_pressure(15.0, START, Graded(rest, "B"), Graded(9.0, "B")).method for rest in (5.99, 6.01)]
    assert found == ["vs_set_peep_trapped", "vs_total_peep_est"]


def test_gas_that_still_flows_leaves_no_driving_pressure_without_total_peep() -> None:
    with pytest.raises(NotMeasurable, match="exhalation_incomplete"):
        driving_pressure(15.0, START._replace(is_incomplete=True), Reason.FIT_POOR, Graded(9.0, "B"))


def test_trapped_gas_grades_compliance_and_its_reason_is_told() -> None:
    found = [one for one in trapping() if "crs" in one.values]
    assert found
    for record in found:
        assert record.quality["crs"] == record.quality["driving_pressure"] == "B"
        assert record.methods["driving_pressure"] == "vs_set_peep_trapped"
        assert record.methods["crs"] == "quasi_static"
        assert record.values["crs"] == pytest.approx(60.0, rel=0.1)


def trapping() -> list[BreathRecord]:
    """A lung that keeps 0.6 cmH2O above PEEP, with a pause in each breath: its compliance reads 7 % low."""
    part = simulated.vcv(simulated.lung(0.06, 12.0, 16.0), 5.0, 0.5, 0.6, 15.0, pause_s=0.6)
    scenario = Scenario(duration_s=80.0, segments=(part,))
    return simulated.records(scenario)[6:]


def test_trapping_without_total_peep_withholds() -> None:
    """O-1c: total PEEP is 2.9 above PEEP; against set PEEP compliance would read 30 % low."""
    one = vcv(c=0.095, r=21, peep=0, vt=0.65, pause_s=0.7, v0=0.095 * 2.9364)
    found = measured(one)
    assert found.values["pplat"] == pytest.approx(9.7785, abs=0.1)
    assert {found.missing[key] for key in ("driving_pressure", "crs")} == {"exhalation_incomplete"}


def test_the_breath_before_decides_not_this_one() -> None:
    one, short = vcv(pause_s=0.7, rr=10), vcv(r=25.0, rr=30)
    assert measured(one, start_from(short)).missing["driving_pressure"] == "exhalation_incomplete"
    assert "driving_pressure" in measured(one, start_from(one)).values


def test_without_a_breath_before_its_own_end_stands_in() -> None:
    assert measured(vcv(pause_s=0.7, rr=10), MeasurementContext(context=PASSIVE)).quality["driving_pressure"] == "B"


@pytest.mark.parametrize("flag", [Flag.DOUBLE_TRIGGER, Flag.STACKED])
def test_double_trigger_withholds_mechanics_but_not_energy(flag: Flag) -> None:
    found = measured(vcv(pause_s=0.7, rr=10), flags=frozenset({flag}))
    mechanics = ("pplat", "driving_pressure", "crs", "cdyn", "rrs", "peep_total", "auto_peep", "mp_loop")
    assert {found.missing[key] for key in mechanics} == {"double_trigger"}
    assert {"energy", "mp", "vt_insp", "ppeak"} <= found.values.keys()
