"""Which estimate a breath without a hold gives, and whether anything speaks against it.

One decision for all ``_est`` metrics (algorithms §4.4-4.5, §12):

| inspiration | method | elastance |
|---|---|---|
| square flow | ``slope_vcv`` | slope of pressure over flow |
| flow dies away under level pressure | ``pcv_zero_flow`` | (pressure at zero flow - P0) / volume by then |
| any other | ``lsf4`` | equation of motion fitted to the whole breath |
| either of these, behind a narrow tube | ``lsf_tube`` | the same times what turbulence makes of it in recent breaths |
| any but zero flow, in a lung that relaxes | ``relaxed_half`` | half-way to that of the lung at rest |

R² does not prove that a patient is passive: a late effort of 2 cmH2O moves compliance by a quarter at R² above 0.99.
So an estimate has to pass four kinds of test. **Conditioning**: the waveform tells the parameters apart. **Shape**:
parts of the breath agree with the whole, and strips that were not fitted are predicted. **Agreement**: estimators
that rest on different facts agree, and agree with a hold, or else with a fit that may bend (``elastance_stability``).
**Repetition**: recent breaths gave the same elastance, at an even pace. How well this works, by amplitude and phase of
the effort, see ``python -m tests.tools.trust``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from streamer.core.metrics.breath_history import ENOUGH, RecentBreaths
from streamer.core.metrics.elastance_stability import (
    MAX_APART,
    PLAIN,
    halfway,
    is_apart,
    is_bent,
    is_close,
    is_wide,
    may_be_bent,
    relaxes,
)
from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.measurement_context import MeasurementContext, OnsetState
from streamer.model.breath import Breath
from streamer.model.reasons import Reason
from streamer.model.units import ML_PER_L, S_PER_MIN

SLOPE, ZERO_FLOW, WHOLE, TUBE = "slope_vcv", "pcv_zero_flow", "lsf4", "lsf_tube"
HALFWAY, EXP_LINE = "relaxed_half", "exp_line"

MIN_TI_S, MIN_TE_S, MIN_VT_L = 0.1, 0.5, 0.001
MAX_CONDITION = 30.0
MAX_ERROR, MAX_ERROR_ALONE, MAX_BLIND = 0.05, 0.045, 0.20
"""Standard error of the elastance, as a share (less where noise leaves the fit that may bend unknown), and of the fits
that leave a part out."""
MIN_R2, MIN_R2_A = 0.95, 0.98
MAX_RMSE, MAX_RMSE_SHARE, MAX_RMSE_A = 0.8, 0.05, 0.5
MAX_RI, MAX_RE, MAX_SMALL_S = 60.0, 100.0, 0.5
"""cmH2O·s/L; or, as in newborns, whose tubes are narrow, the lung is as much stiffer: the time constant stays below."""
MIN_R_RATIO, MIN_R_RATIO_SLOPE, MAX_R_RATIO = 0.4, 0.25, 1.6
"""Inspiratory over expiratory resistance. In tubes the two are alike; an effort moves one of them. Obstruction does so,
too: this is asked only where passivity is not asserted. A slope does not use resistance, and obstruction of one to four
is no ground to refuse it."""
MAX_WIDE = 0.15
APART_AT_ZERO_FLOW, APART_TUBE = 3.5, 2.0
"""Parts may differ by so much more where the estimate does not rest on the fit, and behind a tube: nonlinear resistance
does that."""
LIMITS = {ZERO_FLOW: APART_AT_ZERO_FLOW, TUBE: APART_TUBE}
MAX_ZERO_FLOW_L_S, MAX_ZERO_SHARE, MAX_LOST_SHARE, MAX_LOST_SURE = 2.0 / S_PER_MIN, 0.05, 0.05, 0.10
"""Zero flow: below this (twice the share in small breaths) or a share of its peak; or it costs no more than a share of
the elastic pressure, twice as large a one where passivity is asserted."""
MAX_DRIFT_CMH2O, MAX_DRIFT_SHARE = 0.5, 0.05
MAX_APART_METHODS, MAX_APART_HOLD = 0.15, 0.20
MAX_HOLD_AGE_S = 900.0
MAX_EXCESS_CMH2O, MAX_EXCESS_LEFT, MAX_BELOW, MAX_ABOVE = 0.8, 4.0, 0.12, 0.08
"""What valves and circuits leave in the strips: some tenths of a cmH2O, times what the fit leaves where noise is large,
and as a share of peak pressure above total PEEP, for tubes and valves grow with flow: they hold flow back, so more is
allowed below the prediction than above it, where a second compartment or stress relaxation shows."""
MAX_EFFORTS = 0.20
"""Share of recent breaths with an effort beyond which none is taken for passive (algorithms §12)."""
TRIGGER_DIP_CMH2O = 1.0
MAX_OFF, MAX_OFF_A, SPREAD_ERRORS = 0.10, 0.05, 2.0
MAX_SPREAD, MAX_SPREAD_SURE, MAX_SPREAD_A = 0.04, 0.05, 0.025
"""Where the patient is known to be passive what differs is noise, and twice its standard deviation may come to what B
allows: a tenth; for A to half of it."""
MAX_PERIOD_SPREAD, MAX_TI_SPREAD, MAX_VT_SPREAD, VT_NOISES = 0.012, 0.02, 0.012, 2.0
"""Periods of a ventilator's clock are hardly ever shorter than their median by 1.2 %, even with a flow noise of
5 L/min; those of patients by 2 to 10 %, but for one row of eight in twenty. Volumes of set pressure differ by 0.3 %
(a heart: 1 %) and as noise of flow does, those of patients by 1.3 to 7 %; volumes that are set say nothing [N]."""
MAX_UNCLOSED, MAX_UNCLOSED_CHANGE = 0.15, 0.08
"""Algorithms §2.3 allow a change of 5 %; passive recorded breaths vary by 4 to 7 %, and compliance by half of it."""
UNCLOSED_L, MAX_NOISE = 0.010, 0.20
"""What noise of the flow sensor may come to in a breath, and no more than this share of a small one."""
MAX_LEAK = 0.20


class Estimate(NamedTuple):
    """E, Ri, Re and P0 of a breath (cmH2O/L, cmH2O·s/L, cmH2O), how they were found, and what speaks against them.

    ``refused`` withholds them; ``effort`` is its part that says the patient breathes, ``strained`` what of that this
    breath itself shows. Elastance is given even so, for the memory of the bed.
    """

    method: str
    elastance: float
    plain: float
    """Without what a tube adds: breaths are compared by this one."""
    ri: float
    re: float
    p0: float
    error: float
    re_error: float
    quality: str
    effort: Reason | None
    strained: bool
    refused: Reason | None
    p0_method: str = WHOLE


def estimate_of(breath: Breath, features: BreathFeatures, given: MeasurementContext, start: OnsetState) -> Estimate:
    """The estimate of a breath, trusted or refused."""
    mode, is_sure = given.context.mode, given.context.passive == "asserted"
    past, bent = given.past, PLAIN
    if features.is_square and mode not in {"pcv", "psv"}:
        method, error, re_error = SLOPE, features.square_error, features.square_re_error
        plain, ri, re, p0 = features.square_elastance, features.square_ri, features.square_re, features.square_p0
    else:
        method, error, re_error = WHOLE, features.fit_error, features.fit_re_error
        plain, ri, re, p0 = features.fit_elastance, features.fit_ri, features.fit_re, features.fit_p0
        if mode != "vcv" and _dies_away(features, is_sure=is_sure):
            method, plain = ZERO_FLOW, _static(features)
        elif is_bent(past.tube):
            method, bent, ri, re, p0 = TUBE, past.tube, features.turb_ri, features.turb_re, features.turb_p0
    strained = _strains(features, p0)
    breathes = strained or mode == "psv"
    breathes = breathes or (not is_sure and _paces(breath, features, given, start))
    effort = Reason.PATIENT_EFFORT if breathes else None
    is_held = _off_hold(breath, past, plain * bent.middle) <= MAX_APART
    is_uneven = _empties_early(method, features, p0)
    is_asked = not features.swings and (is_uneven or not (is_held or method == ZERO_FLOW))
    half = halfway(past.free, bent) if is_asked else 1.0
    elastance = plain * bent.middle * half
    refused = (
        _unfit(breath, features, past)
        or _singular(method, features, plain, p0)
        or effort
        or _unsure(method, features, past, error, is_sure=is_sure)
        or _shaped(method, features, ri, re)
        or (Reason.FIT_POOR if is_uneven and not ((is_sure or is_held) and relaxes(past.free, bent)) else None)
        or (None if is_sure else _resists_alike(method, ri, re, re_error))
        or _repeated(past, plain, is_sure=is_sure, swings=method in {WHOLE, TUBE} and features.swings)
        or _judged(breath, past, elastance)
        or (Reason.ESTIMATES_DISAGREE if is_asked and half == 1.0 and is_apart(past.free, bent) else None)
        or (Reason.ESTIMATES_DISAGREE if method == WHOLE and may_be_bent(past.tube) else None)
    )
    quality = "A" if is_sure and _is_best(method, features, past, plain) else "C" if is_wide(half) else "B"
    p0_method = {SLOPE: EXP_LINE, TUBE: TUBE}.get(method, WHOLE)
    method = method if half == 1.0 else HALFWAY
    found = elastance, plain, ri, re, p0, error, re_error
    return Estimate(method, *found, quality, effort, strained, refused, p0_method)


def _is_best(method: str, features: BreathFeatures, past: RecentBreaths, plain: float) -> bool:
    """Nothing that was found leaves a doubt: parts, residuals, recent breaths and a fit that may bend agree."""
    agrees = (features.square_apart if method == SLOPE else features.fit_apart) <= 1.0 and past.spread <= MAX_SPREAD_A
    repeats = abs(plain / past.elastance - 1.0) <= MAX_OFF_A
    fits = features.fit_explained >= MIN_R2_A and features.fit_left <= MAX_RMSE_A
    return agrees and repeats and fits and method != TUBE and is_close(past.free)


def _dies_away(features: BreathFeatures, *, is_sure: bool) -> bool:
    """Flow has decayed to zero under a pressure that no longer changes.

    A passive lung without flow has the pressure of its airway, whatever that did before: where passivity is asserted a
    valve may ring.
    """
    above = features.zero_paw - features.fit_p0
    lost = MAX_LOST_SURE if is_sure else MAX_LOST_SHARE
    peak = features.peak_insp_flow
    small = max(min(MAX_ZERO_FLOW_L_S, 2.0 * MAX_ZERO_SHARE * peak), MAX_ZERO_SHARE * peak)
    return (
        (abs(features.zero_flow) <= small or abs(features.fit_ri * features.zero_flow) <= lost * above)
        and (is_sure or abs(features.paw_drift) <= max(MAX_DRIFT_CMH2O, MAX_DRIFT_SHARE * above))
        and features.zero_volume > 0.0
    )


def _static(features: BreathFeatures) -> float:
    """(Pressure at the end of inspiration, less what the last flow costs, less P0) over the volume inspired by then."""
    lost = 0.0 if math.isnan(features.fit_ri) else features.fit_ri * features.zero_flow
    return (features.zero_paw - lost - features.fit_p0) / features.zero_volume


def _unfit(breath: Breath, features: BreathFeatures, past: RecentBreaths) -> Reason | None:
    """What forbids any fit of this breath."""
    if math.isnan(features.peak_paw):
        return Reason.PAW_MISSING
    if breath.leak_frac > MAX_LEAK:
        return Reason.LEAK_HIGH
    inspired, unclosed = features.tidal_insp, features.tidal_insp - features.tidal_exp
    noise = min(UNCLOSED_L, MAX_NOISE * inspired)
    if abs(unclosed) > max(MAX_UNCLOSED * inspired, noise):
        return Reason.VOLUME_NOT_CLOSED
    if abs(unclosed - past.unclosed * inspired) > max(MAX_UNCLOSED_CHANGE * inspired, noise):
        return Reason.VOLUME_NOT_CLOSED
    return Reason.FIT_ILLCOND if breath.end_s - breath.insp_end_s < MIN_TE_S else None


def _singular(method: str, features: BreathFeatures, elastance: float, p0: float) -> Reason | None:
    """The waveform does not tell the parameters apart, or tells of no lung."""
    condition = 0.0 if method == SLOPE else features.fit_condition
    if math.isnan(elastance + p0) or not condition <= MAX_CONDITION:
        return Reason.FIT_ILLCOND
    return None if elastance > 0.0 else Reason.FIT_POOR


def _unsure(
    method: str, features: BreathFeatures, past: RecentBreaths, error: float, *, is_sure: bool
) -> Reason | None:
    """Noise leaves the elastance, or a part that differs, in doubt; what rests on zero flow is made of no part."""
    if is_sure and method == ZERO_FLOW:
        return None if error <= MAX_ERROR else Reason.FIT_ILLCOND
    blind = features.square_blind if method == SLOPE else features.fit_blind
    most = MAX_ERROR_ALONE if math.isnan(past.free.middle) else MAX_ERROR
    return None if error <= most and blind <= MAX_BLIND else Reason.FIT_ILLCOND


def _strains(features: BreathFeatures, p0: float) -> bool:
    """Strips lie below what is predicted: muscles pull pressure down, or draw more flow than it explains."""
    allowed = _allowed(features, p0, MAX_BELOW)
    return any(excess < -allowed for excess in _strips(features))


def _strips(features: BreathFeatures) -> tuple[float, ...]:
    """NaN where there is none to predict: then it speaks neither way."""
    return features.start_excess, features.turn_excess, features.fall_excess, features.end_excess


def _allowed(features: BreathFeatures, p0: float, share: float) -> float:
    """Excess of a strip that valves, circuits and tubes may leave, cmH2O."""
    return max(MAX_EXCESS_CMH2O, MAX_EXCESS_LEFT * features.fit_left, share * (features.peak_paw - p0))


def _paces(breath: Breath, features: BreathFeatures, given: MeasurementContext, start: OnsetState) -> bool:
    """The patient breathes: in recent breaths, by a dip at the onset, by an uneven pace or inspiratory time.

    All of this is overruled where passivity is asserted; what this breath itself shows, and its mode, are not.
    """
    past, before = given.past, given.before
    ti_s = max(breath.insp_end_s - breath.start_s, MIN_TI_S)
    noise = breath.flow_noise * math.sqrt(ti_s / breath.rate_hz) / max(features.tidal_insp, MIN_VT_L)
    uneven = (
        past.ti_spread > max(MAX_TI_SPREAD, 1.0 / (breath.rate_hz * ti_s))
        or past.vt_spread > max(MAX_VT_SPREAD, VT_NOISES * noise)
    )  # fmt: skip
    return (
        past.efforts > MAX_EFFORTS
        or (before is not None and start.peep - min(before.end_min_paw, features.start_min_paw) >= TRIGGER_DIP_CMH2O)
        or past.period_spread > MAX_PERIOD_SPREAD
        or (uneven and not features.is_square)
    )


def _shaped(method: str, features: BreathFeatures, ri: float, re: float) -> Reason | None:
    """The passive equation describes this breath, all of its parts alike."""
    if not (_fits(features) and _resists(ri, re, features.fit_elastance)):
        return Reason.FIT_POOR
    if method != SLOPE and not features.fit_wide <= MAX_WIDE:
        return Reason.FIT_WINDOW_DISAGREE
    if method == ZERO_FLOW and not abs(features.fit_elastance / _static(features) - 1.0) <= MAX_APART_METHODS:
        return Reason.ESTIMATES_DISAGREE
    parts = features.square_apart if method == SLOPE else features.fit_apart
    return None if parts <= LIMITS.get(method, 1.0) else Reason.FIT_WINDOW_DISAGREE


def _resists_alike(method: str, ri: float, re: float, re_error: float) -> Reason | None:
    """Resistances, where both are known, are those of one tube: an effort moves one of them."""
    known = re_error <= MAX_BLIND and not math.isnan(ri)
    least = MIN_R_RATIO_SLOPE if method == SLOPE else MIN_R_RATIO
    return Reason.ESTIMATES_DISAGREE if known and not least <= ri / re <= MAX_R_RATIO else None


def _empties_early(method: str, features: BreathFeatures, p0: float) -> bool:
    """Expiration begins faster than one compartment's; at the onset a tube's turbulence alone leaves as much.

    What an overshoot leaves at the onset is past where flow has died away.
    """
    start, *late = _strips(features)
    above = _allowed(features, p0, MAX_ABOVE)
    overshoots = method != ZERO_FLOW and start > _allowed(features, p0, MAX_BELOW)
    return overshoots or any(excess > above for excess in late)


def _fits(features: BreathFeatures) -> bool:
    """What the fit leaves is small, against pressure's own changes and in cmH2O."""
    height = features.peak_paw - features.fit_p0
    return features.fit_explained >= MIN_R2 and features.fit_left <= max(MAX_RMSE, MAX_RMSE_SHARE * height)


