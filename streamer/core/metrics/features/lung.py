"""The lung of one breath: sums, fits and what holds them to account, in one compiled call. Compiled."""

from __future__ import annotations

import math

from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.features.constant_flow import square
from streamer.core.metrics.features.least_squares import fit
from streamer.core.metrics.features.nonlinear_fit import wider
from streamer.core.metrics.features.normal_equations import moments
from streamer.core.metrics.features.residual_checks import checks
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

MAX_R_ERROR = 0.2
"""Relative error of expiratory resistance beyond which nothing is predicted with it."""
NO_RAMP = (math.nan,) * (
    BreathFeatures._fields.index("start_excess") - BreathFeatures._fields.index("square_elastance")
)


@kernel
def lung(  # noqa: PLR0917 (compiled: positions only)
    flow: FloatArray,
    paw: FloatArray,
    rate_hz: float,
    insp_end: int,
    stop: int,
    is_square: bool,  # noqa: FBT001
    flow_s: float,
    late_s: float,
) -> tuple[float, ...]:
    """Fields ``fit_elastance`` to ``tau_fall`` of a Fold, in order.

    Args:
        flow: (n,) L/s, corrected.
        paw: (n,) cmH2O.
        rate_hz: Samples per second.
        insp_end: First sample of expiration.
        stop: First sample of inspiration without flow; ``insp_end`` where there is no pause.
        is_square: Whether inspiratory flow is constant; then its slope describes the lung better than the whole fit.
        flow_s: Inspiratory flow time, s.
        late_s: Onset of inspiration after sample 0, s.
    """
    sums, noise, width, volume = moments(flow, paw, rate_hz, insp_end, stop)
    whole = fit(sums, noise, width)
    ramp, best = NO_RAMP, whole[:6]
    if is_square:
        ramp = square(flow, volume, paw, rate_hz, insp_end, flow_s, late_s)
        best = ramp[:6]
    elastance, ri, re, p0, _, re_error = best
    re = re if re_error <= MAX_R_ERROR else math.nan
    checked = checks(flow, volume, paw, rate_hz, insp_end, (elastance, ri, re, p0))
    return (*whole, *wider(flow, volume, paw, rate_hz, insp_end, stop), *ramp, *checked)
