"""What one breath's arrays reduce to. Floor 1; the words in which metrics are written. Needs no compiler."""

from __future__ import annotations

from typing import NamedTuple

MAX_FLOW_CV = 0.05
MAX_RAMP_SHARE = 0.10


class Fold(NamedTuple):
    """One breath reduced to numbers: L, L/s, cmH2O, s, mmHg, cmH2O·L. NaN: not there. Made by ``_fold.fold``.

    ``tidal`` quantities are leak-corrected (lung side): for mechanics and energy. Others are raw: for publication.
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
    hold_at_s: float
    """Its start, counted from sample 0."""
    # an end-expiratory hold, likewise
    exp_hold_s: float
    exp_hold_stop: float
    exp_hold_jump: float
    """Rise of pressure across the instant when flow stopped, where it was level before; else NaN."""
    exp_hold_paw: float
    exp_hold_slope: float
    """cmH2O/s over the last 0.5 s."""
    exp_hold_rise: float
    """Pressure at the end less pressure half a second after flow stopped."""
    exp_hold_at_s: float
    # volumes, flow times, work: _fold_volumes
    insp_volume: float
    exp_volume: float
    tidal_insp: float
    tidal_exp: float
    peak_insp_flow: float
    peak_exp_flow: float
    """Magnitude, leak-corrected."""
    flow_s: float
    """Time in inspiration with flow above 2 L/min."""
    pause_s: float
    """Time at the end of inspiration without such flow; 0 below 50 ms."""
    square_flow: float
    """Mean flow over 20-80 % of the flow time."""
    square_flow_cv: float
    """Its coefficient of variation: 0 for square flow."""
    square_stop_paw: float
    """Pressure at the instant when such flow stops, from the line through the same stretch."""
    work: float
    """Integral of pressure over inspired volume, cmH2O·L, PEEP included."""
    work_exp: float
    """Integral of pressure over expired volume, cmH2O·L."""
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
    # the capnogram: _fold_co2
    co2_end_tidal: float
    """Mean over the last 5 % of expired volume."""
    co2_end_samples: float
    co2_inspired: float
    """Lowest 3-point median in the second half of inspiration."""
    co2_half_share: float
    """Share of expired volume at which half of the end-tidal value is reached: stands in for airway dead space."""
    co2_fall_s: float
    """Time from sample 0 until PCO2 has halved: tells a delayed capnogram."""
    co2_holes: float
    """Samples of PCO2 that are missing."""
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
    def is_square(self) -> bool:
        """Inspiratory flow was constant: within 5 % over 20-80 % of its time, and 10 % as judged by the volume."""
        ramp = abs(self.square_flow * self.flow_s - self.insp_volume)
        return self.square_flow_cv <= MAX_FLOW_CV and ramp <= MAX_RAMP_SHARE * self.insp_volume

    @property
    def is_unclear(self) -> bool:
        """Pressure stepped up as expiratory flow ceased, yet not so that a valve must have ended it."""
        return self.exp_hold_jump >= 0.3 and not self.is_stopped  # noqa: PLR2004


def is_stopped(hold_s: float, stop: float, jump: float) -> bool:
    """Whether a valve ended expiratory flow: abruptly, or pressure then rose by 1 cmH2O and stayed up for 1 s."""
    return stop >= 1.0 or (jump >= 1.0 and hold_s >= 1.0 - 1e-9)
