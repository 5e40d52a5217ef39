"""Whether inspired and expired volume agree, and what is withheld where they do not.

Zero and leak are taken off first: what is left is a sensor, or gas that stays or comes. The two differ in time. A
sensor is off in every breath, so a *persistent* ratio is one that all views of recent breaths share: sum and median
over twenty, the sum over the last five; or the one that three breaths in a row share. A sigh, a step of PEEP or a
double trigger moves one of them; a leak leaves the last five soon after it was learnt. Which metric asks for what is
part of its declaration (``Volume``).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.core.metrics.measurement_context import MeasurementContext, is_incomplete
from streamer.core.metrics.running_median import middle
from streamer.model.breath import Breath
from streamer.model.flags import DOUBLED, Flag
from streamer.model.reasons import Reason

NOTED, REFUSED = 0.05, 0.10
"""Distance of the persistent ratio from 1 that makes B at best, and that withholds."""
DEVIATIONS = 3.0
"""Standard deviations of noise that one error in four hundred exceeds."""
MAX_LEAK, LEAK_NOTED = 0.20, 0.10
MAX_UNCLOSED = 0.15
FAR = 3.0
"""Expired over inspired volume of one breath, or its inverse, that no sigh and no step of PEEP makes."""
FROM_OUTSIDE, SAME_CMH2O, FED = 0.40, 1.0, 0.10
"""A breath that is open by more than this share, though the lung came to rest at the same pressure before and after;
flow that feeds a leak at the end of expiration, over its peak."""
RECENT, RUN, SETTLED = 5, 3, 6
"""Breaths: of the quick view, of a run, and before which a leak is not yet known."""
SOON, SOON_S = 0.5, 0.5
"""Of the inspiratory time, and s: an expiration that is shorter is none (Thille's rule of double triggering)."""
MISJUDGED = 2.0
"""A leak may be so many times larger than what is taken off for it, besides that."""
ENOUGH_DOUBLED = 10
"""Breaths from which on one half of a double trigger more or less no longer moves what persists."""


class Balance(NamedTuple):
    """Of one breath, by what is asked of volumes: quality at best (empty: any), and the reason that withholds."""

    grade: tuple[str, str, str, str]
    refused: tuple[Reason | None, Reason | None, Reason | None, Reason | None]


NOTHING_MOVED = Balance(("", "B", "B", "B"), (None, None, None, Reason.VOLUME_NOT_CLOSED))


def balance_of(breath: Breath, features: BreathFeatures, given: MeasurementContext, flags: Collection[Flag]) -> Balance:
    """The balance of a breath, itself among the recent ones unless it is the first half of a double trigger."""
    if features.tidal_insp <= 0.0:
        return NOTHING_MOVED
    own, volumes, is_double = features.tidal_exp / features.tidal_insp, given.past.volumes, bool(DOUBLED & {*flags})
    seen = volumes if is_double else (*volumes, (features.tidal_insp, features.tidal_exp))
    off = persistent(seen) - 1.0 if seen else 0.0
    if is_double and len(seen) < ENOUGH_DOUBLED:
        off = 0.0
    if len(seen) <= RUN and abs(features.tidal_exp - features.tidal_insp) <= _sample(breath, features):
        off = 0.0
    noise, doubt = hidden(breath, features), in_doubt(features)
    moved = Reason.SIGNAL_NOISY if noise > REFUSED else None
    if moved is None and abs(off) > REFUSED:
        moved = Reason.SENSOR_RATIO if off > 0.0 and len(seen) >= RUN else Reason.VOLUME_NOT_CLOSED
    if moved is None and (
        doubt > REFUSED
        or (len(volumes) < SETTLED and _is_unsettled(breath, features, is_double=is_double))
        or (not is_double and (not 1.0 / FAR < own < FAR or _is_from_outside(features, given.before, own)))
    ):
        moved = Reason.VOLUME_NOT_CLOSED
    tight = moved or (Reason.LEAK_HIGH if breath.leak_frac > MAX_LEAK else None)
    closed = tight or (None if abs(own - 1.0) <= MAX_UNCLOSED else Reason.VOLUME_NOT_CLOSED)
    apart = max(noise, abs(off), doubt)
    noted = "B" if apart > NOTED or abs(own - 1.0) > REFUSED or breath.leak_frac > LEAK_NOTED else ""
    unsure = noted if breath.leak_frac >= -NOTED else "B"  # it may be unknown, too
    return Balance(("", noted, unsure, unsure), (None, moved, tight, closed))


def in_doubt(features: BreathFeatures) -> float:
    """Share of the inspired volume by which its correction may be wrong.

    A leak or a zero that is off leaves the breath open, and takes from each phase as its correction does.
    """
    into, out = features.insp_volume - features.tidal_insp, features.tidal_exp - features.exp_volume
    taken = abs(into) + abs(out)
    if not taken > 0.0:
        return 0.0
    return (
        min(abs(features.tidal_exp - features.tidal_insp), MISJUDGED * taken) * abs(into) / taken / features.tidal_insp
    )


def _is_unsettled(breath: Breath, features: BreathFeatures, *, is_double: bool) -> bool:
    """Of the first breaths: it does not close, or a correction that has just been learned makes much of it.

    Not where the next breath came so soon that nothing could come back, nor where that comes back.
    """
    if is_double and features.tidal_exp > features.tidal_insp:
        return False
    if is_double and breath.end_s - breath.insp_end_s < min(SOON * (breath.insp_end_s - breath.start_s), SOON_S):
        return False
    unclosed, corrected = abs(features.tidal_exp - features.tidal_insp), abs(features.insp_volume - features.tidal_insp)
    return unclosed > max(MAX_UNCLOSED * features.tidal_insp, _sample(breath, features)) or (
        corrected > REFUSED * features.tidal_insp
    )


def _is_from_outside(features: BreathFeatures, before: BreathFeatures | None, own: float) -> bool:
    """More, or less, comes back than went in, though the lung came to rest at the same pressure as before.

    A leak that opens goes on being fed at the end. A lung that gives more than it got had kept it before; or gas joins.
    """
    if before is None or abs(own - 1.0) <= FROM_OUTSIDE or abs(features.end_paw - before.end_paw) > SAME_CMH2O:
        return False
    if own < 1.0:
        return not is_incomplete(before) and features.end_flow > FED * features.peak_exp_flow
    kept = max(before.tidal_insp - before.tidal_exp, 0.0)
    is_empty = not is_incomplete(before) or before.tidal_exp > (1.0 + FROM_OUTSIDE) * before.tidal_insp
    return is_empty and features.tidal_exp - kept > (1.0 + FROM_OUTSIDE) * features.tidal_insp


def hidden(breath: Breath, features: BreathFeatures) -> float:
    """Error that white noise of flow leaves in the inspired volume, as a share of it, exceeded in one of four hundred.

    A sum of n samples dt apart, each with noise s, has the standard deviation s·dt·sqrt(n) = s·sqrt(Ti·dt).
    """
    ti_s = max(breath.insp_end_s - breath.start_s, 1.0 / breath.rate_hz)
    return DEVIATIONS * breath.flow_noise * math.sqrt(ti_s / breath.rate_hz) / features.tidal_insp


def persistent(volumes: Sequence[tuple[float, float]]) -> float:
    """Expired over inspired volume as it persists over recent breaths, the last of which is this one.

    Of all views that nearest to 1; but three breaths that are off the same way are no accident.
    """
    ratios = [out / into for into, out in volumes]
    views = _ratio(volumes), _ratio(volumes[-RECENT:]), middle(sorted(ratios))
    slow, quick = _nearest(views), _nearest(ratios[-RUN:]) if len(ratios) >= RUN else 1.0
    return max(slow, quick, key=lambda ratio: abs(ratio - 1.0))


def _sample(breath: Breath, features: BreathFeatures) -> float:
    """Volume of the largest sample, L: where flow turns within one, as much may be missed."""
    return max(features.peak_insp_flow, features.peak_exp_flow) / breath.rate_hz


def _nearest(views: Sequence[float]) -> float:
    """The one nearest to 1; 1 where they lie on both sides of it."""
    low, high = min(views), max(views)
    return 1.0 if low <= 1.0 <= high else low if low > 1.0 else high


def _ratio(volumes: Sequence[tuple[float, float]]) -> float:
    into, out = map(sum, zip(*volumes, strict=True))
    return out / into
