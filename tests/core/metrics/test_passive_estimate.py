"""The decision behind every ``_est`` metric: which estimator, and each gate on both of its sides."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from streamer.core.metrics import (
    BreathFeatures,
    MeasurementContext,
    NotMeasurable,
    RecentBreaths,
    extract_features,
    measure,
)
from streamer.core.metrics.breath_history import Ratio
from streamer.core.metrics.estimates import peep_total_est, pplat_est
from streamer.core.metrics.measurement_context import start_of
from streamer.core.metrics.passive_estimate import Estimate, estimate_of
from streamer.core.metrics.registry import Graded
from streamer.core.metrics.time_constant import from_time_constant, time_constant
from streamer.model.breath import Breath
from streamer.model.context import Context
from streamer.model.flags import Flag
from streamer.model.reasons import Reason
from tests.support.analytic_breaths import Lung, pcv, vcv

FIELDS = {"crs_est", "pplat_est", "driving_pressure_est", "peep_total_est"}
SURE = Ratio(1.0, 0.01)
STEADY = RecentBreaths(8, 20.0, 0.0, 0.005, 0.0, 0.0, 0.0, 0.0, tube=SURE, free=SURE)
"""Eight breaths alike: 20 cmH2O/L, even pace, and neither tube nor relaxation."""
RELAXING = STEADY._replace(free=Ratio(0.9, 0.01))
SQUARE = vcv(rr=12, flow=0.5)
DECAYING = pcv(ti=1.0, rr=12)
AT_REST = pcv(ti=2.5, rr=10)


def decide(
    one: Breath, features: BreathFeatures | None = None, past: RecentBreaths = STEADY, **context: Any
) -> Estimate:
    features = extract_features(one) if features is None else features
    given_ = MeasurementContext(context=Context(**context), before=features, past=past)
    return estimate_of(one, features, given_, start_of(features, features))


@pytest.mark.parametrize(
    ("one", "method"),
    [(SQUARE, "slope_vcv"), (DECAYING, "lsf4"), (AT_REST, "pcv_zero_flow")],
    ids=["square", "decaying", "at rest"],
)
def test_each_inspiration_has_its_estimator(one: Breath, method: str) -> None:
    found = decide(one)
    assert (found.method, found.refused, found.effort) == (method, None, None)
    assert 1000 / found.elastance == pytest.approx(50, rel=0.005)
    assert found.p0 == pytest.approx(5, abs=0.05)
    assert found.ri == pytest.approx(10, rel=0.01)


def test_falling_flow_of_volume_control_is_fitted_as_a_whole() -> None:
    one = Lung().falling_flow(0.8, 0.2, 1.0).pressure(0.0, 4.0).breath(1)
    found = decide(one)
    assert found.method == "lsf4"
    assert 1000 / found.elastance == pytest.approx(50, rel=0.005)


@pytest.mark.parametrize(
    ("one", "mode", "method"),
    [
        (SQUARE, "pcv", "lsf4"),
        (SQUARE, "vcv", "slope_vcv"),
        (AT_REST, "vcv", "lsf4"),
        (AT_REST, "pcv", "pcv_zero_flow"),
    ],
    ids=["square pcv", "square vcv", "at rest vcv", "at rest pcv"],
)
def test_the_context_knows_the_mode_better(one: Breath, mode: str, method: str) -> None:
    assert decide(one, mode=mode).method == method


def test_pressure_support_is_the_patients_whatever_is_asserted() -> None:
    assert decide(DECAYING, mode="psv").refused == Reason.PATIENT_EFFORT
    assert decide(DECAYING, mode="psv", passive="asserted").refused == Reason.PATIENT_EFFORT


def test_without_total_peep_there_is_nothing_to_hold_a_slope_against() -> None:
    """A short expiration leaves none of itself to fit."""
    one = vcv(c=0.02, vt=0.3, flow=0.3, rr=60 / 1.65)
    assert math.isnan(extract_features(one).square_p0)
    assert decide(one).refused == Reason.FIT_ILLCOND


def test_small_breaths_are_not_forgiven_more() -> None:
    """Ten millilitres are noise in an adult's breath; in one of 30 mL they are a leak."""
    whole = extract_features(DECAYING)
    small = whole._replace(tidal_insp=0.03, tidal_exp=0.0235)
    assert decide(DECAYING, small).refused == Reason.VOLUME_NOT_CLOSED
    assert decide(DECAYING, whole._replace(tidal_exp=whole.tidal_insp - 0.009)).refused is None


