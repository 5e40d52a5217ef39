"""Whether inspired and expired volume agree, and what is withheld where they do not. Floor 1.

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

from streamer.breath import Breath
from streamer.metrics._folded import Fold
from streamer.metrics._past import Past
from streamer.metrics._running import middle
from streamer.reasons import Reason
from streamer.records import Flag

NOTED, REFUSED = 0.05, 0.10
"""Distance of the persistent ratio from 1 that makes B at best, and that withholds."""
ONE_IN_TWENTY = 1.96
"""Standard deviations of noise that one error in twenty exceeds."""
MAX_LEAK, LEAK_NOTED = 0.20, 0.10
MAX_UNCLOSED = 0.15
FAR = 3.0
"""Expired over inspired volume of one breath, or its inverse, that no sigh and no step of PEEP makes."""
RECENT, RUN = 5, 3
ENOUGH_DOUBLED = 10
"""Breaths from which on one half of a double trigger more or less no longer moves what persists."""
DOUBLES = frozenset({Flag.DOUBLE_TRIGGER, Flag.STACKED})


class Balance(NamedTuple):
    """Of one breath, by what is asked of volumes: quality at best (empty: any), and the reason that withholds."""

    grade: tuple[str, str, str, str]
    refused: tuple[Reason | None, Reason | None, Reason | None, Reason | None]


NOTHING_MOVED = Balance(("", "B", "B", "B"), (None, None, None, Reason.VOLUME_NOT_CLOSED))


def balance_of(breath: Breath, folded: Fold, past: Past, flags: Collection[Flag]) -> Balance:
    """The balance of a breath, itself among the recent ones unless it is the first half of a double trigger."""
    if folded.tidal_insp <= 0.0:
        return NOTHING_MOVED
    own = folded.tidal_exp / folded.tidal_insp
    seen = [*past.volumes] if DOUBLES & {*flags} else [*past.volumes, (folded.tidal_insp, folded.tidal_exp)]
    off = persistent(seen) - 1.0 if seen else 0.0
    if DOUBLES & {*flags} and len(seen) < ENOUGH_DOUBLED:
        off = 0.0
    if len(seen) <= RUN and abs(folded.tidal_exp - folded.tidal_insp) <= _sample(breath, folded):
        off = 0.0
    noise = hidden(breath, folded)
    moved = Reason.SIGNAL_NOISY if noise > REFUSED else None
    if moved is None and not DOUBLES & {*flags} and not 1.0 / FAR < own < FAR:
        moved = Reason.VOLUME_NOT_CLOSED
    if moved is None and abs(off) > REFUSED:
        moved = Reason.SENSOR_RATIO if off > 0.0 and len(seen) >= RUN else Reason.VOLUME_NOT_CLOSED
    tight = moved or (Reason.LEAK_HIGH if breath.leak_frac > MAX_LEAK else None)
    closed = tight or (None if abs(own - 1.0) <= MAX_UNCLOSED else Reason.VOLUME_NOT_CLOSED)
    noted = (
        "B" if noise > NOTED or abs(off) > NOTED or abs(own - 1.0) > REFUSED or breath.leak_frac > LEAK_NOTED else ""
    )
    unsure = noted if breath.leak_frac >= -NOTED else "B"  # it may be unknown, too
    return Balance(("", noted, unsure, unsure), (None, moved, tight, closed))


def hidden(breath: Breath, folded: Fold) -> float:
    """Error that white noise of flow leaves in the inspired volume, as a share of it, exceeded in one breath of twenty.

    A sum of n samples dt apart, each with noise s, has the standard deviation s·dt·sqrt(n) = s·sqrt(Ti·dt).
    """
    ti_s = max(breath.insp_end_s - breath.start_s, 1.0 / breath.rate_hz)
    return ONE_IN_TWENTY * breath.flow_noise * math.sqrt(ti_s / breath.rate_hz) / folded.tidal_insp


def persistent(volumes: Sequence[tuple[float, float]]) -> float:
    """Expired over inspired volume as it persists over recent breaths, the last of which is this one.

    Of all views that nearest to 1; but three breaths that are off the same way are no accident.
    """
    ratios = [out / into for into, out in volumes]
    views = _ratio(volumes), _ratio(volumes[-RECENT:]), middle(sorted(ratios))
    slow, quick = _nearest(views), _nearest(ratios[-RUN:]) if len(ratios) >= RUN else 1.0
    return max(slow, quick, key=lambda ratio: abs(ratio - 1.0))


def _sample(breath: Breath, folded: Fold) -> float:
    """Volume of the largest sample, L: where flow turns within one, as much may be missed."""
    return max(folded.peak_insp_flow, folded.peak_exp_flow) / breath.rate_hz


def _nearest(views: Sequence[float]) -> float:
    """The one nearest to 1; 1 where they lie on both sides of it."""
    low, high = min(views), max(views)
    return 1.0 if low <= 1.0 <= high else low if low > 1.0 else high


def _ratio(volumes: Sequence[tuple[float, float]]) -> float:
    into, out = map(sum, zip(*volumes, strict=True))
    return out / into