def _resists(ri: float, re: float, elastance: float) -> bool:
    """Resistances, where they are known, are those of airways."""
    small = MAX_SMALL_S * elastance
    return not (ri < 0.0 or ri > max(MAX_RI, small) or re < 0.0 or re > max(MAX_RE, small))


def _repeated(past: RecentBreaths, elastance: float, *, is_sure: bool, swings: bool) -> Reason | None:
    """Recent breaths gave the same elastance. Where they did not, a patient who is not known to be passive breathes."""
    if past.breaths < ENOUGH:
        return Reason.LOW_COVERAGE
    apart = abs(elastance / past.elastance - 1.0) > MAX_OFF
    allowed = MAX_SPREAD_A if swings else MAX_SPREAD_SURE if is_sure else max(MAX_SPREAD, SPREAD_ERRORS * past.error)
    if apart or past.spread > allowed:
        return Reason.NOT_REPEATED if is_sure else Reason.PATIENT_EFFORT
    return None


def _off_hold(breath: Breath, past: RecentBreaths, elastance: float) -> float:
    """How far it lies from a hold of the last quarter of an hour, as a share; NaN where there was none."""
    is_recent = breath.end_s - past.hold_at_s <= MAX_HOLD_AGE_S
    return abs(ML_PER_L / elastance / past.hold_crs - 1.0) if is_recent else math.nan


def _judged(breath: Breath, past: RecentBreaths, elastance: float) -> Reason | None:
    """A hold says otherwise."""
    return Reason.ESTIMATES_DISAGREE if _off_hold(breath, past, elastance) > MAX_APART_HOLD else None