def edited(one: Breath, **fields: float) -> Callable[[], Estimate]:
    return lambda: decide(one, extract_features(one)._replace(**fields))


WITHIN_AND_BEYOND = {
    # gate: (what is within, what is beyond, the reason)
    "error": (edited(DECAYING, fit_error=0.049), edited(DECAYING, fit_error=0.051), "fit_illcond"),
    "error of a slope": (edited(SQUARE, square_error=0.049), edited(SQUARE, square_error=0.051), "fit_illcond"),
    "blind": (edited(DECAYING, fit_blind=0.19), edited(DECAYING, fit_blind=0.21), "fit_illcond"),
    "condition": (edited(DECAYING, fit_condition=29.9), edited(DECAYING, fit_condition=30.1), "fit_illcond"),
    "condition of a slope": (edited(SQUARE, fit_condition=300.0), edited(SQUARE, square_blind=0.21), "fit_illcond"),
    "elastance": (edited(DECAYING), edited(DECAYING, fit_elastance=-20.0), "fit_poor"),
    "explained": (edited(DECAYING, fit_explained=0.951), edited(DECAYING, fit_explained=0.949), "fit_poor"),
    "left": (edited(DECAYING, fit_left=0.79), edited(DECAYING, fit_left=0.81), "fit_poor"),
    "resistance": (edited(DECAYING, fit_ri=15.9), edited(DECAYING, fit_ri=61.0), "fit_poor"),
    "negative resistance": (edited(DECAYING), edited(DECAYING, fit_re=-0.1), "fit_poor"),
    "wide": (edited(DECAYING, fit_wide=0.14), edited(DECAYING, fit_wide=0.16), "fit_window_disagree"),
    "apart": (edited(DECAYING, fit_apart=0.99), edited(DECAYING, fit_apart=1.01), "fit_window_disagree"),
    "apart at zero flow": (edited(AT_REST, fit_apart=3.49), edited(AT_REST, fit_apart=3.51), "fit_window_disagree"),
    "bend": (edited(SQUARE, square_apart=0.99), edited(SQUARE, square_apart=1.01), "fit_window_disagree"),
    "start": (edited(DECAYING, start_excess=-1.4), edited(DECAYING, start_excess=-1.9), "patient_effort"),
    "turn": (edited(DECAYING, turn_excess=-1.7), edited(DECAYING, turn_excess=-1.9), "patient_effort"),
    "faster than one lung": (edited(DECAYING, turn_excess=1.1), edited(DECAYING, turn_excess=1.3), "fit_poor"),
    "fall": (edited(DECAYING, fall_excess=-1.4), edited(DECAYING, fall_excess=-1.9), "patient_effort"),
    "end": (edited(DECAYING, end_excess=-1.4), edited(DECAYING, end_excess=-1.9), "patient_effort"),
    "dip": (edited(DECAYING, start_min_paw=4.1), edited(DECAYING, start_min_paw=3.9), "patient_effort"),
    "in and out": (edited(DECAYING, fit_ri=15.0), edited(DECAYING, fit_ri=17.0), "estimates_disagree"),
    "static": (edited(AT_REST, fit_elastance=22.0), edited(AT_REST, fit_elastance=24.0), "estimates_disagree"),
}


@pytest.mark.parametrize("gate", WITHIN_AND_BEYOND)
def test_gates(gate: str) -> None:
    within, beyond, reason = WITHIN_AND_BEYOND[gate]
    assert within().refused is None
    assert beyond().refused == reason
    assert (beyond().effort is not None) == (reason == "patient_effort")


