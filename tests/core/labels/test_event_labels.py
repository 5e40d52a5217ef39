"""Flow starvation, reverse triggering, cough and suction: each on both sides of its thresholds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulator.scenario import Scenario, Sensor, Ventilator
from streamer.core.labels import Labeller
from streamer.core.metrics import METRICS, extract_features
from streamer.model.breath import Breath
from streamer.model.flags import Flag
from tests.support.analytic_breaths import Lung, measured, pcv, vcv
from tests.support.event_breaths import L_MIN, early, late_draw, late_pull, pulled, shaken, share, since, sucked
from tests.support.labelled_breaths import TRIGGERED, Ward, cycle
from tests.support.simulated import lung, records, segment
from tests.support.streams import pb840, recording, servo_u

EVENTS = frozenset({Flag.FLOW_STARVATION, Flag.REVERSE_TRIGGER_SUSPECT, Flag.COUGH, Flag.SUCTION})


def labels(one: Breath) -> frozenset[Flag]:
    return Labeller("b").add(one, extract_features(one))[0]


def noisy(one: Breath, seed: int, paw: float = 0.2, flow: float = 1.0) -> Breath:
    rng = np.random.default_rng(seed)
    return pulled(one, paw * rng.standard_normal(one.paw.size), flow * L_MIN * rng.standard_normal(one.paw.size))


# ── flow starvation


def test_the_sag_is_read_as_made() -> None:
    found = extract_features(early(2.0))
    assert found.sag == pytest.approx(2.0, abs=0.1)
    assert found.sag_at == pytest.approx(0.283, abs=0.03)
    assert extract_features(vcv()).sag == pytest.approx(0.0, abs=1e-9)
    assert np.isnan(extract_features(pcv()).sag)


@pytest.mark.parametrize(("depth", "starved"), [(1.3, False), (1.7, True), (6.0, True)])
def test_starvation_from_waveforms(depth: float, starved: bool) -> None:  # noqa: FBT001
    assert labels(early(depth)) == ({Flag.FLOW_STARVATION} if starved else set())


def test_starvation_under_flow_that_falls_in_a_straight_line() -> None:
    passive = Lung().falling_flow(0.9, 0.1, 1.0).pressure(0.0, 3.0).breath(1)
    assert extract_features(passive).sag == 0.0, "pressure bulges upwards"
    assert labels(pulled(passive, 8.0 * since(passive, 0.005, 0.6))) == {Flag.FLOW_STARVATION}


def stiffening(sag: float, power: float) -> Breath:
    """A passive lung whose pressure rises with a power of its volume; 0 is exponential."""
    one = vcv()
    share = np.clip((np.arange(one.paw.size) - 0.5) / 100, 0, 1)
    curve = share**power if power else np.expm1(6 * share)
    inner = (share >= 0.1) & (share <= 0.9)
    x, y = share[inner], curve[inner]
    depth = (y[0] + (y[-1] - y[0]) * (x - x[0]) / (x[-1] - x[0]) - y).max()
    return pulled(one, np.where(np.arange(share.size) < one.insp_end, -sag / depth * curve, 0.0))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("power", [1.2, 1.5, 2.0, 4.0, 0.0])
def test_a_lung_that_stiffens_is_not_starved(power: float, seed: int) -> None:
    """However deep its sag: it lies in the middle or later, and pressure rises all the time."""
    one = noisy(stiffening(4.0, power), seed)
    assert extract_features(one).sag > 3.0
    assert labels(one) == set()


def test_a_stiff_lung_may_be_starved_too() -> None:
    """Five breaths sag alike; then an effort as long as the inspiration doubles the sag."""
    labeller = Labeller("b")
    stiff = stiffening(2.0, 2.0)
    for _ in range(5):
        assert labeller.add(stiff, extract_features(stiff))[0] == set()
    effort = pulled(stiff, 5.5 * since(stiff, -0.2, 1.5))
    assert labeller.add(effort, extract_features(effort))[0] == {Flag.FLOW_STARVATION}


@pytest.mark.parametrize(
    ("sag", "at", "fall", "starved"),
    [
        (1.51, 0.43, 0.0, True),
        (1.49, 0.43, 0.0, False),
        (1.51, 0.45, 0.0, False),
        (1.51, 0.45, 0.51, True),
        (1.51, 0.45, 0.49, False),
        (1.49, 0.45, 0.51, False),
    ],
)
def test_starvation_thresholds(sag: float, at: float, fall: float, starved: bool) -> None:  # noqa: FBT001
    assert (Flag.FLOW_STARVATION in Ward().push(sag=sag, sag_at=at, sag_fall=fall)) is starved


@pytest.mark.parametrize(
    ("seen", "volume", "sag", "starved"),
    [(5, 0.5, 2.6, True), (5, 0.5, 2.4, False), (4, 0.5, 2.6, False), (5, 0.56, 2.6, False)],
)
def test_a_sag_unlike_that_of_recent_breaths(seen: int, volume: float, sag: float, starved: bool) -> None:  # noqa: FBT001
    ward = Ward()
    for _ in range(seen):
        ward.push(sag=1.0, sag_at=0.5, sag_fall=0.0)
    assert (Flag.FLOW_STARVATION in ward.push(sag=sag, sag_at=0.5, sag_fall=0.0, insp_volume=volume)) is starved


# ── reverse triggering


def slowed(l_min: float) -> Breath:
    """Outflow slows 0.4 s into expiration, and speeds up again."""
    one = vcv(c=0.1, r=20, rr=10)
    return pulled(one, 0.0, l_min * L_MIN * since(one, 1.3, 0.4))


@pytest.mark.parametrize(
    ("weak", "strong"),
    [(late_pull(0.5), late_pull(1.6)), (late_draw(5.0), late_draw(9.0)), (slowed(6.0), slowed(20.0))],
    ids=["volume control", "pressure control", "expiration"],
)
def test_reverse_triggering_from_waveforms(weak: Breath, strong: Breath) -> None:
    for one, last in ((weak, set()), (strong, {Flag.REVERSE_TRIGGER_SUSPECT})):
        labeller = Labeller("b")
        found = [labeller.add(one, extract_features(one))[0] & EVENTS for _ in range(5)]
        assert found == [set(), set(), set(), set(), last]


@pytest.mark.parametrize(
    ("fields", "suspect"),
    [
        ({"late_fall": 1.01}, True),
        ({"late_fall": 0.99}, False),
        ({"late_swing": 6.1 * L_MIN}, True),
        ({"late_swing": 5.9 * L_MIN}, False),
        ({"below": 3.1, "below_at_s": 0.8}, True),
        ({"below": 2.9, "below_at_s": 0.8}, False),
        ({"late_fall": 1.01} | TRIGGERED, False),
    ],
)
def test_reverse_trigger_thresholds(fields: dict[str, float], suspect: bool) -> None:  # noqa: FBT001
    ward = Ward()
    found = [ward.push(late_at_s=0.8, **fields) for _ in range(6)]
    assert found[:4] == [set()] * 4
    assert [Flag.REVERSE_TRIGGER_SUSPECT in flags for flags in found[4:]] == [suspect] * 2


@pytest.mark.parametrize(("every", "suspect"), [(1, True), (2, True), (3, True), (4, False)])
def test_entrainment_ratios(every: int, suspect: bool) -> None:  # noqa: FBT001
    ward = Ward()
    found = [ward.push(late_at_s=0.8, late_fall=2.0 if k % every == 0 else 0.0) for k in range(4 * every + 1)]
    assert (Flag.REVERSE_TRIGGER_SUSPECT in found[-1]) is suspect


@pytest.mark.parametrize(("spread", "suspect"), [(0.19, True), (0.21, False)])
def test_a_fixed_delay_after_the_onset(spread: float, suspect: bool) -> None:  # noqa: FBT001
    ward = Ward()
    found = [ward.push(late_at_s=0.8 + spread * (k % 2), late_fall=2.0) for k in range(5)]
    assert (Flag.REVERSE_TRIGGER_SUSPECT in found[-1]) is suspect


def test_a_slow_valve_and_a_slow_rise_are_no_effort() -> None:
    slow_rise = pcv(ti=1.0, rise_s=1.0)
    late_outflow = Lung().constant_flow(0.5, 1.0).constant_flow(0.0, 0.3).falling_flow(-0.05, -0.05, 0.4)
    late_outflow.pressure(0.0, 2.0)
    for one in (slow_rise, late_outflow.breath(2)):
        assert extract_features(one).late_swing < 1 * L_MIN


# ── cough


@pytest.mark.parametrize(
    ("cycles", "l_min", "hz", "count"), [(2, 11, 2.5, 4), (2, 9, 2.5, 1), (1, 11, 2.5, 2), (2, 11, 0.8, 2)]
)
def test_reversals_within_a_second(cycles: int, l_min: float, hz: float, count: int) -> None:
    one = shaken(cycles, l_min, hz)
    assert extract_features(one).reversals == count
    assert labels(one) & EVENTS == ({Flag.COUGH} if count >= 4 else set())


@pytest.mark.parametrize(
    ("top", "volume", "coughs"), [(36.0, 0.5, True), (34.9, 0.5, False), (36.0, 0.62, True), (36.0, 0.63, False)]
)
def test_pressure_far_above_the_usual_peak(top: float, volume: float, coughs: bool) -> None:  # noqa: FBT001
    ward = Ward(normal=0)
    for _ in range(5):
        assert not ward.push(peak_paw=20.0, top_paw=20.0)
    assert (Flag.COUGH in ward.push(peak_paw=top, top_paw=top, insp_volume=volume)) is coughs


def test_no_cough_by_pressure_before_there_is_a_usual_one() -> None:
    ward = Ward(normal=0)
    for _ in range(4):
        ward.push(peak_paw=20.0, top_paw=20.0)
    assert not ward.push(peak_paw=60.0, top_paw=60.0)


def test_pressure_that_stays_high_is_a_new_state() -> None:
    ward = Ward(normal=0)
    for _ in range(10):
        ward.push(peak_paw=20.0, top_paw=20.0)
    found = [ward.push(peak_paw=40.0, top_paw=40.0) for _ in range(12)]
    assert found == [{Flag.COUGH}] * 3 + [set()] * 9


def test_a_pressure_spike_in_expiration_counts() -> None:
    one = vcv()
    spike = pulled(one, -40.0 * since(one, 2.0, 0.2))
    assert extract_features(spike).top_paw > extract_features(spike).peak_paw + 15
    assert extract_features(one).top_paw == extract_features(one).peak_paw


@pytest.mark.parametrize(("lasting", "turns", "coughs"), [(0.5, 1.0, True), (0.55, 1.0, False), (0.5, 0.0, False)])
def test_whole_cycles_within_a_second_are_a_fit(lasting: float, turns: float, coughs: bool) -> None:  # noqa: FBT001
    ward = Ward()
    for k in range(2):
        one = cycle(ti=lasting / 2, te=lasting / 2)
        one = dataclasses.replace(one, start_s=k * lasting, insp_end_s=(k + 0.5) * lasting, end_s=(k + 1) * lasting)
        flags = ward.push(one, reversals=turns)
        assert (Flag.COUGH in flags) is (coughs and k == 1)


@pytest.mark.parametrize(
    ("outflow", "volume", "coughs"),
    [(1.3, 0.5, True), (1.1, 0.5, False), (1.3, 0.53, True), (1.3, 0.55, False)],
)
def test_gas_that_leaves_by_force(outflow: float, volume: float, coughs: bool) -> None:  # noqa: FBT001
    """Twice the usual peak, and twice what so much gas makes: a sigh has the one, a shallow breath the other."""
    ward = Ward(normal=0)
    for _ in range(5):
        assert not ward.push(peak_exp_flow=0.6, insp_volume=0.5, exp_volume=0.5)
    found = ward.push(peak_exp_flow=outflow, insp_volume=0.5, exp_volume=volume)
    assert (Flag.COUGH in found) is coughs


def test_force_that_lasts_is_a_new_state() -> None:
    ward = Ward(normal=0)
    for _ in range(10):
        ward.push(peak_exp_flow=0.6, insp_volume=0.5, exp_volume=0.5)
    found = [Flag.COUGH in ward.push(peak_exp_flow=1.5, insp_volume=0.5, exp_volume=0.5) for _ in range(20)]
    assert found[0]
    assert not any(found[12:])


@pytest.mark.parametrize(
    ("lasts_s", "is_after", "coughs"), [(1.9, True, True), (2.1, True, False), (1.9, False, False)]
)
def test_a_short_breath_after_a_cough_belongs_to_the_bout(*, lasts_s: float, is_after: bool, coughs: bool) -> None:
    ward = Ward(normal=0)
    whole = cycle(ti=1.0, te=3.0)
    for _ in range(6):
        ward.push(whole, peak_exp_flow=0.6, insp_volume=0.5, exp_volume=0.5)
    if is_after:
        assert Flag.COUGH in ward.push(whole, peak_exp_flow=1.5, insp_volume=0.5, exp_volume=0.5)
    short = dataclasses.replace(whole, end_s=whole.start_s + lasts_s)
    assert (Flag.COUGH in ward.push(short, peak_exp_flow=0.6, insp_volume=0.5, exp_volume=0.5)) is coughs


# ── suction


@pytest.mark.parametrize(
    ("to", "lasting_s", "l_min", "is_suction"),
    [
        (-3.1, 0.35, -5.0, True),
        (-2.9, 0.35, -5.0, False),
        (-3.1, 0.30, -5.0, False),
        (-20.0, 0.35, 9.0, True),
        (-20.0, 0.35, 11.0, False),
    ],
)
def test_suction_thresholds(to: float, lasting_s: float, l_min: float, is_suction: bool) -> None:  # noqa: FBT001
    assert (Flag.SUCTION in labels(sucked(to, lasting_s, l_min))) is is_suction


def test_suction_starts_the_history_of_peep_anew_and_opens_no_circuit() -> None:
    ward = Ward()
    assert ward.push(exp_volume=0.1, sucked_s=1.0, low_paw=1.0) == {Flag.SUCTION}
    assert ward.push(exp_volume=0.1, low_paw=1.0) == set(), "there is no PEEP to compare with, and only one escaped"
    assert not ward.notices


def test_in_an_open_circuit_nothing_is_a_cough() -> None:
    ward = Ward()
    ward.push(low_paw=1.0)
    assert ward.push(reversals=5.0, sucked_s=1.0) == {Flag.DISCONNECT}


@pytest.mark.parametrize("field", ["reversals", "sucked_s"])
def test_an_excluded_breath_gets_no_other_label_and_teaches_nothing(field: str) -> None:
    ward = Ward()
    found = ward.push(cycle(ti=3.0), exp_volume=0.0, efforts=1.0, **{field: 4.0})
    assert len(found) == 1
    assert not ward.push(), "it is not the first of two"


# ── consequences


@pytest.mark.parametrize(
    ("flag", "reason", "kept"),
    [(Flag.COUGH, "cough", {"ti", "te", "ttot"}), (Flag.SUCTION, "suction", {"ti", "te", "ttot", "rr"})],
)
def test_an_excluded_breath_keeps_its_times_only(flag: Flag, reason: str, kept: set[str]) -> None:
    """And its rate, unless it is a cough: coughs are none of breathing."""
    found = measured(vcv(pause_s=0.6), flags=frozenset({flag}))
    assert set(found.values) == kept
    assert {found.missing[key] for key in METRICS if key not in found.values} == {reason}


@pytest.mark.parametrize("flag", [Flag.FLOW_STARVATION, Flag.REVERSE_TRIGGER_SUSPECT, Flag.INEFFECTIVE_EFFORT])
def test_efforts_cost_quality(flag: Flag) -> None:
    found = measured(vcv(pause_s=0.6), flags=frozenset({flag}))
    assert found.quality["energy"] == found.quality["mp"] == found.quality["pplat"] == "B"
    assert found.missing.get("rrs") == ("patient_effort" if flag is Flag.FLOW_STARVATION else None)


# ── passive lungs


def noisy_sensor() -> st.SearchStrategy[Sensor]:
    return st.builds(Sensor, paw_noise_cmh2o=st.floats(0.0, 0.3), flow_noise_l_min=st.floats(0.0, 2.0))


@settings(max_examples=60, deadline=None)
@given(
    c=st.floats(0.015, 0.12), r=st.floats(3, 30), peep=st.floats(0, 18), flow=st.floats(25, 80), vt=st.floats(250, 700),
    pause=st.sampled_from([0.0, 0.3, 0.6]), rate_hz=st.sampled_from([50.0, 100.0]), sensor=noisy_sensor(),
    seed=st.integers(0, 999),
)  # fmt: skip
def test_passive_volume_control_has_no_event_label(  # noqa: PLR0917
    c: float, r: float, peep: float, flow: float, vt: float, pause: float, rate_hz: float, sensor: Sensor, seed: int
) -> None:
    ventilator = Ventilator(
        rate_per_min=12, peep_cmh2o=peep, tidal_volume_ml=vt, flow_l_min=flow, pause_s=pause, fall_s=0.05
    )
    part = segment(lung(c, r), ventilator, sensor)
    found = records(Scenario(duration_s=45, rate_hz=rate_hz, seed=seed, segments=(part,)))
    assert len(found) >= 6
    assert not EVENTS & frozenset().union(*(record.flags for record in found))


@settings(max_examples=60, deadline=None)
@given(
    c=st.floats(0.015, 0.12), r=st.floats(3, 20), peep=st.floats(0, 18), above=st.floats(8, 30), ti=st.floats(0.6, 2.0),
    rise=st.floats(0.0, 0.5), rate_hz=st.sampled_from([50.0, 100.0]), sensor=noisy_sensor(), seed=st.integers(0, 999),
)  # fmt: skip
def test_passive_pressure_control_has_no_event_label(  # noqa: PLR0917
    c: float, r: float, peep: float, above: float, ti: float, rise: float, rate_hz: float, sensor: Sensor, seed: int
) -> None:
    ventilator = Ventilator(
        mode="pcv", rate_per_min=12, peep_cmh2o=peep, inspiratory_pressure_cmh2o=above, ti_s=ti, rise_s=rise
    )
    part = segment(lung(c, r), ventilator, sensor)
    found = records(Scenario(duration_s=45, rate_hz=rate_hz, seed=seed, segments=(part,)))
    assert len(found) >= 6
    assert not EVENTS & frozenset().union(*(record.flags for record in found))


# ── recordings


@pytest.mark.recordings
def test_recorded_air_hunger_in_volume_control() -> None:
    """A patient who pulls pressure to -30 cmH2O against falling flow in every third breath."""
    capture = pb840(recording("pb840-ventmode/raw_e9c6*"))
    assert 30 <= share(capture, Flag.FLOW_STARVATION) <= 36
    assert share(capture, Flag.SUCTION) == share(capture, Flag.COUGH) == 0


@pytest.mark.recordings
def test_a_recorded_fit_of_coughing_and_suction() -> None:
    capture = pb840(recording("pb840-ventmode/raw_18e5*"))
    assert 0.9 <= share(capture, Flag.COUGH) <= 1.5
    assert 0.2 <= share(capture, Flag.SUCTION) <= 0.4


@pytest.mark.recordings
@pytest.mark.parametrize("name", ["057e", "70d0", "dbd6", "40b6", "c8ae"])
def test_support_and_control_without_such_events(name: str) -> None:
    capture = pb840(recording(f"pb840-ventmode/raw_{name}*"))
    for flag in EVENTS:
        assert share(capture, flag) <= 0.5  # percent; one more since extra breaths no longer stand between five


@pytest.mark.recordings
@pytest.mark.parametrize("name", ["1769619974162", "1769620119673", "1769620717174"])
def test_an_artificial_lung_has_none(name: str) -> None:
    for flag in EVENTS:
        assert share(servo_u(recording(f"getinge-servo-u/{name}.txt")), flag) == 0
