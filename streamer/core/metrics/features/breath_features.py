"""What one breath's arrays reduce to. The words in which metrics are written. Needs no compiler."""

from __future__ import annotations

import math
from typing import NamedTuple

MAX_FLOW_CV, MAX_RAMP_SHARE = 0.05, 0.10
SWING_L_S = 0.5 / 60.0
STEP_CMH2O, UNCLEAR_S = 0.3, 0.5
"""Rise of pressure as expiratory flow ceases, from which on a valve may have stopped it; and for how long at least."""
PHASE_2_WIDTHS = 5.0
"""Of the fitted logistic edge, after which it has come to 99 % of its height."""


class BreathFeatures(NamedTuple):
    """One breath reduced to numbers: L, L/s, cmH2O, s, mmHg, cmH2O·L. NaN: not there. Made by ``_fold.fold``.

    ``tidal`` quantities are corrected for zero and leak (lung side): for mechanics and energy. Raw ones: as measured.
    """

    # an end-inspiratory hold: flow at zero for 0.2 s or more, in or after inspiration: _fold_holds
    hold_s: float
    """Duration of zero flow; NaN: none."""
    hold_stop: float
    """Flow just before, over what a passive decay could leave there: 1 or more means that a valve stopped it."""
    hold_share: float
    """Share of the inspired volume delivered before it."""
    hold_p1: float
    """Pressure when flow reached zero, back-extrapolated over 50 ms; P at 0.1 and 0.3 s are means of 50 ms."""
    hold_p01: float
    hold_p03: float
    hold_p05: float
    """Mean pressure of the 100 ms that end 0.5 s after flow stopped."""
    hold_end_paw: float
    """Mean pressure of its last 100 ms."""
    hold_rise: float
    """Largest rise of pressure above its running minimum."""
    hold_error: float
    """Standard error of a reading: noise, what swings slower than the mean it is read from, the converter's steps."""
    hold_at_s: float
    """Its start, counted from sample 0."""
    # an end-expiratory hold, likewise
    exp_hold_s: float
    exp_hold_stop: float
    exp_hold_jump: float
    """Rise of pressure across the instant when flow stopped, where it was level before; else NaN."""
    exp_hold_paw: float
    exp_hold_slope: float
    """cmH2O/s over the last 0.5 s, less two standard errors."""
    exp_hold_rise: float
    """Pressure at the end less pressure half a second after flow stopped."""
    exp_hold_error: float
    exp_hold_at_s: float
    # volumes, flow times, work: _fold_volumes
    insp_volume: float
    exp_volume: float
    tidal_insp: float
    tidal_exp: float
    peak_insp_flow: float
    peak_exp_flow: float
    """Magnitude; both are means over 40 ms of corrected flow."""
    flow_s: float
    """Time in inspiration with flow above 2 L/min, or a fifteenth of its peak where that is less."""
    pause_s: float
    """Time at the end of inspiration without such flow; 0 below 50 ms."""
    square_flow: float
    """Mean flow over 20-80 % of the flow time."""
    square_flow_cv: float
    """Its coefficient of variation, less the noise of neighbouring samples: 0 for square flow."""
    square_stop_paw: float
    """Pressure at the instant when such flow stops, from the line through the same stretch."""
    work: float
    """Integral of pressure over inspired volume, cmH2O·L, PEEP included."""
    work_exp: float
    """Integral of pressure over expired volume, cmH2O·L."""
    closing_paw: float
    """Mean pressure of the last 30 ms of inspiration."""
    rest_swing: float
    """Standard deviation of flow at the end of expiration, L/s, about a line and beyond white noise: heart, water."""
    exp_volume_seen: float
    """``exp_volume`` less the zero of the sensor, where that is known, L: the leak is in it."""
    # airway pressure (see _fold_pressures)
    peak_paw: float
    mean_paw: float
    end_paw: float
    """Median from 0.5 to 0.2 s before the next onset, or before an expiratory hold."""
    end_slope: float
    """cmH2O/s in the same window."""
    end_flow: float
    """Mean leak-corrected flow of the last 100 ms of the same window; negative while gas leaves."""
    start_min_paw: float
    """Lowest pressure of the first 0.1 s (3-point means)."""
    end_min_paw: float
    """Lowest pressure of the last 0.2 s (3-point means)."""
    low_paw: float
    """The level below which pressure stayed for a whole second; NaN in shorter breaths."""
    efforts: float
    """Dips of pressure during expiration that slow the outflow: efforts without a breath."""
    # the capnogram on the time of flow: _fold_co2
    co2_holes: float
    """Samples of PCO2 that are missing; where there is one, all below are."""
    co2_inspired: float
    """Lowest mean over a quarter of inspiration within its second half."""
    co2_inhaled: float
    """Integral of PCO2 over inspired volume, without what the sensor shows as it falls, mmHg·L."""
    # PCO2 above ``co2_inspired`` over expired volume: _fold_expirogram
    co2_volume: float
    """Expired, leak-corrected, with the turn of flow found between samples."""
    co2_area: float
    """Integral over that volume, mmHg·L."""
    co2_end_tidal: float
    """Mean over the last 5 % of that volume."""
    co2_end_samples: float
    # the line of phase III: _fold_phase3
    co2_slope: float
    """Of phase III, mmHg/L: the line from a quarter of the alveolar volume to nearly its end, after phase II."""
    co2_slope_error: float
    co2_late_slope: float
    """Of its second half alone, and the standard error: less steep where phase II reaches into the first."""
    co2_late_error: float
    co2_start: float
    """That line at no volume, mmHg."""
    co2_samples: float
    """Samples that it is fitted to."""
    co2_middle: float
    """That line in the middle of the alveolar volume, mmHg: the mean alveolar PCO2."""
    co2_dead: float
    """Airway dead space after Fowler; NaN where no volume solves its equation."""
    co2_line_from: float
    co2_line_to: float
    """Between which volumes that line was fitted, L."""
    co2_flow: float
    """Expiratory flow where that volume has passed; from there to the beginning of the line, s: ``co2_transit_s``."""
    co2_transit_s: float
    # the same as a curve of four parameters: _fold_param4
    co2_fit_dead: float
    co2_fit_p0: float
    """Phase III where it begins, mmHg."""
    co2_fit_slope: float
    co2_fit_width: float
    """Of the logistic edge, L; the slope is that of phase III, mmHg/L."""
    co2_returned: float  # most gas that came back in before expiration had ended, L
    # shapes that tell events: _fold_events
    sag: float
    """Depth of pressure below its chord from 10 to 90 % of the flow time; NaN unless flow is steady or falls evenly."""
    sag_at: float
    """Centre of the area between both, as a share of the chord: 0.5 for a sag that is symmetrical."""
    sag_fall: float
    """How far pressure falls in that time while flow is constant."""
    late_fall: float
    """Fall of pressure in the second half of an inspiration whose flow is set."""
    late_swing: float
    """Trough of flow in late inspiration, or of outflow in early expiration, L/s: depth below both sides."""
    late_at_s: float
    """Instant of the larger of the two, counted from sample 0."""
    top_paw: float
    """Highest pressure of the whole breath (3-point medians)."""
    reversals: float
    """Most reversals of flow, from 10 L/min one way to 10 L/min the other, within one second."""
    sucked_s: float
    """Longest time below -3 cmH2O with less than 10 L/min of inflow."""
    # the equation of motion fitted to the whole breath: _fold_fit. E in cmH2O/L, R in cmH2O·s/L
    fit_elastance: float
    fit_ri: float
    fit_re: float
    fit_p0: float
    """Total PEEP, cmH2O."""
    fit_error: float
    """Standard error of the elastance, as a share of it."""
    fit_re_error: float
    fit_condition: float
    """Scaled condition number."""
    fit_explained: float
    """R²."""
    fit_left: float
    """Root mean square of the residuals, cmH2O."""
    fit_wide: float
    """Change of elastance, as a share, when less is skipped at the onsets."""
    fit_apart: float
    """Largest change when a part is left out, over what is allowed: up to 1 the parts agree."""
    fit_blind: float
    """Largest standard error of those fits, as a share: how much of a change would not be seen."""
    # the same with a tube's turbulence, and then with stress relaxation as well: _fold_wider
    turb_elastance: float
    turb_ri: float
    """Resistances as they are at the flow of this breath, turbulence included."""
    turb_re: float
    turb_p0: float
    turb_error: float
    """Standard error of that elastance, as a share of it."""
    free_elastance: float
    """With both: where this one is another, neither of the others is that of the lung at rest."""
    # square inspiratory flow: _fold_square, likewise; NaN without it
    square_elastance: float
    square_ri: float
    square_re: float
    square_p0: float
    square_error: float
    square_re_error: float
    square_apart: float
    """Difference of the slopes of the two halves, over what is allowed."""
    square_blind: float
    stress: float
    """Exponent of P = a·t^b + c."""
    stress_rmse: float
    below: float
    """How far pressure comes below the straight line of the first half, continued to the end of flow."""
    below_at_s: float
    """Where half of that is reached, counted from sample 0."""
    # checks of whichever of the two describes the breath: _fold_checks
    start_excess: float
    """Mean pressure less what the fitted lung predicts, cmH2O, 0.1-0.2 s after the onset: a strip not fitted."""
    turn_excess: float
    """The same 0.1-0.2 s after expiratory onset."""
    fall_excess: float
    """The same 0.2-0.3 s after it."""
    end_excess: float
    """The same in the last 0.3 s before the next onset."""
    zero_paw: float
    """Mean pressure of the last 100 ms of inspiration."""
    zero_flow: float
    """Mean flow of the same."""
    zero_volume: float
    """Mean volume of the same, counted from the onset: a little still flows in afterwards."""
    paw_drift: float
    """Pressure of the last quarter of inspiration less that of the quarter before."""
    tau: float
    """Slope of volume over flow in expiration, s."""
    tau_error: float
    tau_apart: float
    """Difference of its halves, over what is allowed."""
    tau_fall: float
    """Fall of mean pressure from the first to the second half, cmH2O."""
    # the pressure that inspiration settles at, and the way there: _fold_rise
    level_paw: float
    """Mean pressure of the last quarter of the flow time."""
    level_drift: float
    """The same less the quarter before: none in pressure control."""
    level_slowing: float
    """Flow of the last quarter over that of the quarter before: below 1 flow decelerates."""
    rise_area: float
    """Area by which pressure stays below that level from the onset on, cmH2O·s."""

    @property
    def is_square(self) -> bool:
        """Inspiratory flow was constant, over 20-80 % of its time and judged by the volume it moved."""
        return is_square(self.square_flow, self.square_flow_cv, self.flow_s, self.insp_volume)

    @property
    def swings(self) -> bool:
        """Flow swings at the end of expiration beyond white noise: a heart or water moves gas, all breath long."""
        return self.rest_swing >= SWING_L_S

    @property
    def is_hold(self) -> bool:
        """Flow was stopped by a valve for 0.3 s or more, after 80 % of the volume."""
        return self.hold_s >= 0.3 - 1e-9 and self.hold_stop >= 1.0 and self.hold_share >= 0.8  # noqa: PLR2004

    @property
    def is_exp_hold(self) -> bool:
        """Expiratory flow was stopped for 1 s or more: abruptly, or pressure jumped as it stopped."""
        return self.exp_hold_s >= 1.0 - 1e-9 and self.is_stopped

    @property
    def is_stopped(self) -> bool:
        """Expiratory flow did not cease by itself; PEEP is then read before it was stopped."""
        return is_stopped(self.exp_hold_s, self.exp_hold_stop, self.exp_hold_jump)

    @property
    def is_unclear(self) -> bool:
        """Pressure stepped up as outflow ceased for half a second, yet not so that a valve must have ended it.

        Where nothing flowed out before, a controller finds back to PEEP.
        """
        ceased = self.exp_hold_stop > 0.0 and self.exp_hold_s >= UNCLEAR_S
        return ceased and self.exp_hold_jump >= STEP_CMH2O and not self.is_stopped


def is_stopped(hold_s: float, stop: float, jump: float) -> bool:
    """Whether a valve ended expiratory flow: abruptly, or pressure then rose by 1 cmH2O and stayed up for 1 s.

    Flow that a valve stops had cost pressure, which then shows at the airway: where it does not, muscles stopped it.
    """
    return (stop >= 1.0 and not jump < STEP_CMH2O) or (jump >= 1.0 and hold_s >= 1.0 - 1e-9)


def is_square(mean: float, variation: float, flow_s: float, inspired: float) -> bool:
    """Whether flow varies by no more than 5 %, and its mean times its time is the volume but for 10 %."""
    return variation <= MAX_FLOW_CV and abs(mean * flow_s - inspired) <= MAX_RAMP_SHARE * inspired


def no_features() -> BreathFeatures:
    """A fold in which everything is missing."""
    return BreathFeatures._make([math.nan] * len(BreathFeatures._fields))