@pytest.mark.parametrize(
    ("past", "reason"),
    [
        (STEADY._replace(breaths=2), "low_coverage"),
        (STEADY._replace(elastance=18.3), None),
        (STEADY._replace(elastance=18.0), "patient_effort"),
        (STEADY._replace(spread=0.039), None),
        (STEADY._replace(spread=0.041), "patient_effort"),
        (STEADY._replace(spread=0.09, error=0.046), None),
        (STEADY._replace(spread=math.inf, elastance=math.inf), "patient_effort"),
        (STEADY._replace(period_spread=0.011), None),
        (STEADY._replace(period_spread=0.013), "patient_effort"),
        (STEADY._replace(free=Ratio(1.059, 0.01)), None),
        (STEADY._replace(free=Ratio(1.061, 0.01)), "estimates_disagree"),
        (STEADY._replace(free=Ratio(0.941, 0.01)), None),
        (STEADY._replace(tube=Ratio(1.099, 0.2)), None),
        (STEADY._replace(tube=Ratio(1.101, 0.2)), "estimates_disagree"),
        (STEADY._replace(free=Ratio(0.8, 0.059)), None),
        (STEADY._replace(free=Ratio(0.8, 0.061)), "estimates_disagree"),
        (STEADY._replace(free=Ratio(0.695, 0.01)), None),
        (STEADY._replace(free=Ratio(0.694, 0.01)), "estimates_disagree"),
        (STEADY._replace(free=Ratio(0.8, 0.21)), None),
        (STEADY._replace(free=Ratio(0.8, 0.19)), "estimates_disagree"),
        (STEADY._replace(free=Ratio(1.2, 0.01), hold_crs=48.0, hold_at_s=0.0), None),
        (STEADY._replace(free=Ratio(1.2, 0.01), hold_crs=46.0, hold_at_s=0.0), "estimates_disagree"),
        (STEADY._replace(tube=Ratio(1.1, 0.059), free=Ratio(1.1, 0.01)), None),
        (STEADY._replace(tube=Ratio(1.1, 0.061), free=Ratio(1.1, 0.01)), "estimates_disagree"),
        (STEADY._replace(tube=Ratio(1.1, 0.01), free=Ratio(1.18, 0.01)), "estimates_disagree"),
        (STEADY._replace(ti_spread=0.021), "patient_effort"),
        (STEADY._replace(vt_spread=0.011), None),
        (STEADY._replace(vt_spread=0.013), "patient_effort"),
        (STEADY._replace(efforts=0.19), None),
        (STEADY._replace(efforts=0.21), "patient_effort"),
        (STEADY._replace(unclosed=0.07), None),
        (STEADY._replace(unclosed=0.09), "volume_not_closed"),
        (STEADY._replace(hold_crs=50.0, hold_at_s=0.0), None),
        (STEADY._replace(hold_crs=41.0, hold_at_s=0.0), "estimates_disagree"),
        (STEADY._replace(hold_crs=41.0, hold_at_s=-896.0), None),
    ],
    ids=str,
)
def test_the_past(past: RecentBreaths, reason: str | None) -> None:
    assert decide(DECAYING, past=past).refused == reason


@pytest.mark.parametrize(
    ("free", "error", "reason"),
    [
        (SURE, 0.049, None),
        (Ratio(), 0.044, None),
        (Ratio(), 0.046, "fit_illcond"),
    ],
)
def test_a_fit_that_nothing_checks_has_to_be_surer(free: Ratio, error: float, reason: str | None) -> None:
    found = decide(DECAYING, extract_features(DECAYING)._replace(fit_error=error), past=STEADY._replace(free=free))
    assert found.refused == reason


@pytest.mark.parametrize(
    ("free", "share", "quality"),
    [(0.941, 1.0, "B"), (0.939, 0.939**0.5, "B"), (0.83, 0.83**0.5, "B"), (0.82, 0.82**0.5, "C")],
)
def test_a_lung_that_relaxes_is_given_half_way_to_rest(free: float, share: float, quality: str) -> None:
    found = decide(DECAYING, past=STEADY._replace(free=Ratio(free, 0.01)))
    assert found.elastance == pytest.approx(share * 20.0, rel=1e-3)
    assert (found.method == "relaxed_half") == (share < 1.0)
    assert found.quality == quality


@pytest.mark.parametrize(
    ("passive", "past", "reason", "method"),
    [
        ("asserted", RELAXING, None, "relaxed_half"),
        ("asserted", STEADY, "fit_poor", "lsf4"),
        ("not_asserted", RELAXING, "fit_poor", "relaxed_half"),
        ("not_asserted", RELAXING._replace(hold_crs=50.0, hold_at_s=0.0), None, "relaxed_half"),
    ],
)
def test_lungs_that_relax_empty_faster_at_first(
    passive: str, past: RecentBreaths, reason: str | None, method: str
) -> None:
    """As those do that muscles squeeze; a hold that gave the same, or the assertion, says that they do not."""
    found = decide(DECAYING, extract_features(DECAYING)._replace(turn_excess=1.3), past=past, passive=passive)
    assert found.refused == reason
    assert found.method == method


def test_inspiratory_time_may_vary_under_square_flow() -> None:
    """Volume control with another volume is not the patient's doing."""
    assert decide(SQUARE, past=STEADY._replace(ti_spread=0.3, vt_spread=0.3)).refused is None


@pytest.mark.parametrize(("share", "refused"), [(0.95, False), (1.05, True)])
def test_volumes_may_differ_as_noise_of_flow_does(share: float, refused: bool) -> None:  # noqa: FBT001
    """Twice the standard deviation that 5 L/min leave in an integral over Ti."""
    noisy, sd_l = dataclasses.replace(DECAYING, flow_noise=5 / 60), 5 / 60 * math.sqrt(1.0 / 100)
    past = STEADY._replace(vt_spread=2.0 * share * sd_l / extract_features(DECAYING).tidal_insp)
    assert (decide(noisy, past=past).refused is not None) == refused


@pytest.mark.parametrize(
    "past",
    [
        STEADY._replace(period_spread=0.2),
        STEADY._replace(ti_spread=0.2),
        STEADY._replace(vt_spread=0.2),
        STEADY._replace(efforts=0.5),
    ],
    ids=["period", "inspiratory time", "volume", "efforts"],
)
def test_pace_says_nothing_where_passivity_is_asserted(past: RecentBreaths) -> None:
    assert decide(DECAYING, past=past, passive="asserted").refused is None


def test_strips_speak_even_where_passivity_is_asserted() -> None:
    features = extract_features(DECAYING)._replace(start_excess=-3.0)
    assert decide(DECAYING, features, passive="asserted").refused == Reason.PATIENT_EFFORT


def given_(one: Breath, **context: Any) -> MeasurementContext:
    return MeasurementContext(context=Context(**context), before=extract_features(one), past=STEADY)


@pytest.mark.parametrize("one", [SQUARE, DECAYING, AT_REST])
def test_what_is_given_belongs_together(one: Breath) -> None:
    found = measure(one, extract_features(one), given_(one), frozenset())
    values = found.values
    assert values.keys() >= FIELDS
    assert values["driving_pressure_est"] == pytest.approx(values["pplat_est"] - values["peep_total_est"])
    assert values["crs_est"] * values["driving_pressure_est"] == pytest.approx(1000 * extract_features(one).tidal_insp)
    assert {found.methods["crs_est"]} == {found.methods["pplat_est"]} == {found.methods["driving_pressure_est"]}


def test_nothing_is_called_measured() -> None:
    """Contract, promise 3."""
    found = measure(SQUARE, extract_features(SQUARE), given_(SQUARE), frozenset())
    assert found.missing["pplat"] == found.missing["crs"] == Reason.NO_HOLD


def test_quality_a_needs_a_word_on_passivity() -> None:
    """Algorithms §4.5: not asserted, never A; and total PEEP without a hold is B at best (§4.2)."""
    assert measure(SQUARE, extract_features(SQUARE), given_(SQUARE), frozenset()).quality["crs_est"] == "B"
    known = given_(SQUARE, passive="asserted", sensor_site="wye")
    found = measure(SQUARE, extract_features(SQUARE), known, frozenset())
    assert found.quality["crs_est"] == "A"
    assert found.quality["pplat_est"] == found.quality["peep_total_est"] == "B"
    poor = extract_features(SQUARE)._replace(fit_explained=0.97)
    assert measure(SQUARE, poor, known, frozenset()).quality["crs_est"] == "B"


@pytest.mark.parametrize("flag", [Flag.INEFFECTIVE_EFFORT, Flag.FLOW_STARVATION, Flag.REVERSE_TRIGGER_SUSPECT])
def test_labels_of_effort_withhold_all(flag: Flag) -> None:
    found = measure(SQUARE, extract_features(SQUARE), given_(SQUARE, passive="asserted"), frozenset({flag}))
    for key in (*FIELDS, "rrs_insp_est", "rrs_exp_est", "tau_exp", "stress_index"):
        assert found.missing[key] == Reason.PASSIVITY_CONTRADICTED, key


def test_samples_that_were_filled_in_are_not_fitted() -> None:
    """Algorithms §1: up to 0.2 s is interpolated and the breath keeps its volumes, but regression is withheld."""
    found = measure(SQUARE, extract_features(SQUARE), given_(SQUARE), frozenset({Flag.GAP_SHORT}))
    for key in (*FIELDS, "rrs_insp_est", "rrs_exp_est", "tau_exp", "stress_index", "fit_r2", "fit_rmse"):
        assert found.missing[key] == Reason.GAP, key
    assert "vt_insp" in found.values


def test_fit_quality_is_shown_even_where_nothing_is_trusted() -> None:
    one = Lung().constant_flow(0.5, 1.0).pressure(0.0, 4.0).breath(1, noise=(2.0, 0.0))
    found = measure(one, extract_features(one), MeasurementContext(), frozenset())
    assert "crs_est" in found.missing
    assert 0.0 < found.values["fit_r2"] < 1.0
    assert found.values["fit_rmse"] > 0.3


def test_no_pressure_no_estimate() -> None:
    one = vcv()
    silent = type(one)(**{name: getattr(one, name) for name in one.__slots__} | {"paw": np.full(one.paw.size, np.nan)})
    found = measure(silent, extract_features(silent), MeasurementContext(past=STEADY), frozenset())
    assert {found.missing[key] for key in FIELDS} == {Reason.PAW_MISSING}


def test_scaling_pressure_scales_elastance_and_resistance() -> None:
    one = pcv(peep=0, ti=1.0, rr=12)
    twice = type(one)(**{name: getattr(one, name) for name in one.__slots__} | {"paw": 2.0 * one.paw})
    first, second = decide(one), decide(twice, past=STEADY._replace(elastance=40.0))
    for name in ("elastance", "ri", "re"):
        assert getattr(second, name) == pytest.approx(2 * getattr(first, name), rel=1e-9)


# the tau method: formulas, and oracle O-2

LETTER = {  # the published comment on the tau method, its Table 1: R, C → Pplat, C, R by the method at PEEP 0
    "A": (5.0, 0.05, 13.0, 0.05, 5.0),
    "B": (21.0, 0.095, 8.00, 0.0812, 24.6),
}


def letter(name: str) -> tuple[float, float, float]:
    """Total PEEP, plateau, peak of the letter's patient in steady state: VT 0.65 L, Ti 1.3 s, pause 0.3 s, Te 2.4 s."""
    r, c, *_ = LETTER[name]
    left = math.exp(-2.4 / (r * c))
    total = 0.65 * left / (1.0 - left) / c
    return total, total + 0.65 / c, total + 0.65 / c + r * 0.5


@pytest.mark.parametrize("name", LETTER)
def test_o2_the_published_errors_of_the_tau_method(name: str) -> None:
    """With set PEEP in the place of total PEEP, to the printed digit."""
    r, c, pplat, compliance, resistance = LETTER[name]
    _, _, peak = letter(name)
    found = from_time_constant(vt=0.65, flow_end=0.5, ppeak=peak, p0=0.0, tau=r * c)
    assert round(found.pplat, 2) == pplat
    assert round(found.compliance, 4) == compliance
    assert round(found.resistance, 1) == resistance


@pytest.mark.parametrize("name", LETTER)
def test_o2_total_peep_makes_it_exact(name: str) -> None:
    r, c, *_ = LETTER[name]
    total, plateau, peak = letter(name)
    found = from_time_constant(vt=0.65, flow_end=0.5, ppeak=peak, p0=total, tau=r * c)
    assert found == pytest.approx((c, r, plateau), rel=1e-12)
    if name == "B":
        assert (round(found.pplat, 3), round(found.compliance, 4)) == (9.778, 0.0950)


def test_the_time_constant_from_volume_and_peak_flow() -> None:
    """Algorithms §4.4: 0.59999 in two steps for a true 0.6 s."""
    vt = 0.6 * (1.0 - math.exp(-2.4 / 0.6))
    assert time_constant(vt=vt, peak_flow=1.0, te=2.4) == pytest.approx(0.6, abs=1e-8)


@pytest.mark.parametrize("circuit", [0.5, 2.5])
def test_the_circuits_gas_is_not_the_lungs(circuit: float) -> None:
    """Volume and compliance are both of the lung: one of each is 2 cmH2O too much of a stiff lung's plateau."""
    here = extract_features(vcv(c=0.02, vt=0.3, rr=12, flow=0.5))
    stated = given_(SQUARE, sensor_site="ventilator", circuit_compliance_ml_cmh2o=circuit)
    estimate = decide(SQUARE)._replace(elastance=1000 / (20.0 + circuit), p0=5.0)
    inspired = here.tidal_insp + circuit / 1000 * (here.closing_paw - 5.0)
    found = pplat_est(5.0, here.peak_paw, inspired, here.closing_paw, estimate, stated, start_of(here, here))
    assert found.value == pytest.approx(20.0, abs=0.1)


@pytest.mark.parametrize(("r", "is_given"), [(140.0, True), (400.0, False)])
def test_newborns_have_narrow_tubes(r: float, *, is_given: bool) -> None:
    """1.5 mL/cmH2O: time constants of 0.2 and 0.6 s."""
    one = pcv(c=0.0015, r=r, ti=0.6, rr=20, rate_hz=200.0)
    found = decide(one, past=STEADY._replace(elastance=1000 / 1.5), passive="asserted")
    assert (found.refused != Reason.FIT_POOR) == is_given
    assert 1000 / found.elastance == pytest.approx(1.5, rel=0.02)


@pytest.mark.parametrize(
    ("re_error", "p0", "reason"),
    [
        (0.05, 14.9, None),
        (0.05, 15.1, "fit_illcond"),
        (0.19, 5.9, None),
        (math.nan, 5.9, None),
        (math.nan, 6.1, "fit_illcond"),
    ],
)
def test_trapped_pressure_is_known_as_well_as_expiratory_resistance(
    re_error: float, p0: float, reason: str | None
) -> None:
    """Three standard errors of what resistance costs at the end, PEEP 5: B allows 1.5 cmH2O."""
    estimate = decide(SQUARE)._replace(re_error=re_error, p0=p0)
    features = extract_features(SQUARE)._replace(end_paw=5.0)
    if reason is None:
        assert peep_total_est(features, estimate, Reason.NO_HOLD).value == p0
        return
    with pytest.raises(NotMeasurable, match=reason):
        peep_total_est(features, estimate, Reason.NO_HOLD)


@pytest.mark.parametrize(("spread", "is_given"), [(0.024, True), (0.026, False)])
def test_a_heart_bends_every_fit(spread: float, *, is_given: bool) -> None:
    """Where flow swings at rest, estimates that scatter as an A allows hold no bend that matters."""
    past = STEADY._replace(spread=spread)
    beating = extract_features(DECAYING)._replace(rest_swing=0.1)
    assert (decide(DECAYING, beating, past, passive="asserted").refused is None) == is_given
    assert decide(DECAYING, extract_features(DECAYING), past, passive="asserted").refused is None
    assert decide(SQUARE, extract_features(SQUARE)._replace(rest_swing=0.1), past, passive="asserted").refused is None


@pytest.mark.parametrize(
    ("plateau", "elastance", "given"),
    [
        (15.0, 20.0, True),
        (16.4, 20.0, True),
        (16.6, 20.0, False),
        (13.6, 20.0, True),
        (13.4, 20.0, False),
        (11.6, 16.0, True),  # of a lung that relaxes, between this breath and rest
        (11.4, 16.0, False),
    ],
)
def test_a_plateau_of_the_same_breath_is_where_total_peep_puts_it(
    plateau: float,
    elastance: float,
    given: bool,  # noqa: FBT001
) -> None:
    features = extract_features(SQUARE)._replace(tidal_insp=0.5)
    estimate = decide(SQUARE)._replace(p0=5.0, plain=20.0, elastance=elastance)
    if given:
        assert peep_total_est(features, estimate, Graded(plateau, "B")).value == 5.0
        return
    with pytest.raises(NotMeasurable, match="estimates_disagree"):
        peep_total_est(features, estimate, Graded(plateau, "B"))
